# SPDX-License-Identifier: BSD-2-Clause
"""The threads and tasks that wait on the descriptor of an end."""

from __future__ import annotations

import asyncio
import threading
from typing import Optional, Set

ONE_OR_THE_OTHER = "use an end and its channels from threads, or from the tasks of one event loop, not both at a time"


class Waiters:
    """The threads and tasks that wait on one end.

    An end has one descriptor, and a wake-up of it is for all of them. Threads wait in calls of the library, which wakes
    the others when it wakes one. Tasks wait here: whoever looks at the end wakes all tasks, because looking takes what
    made the descriptor readable. A thread that waits in the library would take it unseen, so there are either threads
    or tasks.

    :param descriptor: polls readable when there is something to look at
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._threads: Set[object] = set()
        self._tasks: Set[asyncio.Future[None]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None  # watches the descriptor
        self._closed = False

    def enter(self, call: object) -> None:
        """Counts a thread in, before a call that blocks. A RuntimeError if it could take the wake-ups of tasks."""
        with self._lock:
            if self._tasks and self._loop and not self._loop.is_closed():
                raise RuntimeError(f"tasks of an event loop wait on this end: {ONE_OR_THE_OTHER}")
            self._threads.add(call)

    def leave(self, call: object) -> None:
        """Counts the thread out, also after an enter() that failed."""
        self._threads.discard(call)

    async def sleep(self, timeout: Optional[float]) -> None:
        """Lets a task sleep until the descriptor polls readable, wake() is called or the timeout ends.

        :param timeout: seconds; None: any time
        """
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._add(woken, loop)
        timer = None if timeout is None else loop.call_later(timeout, self.wake)
        try:
            await woken
        finally:
            if timer:
                timer.cancel()
            with self._lock:
                self._tasks.discard(woken)
                if not self._tasks:
                    self._forget_loop()

    def _add(self, woken: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if self._closed:
                raise ValueError("this end is closed")
            self.check_no_thread()
            if self._loop and self._loop.is_closed():  # its tasks never run again
                self._tasks.clear()
                self._loop = None
            if self._loop and self._loop is not loop:
                raise RuntimeError(f"tasks of another event loop wait on this end: {ONE_OR_THE_OTHER}")
            if not self._loop:
                loop.add_reader(self._descriptor, self.wake)
                self._loop = loop
            self._tasks.add(woken)

    def check_no_thread(self) -> None:
        """A RuntimeError if a thread is in a call that blocks, and so could take the wake-ups of tasks."""
        if self._threads:
            raise RuntimeError(f"another thread waits on this end: {ONE_OR_THE_OTHER}")

    def wake(self) -> None:
        """Wakes all tasks: each looks for what it waits for."""
        with self._lock:
            tasks, self._tasks = self._tasks, set()
            closed = self._loop is not None and self._loop.is_closed()
            self._forget_loop()
        for woken in tasks:
            if not woken.done() and not closed:
                woken.set_result(None)

    def _forget_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop and not loop.is_closed():
            loop.remove_reader(self._descriptor)

    def check_thread(self) -> None:
        """A BufferError if tasks sleep that this thread cannot wake."""
        check_thread_of(self._loop)

    def close(self) -> None:
        """Wakes all tasks before the descriptor is closed. From now on, sleep() is a ValueError."""
        with self._lock:
            self._closed = True
            self.wake()

    def reopen(self) -> None:
        """Takes close() back: the end stays open after all."""
        self._closed = False


def check_thread_of(loop: Optional[asyncio.AbstractEventLoop]) -> None:
    """A BufferError if the event loop runs in another thread: this thread cannot wake its tasks."""
    if loop and loop.is_running() and asyncio._get_running_loop() is not loop:
        raise BufferError("tasks of an event loop wait for what is to be closed: close it in the thread of that loop")
