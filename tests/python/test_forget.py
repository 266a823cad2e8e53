# SPDX-License-Identifier: BSD-2-Clause
"""Ends and channels that nobody closes."""

import gc
import os
import subprocess
import sys
import unittest
import warnings

import crossvm
from support import PairTest


def descriptors():
    return len(os.listdir("/proc/self/fd"))


class ForgetTest(PairTest):
    def reopen(self):
        """Opens what must not be owned any more."""
        crossvm.End("link.0").close()

    def test_an_exception(self):
        def fail():
            end = crossvm.End("link.0")
            channel = end.datagram()
            self.assertEqual(channel.end, end)
            1 / 0

        before = descriptors()
        with self.assertWarnsRegex(ResourceWarning, "unclosed end 'link.0'"):
            with self.assertRaises(ZeroDivisionError):
                fail()
        self.assertEqual(descriptors(), before)
        self.reopen()

    def test_a_cycle(self):
        class Program:
            def __init__(self):
                self.end = crossvm.End("link.0")
                self.channels = [self.end.stream(dataport=0), self.end.datagram(dataport=2)]
                self.end.program = self.channels[0].program = self

        with self.assertWarns(ResourceWarning):
            Program()
            gc.collect()
        self.reopen()

    def test_a_warning_that_is_an_error(self):
        unraisable = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = unraisable.append
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            crossvm.End("link.0")
        self.assertEqual([u.exc_type for u in unraisable], [ResourceWarning])
        self.reopen()

    def test_a_channel(self):
        left, right = self.both("datagram")
        end = left.end
        left.send(b"last", timeout=0)
        del left
        self.assertEqual(right.recv(), b"last")
        with self.assertRaises(crossvm.PeerGone):
            right.recv()
        end.close()

    def test_memory_keeps_the_end(self):
        for show in (
            lambda end: end.dataports[0].memory,
            lambda end: end.dataports[0].memory[8:16],
            lambda end: end.dataports[0],
            lambda end: end.datagram(),
        ):
            shown = show(crossvm.End("link.0"))
            gc.collect()
            with self.assertRaises(crossvm.Busy):
                self.reopen()
            if isinstance(shown, memoryview):
                self.assertEqual(shown[0], 0)
            with self.assertWarns(ResourceWarning):
                del shown
            self.reopen()

    def test_memory_of_a_span_keeps_the_end(self):
        left = self.open(0).datagram()
        right = crossvm.End("link.1").datagram()
        for channel in (left, right, left):
            try:
                channel.connect(timeout=0)
            except crossvm.WouldBlock:
                pass
        left.send(b"message", timeout=0)
        part = right.peek(timeout=0).memory[:4]
        del channel, right
        gc.collect()
        self.assertEqual(bytes(part), b"mess")
        with self.assertWarns(ResourceWarning):
            del part

    def test_the_end_of_the_program(self):
        programs = (
            "end = crossvm.End('link.0'); channel = end.datagram()",
            "end = crossvm.End('link.0'); end.self = end; end.channel = end.datagram()",
            "channel = crossvm.End('link.0').stream(); threading.Thread(target=channel.recv, daemon=True).start();"
            "exec('while not channel.counts.waits: pass')",
            "memory = crossvm.End('link.0').dataports[0].memory; atexit.register(lambda: memory[0])",
        )
        for program in programs:
            done = subprocess.run(
                [sys.executable, "-X", "dev", "-c", "import atexit, threading, crossvm;" + program],
                stderr=subprocess.PIPE,
                text=True,
            )
            self.assertEqual((done.returncode, done.stderr), (0, ""), program)

    def test_a_forked_process(self):
        left, right = self.both("datagram")
        child = os.fork()
        if child == 0:
            del left, right
            gc.collect()
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        left.send(b"still here", timeout=0)
        self.assertEqual(right.recv(timeout=0), b"still here")
        self.assertEqual(left.state, crossvm.ChannelState.CONNECTED)


if __name__ == "__main__":
    unittest.main()
