# SPDX-License-Identifier: BSD-2-Clause
"""What the tests share: a `crossvm pair` in a directory of its own, and programs at its ends.

No test decides by a time. A call that must succeed has no timeout, or 0 where it must succeed at once; ctest ends a
test that hangs."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import crossvm

TOOL = os.environ["CROSSVM_TOOL"]


def until(condition):
    """Waits for something that happens in another thread."""
    while not condition():
        time.sleep(0.001)


async def sleepers(end, count=1):
    """Waits until so many tasks sleep on an end."""
    while len(end._waiters._tasks) < count:
        await asyncio.sleep(0)


def asleep(thing):
    """A condition: another call of a channel sleeps than those so far, or a call of an end is under way."""
    if isinstance(thing, crossvm.End):
        return lambda: thing._handle._uses
    waits = thing.counts.waits
    return lambda: thing.counts.waits > waits


@contextlib.contextmanager
def interrupted(thing, action):
    """Within the block, a signal's handler calls action() once the main thread sleeps in a call of a channel or end."""
    done = threading.Event()

    def handle(*_):
        if not done.is_set():
            done.set()
            action()

    def interrupt(is_asleep):
        until(is_asleep)
        while not done.is_set():  # a signal that comes just before the thread sleeps does not wake it
            signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
            time.sleep(0.001)

    previous = signal.signal(signal.SIGALRM, handle)
    interrupts = Thread(interrupt, asleep(thing))
    try:
        yield
    finally:
        interrupts.result()
        signal.signal(signal.SIGALRM, previous)


class Thread(threading.Thread):
    """Runs a function at once, and has what it returned or raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self.call = lambda: function(*arguments)
        self.error = self.value = None
        self.start()

    def run(self):
        try:
            self.value = self.call()
        except Exception as error:
            self.error = error

    def result(self):
        self.join()
        if self.error:
            raise self.error
        return self.value

    @classmethod
    def asleep(cls, channel, function, *arguments):
        """One that sleeps in a call of the channel."""
        waits = channel.counts.waits
        thread = cls(function, *arguments)
        until(lambda: channel.counts.waits > waits or not thread.is_alive())
        return thread


class PairTest(unittest.TestCase):
    """Each case has a pair with dataports of 64 KiB, of 8 KiB that only end 0 writes, and of 4 KiB."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="crossvm-test-")
        self.addCleanup(shutil.rmtree, self.directory)
        os.environ["CROSSVM_DIR"] = self.directory
        self.server = subprocess.Popen(
            [TOOL, "pair", "link", "-p", "64K", "-p", "8K:0", "-p", "4K"], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.stop_server)
        self.assertEqual(self.server.stdout.readline(), "link.0 link.1\n")

    def stop_server(self):
        self.server.terminate()
        self.server.wait()
        self.server.stdout.close()

    def open(self, number):
        end = crossvm.End(f"link.{number}")
        self.addCleanup(end.close)
        return end

    def both(self, kind):
        """Connected channels of both ends: kind is "stream" or "datagram"."""
        channels = [getattr(self.open(i), kind)() for i in (0, 1)]
        for i in (0, 1, 0, 1):
            try:
                channels[i].connect(timeout=0)
            except crossvm.WouldBlock:
                pass
        return channels
