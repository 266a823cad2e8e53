# SPDX-License-Identifier: BSD-2-Clause
"""Closing what is in use: by threads, by memoryviews, by tasks."""

import asyncio
import os
import signal
import time
import unittest

import crossvm
from support import PairTest, Thread, until


class CallsTest(PairTest):
    """Calls of other threads."""

    def test_receiving(self):
        for kind in ("stream", "datagram"):
            left, right = self.both(kind)
            receives = Thread.asleep(right, right.recv)
            for thing in (right, right.end):
                with self.assertRaisesRegex(BufferError, "under way"):
                    thing.close()
            self.assertEqual(right.state, crossvm.ChannelState.CONNECTED)
            left.send(b"still open", 0)
            self.assertEqual(receives.result(), b"still open")
            right.close()
            right.close()
            for end in (left.end, right.end):
                end.close()

    def test_in_place(self):
        left, right = self.both("datagram")
        peeks = Thread.asleep(right, right.peek)
        with self.assertRaises(BufferError):
            right.end.close()
        left.send(b"here", 0)
        with peeks.result() as region:
            self.assertEqual(bytes(region.memory), b"here")
        right.end.close()

    def test_connecting(self):
        left = self.open(0).stream()
        connects = Thread.asleep(left, left.connect)
        with self.assertRaises(BufferError):
            left.end.close()
        self.open(1).stream().connect()
        connects.result()
        left.end.close()

    def test_waiting_for_events(self):
        left, right = self.open(0), self.open(1)
        while right.wait(0.01):
            pass
        waits = Thread(right.wait)
        until(lambda: right._handle._uses)
        with self.assertRaises(BufferError):
            right.close()
        left.emit()
        waits.join()
        right.close()

    def test_what_fails_leaves_all_open(self):
        right = self.open(1)
        large, small = right.stream(dataport=0), right.datagram(dataport=2)
        receives = Thread.asleep(small, small.recv)
        with self.assertRaises(BufferError):
            right.close()
        self.assertEqual(large.state, crossvm.ChannelState.OPENING)
        self.assertEqual(right.dataports[0].memory[0:0], b"")
        self.open(0).datagram(dataport=2).send(b"open")
        self.assertEqual(receives.result(), b"open")

    def test_in_a_signal_handler(self):
        _, right = self.both("datagram")
        previous = signal.signal(signal.SIGALRM, lambda *_: right.end.close())
        self.addCleanup(signal.signal, signal.SIGALRM, previous)

        def interrupt(waits):
            until(lambda: right.counts.waits > waits)
            os.kill(os.getpid(), signal.SIGALRM)

        interrupts = Thread(interrupt, right.counts.waits)
        with self.assertRaises(BufferError):
            right.recv()
        interrupts.result()
        right.end.close()

    def test_at_any_moment(self):
        def go_on(call):
            while True:
                try:
                    call()
                except crossvm.Timeout:
                    time.sleep(0.0001)
                except ValueError:
                    return

        def receive(channel):
            channel.recv(0.0001)
            with channel.peek(0.0001):
                pass

        def send(channel):
            channel.send(b"message", 0.0001)
            with channel.reserve(100, 0.0001):
                pass

        def insist(close):
            while True:
                try:
                    return close()
                except BufferError:
                    time.sleep(0)

        for _ in range(20):
            left, right = self.both("datagram")
            left.send_many([b"message"] * 20, 0)
            users = [Thread(go_on, lambda c=right, w=work: w(c)) for work in (receive, send)]
            insist(right.end.close)
            for user in users:
                user.result()
            left.end.close()


