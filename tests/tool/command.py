# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of commands for VMMs share: a folder for sockets, sockets as a hub has them, and runs of the tool."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

TOOL = os.environ["CROSSVM_TOOL"]
PATIENCE = 600  # seconds; bounds a hang only


class Program(subprocess.Popen):
    """A program whose output is lines."""

    def __init__(self, *arguments, **options):
        super().__init__(list(arguments), text=True, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options})

    def line(self):
        """The next line; the program must not end before."""
        line = self.stdout.readline()
        if not line:
            raise AssertionError(f"{self.args[1:]} ended: {self.communicate()}")
        return line.rstrip("\n")

    def await_error(self, text):
        """Reads what it says until a line has a text in it."""
        for line in self.stderr:
            if text in line:
                return line
        raise AssertionError(f"{self.args[1:]} ended without saying: {text}")

    def end(self, number=signal.SIGTERM):
        """Ends it; gives its status and what it said."""
        self.send_signal(number)
        said = self.communicate(timeout=PATIENCE)[1]
        return self.returncode, said


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.directory)
        os.environ["CROSSVM_DIR"] = str(self.directory)

    def serve(self, file, directory=None):
        """A socket that somebody serves; gives its path."""
        path = (directory or self.directory) / file
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(bytes(path))
        listener.listen()
        return path

    def leave(self, file):
        """A socket whose server has ended without removing it."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(bytes(self.directory / file))
            listener.listen()
        return self.directory / file

    def tool(self, *arguments, environment=None):
        return subprocess.run([TOOL, *arguments], capture_output=True, timeout=PATIENCE, env=environment)

    def output(self, *arguments, **options):
        """What a run prints that has nothing to complain of."""
        done = self.tool(*arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)
        return done.stdout

    def error(self, *arguments, status=2, **options):
        """The one sentence of a run that fails."""
        done = self.tool(*arguments, **options)
        self.assertEqual(done.returncode, status, done)
        self.assertRegex(done.stderr, rb"\Acrossvm: [^\n]+\n\Z")
        return done.stderr.decode()[len("crossvm: ") : -1]
