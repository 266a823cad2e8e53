# SPDX-License-Identifier: BSD-2-Clause
"""The example of docs/forward.md: a guest reaches a program in a guest of another machine, by forwarders and TLS. The files and
the commands are those of the document; only places are the test's."""

import hashlib
import os
import pathlib
import random
import re
import socket
import subprocess
import threading
import unittest

from command import CommandTest
from forwarding import PATIENCE, TOOL, receive_all
from hosts import Network, commands_of
from namespace import become_able

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/forward.md"


class Tls(CommandTest):
    def setUp(self):
        super().setUp()
        self.network = Network()
        self.addCleanup(self.network.close)
        self.hosts = {name: self.network.add(self.directory) for name in "ab"}
        self.machines = {**self.hosts, **{f"the guest of {name}": host.guest for name, host in self.hosts.items()}}
        text = DOCUMENT.read_text().partition("### To another machine, over TLS\n")[2].partition("\n## ")[0]
        self.blocks = [block for _, block in re.findall(r"^```(sh|ini)\n(.*?)^```$", self.with_places(text), re.M | re.S)]

    def with_places(self, text):
        for theirs, ours in (("/etc/stunnel", self.directory), ("/run/crossvm", self.directory),
                             ("b.example.org", self.hosts["b"].address), ("stunnel ", "exec stunnel "),
                             ("crossvm forward", f"exec {TOOL} forward")):
            text = text.replace(str(theirs), str(ours))
        return text

    def block(self, first):
        """What is behind a first line."""
        found = [block.partition("\n")[2] for block in self.blocks if block.startswith(first)]
        self.assertEqual(len(found), 1, first)
        return found[0]

    def start(self, machine, command, **options):
        number = 0 if "guest" in machine else 1
        command = command.replace("forward link", f"forward link.{number}")
        process = self.machines[machine].start("sh", "-c", command, text=True, **options)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def await_line(self, stream, text):
        for line in stream:
            if text in line:
                return
        self.fail(f"a program ended without saying: {text}")

    def start_hub(self, host):
        pair = host.start(TOOL, "pair", "link", stdout=subprocess.PIPE, text=True)
        self.addCleanup(pair.communicate)
        self.addCleanup(pair.kill)
        self.assertEqual(pair.stdout.readline(), "link.0 link.1\n")

    def make_certificate(self, name, folder):
        subprocess.run(["sh", "-e", "-c", self.block(f"# on {name}: ")], cwd=folder, check=True, capture_output=True)

    def configure(self):
        for name, host in self.hosts.items():
            self.start_hub(host)
            self.make_certificate(name, self.directory)
            (self.directory / f"{name}.conf").write_text(self.block(f"; on {name}: "))

    def start_all(self):
        """As the document does. Whoever listens says so before the next one starts. Gives what stunnel says from then on."""
        says = {}
        for command, machine in commands_of(self.blocks[-1]):
            program = self.start(machine, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if "stunnel" in command:
                self.await_line(program.stderr, "Configuration successful")
                says[machine] = program.stderr
            elif "-L" in command:
                self.await_line(program.stdout, "collector")
        return says

    def collect(self):
        """In the guest of b: answers each client with the sum of what it sent, once that has ended."""
        with self.hosts["b"].guest.namespace:
            server = socket.create_server(("127.0.0.1", 9000))

        def serve():
            while True:
                try:
                    client = server.accept()[0]
                except OSError:
                    return
                with client:
                    client.sendall(hashlib.sha256(receive_all(client)).digest())

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.close)
        self.addCleanup(server.shutdown, socket.SHUT_RDWR)

    def send(self, content):
        """What a program in the guest of a gets for it."""
        with self.hosts["a"].guest.namespace:
            client = socket.socket()
        with client:
            client.settimeout(PATIENCE)
            client.connect(("127.0.0.1", 9000))
            client.sendall(content)
            client.shutdown(socket.SHUT_WR)
            return receive_all(client)

    def test_example(self):
        self.collect()
        self.configure()
        self.start_all()
        for length in (10, 10 << 20):
            content = random.randbytes(length)
            self.assertEqual(self.send(content), hashlib.sha256(content).digest())

    def test_another_certificate(self):
        """A machine that says it is a, without a's key, reaches nothing."""
        self.collect()
        self.configure()
        known = (self.directory / "a.pem").rename(self.directory / "known.pem")
        self.make_certificate("a", self.directory)
        configuration = self.directory / "b.conf"
        configuration.write_text(configuration.read_text().replace(f"{self.directory}/a.pem", str(known)))
        says = self.start_all()
        try:
            answer = self.send(b"let me in")
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
        self.assertEqual(answer, b"")
        self.await_line(says["b"], "certificate verify failed")


if __name__ == "__main__":
    become_able()
    os.environ.pop("XDG_RUNTIME_DIR", None)
    unittest.main(verbosity=2)
