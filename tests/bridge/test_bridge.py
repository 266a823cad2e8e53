# SPDX-License-Identifier: BSD-2-Clause
"""What bridges carry and drop, whom they trust, and what they say."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import unittest

import creds
from bridging import PATIENCE, TOOL, BridgeTest
from rounds import choose

NUMBERS = choose(100_000, 1_000_000)


class FakeServer:
    """Where the test itself listens."""

    def __init__(self, port):
        self.url = f"nats://localhost:{port}"


class CarryTest(BridgeTest):
    def run_tool(self, *arguments, data=b""):
        done = subprocess.run([TOOL, *arguments], input=data, capture_output=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr.decode()

    def send(self, name, *lines):
        """Sends datagrams from the other end, and waits until the bridge has taken them."""
        self.assertEqual(self.run_tool("send", f"{name}.0", data=b"".join(line + b"\n" for line in lines)), (0, b"", ""))

    def receive(self, name, count):
        """As many as that, at the other end."""
        status, output, said = self.run_tool("recv", f"{name}.0", "-n", str(count))
        self.assertEqual((status, said), (0, ""))
        return output.split(b"\n")[:-1]

    def counts(self, bridge, name):
        """The bridge's counts, once it has ended."""
        self.end_bridge(bridge, name)
        return list(map(int, re.findall(r"\d+", self.said(name).splitlines()[-1])))

    def await_said(self, name, text):
        """Follows what a bridge says until a line has the text in it."""
        with subprocess.Popen(["tail", "-n", "+1", "-f", self.directory / f"{name}.said"], stdout=subprocess.PIPE, text=True) as tail:
            for line in tail.stdout:
                if text in line:
                    break
            tail.kill()


    def make_anew(self, server):
        self.assertTrue(server.ask("STREAM.DELETE.S")["success"])
        server.make_stream("S", "x")

    def leave_to_successor(self, server, messages, received):
        """A bridge is killed with messages in the ring that a program has not taken."""
        server.make_stream("S", "x")
        bridge = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        program = self.start(TOOL, "recv", "b.0")
        server.publish(b"x", b"taken")
        self.assertEqual(program.line(), "taken")
        self.await_count("b", bridge, "received 1, on their way 0 and 0")
        program.send_signal(signal.SIGSTOP)
        server.publish(b"x", *messages)
        self.await_count("b", bridge, f"received {received + 1}, on their way 0 and {len(messages)}")
        for killed in (bridge, program):
            self.kill(killed)


