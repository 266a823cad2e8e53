# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of `crossvm bridge` share: NATS servers, hubs, bridges, and programs at their other ends."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from command import PATIENCE, TOOL, Program

ENDPOINT = os.environ["CROSSVM_ENDPOINT"]
NATS_SERVER = os.environ["CROSSVM_NATS_SERVER"]

socket.setdefaulttimeout(PATIENCE)


class Server:
    """A nats-server with JetStream; it keeps its port and its files when it is started again."""

    def __init__(self, directory, configuration="", scheme="nats"):
        self.directory, self.port, self.process, self.scheme = directory, -1, None, scheme
        directory.mkdir()
        (directory / "server.conf").write_text(configuration)

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}"

    def start(self):
        log = (self.directory / "log").open("a")
        self.process = subprocess.Popen(
            [NATS_SERVER, "-c", str(self.directory / "server.conf"), "-js", "-sd", str(self.directory / "store")]
            + ["-a", "localhost", "-p", str(self.port), "--ports_file_dir", str(self.directory)],
            stderr=log,
        )
        log.close()
        self.await_port()
        return self

    def await_port(self):
        """It writes its ports to a file once it listens."""
        path = self.directory / f"nats-server_{self.process.pid}.ports"
        while self.process.poll() is None:
            try:
                self.port = int(json.loads(path.read_text())["nats"][0].rpartition(":")[2])
                return
            except (OSError, ValueError):
                os.sched_yield()
        raise AssertionError(f"nats-server ended: {(self.directory / 'log').read_text()}")

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()

    def suspend(self):
        """From now on it does nothing, in any of its threads."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def publish(self, subject, *texts, headers=b""):
        """As any other client does."""
        with self.client() as lines:
            for text in texts:
                if headers:
                    lines.write(b"HPUB %s %d %d\r\n%s%s\r\n" % (subject, len(headers), len(headers + text), headers, text))
                else:
                    lines.write(b"PUB %s %d\r\n%s\r\n" % (subject, len(text), text))
            lines.write(b"PING\r\n")
            lines.flush()
            while lines.readline() != b"PONG\r\n":
                pass

    def ask(self, what, **question):
        """A question to JetStream, and its answer: STREAM.INFO.S, CONSUMER.NAMES.S, ..."""
        text = json.dumps(question).encode() if question else b""
        with self.client() as lines:
            lines.write(b"SUB answer 1\r\nPUB $JS.API.%s answer %d\r\n%s\r\n" % (what.encode(), len(text), text))
            lines.flush()
            while not lines.readline().startswith(b"MSG "):
                pass
            return json.loads(lines.readline())

    def make_stream(self, name, subject):
        """Before a bridge would: from now on, no message is lost."""
        answer = self.ask(f"STREAM.CREATE.{name}", name=name, subjects=[subject], retention="limits", storage="file", num_replicas=1)
        if "error" in answer:
            raise AssertionError(answer)
        while not self.stores(subject):
            pass

    def stores(self, subject):
        """Whether messages are stored: then one for another stream is refused. One that was just made may not answer yet."""
        headers = b"NATS/1.0\r\nNats-Expected-Stream: none\r\n\r\n"
        size = len(headers)
        with self.client(told_of_none=True) as lines:
            lines.write(b"SUB answer 1\r\nHPUB %s answer %d %d\r\n%s\r\n" % (subject.encode(), size, size, headers))
            lines.flush()
            while not (line := lines.readline()).startswith((b"MSG ", b"HMSG ")):
                pass
            return line.startswith(b"MSG ")

    @contextlib.contextmanager
    def client(self, told_of_none=False):
        """told_of_none: where nobody takes a message, the server answers."""
        with socket.create_connection(("localhost", self.port)) as client, client.makefile("rwb") as lines:
            lines.write(b'CONNECT {"headers":true,"no_responders":%s,"verbose":false}\r\n' % (b"true" if told_of_none else b"false"))
            yield lines


class BridgeTest(unittest.TestCase):
    dataport = "64K"

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        os.environ["CROSSVM_DIR"] = str(self.directory)
        self.servers = 0
        self.addCleanup(self.tell)

    def tell(self):
        """What bridges said is wanted where a test fails."""
        if sys.exc_info()[0] or any(error for _, error in getattr(self._outcome, "errors", [])) or not self._outcome.success:
            for said in self.directory.glob("*.said"):
                print(f"{said.stem}:\n{said.read_text()}", file=sys.stderr)

    def start(self, *arguments, **options):
        """A program that is killed at the end of the test, if it still runs."""
        program = Program(*arguments, **options)
        self.addCleanup(self.kill, program)
        return program

    def kill(self, program):
        if program.returncode is None:
            program.kill()
            program.wait()
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream:
                stream.close()

    def server(self, *arguments):
        self.servers += 1
        server = Server(self.directory / f"server{self.servers}", *arguments)
        server.start()
        self.addCleanup(server.kill)
        return server

    def pair(self, name):
        hub = self.start(TOOL, "pair", name, "--dataport", self.dataport)
        self.assertEqual(hub.line(), f"{name}.0 {name}.1")
        return hub

    def bridge(self, name, server, *arguments, **options):
        """Runs in the background; what it says goes to a file of the test's folder."""
        with (self.directory / f"{name}.said").open("a") as said:
            return self.start(
                TOOL, "bridge", f"{name}.1", "--server", server.url, "--create", *arguments, **{"stderr": said, **options}
            )

    def said(self, name):
        return (self.directory / f"{name}.said").read_text()

    def sender(self, name, count, **options):
        """A program that sends numbers, so many each time that it is told to."""
        return self.start(ENDPOINT, f"{name}.0", "send", str(count), stdin=subprocess.PIPE, **options)

    def taker(self, name, count, *times):
        """A program that takes numbers, and is done after so many: again and again, or so many times."""
        return self.start(ENDPOINT, f"{name}.0", "take", str(count), *map(str, times))

    def endpoint(self, name, *arguments):
        """A program that does something each time that it is told to: push or pull."""
        return self.start(ENDPOINT, f"{name}.0", *map(str, arguments), stdin=subprocess.PIPE)

    def go(self, sender):
        sender.stdin.write("\n")
        sender.stdin.flush()

    def await_done(self, *endpoints):
        for endpoint in endpoints:
            while endpoint.line() != "done":
                pass

    def report(self, name, bridge):
        """Its counts."""
        while not self.has_begun(bridge):
            os.sched_yield()
        reports = self.said(name).count("on their way")
        bridge.send_signal(signal.SIGUSR1)
        while self.said(name).count("on their way") == reports:
            self.assertIsNone(bridge.poll(), self.said(name))
            os.sched_yield()
        return re.findall("sent .*", self.said(name))[-1]

    def await_count(self, name, bridge, text):
        """Asks a bridge until its counts have that."""
        while text not in self.report(name, bridge):
            pass

    def has_begun(self, bridge):
        """Whether it waits for signals, of which one would end it before."""
        status = pathlib.Path(f"/proc/{bridge.pid}/status").read_text()
        return int(re.search(r"SigBlk:\t(\w+)", status).group(1), 16) >> signal.SIGUSR1 - 1 & 1

    def finish(self, program):
        """A program that ends by itself, and has nothing to complain of."""
        said = program.communicate(timeout=PATIENCE)[1]
        self.assertEqual((program.returncode, said), (0, ""), program.args)

    def end_bridge(self, bridge, name):
        """It is told to end, and everything has arrived."""
        bridge.end()
        self.assertEqual(bridge.returncode, 0, self.said(name))
