# SPDX-License-Identifier: BSD-2-Clause
"""Sockets over a connection: each kind, each direction, their ends, and that they do not disturb each other."""

import array
import hashlib
import math
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

from forwarding import PATIENCE, TOOL, ForwardTest, connect_to, receive, receive_all

MEGABYTE = 1 << 20


class Kinds(ForwardTest):
    def check(self, listen, allow, server):
        self.forward(1, "--allow", f"target={allow}")
        line = self.forward(0, "-L", f"{listen}:target").line()
        client = self.connect(line)
        served = self.accept(server)
        self.pass_both_ways(client, served)
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(served.recv(1), b"")
        served.sendall(b"the other direction goes on")
        served.close()
        self.assertEqual(receive_all(client), b"the other direction goes on")
        return line

    def test_tcp(self):
        server, address = self.tcp_server()
        self.assertRegex(self.check("0", address, server), r"\A127\.0\.0\.1:\d+ target\Z")

    def test_tcp_6(self):
        if not socket.has_dualstack_ipv6():
            self.assertFalse(os.path.exists("/proc/net/if_inet6") and open("/proc/net/if_inet6").read())
            return  # this machine has no IPv6
        server = self.own(socket.create_server(("::1", 0), family=socket.AF_INET6))
        line = self.check("[::1]:0", "[::1]:%d" % server.getsockname()[1], server)
        self.assertRegex(line, r"\A\[::1\]:\d+ target\Z")

    def test_unix(self):
        server, path = self.unix_server("target")
        self.assertEqual(self.check(self.directory / "client", path, server), f"{self.directory}/client target")

    def test_unix_to_tcp(self):
        server, address = self.tcp_server()
        self.check(self.directory / "client", address, server)

    def test_both_directions_of_a_connection(self):
        (near, near_address), (far, far_address) = self.tcp_server(), self.tcp_server()
        one = self.forward(1, "--allow", far_address, "-L", f"0:{near_address}").line()
        zero = self.forward(0, "--allow", near_address, "-L", f"0:{far_address}").line()
        for line, server in ((zero, far), (one, near), (zero, far)):
            self.pass_both_ways(self.connect(line), self.accept(server))

    def test_the_client_speaks_before_the_target_has_answered(self):
        """Its words, and their end, are kept until then."""
        server, address = self.tcp_server(backlog=0)
        self.connect(address)  # the queue of the server is full, so the next one has no answer
        self.forward(1, "--allow", f"target={address}")
        client = self.connect(self.forward(0, "-L", "0:target").line())
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.await_connecting(server)
        self.accept(server)
        served = self.accept(server)
        self.assertEqual(receive_all(served), b"question")
        served.sendall(b"answer")
        served.close()
        self.assertEqual(receive_all(client), b"answer")

    def test_the_target_speaks_first(self):
        _, _, server, line = self.tcp_link()
        client, served = self.connect(line), self.accept(server)
        served.sendall(b"220 ready")
        self.assertEqual(receive(client, 9), b"220 ready")

    def test_the_small_dataport(self):
        self.pair.end()
        self.pair = self.start("pair", "link", "--dataport", "4K")
        self.pair.line()
        self.test_large(3)

    def test_large(self, megabytes=64):
        """Both directions of a socket at once."""
        _, _, server, line = self.tcp_link()
        client, served = self.connect(line), self.accept(server)
        chunk = random.randbytes(MEGABYTE + 1)
        digest = hashlib.sha256(chunk * megabytes).digest()

        def send(connection):
            for _ in range(megabytes):
                connection.sendall(chunk)
            connection.shutdown(socket.SHUT_WR)

        threads = [threading.Thread(target=send, args=(c,)) for c in (client, served)]
        for thread in threads:
            thread.start()
        received = {}
        reader = threading.Thread(target=lambda: received.update(client=receive_all(client)))
        reader.start()
        self.assertEqual(hashlib.sha256(receive_all(served)).digest(), digest)
        reader.join()
        self.assertEqual(hashlib.sha256(received["client"]).digest(), digest)
        for thread in threads:
            thread.join()


