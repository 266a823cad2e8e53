# SPDX-License-Identifier: BSD-2-Clause
"""Channels: streams and datagrams."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import errno
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Iterator, NamedTuple, Optional, Tuple, Type, Union

from ._errors import Error, PeerGone, error_of
from ._library import CountsStruct, Memory, OptionsStruct, last_error, lib

if TYPE_CHECKING:
    from ._end import End

Buffer = Union[bytes, bytearray, memoryview]

AUTO = -1
NOW = 0
FOREVER = 2**63 - 1
IN, OUT = 1, 2
STREAM, DATAGRAM = 1, 2


class ChannelState(enum.IntEnum):
    """How far a channel has come."""

    CLOSED = 0
    OPENING = 1
    CONNECTED = 2
    ENDED = 3
    BROKEN = 4


class Counts(NamedTuple):
    """What a channel did since it was made."""

    rings: int
    waits: int
    sessions: int


def _deadline(timeout: Optional[float]) -> int:
    if timeout is None:
        return FOREVER
    return NOW if timeout <= 0 else time.monotonic_ns() + int(timeout * 1e9)


def _pointer_to(data: Buffer) -> Tuple[Any, int]:
    """What a C function can read, and its length; a copy only of read-only memory that is not bytes."""
    if isinstance(data, bytes):
        return data, len(data)
    view = memoryview(data)
    if view.readonly or not view.c_contiguous:
        copy = view.tobytes()
        return copy, len(copy)
    return (ctypes.c_char * view.nbytes).from_buffer(view), view.nbytes


class Region:
    """Memory of a channel, for a `with` block. At its end, `length` bytes are sent or given back; when it ends in an
    exception, nothing is."""

    def __init__(self, address: int, size: int, writable: bool, done: Callable[[int], None]) -> None:
        self._mapped = Memory(address, size, writable)
        self._done = done
        self.length = size

    @property
    def memory(self) -> memoryview:
        """The memory itself, until the end of the block."""
        return self._mapped.view

    def __enter__(self) -> Region:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._mapped.release()  # the other end may use it from now on
        if kind is None:
            self._done(self.length)

    def __len__(self) -> int:
        return self.length


class Channel:
    """What streams and datagrams have in common. A context manager."""

    _mode = 0

    def __init__(self, end: End, dataport: Optional[int] = None, spin: Optional[int] = None) -> None:
        options = OptionsStruct(
            self._mode, AUTO if dataport is None else dataport, AUTO, AUTO if spin is None else spin
        )
        handle = ctypes.c_void_p()
        self._handle: Optional[int] = None
        self._waiting = {IN: 0, OUT: 0}  # how many tasks wait for each
        self._ready = 0
        self.end = end
        error = lib.crossvm_channel_create(ctypes.byref(handle), end.handle, ctypes.byref(options))
        if error:
            raise last_error(error)
        self._handle = handle.value
        end._channels.add(self)

    @property
    def handle(self) -> int:
        """The crossvm_channel_t; an error when the channel is closed."""
        if self._handle is None:
            raise ValueError("this channel is closed")
        return self._handle

    @property
    def state(self) -> ChannelState:
        """How far the channel has come, as of the last call that looked."""
        return ChannelState(lib.crossvm_channel_state(self.handle)) if self._handle else ChannelState.CLOSED

    @property
    def max_message(self) -> int:
        """The largest datagram; of a stream, what reserve() can give in one piece for certain."""
        return lib.crossvm_channel_max_message(self.handle)

    @property
    def counts(self) -> Counts:
        """Bells rung, sleeps and sessions so far."""
        raw = CountsStruct()
        lib.crossvm_channel_get_counts(self.handle, ctypes.byref(raw))
        return Counts(raw.rings, raw.waits, raw.sessions)

    def _error(self, result: int) -> Error:
        return error_of(-result, lib.crossvm_channel_strerror(self.handle, result).decode())

    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls until no signal interrupts; handlers of Python run in between, and may raise."""
        while True:
            result = function(self.handle, *arguments)
            if result >= 0:
                return result
            if result != -errno.EINTR:
                raise self._error(result)

    # Sessions

    def open(self) -> None:
        """Begins anew with whoever is at the other end, for example after PeerGone. Does not wait."""
        lib.crossvm_channel_open(self.handle)

    def connect(self, timeout: Optional[float] = None) -> None:
        """Waits until the other end is there, too."""
        self._call(lib.crossvm_channel_connect, _deadline(timeout))

    def shutdown(self) -> None:
        """Ends the sending direction. Receiving goes on."""
        lib.crossvm_channel_shutdown(self.handle)

    def drain(self, timeout: Optional[float] = None) -> None:
        """Waits until the other end has taken all that was sent."""
        self._call(lib.crossvm_channel_drain, _deadline(timeout))

    def close(self) -> None:
        """Ends both directions and gives the channel back; what was sent can still be received."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self.end._channels.discard(self)
            lib.crossvm_channel_destroy(handle)

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # Copying calls

    def send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """Sends a datagram, whole or not at all, or bytes of a stream, as many as go until the time is over."""
        pointer, length = _pointer_to(data)
        return self._call(lib.crossvm_channel_send, pointer, length, _deadline(timeout))

    def recv_into(self, buffer: Union[bytearray, memoryview], timeout: Optional[float] = None) -> int:
        """Receives into a buffer. How many bytes came; of a stream, 0 is end of file."""
        view = memoryview(buffer)
        pointer = (ctypes.c_char * view.nbytes).from_buffer(view)
        return self._call(lib.crossvm_channel_recv, pointer, view.nbytes, _deadline(timeout))

    def _peek(self, timeout: Optional[float]) -> Tuple[int, int]:
        address = ctypes.c_void_p()
        length = self._call(lib.crossvm_channel_peek, ctypes.byref(address), _deadline(timeout))
        return address.value or 0, length

    def _take(self, limit: int, timeout: Optional[float]) -> bytes:
        """Copies once, and gives the memory back."""
        address, length = self._peek(timeout)
        data = ctypes.string_at(address, min(length, limit))
        if length > 0 or self._mode == DATAGRAM:
            self._release(len(data))
        return data

    # Calls that move data in place

    def _commit(self, length: int) -> None:
        self._call(lib.crossvm_channel_commit, length)

    def _release(self, length: int) -> None:
        self._call(lib.crossvm_channel_release, length)

    def reserve(self, size: int, timeout: Optional[float] = None) -> Region:
        """Memory to write a message into: `with channel.reserve(100) as region: region.memory[:] = ...`. A stream may
        give less than asked for. Set region.length to send less."""
        address = ctypes.c_void_p()
        given = self._call(lib.crossvm_channel_reserve, ctypes.byref(address), size, _deadline(timeout))
        return Region(address.value or 0, given, True, self._commit)

    def peek(self, timeout: Optional[float] = None) -> Region:
        """The next datagram, or what there is of a stream in one piece, where it lies; the end of the `with` block gives
        it back. The other end can change it meanwhile. A region of a stream of no bytes is end of file."""
        address, length = self._peek(timeout)
        is_end = length == 0 and self._mode == STREAM
        return Region(address, length, False, (lambda _: None) if is_end else self._release)

    # Event loops

    def fileno(self) -> int:
        """The end's descriptor: of use after prepare() only."""
        return lib.crossvm_channel_fd(self.handle)

    def prepare(self, events: int) -> Tuple[int, Optional[float]]:
        """Gets ready to sleep on fileno(), for loops of your own: see crossvm_channel_prepare(). Which events are there
        already, and how long to sleep at most."""
        timeout_ms = ctypes.c_int()
        ready = self._call(lib.crossvm_channel_prepare, events, ctypes.byref(timeout_ms))
        return ready, None if timeout_ms.value < 0 else timeout_ms.value / 1000

    @property
    def _wanted(self) -> int:
        """The events that tasks wait for: to be asked for together, since asking for one takes back the other."""
        return sum(event for event, count in self._waiting.items() if count)

    async def async_ready(self, event: int, timeout: Optional[float] = None) -> None:
        """Waits until the channel is ready for IN or OUT."""
        until = None if timeout is None else time.monotonic() + timeout
        self._waiting[event] += 1
        self._ready = 0
        try:
            while True:
                found, limit = self.end._prepare_all()
                if found:
                    self.end._wake_all()
                if self._ready & event:
                    return
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise self._error(-errno.ETIMEDOUT)
                if found:
                    await asyncio.sleep(0)  # for who can go on
                else:
                    await self.end._sleep(min((x for x in (limit, left) if x is not None), default=None))
        finally:
            self._waiting[event] -= 1
            self._ready &= ~event

    async def _async_call(self, event: int, timeout: Optional[float], call: Callable[[], Any]) -> Any:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return call()
            except BlockingIOError:
                left = None if until is None else max(0.0, until - time.monotonic())
                await self.async_ready(event, left)

    async def async_connect(self, timeout: Optional[float] = None) -> None:
        """As connect()."""
        await self._async_call(OUT, timeout, lambda: self.connect(0))  # who is connected can send


