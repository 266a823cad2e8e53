# SPDX-License-Identifier: BSD-2-Clause
"""Hubs that are killed under the commands that look on, and under those that record and replay."""

import os
import pathlib
import random
import signal
import subprocess
import unittest

from lines import Lines
from rounds import OBSERVED_HUB_KILLS, rounds
from test_record import PATIENCE, Recorder, capture, parse

MESSAGES = [b"%d" % i * (i % 50) for i in range(20000)]


def holdings(process):
    """Descriptors, and mappings of connections' memory."""
    maps = pathlib.Path(f"/proc/{process.pid}/maps").read_text()
    return len(os.listdir(f"/proc/{process.pid}/fd")), maps.count("memfd:")


def least_holdings(process):
    """Between two looks for hubs, during which it holds more."""
    return min(holdings(process) for _ in range(100))


class HubKills(Recorder):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "source.pcap"
        self.source.write_bytes(capture(MESSAGES))

    def watch(self, *arguments):
        program = self.start(*arguments, "--json", "--interval=0.1", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        lines = Lines(program)
        self.addCleanup(lambda: (program.kill(), lines.thread.join()))
        return lines

    def await_observers(self, busy):
        """Each shows the connection, with programs at both ends or none."""
        state = "ready" if busy else "absent"
        self.top.await_one(lambda report: [end["state"] for row in report["connections"] for end in row["ends"]] == [state] * 2)
        self.list.await_one(lambda ends: [end["peer"] for end in ends] == [state] * 2)

    def kill_hub(self):
        self.end(self.hub)
        self.top.await_one(lambda report: report["connections"] == [])
        self.list.await_one(lambda ends: ends == [])

    def start_hub(self):
        self.hub = self.start("pair", "link", stdout=subprocess.PIPE)
        self.assertEqual(b"link.0 link.1\n", self.hub.stdout.readline())
        self.await_observers(busy=False)

    def carry(self):
        """A recorder, and a program that replays to it."""
        self.file.unlink(missing_ok=True)
        record = self.start("record", "link.0", str(self.file), stderr=subprocess.PIPE)
        replay = self.start("replay", "--fast", str(self.source), "link.1", stderr=subprocess.PIPE)
        return record, replay

    def test_kills(self):
        """What was recorded is whole and in order, each command says that its hub is gone or goes on, and all works with the
        next hub."""
        self.top, self.list = self.watch("top"), self.watch("ls", "--watch")
        self.await_observers(busy=False)
        before = [least_holdings(lines.program) for lines in (self.top, self.list)]
        for _ in rounds("hubs killed under observers and recorders", OBSERVED_HUB_KILLS):
            record, replay = self.carry()
            self.await_size(random.randrange(24, 500000))
            self.kill_hub()
            for program in (record, replay):
                if program.wait(PATIENCE):  # else it was through
                    self.assertEqual(2, program.returncode)
                    self.assertRegex(program.stderr.read(), b"open it again when that is back|the other end of the channel")
                program.stderr.close()
            found = [message for _, message in parse(self.file.read_bytes())]
            self.assertEqual(MESSAGES[: len(found)], found)
            self.start_hub()
        record, replay = self.carry()
        self.assertEqual((0, 0), (replay.wait(PATIENCE), record.wait(PATIENCE)))
        self.assertEqual(MESSAGES, [message for _, message in parse(self.file.read_bytes())])
        self.await_observers(busy=False)
        for lines, held in zip((self.top, self.list), before):
            while least_holdings(lines.program) > held:
                pass
            self.assertEqual(0, self.end(lines.program, signal.SIGTERM))


if __name__ == "__main__":
    unittest.main()
