# SPDX-License-Identifier: BSD-2-Clause
"""Ends and their dataports."""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import weakref
from dataclasses import dataclass
from types import TracebackType
from typing import Any, List, Optional, Tuple, Type, Union

from ._bell import Bell
from ._channel import Channel
from ._datagram import Datagram
from ._deadline import FOREVER, NOW, deadline, nanoseconds_left, seconds_left
from ._errors import Error
from ._handle import Handle
from ._library import EndInfoStruct, free, last_error, lib
from ._memory import Exports, Memory, call_in
from ._stream import Stream

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
            name=raw.name.decode(errors="replace"),
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

    def __init__(self, memory: Memory, size: int, writable: bool) -> None:
        self._memory = memory
        self._size = size
        self.writable = writable

    @property
    def memory(self) -> memoryview:
        """The memory itself, as the other end sees it."""
        return self._memory.view

    def __len__(self) -> int:
        return self._size


class End:
    """An open end of a connection: by its name, or the path of its device or socket. A context manager.

    Use it and its channels from threads, or from the tasks of one event loop, not from both at a time: there is one
    descriptor, and whoever sleeps on it takes the wake-ups of the others. Where that is noticed, it is a RuntimeError.

    An end that is not closed is closed, with a ResourceWarning, once nobody holds it, a channel or memory of it."""

    def __init__(self, name: Union[str, os.PathLike[str]]) -> None:
        encoded = os.fsencode(name)
        if b"\0" in encoded:
            raise ValueError(f"{name!r} is no name of a connection: it has a null character")
        pointer = ctypes.c_void_p()
        error = lib.crossvm_open(ctypes.byref(pointer), encoded)
        if error:
            raise last_error(error)
        self._handle = Handle("end", pointer.value or 0, lib.crossvm_close, unclosed=f"unclosed end {str(name)!r}")
        self._bell = Bell(lib.crossvm_fd(pointer))
        # Not held: a channel that nobody holds is closed, and the end with the last of them.
        self._channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._exports = Exports()
        self.dataports: List[Dataport] = []
        for i in range(lib.crossvm_num_dataports(pointer)):
            region = lib.crossvm_dataport(pointer, i)
            writable = bool(region.rights & RIGHT_WRITE)
            memory = Memory(region.address, region.size, writable, self._handle, self._exports)
            self.dataports.append(Dataport(memory, region.size, writable))

    @property
    def handle(self) -> int:
        """The crossvm_end_t; an error when the end is closed."""
        return self._handle.pointer

    @property
    def name(self) -> str:
        """Name of the connection."""
        return self._handle.use(lambda pointer: lib.crossvm_name(pointer).decode(errors="replace"))

    @property
    def number(self) -> int:
        """Which of the connection's two ends this is: 0 or 1."""
        return self._handle.use(lib.crossvm_end_number)

    @property
    def peer(self) -> PeerState:
        """What is at the other end."""
        state = self._handle.use(lib.crossvm_peer_state, None)
        return PeerState(state) if state <= PeerState.READY else PeerState.UNKNOWN

    @property
    def peer_generation(self) -> int:
        """A number that grows each time that something comes to the other end."""
        generation = ctypes.c_uint32()
        self._handle.use(lib.crossvm_peer_state, ctypes.byref(generation))
        return generation.value

    def info(self) -> EndInfo:
        """What is known of this end."""
        raw = EndInfoStruct()
        error = self._handle.use(lib.crossvm_info, ctypes.byref(raw))
        if error:
            raise last_error(error)
        return EndInfo._of(raw)

    def emit(self) -> None:
        """Sends one event. What was written before is visible to the other end after its wait()."""
        error = self._handle.use(lib.crossvm_emit)
        if error:
            raise last_error(error)

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits for events: how many came; 0 when the time is over, or the other end came or went. For one thread, and
        not while there are channels, which take the events."""
        return self._wait(deadline(timeout))

    def _wait(self, until: int) -> int:
        this = object()
        try:
            if until != NOW:
                self._bell.enter(this)
            while True:
                events = self._handle.use(lib.crossvm_wait, until)
                if events != -errno.EINTR:
                    break
        finally:
            self._bell.leave(this)
        if events < 0:
            raise last_error(events)
        return events

    async def async_wait(self, timeout: Optional[float] = None) -> int:
        """The same, in an event loop."""
        until = deadline(timeout)
        while True:
            events = self._wait(NOW)
            if events or (until != FOREVER and nanoseconds_left(until) == 0):
                return events
            await self._bell.sleep(seconds_left(until))

    def fileno(self) -> int:
        """A descriptor that polls readable when wait() would not block."""
        return self._handle.use(lib.crossvm_fd)

    def stream(self, dataport: Optional[int] = None, spin: Optional[int] = None) -> Stream:
        """A channel of bytes, through the first dataport that will do or a chosen one."""
        return Stream(self, dataport, spin)

    def datagram(self, dataport: Optional[int] = None, spin: Optional[int] = None) -> Datagram:
        """A channel of datagrams, through the first dataport that will do or a chosen one."""
        return Datagram(self, dataport, spin)

    def close(self) -> None:
        """Closes the end and its channels. Tasks that wait for them get a ValueError, and so does who uses memory of
        the end.

        A BufferError, and all stays open, while another thread is in a call of it (a timeout lets that one end), or
        while a memoryview that was made of its memory is in use: it would lead nowhere."""
        if self._handle.is_closed:
            return
        channels = self._open_channels()
        self._handle.check_unused()
        self._bell.check_thread()
        for channel in channels:
            channel._check_unused()
        exports = [self._exports, *(channel._exports for channel in channels)]
        call_in(exports)
        self._bell.close()
        try:
            for channel in channels:
                channel._end_it()
            call_in(exports)  # of another thread's last call
            self._handle.close()
        except BufferError:  # a thread began a call just now
            self._bell.open_again()
            for dataport in self.dataports:
                dataport._memory.show()
            raise

    def _open_channels(self) -> List[Channel]:
        references: List[Any] = self._channels.valuerefs()
        return [channel for channel in (reference() for reference in references) if channel is not None]

    def __enter__(self) -> End:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<End, closed>" if self._handle.is_closed else f"<End {self.number} of {self.name!r}>"

    def _prepare_all(self) -> Tuple[bool, Optional[float]]:
        """Whether some channel has something for who waits there, and how long to sleep at most if not. Whoever looks
        takes the bell for all, so all channels with somebody waiting are looked at before anybody sleeps."""
        self._bell.check_no_thread()
        limits = []
        found = False
        for channel in self._open_channels():
            if channel._wanted:
                ready, limit = channel.prepare(channel._wanted)
                channel._ready |= ready
                found = found or ready != 0
                if limit is not None:
                    limits.append(limit)
        return found, min(limits, default=None)


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