class Stream(CarryTest):
    def test_many_both_ways(self):
        server = self.server()
        self.pair("a")
        self.pair("b")
        ways = (("x", "TO_B"), ("y", "TO_A"))
        bridges = []
        for name, (to, to_stream), (of, of_stream) in (("a", *ways), ("b", *reversed(ways))):
            bridges.append(self.bridge(name, server, "--send", to, "--send-stream", to_stream,
                                       "--receive", of, "--receive-stream", of_stream))
        # An end has one owner, so the ways take turns.
        for source, destination in (("a", "b"), ("b", "a")):
            taker = self.taker(destination, NUMBERS, 1)
            sender = self.sender(source, NUMBERS)
            self.go(sender)
            self.await_done(sender, taker)
            self.finish(sender)
            self.finish(taker)
        for bridge, name in zip(bridges, "ab"):
            self.end_bridge(bridge, name)
            self.assertIn(f"sent {NUMBERS}, received {NUMBERS}, on their way 0 and 0, dropped 0 and 0", self.said(name))

    def test_messages_wait_for_a_program(self):
        server = self.server()
        self.pair("a")
        self.pair("b")
        sends = self.bridge("a", server, "--send", "x", "--send-stream", "S")
        self.send("a", *(b"%d" % i for i in range(100)))
        receives = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.assertEqual(self.receive("b", 40), [b"%d" % i for i in range(40)])
        self.end_bridge(receives, "b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.assertEqual(self.receive("b", 60), [b"%d" % i for i in range(40, 100)])
        self.end_bridge(sends, "a")

    def test_two_publishers_are_one_too_many(self):
        server = self.server()
        self.pair("a")
        self.pair("b")
        first = self.bridge("a", server, "--send", "x", "--send-stream", "S")
        self.send("a", b"first")
        self.bridge("b", server, "--send", "x", "--send-stream", "S")
        self.send("b", b"second")
        with subprocess.Popen([TOOL, "send", "a.0"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as sender:
            sender.communicate(b"third\n")
        first.wait(PATIENCE)
        self.assertEqual(first.returncode, 2)
        self.assertIn("somebody else publishes to stream S", self.said("a"))

    def test_another_stream_has_the_subject(self):
        server = self.server()
        self.pair("a")
        for subject, stream in (("x", "T"), ("y", "S")):
            bridge = self.bridge("a", server, "--send", subject, "--send-stream", stream)
            self.send("a", b"one")
            self.end_bridge(bridge, "a")
        bridge = self.bridge("a", server, "--send", "x", "--send-stream", "S", "--grace=0.1")
        with subprocess.Popen([TOOL, "send", "a.0"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as sender:
            sender.stdin.write(b"two\n")
            sender.stdin.close()
            self.await_said("a", "does not take a datagram: another stream has this subject")
            bridge.end()
        self.assertEqual(bridge.returncode, 1, self.said("a"))

    def test_a_publisher_that_writes_headers_of_the_server(self):
        server = self.server()
        server.make_stream("S", "x")
        self.pair("b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        server.publish(b"x", b"", headers=b"NATS/1.0\r\nStatus: 100\r\nNats-Last-Consumer: 1000\r\n\r\n")
        server.publish(b"x", b"after")
        self.assertEqual(self.receive("b", 2), [b"", b"after"])

    def test_consumers(self):
        """Each bridge leaves one, and removes those of bridges before it alone."""
        server = self.server()
        server.make_stream("S", "x")
        self.pair("b")
        for consumer in ("c-7", "c", "c", "d"):
            bridge = self.bridge("b", server, "--receive", "x", "--receive-stream", "S", "--consumer", consumer)
            server.publish(b"x", b"text")
            self.assertEqual(self.receive("b", 1), [b"text"])
            self.end_bridge(bridge, "b")
        kinds = sorted(name.rpartition("-")[0] for name in self.consumers(server))
        self.assertEqual(kinds, ["c", "c-7", "d"])

    def consumers(self, server):
        return server.ask("CONSUMER.NAMES.S")["consumers"] or ()

    def test_a_connection_with_a_dot_in_its_name(self):
        """Which no consumer may have."""
        server = self.server()
        server.make_stream("S", "x")
        self.pair("plant.7")
        self.bridge("plant.7", server, "--receive", "x", "--receive-stream", "S")
        server.publish(b"x", b"text")
        self.assertEqual(self.receive("plant.7", 1), [b"text"])

    def test_replicas_without_a_cluster(self):
        server = self.server()
        self.pair("a")
        bridge = self.bridge("a", server, "--replicas=3", "--receive", "x", "--receive-stream", "S")
        self.await_said("a", "cannot receive from stream S: replicas > 1 not supported")
        self.end_bridge(bridge, "a")

    def test_told_to_end_twice(self):
        """Then it does not wait for what is on its way."""
        server = self.server()
        self.pair("a")
        bridge = self.bridge("a", server, "--send", "x", "--send-stream", "S", "--grace=100000")
        self.send("a", b"arrives")
        server.suspend()
        sender = self.endpoint("a", "push", 1)
        self.go(sender)
        self.await_done(sender)
        self.await_count("a", bridge, "on their way 1 and 0")
        bridge.send_signal(signal.SIGTERM)
        bridge.send_signal(signal.SIGINT)  # two of the same may become one
        bridge.wait(PATIENCE)
        server.resume()
        self.assertEqual(bridge.returncode, 1, self.said("a"))

    def test_a_stream_that_is_made_anew(self):
        """Its numbers begin anew, and none of its messages is taken for one of before."""
        server = self.server()
        server.make_stream("S", "x")
        self.pair("b")
        bridge = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        server.publish(b"x", b"1", b"2")
        self.assertEqual(self.receive("b", 2), [b"1", b"2"])
        self.await_count("b", bridge, "received 2, on their way 0 and 0")
        self.make_anew(server)
        server.publish(b"x", b"3")
        self.assertEqual(self.receive("b", 1), [b"3"])
        self.assertIn("stream S was made anew", self.said("b"))

    def test_a_stream_that_is_made_anew_while_no_bridge_is_there(self):
        server = self.server()
        self.pair("b")
        self.leave_to_successor(server, (b"1", b"2"), 2)
        self.make_anew(server)
        server.publish(b"x", b"3", b"4", b"5")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.assertEqual(self.receive("b", 3), [b"3", b"4", b"5"])

    def test_a_smaller_window_than_the_predecessors(self):
        server = self.server()
        self.pair("b")
        messages = [b"%d" % i for i in range(300)]
        self.leave_to_successor(server, messages, 300)
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S", "--window=16")
        self.assertEqual(self.receive("b", 300), messages)

    def test_told_to_end_without_a_server(self):
        server = self.server()
        self.pair("a")
        bridge = self.bridge("a", server, "--send", "x", "--send-stream", "S", "--grace=0.1")
        self.send("a", b"arrives")
        server.suspend()
        sender = self.start(TOOL, "send", "a.0", stdin=subprocess.PIPE)
        sender.stdin.write("is on its way\n")
        sender.stdin.close()
        sender.stdin = None
        self.await_count("a", bridge, "on their way 1 and 0")
        bridge.end()
        server.resume()
        self.assertEqual(bridge.returncode, 1, self.said("a"))
        self.assertIn("ends with 1 datagrams that were not acknowledged", self.said("a"))
        self.bridge("a", server, "--send", "x", "--send-stream", "S")
        self.pair("b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.assertEqual(self.receive("b", 2), [b"arrives", b"is on its way"])


class Newest(CarryTest):
    def test_the_server_is_away(self):
        """The sender is not held up, and the last datagram arrives once there is a server."""
        server = self.server()
        server.make_stream("S", "x")
        self.pair("a")
        self.pair("b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        sends = self.bridge("a", server, "--send", "x")
        self.send("a", b"before")
        self.assertEqual(self.receive("b", 1), [b"before"])
        server.kill()
        self.await_said("a", "is lost")
        self.send("a", *(b"%d" % i for i in range(999)), b"newest" * 2000)
        server.start()
        self.assertEqual(self.receive("b", 1), [b"newest" * 2000])
        self.assertEqual(self.counts(sends, "a")[:6], [2, 0, 0, 0, 999, 0])

    def test_nobody_takes(self):
        """What comes before the other end does is dropped, and counted."""
        server = self.server()
        self.pair("b")
        bridge = self.bridge("b", server, "--receive", "x")
        while "dropped 0 and 0," in self.report("b", bridge):
            server.publish(b"x", bytes(8))
        taker = self.taker("b", 1, 1)
        while "received 0," in self.report("b", bridge):
            server.publish(b"x", bytes(8))
        self.finish(taker)


class Sizes(CarryTest):
    def test_longer_than_the_server_takes(self):
        server = self.server("max_payload: 2000\n")
        self.pair("a")
        self.pair("b")
        sends = self.bridge("a", server, "--send", "x", "--send-stream", "S")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.send("a", b"1", b"2" * 5000, b"3", b"4" * 2000)
        self.send("a", b"5")
        self.assertEqual(self.receive("b", 3), [b"1", b"3", b"5"])
        counts = self.counts(sends, "a")
        self.assertEqual((counts[0], counts[8]), (3, 2))
        self.assertRegex(self.said("a"), r"carries datagrams of up to \d+ bytes, and the server takes 2000")
        self.assertIn("a datagram of 5000 bytes is dropped: the server takes 2000", self.said("a"))

    def test_longer_than_the_channel_takes(self):
        server = self.server()
        self.pair("a")
        self.dataport = "8K"
        self.pair("b")
        self.bridge("a", server, "--send", "x", "--send-stream", "S")
        receives = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.send("a", b"1", b"2" * 10000, b"3")
        self.assertEqual(self.receive("b", 2), [b"1", b"3"])
        self.assertEqual(self.counts(receives, "b")[9], 1)
        self.assertIn("a message of 10000 bytes is dropped", self.said("b"))


    def test_longer_than_the_channel_takes_before_a_kill(self):
        """It had no place in the ring, and is not taken for one that had."""
        server = self.server()
        self.dataport = "8K"
        self.pair("b")
        self.leave_to_successor(server, (b"1", b"2" * 10000, b"3"), 2)
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.assertEqual(self.receive("b", 2), [b"1", b"3"])


class Trust(CarryTest):
    def certify(self):
        """An authority, and certificates of it for a server and a client."""

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
        openssl("req", "-x509", *key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        for name in ("server", "client"):
            openssl("req", "-x509", *key, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:false",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip

    def file(self, name):
        return str(self.directory / name)

    def carries(self, server, *options):
        self.pair("a")
        self.pair("b")
        bridge = self.bridge("a", server, "--send", "x", "--send-stream", "S", *options)
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S", *options)
        self.send("a", b"whom I trust")
        self.assertEqual(self.receive("b", 1), [b"whom I trust"])
        self.end_bridge(bridge, "a")

    def is_refused(self, name, server, *options, **environment):
        self.pair(name)
        bridge = self.bridge(name, server, "--send", "x", *options, **environment)
        bridge.wait(PATIENCE)
        self.assertEqual(bridge.returncode, 2)
        self.assertIn("does not take this client", self.said(name))

    def test_certificates(self):
        self.certify()
        server = self.server(
            f"tls {{ cert_file: {self.file('server.pem')}, key_file: {self.file('server.key')}, "
            f"ca_file: {self.file('ca.pem')}, verify: true }}\n", "tls"
        )  # fmt: skip
        own = ("--tls-cert", self.file("client.pem"), "--tls-key", self.file("client.key"))
        self.carries(server, "--tls-ca", self.file("ca.pem"), *own)
        self.is_refused("d", server, *own)  # the authority is none of the system's
        self.is_refused("e", server, "--tls-ca", self.file("client.pem"), *own)

    def test_a_server_that_dies_while_it_greets(self):
        """It is no reason to give up: the next attempt succeeds."""
        with socket.create_server(("localhost", 0)) as listener:
            port = listener.getsockname()[1]
            self.pair("a")
            self.bridge("a", FakeServer(port), "--send", "x")
            for answer in (b"", b"", b"PONG\r\n"):
                client = listener.accept()[0]
                client.sendall(b'INFO {"server_id":"S","version":"2.9.0","max_payload":1048576,"headers":true}\r\n')
                with client.makefile("rb") as lines:
                    while not lines.readline().startswith(b"PING"):
                        pass
                client.sendall(answer)
                if not answer:
                    client.close()
            self.await_said("a", f"connected to nats://localhost:{port}")
            client.close()

    def test_password(self):
        server = self.server("authorization { user: guest, password: secret }\n")
        (self.directory / "password").write_text("secret\n")
        self.carries(server, "--user", "guest", "--password-file", self.file("password"))
        (self.directory / "password").write_text("other\n")
        self.is_refused("c", server, "--user", "guest", "--password-file", self.file("password"))

    def test_password_of_the_environment(self):
        server = self.server("authorization { user: guest, password: secret }\n")
        os.environ["CROSSVM_BRIDGE_PASSWORD"] = "secret"
        self.addCleanup(os.environ.pop, "CROSSVM_BRIDGE_PASSWORD")
        self.carries(server, "--user", "guest")

    def test_a_subject_that_is_not_permitted(self):
        """The server says so for each datagram, and the bridge once a second."""
        server = self.server('authorization { users: [{ user: u, password: p, permissions: { publish: "y" } }] }\n')
        (self.directory / "password").write_text("p\n")
        self.pair("a")
        bridge = self.bridge("a", server, "--send", "x", "--user", "u", "--password-file", self.file("password"))
        self.send("a", *(b"%d" % i for i in range(1000)))
        self.await_said("a", 'the NATS server says: Permissions Violation for Publish to "x"')
        self.end_bridge(bridge, "a")
        self.assertLess(self.said("a").count("Permissions Violation"), 100)

    def test_credentials(self):
        """Of an operator's account, as a cluster of many tenants has them."""
        configuration, credentials = creds.make(self.directory)
        server = self.server(configuration)
        (self.directory / "user.creds").write_text(credentials)
        self.carries(server, "--creds", self.file("user.creds"))
        (self.directory / "user.creds").write_text(creds.make(self.directory)[1])
        self.is_refused("c", server, "--creds", self.file("user.creds"))


class Impostor:
    """Speaks so much of a server's part that a client counts it as one. Then it hangs up."""

    def __init__(self, greets=True):
        self.greets = greets
        self.listener = socket.create_server(("localhost", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"nats://localhost:{self.port}"

    def serve_one(self, others=()):
        """others: servers of its cluster."""
        with self.listener.accept()[0] as client, client.makefile("rwb") as lines:
            if not self.greets:
                return
            urls = [f"localhost:{other.port}" for other in others]
            lines.write(b"INFO %s\r\n" % json.dumps({"max_payload": 1 << 20, "headers": True, "connect_urls": urls}).encode())
            lines.flush()
            while (line := lines.readline()) and line != b"PING\r\n":
                pass
            lines.write(b"PONG\r\n")
            lines.flush()
            client.shutdown(socket.SHUT_WR)
            lines.read()  # what is left unread would take back what was written


class Servers(CarryTest):
    def impostor(self, **options):
        impostor = Impostor(**options)
        self.addCleanup(impostor.listener.close)
        return impostor

    def test_pauses(self):
        """Between attempts they become longer. A busy machine only makes them longer still."""
        impostor = self.impostor(greets=False)
        self.pair("a")
        began = time.monotonic()
        self.bridge("a", impostor, "--send", "x")
        for _ in range(6):
            impostor.serve_one()
        self.assertGreater(time.monotonic() - began, 0.05 + 0.1 + 0.2 + 0.4 + 0.8)
        self.assertIn(f"({impostor.url}: Connection Closed)", self.said("a"))

    def test_reasons(self):
        self.pair("a")
        impostor = self.impostor()
        impostor.listener.close()
        bridge = self.bridge("a", impostor, "--send", "x")
        self.await_said("a", f"no NATS server answers yet ({impostor.url}: Connection refused): trying again until one does")
        self.end_bridge(bridge, "a")
        impostor.url = "nats://no-host.invalid"
        self.bridge("a", impostor, "--send", "x")
        self.await_said("a", "no NATS server answers yet (nats://no-host.invalid: ")

    def test_no_stream(self):
        server = self.server()
        self.pair("a")
        bridge = (TOOL, "bridge", "a.1", "--server", server.url)
        for way in ("--send", "--receive"):
            program = self.start(*bridge, f"{way}=x", f"{way}-stream=S")
            program.await_error("it does not exist: make it, or give --create; trying again")
            self.assertEqual(program.end()[0], 0)


class Confinement(CarryTest):
    def test_files(self):
        """None can be opened for writing."""
        server = self.server()
        self.pair("a")
        bridge = self.bridge("a", server, "--send", "x")
        self.send("a", b"confined")
        subprocess.run([os.environ["CROSSVM_MAKE_CALL"], str(bridge.pid), "crossvm-bridge"], check=True, timeout=PATIENCE)
        self.assertEqual(bridge.wait(PATIENCE), -signal.SIGSYS)
        self.assertIn("made the system call openat (", self.said("a"))

    def test_ports(self):
        """A server may tell of others, of which it connects only to those at a port of --server."""
        first, other = Impostor(), Impostor()
        self.addCleanup(first.listener.close)
        self.addCleanup(other.listener.close)
        self.pair("a")
        self.bridge("a", first, "--send", "x")
        for _ in range(4):  # it takes turns between all that it knows
            first.serve_one([other])
        other.listener.setblocking(False)
        self.assertRaises(BlockingIOError, other.listener.accept)

    def test_all_threads(self):
        """Those of the NATS library, too, before and after it has connected again."""
        server = self.server()
        self.pair("a")
        bridge = self.bridge("a", server, "--send", "x", "--send-stream", "S")
        for _ in range(2):
            self.send("a", b"by all threads that there are")
            threads = list(pathlib.Path(f"/proc/{bridge.pid}/task").iterdir())
            self.assertGreater(len(threads), 3)
            for thread in threads:
                status = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
                self.assertEqual((status["Seccomp"], status["NoNewPrivs"], int(status["CapEff"], 16)), ("2", "1", 0), thread)
            server.kill()
            server.start()

    def test_no_unix_sockets(self):
        """At those are other hubs and services, which take who comes for the bridge's user."""
        self.pair("a")
        bridge = self.bridge("a", self.server(), "--send", "x", env={**os.environ, "LD_PRELOAD": os.environ["CROSSVM_ATTACKER"]})
        bridge.wait(PATIENCE)
        self.assertEqual(self.said("a"), "a socket of IP: Success\na Unix socket: Address family not supported by protocol\n")


class Errors(CarryTest):
    def test_command_lines(self):
        for arguments, sentence in (
            ((), "the NAME of a connection is missing"),
            (("a",), "there is nothing to carry"),
            (("a", "--send", "x.*"), "is no subject to publish to"),
            (("a", "--send", "x..y"), "is no subject"),
            (("a", "--receive-stream", "S", "--send", "x"), "--receive-stream needs --receive"),
            (("a", "--send", "x", "--send-stream", "a.b"), "is no name"),
            (("a", "--send", "x", "--server", "localhost"), "is no URL of a server"),
            (("a", "--send", "x", "--server", "nats://user:secret@localhost"), "give --user and --password-file"),
            (("a", "--send", "x", "--tls-cert", "file"), "belong together"),
            (("a", "--send", "x", "--replicas=3"), "--replicas needs --create"),
            (("a", "--send", "x", "--create", "--replicas=6"), "--replicas"),
            (("a", "--send", "x", "--user", "me"), "there is no password for --user"),
            (("a", "--send", "x", "--creds", "/dev/null"), "has no token and seed"),
            (("a", "--send", "x", "--tls-ca", "/nowhere"), "cannot read /nowhere: No such file"),
        ):
            with self.subTest(arguments=arguments):
                status, _, said = self.run_tool("bridge", *arguments)
                self.assertEqual(status, 2)
                self.assertIn(sentence, said)

    def test_a_file_that_is_too_long(self):
        (self.directory / "file").write_bytes(bytes((1 << 20) + 1))
        status, _, said = self.run_tool("bridge", "a", "--send", "x", "--user", "me", "--password-file", self.directory / "file")
        self.assertEqual(status, 2)
        self.assertIn("has more than 1 MiB", said)

    def test_not_installed(self):
        alone = self.directory / "crossvm"
        alone.write_bytes(pathlib.Path(TOOL).read_bytes())
        alone.chmod(0o755)
        done = subprocess.run([alone, "bridge", "a"], capture_output=True, text=True, env={"PATH": str(self.directory)})
        self.assertEqual(done.returncode, 2)
        self.assertIn("it is in the package crossvm-bridge", done.stderr)

    def test_nobody_comes(self):
        self.pair("a")
        server = self.server()
        bridge = self.bridge("a", server, "--send", "x", "--timeout=0.1")
        bridge.wait(PATIENCE)
        self.assertEqual(bridge.returncode, 1)
        self.assertIn('nobody came to the other end of connection "a.1" in time', self.said("a"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
