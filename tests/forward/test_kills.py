# SPDX-License-Identifier: BSD-2-Clause
"""A forwarder or the hub is killed at any point: no stream that was cut short seems whole, and afterwards all works again."""

import hashlib
import random
import signal
import socket
import threading
import unittest

from forwarding import PATIENCE, ForwardTest
from rounds import FORWARDER_KILLS, rounds

BYTES = 4 << 20  # of each stream
STREAMS = 3  # at once


class Exchange:
    """Clients that send a stream, each with a server that answers with its digest at the end."""

    def __init__(self, server, address):
        self.lock = threading.Lock()
        self.received = 0
        self.killed_at = random.randrange(STREAMS * BYTES)
        self.reached = threading.Event()  # that many bytes have arrived, or all is over
        self.whole = [0, 0]  # streams that were whole for the client, and for the server
        self.faults = []
        self.closing = False
        self.server, self.address = server, address
        self.threads = [threading.Thread(target=self.guard, args=(self.send,)) for _ in range(STREAMS)]
        self.threads.append(threading.Thread(target=self.guard, args=(self.serve,)))
        for thread in self.threads:
            thread.start()

    def guard(self, function, *arguments):
        try:
            function(*arguments)
        except AssertionError as fault:
            self.faults.append(fault)

    def send(self):
        data = random.randbytes(1 << 16) * (BYTES >> 16)
        try:
            with socket.create_connection(self.address) as client:
                client.sendall(hashlib.sha256(data).digest() + data)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(100)
                assert answer == b"whole", f"the client sees {answer}"
                with self.lock:
                    self.whole[0] += 1
        except OSError:
            pass  # it is told that something went wrong

    def serve_one(self, connection):
        digest, actual, length = b"", hashlib.sha256(), 0
        try:
            with connection:
                while data := connection.recv(65536):
                    digest, rest = (digest + data)[:32], (digest + data)[32:] if len(digest) < 32 else data
                    actual.update(rest)
                    length += len(rest)
                    with self.lock:
                        self.received += len(rest)
                        if self.received >= self.killed_at:
                            self.reached.set()
                assert length == BYTES, f"a stream ended well after {length} bytes"
                assert actual.digest() == digest, "a stream has other bytes"
                with self.lock:
                    self.whole[1] += 1
                connection.sendall(b"whole")
        except OSError:
            pass

    def serve(self):
        serving = []
        while True:
            connection = self.server.accept()[0]
            if self.closing:
                connection.close()
                break
            serving.append(threading.Thread(target=self.guard, args=(self.serve_one, connection)))
            serving[-1].start()
        for thread in serving:
            thread.join()

    def finish(self):
        """Waits for all clients, and then for their servers."""
        for thread in self.threads[:STREAMS]:
            thread.join()
        self.closing = True
        socket.create_connection(self.server.getsockname()).close()
        self.threads[-1].join()
        if self.faults:
            raise self.faults[0]


class Kills(ForwardTest):
    def start_forwarders(self, which=(0, 1)):
        arguments = {0: ("-L", f"{self.port}:target"), 1: ("--allow", f"target={self.target}")}
        for end in which:
            self.forwarders[end] = self.forward(end, *arguments[end])
        if 0 in which:
            self.port = self.forwarders[0].line().split(" ")[0].rpartition(":")[2]

    def restart(self, victim):
        if victim != "hub":
            self.forwarders[victim].end(signal.SIGKILL)
            self.start_forwarders((victim,))
            return
        self.pair.end(signal.SIGKILL)
        for end in (0, 1):
            said = self.forwarders[end].communicate(timeout=PATIENCE)[1]
            self.assertEqual(self.forwarders[end].returncode, 2)
            self.assertIn("open it again when that is back", said)
        self.pair = self.start("pair", "link", "--dataport", self.dataport)
        self.pair.line()
        self.start_forwarders()

    def test_any_of_them_at_any_point(self):
        server, self.target = self.tcp_server()
        self.port, self.forwarders = 0, {}
        self.start_forwarders()
        for i in rounds("forwarders and hubs killed", FORWARDER_KILLS):
            victim = (0, 1, "hub")[i % 3]
            with self.subTest(victim=victim):
                exchange = Exchange(server, ("127.0.0.1", int(self.port)))
                self.assertTrue(exchange.reached.wait(PATIENCE))
                self.restart(victim)
                exchange.finish()
                self.assertLessEqual(exchange.whole[0], exchange.whole[1])
                again = Exchange(server, ("127.0.0.1", int(self.port)))
                again.finish()
                self.assertEqual(again.whole, [STREAMS, STREAMS])


if __name__ == "__main__":
    unittest.main()
