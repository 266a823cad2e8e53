# SPDX-License-Identifier: BSD-2-Clause
"""The module as a whole: its version, its library, what it says of itself, `python -m crossvm`, closed descriptors."""

import contextlib
import ctypes
import inspect
import os
import pathlib
import socket
import subprocess
import sys
import unittest
from unittest import mock

import crossvm
from crossvm import _library
from support import PairTest, Thread


# Closes the given descriptors and runs a program: as a shell does for `program <&-`.
CLOSED = """
import os, sys
for descriptor in sys.argv[2:]:
    os.close(int(descriptor))
os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])
"""


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


class LibraryTest(unittest.TestCase):
    """The C library: that it is the right one, and that both mean the same by a structure."""

    def test_another_version(self):
        for library, found in (
            (os.environ["CROSSVM_OTHER_VERSION"], "is libcrossvm 0.1.7"),
            ("libc.so.6", "is no libcrossvm, or one before version 0.2"),
        ):
            status, output, errors = run(CROSSVM_LIBRARY=library)
            self.assertEqual((status, output), (1, ""))
            self.assertIn(f"{library} {found}: this module, crossvm {crossvm.__version__}, needs version ", errors)
            self.assertNotIn("Traceback", errors)

    def test_versions(self):
        """A later minor version has all that an earlier one has; another major version may have anything."""
        with mock.patch.multiple(_library, _MAJOR=2, _MINOR=3):
            for version, fits in ((0x020300, True), (0x020301, True), (0x020401, True), (0x020209, False), (0x030300, False)):
                library = mock.Mock(crossvm_version=lambda: version)
                with self.subTest(f"{version:#x}"), contextlib.ExitStack() as refused:
                    if not fits:
                        refused.enter_context(self.assertRaisesRegex(ImportError, r"needs version 2\.3 or a later 2\.x"))
                    _library._check_version(library, "a library")

    def test_layouts(self):
        found = set()
        for line in pathlib.Path(os.environ["CROSSVM_LAYOUT"]).read_text().splitlines():
            name, *numbers = line.split()
            name, _, member = name.partition(".")
            structure = getattr(_library, name, None)
            if structure is None:
                continue
            found.add(name)
            if member:
                field = getattr(structure, member)
                self.assertEqual([field.offset, field.size], [int(n) for n in numbers], line)
            else:
                self.assertEqual(ctypes.sizeof(structure), int(numbers[0]), line)
        declared = {name for name in vars(_library) if name.startswith("crossvm_")}
        self.assertEqual(found, declared)


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

    def test_an_end_that_does_not_answer(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(f"{self.directory}/deaf.sock")
        listener.listen()
        hangs_up = Thread(lambda: [listener.accept()[0].close() for _ in range(2)])
        deaf = crossvm.ends()[0]
        self.assertEqual((deaf.name, deaf.via), ("deaf", crossvm.Via.SOCKET))
        self.assertIsNotNone(deaf.error)
        status, output, errors = run()
        self.assertEqual((status, errors), (0, ""))
        self.assertRegex(output, rf"deaf +socket +- +unknown +\? \({os.strerror(deaf.error)}\)\n")
        hangs_up.result()

    def test_a_directory_that_it_cannot_use(self):
        os.chmod(self.directory, 0o777)
        self.addCleanup(os.chmod, self.directory, 0o700)
        with self.assertRaises(PermissionError) as caught:
            crossvm.ends()
        self.assertIn(self.directory, caught.exception.strerror)
        self.assertEqual(caught.exception.ends, [])
        status, output, errors = run()
        self.assertEqual(status, 1)
        self.assertIn(f"crossvm {crossvm.__version__}\n", output)
        self.assertEqual(errors, f"python -m crossvm: {caught.exception.strerror}\n")

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


class ClosedDescriptorsTest(PairTest):
    """A program that was started with descriptors 0, 1 or 2 closed: an end must not take their numbers."""

    def test_an_end_keeps_above_them(self):
        program = """
import os, stat, crossvm
with crossvm.End('link.0') as end, end.datagram() as channel:
    crossvm.ends()
    channel.send(b'message')
    ours = [fd for fd in range(3) if os.path.exists(f'/proc/self/fd/{fd}') and not stat.S_ISCHR(os.stat(fd).st_mode)]
    os._exit(10 * len(ours) + (end.fileno() < 3))
"""
        right = self.open(1).datagram()
        for closed in ("0", "1", "2", "012"):
            child = subprocess.Popen(
                [sys.executable, "-c", CLOSED, program, *closed],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.assertEqual(right.recv(), b"message")
            self.assertEqual(child.wait(), 0, closed)
            right.open()


if __name__ == "__main__":
    unittest.main()
