# SPDX-License-Identifier: BSD-2-Clause
"""crossvm top and crossvm ls --watch, over connections of `crossvm pair`."""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from prometheus_client.parser import text_string_to_metric_families

TOOL = os.environ["CROSSVM_TOOL"]
MAKE_CALL = os.environ["CROSSVM_MAKE_CALL"]
PATIENCE = 300  # seconds; bounds a hang only


class TopTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {**os.environ, "CROSSVM_DIR": str(self.folder / "sockets"), "TERM": "xterm"}
        self.environment.pop("COLUMNS", None)

    def start(self, *arguments, **options):
        program = subprocess.Popen([TOOL, *arguments], env=self.environment, text=True, **options)
        self.addCleanup(self.end, program)
        return program

    def end(self, program, number=signal.SIGKILL):
        if program.poll() is None:
            program.send_signal(number)
        for stream in (program.stdin, program.stdout, program.stderr):
            if stream:
                stream.close()
        return program.wait(PATIENCE)

    def run_tool(self, *arguments, status=0):
        done = subprocess.run([TOOL, *arguments], env=self.environment, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(status, done.returncode, done)
        return done

    def pair(self, name, *arguments):
        pair = self.start("pair", name, *arguments, stdout=subprocess.PIPE)
        self.assertEqual(f"{name}.0 {name}.1\n", pair.stdout.readline())
        return pair

    def traffic(self, name):
        """Datagrams in both directions, without an end; the first have come back."""
        self.start("echo", f"{name}.0", stderr=subprocess.DEVNULL)
        output = self.folder / f"{name}.ping"
        with output.open("w") as file:
            ping = self.start("ping", f"{name}.1", "-i0.01", "-s100", stdout=file)
        while "seq=3" not in output.read_text():
            self.assertIsNone(ping.poll())
            time.sleep(0.01)

    def once(self, *arguments):
        done = self.run_tool("top", "--once", "--interval=0.3", "--json", *arguments)
        self.assertEqual("", done.stderr)
        return json.loads(done.stdout)

    def test_connections_without_channels(self):
        self.pair("b")
        self.pair("a", "-p4K:0", "-p64K")
        report = self.once("--sort=name")
        self.assertEqual(["a", "b"], [row["name"] for row in report["connections"]])
        self.assertGreater(report["seconds"], 0.29)  # whole milliseconds
        row = report["connections"][0]
        self.assertEqual(str(self.folder / "sockets/a.view"), row["path"])
        self.assertEqual([], row["channels"])
        end = {"end": 1, "door": "host", "vm": None, "here": False, "state": "absent", "emits": 0, "emits_per_second": 0,
               "vm_exits": None, "vm_exits_per_second": None, "accesses": None, "accesses_per_second": None}
        self.assertEqual(end, row["ends"][1])

    def test_none(self):
        done = self.run_tool("top", "--once", "-i0.1")
        self.assertIn("there are no connections to observe", done.stderr)
        self.pair("a")
        self.assertIn('has a name like "b*"', self.run_tool("top", "--once", "-i0.1", "b*").stderr)

    def test_traffic(self):
        self.pair("link")
        self.pair("idle")
        self.traffic("link")
        row = self.once()["connections"][0]  # the busiest first
        self.assertEqual("link", row["name"])
        self.assertEqual(["ready", "ready"], [end["state"] for end in row["ends"]])
        channel = row["channels"][0]
        self.assertEqual((0, "datagram", True, 32384), tuple(channel[key] for key in ("dataport", "mode", "session", "ring_bytes")))
        for number, flow in enumerate(channel["directions"]):
            self.assertEqual(number, flow["from"])
            self.assertGreater(flow["messages"], 0)
            self.assertEqual(112 * flow["messages"], flow["bytes"])  # a header, 100 bytes, 4 to fill up
            self.assertTrue(flow["messages_exact"] and flow["bytes_exact"])
            self.assertAlmostEqual(112 * flow["messages_per_second"], flow["bytes_per_second"], delta=0.1)
            self.assertGreater(row["ends"][number]["emits"], 0)

    def test_nobody_notices(self):
        self.pair("link")
        top = self.start("top", "--json", "-i0.1", stdout=subprocess.PIPE)
        json.loads(top.stdout.readline())
        for end in "01":
            info = json.loads(self.run_tool("info", "--json", f"link.{end}").stdout)
            self.assertEqual((False, "absent", 0), (info["owned"], info["peer"], info["peer_generation"]))
        self.assertEqual(0, self.end(top, signal.SIGTERM))

    def test_confined(self):
        self.pair("link")
        top = self.start("top", "--json", "-i0.1", stdout=subprocess.PIPE)
        top.stdout.readline()
        status = pathlib.Path(f"/proc/{top.pid}/status").read_text()
        self.assertIn("\nSeccomp:\t2\n", status)
        self.assertIn("\nNoNewPrivs:\t1\n", status)
        capabilities = int(re.search(r"^CapPrm:\t(\w+)$", status, re.M).group(1), 16)
        self.assertEqual(0, capabilities & ~0x2)  # root may still reach sockets of other users: CAP_DAC_OVERRIDE

    def test_no_way_out(self):
        """Who looks on makes sockets of this machine alone."""
        self.pair("link")
        for arguments in (("top", "-i0.1"), ("ls", "--watch", "-i0.1")):
            program = self.start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            subprocess.run([MAKE_CALL, str(program.pid), "crossvm", "socket"], check=True, timeout=PATIENCE)
            self.assertEqual(-signal.SIGSYS, program.wait(PATIENCE))
            self.assertIn("the thread main made the system call socket", program.stderr.read())

    def test_pattern_and_order(self):
        for name in ("one", "two", "three"):
            self.pair(name)
        self.assertEqual(["three", "two"], [row["name"] for row in self.once("t*", "--sort=name")["connections"]])
        self.traffic("two")
        for order in ("bytes", "messages", "waits", "emits"):
            self.assertEqual("two", self.once("-s", order)["connections"][0]["name"])
        self.assertIn("--sort: \"size\" is none of", self.run_tool("top", "--sort=size", status=2).stderr)
        self.assertIn("too short", self.run_tool("top", "-i0", status=2).stderr)

    def test_others_are_not_asked(self):
        """A hub that is stopped, say, holds up those only who want to see its connections."""
        self.pair("wanted")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            other.bind(str(self.folder / "sockets/other.view"))
            other.listen()
            other.setblocking(False)
            self.once("want*")
            with self.assertRaises(BlockingIOError):
                other.accept()

    def test_table(self):
        self.pair("a-name-that-is-long-and-goes-on-and-on-and-on")
        self.pair("link", "-p64K", "-p64K")
        self.traffic("link")
        lines = self.run_tool("top", "--once", "-i0.2").stdout.splitlines()
        self.assertEqual(5, len(lines), lines)
        self.assertTrue(all(len(line) <= 80 for line in lines), lines)
        self.assertEqual(["CONNECTION", "CH", "FROM", "STATE", "MSG/S", "BYTES/S", "FILL", "WAITS/S", "EMITS/S", "EXITS/S"],
                         lines[0].split())
        self.assertRegex(lines[1], r"^link +0d 0 host +ready +[\d.]+k? +[\d.]+k? +\d+% +[\d.]+ +[\d.]+ +-$")
        self.assertRegex(lines[3], r"^a-name-that-is-.* -  0 host +absent +- +- +- +- +0 +-$")
        self.environment["COLUMNS"] = "200"
        self.assertIn("a-name-that-is-long-and-goes-on-and-on-and-on ", self.run_tool("top", "--once", "-i0.1").stdout)

    def test_terminal(self):
        """On a terminal a report replaces the one before; it has the terminal's size."""
        for i in range(8):
            self.pair(f"link-{i}")
        terminal, other = pty.openpty()
        self.addCleanup(os.close, terminal)
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 100, 0, 0))
        top = self.start("top", "-i0.1", stdout=other)
        os.close(other)
        shown = b""
        while shown.count(b"\033[H") < 4:
            self.assertTrue(select.select([terminal], [], [], PATIENCE)[0])
            shown += os.read(terminal, 65536)
        report = shown.split(b"\033[H")[2]
        self.assertTrue(report.startswith(b"CONNECTION"))
        self.assertTrue(report.endswith(b"\033[J"))
        self.assertEqual(9, report.count(b"\n"))
        self.assertEqual(0, self.end(top, signal.SIGINT))

    def test_hubs_come_and_go(self):
        first = self.pair("first")
        top = self.start("top", "--json", "-i0.1", stdout=subprocess.PIPE)

        def await_names(*names):
            while [row["name"] for row in json.loads(top.stdout.readline())["connections"]] != list(names):
                pass

        await_names("first")
        second = self.pair("second")
        await_names("first", "second")
        self.end(first)
        await_names("second")
        self.pair("first")
        await_names("first", "second")
        self.end(second, signal.SIGTERM)
        await_names("first")

    def samples(self, text):
        """Prometheus' own parser reads it; by metric and end or direction."""
        self.families = list(text_string_to_metric_families(text))
        return {(sample.name, sample.labels.get("end") or sample.labels.get("from")): sample.value
                for family in self.families for sample in family.samples if sample.labels["connection"] == "link"}

    def test_prometheus(self):
        self.pair("link")
        self.traffic("link")
        samples = self.samples(self.run_tool("top", "--once", "-i0.3", "--prometheus=-").stdout)
        self.assertEqual(1, samples["crossvm_end_taken", "0"])
        self.assertEqual(1, samples["crossvm_channel_session", None])
        self.assertEqual(32384, samples["crossvm_channel_ring_bytes", None])
        self.assertGreater(samples["crossvm_emits_total", "1"], 0)
        self.assertGreater(samples["crossvm_channel_messages_per_second", "1"], 0)
        self.assertNotIn(("crossvm_channel_bytes_total", "0"), samples)  # it began with the process
        self.assertTrue(all(family.documentation and family.type in ("gauge", "counter") for family in self.families))

    def test_prometheus_file(self):
        """Whoever reads finds a whole report, and counters grow."""
        self.pair("link")
        self.traffic("link")
        file = self.folder / "crossvm.prom"
        top = self.start("top", "-i0.1", f"--prometheus={file}")
        while not file.exists():
            self.assertIsNone(top.poll())
        first = self.samples(file.read_text())
        last = first
        while last["crossvm_channel_messages_total", "1"] < first["crossvm_channel_messages_total", "1"] + 20:
            text = file.read_text()
            last = self.samples(text)
            self.assertTrue(text.endswith("\n"))
        self.assertGreater(last["crossvm_channel_bytes_total", "0"], first["crossvm_channel_bytes_total", "0"])
        self.assertEqual(0, self.end(top, signal.SIGTERM))
        self.assertIn("cannot write", self.run_tool("top", "--once", "-i0.1", f"--prometheus={self.folder}/no/x", status=2).stderr)

    def test_watch(self):
        """A hub tells of who comes and goes, without being asked: nobody waits for the interval."""
        self.pair("link")
        ls = self.start("ls", "--watch", "--json", "--interval=3600", stdout=subprocess.PIPE)

        def await_peers(*peers):
            while [end["peer"] for end in json.loads(ls.stdout.readline())] != list(peers):
                pass

        await_peers("absent", "absent")
        wait = self.start("wait", "link.1")
        await_peers("ready", "absent")
        self.end(wait)
        await_peers("absent", "absent")
        self.assertEqual(0, self.end(ls, signal.SIGINT))

    def test_watch_looks_for_hubs(self):
        ls = self.start("ls", "-w", "-i0.1", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn("there are no connections", ls.stderr.readline())
        pair = self.pair("link")
        self.assertRegex(ls.stdout.readline(), "^NAME ")
        while not re.match("link.1 .* absent ", ls.stdout.readline()):  # it may have seen the hub with one socket
            pass
        status = pathlib.Path(f"/proc/{ls.pid}/status").read_text()
        self.assertIn("\nSeccomp:\t2\n", status)
        self.end(pair)
        self.pair("other")
        while not ls.stdout.readline().startswith("other.1 "):
            pass
        self.assertEqual(0, self.end(ls, signal.SIGTERM))

    def test_older_hub(self):
        self.pair("link")
        (self.folder / "sockets/link.view").unlink()
        self.assertIn("their hubs are older than this crossvm", self.run_tool("top", "--once", "-i0.1").stderr)


if __name__ == "__main__":
    unittest.main()