class MemoryTest(PairTest):
    """Memory that reserve(), peek() and dataports show."""

    def test_regions_do_not_outlive_the_end(self):
        left, right = self.both("datagram")
        left.send(b"message", 0)
        regions = [left.reserve(8), right.peek(0)]
        view = right.peek(0).memory
        for channel in (left, right):
            channel.end.close()
        for memory in (regions[0].memory, regions[1].memory, view):
            with self.assertRaises(ValueError):
                memory[0]
        for region in regions:
            with self.assertRaisesRegex(ValueError, "this channel is closed"):
                with region:
                    pass

    def test_a_part_of_a_region(self):
        left, right = self.both("datagram")
        left.send(b"message", 0)
        region = right.peek(0)
        part = region.memory[:4]
        for thing in (right, right.end):
            with self.assertRaisesRegex(BufferError, "memoryview"):
                thing.close()
        self.assertEqual(bytes(part), b"mess")
        self.assertEqual(bytes(region.memory), b"message")
        self.assertEqual(len(right.end.dataports[0].memory), 65536)
        del region
        with self.assertRaises(BufferError):
            right.end.close()
        self.assertEqual(right.recv(0), b"message")
        part.release()
        right.end.close()

    def test_a_part_that_outlives_the_block(self):
        left, right = self.both("datagram")
        with self.assertRaises(BufferError):
            with left.reserve(8) as region:
                part = region.memory[:4]
        for close in (left.close, left.end.close):
            with self.assertRaises(BufferError):
                close()
        part[0] = 1
        left.send(b"next", 0)
        self.assertEqual(right.recv(0), b"next")
        part.release()
        with self.assertRaises(ZeroDivisionError):
            with left.reserve(8) as region:
                part = region.memory[:4]
                1 / 0
        with self.assertRaises(BufferError):
            left.end.close()
        part.release()
        left.end.close()

    def test_a_block_is_for_once(self):
        left, right = self.both("datagram")
        region = left.reserve(4)
        with region:
            region.memory[:] = b"once"
        with self.assertRaisesRegex(ValueError, "ended"):
            with region:
                pass
        self.assertEqual(right.recv(0), b"once")
        with self.assertRaises(crossvm.WouldBlock):
            right.recv(0)


    def test_a_reservation_is_taken_back(self):
        left, right = self.both("datagram")
        for take_back in (lambda: left.send(b"other", 0), lambda: left.send_many([b"other"], 0)):
            with self.assertRaisesRegex(ValueError, "taken back"):
                with left.reserve(8) as region:
                    take_back()
                    region.memory[:] = b"too late"
            with self.assertRaises(ValueError):
                region.memory[0]
            self.assertEqual(len(right.recv(0)), 5)
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(0)
        first, second = left.reserve(8), left.reserve(6)
        with second:
            second.memory[:] = b"second"
        with self.assertRaises(ValueError):
            with first:
                pass
        self.assertEqual(right.recv(0), b"second")


class TasksTest(PairTest):
    """Tasks of an event loop."""

    def test_who_sleeps_is_woken(self):
        async def play():
            _, right = self.both("datagram")
            receives, sleeps = (asyncio.create_task(c) for c in (right.async_recv(), right.end.async_wait()))
            await asyncio.sleep(0.01)
            right.close()
            with self.assertRaisesRegex(ValueError, "this channel is closed"):
                await receives
            await asyncio.sleep(0.01)
            descriptor = right.end.fileno()
            right.end.close()
            self.assertFalse(asyncio.get_running_loop().remove_reader(descriptor))
            with self.assertRaisesRegex(ValueError, "this end is closed"):
                await sleeps

        asyncio.run(play())

    def test_the_end_wakes_those_of_channels(self):
        async def play():
            _, right = self.both("stream")
            tasks = [asyncio.create_task(right.async_recv(timeout=t)) for t in (None, 60)]
            await asyncio.sleep(0.01)
            right.end.close()
            for task in tasks:
                with self.assertRaisesRegex(ValueError, "closed"):
                    await task

        asyncio.run(play())

    def test_from_another_thread(self):
        async def play():
            left, right = self.both("datagram")
            receives = asyncio.create_task(right.async_recv())
            await asyncio.sleep(0.01)
            for thing in (right, right.end):
                with self.assertRaisesRegex(BufferError, "thread of that loop"):
                    await asyncio.get_running_loop().run_in_executor(None, thing.close)
            left.send(b"goes on", 0)
            self.assertEqual(await receives, b"goes on")

        asyncio.run(play())

    def test_after_the_loop(self):
        _, right = self.both("datagram")
        loop = asyncio.new_event_loop()
        task = loop.create_task(right.async_recv())
        loop.run_until_complete(asyncio.sleep(0.01))
        right.end.close()
        with self.assertRaises(ValueError):
            loop.run_until_complete(task)
        loop.close()


if __name__ == "__main__":
    unittest.main()
