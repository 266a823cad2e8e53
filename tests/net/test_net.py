# SPDX-License-Identifier: BSD-2-Clause
"""crossvm net: two network namespaces, whose interfaces a connection joins."""

import contextlib
import functools
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import unittest

import rounds
import secure_shell
from command import PATIENCE, TOOL
from joined import BYTES, NetTest, await_that
from namespace import become_able

KILLS = rounds.choose(10, 200)  # of either command, and of the hub
IPERF_BYTES = rounds.choose("16M", "1G")


class Traffic(NetTest):
    """What goes through."""

    def test_both_ways_at_once(self):
        self.join()
        a, b = self.machines
        thread = threading.Thread(target=self.stream, args=(b, a))
        thread.start()
        self.stream(a, b)
        thread.join()
        self.stream(a, b, socket.AF_INET6)

    def test_large_frames_go_whole(self):
        self.join()
        a, b = self.machines
        before = b.packets()
        self.stream(a, b)
        self.assertLess(b.packets() - before, BYTES // 1500 // 4)

    def test_small_dataport(self):
        """Frames of one packet, in a ring that is full most of the time."""
        self.join(size="16K")
        self.stream(*self.machines)

    def test_packets_of_ip(self):
        self.join("--tun")
        self.stream(*self.machines)
        self.stream(*reversed(self.machines), family=socket.AF_INET6)

    def test_long_packets(self):
        self.join("--mtu=65521")
        a, b = self.machines
        with b.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
                a.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            receiver.bind((b.address(socket.AF_INET), 0))
            sender.sendto(b"x" * 65000, receiver.getsockname())
            self.assertEqual(receiver.recv(1 << 16), b"x" * 65000)

    def test_frames_longer_than_agreed(self):
        """Somebody gives an interface a larger MTU than the ring has room for: what was cut is not passed on."""
        self.join_quietly("4K", "--mtu=600")
        a, b = self.machines
        self.assertEqual(a.run("ip", "link", "set", "dev", a.interface, "mtu", "1500").returncode, 0)
        with b.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, \
                a.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            receiver.bind((b.address(socket.AF_INET), 0))
            for length in (1000, 100):
                sender.sendto(bytes(length), receiver.getsockname())
            self.assertEqual(receiver.recv(2000), bytes(100))
        self.assertEqual(b.packets(), 1)

    def test_full_ring(self):
        """What the interface keeps while the other end stands still comes when that goes on, and nothing else calls for it."""
        count = 200
        self.join_quietly("64K")
        a, b = self.machines
        b.process.send_signal(signal.SIGSTOP)
        before = b.packets()
        with a.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, \
                b.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind((b.address(socket.AF_INET), 0))  # nobody answers that there is no such port
            for _ in range(count):
                sender.sendto(bytes(1000), receiver.getsockname())
            b.process.send_signal(signal.SIGCONT)
            await_that(lambda: b.packets() - before + a.counts("tx")["dropped"] >= count, a.process, b.process)

    def test_iperf3(self):
        self.join()
        a, b = self.machines
        for options in ([], ["--reverse"], ["--bidir"], ["--udp", "--bitrate=1G", "--length=1400"]):
            with b.namespace:
                server = subprocess.Popen(["iperf3", "--server", "--one-off", "--forceflush"], stdout=subprocess.PIPE)
            self.assertIn(b"---", server.stdout.readline())
            self.assertIn(b"Server listening", server.stdout.readline())
            done = a.run("iperf3", "--client=10.9.0.2", f"--bytes={IPERF_BYTES}", *options)
            self.assertEqual(done.returncode, 0, done)
            server.communicate(timeout=PATIENCE)


class Ssh(NetTest):
    """A server of ssh at one end, which knows nothing of connections."""

    def test_a_file(self):
        self.join()
        a, b = self.machines
        address = b.address(socket.AF_INET)
        with b.namespace:
            server = secure_shell.Server(pathlib.Path(self.directory) / "home", address, 22)
        self.addCleanup(server.close)
        self.await_server(a, (address, 22), server.process)
        secure_shell.copy_there_and_back(server, address, 22, functools.partial(self.do, a))

    def do(self, machine, *command):
        with machine.namespace:
            secure_shell.run(*command)

    def await_server(self, machine, address, server):
        while True:
            with machine.socket(socket.AF_INET, socket.SOCK_STREAM) as client, \
                    contextlib.suppress(ConnectionRefusedError):
                return client.connect(address)
            self.assertIsNone(server.poll())


class Mqtt(NetTest):
    """The example of docs/net.md: a broker at one end, and what a sensor at the other publishes."""

    def test_example(self):
        self.join()
        a, b = self.machines
        self.assertEqual(a.run("ip", "link", "set", "lo", "up").returncode, 0)  # the broker's own machine asks it, too
        folder = pathlib.Path(self.directory)
        configuration = folder / "mosquitto.conf"
        configuration.write_text(f"listener 1883 {a.address(socket.AF_INET)}\nallow_anonymous true\n"
                                 "log_dest stderr\nuser root\n")  # root is asked to stay root: the folder is closed to others
        with a.namespace:
            broker = subprocess.Popen([os.environ["CROSSVM_MOSQUITTO"], "-c", configuration], stderr=subprocess.PIPE,
                                      text=True)
        self.addCleanup(broker.communicate)
        self.addCleanup(broker.kill)
        while "running" not in (line := broker.stderr.readline()):
            self.assertTrue(line, "mosquitto ended")
        for publisher, subscriber, degrees in ((b, a, "21.5"), (a, b, "22.0")):
            # A message that is kept, so that nobody has to be there in time
            done = publisher.run("mosquitto_pub", "-h", "10.9.0.1", "-r", "-t", "sensors/temperature", "-m", degrees)
            self.assertEqual(done.returncode, 0, done)
            done = subscriber.run("mosquitto_sub", "-h", "10.9.0.1", "-C", "1", "-v", "-t", "sensors/#")
            self.assertEqual(done.stdout, f"sensors/temperature {degrees}\n", done)


class Sessions(NetTest):
    """Those who come and go."""

    def test_peer_goes_and_comes(self):
        self.join()
        a, b = self.machines
        before = b.hardware_address()
        self.assertEqual(b.end_process(), 0)
        self.assertEqual(b.errors, "")
        a.await_carrier(False)
        b.join()
        for machine in self.machines:
            machine.await_carrier()
        self.assertEqual(b.hardware_address(), before)
        self.assertNotEqual(a.hardware_address(), before)
        self.stream(a, b)

    def test_hub_goes(self):
        self.join()
        self.stop_hub(signal.SIGKILL)
        for machine in self.machines:
            self.assert_ended_with_hub(machine)

    def assert_ended_with_hub(self, machine):
        errors = machine.process.communicate(timeout=PATIENCE)[1]
        self.assertRegex(errors, "connection .* has ended; open it again when that is back")
        self.assertEqual(machine.process.returncode, 2)

    def test_killed(self):
        """Under load, in a moment that nobody chose: what comes after it goes through again."""
        self.join()
        a, b = self.machines
        for _ in rounds.rounds("kills of ends and hub", KILLS):
            stop = threading.Event()
            load = threading.Thread(target=self.load, args=(a, b, stop))
            load.start()
            victim = random.choice(["hub", a, b])
            stop.wait(random.random() / 10)
            if victim == "hub":
                self.stop_hub(signal.SIGKILL)
                self.start_hub()
                for machine in self.machines:
                    self.assert_ended_with_hub(machine)
                    machine.join()
            else:
                victim.end_process(signal.SIGKILL)
                victim.join()
            try:
                self.await_answer(a, b)
            finally:
                stop.set()
                load.join()
            self.assertIsNone(a.process.poll())
            self.assertIsNone(b.process.poll())

    def load(self, sender, receiver, stop):
        with sender.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    client.sendto(bytes(1000), (receiver.address(socket.AF_INET), 9))

    def test_interface_that_was_made_to_last(self):
        self.start_hub()
        a, b = self.machines
        for command in (["tuntap", "add", "dev", "net0", "mode", "tap"], ["addr", "add", "10.9.0.1/24", "dev", "net0"],
                        ["link", "set", "net0", "mtu", "1400", "up"]):
            self.assertEqual(a.run("ip", *command).returncode, 0)
        a.interface = "net0"
        hardware_address = a.hardware_address()
        for _ in range(2):
            a.start("--interface=net0")
            self.assertEqual(a.process.stdout.readline(), "net0\n")
            b.join("--mtu=1400")
            a.await_carrier()
            b.await_carrier()
            self.stream(a, b, count=1 << 20)
            self.assertEqual(b.end_process(), 0)
            self.assertEqual(a.end_process(), 0)
            self.assertEqual(a.errors + b.errors, "")
        self.assertEqual(a.hardware_address(), hardware_address)


class Confinement(NetTest):
    """What it gives up."""

    def test_forbidden_call(self):
        self.join()
        a = self.machines[0]
        subprocess.run([os.environ["CROSSVM_MAKE_CALL"], str(a.process.pid), "crossvm"], check=True, timeout=PATIENCE)
        self.assertEqual(a.end_process(0), -signal.SIGSYS)
        self.assertIn("the thread main made the system call openat (", a.errors)

    def test_privileges(self):
        self.join()
        with open(f"/proc/{self.machines[0].process.pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
        self.assertEqual({status[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}, {"0" * 16})
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))


class Errors(NetTest):
    """Sentences that name the remedy."""

    def failure(self, machine, *options, command=("net",)):
        process = machine.start(*options, command=command)
        errors = process.communicate(timeout=PATIENCE)[1]
        machine.process = None
        self.assertEqual(process.returncode, 2)
        self.assertRegex(errors, r"\Acrossvm[^\n]*: [^\n]+\n\Z")
        return errors

    def test_arguments(self):
        for option, word in (("--address=10.0.0.1", "10.0.0.1/24"), ("--address=10.0.0.1/33", "no address"),
                             ("--address=fd00::1/129", "no address"), ("--address=ten/8", "no address"),
                             ("--interface=a-name-of-16-byt", "1 to 15"), ("--interface=", "1 to 15"),
                             ("--interface=a/b", "1 to 15"), ("--mtu=67", "68"), ("--mtu=65522", "65521")):
            done = subprocess.run([TOOL, "net", option, "link.0"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(word, done.stderr)

    def test_dataport_too_small(self):
        self.start_hub("4K")
        self.assertIn("larger dataport", self.failure(self.machines[0]))
        process = self.machines[0].start("--mtu=600")
        self.assertEqual(process.stdout.readline(), "crossvm0\n")

    def test_interface_in_use(self):
        self.start_hub()
        a, b = self.machines
        a.start("--interface=net0")
        self.assertEqual(a.process.stdout.readline(), "net0\n")
        b.namespace, kept = a.namespace, b.namespace
        self.assertIn("another program has the network interface net0", self.failure(b, "--interface=net0"))
        self.assertIn("of another kind", self.failure(b, "--interface=lo"))
        b.namespace = kept

    def test_other_kinds(self):
        self.start_hub()
        a, b = self.machines
        a.start("--tun")
        b.start()
        self.assertIn("has a TUN interface: give both ends --tun", b.process.stderr.readline())
        self.assertIn("has a TAP interface: give both ends --tun", a.process.stderr.readline())

    def test_no_peer_of_this_kind(self):
        self.start_hub()
        a, b = self.machines
        a.start()
        b.start("a message that is no greeting", command=("send",))
        self.assertIn("sent no greeting: is it `crossvm net`?", a.process.stderr.readline())

    def test_other_mtu(self):
        self.start_hub()
        a, b = self.machines
        a.join()
        b.join("--mtu=9000")
        self.assertIn("has an MTU of 1500, and the other end's has 9000", a.process.stderr.readline())

    def test_no_peer_in_time(self):
        self.start_hub()
        process = self.machines[0].start("--timeout=0.01")
        errors = process.communicate(timeout=PATIENCE)[1]
        self.machines[0].process = None
        self.assertEqual(process.returncode, 1, errors)


if __name__ == "__main__":
    become_able()
    os.environ.pop("XDG_RUNTIME_DIR", None)
    unittest.main(verbosity=2)
