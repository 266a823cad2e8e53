# SPDX-License-Identifier: BSD-2-Clause
"""Timeouts, sizes, buffers and names that C could misunderstand."""

import asyncio
import math
import mmap
import os
import pathlib
import unittest

import crossvm
from crossvm._deadline import FOREVER, deadline
from support import PairTest, Thread, sleepers, until

HUGE = (math.inf, 1e10, 1e300, 2**33 + 1, 10**400)


class TimeoutsTest(PairTest):
    def test_what_is_no_timeout(self):
        left, right = self.both("stream")
        end = left.end
        for timeout in (-1, -0.001, -math.inf, math.nan):
            for call in (
                lambda: left.recv(timeout=timeout),
                lambda: left.recv_into(bytearray(1), timeout=timeout),
                lambda: left.send(b"x", timeout=timeout),
                lambda: left.sendall(b"x", timeout=timeout),
                lambda: left.reserve(1, timeout=timeout),
                lambda: left.peek(timeout=timeout),
                lambda: left.connect(timeout=timeout),
                lambda: left.drain(timeout=timeout),
                lambda: end.wait(timeout=timeout),
                lambda: asyncio.run(left.async_recv(timeout=timeout)),
                lambda: asyncio.run(left.async_send(b"x", timeout=timeout)),
                lambda: asyncio.run(left.async_connect(timeout=timeout)),
                lambda: asyncio.run(left.async_ready(1, timeout=timeout)),
                lambda: asyncio.run(end.async_wait(timeout=timeout)),
            ):
                with self.assertRaisesRegex(ValueError, "seconds"):
                    call()
        with self.assertRaises(TypeError):
            left.recv(timeout="1")
        with self.assertRaises(crossvm.WouldBlock):
            right.recv(timeout=0)

    def test_without_end(self):
        left, right = self.both("datagram")
        for timeout in HUGE:
            self.assertEqual(deadline(timeout), FOREVER)
            receives = Thread.asleep(right, lambda: right.recv(timeout=timeout))
            left.send(b"late", timeout=0)
            self.assertEqual(receives.result(), b"late")

        async def play():
            for timeout in HUGE:
                receives = asyncio.create_task(right.async_recv(timeout=timeout))
                await sleepers(right.end)
                await left.async_send(b"late", timeout=timeout)
                self.assertEqual(await receives, b"late")

        asyncio.run(play())

    def test_of_events(self):
        left, right = self.open(0), self.open(1)
        for timeout in HUGE:
            waits = Thread(lambda: right.wait(timeout=timeout))
            until(lambda: right._handle._uses or not waits.is_alive())
            left.emit()
            self.assertEqual(waits.result(), 1)

    def test_the_shortest_timeout(self):
        _, right = self.both("datagram")
        with self.assertRaises(crossvm.Timeout):
            right.recv(timeout=5e-324)


class SizesTest(PairTest):
    def test_of_streams(self):
        left, right = self.both("stream")
        left.send(b"bytes", timeout=0)
        for limit in (-1, -(2**31), -(2**64)):
            with self.assertRaisesRegex(ValueError, "limit"):
                right.recv(limit, timeout=0)
            with self.assertRaisesRegex(ValueError, "limit"):
                asyncio.run(right.async_recv(limit))
            with self.assertRaisesRegex(ValueError, "reserve"):
                left.reserve(limit, timeout=0)
        with self.assertRaises(TypeError):
            right.recv(1.5, timeout=0)
        self.assertEqual(right.recv(2, timeout=0), b"by")
        self.assertEqual(right.recv(2**64 + 1, timeout=0), b"tes")
        self.assertGreater(len(left.reserve(2**64 + 1, timeout=0)), 1)

    def test_of_datagrams(self):
        left, right = self.both("datagram")
        for size in (2**31, 2**32, 2**64, 2**64 + 1):
            with self.assertRaises(crossvm.TooLarge):
                left.reserve(size, timeout=0)
        with left.reserve(8, timeout=0) as span:
            for length in (-1, 9, 2**64):
                with self.assertRaisesRegex(ValueError, "length"):
                    span.length = length
            span.memory[:4] = b"four"
            span.length = 4
        with right.peek(timeout=0) as span:
            self.assertEqual(bytes(span.memory), b"four")
            with self.assertRaises(ValueError):
                span.length = 5
        with left.reserve(0, timeout=0):
            pass
        self.assertEqual(right.recv(timeout=0), b"")

    def test_of_options(self):
        end = self.open(0)
        for number in (-1, -2, 2**31, 2**32):
            with self.assertRaisesRegex(ValueError, "dataport"):
                end.stream(dataport=number)
            with self.assertRaisesRegex(ValueError, "spin"):
                end.datagram(spin=number)
        with self.assertRaises(crossvm.NotFound):
            end.stream(dataport=2**31 - 1)
        channel = end.stream()
        for events in (0, 4, -1, 2**32 + 1):
            with self.assertRaises(ValueError):
                channel.prepare(events)
            with self.assertRaises(ValueError):
                asyncio.run(channel.async_ready(events))


class BuffersTest(PairTest):
    def test_to_send(self):
        left, right = self.both("datagram")
        shared = mmap.mmap(-1, 4096)
        self.addCleanup(shared.close)
        shared[:6] = b"shared"
        array = bytearray(b"array")
        for buffer, message in (
            (array, b"array"),
            (bytearray(), b""),
            (memoryview(b""), b""),
            (memoryview(b"text")[1:], b"ext"),
            (memoryview(array)[::2], b"ary"),
            (memoryview(array)[::-1], b"yarra"),
            (memoryview(array).toreadonly()[1:], b"rray"),
            (memoryview(bytearray(8)).cast("Q"), bytes(8)),
            (memoryview(shared)[:6], b"shared"),
        ):
            left.send(buffer, timeout=0)
            left.send_many([buffer], timeout=0)
            self.assertEqual([right.recv(timeout=0), right.recv(timeout=0)], [message, message])
        array.append(0)  # nothing holds it

    def test_to_receive_into(self):
        left, right = self.both("stream")
        left.send(b"bytes", timeout=0)
        for buffer in (b"12345", memoryview(b"12345"), memoryview(bytearray(10))[::2], memoryview(bytearray(5))[::-1]):
            with self.assertRaises((TypeError, BufferError)):
                right.recv_into(buffer, timeout=0)
        wide = memoryview(bytearray(16)).cast("Q")
        self.assertEqual(right.recv_into(wide, timeout=0), 5)
        self.assertEqual(bytes(wide.cast("B")[:6]), b"bytes\0")

    def test_a_stream_in_pieces(self):
        left, right = self.both("stream")
        data = os.urandom(300_000)
        for buffer in (data, bytearray(data), memoryview(data), memoryview(data + data)[::2]):
            sends = Thread(left.sendall, buffer)
            received = bytearray()
            while len(received) < len(buffer):
                received += right.recv()
            sends.result()
            self.assertEqual(received, bytes(buffer))


class NamesTest(PairTest):
    def test_names(self):
        with self.assertRaisesRegex(ValueError, "null"):
            crossvm.End("link.0\0")
        for name in ("\u00e4" * 400, "a" + "\u00e4" * 400, "\udcff"):  # sentences are cut, and of bytes
            with self.assertRaises(crossvm.Error):
                crossvm.End(name)
        with crossvm.End(pathlib.Path(self.directory) / "link.0.sock") as end:
            self.assertEqual(end.name, "link.0")


if __name__ == "__main__":
    unittest.main()
