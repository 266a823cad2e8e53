# SPDX-License-Identifier: BSD-2-Clause
"""crossvm attach and detach, against a stand-in for QEMU's monitor that may be broken or hostile."""

import json
import os
import random
import re
import socket
import unittest

from command import PATIENCE, CommandTest
from fake_qemu import GREETING, FakeQemu, Refusal


# What a command says whose time is over, at each point of the conversation
GIVES_UP = "another program may have|does not answer|takes no command|no driver of the guest|has not let go"


class PlugTest(CommandTest):
    kind = FakeQemu

    def setUp(self):
        super().setUp()
        self.monitor = self.directory / "monitor"
        self.socket = str(self.serve("sensor@alpha.vfio-user"))
        self.qemu = self.start()

    def start(self):
        qemu = self.kind(self.monitor, bay=None)
        self.addCleanup(qemu.stop)
        return qemu

    def arguments(self, command, *arguments, seconds=PATIENCE):
        return command, "sensor", f"--qmp={self.monitor}", f"--timeout={seconds}", *arguments

    def attach(self, *arguments, **options):
        return self.output(*self.arguments("attach", *arguments, **options))

    def attach_error(self, *arguments, status=2, **options):
        return self.error(*self.arguments("attach", *arguments, **options), status=status)

    def detach(self):
        return self.output(*self.arguments("detach"))

    def detach_error(self, **options):
        return self.error(*self.arguments("detach", **options))

    def commands(self):
        return [command for command, _ in self.qemu.requests]

    def assert_gives_up(self, error, pattern):
        """The time is over at some point of the conversation: on a busy machine, a longer time gets to the point."""
        seconds = 0.1
        while not re.search(pattern, sentence := error(seconds=seconds)):
            self.assertRegex(sentence, GIVES_UP)
            self.assertLess(seconds, PATIENCE, sentence)
            seconds *= 2


