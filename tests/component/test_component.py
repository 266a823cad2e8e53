# SPDX-License-Identifier: BSD-2-Clause
"""Native components: what programs at the other end get from them, and what they can do to them.

No test decides by a time: PATIENCE only bounds a hang.
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import unittest

import crossvm

TOOL = os.environ["CROSSVM_TOOL"]
COMPONENT = os.environ["CROSSVM_COMPONENT"]
PATIENCE = 600  # seconds
SIZES = {"echo": "256K", "text": "256K", "samples": "64K"}


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-component-"))
        self.addCleanup(shutil.rmtree, self.directory)
        os.environ["CROSSVM_DIR"] = str(self.directory)
        for name, size in SIZES.items():
            pair = subprocess.Popen([TOOL, "pair", name, "-p", size], stdout=subprocess.PIPE, text=True)
            self.addCleanup(self.end_pair, pair)
            self.assertEqual(pair.stdout.readline(), f"{name}.0 {name}.1\n")
        self.start()

    def end_pair(self, pair):
        pair.terminate()
        self.assertEqual(pair.wait(PATIENCE), 0)
        pair.stdout.close()

    def start(self):
        self.echo = subprocess.Popen([COMPONENT, "echo", "echo.1", "text.1"])
        self.samples = subprocess.Popen([COMPONENT, "samples", "samples.1"])
        self.addCleanup(self.kill, self.echo)
        self.addCleanup(self.kill, self.samples)

    def kill(self, component):
        component.kill()
        component.wait(PATIENCE)

    def tool(self, *arguments, data=b""):
        done = subprocess.run([TOOL, *arguments], input=data, capture_output=True, timeout=PATIENCE)
        errors = [line for line in done.stderr.splitlines() if not line.startswith(b"crossvm: waiting for ")]
        self.assertEqual((done.returncode, errors), (0, []))
        return done.stdout

    def ping(self):
        self.assertIn(b"20 sent, 20 answered", self.tool("ping", "-q", "-f", "-c", "20", "echo.0"))

    def send_text(self, size):
        data = random.randbytes(size)
        self.assertEqual(self.tool("cat", "text.0", data=data), data)

    def ask(self, channel, question, answer):
        channel.send(question, timeout=PATIENCE)
        received = channel.recv(timeout=PATIENCE)
        self.assertEqual(len(received), 4 * answer)
        numbers = memoryview(received).cast("I").tolist()
        self.assertEqual(numbers, [number + numbers[0] for number in range(answer)] if numbers else [])


class Answers(Case):
    def test_ping(self):
        for _ in range(3):
            self.ping()

    def test_ping_of_camkes(self):
        """A component that emits by a function."""
        self.kill(self.echo)
        self.echo = subprocess.Popen([COMPONENT, "camkes", "echo.1"])
        self.addCleanup(self.kill, self.echo)
        for _ in range(3):
            self.ping()

    def test_cat(self):
        for size in (0, 1, 100, 65536, 1000003):
            self.send_text(size)

    def test_all_at_once(self):
        cat = subprocess.Popen([TOOL, "cat", "text.0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ping()
        output, _ = cat.communicate(b"hello", timeout=PATIENCE)
        self.assertEqual((cat.returncode, output), (0, b"hello"))

    def test_bench(self):
        results = json.loads(self.tool("bench", "--json", "--time=0.01", "echo.0"))["results"]
        self.assertTrue(all(result["from_peer"]["messages_per_second"] > 0 for result in results), results)

    def test_samples(self):
        with crossvm.End("samples.0") as end, end.datagram() as channel:
            most = channel.max_message // 4
            for question, answer in ((b"1", 1), (b"100", 100), (b"", 0), (b"x", 0), (b"999999999", most)):
                self.ask(channel, question, answer)


class Killed(Case):
    def test_again_and_again(self):
        """A program's channel ends with the component, and the next component serves the next program."""
        for _ in range(100):
            with crossvm.End("samples.0") as end:
                with end.datagram() as channel:
                    for _ in range(random.randrange(1, 5)):
                        self.ask(channel, b"7", 7)
                    self.kill(self.samples)
                    self.assertRaises(BrokenPipeError, channel.recv, timeout=PATIENCE)
                self.samples = subprocess.Popen([COMPONENT, "samples", "samples.1"])
                with end.datagram() as channel:
                    self.ask(channel, b"3", 3)
        self.addCleanup(self.kill, self.samples)


class Hostile(Case):
    """A program that writes what it likes into the dataport. The components have sanitizers."""

    def disturb(self, name, rounds):
        with crossvm.End(f"{name}.0") as end, end.dataports[0].memory as memory:
            size = len(memory)
            for i in range(rounds):
                begin = random.choice((0, random.randrange(512), random.randrange(size)))
                piece = random.choice((bytes(8), b"\xff" * 8, random.randbytes(random.randrange(1, 300))))
                piece = piece[: size - begin]
                memory[begin : begin + len(piece)] = piece
                end.emit()
                if i % 100 == 99:
                    self.disturb_session(end, memory)
            memory[:] = bytes(size)

    def disturb_session(self, end, memory):
        """A session that looks right at first."""
        with random.choice((end.stream, end.datagram))() as channel:
            try:
                channel.send(random.randbytes(20), timeout=1)
                for _ in range(20):
                    begin = random.choice((random.randrange(512), random.randrange(len(memory) - 8)))
                    memory[begin : begin + 8] = random.choice((b"\xff" * 8, random.randbytes(8)))
                    channel.send(random.randbytes(random.randrange(1000)), timeout=0)
            except OSError:  # the channel notices what it wrote itself, or the component has ended the session
                pass

    def test_garbage(self):
        for name in SIZES:
            self.disturb(name, 30000)
        self.assertIsNone(self.echo.poll())
        self.assertIsNone(self.samples.poll())
        self.ping()
        self.send_text(1000)
        with crossvm.End("samples.0") as end, end.datagram() as channel:
            self.ask(channel, b"5", 5)


if __name__ == "__main__":
    unittest.main()