class Stream(Channel):
    """A channel of bytes."""

    _mode = STREAM

    def sendall(self, data: Buffer, timeout: Optional[float] = None) -> None:
        """Sends all, or raises Timeout or what else comes in between."""
        view = memoryview(data).cast("B")
        until = None if timeout is None else time.monotonic() + timeout
        while len(view):
            left = None if until is None else max(0.0, until - time.monotonic())
            view = view[self.send(view, left) :]

    def recv(self, limit: int = 65536, timeout: Optional[float] = None) -> bytes:
        """Receives what there is, up to a limit: at least one byte, or none at end of file."""
        return self._take(limit, timeout)

    async def async_send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """As sendall(): how many bytes went."""
        view = memoryview(data).cast("B")
        sent = 0
        while sent < len(view):
            sent += await self._async_call(OUT, timeout, lambda: self.send(view[sent:], 0))
        return sent

    async def async_recv(self, limit: int = 65536, timeout: Optional[float] = None) -> bytes:
        """As recv()."""
        return await self._async_call(IN, timeout, lambda: self._take(limit, 0))

    def __enter__(self) -> Stream:
        return self


class Datagram(Channel):
    """A channel of datagrams. It can be iterated over, until the other end is gone."""

    _mode = DATAGRAM

    def recv(self, timeout: Optional[float] = None) -> bytes:
        """Receives the next datagram."""
        return self._take(self.max_message, timeout)

    def send_many(self, messages: Any, timeout: Optional[float] = None) -> int:
        """Sends datagrams and tells the other end once, at the end: how many."""
        deadline = _deadline(timeout)
        count = 0
        try:
            for message in messages:
                pointer, length = _pointer_to(message)
                address = ctypes.c_void_p()
                self._call(lib.crossvm_channel_reserve, ctypes.byref(address), length, deadline)
                ctypes.memmove(address, pointer, length)
                self._call(lib.crossvm_channel_commit_more, length)
                count += 1
        finally:
            lib.crossvm_channel_flush(self.handle)
        return count

    async def async_send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """As send()."""
        return await self._async_call(OUT, timeout, lambda: self.send(data, 0))

    async def async_recv(self, timeout: Optional[float] = None) -> bytes:
        """As recv()."""
        return await self._async_call(IN, timeout, lambda: self.recv(0))

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.recv()
            except PeerGone:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                yield await self.async_recv()
            except PeerGone:
                return

    def __enter__(self) -> Datagram:
        return self
