# SPDX-License-Identifier: BSD-2-Clause
"""Programs that know nothing of crossvm, over `crossvm forward`: curl, ssh, iperf3, psql. Each server is the test's own."""

import functools
import hashlib
import http.server
import json
import os
import pathlib
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

import secure_shell
from forwarding import PATIENCE, TOOL, ForwardTest
from secure_shell import run


class ProgramsTest(ForwardTest):
    def background(self, *command, **options):
        """A server, which is ended with the test."""
        program = subprocess.Popen(command, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})
        self.addCleanup(program.wait)
        self.addCleanup(program.terminate)
        return program

    def free_port(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]

    def await_server(self, port):
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                pass

    def link(self, target):
        """Gives the port of end 0 that leads to a target of end 1."""
        self.forward(1, "--allow", f"target={target}")
        return self.forward(0, "-L", "0:target").line().split(" ")[0].rpartition(":")[2]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Curl(ProgramsTest):
    def test_files(self):
        files = self.directory / "files"
        files.mkdir()
        contents = {f"{i}": random.randbytes(random.choice((0, 1, 1000, 3 << 20))) for i in range(20)}
        for name, content in contents.items():
            (files / name).write_bytes(content)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=files))
        threading.Thread(target=server.serve_forever).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        port = self.link(f"127.0.0.1:{server.server_port}")
        got = self.directory / "got"
        run("curl", "-sS", "--fail", "--parallel", "--create-dirs", "-o", f"{got}/#1",
            f"http://127.0.0.1:{port}/[0-19]", env={**os.environ, "no_proxy": "*"})
        self.assertEqual({path.name: path.read_bytes() for path in got.iterdir()}, contents)


class Ssh(ProgramsTest):
    def setUp(self):
        super().setUp()
        self.port = self.free_port()
        self.server = self.own(secure_shell.Server(self.directory / "home", "127.0.0.1", self.port))
        self.await_server(self.port)

    def ssh(self, *options, given=b""):
        return run("ssh", *self.server.options(), *options, "sha256sum; echo done", input=given)

    def check(self, *options):
        given = random.randbytes(5 << 20)
        said = self.ssh(*options, given=given).decode()
        self.assertEqual(said, f"{hashlib.sha256(given).hexdigest()}  -\ndone\n")

    def test_a_port(self):
        port = self.link(self.port)
        self.check("-p", port, "tester@127.0.0.1")
        self.check("-p", port, "tester@127.0.0.1")

    def test_a_proxy_command(self):
        self.forward(1, "--allow", f"ssh={self.port}")
        for _ in range(3):
            self.check("-o", f"ProxyCommand='{TOOL}' forward link.0 --stdio ssh", "tester@guest")

    def test_a_file(self):
        secure_shell.copy_there_and_back(self.server, "127.0.0.1", self.link(self.port))


class Iperf3(ProgramsTest):
    def server(self, port):
        """A server for one test that has said that it listens: whoever asks it is a client of its one test."""
        program = self.background("iperf3", "-s", "-1", "--forceflush", "-B", "127.0.0.1", "-p", str(port),
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(program.stdout.close)
        for line in program.stdout:
            if "listening" in line:
                return program
        raise AssertionError("iperf3 does not listen")

    def test_streams_of_both_directions(self):
        target = self.free_port()
        port = self.link(target)
        for options in (("-P", "1"), ("-P", "4"), ("-P", "4", "-R")):
            server = self.server(target)
            report = json.loads(run("iperf3", "-J", "-c", "127.0.0.1", "-p", port, "-n", "64M", *options))
            server.stdout.read()
            server.wait(PATIENCE)
            self.assertNotIn("error", report)
            self.assertGreaterEqual(report["end"]["sum_sent"]["bytes"], 64 << 20)
            self.assertGreater(report["end"]["sum_received"]["bytes"], 0)  # it does not wait for the last of it


class Psql(ProgramsTest):
    """The server's binaries are those of INITDB's folder; it refuses to run as root."""

    def test_a_table(self):
        binaries = pathlib.Path(os.environ["CROSSVM_INITDB"]).resolve().parent
        folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, folder)
        other = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        folder.chmod(0o755)
        run(str(binaries / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "tester", "-N", cwd=folder, **other)
        server = self.background(str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-F",
                                 "-c", "listen_addresses=", cwd=folder, **other)
        port = self.link(f"{folder}/.s.PGSQL.5432")
        query = ("psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", port, "-U", "tester", "-d", "postgres", "-c")
        while True:  # it starts meanwhile
            try:
                run(*query, "SELECT 1")
                break
            except AssertionError:
                self.assertIsNone(server.poll())
        run(*query, "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 10) AS s FROM generate_series(1, 20000) AS i")
        rows = run(*query, "SELECT * FROM t ORDER BY i").decode().splitlines()
        self.assertEqual(rows, [f"{i}|{hashlib.md5(b'%d' % i).hexdigest() * 10}" for i in range(1, 20001)])
        server.send_signal(2)  # the kind of end that does not wait for clients


if __name__ == "__main__":
    unittest.main()
