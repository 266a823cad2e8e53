# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of `crossvm forward` share: a connection of `crossvm pair`, forwarders at its ends, and sockets."""

import os
import pathlib
import shutil
import socket
import tempfile
import time
import unittest

from command import PATIENCE, TOOL, Program

socket.setdefaulttimeout(PATIENCE)


class ForwardTest(unittest.TestCase):
    dataport = "1M"

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.directory)
        os.environ["CROSSVM_DIR"] = str(self.directory)
        self.pair = self.start("pair", "link", "--dataport", self.dataport)
        self.assertEqual(self.pair.line(), "link.0 link.1")

    def start(self, *arguments, **options):
        """A program that is killed at the end of the test, if it still runs."""
        program = Program(TOOL, *arguments, **options)
        self.addCleanup(self.kill, program)
        return program

    def kill(self, program):
        if program.returncode is None:
            program.kill()
            program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream:
                stream.close()

    def forward(self, end, *arguments, **options):
        return self.start("forward", f"link.{end}", *arguments, **options)

    def own(self, closable):
        self.addCleanup(closable.close)
        return closable

    def tcp_server(self, backlog=1024):
        """A socket that listens, and its address."""
        server = self.own(socket.create_server(("127.0.0.1", 0), backlog=backlog))
        return server, "127.0.0.1:%d" % server.getsockname()[1]

    def unix_server(self, name, kind=socket.SOCK_STREAM):
        server = self.own(socket.socket(socket.AF_UNIX, kind))
        server.bind(str(self.directory / name))
        server.listen(128)
        return server, str(self.directory / name)

    def connect(self, listens):
        """A client of the address that a forwarder has printed."""
        return self.own(connect_to(listens.split(" ")[0]))

    def accept(self, server):
        return self.own(server.accept()[0])

    def tcp_link(self, *options):
        """Forwarders that join a TCP port of end 0 to a server at end 1; gives them, the server, and what end 0 printed."""
        server, address = self.tcp_server()
        allows = self.forward(1, "--allow", f"target={address}", *options)
        listens = self.forward(0, "-L", "0:target", *options)
        return listens, allows, server, listens.line()

    def pass_both_ways(self, client, served):
        client.sendall(b"question")
        self.assertEqual(receive(served, 8), b"question")
        served.sendall(b"answer")
        self.assertEqual(receive(client, 6), b"answer")

    def await_connecting(self, server):
        """Until somebody connects to a server that does not answer."""
        syn_sent = ("0100007F:%04X" % server.getsockname()[1], "02")
        while syn_sent not in [tuple(line.split()[2:4]) for line in open("/proc/net/tcp")]:
            time.sleep(0.01)

    def assert_reset(self, connection):
        with self.assertRaises(ConnectionResetError):
            while connection.recv(65536):
                pass
            raise AssertionError("the connection ended as if all were well")

    def assert_refused(self, listens):
        """A client is reset, maybe while it connects."""
        with self.assertRaises(ConnectionResetError):
            self.connect(listens).recv(1)


def connect_to(address):
    if address.startswith("seqpacket:"):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(address[len("seqpacket:") :])
    elif address.startswith("/"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(address)
    else:
        host, _, port = address.rpartition(":")
        client = socket.create_connection((host.strip("[]"), int(port)))
    return client


def receive(connection, length):
    """Exactly so many bytes, or fewer if the stream ends."""
    data = bytearray()
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            break
        data += more
    return bytes(data)


def receive_all(connection):
    data = bytearray()
    while more := connection.recv(1 << 20):
        data += more
    return bytes(data)
