# SPDX-License-Identifier: BSD-2-Clause
"""bash, zsh and fish, each in a terminal: what a user types, with Tab in it, becomes a whole command line."""

import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {"crossvm": os.environ["CROSSVM_TOOL"], "crossvm-vm": os.environ["CROSSVM_VM"]}
PATIENCE = 300  # seconds; bounds a hang only
PROMPT = "READY>"

# A program as a shell finds it: it answers a Tab as the real one does, and otherwise tells the test what it was called with.
STAND_IN = """#!/bin/sh
[ "$1" != --complete ] || exec '{program}' "$@"
printf '%s\\0' "${{0##*/}}" "$@" >"$ANSWER"
"""

# What is typed, and the command line that it has to become. The connection is that of `crossvm pair sensor`.
TYPED = {
    "crossvm pi\tx": ["crossvm", "ping", "x"],
    "crossvm help vm\t": ["crossvm", "help", "vmm-args"],
    "crossvm ping sen\t0": ["crossvm", "ping", "sensor.0"],
    "crossvm ping -c 3 --pat\t2 sensor.1\t": ["crossvm", "ping", "-c", "3", "--patience", "2", "sensor.1"],
    "crossvm emit --count sen\t sen\t1": ["crossvm", "emit", "--count", "sen", "sensor.1"],
    "crossvm bridge --send-str\tS sen\t1": ["crossvm", "bridge", "--send-stream", "S", "sensor.1"],
    "crossvm pair --end0 vf\tx": ["crossvm", "pair", "--end0", "vfio-user", "x"],
    "crossvm pair --end0=iv\tx": ["crossvm", "pair", "--end0=ivshmem", "x"],
    "crossvm vmm-args --vmm=l\tx": ["crossvm", "vmm-args", "--vmm=libvirt", "x"],
    "crossvm hub two-\t": ["crossvm", "hub", "two-guests.yaml"],
    "crossvm hub --socket-dir=fol\t two\t": ["crossvm", "hub", "--socket-dir=folder", "two-guests.yaml"],
    "crossvm-vm --kern\ttwo-\t--mem\t1G": ["crossvm-vm", "--kernel", "two-guests.yaml", "--memory", "1G"],
}


class Shell:
    """A shell that a terminal belongs to, and that has said that it waits for a command."""

    def __init__(self, command, folder, environment):
        self.shown = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.wait_for_prompt()

    def wait_for_prompt(self):
        """What the shell shows is read all the time: it could not go on otherwise."""
        while PROMPT.encode() not in self.shown:
            self.read()
        self.shown = b""

    def read(self):
        if not select.select([self.terminal], [], [], PATIENCE)[0]:
            raise AssertionError(f"the shell says nothing more after {self.shown}")
        self.shown += os.read(self.terminal, 4096)

    def type(self, text, answer):
        """Types a line; gives what the program was called with."""
        os.write(self.terminal, text.encode() + b"\r")
        called = b""
        while not called.endswith(b"\0"):
            ready = select.select([self.terminal, answer], [], [], PATIENCE)[0]
            if not ready:
                raise AssertionError(f"{text!r} called no program; the shell shows {self.shown}")
            if answer in ready:
                called += os.read(answer, 4096)
            if self.terminal in ready:
                self.read()
        self.wait_for_prompt()
        return called.decode().split("\0")[:-1]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


class CompletionTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "here/folder").mkdir(parents=True)
        (self.folder / "here/two-guests.yaml").touch()
        (self.folder / "bin").mkdir()
        for name, program in PROGRAMS.items():
            (self.folder / "bin" / name).write_text(STAND_IN.format(program=program))
            (self.folder / "bin" / name).chmod(0o755)
        os.mkfifo(self.folder / "answer")
        self.environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CROSSVM_DIR": str(self.folder / "sockets"),
            "ANSWER": str(self.folder / "answer"),
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
        }

    def check(self, *command):
        pair = subprocess.Popen([PROGRAMS["crossvm"], "pair", "sensor"], stdout=subprocess.PIPE, env=self.environment)
        self.addCleanup(pair.wait)
        self.addCleanup(pair.stdout.close)
        self.addCleanup(pair.terminate)
        self.assertEqual(b"sensor.0 sensor.1\n", pair.stdout.readline())
        shell = Shell(command, self.folder / "here", self.environment)
        self.addCleanup(shell.close)
        answer = os.open(self.folder / "answer", os.O_RDWR)  # a writer is always there: no end of file
        self.addCleanup(os.close, answer)
        for text, expected in TYPED.items():
            with self.subTest(text):
                # zsh takes the slash behind a directory back when the next word begins.
                self.assertEqual(expected, [word.rstrip("/") for word in shell.type(text, answer)])

    def test_bash(self):
        start = self.folder / "start"
        start.write_text(f". {TOP}/completions/crossvm.bash\nPS1='{PROMPT}'\nbind 'set enable-bracketed-paste off'\n")
        self.check("bash", "--noprofile", "--rcfile", str(start), "-i")

    def test_zsh(self):
        (self.folder / "functions").mkdir()
        shutil.copy(TOP / "completions/crossvm.zsh", self.folder / "functions/_crossvm")
        (self.folder / ".zshrc").write_text(
            f"fpath=({self.folder}/functions $fpath)\nautoload -Uz compinit\ncompinit -u\nPS1='{PROMPT}'\n"
            "unset zle_bracketed_paste\nunsetopt prompt_sp\n"
        )
        self.check("zsh", "-i")

    def test_fish(self):
        prepare = f"source {TOP}/completions/crossvm.fish; function fish_prompt; echo -n '{PROMPT}'; end; set fish_greeting"
        self.check("fish", "--init-command", prepare, "-i")


if __name__ == "__main__":
    unittest.main()
