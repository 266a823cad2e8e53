# SPDX-License-Identifier: BSD-2-Clause
"""What bridges carry and drop, whom they trust, and what they say."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
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


    def talk(self, server, data, *answers):
        """Says something to the server, as its protocol has it, and reads up to a line that begins so; gives the next one."""
        with socket.create_connection(("localhost", server.port)) as client, client.makefile("rwb") as lines:
            lines.write(b'CONNECT {"headers":true,"no_responders":true,"verbose":false}\r\n' + data)
            lines.flush()
            while not lines.readline().startswith(answers):
                pass
            return lines.readline()

    def publish(self, server, *messages, headers=b""):
        """Into the stream. One that was just made may tell of itself and take nothing yet: then nobody answers."""
        for message in messages:
            text = headers + message
            put = b"HPUB x answer %d %d" % (len(headers), len(text)) if headers else b"PUB x answer %d" % len(text)
            said = b"SUB answer 1\r\n%s\r\n%s\r\n" % (put, text)
            while self.talk(server, said, b"MSG ", b"HMSG ").startswith(b"NATS/1.0 503"):
                pass

    def ask(self, server, what, body=b""):
        """A question to JetStream."""
        question = b"SUB answer 1\r\nPUB $JS.API.STREAM.%s.S answer %d\r\n%s\r\n" % (what, len(body), body)
        return json.loads(self.talk(server, question, b"MSG "))

    def await_stream(self, server):
        """Asks until the bridge has made it."""
        while "error" in self.ask(server, b"INFO"):
            pass

    def make_anew(self, server):
        self.assertTrue(self.ask(server, b"DELETE")["success"])
        self.assertNotIn("error", self.ask(server, b"CREATE", b'{"name":"S","subjects":["x"],"storage":"file"}'))

    def await_counts(self, bridge, name, text):
        """Asks the bridge for its counts until they have that in them."""
        while text not in self.said(name):
            reports = self.said(name).count("on their way")
            bridge.send_signal(signal.SIGUSR1)
            while self.said(name).count("on their way") == reports:
                pass

    def leave_to_successor(self, server, messages, received):
        """A bridge is killed with messages in the ring that a program has not taken."""
        bridge = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        program = self.start(TOOL, "recv", "b.0")
        self.await_stream(server)
        self.publish(server, b"taken")
        self.assertEqual(program.line(), "taken")
        self.await_counts(bridge, "b", "received 1, on their way 0 and 0")
        program.send_signal(signal.SIGSTOP)
        self.publish(server, *messages)
        self.await_counts(bridge, "b", f"received {received + 1}, on their way 0 and {len(messages)}")
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
        self.pair("b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.await_said("b", "connected to")
        self.await_stream(server)
        headers = b"NATS/1.0\r\nStatus: 100\r\nNats-Last-Consumer: 1000\r\n\r\n"
        self.publish(server, b"", headers=headers)
        self.publish(server, b"after")
        self.assertEqual(self.receive("b", 2), [b"", b"after"])

    def test_a_stream_that_is_made_anew(self):
        """Its numbers begin anew, and none of its messages is taken for one of before."""
        server = self.server()
        self.pair("b")
        bridge = self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.await_stream(server)
        self.publish(server, b"1", b"2")
        self.assertEqual(self.receive("b", 2), [b"1", b"2"])
        self.await_counts(bridge, "b", "received 2, on their way 0 and 0")
        self.make_anew(server)
        self.publish(server, b"3")
        self.assertEqual(self.receive("b", 1), [b"3"])
        self.assertIn("stream S was made anew", self.said("b"))

    def test_a_stream_that_is_made_anew_while_no_bridge_is_there(self):
        server = self.server()
        self.pair("b")
        self.leave_to_successor(server, (b"1", b"2"), 2)
        self.make_anew(server)
        self.publish(server, b"3", b"4", b"5")
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
        server.process.send_signal(signal.SIGSTOP)
        sender = self.start(TOOL, "send", "a.0", stdin=subprocess.PIPE)
        sender.stdin.write("is on its way\n")
        sender.stdin.close()
        sender.stdin = None
        self.await_counts(bridge, "a", "on their way 1 and 0")
        bridge.end()
        server.process.send_signal(signal.SIGCONT)
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
        self.pair("a")
        self.pair("b")
        self.bridge("b", server, "--receive", "x", "--receive-stream", "S")
        self.await_said("b", "connected to")
        sends = self.bridge("a", server, "--send", "x")
        self.send("a", b"before")
        self.assertEqual(self.receive("b", 1), [b"before"])
        server.kill()
        self.await_said("a", "is lost")
        self.send("a", *(b"%d" % i for i in range(1000)))
        server.start()
        self.assertEqual(self.receive("b", 1), [b"999"])
        self.assertEqual(self.counts(sends, "a")[:6], [2, 0, 0, 0, 999, 0])


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

    def is_refused(self, server, *options, **environment):
        self.pair("c")
        bridge = self.bridge("c", server, "--send", "x", *options, **environment)
        bridge.wait(PATIENCE)
        self.assertEqual(bridge.returncode, 2)
        self.assertIn("does not take this client", self.said("c"))

    def test_certificates(self):
        self.certify()
        server = self.server(
            f"tls {{ cert_file: {self.file('server.pem')}, key_file: {self.file('server.key')}, "
            f"ca_file: {self.file('ca.pem')}, verify: true }}\n", "tls"
        )  # fmt: skip
        own = ("--tls-cert", self.file("client.pem"), "--tls-key", self.file("client.key"))
        self.carries(server, "--tls-ca", self.file("ca.pem"), *own)
        self.is_refused(server, *own)  # the authority is none of the system's

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
        self.is_refused(server, "--user", "guest", "--password-file", self.file("password"))

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
        self.is_refused(server, "--creds", self.file("user.creds"))


class Confinement(CarryTest):
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
            (("a", "--send", "x", "--user", "me"), "there is no password for --user"),
            (("a", "--send", "x", "--creds", "/dev/null"), "has no token and seed"),
            (("a", "--send", "x", "--tls-ca", "/nowhere"), "cannot read /nowhere: No such file"),
        ):
            with self.subTest(arguments=arguments):
                status, _, said = self.run_tool("bridge", *arguments)
                self.assertEqual(status, 2)
                self.assertIn(sentence, said)

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