class Packets(ForwardTest):
    def link(self):
        server, path = self.unix_server("target", socket.SOCK_SEQPACKET)
        self.allows = self.forward(1, "--allow", f"target=seqpacket:{path}")
        self.listens = self.forward(0, "-L", f"seqpacket:{self.directory}/client:target")
        client = self.connect(self.listens.line())
        return client, self.accept(server)

    def test_packets_stay_whole(self):
        client, served = self.link()
        packets = [b"a", b"", b"bc", b"x" * 60000, b"", b"last"]
        for sender, receiver in ((client, served), (served, client)):
            for packet in packets:
                sender.send(packet)
            for packet in packets:
                self.assertEqual(receiver.recv(65536), packet)
        client.send(b"")  # an empty one is not the end
        client.send(b"before the end")
        client.close()
        self.assertEqual([served.recv(100), served.recv(100), served.recv(100)], [b"", b"before the end", b""])

    def test_many_packets_to_a_slow_socket(self):
        client, served = self.link()
        sender = threading.Thread(target=lambda: [client.send(b"%d" % i * (i % 50)) for i in range(20000)])
        sender.start()
        for i in range(20000):
            self.assertEqual(served.recv(65536), b"%d" % i * (i % 50))
        sender.join()

    def test_a_packet_that_is_too_long(self):
        client, served = self.link()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MEGABYTE)
        client.send(b"x" * 150000)
        self.assertEqual(served.recv(10), b"")
        with self.assertRaises(ConnectionResetError):  # what it sent was not taken
            client.recv(10)

    def test_descriptors_are_not_taken(self):
        client, served = self.link()
        before = os.listdir(f"/proc/{self.listens.pid}/fd")
        for i in range(10):
            client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
            self.assertEqual(served.recv(10), b"x")
        self.assertEqual(os.listdir(f"/proc/{self.listens.pid}/fd"), before)

    def test_packets_do_not_fit_a_stream(self):
        server, address = self.tcp_server()
        self.forward(1, "--allow", f"target={address}")
        listens = self.forward(0, "-L", f"seqpacket:{self.directory}/client:target")
        self.assertEqual(self.connect(listens.line()).recv(10), b"")
        listens.await_error('target "target" at the other end of connection "link.0": Protocol wrong type for socket')


