# SPDX-License-Identifier: BSD-2-Clause
"""The module as a whole: its version, what it says of itself, `python -m crossvm`."""

import inspect
import os
import pathlib
import subprocess
import sys
import unittest

import crossvm
from support import PairTest


def run(*arguments, **environment):
    """What `python -m crossvm` prints: its status, output and errors."""
    done = subprocess.run(
        [sys.executable, "-m", "crossvm", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


class ModuleTest(unittest.TestCase):
    def test_version(self):
        self.assertEqual(crossvm.__version__, os.environ["CROSSVM_VERSION"])

    def test_all_that_is_public_is_documented(self):
        for name in crossvm.__all__:
            thing = getattr(crossvm, name)
            if not inspect.isclass(thing):
                continue
            self.assertTrue(thing.__doc__, name)
            for member, value in vars(thing).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    self.assertTrue(inspect.getdoc(getattr(thing, member)), f"{name}.{member}")
        self.assertTrue(crossvm.__doc__ and crossvm.ends.__doc__)

    def test_a_missing_library(self):
        status, output, errors = run(CROSSVM_LIBRARY="/nowhere/libcrossvm.so")
        self.assertEqual((status, output), (1, ""))
        self.assertIn("cannot load /nowhere/libcrossvm.so", errors)
        self.assertIn("set CROSSVM_LIBRARY", errors)
        self.assertNotIn("Traceback", errors)


class MainTest(PairTest):
    def test_what_it_shows(self):
        with self.open(0):
            status, output, errors = run()
        self.assertEqual((status, errors), (0, ""))
        lines = output.splitlines()
        self.assertEqual(lines[0], f"crossvm {crossvm.__version__}")
        library = pathlib.Path(os.environ["CROSSVM_LIBRARY"]).resolve()
        self.assertIn(str(library), lines[1])
        self.assertEqual(lines[-3].split(), ["NAME", "VIA", "LOCATION", "PEER", "DATAPORTS"])
        self.assertEqual(lines[-2].split(), ["link.0", "socket", "-", "absent", *"64K rw, 8K rw, 4K rw".split()])
        self.assertEqual(lines[-1].split(), ["link.1", "socket", "-", "ready", *"64K rw, 8K ro, 4K rw".split()])

    def test_without_ends(self):
        self.stop_server()
        status, output, _ = run()
        self.assertEqual(status, 0)
        self.assertIn("no ends", output)

    def test_options(self):
        self.assertEqual(run("--version"), (0, f"crossvm {crossvm.__version__}\n", ""))
        self.assertIn("usage: python -m crossvm", run("--help")[1])
        status, _, errors = run("sensor")
        self.assertEqual(status, 2)
        self.assertIn("sensor", errors)

    def test_output_that_cannot_be_written(self):
        full = open("/dev/full", "w")
        self.addCleanup(full.close)
        command = [sys.executable, "-m", "crossvm"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "python -m crossvm: No space left on device\n"))
        done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output is closed", done.stderr)


class ReprTest(PairTest):
    def test_of_all_objects(self):
        left, right = self.both("datagram")
        left.send(b"four", timeout=0)
        span, shown = left.reserve(8), right.peek(timeout=0)
        end = left.end
        for thing, text in (
            (end, "<crossvm.End 'link.0', number 0>"),
            (end.dataports[1], "<crossvm.Dataport of 'link.0', 8192 bytes, writable>"),
            (right.end.dataports[1], "<crossvm.Dataport of 'link.1', 8192 bytes, read-only>"),
            (left, "<crossvm.Datagram of 'link.0', CONNECTED>"),
            (end.stream(dataport=2), "<crossvm.Stream of 'link.0', OPENING>"),
            (span, "<crossvm.Span of 8 bytes, writable>"),
            (shown, "<crossvm.Span of 4 bytes, read-only>"),
            (end.peer_state, "<PeerState.READY: 3>"),
            (left.counts, f"ChannelCounts(emits={left.counts.emits}, waits=0, sessions=1)"),
            (end.info().dataports[2], "DataportInfo(size=4096, writable=True)"),
        ):
            self.assertEqual(repr(thing), text)
        self.assertIn("EndInfo(name='link.0', via=<Via.SOCKET: 3>", repr(end.info()))
        with shown:
            pass
        end.close()
        for thing, text in (
            (shown, "<crossvm.Span of 4 bytes, read-only, ended>"),
            (left, "<crossvm.Datagram of 'link.0', CLOSED>"),
            (end, "<crossvm.End 'link.0', number 0, closed>"),
            (end.dataports[2], "<crossvm.Dataport of 'link.0', 4096 bytes, writable>"),
        ):
            self.assertEqual(repr(thing), text)
        with self.assertRaises(crossvm.NotFound) as caught:
            crossvm.End("nowhere")
        self.assertRegex(repr(caught.exception), r"NotFound\(2, '.*nowhere.*'\)")


if __name__ == "__main__":
    unittest.main()
