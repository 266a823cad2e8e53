# SPDX-License-Identifier: BSD-2-Clause
"""A VMM is killed at any point while its guest takes messages from a bridge, and sends each of them back: what the guest has sent is
in the stream, once and in order, and what it had not taken goes to the guest that comes after it."""

import random
import unittest

from bridging import ENDPOINT, Server
from command import Program
from machines import TOOL, QemuTest
from rounds import BRIDGE_VMM_KILLS, rounds

NUMBERS = 2000  # of a round
BYTES = 64
WITHHELD = 4096 // (BYTES + 8) + 1  # that a guest may have taken without having told, from a dataport of 64 KiB


class BridgeTest(QemuTest):
    programs = (ENDPOINT,)

    def start(self, *command):
        program = Program(*command, stderr=None)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def setUp(self):
        super().setUp()
        self.nats = Server(self.directory / "server")
        self.nats.start()
        self.addCleanup(self.nats.kill)
        for name, subject in (("THERE", "there"), ("BACK", "back")):
            self.nats.make_stream(name, subject)
        self.link = self.pair("link", "64K")
        self.pair("result", "64K", ends=("host", "host"))
        bridge = (TOOL, "bridge", "--server", self.nats.url)
        self.start(*bridge, "link.1", "--receive=there", "--receive-stream=THERE", "--send=back", "--send-stream=BACK")
        self.start(*bridge, "result.1", "--receive=back", "--receive-stream=BACK")
        self.came_back = self.start(ENDPOINT, "result.0", "list")
        self.last, self.breaks = -1, 0

    def take(self):
        """The next number that came back. A guest may begin anew where the one before it ended: what that had in its hands is lost,
        and what it took without having told comes again."""
        number = int(self.came_back.line())
        if number != self.last + 1:
            self.breaks += 1
            self.assertLessEqual(number, self.last + 2)
            self.assertGreater(number, self.last - WITHHELD)
        self.last = number

    def begin(self):
        vm = self.guest(self.link)
        vm.load_driver()
        vm.start(f"{ENDPOINT} link echo")
        return vm

    def kill_at_any_point(self):
        for i in rounds("VMMs with a bridge killed", BRIDGE_VMM_KILLS):
            vm = self.begin()
            self.nats.publish(b"there", *((i * NUMBERS + j).to_bytes(8, "little") + bytes(BYTES - 8) for j in range(NUMBERS)))
            for _ in range(random.randrange(1, NUMBERS)):
                self.take()
            vm.kill()
            self.assertLessEqual(self.breaks, i)
        self.begin()
        while self.last < BRIDGE_VMM_KILLS * NUMBERS - 1:
            self.take()


class Ivshmem(BridgeTest):
    door = "ivshmem"

    def test_kills(self):
        self.kill_at_any_point()


class VfioUser(BridgeTest):
    def test_kills(self):
        self.kill_at_any_point()


if __name__ == "__main__":
    unittest.main()
