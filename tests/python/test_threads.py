# SPDX-License-Identifier: BSD-2-Clause
"""Several threads at one channel, and threads and tasks at one end."""

import asyncio
import unittest

import crossvm
from support import PairTest, Thread, sleepers


class ThreadsTest(PairTest):
    def test_both_ways_from_the_start(self):
        count = 2000

        def send(channel):
            for i in range(count):
                channel.send(b"%d" % i)

        def receive(channel):
            return [channel.recv() for _ in range(count)]

        channels = [self.open(i).datagram() for i in (0, 1)]
        threads = [Thread(work, channel) for work in (receive, send) for channel in channels]
        for thread in threads:
            received = thread.result()
            if received:
                self.assertEqual(received, [b"%d" % i for i in range(count)])

    def test_a_session_that_another_thread_began(self):
        left, right = self.both("datagram")
        receives = Thread.asleep(left, left.recv)
        left._met = False  # as a thread saw it that was late for the meeting
        left.send(b"late", timeout=0)
        self.assertEqual(right.recv(timeout=0), b"late")
        right.send(b"answer", timeout=0)
        self.assertEqual(receives.result(), b"answer")

    def test_several_of_a_kind(self):
        count = 1000
        left, right = self.both("datagram")

        def send(first):
            for i in range(first, first + count):
                left.send(b"%d" % i)

        def receive():
            return [int(right.recv()) for _ in range(count)]

        senders = [Thread(send, i * count) for i in range(3)]
        receivers = [Thread(receive) for _ in range(3)]
        received = [message for thread in receivers for message in thread.result()]
        self.assertEqual(sorted(received), list(range(3 * count)))
        for thread in senders:
            thread.result()

    def test_turns_have_timeouts(self):
        left, right = self.both("stream")
        receives = Thread.asleep(right, right.recv)
        with self.assertRaises(crossvm.WouldBlock):
            right.recv(timeout=0)
        with self.assertRaises(crossvm.Timeout):
            right.recv(timeout=0.01)
        right.send(b"meanwhile", timeout=0)
        self.assertEqual(left.recv(timeout=0), b"meanwhile")
        with self.assertRaisesRegex(RuntimeError, "another thread"):
            right.open()
        right.shutdown()
        self.assertEqual(left.recv(), b"")
        left.send(b"at last", timeout=0)
        self.assertEqual(receives.result(), b"at last")


class ThreadsAndTasksTest(PairTest):
    def test_tasks_beside_a_thread(self):
        left, right = self.both("datagram")
        other = right.end.datagram(dataport=2)
        receives = Thread.asleep(right, right.recv)

        async def play():
            for call in (right.async_recv, other.async_recv, right.end.async_wait):
                with self.assertRaisesRegex(RuntimeError, "thread"):
                    await call()

        asyncio.run(play())
        left.send(b"message", timeout=0)
        self.assertEqual(receives.result(), b"message")

    def test_a_call_that_blocks_beside_tasks(self):
        left, right = self.both("datagram")

        async def play():
            receives = asyncio.create_task(right.async_recv())
            await sleepers(right.end)
            for call in (right.recv, right.end.wait, right.drain):
                with self.assertRaisesRegex(RuntimeError, "tasks"):
                    call()
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(timeout=0)
            right.send(b"no wait", timeout=0)
            left.send(b"message", timeout=0)
            self.assertEqual(await receives, b"message")
            self.assertEqual(left.recv(), b"no wait")

        asyncio.run(play())

    def test_two_loops(self):
        left, right = self.both("datagram")
        loop = asyncio.new_event_loop()
        receives = loop.create_task(right.async_recv())
        loop.run_until_complete(sleepers(right.end))

        async def play():
            with self.assertRaisesRegex(RuntimeError, "another event loop"):
                await right.async_recv()

        asyncio.run(play())
        left.send(b"first", timeout=0)
        self.assertEqual(loop.run_until_complete(receives), b"first")
        forgotten = loop.create_task(right.async_recv())
        loop.run_until_complete(sleepers(right.end))
        forgotten._log_destroy_pending = False
        loop.close()

        async def play_alone():
            receives = asyncio.create_task(right.async_recv())
            await sleepers(right.end)
            left.send(b"second", timeout=0)
            self.assertEqual(await receives, b"second")

        asyncio.run(play_alone())


if __name__ == "__main__":
    unittest.main()
