# SPDX-License-Identifier: BSD-2-Clause
"""Two hosts on a network, each with a hub and a bridge, and guests that have no network themselves: what a guest of one sends to a
guest of the other arrives, each datagram once and in order. The servers of NATS are hosts of their own."""

import contextlib
import json
import os
import random
import subprocess
import unittest
import urllib.request

from bridging import ENDPOINT, NATS_SERVER, TOOL, BridgeTest
from hosts import Network
from namespace import become_able
from rounds import choose, rounds

DATAGRAMS = choose(10_000, 1_000_000)  # each way
KILLS = choose(1, 20)  # of a server


class Server:
    """A host with a server of NATS, which listens where that always does."""

    def __init__(self, test, name, routes=()):
        self.host = test.network.add(test.directory)
        self.url = f"nats://{self.host.address}:4222"
        self.route = f"nats://{self.host.address}:6222"
        self.name, self.log = name, test.directory / f"{name}.log"
        self.process = None
        test.addCleanup(self.kill)

    def start(self, cluster=()):
        """cluster are all servers of it, this one among them."""
        configuration = {"server_name": self.name, "listen": f"{self.host.address}:4222", "http": f"{self.host.address}:8222",
                         "jetstream": {"store_dir": str(self.host.folder / "store")}}
        if cluster:
            configuration["cluster"] = {"name": "plant", "listen": f"{self.host.address}:6222",
                                        "routes": [server.route for server in cluster if server is not self]}
        file = self.host.folder / "server.conf"
        file.write_text(json.dumps(configuration))
        with self.log.open("a") as log:
            self.process = self.host.start(NATS_SERVER, "-c", file, stderr=log)

    def await_health(self):
        """Until it has all that its streams have got without it."""
        while True:
            with self.host.namespace, contextlib.suppress(OSError), \
                    urllib.request.urlopen(f"http://{self.host.address}:8222/healthz"):
                return
            os.sched_yield()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class HostsTest(BridgeTest):
    def setUp(self):
        super().setUp()
        self.network = Network()
        self.addCleanup(self.network.close)

    def start_on(self, machine, *arguments, **options):
        with machine.namespace:
            return self.start(*arguments, env=machine.environment(), **options)

    def join(self, host, name, servers, *options):
        """A hub with a connection of that name, and its bridge."""
        hub = self.start_on(host, TOOL, "pair", name, "--dataport", self.dataport)
        self.assertEqual(hub.line(), f"{name}.0 {name}.1")
        urls = [f"--server={server.url}" for server in servers]
        with (self.directory / f"{name}.said").open("a") as said:
            return self.start_on(host, TOOL, "bridge", f"{name}.1", *urls, *options, stderr=said)

    def take(self, host, name):
        """A program at the other end, in the guest, that takes all numbers."""
        return self.start_on(host.guest, ENDPOINT, f"{name}.0", "take", str(DATAGRAMS), "1")

    def send(self, host, name):
        """One that sends them."""
        sender = self.start_on(host.guest, ENDPOINT, f"{name}.0", "send", str(DATAGRAMS), stdin=subprocess.PIPE)
        self.go(sender)
        return sender


class TwoHosts(HostsTest):
    def test_there_and_back(self):
        """By one bridge at each host, for both directions."""
        server = Server(self, "server")
        server.start()
        a, b = (self.network.add(self.directory) for _ in range(2))
        to_b, to_a = ("to.b", "FROM_A"), ("to.a", "FROM_B")
        for host, name, (send, send_stream), (receive, receive_stream) in ((a, "here", to_b, to_a), (b, "there", to_a, to_b)):
            self.join(host, name, [server], "--create", "--send", send, "--send-stream", send_stream,
                      "--receive", receive, "--receive-stream", receive_stream)
        self.carry((a, "here"), (b, "there"))
        self.carry((b, "there"), (a, "here"))

    def carry(self, source, destination):
        takes = self.take(*destination)
        sends = self.send(*source)
        self.finish(takes)
        self.finish(sends)


class Cluster(HostsTest):
    def test_a_server_is_killed(self):
        """One of three at a time, while the sender has more to send. It is whole again before the next one goes."""
        servers = [Server(self, f"server{i}") for i in range(3)]
        for server in servers:
            server.start(servers)
        a, b = (self.network.add(self.directory) for _ in range(2))
        self.join(a, "from", servers, "--create", "--replicas=3", "--send", "a.b", "--send-stream", "STREAM")
        self.join(b, "to", servers, "--create", "--replicas=3", "--receive", "a.b", "--receive-stream", "STREAM")
        takes = self.take(b, "to")
        sends = self.send(a, "from")
        lines, victim = DATAGRAMS // 100, None
        for i in rounds("servers of a cluster killed", KILLS):
            for _ in range(lines // (KILLS + 1)):
                sends.line()
            if victim:
                victim.start(servers)
                victim.await_health()
            victim = random.choice([server for server in servers if server is not victim])
            victim.kill()
        self.finish(takes)
        self.finish(sends)


if __name__ == "__main__":
    become_able()
    os.environ.pop("XDG_RUNTIME_DIR", None)
    unittest.main(verbosity=2)
