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
from typing import Any, List, NamedTuple, Optional, Tuple, Type, Union

from ._channel import Channel
from ._datagram import Datagram
from ._deadline import FOREVER, NOW, deadline, nanoseconds_left, seconds_left
from ._handle import Handle
from ._library import crossvm_dataport_t, crossvm_end_info_t, last_error, lib
from ._memory import Exports, Memory, withdraw
from ._stream import Stream
from ._waiters import Waiters

RIGHT_WRITE = 2


class PeerState(enum.IntEnum):
    """What is at the other end."""

    UNKNOWN = 0
    """Nobody can tell."""
    ABSENT = 1
    """Nothing."""
    PRESENT = 2
    """A guest whose driver is there, but no program has opened the end."""
    READY = 3
    """A program, or a component of the VMM, has opened the end."""


class Via(enum.IntEnum):
    """How an end is reached."""

    DRIVER = 0
    """In a guest: the crossvm driver, on a device with the extended block."""
    BASE_BLOCK = 1
    """In a guest: a driver, on a device that has registers 0x00 to 0x37 only."""
    PCI_GENERIC = 2
    """In a guest: the kernel's uio_pci_generic."""
    SOCKET = 3
    """On the host: a hub."""


class Door(enum.IntEnum):
    """How an end is taken from a hub."""

    HOST = 1
    """By a program of the host."""
    CROSSVM_VM = 2
    """By crossvm-vm, for its guest."""
    VFIO_USER = 3
    """By a VMM that speaks vfio-user, for its guest."""
    IVSHMEM = 4
    """By a VMM with ivshmem-doorbell, for its guest."""


class DataportInfo(NamedTuple):
    """What is known of a dataport that need not be mapped."""

    size: int
    """Bytes."""
    writable: bool
    """Whether this end may write."""


@dataclass(frozen=True)
class EndInfo:
    """What is known of an end, as in crossvm_end_info_t. None where something does not apply or is not known."""

    name: str
    """Of the connection."""
    via: Via
    """How the end is reached."""
    path: str
    """Of the device or the socket. A very long one is cut."""
    location: str
    """In a guest the PCI address, on the host the name of the peer's VM; "" where that is not known."""
    error: Optional[int]
    """Why ends() could not ask this end: a number of errno. What follows is not known then."""
    version: Optional[Tuple[int, int]]
    """Of the device; None without the extended block."""
    number: int
    """Which of the connection's two ends this is: 0 or 1."""
    peer_state: PeerState
    """What is at the other end."""
    peer_generation: int
    """A number that grows each time that something comes to the other end."""
    events: Optional[int]
    """How many events the peer has sent so far."""
    msi: bool
    """Whether the guest's interrupt is an MSI."""
    owned: Optional[bool]
    """On the host, whether a program owns the end."""
    dataports: Tuple[DataportInfo, ...]
    """The connection's dataports."""
    door: Optional[Door]
    """On the host, how the peer takes its end."""
    peer_here: Optional[bool]
    """On the host, whether a program or a VMM has the peer's end, whatever its guest does."""
    vm_exits: Optional[int]
    """On the host, how often the VM has exited so far, where crossvm-vm runs it."""
    vm_user_exits: Optional[int]
    """How many of these exits went on to crossvm-vm."""

    @classmethod
    def _of(cls, raw: crossvm_end_info_t) -> EndInfo:
        door = Door(raw.peer_door) if raw.peer_door else None
        has_exits = door == Door.CROSSVM_VM
        return cls(
            name=raw.name.decode(errors="replace"),
            via=Via(raw.via),
            path=raw.path.decode(errors="replace"),
            location=raw.location.decode(errors="replace"),
            error=-raw.error or None,
            version=(raw.version >> 16, raw.version & 0xFFFF) if raw.version else None,
            number=raw.end,
            peer_state=PeerState(raw.peer_state),
            peer_generation=raw.peer_generation,
            events=raw.events if raw.version else None,
            msi=bool(raw.msi),
            owned=bool(raw.owner) if raw.owner >= 0 else None,
            dataports=tuple(
                DataportInfo(raw.dataports[i].size, bool(raw.dataports[i].rights & RIGHT_WRITE))
                for i in range(raw.num_dataports)
            ),
            door=door,
            peer_here=bool(raw.peer_here) if door else None,
            vm_exits=raw.vm_exits if has_exits else None,
            vm_user_exits=raw.vm_user_exits if has_exits else None,
        )