class Ends(ForwardTest):
    """How sockets end that do not end well."""

    def test_a_target_that_is_not_allowed(self):
        listens, _, _, _ = self.tcp_link()
        listens.end()
        listens = self.forward(0, "-L", "0:other")
        self.assert_refused(listens.line())
        self.assertEqual(
            listens.await_error("other"),
            'crossvm: the other end of connection "link.0" does not allow target "other": it needs the option --allow '
            "for it\n",
        )

    def test_refusals_are_told_once_a_second(self):
        """Clients can ask as often as they like."""
        self.forward(1, "--allow", "22")
        listens = self.forward(0, "-L", "0:other")
        line = listens.line()
        began = time.monotonic()
        for _ in range(50):
            self.assert_refused(line)
        said = listens.end()[1].count("does not allow")
        self.assertIn(said, range(1, 2 + math.ceil(time.monotonic() - began)))

    def test_a_target_that_is_dead(self):
        listens, _, server, line = self.tcp_link()
        server.close()
        self.assert_refused(line)
        listens.await_error('target "target" at the other end of connection "link.0": Connection refused')

    def reset(self, connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def test_resets_cross(self):
        _, _, server, line = self.tcp_link()
        for _ in range(20):
            client, served = self.connect(line), self.accept(server)
            self.pass_both_ways(client, served)
            self.reset(client)
            self.assert_reset(served)
            client, served = self.connect(line), self.accept(server)
            self.pass_both_ways(client, served)
            self.reset(served)
            self.assert_reset(client)

    def test_a_reader_that_leaves(self):
        """A client that takes nothing more is heard to its end."""
        server, path = self.unix_server("target")
        self.forward(1, "--allow", f"target={path}")
        line = self.forward(0, "-L", f"{self.directory}/client:target").line()
        client, served = self.connect(line), self.accept(server)
        self.pass_both_ways(client, served)
        client.shutdown(socket.SHUT_RD)
        for _ in range(200):  # the first of these cannot be written, and the forwarder goes on all the same
            served.sendall(b"what nobody reads")
            client.sendall(b"more to say")
            self.assertEqual(receive(served, 11), b"more to say")
        client.sendall(b"the last word")
        client.close()
        self.assertEqual(receive(served, 13), b"the last word")

    def test_the_other_end_restarts(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number):
                server, address = self.tcp_server()
                ends = [
                    lambda: self.forward(0, "-L", "0:target"),
                    lambda: self.forward(1, "--allow", f"target={address}"),
                ]
                listens, allows = [start() for start in ends]
                line = listens.line()
                client, served = self.connect(line), self.accept(server)
                self.pass_both_ways(client, served)
                allows.end(number)
                self.assert_reset(client)
                allows = ends[1]()
                client, served = self.connect(line), self.accept(server)
                self.pass_both_ways(client, served)
                listens.end(number)
                self.assert_reset(served)
                listens = ends[0]()
                self.pass_both_ways(self.connect(listens.line()), self.accept(server))
                listens.end()
                allows.end()

    def test_clients_wait_for_the_other_end(self):
        server, address = self.tcp_server()
        client = self.connect(self.forward(0, "-L", f"0:{address}").line())
        client.sendall(b"early")
        self.forward(1, "--allow", address)
        self.assertEqual(receive(self.accept(server), 5), b"early")

    def test_a_peer_that_is_no_forwarder(self):
        server, address = self.tcp_server()
        listens = self.forward(0, "-L", f"0:{address}")
        line = listens.line()
        nonsense = self.start("send", "link.1", "x")
        listens.await_error("the other end sent a frame that is too short")
        nonsense.communicate(timeout=PATIENCE)
        stream = self.start("cat", "link.1", stdin=subprocess.DEVNULL)
        listens.await_error("mode")
        stream.communicate(timeout=PATIENCE)
        self.forward(1, "--allow", address)
        self.pass_both_ways(self.connect(line), self.accept(server))

    def test_the_hub_ends(self):
        listens, allows, server, line = self.tcp_link()
        self.pass_both_ways(self.connect(line), self.accept(server))
        self.pair.end()
        for forwarder in (listens, allows):
            said = forwarder.communicate(timeout=PATIENCE)[1]
            self.assertEqual(forwarder.returncode, 2)
            self.assertIn("open it again when that is back", said)


class Neighbours(ForwardTest):
    """Sockets beside each other."""

    def test_a_slow_one_does_not_hold_up_others(self):
        _, allows, server, line = self.tcp_link()
        slow, idle = self.connect(line), self.accept(server)
        sent = [0]

        def fill():
            try:
                while True:
                    sent[0] += slow.send(bytes(65536))
            except OSError:
                pass  # it is closed at the end

        filler = threading.Thread(target=fill)
        filler.start()
        fast, served = self.connect(line), self.accept(server)
        for _ in range(128):
            fast.sendall(bytes(MEGABYTE))
            self.assertEqual(len(receive(served, MEGABYTE)), MEGABYTE)
        # What sockets of the kernel keep, and a window: without back-pressure it would be as much as the fast one.
        self.assertLess(sent[0], 48 * MEGABYTE)
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        idle.close()
        filler.join()

    def test_500_at_once(self):
        listens, allows, server, line = self.tcp_link()
        pairs = []
        for i in range(500):
            client = self.connect(line)
            pairs.append((client, self.accept(server)))
        for i, (client, served) in enumerate(pairs):
            client.sendall(b"%d" % i * 100)
            served.sendall(b"-%d" % i * 100)
        for i, (client, served) in enumerate(pairs):
            self.assertEqual(receive(served, len(b"%d" % i * 100)), b"%d" % i * 100)
            self.assertEqual(receive(client, len(b"-%d" % i * 100)), b"-%d" % i * 100)
        for client, served in pairs:
            client.close()
            self.assertEqual(served.recv(1), b"")
            served.close()
        for forwarder in (listens, allows):
            self.assertEqual(forwarder.end(), (0, ""))

    def test_no_more_than_allowed(self):
        """A client over the limit waits until there is room."""
        _, _, server, line = self.tcp_link("--sockets", "2")
        first, second, third = [self.connect(line) for _ in range(3)]
        served = [self.accept(server) for _ in range(2)]
        third.sendall(b"third")
        self.pass_both_ways(first, served[0])
        self.pass_both_ways(second, served[1])
        with self.assertRaises(BlockingIOError):
            server.setblocking(False)
            server.accept()
        server.setblocking(True)
        first.close()
        self.assertEqual(served[0].recv(1), b"")
        served[0].close()
        self.assertEqual(receive(self.accept(server), 5), b"third")

    def test_no_more_memory_than_allowed(self):
        """The end that allows has memory for two windows, and refuses a third socket."""
        server, address = self.tcp_server()
        self.forward(1, "--allow", f"target={address}", "--memory", "32K", "--window", "16K")
        listens = self.forward(0, "-L", "0:target")
        line = listens.line()
        (first, served), second = [(self.connect(line), self.accept(server)) for _ in range(2)]
        self.assert_refused(line)
        listens.await_error("No buffer space available")
        self.pass_both_ways(*second)
        first.close()
        served.close()
        greeter = threading.Thread(target=lambda: self.accept(server).sendall(b"!"))
        greeter.start()
        while True:  # that end hears of the first one's end a little later
            try:
                self.assertEqual(self.connect(line).recv(1), b"!")
                break
            except ConnectionResetError:
                continue
        greeter.join()


    def test_a_client_waits_for_a_descriptor(self):
        """None is left for a while; it is served then, without another client."""
        listens, _, server, line = self.tcp_link()
        self.pass_both_ways(self.connect(line), self.accept(server))
        limit, most = resource.prlimit(listens.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(listens.pid, resource.RLIMIT_NOFILE, (3, most))
        client = self.connect(line)
        self.assertIn("cannot accept a client at 127.0.0.1:", listens.stderr.readline())
        resource.prlimit(listens.pid, resource.RLIMIT_NOFILE, (limit, most))
        self.pass_both_ways(client, self.accept(server))


class Standard(ForwardTest):
    """--stdio, as ssh's ProxyCommand uses it."""

    def stdio(self, *arguments, **options):
        return self.forward(0, *arguments, **{"stdin": subprocess.PIPE, **options})

    def test_a_pipe(self):
        server, address = self.tcp_server()
        self.forward(1, "--allow", f"target={address}")
        program = self.stdio("--stdio", "target")
        served = self.accept(server)
        program.stdin.write("question\n")
        program.stdin.flush()
        self.assertEqual(receive(served, 9), b"question\n")
        served.sendall(b"answer\n")
        self.assertEqual(program.stdout.readline(), "answer\n")
        program.stdin.close()
        self.assertEqual(served.recv(1), b"")
        served.sendall(b"more\n" * 100000)
        served.close()
        self.assertEqual(program.stdout.read(), "more\n" * 100000)
        self.assertEqual((program.wait(PATIENCE), program.stderr.read()), (0, ""))

    def test_files(self):
        server, address = self.tcp_server()
        self.forward(1, "--allow", f"target={address}")
        given = random.randbytes(3 * MEGABYTE)
        (self.directory / "in").write_bytes(given)
        with open(self.directory / "in") as source, open(self.directory / "out", "w") as sink:
            program = self.stdio("--stdio", "target", stdin=source, stdout=sink)
        served = self.accept(server)
        self.assertEqual(receive_all(served), given)
        served.sendall(given)
        served.close()
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual((self.directory / "out").read_bytes(), given)

    def test_a_socket(self):
        server, address = self.tcp_server()
        self.forward(1, "--allow", f"target={address}")
        own, given = socket.socketpair()
        program = self.stdio("--stdio", "target", stdin=given, stdout=given)
        given.close()
        served = self.accept(server)
        self.pass_both_ways(self.own(own), served)
        own.shutdown(socket.SHUT_WR)
        self.assertEqual(served.recv(1), b"")
        served.close()
        self.assertEqual(own.recv(1), b"")
        self.assertEqual(program.wait(PATIENCE), 0)

    def test_refusals(self):
        self.forward(1, "--allow", "dead=1")
        for target, said in (("dead", "Connection refused"), ("other", "does not allow target")):
            program = self.stdio("--stdio", target)
            _, errors = program.communicate(timeout=PATIENCE)
            self.assertEqual(program.returncode, 2)
            self.assertIn(said, errors)

    def test_nobody_comes(self):
        program = self.stdio("--stdio", "target", "--timeout", "0.1")
        self.assertEqual(
            program.communicate(timeout=PATIENCE)[1],
            'crossvm: the other end of connection "link.0" did not come in time\n',
        )
        self.assertEqual(program.returncode, 1)

    def test_the_other_end_leaves(self):
        server, address = self.tcp_server()
        allows = self.forward(1, "--allow", f"target={address}")
        program = self.stdio("--stdio", "target")
        self.accept(server)
        allows.end(signal.SIGKILL)
        self.assertIn("Connection reset by peer", program.communicate(timeout=PATIENCE)[1])
        self.assertEqual(program.returncode, 2)


class Files(ForwardTest):
    """Files of sockets that listen."""

    def fails(self, *arguments):
        done = subprocess.run([TOOL, "forward", "link.0", *arguments], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        return done.stderr

    def test_a_dead_socket_is_replaced(self):
        path = self.directory / "client"
        self.forward(0, "-L", f"{path}:target").line()
        self.assertIn("Address already in use", Files.fails_at(self, path))
        program = self.forward(1, "-L", f"{self.directory}/other:target")
        program.line()
        program.end(signal.SIGKILL)
        self.assertTrue((self.directory / "other").exists())
        program = self.forward(1, "-L", f"{self.directory}/other:target")
        program.line()
        self.assertEqual(program.end(), (0, ""))
        self.assertFalse((self.directory / "other").exists())

    def fails_at(self, path):
        done = subprocess.run([TOOL, "forward", "link.1", "-L", f"{path}:target"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        return done.stderr

    def test_another_file_is_left_alone(self):
        path = self.directory / "file"
        path.write_text("precious")
        self.assertIn(f"cannot listen at {path}: Address already in use", self.fails("-L", f"{path}:target"))
        self.assertEqual(path.read_text(), "precious")

    def test_for_its_user_alone(self):
        path = self.directory / "client"
        self.forward(0, "-L", f"{path}:target").line()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_a_port_that_is_taken(self):
        _, address = self.tcp_server()
        self.assertEqual(
            self.fails("-L", f"{address}:target"), f"crossvm: cannot listen at {address}: Address already in use\n"
        )

    def test_wrong_options(self):
        for arguments, said in (
            ((), "there is nothing to forward"),
            (("-L", "ssh:22"), '"ssh:22" does not begin with an address'),
            (("-L", "22"), '"22" names no target'),
            (("--allow", "ssh"), '"ssh" has no address at its end'),
            (("--allow", "22=23"), '"22=23" has the address 22 in place of a name'),
            (("--stdio", "a/b"), '"a/b" has no target at its end'),
            (("--stdio", "ssh", "-L", "0:ssh"), "--stdio ends with its socket"),
            (("--allow", "22", "--window", "128M"), "--window is more than --memory"),
            (("--allow", "22", "--sockets", "0"), '"0" is not a whole number from 1 to 4096'),
        ):
            self.assertIn(said, self.fails(*arguments))


if __name__ == "__main__":
    unittest.main()
