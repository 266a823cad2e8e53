# SPDX-License-Identifier: BSD-2-Clause
"""Channels: what streams and datagrams have in common."""

from __future__ import annotations

import asyncio
import ctypes
import enum
import errno
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Tuple, Type, TypeVar, Union

from ._deadline import FOREVER, NOW, deadline, lock_timeout, nanoseconds_left, seconds_left
from ._errors import Error, error_of
from ._handle import Handle
from ._library import crossvm_channel_counts_t, crossvm_channel_options_t, last_error, lib
from ._memory import Buffer, Exports, Memory, copy_of, readable, withdraw, writable
from ._numbers import INT_MAX, number_of, size_of
from ._span import Span
from ._waiters import check_thread_of

if TYPE_CHECKING:
    from ._end import End

Result = TypeVar("Result")

NO_SPIN = 0xFFFFFFFF  # CROSSVM_CHANNEL_NO_SPIN
IN = 1
"""A receiving call would not wait: there is data, the end of file or an error."""
OUT = 2
"""A sending call would not wait: there is space or an error."""
STREAM, DATAGRAM = 1, 2


class ChannelState(enum.IntEnum):
    """How far a channel has come."""

    CLOSED = 0
    """It is closed."""
    OPENING = 1
    """It waits for the peer."""
    CONNECTED = 2
    """It is in a session with the peer."""
    ENDED = 3
    """The peer is gone or has begun anew. What it had sent may still be there."""
    BROKEN = 4
    """The peer broke the protocol, or cannot be talked to."""


class ChannelCounts(NamedTuple):
    """What a channel has done since it was made."""

    emits: int
    """Events sent to wake the peer."""
    waits: int
    """Times that a call slept."""
    sessions: int
    """Sessions entered."""


