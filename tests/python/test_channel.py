# SPDX-License-Identifier: BSD-2-Clause
"""Streams and datagrams, copied and in place, in threads and in event loops."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import unittest

import crossvm
from support import TOOL, PairTest, interrupted, sleepers


class DatagramTest(PairTest):
    def test_there_and_back(self):
        left, right = self.both("datagram")
        for message in (b"hello", b"", bytes(left.max_message)):
            self.assertEqual(left.send(message, timeout=0), len(message))
            self.assertEqual(right.recv(timeout=0), message)
        right.send(bytearray(b"array"), timeout=0)
        right.send(memoryview(b"of bytes")[3:], timeout=0)
        buffer = bytearray(100)
        self.assertEqual(left.recv_into(buffer, timeout=0), 5)
        self.assertEqual(buffer[:5], b"array")
        self.assertEqual(left.recv_into(memoryview(buffer)[10:], timeout=0), 5)
        self.assertEqual(buffer[10:15], b"bytes")
        self.assertEqual(left.state, crossvm.ChannelState.CONNECTED)
        self.assertEqual(left.counts.sessions, 1)

    def test_what_does_not_go(self):
        left, right = self.both("datagram")
        with self.assertRaises(crossvm.TooLarge):
            left.send(bytes(left.max_message + 1))
        with self.assertRaises(BlockingIOError):
            right.recv(timeout=0)
        start = time.monotonic()
        with self.assertRaises(TimeoutError) as caught:
            right.recv(timeout=0.05)
        self.assertGreaterEqual(time.monotonic() - start, 0.05)  # no sooner; later is the scheduler's business
        self.assertIn('"link.1"', str(caught.exception))
        left.send(b"four", timeout=0)
        with self.assertRaises(crossvm.TooLarge):
            right.recv_into(bytearray(3), timeout=0)
        self.assertEqual(right.recv(timeout=0), b"four")
        with self.assertRaises(crossvm.WouldBlock):
            while True:
                left.send(bytes(1000), timeout=0)

    def test_in_place(self):
        left, right = self.both("datagram")
        with left.reserve(100) as span:
            span.memory[:5] = b"place"
            span.length = 5
        with right.peek(timeout=0) as span:
            self.assertEqual(bytes(span.memory), b"place")
            self.assertTrue(span.memory.readonly)
        with self.assertRaises(ZeroDivisionError):
            with left.reserve(8):
                1 / 0
        with self.assertRaises(crossvm.WouldBlock):
            right.peek(timeout=0)
        left.send(b"stays", timeout=0)
        with self.assertRaises(ZeroDivisionError):
            with right.peek(timeout=0):
                1 / 0
        self.assertEqual(right.recv(timeout=0), b"stays")
        span = left.reserve(8)
        kept = span.memory[:4]
        with self.assertRaises(BufferError):
            with span:
                pass
        kept.release()

    def test_an_exception_sends_nothing(self):
        left, right = self.both("datagram")
        largest = left.max_message
        for i in range(50):  # at all positions of the ring
            with self.assertRaises(ZeroDivisionError):
                with left.reserve(largest - i * 8, timeout=0) as span:
                    span.memory[:5] = b"never"
                    1 / 0
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(timeout=0)
            left.send(b"%d" % i * 40, timeout=0)
            self.assertEqual(right.recv(timeout=0), b"%d" % i * 40)
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(timeout=0)

    def test_an_exception_leaves_nothing_to_tell(self):
        left, right = self.both("datagram")
        for _ in range(50):  # at all positions of the ring
            left.send(bytes(left.max_message // 3), timeout=0)
            right.recv(timeout=0)
            with self.assertRaises(ZeroDivisionError):
                with left.reserve(left.max_message, timeout=0):
                    1 / 0
            left.send_many([], timeout=0)
            with self.assertRaises(crossvm.WouldBlock):
                right.recv(timeout=0)
        left.shutdown()
        with self.assertRaises(crossvm.PeerGone):
            right.recv()

    def test_many(self):
        left, right = self.both("datagram")
        messages = [b"%d" % i for i in range(500)]
        self.assertEqual(left.send_many(messages, timeout=0), 500)
        self.assertEqual([right.recv(timeout=0) for _ in messages], messages)

    def test_iteration_ends_with_the_peer_end(self):
        left, right = self.both("datagram")
        for message in (b"a", b"b"):
            left.send(message)
        left.close()
        self.assertEqual(list(right), [b"a", b"b"])
        with self.assertRaises(BrokenPipeError):
            right.recv()
        with self.assertRaises(ValueError):
            left.send(b"c")

    def test_the_next_one(self):
        left, right = self.both("datagram")
        left.send(b"stale", timeout=0)
        left.close()
        left = left.end.datagram()
        right.open()
        for channel in (left, right, left, right):
            try:
                channel.connect(timeout=0)
            except crossvm.WouldBlock:
                pass
        left.send(b"fresh", timeout=0)
        self.assertEqual(right.recv(timeout=0), b"fresh")

    def test_signals_reach_python(self):
        _, right = self.both("datagram")

        def complain():
            raise KeyboardInterrupt

        with interrupted(right, complain):
            with self.assertRaises(KeyboardInterrupt):
                right.recv()

    def test_a_killed_peer(self):
        right = self.open(1).datagram()
        program = "import crossvm, signal; crossvm.End('link.0').datagram().send(b'last'); signal.pause()"
        child = subprocess.Popen([sys.executable, "-c", program])
        self.assertEqual(right.recv(), b"last")
        child.kill()
        with self.assertRaises(crossvm.PeerGone):
            right.recv()
        child.wait()


class StreamTest(PairTest):
    def test_bytes_and_end_of_file(self):
        left, right = self.both("stream")
        self.assertEqual(left.send(b"hello world", timeout=0), 11)
        self.assertEqual(right.recv(5, timeout=0), b"hello")
        with right.peek(timeout=0) as span:
            self.assertEqual(bytes(span.memory), b" world")
            span.length = 1
        self.assertEqual(right.recv(timeout=0), b"world")
        left.shutdown()
        self.assertEqual(right.recv(), b"")
        with right.peek() as span:
            self.assertEqual(len(span), 0)
        right.send(b"answer", timeout=0)
        self.assertEqual(left.recv(timeout=0), b"answer")

    def test_an_exception_sends_nothing(self):
        left, right = self.both("stream")
        with self.assertRaises(ZeroDivisionError):
            with left.reserve(1000, timeout=0) as span:
                span.memory[:5] = b"never"
                1 / 0
        left.send(b"next", timeout=0)
        self.assertEqual(right.recv(timeout=0), b"next")

    def test_threads(self):
        left, right = self.both("stream")
        data = os.urandom(3_000_000)
        received = bytearray()

        def receive():
            while True:
                piece = right.recv()
                if not piece:
                    return
                received.extend(piece)

        thread = threading.Thread(target=receive)
        thread.start()
        left.sendall(data)
        left.shutdown()
        left.drain()
        thread.join()
        self.assertEqual(received, data)

    def test_with_the_tool(self):
        with self.open(0).stream() as stream:
            cat = subprocess.Popen([TOOL, "cat", "link.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stream.sendall(b"to the tool")
            stream.shutdown()
            output, _ = cat.communicate(b"from the tool")
            self.assertEqual(output, b"to the tool")
            self.assertEqual(cat.returncode, 0)
            received = b""
            while piece := stream.recv():
                received += piece
            self.assertEqual(received, b"from the tool")


class LoopTest(PairTest):
    def test_two_ways_at_once(self):
        left, right = self.both("datagram")
        count = 3000

        async def send(channel):
            for i in range(count):
                await channel.async_send(b"%d" % i + bytes(i % 200))
                if i % 500 == 0:
                    await asyncio.sleep(0.005)

        async def receive(channel):
            for i in range(count):
                self.assertEqual(await channel.async_recv(), b"%d" % i + bytes(i % 200))

        async def play():
            await asyncio.gather(send(left), receive(left), send(right), receive(right))

        asyncio.run(play())

    def test_channels_of_one_end(self):
        ends = [self.open(0), self.open(1)]
        large = [e.stream(dataport=0) for e in ends]
        small = [e.datagram(dataport=2) for e in ends]
        data = os.urandom(500_000)

        async def send_bytes():
            await large[0].async_send(data)
            large[0].shutdown()

        async def receive_bytes():
            received = bytearray()
            while piece := await large[1].async_recv():
                received += piece
            self.assertEqual(received, data)

        async def ask():
            for i in range(300):
                await small[0].async_send(b"%d" % i)
                self.assertEqual(await small[0].async_recv(), b"%d" % -i)

        async def answer():
            for _ in range(300):
                await small[1].async_send(b"%d" % -int(await small[1].async_recv()))

        async def play():
            await asyncio.gather(send_bytes(), receive_bytes(), ask(), answer())

        asyncio.run(play())

    def test_a_timeout_is_for_all_pieces(self):
        left, right = self.both("stream")

        async def receive_slowly():  # all of it would take a quarter of a minute at least
            while True:
                await right.async_recv()
                await asyncio.sleep(0.02)

        async def play():
            receives = asyncio.create_task(receive_slowly())
            with self.assertRaises(crossvm.Timeout):
                await left.async_send(bytes(50_000_000), timeout=0.3)
            receives.cancel()

        asyncio.run(play())

    def test_pieces_are_not_copied(self):
        left, right = self.both("stream")
        data = bytes(2_000_000)

        async def receive():
            left_over = len(data)
            while left_over:
                left_over -= len(await right.async_recv())

        async def play():
            tracemalloc.start()
            await asyncio.gather(left.async_send(data), receive())
            self.assertLess(tracemalloc.get_traced_memory()[1], 1_000_000)
            tracemalloc.stop()

        asyncio.run(play())

    def test_waiting_for_somebody(self):
        left = self.open(0).datagram()

        async def play():
            with self.assertRaises(crossvm.Timeout):
                await left.async_connect(timeout=0.05)
            connects = asyncio.create_task(left.async_connect())
            await sleepers(left.end)
            right = self.open(1).datagram()
            await asyncio.gather(connects, right.async_connect())
            with self.assertRaises(crossvm.Timeout):
                await left.async_recv(timeout=0.02)
            receives = asyncio.create_task(left.async_recv())
            await sleepers(left.end)
            receives.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await receives
            await right.async_send(b"late")
            self.assertEqual(await left.async_recv(), b"late")
            right.close()
            self.assertEqual([m async for m in left], [])

        asyncio.run(play())

    def test_a_killed_peer(self):
        right = self.open(1).stream()
        echo = subprocess.Popen([TOOL, "echo", "--stream", "link.0"])

        async def play():
            await right.async_send(b"echo")
            self.assertEqual(await right.async_recv(), b"echo")
            receives = asyncio.create_task(right.async_recv())
            await sleepers(right.end)
            echo.kill()
            with self.assertRaises(crossvm.PeerGone):
                await receives

        asyncio.run(play())
        echo.wait()


if __name__ == "__main__":
    unittest.main()
