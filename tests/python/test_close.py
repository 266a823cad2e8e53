# SPDX-License-Identifier: BSD-2-Clause
"""Closing what is in use: by threads, by memoryviews, by tasks."""

import asyncio
import time
import unittest

import crossvm
from support import PairTest, Thread, interrupted, sleepers, until


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
            left.send(b"still open", timeout=0)
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
        left.send(b"here", timeout=0)
        with peeks.result() as span:
            self.assertEqual(bytes(span.memory), b"here")
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
        with interrupted(right, right.end.close):
            with self.assertRaises(BufferError):
                right.recv()
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
            channel.recv(timeout=0.0001)
            with channel.peek(timeout=0.0001):
                pass

        def send(channel):
            channel.send(b"message", timeout=0.0001)
            with channel.reserve(100, timeout=0.0001):
                pass

        def insist(close):
            while True:
                try:
                    return close()
                except BufferError:
                    time.sleep(0)

        for _ in range(20):
            left, right = self.both("datagram")
            left.send_many([b"message"] * 20, timeout=0)
            users = [Thread(go_on, lambda c=right, w=work: w(c)) for work in (receive, send)]
            insist(right.end.close)
            for user in users:
                user.result()
            left.end.close()


class MemoryTest(PairTest):
    """Memory that reserve(), peek() and dataports show."""

    def test_spans_do_not_outlive_the_end(self):
        left, right = self.both("datagram")
        left.send(b"message", timeout=0)
        spans = [left.reserve(8), right.peek(timeout=0)]
        view = right.peek(timeout=0).memory
        for channel in (left, right):
            channel.end.close()
        for memory in (spans[0].memory, spans[1].memory, view):
            with self.assertRaises(ValueError):
                memory[0]
        for span in spans:
            with self.assertRaisesRegex(ValueError, "this channel is closed"):
                with span:
                    pass

    def test_a_part_of_a_span(self):
        left, right = self.both("datagram")
        left.send(b"message", timeout=0)
        span = right.peek(timeout=0)
        part = span.memory[:4]
        for thing in (right, right.end):
            with self.assertRaisesRegex(BufferError, "memoryview"):
                thing.close()
        self.assertEqual(bytes(part), b"mess")
        self.assertEqual(bytes(span.memory), b"message")
        self.assertEqual(len(right.end.dataports[0].memory), 65536)
        del span
        with self.assertRaises(BufferError):
            right.end.close()
        self.assertEqual(right.recv(timeout=0), b"message")
        part.release()
        right.end.close()

    def test_a_part_that_outlives_the_block(self):
        left, right = self.both("datagram")
        with self.assertRaises(BufferError):
            with left.reserve(8) as span:
                part = span.memory[:4]
        for close in (left.close, left.end.close):
            with self.assertRaises(BufferError):
                close()
        part[0] = 1
        left.send(b"next", timeout=0)
        self.assertEqual(right.recv(timeout=0), b"next")
        part.release()
        with self.assertRaises(ZeroDivisionError):
            with left.reserve(8) as span:
                part = span.memory[:4]
                1 / 0
        with self.assertRaises(BufferError):
            left.end.close()
        part.release()
        left.end.close()

    def test_a_block_is_for_once(self):
        left, right = self.both("datagram")
        span = left.reserve(4)
        with span:
            span.memory[:] = b"once"
        with self.assertRaisesRegex(ValueError, "ended"):
            with span:
                pass
        self.assertEqual(right.recv(timeout=0), b"once")
        with self.assertRaises(crossvm.WouldBlock):
            right.recv(timeout=0)

    def test_a_reservation_is_taken_back(self):
        left, right = self.both("datagram")
        for take_back in (lambda: left.send(b"other", timeout=0), lambda: left.send_many([b"other"], timeout=0)):
            with self.assertRaisesRegex(ValueError, "taken back"):
                with left.reserve(8) as span:
                    take_back()
                    span.memory[:] = b"too late"
            with self.assertRaises(ValueError):
                span.memory[0]
            self.assertEqual(len(right.recv(timeout=0)), 5)
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(timeout=0)
        first, second = left.reserve(8), left.reserve(6)
        with second:
            second.memory[:] = b"second"
        with self.assertRaises(ValueError):
            with first:
                pass
        self.assertEqual(right.recv(timeout=0), b"second")


class TasksTest(PairTest):
    """Tasks of an event loop."""

    def test_sleepers_are_woken(self):
        async def play():
            _, right = self.both("datagram")
            receives, sleeps = (asyncio.create_task(c) for c in (right.async_recv(), right.end.async_wait()))
            await sleepers(right.end, 2)
            right.close()
            with self.assertRaisesRegex(ValueError, "this channel is closed"):
                await receives
            await sleepers(right.end)
            descriptor = right.end.fileno()
            right.end.close()
            self.assertFalse(asyncio.get_running_loop().remove_reader(descriptor))
            with self.assertRaisesRegex(ValueError, "this end is closed"):
                await sleeps

        asyncio.run(play())

    def test_the_end_wakes_those_of_channels(self):
        async def play():
            _, right = self.both("stream")
            tasks = [asyncio.create_task(right.async_recv(timeout=t)) for t in (None, 1000)]
            await sleepers(right.end, 2)
            right.end.close()
            for task in tasks:
                with self.assertRaisesRegex(ValueError, "closed"):
                    await task

        asyncio.run(play())

    def test_from_another_thread(self):
        async def play():
            left, right = self.both("datagram")
            receives = asyncio.create_task(right.async_recv())
            await sleepers(right.end)
            for thing in (right, right.end):
                with self.assertRaisesRegex(BufferError, "thread of that loop"):
                    await asyncio.get_running_loop().run_in_executor(None, thing.close)
            left.send(b"goes on", timeout=0)
            self.assertEqual(await receives, b"goes on")

        asyncio.run(play())

    def test_after_the_loop(self):
        _, right = self.both("datagram")
        loop = asyncio.new_event_loop()
        task = loop.create_task(right.async_recv())
        loop.run_until_complete(sleepers(right.end))
        right.end.close()
        with self.assertRaises(ValueError):
            loop.run_until_complete(task)
        loop.close()


if __name__ == "__main__":
    unittest.main()