class Dataport:
    """Memory that both ends map: one of End.dataports. len() is its size in bytes."""

    def __init__(self, memory: Memory, size: int, name: str) -> None:
        self._memory = memory
        self._size = size
        self._name = name
        self.writable = memory.writable
        """Whether this end may write."""

    @property
    def memory(self) -> memoryview:
        """The memory itself, as the peer sees it. The peer can change it at any time: copy before you check and use
        anything. After the end is closed, it raises ValueError."""
        return self._memory.view

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        rights = "writable" if self.writable else "read-only"
        return f"<crossvm.Dataport of {self._name!r}, {self._size} bytes, {rights}>"


class End:
    """An open end of a connection. A context manager.

    Use an end and its channels from threads, or from the tasks of one event loop, but not from both at a time. An end
    has one descriptor, so a thread that waits would take the wake-ups of the tasks; that is a RuntimeError where it is
    noticed.

    An end that is not closed closes itself, with a ResourceWarning, when nobody holds it, a channel of it or memory of
    it any more.

    :param name: of the connection, or the path of its device or socket: see crossvm_open()
    """

    def __init__(self, name: Union[str, os.PathLike[str]]) -> None:
        encoded = os.fsencode(name)
        if b"\0" in encoded:
            raise ValueError(f"{name!r} is no name of a connection: it has a null character")
        pointer = ctypes.c_void_p()
        error = lib.crossvm_open(ctypes.byref(pointer), encoded)
        if error:
            raise last_error(error)
        self._handle = Handle("end", pointer.value or 0, lib.crossvm_close, unclosed=f"unclosed end {str(name)!r}")
        self._name: str = lib.crossvm_name(pointer).decode(errors="replace")
        self._number: int = lib.crossvm_end_number(pointer)
        self._waiters = Waiters(lib.crossvm_fd(pointer))
        # Weak references: a channel that nobody holds closes itself, and the last one lets the end do so.
        self._channels: weakref.WeakValueDictionary[int, Channel] = weakref.WeakValueDictionary()
        self._exports = Exports()
        self.dataports: Tuple[Dataport, ...] = tuple(
            self._map(lib.crossvm_dataport(pointer, i)) for i in range(lib.crossvm_num_dataports(pointer))
        )
        """The connection's dataports."""

    def _map(self, mapped: crossvm_dataport_t) -> Dataport:
        writable = bool(mapped.rights & RIGHT_WRITE)
        memory = Memory(mapped.address, mapped.size, writable, self._handle, self._exports)
        return Dataport(memory, mapped.size, self._name)

    def __repr__(self) -> str:
        return f"<crossvm.End {self._name!r}, number {self._number}{', closed' if self._handle.is_closed else ''}>"

    @property
    def handle(self) -> int:
        """The crossvm_end_t, for calls of the library with ctypes."""
        return self._handle.pointer

    @property
    def name(self) -> str:
        """Name of the connection."""
        return self._name

    @property
    def number(self) -> int:
        """Which of the connection's two ends this is: 0 or 1. Of a guest and a host program, the guest has 0."""
        return self._number

    @property
    def peer_state(self) -> PeerState:
        """What is at the other end."""
        return PeerState(self._handle.use(lib.crossvm_peer_state, None))

    @property
    def peer_generation(self) -> int:
        """A number that grows each time that something comes to the other end."""
        generation = ctypes.c_uint32()
        self._handle.use(lib.crossvm_peer_state, ctypes.byref(generation))
        return generation.value

    def info(self) -> EndInfo:
        """What is known of this end."""
        raw = crossvm_end_info_t()
        error = self._handle.use(lib.crossvm_info, ctypes.byref(raw), ctypes.sizeof(raw))
        if error:
            raise last_error(error)
        return EndInfo._of(raw)

    def emit(self) -> None:
        """Sends one event. The peer's wait() sees all memory as it was written before. May be called from any
        thread."""
        error = self._handle.use(lib.crossvm_emit)
        if error:
            raise last_error(error)

    def wait(self, *, timeout: Optional[float] = None) -> int:
        """Waits for events of the peer. For one thread at a time, and not while the end has channels: they take the
        events.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        :return: how many events came; 0 if the timeout ended, or if the peer came or went
        """
        return self._wait(deadline(timeout))

    def _wait(self, until: int) -> int:
        this = object()
        try:
            if until != NOW:
                self._waiters.enter(this)
            while True:
                events: int = self._handle.use(lib.crossvm_wait, until)
                if events != -errno.EINTR:
                    break
        finally:
            self._waiters.leave(this)
        if events < 0:
            raise last_error(events)
        return events

    async def async_wait(self, *, timeout: Optional[float] = None) -> int:
        """As wait(), for a task. Returns 0 only if the timeout ended."""
        until = deadline(timeout)
        while True:
            events = self._wait(NOW)
            if events or (until != FOREVER and nanoseconds_left(until) == 0):
                return events
            await self._waiters.sleep(seconds_left(until))

    def fileno(self) -> int:
        """A descriptor that polls readable when wait() would not wait. Do not read from it."""
        return int(self._handle.use(lib.crossvm_fd))

    def stream(self, *, dataport: Optional[int] = None, spin: Optional[int] = None) -> Stream:
        """Makes a channel of bytes. Does not wait for the peer.

        :param dataport: index in `dataports`; None: the first that this end may write and that is large enough
        :param spin: upper bound of how often a call looks again before it sleeps; None: the library's own
        """
        return Stream(self, dataport, spin)

    def datagram(self, *, dataport: Optional[int] = None, spin: Optional[int] = None) -> Datagram:
        """Makes a channel of datagrams. Does not wait for the peer. Parameters as of stream()."""
        return Datagram(self, dataport, spin)

    def close(self) -> None:
        """Closes the end and its channels. Tasks that wait for them get a ValueError, and so does whoever uses memory
        of the end afterwards.

        While another thread is in a call of the end or of a channel, or a memoryview that was made of their memory is
        in use, this is a BufferError and all stays open. A thread leaves its call in time if the call has a timeout."""
        if self._handle.is_closed:
            return
        channels = self._open_channels()
        self._handle.check_unused()
        self._waiters.check_thread()
        for channel in channels:
            channel._check_unused()
        exports = [self._exports, *(channel._exports for channel in channels)]
        withdraw(exports)
        self._waiters.close()
        try:
            for channel in channels:
                channel._close_now()
            withdraw(exports)  # memory that another thread's last call has shown since
            self._handle.close()
        except BufferError:  # a thread has begun a call since the check
            self._waiters.reopen()
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

    def _prepare_all(self) -> Tuple[bool, Optional[float]]:
        """Whether any channel is ready for a task, and if not, for how many seconds to sleep at most. Looking takes
        what made the descriptor readable, so it looks at all channels that tasks wait for."""
        self._waiters.check_no_thread()
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
    """The ends of this machine: devices first, then sockets. Does not disturb the programs that use them.

    If something keeps it from seeing all of them, a directory without permission for example, that is an Error, which
    has those that it did see as `ends`."""
    array = ctypes.POINTER(crossvm_end_info_t)()
    count = ctypes.c_size_t()
    result = lib.crossvm_list(ctypes.byref(array), ctypes.byref(count), ctypes.sizeof(crossvm_end_info_t))
    error = last_error(result) if result else None
    seen = [EndInfo._of(array[i]) for i in range(count.value)]
    lib.crossvm_list_free(array)
    if error:
        error.ends = seen
        raise error
    return seen
