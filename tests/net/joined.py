# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces, whose interfaces a connection joins."""

import contextlib
import hashlib
import json
import random
import signal
import socket
import subprocess
import threading

from command import PATIENCE, TOOL, CommandTest
from namespace import Namespace

BYTES = 16 << 20  # of a stream


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

    def counts(self, direction):
        """What its interface has counted, of "rx" or "tx"."""
        done = self.run("ip", "-statistics", "-json", "link", "show", "dev", self.interface)
        return json.loads(done.stdout)[0]["stats64"][direction]

    def packets(self):
        """How many its interface has taken from the other end."""
        return self.counts("rx")["packets"]

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

    def join_quietly(self, size, *options):
        """Without Ethernet and IPv6, by which machines talk by themselves."""
        self.start_hub(size)
        for machine in self.machines:
            machine.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
            machine.start("--tun", f"--address={machine.address(socket.AF_INET)}/24", *options)
            machine.interface = machine.process.stdout.readline().strip()
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