class Attach(PlugTest):
    def test_vfio_user(self):
        self.assertEqual(self.attach(), b'connection "sensor" is attached: device crossvm-sensor at bay\n')
        self.assertIn(
            (
                "device_add",
                {
                    "driver": "vfio-user-pci",
                    "id": "crossvm-sensor",
                    "bus": "bay",
                    "socket": {"type": "unix", "path": self.socket},
                },
            ),
            self.qemu.requests,
        )

    def test_nothing_loads_modules(self):
        """A QEMU whose package was upgraded aborts when it is to list all that it could load."""
        self.attach()
        self.detach()
        known = {"qmp_capabilities", "qom-list", "qom-get", "query-pci", "device_add", "device_del", "chardev-remove"}
        self.assertEqual(set(self.commands()), known)

    def test_ivshmem(self):
        os.unlink(self.socket)
        path = str(self.serve("sensor@alpha.ivshmem"))
        self.qemu.chardevs = ["crossvm-sensor"]  # left by a detach that was interrupted
        self.attach()
        backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": path}}, "server": False}}
        self.assertEqual(
            [request for request in self.qemu.requests if "add" in request[0]],
            [
                ("chardev-add", {"id": "crossvm-sensor", "backend": backend}),
                (
                    "device_add",
                    {
                        "driver": "ivshmem-doorbell",
                        "id": "crossvm-sensor",
                        "bus": "bay",
                        "chardev": "crossvm-sensor",
                        "vectors": 1,
                    },
                ),
            ],
        )
        self.detach()
        self.assertEqual(self.qemu.chardevs, [])

    def test_ivshmem_without_kvm(self):
        """QEMU would crash later, so nothing is taken out."""
        os.unlink(self.socket)
        self.serve("sensor@alpha.ivshmem")
        self.attach()
        self.qemu.kvm = False
        self.assertIn("crashes some time after ivshmem-doorbell was taken out; power the guest off", self.detach_error())
        self.assertNotIn("device_del", self.commands())

    def test_a_refusal_leaves_nothing_behind(self):
        os.unlink(self.socket)
        self.serve("sensor@alpha.ivshmem")
        self.qemu.models = ()
        self.assertEqual(self.attach_error(), 'connection "sensor": QEMU 11.1.3 has no device ivshmem-doorbell')
        self.assertEqual(self.qemu.chardevs, [])

    def test_choice_of_a_port(self):
        self.qemu.ports = {"full": "disk", "fixed": None, "free": None, "other": None}
        self.qemu.no_hotplug = ("fixed",)
        self.assertIn(b" at free\n", self.attach())
        self.qemu.ports["free"] = None
        self.assertIn(b" at here\n", self.attach("--bus=here"))

    def test_no_port_is_free(self):
        for ports in ({}, {"full": "disk"}):
            self.qemu.ports = ports
            self.assertRegex(self.attach_error(), "no free PCIe root port; start it with .*-device pcie-root-port,id=")
        self.assertNotIn("device_add", self.commands())

    def test_a_port_that_is_taken_out_meanwhile(self):
        """... is passed over, and a monitor that closes then is not."""
        self.qemu.ports = {"gone": None, "bay": None}
        listing = self.qemu.qom_list
        closes = False

        def qom_list(path):
            if path.endswith("/gone"):
                raise Refusal(f"Object path '{path}' not found")
            if path.endswith("/bay") and closes:
                raise ConnectionResetError
            return listing(path)

        self.qemu.qom_list = qom_list
        self.assertIn(b" at bay\n", self.attach("--no-wait"))
        self.qemu.ports["bay"] = None
        closes = True
        self.assertIn("closed the monitor", self.attach_error())

    def test_an_old_qemu(self):
        self.qemu.models = ()
        self.assertEqual(
            self.attach_error(),
            'connection "sensor": QEMU 11.1.3 has no device vfio-user-pci; use QEMU 10.1 or newer, or give the end the '
            "door ivshmem",
        )

    def test_twice(self):
        self.attach()
        self.assertRegex(self.attach_error(), "is attached already, as device crossvm-sensor .* `crossvm detach`")

    def test_other_refusals_are_passed_on(self):
        def refuse(**_):
            raise Refusal("Failed to\x1b[31m connect\nto it")

        self.qemu.device_add = refuse
        self.assertEqual(
            self.attach_error(),
            'connection "sensor": QEMU 11.1.3 answers to device_add: Failed to [31m connect to it',
        )

    def test_a_guest_that_takes_its_time(self):
        looks = []
        query = self.qemu.query_pci

        def query_pci():
            looks.append(self.qemu)
            self.qemu.taken = len(looks) > 3
            return query()

        self.qemu.query_pci = query_pci
        self.attach()
        self.assertEqual(len(looks), 4)

    def test_a_guest_without_a_driver(self):
        self.qemu.taken = False
        self.assert_no_driver()

    def assert_no_driver(self):
        def attach(seconds):
            self.qemu.ports = {"bay": None}
            done = self.tool(*self.arguments("attach", seconds=seconds))
            self.assertEqual(b"is attached" in done.stdout, done.returncode == 1, done)
            return done.stderr.decode()

        self.assert_gives_up(attach, "no driver of the guest has put it into service in [0-9.]+ s")

    def test_a_guest_without_room(self):
        """... has a driver that enables the device and gives up."""
        self.qemu.has_room = False
        self.assert_no_driver()

    def test_a_device_without_bars(self):
        """... is none that a driver could have put into service."""
        self.qemu.bars = 0
        self.assert_no_driver()

    def test_not_waiting(self):
        self.qemu.taken = False
        self.attach("--no-wait")
        self.assertNotIn("query-pci", self.commands())

    def test_no_hub(self):
        os.unlink(self.socket)
        self.assertIn("no hub waits for a VMM", self.attach_error())
        self.assertEqual(self.qemu.requests, [])

    def test_a_path_that_is_no_text(self):
        directory = self.directory / "\udcff"
        directory.mkdir()
        self.serve("sensor@alpha.vfio-user", directory)
        self.assertIn("is not UTF-8", self.attach_error(f"--socket-dir={directory}"))
        self.assertEqual(self.qemu.requests, [])


