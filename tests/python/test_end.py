# SPDX-License-Identifier: BSD-2-Clause
"""Ends, events and dataports."""

import asyncio
import errno
import time
import unittest

import crossvm
from support import PairTest, interrupted, sleepers


class EndTest(PairTest):
    def test_names_numbers_and_info(self):
        ends = [self.open(0), self.open(1)]
        self.assertEqual([e.name for e in ends], ["link.0", "link.1"])
        self.assertEqual([e.number for e in ends], [0, 1])
        self.assertEqual(ends[1].peer_state, crossvm.PeerState.READY)
        self.assertEqual(ends[1].peer_generation, 1)
        info = ends[1].info()
        self.assertEqual(info.via, crossvm.Via.SOCKET)
        self.assertEqual(info.dataports, ((65536, True), (8192, False), (4096, True)))
        self.assertTrue(info.owned)
        self.assertIsNone(info.version)
        self.assertEqual(info.door, crossvm.Door.HOST)
        self.assertTrue(info.peer_here)
        self.assertIsNone(info.vm_exits)
        self.assertEqual([e.name for e in crossvm.ends()], ["link.0", "link.1"])
        self.assertEqual(repr(ends[0]), "<crossvm.End 'link.0', number 0>")

    def test_errors_are_the_builtin_ones_too(self):
        with self.assertRaises(FileNotFoundError) as caught:
            crossvm.End("nowhere")
        self.assertIsInstance(caught.exception, crossvm.Error)
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        self.assertIn('no connection "nowhere"', caught.exception.strerror)
        self.open(0)
        with self.assertRaises(crossvm.Busy) as caught:
            crossvm.End("link.0")
        self.assertIn("in use by another program", str(caught.exception))
        with self.assertRaises(PermissionError):
            self.open(1).stream(dataport=1)

    def test_events(self):
        left, right = self.open(0), self.open(1)
        left.emit()
        left.emit()
        self.assertEqual(right.wait(), 2)
        self.assertEqual(left.wait(), 0)  # the peer has come, which is no event
        start = time.monotonic()
        self.assertEqual(right.wait(timeout=0.05), 0)
        self.assertGreaterEqual(time.monotonic() - start, 0.05)

    def test_a_signal_ends_no_wait(self):
        left, right = self.open(0), self.open(1)
        with interrupted(right, left.emit):
            self.assertEqual(right.wait(), 1)

    def test_events_in_a_loop(self):
        left, right = self.open(0), self.open(1)

        async def play():
            waits = asyncio.create_task(right.async_wait())
            await sleepers(right)
            left.emit()
            self.assertEqual(await waits, 1)
            self.assertEqual(await right.async_wait(timeout=0.02), 0)

        asyncio.run(play())

    def test_dataports_are_memory(self):
        left, right = self.open(0), self.open(1)
        left.dataports[1].memory[:5] = b"hello"
        self.assertEqual(bytes(right.dataports[1].memory[:5]), b"hello")
        self.assertEqual(len(right.dataports[1]), 8192)
        self.assertFalse(right.dataports[1].writable)
        with self.assertRaises(TypeError):
            right.dataports[1].memory[0] = 1

    def test_views_do_not_outlive_the_end(self):
        end = crossvm.End("link.0")
        memory = end.dataports[0].memory
        part = memory[10:20]
        with self.assertRaises(BufferError):
            end.close()
        self.assertEqual(bytes(part), bytes(10))
        part.release()
        end.close()
        with self.assertRaises(ValueError):
            memory[0]
        with self.assertRaises(ValueError):
            end.emit()
        end.close()
        crossvm.End("link.0").close()


if __name__ == "__main__":
    unittest.main()
