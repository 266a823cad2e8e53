# SPDX-License-Identifier: BSD-2-Clause
"""Sockets between a guest in a stock QEMU and its host, and between two guests: none of them has a network."""

import base64
import functools
import hashlib
import http.client
import http.server
import json
import random
import re
import socket
import subprocess
import threading
import unittest

import secure_shell
from machines import PATIENCE, TOOL, VSOCK, QemuTest

MEGABYTES = 8
SERVE = "ip link set lo up && mkdir -p /tmp/www && httpd -p 127.0.0.1:80 -h /tmp/www"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class ForwardTest(QemuTest):
    door = "ivshmem"

    def boot(self, *pairs, **options):
        vm = self.guest(*pairs, **options)
        vm.load_driver()
        vm.run(SERVE)
        return vm

    def make_file(self, vm, name):
        """A file of the guest's web server; gives its digest."""
        vm.run(f"dd if=/dev/urandom of=/tmp/www/{name} bs=1M count={MEGABYTES} 2>/dev/null")
        return vm.run(f"sha256sum </tmp/www/{name}").split()[0]

    def forward(self, *arguments, end="link.1"):
        """The forwarder of the host's end."""
        program = subprocess.Popen([TOOL, "forward", end, *arguments], stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait, PATIENCE)
        self.addCleanup(program.terminate)
        return program

    def port_of(self, program, target):
        """The port at which it says that it listens."""
        return int(re.fullmatch(rf"127\.0\.0\.1:(\d+) {target}\n", program.stdout.readline()).group(1))

    def get(self, port, name):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", f"/{name}")
        body = connection.getresponse().read()
        connection.close()
        return hashlib.sha256(body).hexdigest()

    def serve_files(self):
        folder = self.directory / "www"
        folder.mkdir()
        content = random.randbytes(MEGABYTES << 20)
        (folder / "file").write_bytes(content)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=folder))
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port, hashlib.sha256(content).hexdigest()


class Host(ForwardTest):
    def test_both_directions_and_a_guest_that_is_killed(self):
        pair = self.pair("link", "1M")
        own_port, own_digest = self.serve_files()
        port = self.port_of(self.forward("--allow", f"files={own_port}", "-L", "0:web"), "web")
        for _ in range(2):
            vm = self.boot(pair)
            digest = self.make_file(vm, "file")
            vm.run("crossvm forward link --allow web=80 -L 8080:files >/tmp/listens & "
                   "until [ -s /tmp/listens ]; do usleep 10000; done")
            self.assertEqual(self.get(port, "file"), digest)
            self.assertEqual(vm.run("wget -q -O - http://127.0.0.1:8080/file | sha256sum").split()[0], own_digest)
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as waits:
                waits.sendall(b"GET ")
                self.assertEqual(self.get(port, "file"), digest)  # so that one has arrived there, too
                vm.kill()
                with self.assertRaises(ConnectionResetError):
                    waits.recv(1)


class Ssh(ForwardTest):
    """The example of docs/howto.md: ssh into a guest without a network."""

    programs = ("/usr/sbin/dropbear",)

    def setUp(self):
        super().setUp()
        self.keys = secure_shell.Keys(self.directory / "home")
        self.vm = self.boot(self.pair("link", "1M"))
        host_key = base64.b64encode(self.keys.host_key.read_bytes()).decode()
        self.vm.run("mkdir -p -m 700 /etc /root/.ssh && echo root:x:0:0::/root:/bin/sh >/etc/passwd")
        self.vm.run(f"echo '{self.keys.authorized}' >/root/.ssh/authorized_keys")
        self.vm.run(f"echo {host_key} | base64 -d >/tmp/host_key && dropbear -s -r /tmp/host_key -p 127.0.0.1:22")
        self.vm.run("crossvm forward link --allow ssh=22 &")

    def check(self, *options):
        given = random.randbytes(MEGABYTES << 20)
        said = secure_shell.run("ssh", *self.keys.options(), *options, "sha256sum; uname -n", input=given).decode()
        self.assertEqual(said, f"{hashlib.sha256(given).hexdigest()}  -\n{self.vm.run('uname -n')}")

    def test_ssh(self):
        listens = self.forward("-L", "0:ssh")
        self.check("-p", str(self.port_of(listens, "ssh")), "root@localhost")
        listens.terminate()
        listens.wait(PATIENCE)
        self.check("-o", f"ProxyCommand='{TOOL}' forward link.1 --stdio ssh", "root@guest")


