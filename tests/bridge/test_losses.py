# SPDX-License-Identifier: BSD-2-Clause
"""Messages that are lost, doubled or refused between bridges and a server: all numbers arrive, each once and in order."""

import re
import unittest

from bridging import BridgeTest
from lossy import LossyWay

NUMBERS = 300


def published(message):
    """Which number it is; each kind of message counts from 1, None is for others."""
    if message.verb == b"HPUB" and message.subject == "x":
        return int.from_bytes(message.content.partition(b"\r\n\r\n")[2][:8], "little") + 1
    return None


def answered(message):
    found = re.search(rb'"seq":(\d+)', message.content) if message.verb == b"MSG" else None
    return int(found.group(1)) if found else None


def delivered(message):
    """Where it is acknowledged is $JS.ACK.STREAM.CONSUMER.TIMES.NUMBER and more."""
    return int(message.reply.split(".")[5]) if message.reply.startswith("$JS.ACK.") else None


def acknowledged(message):
    return message.verb == b"PUB" and message.subject.startswith("$JS.ACK.") and int(message.subject.split(".")[5])


class Trouble:
    """Happens to messages of a kind. times: how often the first one with a number goes on."""

    def __init__(self, number_of, times):
        self.number_of, self.times, self.count = number_of, times, 0

    def __call__(self, message):
        number = self.number_of(message)
        if not number:
            return 1
        self.count += 1
        return self.times.pop(number, 1)


class Losses(BridgeTest):
    def setUp(self):
        super().setUp()
        self.nats = self.server()
        self.way = LossyWay(self.nats)
        self.addCleanup(self.way.close)
        self.pair("from")
        self.pair("to")

    def carry(self, number_of, times):
        """All numbers, on a way with such trouble. Gives how many messages of that kind there were."""
        self.way.passes = Trouble(number_of, times)
        bridges = {"from": self.bridge("from", self.way, "--send", "x", "--send-stream", "S"),
                   "to": self.bridge("to", self.way, "--receive", "x", "--receive-stream", "S")}
        taker = self.taker("to", NUMBERS, 1)
        sender = self.sender("from", NUMBERS)
        self.go(sender)
        self.finish(taker)
        self.finish(sender)
        for name, bridge in bridges.items():
            self.end_bridge(bridge, name)
        self.assertEqual(self.nats.ask("STREAM.INFO.S")["state"]["last_seq"], NUMBERS)
        self.assertTrue(number_of == acknowledged or not self.way.passes.times)
        return self.way.passes.count

    def test_published_lost(self):
        """All behind it are refused, and published again."""
        self.assertGreater(self.carry(published, {50: 0}), NUMBERS)
        self.assertIn("stream S does not take a datagram: wrong last sequence", self.said("from"))

    def test_published_twice(self):
        self.assertGreaterEqual(self.carry(published, {7: 2, 100: 3}), NUMBERS)

    def test_answer_lost(self):
        """The next one says as much."""
        self.carry(answered, {10: 0, 11: 0})

    def test_last_answer_lost(self):
        """The stream is asked what it has."""
        self.carry(answered, {NUMBERS: 0})

    def test_delivered_lost(self):
        self.assertGreater(self.carry(delivered, {20: 0, 200: 0}), NUMBERS)

    def test_delivered_twice(self):
        self.carry(delivered, {30: 2, 100: 3})

    def test_last_delivered_lost(self):
        """A heartbeat tells that there was one."""
        self.assertGreater(self.carry(delivered, {NUMBERS: 0}), NUMBERS)

    def test_acknowledgements_lost(self):
        """Where a bridge was told to end, the next one begins all the same."""
        self.carry(acknowledged, dict.fromkeys(range(1, NUMBERS + 1), 0))
        receives = self.bridge("to", self.nats, "--receive", "x", "--receive-stream", "S")
        taker = self.endpoint("to", "pull", 1, NUMBERS)
        self.nats.publish(b"x", NUMBERS.to_bytes(8, "little"))
        taker.communicate("\n")
        self.assertEqual(taker.returncode, 0)
        self.end_bridge(receives, "to")


if __name__ == "__main__":
    unittest.main(verbosity=2)
