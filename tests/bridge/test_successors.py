# SPDX-License-Identifier: BSD-2-Clause
"""What a bridge that is killed leaves to the next one, while the program at the other end has not noticed: nothing is lost or comes
twice. tests/bridge/test_kills.py kills at any point; here each point is a chosen one."""

import unittest

from bridging import BridgeTest

NUMBERS = 100
TAKEN = 40


class Successors(BridgeTest):
    def setUp(self):
        super().setUp()
        self.nats = self.server()
        self.nats.make_stream("S", "x")
        self.pair("from")
        self.pair("to")

    def sends(self, **options):
        return self.bridge("from", self.nats, "--send", "x", "--send-stream", "S", **options)

    def receives(self):
        return self.bridge("to", self.nats, "--receive", "x", "--receive-stream", "S")

    def publish(self, *numbers):
        self.nats.publish(b"x", *(number.to_bytes(8, "little") for number in numbers))

    def turn(self, program):
        self.go(program)
        self.await_done(program)

    def end_input(self, program):
        program.stdin.close()
        program.stdin = None
        self.finish(program)

    def kill_bridge(self, bridge):
        bridge.kill()
        bridge.wait()

    def test_messages_in_the_ring(self):
        """The program goes on taking them: they do not come again."""
        first = self.receives()
        taker = self.endpoint("to", "pull", TAKEN)
        self.await_count("to", first, "received 0")
        self.publish(*range(2 * TAKEN))
        self.turn(taker)
        self.await_count("to", first, f"received {2 * TAKEN}")
        self.kill_bridge(first)
        second = self.receives()
        self.turn(taker)
        self.publish(*range(2 * TAKEN, 3 * TAKEN))
        self.turn(taker)
        self.end_input(taker)
        self.end_bridge(second, "to")
        self.assertEqual(len(self.nats.ask("CONSUMER.NAMES.S")["consumers"]), 1)

    def test_messages_of_a_program_that_dies_too(self):
        """Those that it had not taken go to its successor."""
        first = self.receives()
        taker = self.endpoint("to", "pull", TAKEN)
        self.await_count("to", first, "received 0")
        self.publish(*range(NUMBERS))
        self.turn(taker)
        self.await_count("to", first, f"received {NUMBERS}")
        self.kill_bridge(first)
        taker.kill()
        taker.wait()
        second = self.receives()
        lists = self.start(taker.args[0], "to.0", "list")
        numbers = [int(lists.line())]
        self.assertLessEqual(numbers[0], TAKEN)
        self.publish(NUMBERS)
        while numbers[-1] != NUMBERS:
            numbers.append(int(lists.line()))
        self.assertEqual(numbers, list(range(numbers[0], NUMBERS + 1)))
        self.assertRegex(self.said("to"), rf"has left 0 datagrams, .*, and {NUMBERS - numbers[0]} messages")
        lists.kill()
        lists.wait()
        second.kill()

    def test_datagrams_in_the_ring(self):
        """Of a server that does not answer nobody knows what it has. The program goes on, and does not look."""
        receives = self.receives()
        first = self.sends()
        sender = self.endpoint("from", "push", NUMBERS)
        self.turn(sender)
        self.await_count("from", first, f"sent {NUMBERS}")
        self.nats.suspend()
        self.turn(sender)
        self.await_count("from", first, f"on their way {NUMBERS} and")
        self.kill_bridge(first)
        self.nats.resume()
        second = self.sends()
        self.await_count("from", second, f"sent {NUMBERS}")
        self.turn(sender)
        taker = self.taker("to", 3 * NUMBERS, 1)
        self.finish(taker)
        self.end_input(sender)
        self.end_bridge(second, "from")
        self.end_bridge(receives, "to")
        self.assertEqual(self.nats.ask("STREAM.INFO.S")["state"]["last_seq"], 3 * NUMBERS)

    def test_datagrams_that_the_stream_has(self):
        """The bridge is killed after it released them, and the ring has gone round."""
        first = self.sends()
        sender = self.endpoint("from", "push", 10 * NUMBERS)
        self.turn(sender)
        self.await_count("from", first, f"sent {10 * NUMBERS}")
        self.kill_bridge(first)
        second = self.sends()
        self.turn(sender)
        self.end_input(sender)
        self.end_bridge(second, "from")
        self.assertEqual(self.nats.ask("STREAM.INFO.S")["state"]["last_seq"], 20 * NUMBERS)

    def test_another_bridge(self):
        """One that sends elsewhere takes nothing of what was meant for this stream. What the program sends before it notices is lost."""
        first = self.sends()
        self.nats.make_stream("OTHER", "y")
        sender = self.endpoint("from", "push", NUMBERS)
        self.turn(sender)
        self.await_count("from", first, f"sent {NUMBERS}")
        self.nats.suspend()
        self.turn(sender)
        self.await_count("from", first, f"on their way {NUMBERS} and")
        self.kill_bridge(first)
        self.nats.resume()
        second = self.bridge("from", self.nats, "--send", "y", "--send-stream", "OTHER")
        self.report("from", second)
        self.turn(sender)
        self.end_input(sender)
        self.end_bridge(second, "from")
        self.assertLessEqual(self.nats.ask("STREAM.INFO.OTHER")["state"]["last_seq"], NUMBERS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