class Inside(ForwardTest):
    """Two connections of a guest that it joins by vsock, and what its own commands show of them."""

    def test_vsock(self):
        vm = self.boot(self.pair("there", "1M"), self.pair("back", "1M"))
        for module in VSOCK:
            vm.run(f"insmod /lib/modules/{module}.ko")
        vm.run("crossvm ls --watch >/tmp/list & watcher=$!; "
               "until grep -c absent /tmp/list | grep -q 2; do usleep 10000; done")
        vm.run("crossvm forward back -L vsock:any:5000:files >/tmp/listens & back=$!; "
               "until [ -s /tmp/listens ]; do usleep 10000; done")
        vm.run("crossvm forward there --allow web=vsock:1:5000 &")
        port, digest = self.serve_files()
        self.forward("--allow", f"files={port}", end="back.1")
        port = self.port_of(self.forward("-L", "0:web", end="there.1"), "web")
        self.assertEqual(self.get(port, "file"), digest)
        self.check_what_the_guest_shows(vm)
        vm.run("kill $back; wait $back")
        with self.assertRaises(ConnectionResetError):
            self.get(port, "file")

    def check_what_the_guest_shows(self, vm):
        report = json.loads(vm.run("crossvm top --once --interval 0.1 --json"))
        ends = {connection["name"]: connection["ends"][0] for connection in report["connections"]}
        self.assertEqual({name: end["state"] for name, end in ends.items()}, {"back": "ready", "there": "ready"})
        for end in ends.values():
            self.assertEqual(end["end"], 1)
            self.assertGreater(end["emits"], 0)
        for connection in report["connections"]:
            (channel,) = connection["channels"]
            self.assertEqual((channel["mode"], channel["session"]), ("datagram", True))
        table = vm.run("crossvm top --once --interval 0.1 there | tail -n 2")
        self.assertRegex(table, r"^there +0d guest +- +(\S+ +){4}- +-\nthere +0d peer +ready ")
        vm.run("chmod 755 /; mkdir -p /etc; echo nobody:x:1000:1000::/:/bin/sh >/etc/passwd")
        unseen = vm.run("su nobody -c 'crossvm top --once --interval 0.1' 2>&1")
        self.assertIn("only root sees the channels of this guest's devices", unseen)
        self.assertRegex(unseen, r"there +- +peer +ready ")
        self.assertRegex(vm.run("crossvm top --once --prometheus - | grep channel_fill_bytes"),
                         'connection="there".*mode="datagram",from="guest"')
        # What it shows last, when both programs of the host have come
        vm.run("until tail -n 3 /tmp/list | grep -c ready | grep -q 2; do usleep 10000; done; kill $watcher")


class Guests(ForwardTest):
    def test_between_two_guests(self):
        pair = self.pair("link", "1M", ends=("vmm", "vmm"))
        one, other = [self.boot(pair, end=end) for end in (0, 1)]
        digest = self.make_file(one, "file")
        one.run("crossvm forward link --allow web=80 &")
        other.run("crossvm forward link -L 8080:web >/tmp/listens & until [ -s /tmp/listens ]; do usleep 10000; done")
        got = other.run("wget -q -O - http://127.0.0.1:8080/file | sha256sum").split()[0]
        self.assertEqual(got, digest)


if __name__ == "__main__":
    unittest.main()