class Detach(PlugTest):
    def setUp(self):
        super().setUp()
        self.qemu.ports = {"bay": "crossvm-sensor"}

    def test_detach(self):
        self.assertEqual(self.detach(), b'connection "sensor" is detached\n')
        self.assertIn(("device_del", {"id": "crossvm-sensor"}), self.qemu.requests)

    def test_events(self):
        """Only the device's own event counts, and it may come before the answer."""
        deleted = self.qemu.event("DEVICE_DELETED", device="crossvm-sensor", path="/p")
        self.qemu.unplugs = False
        device_del = self.qemu.device_del

        def delete(id):
            self.qemu.events += [
                self.qemu.event("DEVICE_DELETED", device="other", path="/p"),
                self.qemu.event("DEVICE_DELETED", path="/p"),
                {"event": "RESUME"},
                deleted,
            ]
            return device_del(id)

        self.qemu.device_del = delete
        self.detach()

    def test_others_do_not_count(self):
        device_del = self.qemu.device_del

        def delete(id):
            self.qemu.later.append(self.qemu.event("DEVICE_DELETED", device="other", path="/p"))
            return device_del(id)

        self.qemu.unplugs = False
        self.qemu.device_del = delete
        self.assert_gives_up(
            self.detach_error, "has not let go of device crossvm-sensor in [0-9.]+ s; .* power the guest off"
        )

    def test_a_guest_that_refuses(self):
        device_del = self.qemu.device_del

        def delete(id):
            self.qemu.unplugs = False
            self.qemu.later.append(self.qemu.event("DEVICE_UNPLUG_GUEST_ERROR", device=id, path="/p"))
            return device_del(id)

        self.qemu.device_del = delete
        self.assertIn("the guest refuses to let go of device crossvm-sensor", self.detach_error())

    def test_a_guest_that_was_asked_before(self):
        def delete(id):
            self.qemu.later.append(self.qemu.event("DEVICE_DELETED", device=id, path="/p"))
            raise Refusal(f"Device {id} is already in the process of unplug")

        self.qemu.device_del = delete
        self.detach()

    def test_a_device_that_is_no_hotplug(self):
        def delete(id):
            raise Refusal("Bus 'pcie.0' does not support hotplugging")

        self.qemu.device_del = delete
        self.assertIn("; only what is in a PCIe root port can be taken out", self.detach_error())

    def test_which_device(self):
        self.qemu.ports = {"bay": "crossvm-sensor.1", "other": "crossvm-sensors"}
        self.detach()
        self.assertIn("has no device crossvm-sensor", self.detach_error())
        self.qemu.ports = {"bay": "crossvm-sensor.1", "other": "crossvm-sensor.0"}
        self.assertIn('has both ends; name "sensor.0" or "sensor.1"', self.detach_error())
        self.assertEqual(self.commands().count("device_del"), 1)

    def test_names(self):
        self.assertIn("is no name", self.error("detach", "a/b", f"--qmp={self.monitor}"))


