# SPDX-License-Identifier: BSD-2-Clause
"""A server, a bridge, a hub or a program is killed at any point: what was sent arrives, each number once and in order."""

import os
import pathlib
import random
import sys
import unittest

from bridging import ENDPOINT, PATIENCE, BridgeTest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "qemu"))
from rounds import BRIDGE_KILLS, BRIDGE_PROGRAM_KILLS, rounds  # noqa: E402

NUMBERS = 3000  # of a round: more than the ring has room for
LISTED = 300  # messages that there are for each program that is killed
WITHHELD = 4096 // 16 + 1  # that a program may have taken without having told, from a dataport of 64 KiB
VICTIMS = ("server", "from bridge", "to bridge", "from hub", "to hub")


class Kills(BridgeTest):
    def start_from(self):
        self.running["from bridge"] = self.bridge("from", self.nats, "--send", "a.b", "--send-stream", "STREAM")

    def start_to(self):
        self.running["to bridge"] = self.bridge("to", self.nats, "--receive", "a.b", "--receive-stream", "STREAM")

    def restart(self, victim):
        if victim == "server":
            self.nats.kill()
            self.nats.start()
            return
        side = victim.split()[0]
        self.running[victim].kill()
        self.running[victim].wait()
        if victim.endswith("hub"):
            bridge = self.running[side + " bridge"]
            bridge.wait(PATIENCE)
            self.assertEqual(bridge.returncode, 2, self.said(side))
            self.running[victim] = self.pair(side)
        self.start_from() if side == "from" else self.start_to()

    def test_any_of_them_at_any_point(self):
        self.nats = self.server()
        self.running = {"from hub": self.pair("from"), "to hub": self.pair("to")}
        self.start_from()
        self.start_to()
        taker = self.taker("to", NUMBERS)
        sender = self.sender("from", NUMBERS)
        for i in rounds("servers, bridges and hubs of bridges killed", BRIDGE_KILLS):
            watched = (taker, sender)[i // len(VICTIMS) % 2]
            self.go(sender)
            for _ in range(random.randrange(NUMBERS // 100)):
                watched.line()
            self.restart(VICTIMS[i % len(VICTIMS)])
            self.await_done(sender, taker)
        self.finish(sender)


class Programs(BridgeTest):
    def test_one_that_takes(self):
        """Its successor goes on where it was: no message is lost but the one in its hands, and few come again."""
        server = self.server()
        self.pair("from")
        self.pair("to")
        self.bridge("from", server, "--send", "a.b", "--send-stream", "STREAM")
        self.bridge("to", server, "--receive", "a.b", "--receive-stream", "STREAM")
        sender = self.sender("from", LISTED, env={**os.environ, "SIZE": "8"})
        following = 0
        for _ in rounds("programs that take from a bridge killed", BRIDGE_PROGRAM_KILLS):
            self.go(sender)
            program = self.start(ENDPOINT, "to.0", "list")
            listed = [int(program.line()) for _ in range(random.randrange(1, LISTED))]
            program.kill()
            listed += map(int, program.stdout.read().split())
            self.assertEqual(listed, list(range(listed[0], listed[0] + len(listed))))
            self.assertLessEqual(listed[0], following + 1)
            self.assertLessEqual(following - WITHHELD, listed[0])
            following = listed[-1] + 1
        program = self.start(ENDPOINT, "to.0", "list")
        self.go(sender)
        while int(program.line()) < (BRIDGE_PROGRAM_KILLS + 1) * LISTED - 1:
            pass
        self.finish(sender)

    def test_one_that_sends(self):
        """What calls had said is sent arrives, each once and in order, however full the ring was, and then what its successor sends."""
        server = self.server()
        self.pair("from")
        self.pair("to")
        self.bridge("from", server, "--send", "a.b", "--send-stream", "STREAM")
        self.bridge("to", server, "--receive", "a.b", "--receive-stream", "STREAM")
        lists = self.start(ENDPOINT, "to.0", "list")
        program = self.send_from(0)
        self.assertEqual(lists.line(), "0")
        for i in rounds("programs that send into a bridge killed", BRIDGE_PROGRAM_KILLS):
            said = random.randrange(1, NUMBERS // 100)
            for _ in range(said):
                program.line()
            program.kill()
            said += program.stdout.read().count("more")
            program = self.send_from((i + 1) * NUMBERS)
            self.assertGreaterEqual(self.count_arrived(lists, i * NUMBERS), 100 * said)

    def send_from(self, first):
        program = self.endpoint("from", "push", NUMBERS, first)
        self.go(program)
        return program

    def count_arrived(self, lists, first):
        """How many numbers come, in order, before those of the next program. The first one has been read."""
        following = first + 1
        while (number := int(lists.line())) < first + NUMBERS:
            self.assertEqual(number, following)
            following += 1
        self.assertEqual(number, first + NUMBERS)
        return following - first


if __name__ == "__main__":
    unittest.main()
