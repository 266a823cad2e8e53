# SPDX-License-Identifier: BSD-2-Clause
"""crossvm net: two network namespaces, whose interfaces a connection joins."""

import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
import unittest

import rounds
from command import PATIENCE, TOOL, CommandTest
from namespace import Namespace, become_able

KILLS = rounds.choose(10, 200)  # of either command, and of the hub
BYTES = 16 << 20  # of a stream
IPERF_BYTES = rounds.choose("16M", "1G")


def await_that(condition, *processes):
    """Looks until it holds. What ends meanwhile fails the test."""
    while not condition():
        for process in processes:
            try:
                raise AssertionError(f"ended with {process.wait(0.01)}: {process.args}")
            except subprocess.TimeoutExpired:
                pass


class Machine:
    """A namespace with one end of a connection."""

    def __init__(self, test, end):
        self.test, self.end = test, end
        self.namespace = Namespace()
        self.process = None

    def close(self):
        if self.process:
            self.end_process(signal.SIGKILL)
        self.namespace.close()

    def start(self, *options, command=("net",)):
        with self.namespace:
            self.process = subprocess.Popen([TOOL, *command, f"link.{self.end}", *options], stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True)
        return self.process

    def join(self, *options):
        """Starts it with addresses, and waits until the interface is there."""
        self.start(f"--address=10.9.0.{self.end + 1}/24", f"--address=fd00:9::{self.end + 1}/64", *options)
        self.interface = self.process.stdout.readline().strip()
        self.test.assertTrue(self.interface, self.process.poll() is not None and self.process.stderr.read())

    def end_process(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.errors = self.process.communicate(timeout=PATIENCE)[1]
        status, self.process = self.process.returncode, None
        return status

    def has_carrier(self):
        with self.namespace:
            done = subprocess.run(["ip", "link", "show", "dev", self.interface], capture_output=True, text=True)
        return "LOWER_UP" in done.stdout

    def hardware_address(self):
        return json.loads(self.run("ip", "-json", "link", "show", "dev", self.interface).stdout)[0]["address"]

    def await_carrier(self, here=True):
        await_that(lambda: self.has_carrier() == here, self.process)

    def run(self, *command, **options):
        with self.namespace:
            return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)

    def socket(self, family, kind):
        with self.namespace:
            made = socket.socket(family, kind)
        made.settimeout(PATIENCE)
        return made

    def address(self, family):
        return ("10.9.0." if family == socket.AF_INET else "fd00:9::") + str(self.end + 1)


class NetTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.machines = [Machine(self, end) for end in range(2)]
        for machine in self.machines:
            self.addCleanup(machine.close)
        self.hub = None
        self.addCleanup(self.stop_hub)

    def start_hub(self, size="1M"):
        self.hub = subprocess.Popen([TOOL, "pair", "link", f"--dataport={size}"], stdout=subprocess.PIPE)
        self.assertEqual(self.hub.stdout.readline(), b"link.0 link.1\n")

    def stop_hub(self, number=signal.SIGTERM):
        if self.hub:
            self.hub.send_signal(number)
            self.hub.communicate(timeout=PATIENCE)
            self.hub = None

    def join(self, *options, size="1M"):
        self.start_hub(size)
        for machine in self.machines:
            machine.join(*options)
        for machine in self.machines:
            machine.await_carrier()

    def stream(self, sender, receiver, family=socket.AF_INET, count=BYTES):
        """A stream of TCP, whole and unchanged."""
        with contextlib.ExitStack() as open_ones:
            listener = open_ones.enter_context(receiver.socket(family, socket.SOCK_STREAM))
            self.bind(listener, (receiver.address(family), 0))
            listener.listen()
            source = open_ones.enter_context(sender.socket(family, socket.SOCK_STREAM))
            self.bind(source, (sender.address(family), 0))
            source.connect(listener.getsockname()[:2])
            taken = open_ones.enter_context(listener.accept()[0])
            taken.settimeout(PATIENCE)
            bytes_sent = random.Random(count).randbytes(count)

            def send():
                source.sendall(bytes_sent)
                source.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send)
            thread.start()
            digest = hashlib.sha256()
            while piece := taken.recv(1 << 20):
                digest.update(piece)
            thread.join()
            self.assertEqual(digest.digest(), hashlib.sha256(bytes_sent).digest())

    def bind(self, made, address):
        """An address of IPv6 cannot be used before the kernel has found that no other machine has it."""
        while True:
            try:
                return made.bind(address)
            except OSError:
                pass

    def await_answer(self, asks, answers):
        """Datagrams until one is answered: what is on its way while an end goes is lost."""
        with answers.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo, \
                asks.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            echo.bind((answers.address(socket.AF_INET), 0))
            echo.setblocking(False)
            client.settimeout(0.05)
            while True:
                try:
                    client.sendto(b"is anybody there", echo.getsockname())
                    with contextlib.suppress(BlockingIOError):
                        echo.sendto(*echo.recvfrom(100))
                    if client.recv(100) == b"is anybody there":
                        return
                except OSError:
                    for machine in self.machines:
                        status = machine.process.poll()
                        self.assertIsNone(status, status is not None and machine.process.stderr.read())


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
        before = self.packets(b)
        self.stream(a, b)
        self.assertLess(self.packets(b) - before, BYTES // 1500 // 4)

    def packets(self, machine):
        done = machine.run("ip", "-statistics", "-json", "link", "show", "dev", machine.interface)
        return json.loads(done.stdout)[0]["stats64"]["rx"]["packets"]

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
        for _ in range(2):
            a.start("--interface=net0")
            self.assertEqual(a.process.stdout.readline(), "net0\n")
            b.join("--mtu=1400")
            a.interface = "net0"
            a.await_carrier()
            b.await_carrier()
            self.stream(a, b, count=1 << 20)
            self.assertEqual(b.end_process(), 0)
            self.assertEqual(a.end_process(), 0)
            self.assertEqual(a.errors + b.errors, "")


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