class Monitor(PlugTest):
    """What is at the monitor's path is no QEMU, or none that serves us."""

    def start(self):
        return None

    def test_nothing(self):
        for error in (self.attach_error, self.detach_error):
            self.assertRegex(error(), rf"there is no monitor {self.monitor}; start QEMU with the option -qmp")

    def test_dead(self):
        self.leave("monitor")
        self.assertIn("the one that did has ended", self.attach_error())

    def test_another_kind(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.bind(str(self.monitor))
            self.assertIn("is no QMP monitor", self.attach_error())

    def test_another_program_has_it(self):
        self.serve("monitor")  # takes no one out of its queue, as QEMU does while a program is there
        for error in (self.attach_error, self.detach_error):
            self.assert_gives_up(error, "another program may have this monitor.* one more option -qmp")

    def test_the_queue_is_full(self):
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
            listener.bind(str(self.monitor))
            listener.listen(0)
            first.connect(str(self.monitor))
            self.assertIn("another program may have this monitor", self.attach_error())

    def test_long_path(self):
        self.assertIn("is too long", self.error("detach", "sensor", f"--qmp=/{'x' * 200}"))

    def test_usage(self):
        for command in ("attach", "detach"):
            done = self.tool(command, "sensor")
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(b"--qmp SOCKET is missing", done.stderr)


class Raw(FakeQemu):
    """Sends prepared bytes to whoever comes, and hangs up when so many commands have come; None: when they end."""

    bytes = [b""]
    commands = None

    def serve(self):
        for part in self.bytes:
            self.client.sendall(part)
        if self.commands != 0:
            for number, _ in enumerate(self.client.makefile("r"), 1):
                if number == self.commands:
                    break


class Enemies(PlugTest):
    kind = Raw

    def check(self, pattern, *parts, commands=None):
        """Whoever takes the last part for a good one, and goes on, finds that QEMU has ended."""
        self.qemu.bytes, self.qemu.commands = parts, len(parts) if commands is None else commands
        self.assertRegex(self.attach_error(), pattern)
        self.assertRegex(self.detach_error(), pattern)

    def test_what_is_no_qmp(self):
        hello = json.dumps(GREETING).encode() + b"\n"
        for part in (b"QEMU 11.1.3 monitor - type 'help'\n", b"\n", b"\0\n", b"\xff\xfe\n", b"[]\n", b"1\n", b"null\n",
                     b"{" * 5000 + b"\n", b"[" * 100000 + b"\n", hello[:40] + b"\n"):
            with self.subTest(part=part[:60]):
                self.check("sends what is no JSON object, so it is no QMP monitor", part)
                self.check("sends what is no JSON object, so it is no QMP monitor", hello, part)

    def test_another_greeting(self):
        hello = json.dumps(GREETING).encode() + b"\n"
        for part in (b"{}\n", b'{"QMP": 1}\n', b'{"QMP": {"version": {"qemu": {"major": "1"}}}}\n'):
            with self.subTest(part=part):
                self.check("does not greet as QEMU does, so it is no QMP monitor", part)
                self.check("answers what nobody asked, so it is no QMP monitor", hello, part)

    def test_answers_that_nobody_asked_for(self):
        hello = json.dumps(GREETING).encode() + b"\n"
        for answer in ({"return": {}}, {"return": {}, "id": 2}, {"return": {}, "id": "1"}, {"id": 1}, {"error": {}, "id": 1},
                       {"error": {"desc": 5}, "id": 1}, {"event": 5}):
            with self.subTest(answer=answer):
                self.check("answers what nobody asked", hello, json.dumps(answer).encode() + b"\n")

    def test_endless_line(self):
        self.check("a line without end", b" " * 5000000, commands=0)

    def test_ends(self):
        hello = json.dumps(GREETING).encode() + b"\n"
        for parts in ((), (hello[:50],), (hello,), (hello, b'{"return"')):
            with self.subTest(parts=parts):
                self.check("closed the monitor", *parts, commands=0)

    def test_silence(self):
        hello = json.dumps(GREETING).encode() + b"\n"
        for parts, pattern in (((b"{",), "another program may have"), ((hello,), "does not answer")):
            self.qemu.bytes = parts
            for error in (self.attach_error, self.detach_error):
                self.assert_gives_up(error, pattern)

    def test_events_without_end(self):
        """... do not keep the command past its deadline."""

        def serve():
            self.qemu.send(GREETING)
            while True:
                self.qemu.client.sendall(b'{"event":""}\n' * 10000)

        self.qemu.serve = serve
        self.assert_gives_up(self.attach_error, "does not answer|takes no command")


class Broken(FakeQemu):
    """Says what a QEMU says, with some bytes changed."""

    choice = random.Random()

    def send(self, message):
        text = bytearray(json.dumps(message).encode() + b"\n")
        while self.choice.random() < 0.2:
            place = self.choice.randrange(len(text))
            text[place : place + self.choice.randrange(3)] = self.choice.choices(b'"{}[],:\n\0\xff1a', k=self.choice.randrange(3))
        for i in range(0, len(text), 700):  # in pieces, too
            self.client.sendall(text[i : i + 700])


class Mutations(PlugTest):
    kind = Broken

    def test_mutations(self):
        """No crash and no hang, whatever comes: with the sanitizers' build this finds what reads too far."""
        for seed in range(int(os.environ.get("CROSSVM_MUTATIONS", "150"))):
            self.qemu.choice.seed(seed)
            self.qemu.ports = {"full": "crossvm-sensor.1", "bay": None}
            for command in ("attach", "detach"):
                done = self.tool(*self.arguments(command, seconds=0.3))
                self.assertIn(done.returncode, (0, 1, 2), (seed, done))
                self.assertLessEqual(done.stderr.count(b"\n"), 1, (seed, done))


if __name__ == "__main__":
    unittest.main()
