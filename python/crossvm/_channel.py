# SPDX-License-Identifier: BSD-2-Clause
"""Channels: what streams and datagrams have in common."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import errno
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Tuple, Type, Union

from ._bell import check_thread_of
from ._deadline import FOREVER, NOW, deadline, lock_timeout, nanoseconds_left, seconds_left
from ._errors import Error, error_of
from ._handle import Handle
from ._library import CountsStruct, OptionsStruct, last_error, lib
from ._memory import Buffer, Exports, Memory, call_in, copy_of, readable, writable
from ._numbers import INT_MAX, number_of, size_of
from ._region import Region

if TYPE_CHECKING:
    from ._end import End

AUTO = -1
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

    emits: int
    waits: int
    sessions: int


class Channel:
    """What streams and datagrams have in common. A context manager.

    One thread may send while another receives; several that do the same take turns. A channel is closed when nobody
    holds it any more."""

    _mode = 0

    def __init__(self, end: End, dataport: Optional[int] = None, spin: Optional[int] = None) -> None:
        options = OptionsStruct(
            self._mode,
            AUTO if dataport is None else number_of(dataport, "a dataport", INT_MAX),
            AUTO,
            AUTO if spin is None else number_of(spin, "spin", INT_MAX),
        )
        self.end = end
        self._exports = Exports()
        # Who sends, and who receives. Reentrant: a signal's handler may use the channel that it interrupted.
        self._sending = threading.RLock()
        self._receiving = threading.RLock()
        self._met = False  # the other end was there in this session
        self._reserved: Optional[object] = None  # what reserve() gave, until a call takes it back
        self._loop: Optional[asyncio.AbstractEventLoop] = None  # of the tasks that wait
        self._waiting = {IN: 0, OUT: 0}  # how many tasks wait for each
        self._ready = 0
        end._handle.use(self._create, options)

    def _create(self, end_pointer: int, options: OptionsStruct) -> None:
        pointer = ctypes.c_void_p()
        error = lib.crossvm_channel_create(ctypes.byref(pointer), end_pointer, ctypes.byref(options))
        if error:
            raise last_error(error)
        self._handle = Handle("channel", pointer.value or 0, lib.crossvm_channel_destroy, self.end._handle)
        self.end._channels[id(self)] = self

    @property
    def handle(self) -> int:
        """The crossvm_channel_t; an error when the channel is closed."""
        return self._handle.pointer

    @property
    def state(self) -> ChannelState:
        """How far the channel has come, as of the last call that looked."""
        try:
            return ChannelState(self._handle.use(lib.crossvm_channel_state))
        except ValueError:
            return ChannelState.CLOSED

    @property
    def max_message(self) -> int:
        """The largest datagram; of a stream, what reserve() can give in one piece for certain."""
        return self._handle.use(lib.crossvm_channel_max_message)

    @property
    def counts(self) -> Counts:
        """Bells rung, sleeps and sessions so far."""
        raw = CountsStruct()
        self._handle.use(lib.crossvm_channel_get_counts, ctypes.byref(raw))
        return Counts(raw.emits, raw.waits, raw.sessions)

    # Calls of the library

    def _error(self, result: int) -> Error:
        sentence = self._handle.use(lib.crossvm_channel_strerror, result)
        return error_of(-result, sentence.decode(errors="replace"))

    def _call(self, pointer: int, function: Callable[..., int], *arguments: Any) -> int:
        """Calls until no signal interrupts; handlers of Python run in between, and may raise."""
        while True:
            result = function(pointer, *arguments)
            if result >= 0:
                return result
            if result != -errno.EINTR:
                raise self._error(result)

    def _take_turns(self, turns: Tuple[Any, ...], until: int, work: Callable[..., Any], *arguments: Any) -> Any:
        """Calls work(pointer, ...) once no other thread has one of these turns. Both may sleep until the deadline."""
        this = object()
        taken = []
        try:
            if until != NOW:
                self.end._bell.enter(this)
            for turn in turns:
                if not turn.acquire(timeout=lock_timeout(until)):
                    raise self._error(-errno.EAGAIN if until == NOW else -errno.ETIMEDOUT)
                taken.append(turn)
            return self._handle.use(work, *arguments)
        finally:
            for turn in taken:
                turn.release()
            self.end._bell.leave(this)

    def _alone(self, turns: Tuple[Any, ...], what: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Calls work(pointer, ...) when no other thread has one of these turns: does not sleep."""
        taken = []
        try:
            for turn in turns:
                if not turn.acquire(blocking=False):
                    raise RuntimeError(f"another thread is in a call of this channel: {what} is for when that has ended")
                taken.append(turn)
            return self._handle.use(work, *arguments)
        finally:
            for turn in taken:
                turn.release()

    def _meet(self, until: int) -> None:
        """Waits for the other end, which one thread does for both directions. Only later may they be two."""
        if not self._met:
            self._take_turns((self._sending, self._receiving), until, self._connect_first, until)

    def _connect_first(self, pointer: int, until: int) -> None:
        if lib.crossvm_channel_state(pointer) == ChannelState.OPENING:
            self._call(pointer, lib.crossvm_channel_connect, until)
        self._met = True

    def _send(self, until: int, work: Callable[..., Any], *arguments: Any) -> Any:
        self._meet(until)
        return self._take_turns((self._sending,), until, self._send_now, work, *arguments)

    def _send_now(self, pointer: int, work: Callable[..., Any], *arguments: Any) -> Any:
        self._reserved = None
        return work(pointer, *arguments)

    def _receive(self, until: int, work: Callable[..., Any], *arguments: Any) -> Any:
        self._meet(until)
        return self._take_turns((self._receiving,), until, work, *arguments)

    # Sessions

    def open(self) -> None:
        """Begins anew with whoever is at the other end, for example after PeerGone. Does not wait. A RuntimeError while
        another thread sends or receives."""
        self._alone((self._sending, self._receiving), "open()", self._open)

    def _open(self, pointer: int) -> None:
        self._met = False
        self._reserved = None
        lib.crossvm_channel_open(pointer)

    def connect(self, timeout: Optional[float] = None) -> None:
        """Waits until the other end is there, too."""
        until = deadline(timeout)
        self._meet(until)
        self._handle.use(self._call, lib.crossvm_channel_connect, until)  # says when it has left already

    def shutdown(self) -> None:
        """Ends the sending direction. Receiving goes on. A RuntimeError while another thread sends, or waits for the
        other end to come."""
        self._alone((self._sending,), "shutdown()", lib.crossvm_channel_shutdown)

    def drain(self, timeout: Optional[float] = None) -> None:
        """Waits until the other end has taken all that was sent. In an event loop, call drain(0) now and then."""
        until = deadline(timeout)
        self._take_turns((self._sending,), until, self._call, lib.crossvm_channel_drain, until)

    def close(self) -> None:
        """Ends both directions and gives the channel back; what was sent can still be received. Tasks that wait for the
        channel get a ValueError, and so does who uses memory of reserve() or peek().

        A BufferError, and the channel stays open, while another thread is in a call of it (a timeout lets that one
        end), or while a memoryview that was made of its memory is in use."""
        if self._handle.is_closed:
            return
        self._check_unused()
        call_in([self._exports])
        self._end_it()

    def _check_unused(self) -> None:
        self._handle.check_unused()
        if self._wanted:
            check_thread_of(self._loop)

    def _end_it(self) -> None:
        self._handle.close()
        self.end._channels.pop(id(self), None)
        if self._wanted:
            self.end._bell.wake()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # Copying calls

    def send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """Sends a datagram, whole or not at all, or bytes of a stream, as many as go until the time is over."""
        kept, address, length = readable(data)
        return self._send_from(address, length, deadline(timeout))

    def _send_from(self, address: int, length: int, until: int) -> int:
        return self._send(until, self._call, lib.crossvm_channel_send, address, length, until)

    def recv_into(self, buffer: Union[bytearray, memoryview], timeout: Optional[float] = None) -> int:
        """Receives into a buffer. How many bytes came; of a stream, 0 is end of file."""
        kept, address, length = writable(buffer)
        until = deadline(timeout)
        return self._receive(until, self._call, lib.crossvm_channel_recv, address, length, until)

    def _peek(self, pointer: int, until: int) -> Tuple[int, int]:
        address = ctypes.c_void_p()
        length = self._call(pointer, lib.crossvm_channel_peek, ctypes.byref(address), until)
        return address.value or 0, length

    def _take(self, pointer: int, limit: int, until: int) -> bytes:
        """Copies once, and gives the memory back."""
        address, length = self._peek(pointer, until)
        data = copy_of(address, min(length, limit))
        if length > 0 or self._mode == DATAGRAM:
            self._call(pointer, lib.crossvm_channel_release, len(data))
        return data

    # Calls that move data in place

    def _show(self, address: int, size: int, writes: bool, done: Callable[[int], None]) -> Region:
        return Region(Memory(address, size, writes, self.end._handle, self._exports), size, done)

    def reserve(self, size: int, timeout: Optional[float] = None) -> Region:
        """Memory to write a message into: `with channel.reserve(100) as region: region.memory[:] = ...`. A stream may
        give less than asked for. Set region.length to send less. Any other call that sends takes the memory back, and
        the end of the block is a ValueError then."""
        until = deadline(timeout)
        return self._send(until, self._reserve, size_of(size, "what to reserve"), until)

    def _reserve(self, pointer: int, size: int, until: int) -> Region:
        address = ctypes.c_void_p()
        given = self._call(pointer, lib.crossvm_channel_reserve, ctypes.byref(address), size, until)
        this = self._reserved = object()
        return self._show(address.value or 0, given, True, lambda length: self._commit(this, length))

    def _commit(self, this: object, length: int) -> None:
        self._alone((self._sending,), "the end of reserve()", self._commit_now, this, length)

    def _commit_now(self, pointer: int, this: object, length: int) -> None:
        if self._reserved is not this:
            raise ValueError("the memory of this region was taken back by a later call that sends: nothing was sent")
        self._reserved = None
        self._call(pointer, lib.crossvm_channel_commit, length)

    def peek(self, timeout: Optional[float] = None) -> Region:
        """The next datagram, or what there is of a stream in one piece, where it lies; the end of the `with` block
        gives it back. The other end can change it meanwhile. A region of a stream of no bytes is end of file."""
        until = deadline(timeout)
        return self._receive(until, self._show_next, until)

    def _show_next(self, pointer: int, until: int) -> Region:
        address, length = self._peek(pointer, until)
        is_end = length == 0 and self._mode == STREAM
        return self._show(address, length, False, (lambda _: None) if is_end else self._release)

    def _release(self, length: int) -> None:
        self._alone((self._receiving,), "the end of peek()", self._call, lib.crossvm_channel_release, length)

    # Event loops

    def fileno(self) -> int:
        """The end's descriptor: of use after prepare() only."""
        return self._handle.use(lib.crossvm_channel_fd)

    def prepare(self, events: int) -> Tuple[int, Optional[float]]:
        """Gets ready to sleep on fileno(), for loops of your own: see crossvm_channel_prepare(). Which events are there
        already, and how long to sleep at most. A RuntimeError while another thread sends or receives."""
        if events not in (IN, OUT, IN | OUT):
            raise ValueError(f"the events of a channel are {IN} (in), {OUT} (out) or both, not {events!r}")
        timeout_ms = ctypes.c_int()
        ready = self._alone(
            (self._sending, self._receiving),
            "prepare()",
            self._call,
            lib.crossvm_channel_prepare,
            events,
            ctypes.byref(timeout_ms),
        )
        return ready, None if timeout_ms.value < 0 else timeout_ms.value / 1000

    @property
    def _wanted(self) -> int:
        """The events that tasks wait for: to be asked for together, since asking for one takes back the other."""
        return sum(event for event, count in self._waiting.items() if count)

    async def async_ready(self, event: int, timeout: Optional[float] = None) -> None:
        """Waits until the channel is ready for IN or OUT."""
        if event not in (IN, OUT):
            raise ValueError(f"what a task waits for is {IN} (in) or {OUT} (out), not {event!r}")
        await self._async_ready(event, deadline(timeout))

    async def _async_ready(self, event: int, until: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting[event] += 1
        self._ready = 0
        try:
            while True:
                _ = self._handle.pointer  # an error when somebody has closed it
                found, limit = self.end._prepare_all()
                if found:
                    self.end._bell.wake()
                if self._ready & event:
                    return
                if until != FOREVER and nanoseconds_left(until) == 0:
                    raise self._error(-errno.ETIMEDOUT)
                if found:
                    await asyncio.sleep(0)  # for who can go on
                else:
                    limits = [limit, seconds_left(until)]
                    await self.end._bell.sleep(min((x for x in limits if x is not None), default=None))
        finally:
            self._waiting[event] -= 1
            self._ready &= ~event

    async def _async_call(self, event: int, until: int, call: Callable[..., Any], *arguments: Any) -> Any:
        """Makes a call that does not wait, as often as it would have to."""
        while True:
            try:
                return call(*arguments)
            except BlockingIOError:
                await self._async_ready(event, until)

    async def _async_take(self, limit: int, timeout: Optional[float]) -> bytes:
        return await self._async_call(IN, deadline(timeout), self._receive, NOW, self._take, limit, NOW)

    async def async_connect(self, timeout: Optional[float] = None) -> None:
        """As connect()."""
        await self._async_call(OUT, deadline(timeout), self.connect, 0)  # who is connected can send
