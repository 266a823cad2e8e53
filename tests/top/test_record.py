# SPDX-License-Identifier: BSD-2-Clause
"""crossvm record and crossvm replay, over a connection of `crossvm pair`."""

import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from rounds import RECORDER_KILLS, rounds

TOOL = os.environ["CROSSVM_TOOL"]
MAKE_CALL = os.environ["CROSSVM_MAKE_CALL"]
PATIENCE = 300  # seconds; bounds a hang only

MESSAGES = [b"", b"x", b"hello", bytes(range(256)) * 20, b"\0\xff\n"] * 10


def capture(messages, order="<", magic=0xA1B23C4D, unit=10**9, step=0.0):
    """A pcap file, as another program would write it."""
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 147)]
    for i, message in enumerate(messages):
        when = 1_000_000_000 + i * step
        parts += struct.pack(order + "IIII", int(when), int(when % 1 * unit), len(message), len(message)), message
    return b"".join(parts)


def parse(file, cut=False):
    """The times and messages of a file that this machine wrote; cut: the last one may lack something, and is left out."""
    magic, major, minor, zone, accuracy, _, link = struct.unpack_from("=IHHiIII", file)
    assert (magic, major, minor, zone, accuracy, link) == (0xA1B23C4D, 2, 4, 0, 0, 147)
    at, found = 24, []
    while at < len(file):
        if cut and (at + 16 > len(file) or at + 16 + struct.unpack_from("=I", file, at + 8)[0] > len(file)):
            break
        seconds, fraction, length, full = struct.unpack_from("=IIII", file, at)
        assert fraction < 10**9 and length == full and at + 16 + length <= len(file)
        found.append((seconds + fraction / 1e9, file[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


class Recorder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {**os.environ, "CROSSVM_DIR": str(self.folder / "sockets")}
        self.hub = self.start("pair", "link", stdout=subprocess.PIPE)
        self.assertEqual(b"link.0 link.1\n", self.hub.stdout.readline())
        self.file = self.folder / "file.pcap"

    def start(self, *arguments, **options):
        program = subprocess.Popen([TOOL, *arguments], env=self.environment, **options)
        self.addCleanup(self.end, program)
        return program

    def end(self, program, number=signal.SIGKILL):
        if program.poll() is None:
            program.send_signal(number)
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream:
                stream.close()
        return program.wait(PATIENCE)

    def run_tool(self, *arguments, status=0, **options):
        done = subprocess.run([TOOL, *arguments], env=self.environment, capture_output=True, timeout=PATIENCE, **options)
        self.assertEqual(status, done.returncode, done)
        return done

    def send(self, messages):
        """Sends messages of any bytes as link.1."""
        names = []
        for i, message in enumerate(messages):
            names.append(str(self.folder / f"message-{i}"))
            pathlib.Path(names[-1]).write_bytes(message)
        self.run_tool("send", "link.1", "--files", *names)

    def await_size(self, size):
        while not self.file.exists() or self.file.stat().st_size < size:
            time.sleep(0.01)

    def replay(self, file, *arguments, status=0):
        """Replays a file to a recorder, and gives what came, and what replay said."""
        copy = self.folder / "copy.pcap"
        record = self.start("record", "link.0", str(copy))
        self.file.write_bytes(file)
        done = self.run_tool("replay", str(self.file), "link.1", *arguments, status=status)
        self.assertEqual(0, record.wait(PATIENCE))
        return parse(copy.read_bytes()), done.stderr.decode()


class RecordTest(Recorder):
    def test_record(self):
        record = self.start("record", "link.0", str(self.file))
        begin = time.time()
        self.send(MESSAGES)
        self.assertEqual(0, record.wait(PATIENCE))  # the other end has closed
        found = parse(self.file.read_bytes())
        self.assertEqual(MESSAGES, [message for _, message in found])
        times = [when for when, _ in found]
        self.assertEqual(sorted(times), times)
        self.assertTrue(begin - 1 < times[0] and times[-1] < time.time() + 1)

    def test_count_and_standard_output(self):
        record = self.start("record", "link.0", "-", "-n2", stdout=subprocess.PIPE)
        send = self.start("send", "link.1", "one", "two", stderr=subprocess.DEVNULL)
        self.assertEqual([b"one", b"two"], [message for _, message in parse(record.stdout.read())])
        self.assertEqual(0, record.wait(PATIENCE))
        send.wait(PATIENCE)

    def test_a_signal_keeps_all_that_came(self):
        record = self.start("record", "link.0", str(self.file))
        send = self.start("send", "link.1", stdin=subprocess.PIPE)
        send.stdin.write(b"one\ntwo\n")
        send.stdin.flush()
        self.await_size(24 + 2 * 19)
        self.assertEqual(0, self.end(record, signal.SIGINT))
        self.assertEqual([b"one", b"two"], [message for _, message in parse(self.file.read_bytes())])
        self.end(send)
        self.file.unlink()
        waiting = self.start("record", "link.0", str(self.file))
        self.await_size(0)
        self.assertEqual(0, self.end(waiting, signal.SIGTERM))
        self.assertEqual(b"", self.file.read_bytes())

    def test_no_connection_leaves_no_file(self):
        self.run_tool("record", "other", str(self.file), status=2)
        self.assertFalse(self.file.exists())
        self.file.write_bytes(b"older")
        self.run_tool("record", "other", str(self.file), status=2)
        self.assertEqual(b"older", self.file.read_bytes())

    def test_a_full_disk(self):
        """The file may grow to a limit; what is in it is whole."""
        record = self.start("record", "link.0", str(self.file), stderr=subprocess.PIPE,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000)))
        send = self.start("send", "link.1", *["x" * 1000] * 20, stderr=subprocess.DEVNULL)
        self.assertEqual(2, record.wait(PATIENCE))
        self.assertEqual([b"x" * 1000] * 9, [message for _, message in parse(self.file.read_bytes())])
        self.assertIn(b"it holds the first 9 messages", record.stderr.read())
        send.wait(PATIENCE)

    def test_replay(self):
        found, errors = self.replay(capture(MESSAGES))
        self.assertEqual((MESSAGES, ""), ([message for _, message in found], errors))

    def test_files_of_other_machines(self):
        for order, magic, unit in ((">", 0xA1B23C4D, 10**9), ("<", 0xA1B2C3D4, 10**6), (">", 0xA1B2C3D4, 10**6)):
            found, errors = self.replay(capture(MESSAGES, order, magic, unit, 0.001))
            self.assertEqual((MESSAGES, ""), ([message for _, message in found], errors))

    def test_times_are_kept(self):
        """No message comes earlier than it did, after the first one; how late it may come, no test can say."""
        found, _ = self.replay(capture([b"x"] * 11, step=0.05))
        for i, (when, _) in enumerate(found):
            self.assertGreaterEqual(when - found[0][0], i * 0.05 - 0.02)  # when the first was taken is not when it was sent
        found, _ = self.replay(capture([b"x"] * 11, step=1000), "--fast")
        self.assertEqual(11, len(found))

    def test_times_that_go_back(self):
        found, _ = self.replay(capture([b"x"] * 5, step=-1000))
        self.assertEqual(5, len(found))

    def test_standard_input(self):
        record = self.start("record", "link.0", str(self.file))
        self.run_tool("replay", "-", "link.1", input=capture(MESSAGES))
        self.assertEqual(0, record.wait(PATIENCE))
        self.assertEqual(MESSAGES, [message for _, message in parse(self.file.read_bytes())])

    def test_files_that_are_cut(self):
        whole = capture([b"one", b"two", b"three"])
        for length in range(24 + 2 * 19 + 1, len(whole)):
            found, errors = self.replay(whole[:length], status=2)
            self.assertEqual([b"one", b"two"], [message for _, message in found])
            self.assertIn("is cut short in message 3; the 2 before it are whole", errors)

    def test_files_that_are_none(self):
        def refused(file, sentence):
            self.file.write_bytes(file)
            self.assertIn(sentence, self.run_tool("replay", str(self.file), "link.1", status=2).stderr.decode())

        refused(b"", "is too short")
        refused(b"x" * 100, "does not begin as a pcap file does")
        refused(struct.pack("=IHHiIII", 0xA1B23C4D, 3, 4, 0, 0, 65535, 147), "another version of the format than 2")

        def refused_message(record, sentence):
            found, errors = self.replay(capture([b"one"]) + record, status=2)
            self.assertEqual([b"one"], [message for _, message in found])
            self.assertIn(sentence, errors)

        refused_message(struct.pack("=IIII", 1, 10**9, 1, 1) + b"x", "has an impossible time in message 2")
        refused_message(struct.pack("=IIII", 1, 0, 1, 2) + b"x", "has only a part of message 2")
        refused_message(struct.pack("=IIII", 1, 0, 2**32 - 1, 2**32 - 1), "has 4294967295 bytes in message 2")

    def test_an_older_recording_stays_until_something_comes(self):
        self.file.write_bytes(b"what was there before")
        self.run_tool("record", "link.0", str(self.file), "-t0.05", status=1)
        self.run_tool("record", "no-such-connection", str(self.file), status=2)
        self.assertEqual(b"what was there before", self.file.read_bytes())
        record = self.start("record", "link.0", str(self.file))
        self.run_tool("send", "link.1", "new")
        self.assertEqual(0, record.wait(PATIENCE))
        self.assertEqual([b"new"], [message for _, message in parse(self.file.read_bytes())])

    def test_command_lines(self):
        self.assertIn(b"FILE is missing", self.run_tool("record", "link.0", status=2).stderr)
        self.assertIn(b"the NAME of a connection is missing", self.run_tool("record", status=2).stderr)
        self.assertIn(b"FILE is missing", self.run_tool("replay", status=2).stderr)
        self.assertIn(b"the NAME of a connection is missing", self.run_tool("replay", "x", status=2).stderr)
        self.assertIn(b"what is", self.run_tool("record", "link.0", "x", "y", status=2).stderr)
        self.assertIn(b"cannot write", self.run_tool("record", "link.0", "/no/x", status=2).stderr)
        self.assertIn(b"cannot read", self.run_tool("replay", "/no/x", "link.0", status=2).stderr)
        self.assertIn(b"did not come in time", self.run_tool("record", "link.0", "-", "-t0.05", status=1).stderr)

    def test_confined(self):
        """A call that is not on the list ends the process."""
        for arguments in (("record", "link.0", str(self.file)), ("replay", str(self.file), "link.0")):
            self.file.write_bytes(capture([b"x"]))
            program = self.start(*arguments, stderr=subprocess.PIPE)
            subprocess.run([MAKE_CALL, str(program.pid), "crossvm"], check=True, timeout=PATIENCE)
            self.assertEqual(-signal.SIGSYS, program.wait(PATIENCE))
            self.assertIn(b"the thread main made the system call openat", program.stderr.read())


class KillTest(Recorder):
    def test_a_recorder_that_is_killed(self):
        """What it has written are the first messages, and at most a part of the next; the next session goes.

        The kernel ends a write between two pages, for a process that is killed."""
        source = self.folder / "source.pcap"
        messages = [b"%d" % i * (i % 50) for i in range(20000)]
        source.write_bytes(capture(messages))
        for _ in rounds("recorders killed", RECORDER_KILLS):
            self.file.unlink(missing_ok=True)
            record = self.start("record", "link.0", str(self.file))
            replay = self.start("replay", "--fast", str(source), "link.1", stderr=subprocess.PIPE)
            self.await_size(random.randrange(24, 500000))
            self.end(record)
            file = self.file.read_bytes()
            found = [message for _, message in parse(file, cut=True)]
            self.assertEqual(messages[: len(found)], found)
            is_cut = len(capture(found)) < len(file)
            if replay.wait(PATIENCE):  # else it was through
                self.assertEqual(2, replay.returncode)
                self.assertIn(b"link.1", replay.stderr.read())
            replay.stderr.close()
            receiver = self.start("recv", "link.0", stdout=subprocess.DEVNULL)
            done = self.run_tool("replay", "--fast", str(self.file), "link.1", status=2 if is_cut else 0)
            self.assertEqual(0, receiver.wait(PATIENCE))
            sentence = f"is cut short in message {len(found) + 1}; the {len(found)} before it are whole"
            self.assertEqual(is_cut, sentence in done.stderr.decode(), done)


if __name__ == "__main__":
    unittest.main()
