# SPDX-License-Identifier: BSD-2-Clause
"""A guest whose only network is `crossvm net`: with programs of each side that know nothing of connections."""

import functools
import hashlib
import http.server
import pathlib
import random
import subprocess
import threading
import unittest
import urllib.request

from machines import PATIENCE, TOOL, QemuTest
from namespace import Namespace, become_able

BYTES = 4 << 20  # of a file


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class VfioUser(QemuTest):
    def setUp(self):
        super().setUp()
        self.link = self.pair("link", "1M")
        self.vm = self.guest(self.link)
        self.vm.load_driver()
        self.vm.run("insmod /lib/modules/tun.ko")
        self.host = Namespace()
        self.addCleanup(self.host.close)
        self.files = pathlib.Path(self.directory) / "files"
        self.files.mkdir(exist_ok=True)

    def join(self, *options):
        with self.host:
            self.program = subprocess.Popen([TOOL, "net", "link.1", "--address=10.9.0.1/24", *options],
                                            stdout=subprocess.PIPE)
        self.addCleanup(self.program.communicate)
        self.addCleanup(self.program.kill)
        self.assertEqual(self.program.stdout.readline(), b"crossvm0\n")
        self.start_guest(*options)

    def start_guest(self, *options):
        self.vm.run(f"crossvm net link --address=10.9.0.2/24 {' '.join(options)} >/tmp/name 2>/tmp/errors & net=$!")
        said = self.vm.run('until grep -q 1 /sys/class/net/crossvm0/carrier 2>/dev/null; do '
                           'kill -0 $net || { cat /tmp/errors; break; }; sleep 0.1; done')
        self.assertEqual(said, "")

    def serve_files(self):
        handler = functools.partial(QuietHandler, directory=self.files)
        with self.host:
            server = http.server.ThreadingHTTPServer(("10.9.0.1", 8000), handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever).start()

    def fetch(self, path):
        """What the guest serves, as a program of the host sees it."""
        with self.host, urllib.request.urlopen(f"http://10.9.0.2/{path}", timeout=PATIENCE) as answer:
            return answer.read()

    def files_both_ways(self):
        content = random.randbytes(BYTES)
        (self.files / "down").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.assertEqual(self.vm.run("wget -q -O /tmp/up http://10.9.0.1:8000/down && sha256sum </tmp/up"),
                         f"{digest}  -\n")
        self.assertEqual(hashlib.sha256(self.fetch("up")).hexdigest(), digest)

    def test_all(self):
        self.join()
        self.serve_files()
        self.vm.run("httpd -h /tmp")
        self.files_both_ways()
        self.vm.run("kill $net; wait $net")
        self.assertEqual(self.vm.run("cat /tmp/errors"), "")
        self.start_guest()
        self.files_both_ways()
        self.vm.power_off()
        self.assertIsNone(self.program.poll())


class Ivshmem(VfioUser):
    door = "ivshmem"


if __name__ == "__main__":
    become_able()
    unittest.main(verbosity=2)