class Channel:
    """What streams and datagrams have in common: see End.stream() and End.datagram(). A context manager.

    Threads: one may send while another receives; threads that do the same take turns. A channel that nobody holds any
    more closes itself.

    Errors: PeerGone when the peer is gone (a stream receives b"" at its end instead), ProtocolError when it breaks the
    protocol. Both stay until open(). Timeout when a timeout ends, WouldBlock with a timeout of 0. A ValueError when the
    channel is closed."""

    _mode = 0

    def __init__(self, end: End, dataport: Optional[int] = None, spin: Optional[int] = None) -> None:
        options = crossvm_channel_options_t(
            mode=self._mode,  # what is 0 has its default
            dataport=0 if dataport is None else number_of(dataport, "a dataport", INT_MAX) + 1,
            spin=0 if spin is None else number_of(spin, "spin", INT_MAX) or NO_SPIN,
        )
        self.end = end
        self._exports = Exports()
        # Held by the thread that waits for the peer, by the one that sends and by the one that receives; a thread takes
        # several in this order. Reentrant: the handler of a signal may use the channel that it interrupts.
        self._meeting = threading.RLock()
        self._sending = threading.RLock()
        self._receiving = threading.RLock()
        self._met = False  # the peer was there in this session
        self._reserved: Optional[object] = None  # the last reservation, until a call takes it back
        self._loop: Optional[asyncio.AbstractEventLoop] = None  # of the tasks that wait
        self._waiting = {IN: 0, OUT: 0}  # how many tasks wait for each
        self._ready = 0
        end._handle.use(self._create, options)

    def _create(self, end_pointer: int, options: crossvm_channel_options_t) -> None:
        pointer = ctypes.c_void_p()
        error = lib.crossvm_channel_create(ctypes.byref(pointer), end_pointer, ctypes.byref(options))
        if error:
            raise last_error(error)
        self._handle = Handle("channel", pointer.value or 0, lib.crossvm_channel_destroy, self.end._handle)
        self.end._channels[id(self)] = self

    def __repr__(self) -> str:
        return f"<crossvm.{type(self).__name__} of {self.end._name!r}, {self.state.name}>"

    @property
    def handle(self) -> int:
        """The crossvm_channel_t, for calls of the library with ctypes."""
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
        """Bytes of the largest datagram; of a stream, the most that reserve() certainly gives at once."""
        return int(self._handle.use(lib.crossvm_channel_max_message))

    @property
    def counts(self) -> ChannelCounts:
        """What the channel has done since it was made."""
        raw = crossvm_channel_counts_t()
        self._handle.use(lib.crossvm_channel_get_counts, ctypes.byref(raw), ctypes.sizeof(raw))
        return ChannelCounts(raw.emits, raw.waits, raw.sessions)

    # Calls of the library

    def _not_in_time(self, until: int) -> Error:
        """The exception of a call that did not get so far as to call the library."""
        channel = f'the channel on connection "{self.end._name}"'
        if until == NOW:
            return error_of(errno.EAGAIN, f"another thread uses {channel} in this direction, and the timeout is 0")
        return error_of(errno.ETIMEDOUT, f"nothing happened on {channel} before the timeout ended")

    def _call(self, pointer: int, function: Callable[..., int], *arguments: Any) -> int:
        """Calls again after a signal. Python runs the signal's handler in between, and the handler may raise."""
        while True:
            result = function(pointer, *arguments)
            if result >= 0:
                return result
            if result != -errno.EINTR:
                raise last_error(result)

    def _take_turns(self, turns: Tuple[Any, ...], until: int, work: Callable[..., Result], *arguments: Any) -> Result:
        """Returns work(pointer, ...), called when no other thread holds one of these locks. Getting them and the work
        may sleep until the deadline."""
        this = object()
        taken = []
        try:
            if until != NOW:
                self.end._waiters.enter(this)
            for turn in turns:
                if not turn.acquire(timeout=lock_timeout(until)):
                    raise self._not_in_time(until)
                taken.append(turn)
            return self._handle.use(work, *arguments)
        finally:
            for turn in taken:
                turn.release()
            self.end._waiters.leave(this)

    def _alone(self, turns: Tuple[Any, ...], what: str, work: Callable[..., Result], *arguments: Any) -> Result:
        """Returns work(pointer, ...). Does not sleep: a RuntimeError if another thread holds one of these locks."""
        taken = []
        try:
            for turn in turns:
                if not turn.acquire(blocking=False):
                    raise RuntimeError(f"another thread is in a call of this channel: use {what} after that call")
                taken.append(turn)
            return self._handle.use(work, *arguments)
        finally:
            for turn in taken:
                turn.release()

    def _meet(self, until: int) -> None:
        """Waits for the peer. One thread does that for both directions: the library allows two only in a session."""
        if not self._met:
            self._take_turns((self._meeting,), until, self._connect_first, until)

    def _connect_first(self, pointer: int, until: int) -> None:
        if lib.crossvm_channel_state(pointer) == ChannelState.OPENING:
            self._call(pointer, lib.crossvm_channel_connect, until)
        self._met = True

    def _in_session(self, turn: Any, until: int, work: Callable[..., Result], *arguments: Any) -> Result:
        """Returns work(pointer, ...), called in a session and when no other thread holds the lock."""
        while True:
            self._meet(until)
            found: Optional[Tuple[Result]] = self._take_turns((turn,), until, self._if_met, work, *arguments)
            if found:
                return found[0]

    def _if_met(self, pointer: int, work: Callable[..., Any], *arguments: Any) -> Optional[Tuple[Any]]:
        """None if another thread has called open() since this one met the peer."""
        return (work(pointer, *arguments),) if self._met else None

    def _send(self, until: int, work: Callable[..., Result], *arguments: Any) -> Result:
        result: Result = self._in_session(self._sending, until, self._send_now, work, *arguments)
        return result

    def _send_now(self, pointer: int, work: Callable[..., Any], *arguments: Any) -> Any:
        self._reserved = None
        return work(pointer, *arguments)

    def _receive(self, until: int, work: Callable[..., Result], *arguments: Any) -> Result:
        return self._in_session(self._receiving, until, work, *arguments)

    # Sessions

    def open(self) -> None:
        """Begins a new session with whoever is at the other end, after PeerGone for example. Does not wait. A
        RuntimeError while another thread sends or receives."""
        self._alone((self._meeting, self._sending, self._receiving), "open()", self._open)

    def _open(self, pointer: int) -> None:
        self._met = False
        self._reserved = None
        lib.crossvm_channel_open(pointer)

    def connect(self, *, timeout: Optional[float] = None) -> None:
        """Waits until the peer is there, too. Sending and receiving do the same first, so this call is optional.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        """
        until = deadline(timeout)
        self._meet(until)
        # PeerGone if the peer has left since
        self._take_turns((self._meeting,), until, self._call, lib.crossvm_channel_connect, until)

    def shutdown(self) -> None:
        """Ends the sending direction: after what was sent, the peer receives the end of file. Receiving goes on. A
        RuntimeError while another thread sends, or waits for the peer to come."""
        self._alone((self._meeting, self._sending), "shutdown()", lib.crossvm_channel_shutdown)

    def drain(self, *, timeout: Optional[float] = None) -> None:
        """Waits until the peer has taken all that was sent. In an event loop, call drain(timeout=0) from time to time.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        """
        until = deadline(timeout)
        self._take_turns((self._meeting, self._sending), until, self._call, lib.crossvm_channel_drain, until)

    def close(self) -> None:
        """Ends both directions and frees the channel; the peer can still receive what was sent. Tasks that wait for the
        channel get a ValueError, and so does whoever uses memory of reserve() or peek() afterwards.

        While another thread is in a call of the channel, or a memoryview that was made of its memory is in use, this is
        a BufferError and the channel stays open. A thread leaves its call in time if the call has a timeout."""
        if self._handle.is_closed:
            return
        self._check_unused()
        withdraw([self._exports])
        self._close_now()

    def _check_unused(self) -> None:
        self._handle.check_unused()
        if self._wanted:
            check_thread_of(self._loop)

    def _close_now(self) -> None:
        self._handle.close()
        self.end._channels.pop(id(self), None)
        if self._wanted:
            self.end._waiters.wake()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # Copying calls

    def send(self, data: Buffer, *, timeout: Optional[float] = None) -> int:
        """Sends a datagram, whole or not at all; or bytes of a stream, as many as there is space for in time.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        :return: how many bytes were sent
        """
        kept, address, length = readable(data)
        return self._send_from(address, length, deadline(timeout))

    def _send_from(self, address: int, length: int, until: int) -> int:
        return self._send(until, self._call, lib.crossvm_channel_send, address, length, until)

    def recv_into(self, buffer: Union[bytearray, memoryview], *, timeout: Optional[float] = None) -> int:
        """Receives a datagram, or what there is of a stream, into a buffer. A datagram that is larger than the buffer
        is TooLarge and stays.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        :return: how many bytes came; of a stream, 0 at the end of file
        """
        kept, address, length = writable(buffer)
        until = deadline(timeout)
        return self._receive(until, self._call, lib.crossvm_channel_recv, address, length, until)

    def _peek(self, pointer: int, until: int) -> Tuple[int, int]:
        address = ctypes.c_void_p()
        length = self._call(pointer, lib.crossvm_channel_peek, ctypes.byref(address), until)
        return address.value or 0, length

    def _take(self, pointer: int, limit: int, until: int) -> bytes:
        """Copies once, and gives the memory back to the peer."""
        address, length = self._peek(pointer, until)
        data = copy_of(address, min(length, limit))
        if length > 0 or self._mode == DATAGRAM:
            self._call(pointer, lib.crossvm_channel_release, len(data))
        return data

    # Calls that move data in place

    def _show(self, address: int, size: int, writes: bool, done: Callable[[int], None]) -> Span:
        return Span(Memory(address, size, writes, self.end._handle, self._exports), size, done)

    def reserve(self, size: int, *, timeout: Optional[float] = None) -> Span:
        """Gives memory to write into; the end of a `with` block sends it:

            with channel.reserve(100) as span:
                span.memory[:5] = b"hello"
                span.length = 5  # without this, all 100 bytes are sent

        A stream may give less than `size` bytes. Any other call that sends takes the memory back; then the end of the
        block sends nothing and is a ValueError.

        :param size: bytes that may be written
        :param timeout: seconds; None: wait for space without limit, 0: do not wait
        """
        until = deadline(timeout)
        return self._send(until, self._reserve, size_of(size, "what to reserve"), until)

    def _reserve(self, pointer: int, size: int, until: int) -> Span:
        address = ctypes.c_void_p()
        given = self._call(pointer, lib.crossvm_channel_reserve, ctypes.byref(address), size, until)
        this = self._reserved = object()
        return self._show(address.value or 0, given, True, lambda length: self._commit(this, length))

    def _commit(self, this: object, length: int) -> None:
        self._alone((self._sending,), "the end of reserve()", self._commit_now, this, length)

    def _commit_now(self, pointer: int, this: object, length: int) -> None:
        if self._reserved is not this:
            raise ValueError("the memory of this span was taken back by a later call that sends: nothing was sent")
        self._reserved = None
        self._call(pointer, lib.crossvm_channel_commit, length)

    def peek(self, *, timeout: Optional[float] = None) -> Span:
        """Shows the next datagram, or what there is of a stream in one piece, where it lies. The end of the `with`
        block gives the memory back to the peer.

        The peer can change the memory while you look at it: copy before you check and use anything. At the end of file
        of a stream, the span has no bytes.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        """
        until = deadline(timeout)
        return self._receive(until, self._show_next, until)

    def _show_next(self, pointer: int, until: int) -> Span:
        address, length = self._peek(pointer, until)
        is_end = length == 0 and self._mode == STREAM
        return self._show(address, length, False, (lambda _: None) if is_end else self._release)

    def _release(self, length: int) -> None:
        self._alone((self._receiving,), "the end of peek()", self._call, lib.crossvm_channel_release, length)

    # Event loops

    def fileno(self) -> int:
        """The descriptor of the end. It polls readable for this channel only after prepare()."""
        return int(self._handle.use(lib.crossvm_channel_fd))

    def prepare(self, events: int) -> Tuple[int, Optional[float]]:
        """Gets ready to sleep on fileno(), in an event loop of your own: see crossvm_channel_prepare(). A RuntimeError
        while another thread sends or receives.

        :param events: crossvm.IN, crossvm.OUT or both
        :return: which of the events are there already, and for how many seconds to sleep at most (None: any time)
        """
        if events not in (IN, OUT, IN | OUT):
            raise ValueError(f"the events of a channel are {IN} (IN), {OUT} (OUT) or both, not {events!r}")
        timeout_ms = ctypes.c_int()
        ready = self._alone(
            (self._meeting, self._sending, self._receiving),
            "prepare()",
            self._call,
            lib.crossvm_channel_prepare,
            events,
            ctypes.byref(timeout_ms),
        )
        return ready, None if timeout_ms.value < 0 else timeout_ms.value / 1000

    @property
    def _wanted(self) -> int:
        """The events that tasks wait for. They go into one prepare(): a second one takes the first one back."""
        return sum(event for event, count in self._waiting.items() if count)

    async def async_ready(self, event: int, *, timeout: Optional[float] = None) -> None:
        """Waits until the channel is ready.

        :param event: crossvm.IN or crossvm.OUT
        :param timeout: seconds; None: wait without limit
        """
        if event not in (IN, OUT):
            raise ValueError(f"a task waits for {IN} (IN) or {OUT} (OUT), not for {event!r}")
        await self._async_ready(event, deadline(timeout))

    async def _async_ready(self, event: int, until: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting[event] += 1
        self._ready = 0
        try:
            while True:
                _ = self._handle.pointer  # a ValueError if another task has closed the channel
                found, limit = self.end._prepare_all()
                if found:
                    self.end._waiters.wake()
                if self._ready & event:
                    return
                if until != FOREVER and nanoseconds_left(until) == 0:
                    raise self._not_in_time(until)
                if found:
                    await asyncio.sleep(0)  # lets the tasks go on for which something was found
                else:
                    limits = [limit, seconds_left(until)]
                    await self.end._waiters.sleep(min((x for x in limits if x is not None), default=None))
        finally:
            self._waiting[event] -= 1
            self._ready &= ~event

    async def _async_call(self, event: int, until: int, call: Callable[..., Result], *arguments: Any) -> Result:
        """Makes a call that does not wait, again each time that the channel is ready for it."""
        while True:
            try:
                return call(*arguments)
            except BlockingIOError:
                await self._async_ready(event, until)

    async def _async_take(self, limit: int, timeout: Optional[float]) -> bytes:
        until = deadline(timeout)
        return await self._async_call(IN, until, self._receive, NOW, self._take, limit, NOW)

    async def async_connect(self, *, timeout: Optional[float] = None) -> None:
        """As connect(), for a task."""
        await self._async_call(OUT, deadline(timeout), self._connect_now)  # a connected channel is ready to send

    def _connect_now(self) -> None:
        self.connect(timeout=0)
