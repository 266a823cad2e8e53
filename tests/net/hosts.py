# SPDX-License-Identifier: BSD-2-Clause
"""Hosts on one network, each with a folder of sockets of its own, and guests that have no network. All are network namespaces."""

import os
import pathlib
import re
import subprocess
import tempfile

from namespace import Namespace


def commands_of(block):
    """The commands of a document's block, each with the machine that it is for: "on a", "in the guest of b"."""
    return [re.fullmatch(r"(.*?)(?: &)? +# (?:in|on) ([^:]*)(?::.*)?", line).groups() for line in block.splitlines()]


class Machine:
    """A namespace in which programs are started that find the ends of one host."""

    def __init__(self, folder):
        self.namespace = Namespace()
        self.folder = folder
        self.run("ip", "link", "set", "dev", "lo", "up")

    def close(self):
        self.namespace.close()

    def environment(self):
        return {**os.environ, "CROSSVM_DIR": str(self.folder)}

    def start(self, *command, **options):
        with self.namespace:
            return subprocess.Popen(command, env=self.environment(), **options)

    def run(self, *command):
        with self.namespace:
            return subprocess.run(command, env=self.environment(), check=True, capture_output=True, text=True).stdout


class Host(Machine):
    """One that is on the network; its guest is not."""

    def __init__(self, folder, address):
        super().__init__(folder)
        self.address = address
        self.guest = Machine(folder)

    def close(self):
        self.guest.close()
        super().close()


class Network:
    """A switch, and its hosts."""

    def __init__(self):
        self.switch = Namespace()
        self.hosts = []
        with self.switch:
            self.ip("link add name switch type bridge")
            self.ip("link set dev switch up")

    def close(self):
        for host in self.hosts:
            host.close()
        self.switch.close()

    def ip(self, arguments):
        subprocess.run(["ip", *arguments.split()], check=True)

    def add(self, folder):
        """A new host, whose sockets are in a folder of this one."""
        number = len(self.hosts) + 1
        host = Host(pathlib.Path(tempfile.mkdtemp(prefix=f"host{number}-", dir=folder)), f"10.8.0.{number}")
        self.hosts.append(host)
        with self.switch:
            self.ip(f"link add name port{number} type veth peer name uplink netns /proc/{os.getpid()}/fd/{host.namespace.fd}")
            self.ip(f"link set dev port{number} master switch up")
        with host.namespace:
            self.ip(f"address add {host.address}/24 dev uplink")
            self.ip("link set dev uplink up")
        return host
