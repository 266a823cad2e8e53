# SPDX-License-Identifier: BSD-2-Clause
"""Each system call that a program makes until it is ready fails once, with each of the errors of a system that is short of
something. strace makes it fail, from outside: so it does with programs that are static and that confine themselves."""

import collections
import pathlib
import random
import re
import sys
import tempfile
import unittest

import programs
from namespace import become_able
from rounds import CALLS, LONG, rounds, seed

ERRORS = ("ENOSPC", "EMFILE", "ENFILE", "ENOMEM")

# Calls that the system does not refuse so, or with which a program gives something back. Linux answers brk() with the end of
# the heap as it is, which is no error for strace: tests/allocations is for memory.
NEVER = {"brk", "close", "munmap", "exit_group", "getpid", "getuid", "geteuid", "rt_sigaction", "rt_sigprocmask", "prlimit64", "kill"}
NEVER |= {"execve", "futex", "wait4", "unlink", "getppid", "setpgid", "clock_nanosleep"}

# Nor does it refuse an event.
EMIT = re.compile(r'write\(\d+, "\\1\\0\\0\\0\\0\\0\\0\\0", 8\)')

# main() of each program begins with the standard streams. What is before is the C library's.
FIRST = re.compile(r"fcntl\(0, F_GETFD\)")


def strace(trace, *options, follows=True):
    """A command that runs another one. What that starts is not traced once it is another program. follows: its threads are."""
    return ["strace", "-D", *(["-f"] if follows else []), "-qq", "-b", "execve", "-o", str(trace), "-e", "signal=none", *options, "--"]


def list_calls(kind, folder):
    """Calls that a program makes while it starts, in each of its threads: name, and which of that name in its thread. Not
    those of a thread with a filter: strace makes a call fail by another number, which no filter lets through. A program that
    is not confined makes the same ones."""
    program = kind()
    trace = folder / "trace"
    outcome = program.run(strace(trace))
    program.remove()
    counts = collections.defaultdict(collections.Counter)
    started, ready, confined, calls, forbidden = set(), set(), set(), set(), set()
    for line in trace.read_text().splitlines():
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match:
            continue
        thread, name = match.groups()
        counts[thread][name] += 1
        if FIRST.search(line):
            started.add(thread)
        begun = thread in started or (len(counts) > 1 and not kind.one_thread)
        if begun and kind.ready and kind.first_wait.search(line):
            ready.add(thread)
        call = (name, counts[thread][name])
        if thread in confined:
            forbidden.add(call)
        elif begun and thread not in ready and name not in NEVER | kind.never and not EMIT.search(line):
            calls.add(call)
        if "SECCOMP_SET_MODE_FILTER, 0, {" in line:
            confined.add(thread)
    return outcome, sorted(calls - forbidden)


class Startup(unittest.TestCase):
    def setUp(self):
        programs.adopt_orphans()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def refuse(self, kind, name, number, error):
        """Runs a program whose call fails, and returns what is wrong then, or None."""
        program = kind()
        trace = self.folder / "trace"
        inject = f"inject={name}:error={error}:when={number}"
        prefix = strace(trace, "-e", f"trace={name}", "-e", inject, follows=not kind.one_thread)
        outcome = program.run(prefix)
        program.remove()
        if "(INJECTED)" not in trace.read_text():
            return None  # another thread was there first
        if name == "flock":  # the file stays, since it may be that of another process that has the lock
            outcome.left = [file for file in outcome.left if not file.endswith(".lock")]
        fault = outcome.fault(program.status)
        return fault and f"{kind.__name__}: {name} number {number} fails with {error}: {fault}; it says: {outcome.said!r}"

    def check(self, kind):
        outcome, calls = list_calls(kind, self.folder)
        self.assertIsNone(outcome.fault(kind.status), outcome.said)
        faults = [(*call, error) for call in calls for error in ERRORS]
        if not LONG:
            faults = random.sample(faults, min(CALLS, len(faults)))
        wrong = []
        for i in rounds(f"{kind.__name__}, calls that fail", len(faults)):
            wrong.append(self.refuse(kind, *faults[i]))
        wrong = [text for text in wrong if text]
        self.assertEqual(wrong, [], f"CROSSVM_SEED={seed}:\n" + "\n".join(wrong))


class Limits(Startup):
    def test_asynchronous_io(self):
        """As where many hubs run."""
        for kind in (programs.Pair, programs.Hub, programs.Vm):
            self.assertIsNone(self.refuse(kind, "io_setup", 1, "EAGAIN"))
            self.assertIn("(INJECTED)", (self.folder / "trace").read_text())


for kind in programs.ALL:
    setattr(Startup, f"test_{kind.__name__}", lambda self, kind=kind: self.check(kind))

if __name__ == "__main__":
    if any("Net" in argument for argument in sys.argv):
        become_able()
    unittest.main()
