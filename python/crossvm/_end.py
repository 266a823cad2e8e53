# SPDX-License-Identifier: BSD-2-Clause
"""Ends and their dataports."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import errno
import math
import time
from dataclasses import dataclass
from types import TracebackType
from typing import List, Optional, Set, Tuple, Type

from . import _channel
from ._errors import Error
from ._library import EndInfoStruct, Memory, free, last_error, lib

RIGHT_WRITE = 2


class PeerState(enum.IntEnum):
    """What is at the other end."""

    UNKNOWN = 0
    ABSENT = 1
    PRESENT = 2
    READY = 3


class Via(enum.IntEnum):
    """How an end is reached."""

    DRIVER = 0
    BASE_BLOCK = 1
    PCI_GENERIC = 2
    SOCKET = 3


@dataclass(frozen=True)
class EndInfo:
    """What is known of an end: as crossvm_end_info_t, with None for what does not apply."""

    name: str
    via: Via
    path: str
    location: str
    version: Optional[Tuple[int, int]]
    number: int
    peer: PeerState
    peer_generation: int
    events: Optional[int]
    msi: bool
    owned: Optional[bool]
    dataports: Tuple[Tuple[int, bool], ...]  # size, and whether this end may write
    vm_exits: Optional[int]
    vm_user_exits: Optional[int]

    @classmethod
    def _of(cls, raw: EndInfoStruct) -> EndInfo:
        is_socket = raw.via == Via.SOCKET
        return cls(
            name=raw.name.decode(),
            via=Via(raw.via),
            path=raw.path.decode(errors="replace"),
            location=raw.location.decode(errors="replace"),
            version=(raw.version >> 16, raw.version & 0xFFFF) if raw.version else None,
            number=raw.end,
            peer=PeerState(raw.peer_state) if raw.peer_state <= PeerState.READY else PeerState.UNKNOWN,
            peer_generation=raw.peer_generation,
            events=raw.events if raw.version else None,
            msi=raw.msi,
            owned=bool(raw.owner) if raw.owner >= 0 else None,
            dataports=tuple(
                (raw.dataports[i].size, bool(raw.dataports[i].rights & RIGHT_WRITE)) for i in range(raw.num_dataports)
            ),
            vm_exits=raw.vm_exits if is_socket else None,
            vm_user_exits=raw.vm_user_exits if is_socket else None,
        )


class Dataport:
    """Memory that both ends map."""

    def __init__(self, mapped: Memory, size: int, writable: bool) -> None:
        self._mapped = mapped
        self._size = size
        self.writable = writable

    @property
    def memory(self) -> memoryview:
        """The memory itself, as the other end sees it."""
        return self._mapped.view

    def __len__(self) -> int:
        return self._size


class End:
    """An open end of a connection: by its name, or the path of its device or socket. A context manager."""

    def __init__(self, name: str) -> None:
        self._handle: Optional[int] = None
        self._channels: Set[_channel.Channel] = set()
        self._sleepers: Set[asyncio.Future[None]] = set()
        self.dataports: List[Dataport] = []
        handle = ctypes.c_void_p()
        error = lib.crossvm_open(ctypes.byref(handle), name.encode())
        if error:
            raise last_error(error)
        self._handle = handle.value
        for i in range(lib.crossvm_num_dataports(handle)):
            region = lib.crossvm_dataport(handle, i)
            writable = bool(region.rights & RIGHT_WRITE)
            mapped = Memory(region.address, region.size, writable)
            self.dataports.append(Dataport(mapped, region.size, writable))

    @property
    def handle(self) -> int:
        """The crossvm_t; an error when the end is closed."""
        if self._handle is None:
            raise ValueError("this end is closed")
        return self._handle

    @property
    def name(self) -> str:
        """Name of the connection."""
        return lib.crossvm_name(self.handle).decode()

    @property
    def number(self) -> int:
        """Which of the connection's two ends this is: 0 or 1."""
        return lib.crossvm_end_number(self.handle)

    @property
    def peer(self) -> PeerState:
        """What is at the other end."""
        state = lib.crossvm_peer_state(self.handle, None)
        return PeerState(state) if state <= PeerState.READY else PeerState.UNKNOWN

    @property
    def peer_generation(self) -> int:
        """A number that grows each time that something comes to the other end."""
        generation = ctypes.c_uint32()
        lib.crossvm_peer_state(self.handle, ctypes.byref(generation))
        return generation.value

    def info(self) -> EndInfo:
        """What is known of this end."""
        raw = EndInfoStruct()
        error = lib.crossvm_info(self.handle, ctypes.byref(raw))
        if error:
            raise last_error(error)
        return EndInfo._of(raw)

    def emit(self) -> None:
        """Sends one event. What was written before is visible to the other end after its wait()."""
        error = lib.crossvm_emit(self.handle)
        if error:
            raise last_error(error)

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits for events: how many came; 0 when the time is over, or the other end came or went."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = -1 if until is None else max(0, math.ceil((until - time.monotonic()) * 1000))
            events = lib.crossvm_wait(self.handle, min(left, 2**31 - 1))
            if events != -errno.EINTR:
                break
        if events < 0:
            raise last_error(events)
        return events

    async def async_wait(self, timeout: Optional[float] = None) -> int:
        """The same, in an event loop."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            events = self.wait(0)
            if events:
                return events
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return 0
            await self._sleep(left)

    def fileno(self) -> int:
        """A descriptor that polls readable when wait() would not block."""
        return lib.crossvm_fd(self.handle)

    def stream(self, dataport: Optional[int] = None, spin: Optional[int] = None) -> _channel.Stream:
        """A channel of bytes, through the first dataport that will do or a chosen one."""
        return _channel.Stream(self, dataport, spin)

    def datagram(self, dataport: Optional[int] = None, spin: Optional[int] = None) -> _channel.Datagram:
        """A channel of datagrams, through the first dataport that will do or a chosen one."""
        return _channel.Datagram(self, dataport, spin)

    def close(self) -> None:
        """Closes the end and its channels. Views of its memory must be released before: they would lead nowhere."""
        if self._handle is None:
            return
        for channel in list(self._channels):
            channel.close()
        for dataport in self.dataports:
            dataport._mapped.release()
        handle, self._handle = self._handle, None
        lib.crossvm_close(handle)

    def __enter__(self) -> End:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<End, closed>" if self._handle is None else f"<End {self.number} of {self.name!r}>"

    # Event loops: one descriptor wakes all who wait for something of this end. Whoever looks takes the bell for all, so
    # before anybody sleeps, all channels with somebody waiting are looked at, and all are woken when one has something.

    def _prepare_all(self) -> Tuple[bool, Optional[float]]:
        """Whether some channel has something for who waits there, and how long to sleep at most if not."""
        limits = []
        found = False
        for channel in self._channels:
            if channel._wanted:
                ready, limit = channel.prepare(channel._wanted)
                channel._ready |= ready
                found = found or ready != 0
                if limit is not None:
                    limits.append(limit)
        return found, min(limits, default=None)

    async def _sleep(self, timeout: Optional[float]) -> None:
        """Sleeps until the descriptor polls readable or the time is over."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, self._wake_all)
        if not self._sleepers:
            loop.add_reader(self.fileno(), self._wake_all)
        self._sleepers.add(woken)
        try:
            await woken
        finally:
            if timer:
                timer.cancel()
            self._sleepers.discard(woken)
            if not self._sleepers and self._handle is not None:
                loop.remove_reader(self.fileno())

    def _wake_all(self) -> None:
        for woken in self._sleepers:
            if not woken.done():
                woken.set_result(None)
        self._sleepers.clear()
        if self._handle is not None:
            asyncio.get_running_loop().remove_reader(self.fileno())


def ends() -> List[EndInfo]:
    """The ends of this machine: devices, then sockets. Does not disturb who uses them."""
    array = ctypes.POINTER(EndInfoStruct)()
    count = ctypes.c_size_t()
    error = lib.crossvm_list(ctypes.byref(array), ctypes.byref(count))
    if error:
        raise last_error(error)
    try:
        return [EndInfo._of(array[i]) for i in range(count.value)]
    finally:
        if array:
            free(array)


__all__ = ["Dataport", "End", "EndInfo", "Error", "PeerState", "Via", "ends"]
