# SPDX-License-Identifier: BSD-2-Clause
"""A server, a bridge or a hub is killed at any point: all numbers arrive, each once and in order."""

import pathlib
import random
import sys
import unittest

from bridging import PATIENCE, BridgeTest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "qemu"))
from rounds import BRIDGE_KILLS, rounds  # noqa: E402

NUMBERS = 3000  # of a round: more than the ring has room for
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


if __name__ == "__main__":
    unittest.main()
