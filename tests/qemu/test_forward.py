# SPDX-License-Identifier: BSD-2-Clause
"""Sockets between a guest in a stock QEMU and its host, and between two guests: none of them has a network."""

import functools
import hashlib
import http.client
import http.server
import random
import re
import socket
import subprocess
import threading
import unittest

from machines import PATIENCE, TOOL, QemuTest

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


class Host(ForwardTest):
    def forward(self, *arguments):
        """The forwarder of the host's end; gives it, and the port at which it listens."""
        program = subprocess.Popen([TOOL, "forward", "link.1", *arguments], stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        self.addCleanup(program.wait, PATIENCE)
        self.addCleanup(program.terminate)
        return int(re.fullmatch(r"127\.0\.0\.1:(\d+) web\n", program.stdout.readline()).group(1))

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

    def test_both_directions_and_a_guest_that_is_killed(self):
        pair = self.pair("link", "1M")
        own_port, own_digest = self.serve_files()
        port = self.forward("--allow", f"files={own_port}", "-L", "0:web")
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
