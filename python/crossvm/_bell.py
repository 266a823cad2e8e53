# SPDX-License-Identifier: BSD-2-Clause
"""Who waits for an end's descriptor."""

from __future__ import annotations

import asyncio
import threading
from typing import Optional, Set

ONE_OR_THE_OTHER = "use an end and its channels from threads, or from the tasks of one event loop, not both at a time"


class Bell:
    """One descriptor wakes all who wait for something of an end: threads, in calls that block, or the tasks of one
    event loop. Whoever wakes takes the bell for all. The library tells the threads; tasks are told here."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._threads: Set[object] = set()
        self._sleepers: Set[asyncio.Future[None]] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None  # has a reader of the descriptor
        self._closed = False

    def enter(self, call: object) -> None:
        """Before a call that blocks. A RuntimeError when it would take wake-ups from tasks."""
        with self._lock:
            if self._sleepers and self._loop and not self._loop.is_closed():
                raise RuntimeError(f"tasks of an event loop wait on this end: {ONE_OR_THE_OTHER}")
            self._threads.add(call)

    def leave(self, call: object) -> None:
        """After it, and after an enter() that failed."""
        self._threads.discard(call)

    async def sleep(self, timeout: Optional[float]) -> None:
        """Sleeps until the descriptor polls readable, somebody calls wake() or the time is over."""
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
                self._sleepers.discard(woken)
                if not self._sleepers:
                    self._forget_loop()

    def _add(self, woken: asyncio.Future[None], loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            if self._closed:
                raise ValueError("this end is closed")
            self.check_no_thread()
            if self._loop and self._loop.is_closed():  # its tasks will never go on
                self._sleepers.clear()
                self._loop = None
            if self._loop and self._loop is not loop:
                raise RuntimeError(f"tasks of another event loop wait on this end: {ONE_OR_THE_OTHER}")
            if not self._loop:
                loop.add_reader(self._descriptor, self.wake)
                self._loop = loop
            self._sleepers.add(woken)

    def check_no_thread(self) -> None:
        """A RuntimeError when a thread would take wake-ups from tasks."""
        if self._threads:
            raise RuntimeError(f"another thread waits on this end: {ONE_OR_THE_OTHER}")

    def wake(self) -> None:
        """Wakes all tasks, to look for what they wait for."""
        with self._lock:
            sleepers, self._sleepers = self._sleepers, set()
            closed = self._loop is not None and self._loop.is_closed()
            self._forget_loop()
        for woken in sleepers:
            if not woken.done() and not closed:
                woken.set_result(None)

    def _forget_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop and not loop.is_closed():
            loop.remove_reader(self._descriptor)

    def check_thread(self) -> None:
        """A BufferError when tasks sleep that this thread cannot wake."""
        check_thread_of(self._loop)

    def close(self) -> None:
        """Before the descriptor goes: wakes all, and lets nobody sleep any more."""
        with self._lock:
            self._closed = True
            self.wake()

    def open_again(self) -> None:
        """After close(), when the descriptor stays in fact."""
        self._closed = False


def check_thread_of(loop: Optional[asyncio.AbstractEventLoop]) -> None:
    """A BufferError when an event loop runs in another thread, so that this one cannot wake its tasks."""
    if loop and loop.is_running() and asyncio._get_running_loop() is not loop:
        raise BufferError("tasks of an event loop wait for what is to be closed: close it in the thread of that loop")
