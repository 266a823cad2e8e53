# SPDX-License-Identifier: BSD-2-Clause
"""crossvm attach and detach with a QEMU that runs, and programs of its guest whose device goes."""

import random
import subprocess
import unittest

import crossvm
from machines import PATIENCE, TOOL, QemuTest
from rounds import PLUGS, rounds

REMOVED = r'connection "link"( has ended: its device,| \(.*\) was removed)'  # with a channel, and without


class Plug:
    """What holds for each door."""

    def setUp(self):
        super().setUp()
        self.monitor = self.directory / "qmp"
        self.link = self.pair("link", "64K")
        self.vm = self.guest(
            options=["-device", "pcie-root-port,id=bay", "-qmp", f"unix:{self.monitor},server=on,wait=off"]
        )
        self.vm.load_driver()

    def start_tool(self, command, name, *arguments):
        command = [TOOL, command, name, f"--qmp={self.monitor}", f"--timeout={PATIENCE}", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        output, errors = process.communicate(timeout=2 * PATIENCE)
        self.assertEqual((process.returncode, errors), (0, ""))
        return output

    def error(self, *arguments):
        process = self.start_tool(*arguments)
        output, errors = process.communicate(timeout=2 * PATIENCE)
        self.assertEqual((process.returncode, output), (2, ""))
        return errors

    def attach(self, name="link"):
        """Plugs it in, and waits until the guest's driver is ready for programs."""
        said = self.finish(self.start_tool("attach", name))
        self.assertEqual(said, f'connection "{name}" is attached: device crossvm-{name}.0 at bay\n')
        end = self.open(f"{name}.1")
        self.await_peer(end, crossvm.PeerState.PRESENT)
        return end

    def test_programs(self):
        """Each is told, whatever it is at; none is killed by a signal."""
        for program in (
            "wait link",
            "wait -t 1000 link",
            "emit -n 1000000000 link",
            "echo link",
            "ping link",
            "cat link",
            "cat --send-only link </dev/zero",
            "send link a",
        ):
            with self.subTest(program=program):
                self.take_in()
                status, output = self.take_out_under(f"crossvm {program} 2>&1")
                self.assertEqual(status, 2, output)
                self.assertRegex(output, REMOVED)

    def test_what_was_mapped(self):
        """A program goes on with memory of its own."""
        self.take_in()
        with self.open("link.1") as end:
            # The command opens and maps the end, waits for its input, and copies that to the dataport.
            self.vm.run("mkfifo /tmp/input")
            self.vm.run("crossvm write link </tmp/input >/dev/null 2>&1 & exec 5>/tmp/input; printf begin >&5")
            self.await_peer(end, crossvm.PeerState.READY)
            self.check_others(end, "head -c 65531 /dev/zero | tr '\\0' x >&5; exec 5>&-; wait $!; rm /tmp/input")

    def test_what_was_touched(self):
        """The same, with memory that the program has used: it stores there once more when it hears of the removal."""
        self.take_in()
        with self.open("link.1") as end:
            self.vm.run("crossvm ping -i 0 -q link >/dev/null 2>&1 & ping=$!")
            with end.datagram() as channel:
                channel.send(channel.recv(timeout=PATIENCE), timeout=PATIENCE)
                self.vm.run("kill -STOP $ping")
                self.check_others(end, "kill -CONT $ping; wait $ping; :")


    def test_what_top_sees(self):
        """The channel of a device, which goes while top has its memory mapped, and comes again."""
        self.vm.run("crossvm top --json --interval 0.1 >/tmp/reports 2>/dev/null & top=$!")
        for _ in range(2):
            self.take_in()
            self.vm.run("crossvm echo link >/dev/null 2>&1 & echo=$!")
            self.await_report('"mode"')
            self.take_out_under(":")
            self.vm.run("wait $echo", status=2)
            self.await_report('"connections":[]')
        self.vm.run("kill $top; wait $top")

    def await_report(self, text):
        self.vm.run(f"until tail -n 1 /tmp/reports | grep -qF '{text}'; do kill -0 $top || break; usleep 10000; done")


class VfioUser(Plug, QemuTest):
    def setUp(self):
        super().setUp()
        self.pair("other", "64K")

    def take_in(self):
        self.attach().close()

    def detach(self, name="link"):
        self.assertEqual(self.finish(self.start_tool("detach", name)), f'connection "{name}" is detached\n')

    def take_out_under(self, program):
        """Status and output of a program of the guest whose device is taken out."""
        end = self.open("link.1")
        self.vm.start(program)
        self.await_peer(end, crossvm.PeerState.READY)
        self.detach()
        end.close()
        return self.vm.result()

    def test_while_a_program_pings(self):
        for _ in rounds("plugs", PLUGS):
            end = self.attach()
            self.vm.start("crossvm ping -f -q link 2>&1")
            with end.datagram() as channel:
                for _ in range(random.randrange(1, 1000)):
                    channel.send(channel.recv(timeout=PATIENCE), timeout=PATIENCE)
                detach = self.start_tool("detach", "link")
                with self.assertRaises(BrokenPipeError):
                    while True:
                        channel.send(channel.recv(timeout=PATIENCE), timeout=PATIENCE)
            self.finish(detach)
            status, output = self.vm.result()
            self.assertEqual(status, 2, output)
            self.assertRegex(output, REMOVED)
            self.await_peer(end, crossvm.PeerState.ABSENT)
            end.close()
        self.assertEqual(self.vm.run("ls /sys/class/uio"), "")

    def check_others(self, end, program):
        """What was plugged in at its place is not what the program writes to when it goes on."""
        addresses = "grep -h . /sys/class/uio/uio*/maps/map1/addr"
        first = self.vm.run(addresses)
        self.detach()
        other = self.attach("other")
        self.assertEqual(self.vm.run(addresses), first)
        before = [bytes(each.dataports[0].memory) for each in (end, other)]
        self.vm.run(program)
        self.assertEqual([bytes(each.dataports[0].memory) for each in (end, other)], before)
        self.vm.run("crossvm write other hello")
        self.assertEqual(bytes(other.dataports[0].memory[0:5]), b"hello")
        self.detach("other")
        other.close()

    def test_errors(self):
        self.assertIn("has no device crossvm-link", self.error("detach", "link"))
        self.attach().close()
        self.assertIn("is attached already, as device crossvm-link.0", self.error("attach", "link"))
        self.assertIn("has no free PCIe root port", self.error("attach", "other"))
        self.detach()
        self.assertIn("does not support hotplugging", self.error("attach", "other", "--bus=pcie.0"))
        self.assertIn("'nowhere' not found", self.error("attach", "other", "--bus=nowhere"))
        self.attach("other").close()  # what was refused left nothing behind


class Ivshmem(Plug, QemuTest):
    """Without KVM, QEMU does not outlive that such a device is taken out: what programs see of it shows the driver's removal."""

    door = "ivshmem"

    def setUp(self):
        super().setUp()
        self.address = None

    def take_in(self):
        if self.address:
            self.vm.run(f"echo {self.address} >/sys/bus/pci/drivers/crossvm/bind")
            return
        self.attach().close()
        self.address = self.vm.run("basename /sys/bus/pci/drivers/crossvm/0*").strip()

    def take_out_under(self, program):
        """The shell takes it out when it sees that the host's program has left."""
        end = self.open("link.1")
        self.vm.start(
            f"{program} >/tmp/output & while [ $(cat /sys/bus/pci/devices/{self.address}/crossvm/peer_state) != 1 ]; do :; "
            f"done; echo {self.address} >/sys/bus/pci/drivers/crossvm/unbind; wait $!; s=$?; cat /tmp/output; (exit $s)"
        )
        self.await_peer(end, crossvm.PeerState.READY)
        end.close()
        return self.vm.result()

    def test_while_a_program_pings(self):
        """The driver is taken from the device at any point of the conversation, and gets it again."""
        for _ in rounds("removals of the driver", PLUGS):
            self.take_in()
            end = self.open("link.1")
            self.vm.start(
                ": >/tmp/output; "  # now: what the command before said must not be taken for this one's
                f"crossvm ping -i 0 link >/tmp/output 2>&1 & until grep -q 'seq={random.randrange(1, 100)} ' /tmp/output; "
                f"do :; done; echo {self.address} >/sys/bus/pci/drivers/crossvm/unbind; wait $!; s=$?; "
                "tail -n 5 /tmp/output; (exit $s)"
            )
            with end.datagram() as channel, self.assertRaises(BrokenPipeError):
                while True:
                    channel.send(channel.recv(timeout=PATIENCE), timeout=PATIENCE)
            status, output = self.vm.result()
            self.assertEqual(status, 2, output)
            self.assertRegex(output, REMOVED)
            self.await_peer(end, crossvm.PeerState.ABSENT)
            end.close()
        self.assertEqual(self.vm.run("ls /sys/class/uio"), "")

    def check_others(self, end, program):
        self.vm.run(f"echo {self.address} >/sys/bus/pci/drivers/crossvm/unbind")
        self.await_peer(end, crossvm.PeerState.ABSENT)
        before = bytes(end.dataports[0].memory)
        self.vm.run(program)
        self.assertEqual(bytes(end.dataports[0].memory), before)

    def test_attach(self):
        end = self.attach()
        self.vm.start("crossvm ping -q -f -c 10 link")
        with end.datagram() as channel:
            for _ in range(10):
                channel.send(channel.recv(timeout=PATIENCE), timeout=PATIENCE)
            status, output = self.vm.result()
        self.assertEqual(status, 0)
        self.assertIn("10 sent, 10 answered", output)
        end.close()
        self.assertIn("a QEMU without KVM crashes some time after", self.error("detach", "link"))


if __name__ == "__main__":
    unittest.main()
