# SPDX-License-Identifier: BSD-2-Clause
"""Programs that start while one of the things that they ask the system for is refused, and what must hold then: a program
says what is wrong and what to do about it, ends with a status that is not 0 and leaves nothing behind; or it works."""

import ctypes
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from namespace import Namespace

TOOL = os.environ["CROSSVM_TOOL"]
BRIDGE, NATS_SERVER = os.environ.get("CROSSVM_BRIDGE"), os.environ.get("CROSSVM_NATS_SERVER")
VM = os.environ["CROSSVM_VM"]

# What a message has to say of a fault, after what it could not do and with which object.
REMEDIES = re.compile(
    r": (no space is left there; free some|this process has as many descriptors as it may; raise the limit with `ulimit -n`"
    r"|the system has as many open files as it may; raise the sysctl fs\.file-max"
    r"|the system has too little memory left; free some, or ask for less"
    r"|there are as many threads and processes as may be, or too little memory is left; raise the limit with `ulimit -u`"
    r"|the system has no asynchronous I/O left, by which a peer is signalled; raise the sysctl fs\.aio-max-nr)"
    r"|: no memory$|no memory (is left )?(for|to) \S+|: taken, or no memory"
    r"|--no-sandbox does without|.*; free some memory, or raise the limits"
)

# What it says of a descriptor that another process gave and that it cannot examine or use. Linux is never short of anything
# for that, so such a descriptor is another one than it should be.
REFUSALS = re.compile(
    r"gave a (peer page|dataport|descriptor)|the memory that the hub sent|cannot use \d+ bytes of shared memory"
    r"|cannot be read without waiting|cannot signal the peer"
)

# A program that serves has started when it waits for somebody.
FIRST_WAIT = re.compile(r"(epoll_wait|epoll_pwait)\(|poll\(\[\{fd=")
# One that waits for replies before has when it says that it is ready.
FIRST_LINE = re.compile(r"write\(1, ")

PATIENCE = 600  # seconds; only bounds a hang
PR_SET_CHILD_SUBREAPER = 36
PCAP_HEADER, PCAP_RECORD = 24, 16  # bytes before all messages, and before each


def adopt_orphans():
    """Processes that lose their parent become children of this one, which can wait for them then."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("cannot adopt orphans")


def await_orphans():
    """Waits until this process has no child any more: one that stays is a hang, which ctest ends."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


class Outcome:
    """What a program did that ran with a fault."""

    def __init__(self, status, said, complaint, left):
        self.status = status
        self.said = said
        self.complaint = complaint  # why it does not work; None: it did not come so far, or it works
        self.left = left  # files

    def fault(self, expected):
        """What is wrong with it, or None. expected is the status at the end of a program that works."""
        if self.left:
            return f"it left {self.left}"
        if self.status < 0:
            return f"it was ended by signal {-self.status}"
        if self.status == expected and not self.complaint:
            return None
        if self.status == 0:
            return self.complaint or "it ended with status 0"
        if not any(REMEDIES.search(line) or REFUSALS.search(line) for line in self.said.splitlines()):
            return "it does not say what to do"
        return None


class Program:
    """A way of starting one of the programs, in a folder of its own. Subclasses say which, and how to tell that it works."""

    arguments = []
    ready = None  # a part of what it prints when it works; None: it ends by itself
    is_said = False  # it prints that on standard error
    one_thread = False  # others are a library's
    first_wait = FIRST_WAIT  # the call with which its start is over
    never = set()  # calls that the system does not refuse
    status = 0  # at its end
    files = {}

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-faults-"))
        self.sockets = self.folder / "sockets"
        self.environment = os.environ | {"CROSSVM_DIR": str(self.sockets), "PATH": f"{self.folder}:{os.environ['PATH']}"}
        self.helpers = []  # what it needs
        for name, text in self.files.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        self.prepare()
        self.before = self.list_files()

    def prepare(self):
        """Starts what the program needs."""

    def check(self):
        """What is wrong with a program that is ready, or has ended with its status; None: nothing."""

    def popen(self, command, **options):
        return subprocess.Popen(command, **options)

    def list_files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path != self.sockets)

    def command(self):
        return [TOOL, *self.arguments]

    def run_tool(self, *arguments):
        """A command of the tool. Its output, or what it complains of in brackets."""
        ended = subprocess.run([TOOL, *arguments], env=self.environment, capture_output=True, text=True)
        return ended.stdout if ended.returncode == 0 else f"({ended.stderr.strip()})"

    def start(self, *arguments):
        """Starts a command that the program needs."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.helpers.append(subprocess.Popen([TOOL, *arguments], env=self.environment, text=True, **pipes))
        return self.helpers[-1].stdout

    def serve(self, *arguments):
        """The same of a hub, which is ready then."""
        self.start(*arguments).readline()

    def end_helpers(self):
        for helper in reversed(self.helpers):
            helper.terminate()
            helper.wait()
            helper.stdout.close()

    def run(self, prefix=(), **environment):
        """Runs it: the prefix is a command that runs another one."""
        errors = tempfile.TemporaryFile("w+")
        self.process = process = self.popen(
            [*prefix, *self.command()],
            env=self.environment | environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if self.is_said else errors,
            text=True,
        )
        hang = threading.Timer(PATIENCE, process.kill)
        hang.start()
        self.printed = ""
        while line := process.stdout.readline():
            self.printed += line
            if self.ready and self.ready in self.printed:
                break
        is_ready = bool(line)
        complaint = self.check() if is_ready else None
        if is_ready:
            process.terminate()
        status = process.wait()
        if self.is_said:
            errors.write(self.printed + process.stdout.read())
        process.stdout.close()
        hang.cancel()
        if not self.ready and status == self.status:
            complaint = self.check()
        self.end_helpers()
        await_orphans()
        errors.seek(0)
        said = errors.read().replace(str(self.folder), "FOLDER")
        errors.close()
        left = [name for name in self.list_files() if name not in self.before]
        return Outcome(status, said, complaint, left)

    def remove(self):
        shutil.rmtree(self.folder)


class Pair(Program):
    arguments = ["pair", "link", "-p", "64K", "-p", "8K:0"]
    ready = "link.0 link.1\n"

    def check(self):
        self.run_tool("write", "link.0", "-d", "1", "text")
        self.run_tool("emit", "link.0")
        said = self.run_tool("wait", "link.1") + self.run_tool("read", "link.1", "-d", "1", "-l", "4")
        return None if said == "1\ntext" else f"its ends do not work: {said}"


class PairUnconfined(Pair):
    arguments = [*Pair.arguments, "--no-sandbox"]


class Hub(Program):
    """One with all doors."""

    arguments = ["hub", "t.yaml"]
    ready = "c@old.crossvm-vm\n"
    files = {
        "t.yaml": "vms:\n  - {name: web, vmm: external}\n  - {name: db, vmm: external, door: ivshmem}\n"
        "  - {name: old, kernel: kernel}\nconnections:\n"
        "  - {name: a, ends: [web, host], dataports: [{size: 64K}, {size: 8K, writer: host}]}\n"
        "  - {name: b, ends: [web, db]}\n  - {name: c, ends: [old, host], dataports: [{size: 4K}]}\n",
        "kernel": "",
    }

    def check(self):
        listed = self.run_tool("ls")
        for text in ("vfio-user (no VMM)   absent  -       64K rw, 8K rw", "crossvm-vm (no VMM)  absent  -       4K rw"):
            if text not in listed:
                return f"its ends are not there: {listed}"
        for name in ("a", "c"):
            if self.run_tool("emit", name):
                return f"the end {name} does not work: {self.run_tool('emit', name)}"
        return None


class HubUnconfined(Hub):
    arguments = [*Hub.arguments, "--no-sandbox"]


class Run(Program):
    """The runner. A shell plays crossvm-vm."""

    arguments = ["run", "t.yaml"]
    ready = "a | up\n"
    status = 128 + 15
    files = {
        "t.yaml": "vms:\n  - {name: a, kernel: kernel}\n  - {name: b, kernel: kernel, console: {file: log}}\n"
        "  - {name: c, kernel: kernel, console: {socket: console}}\nconnections:\n"
        "  - {name: x, ends: [a, host], dataports: [{size: 64K}]}\n  - {name: y, ends: [a, b]}\n",
        "kernel": "",
        "log": "",
        "crossvm-vm": "#!/bin/sh\necho up\nexec sleep infinity\n",
    }

    def check(self):
        said = self.run_tool("emit", "x")
        return f"the end x does not work: {said}" if said else None


class RunUnconfined(Run):
    arguments = [*Run.arguments, "--no-sandbox"]


class Vm(Program):
    """crossvm-vm as far as it comes without KVM: it takes its ends from a hub, and installs their devices."""

    files = {"kernel": ""}

    def prepare(self):
        self.serve("pair", "link", "-p", "64K", "-p", "8K:0", "--end0=crossvm-vm")

    def command(self):
        return [VM, "--dump", "--kernel=kernel", f"--join={self.sockets}/link.0.crossvm-vm"]

    def check(self):
        said = self.run_tool("emit", "link.1")
        return f"the other end does not work: {said}" if said else None


class HostProgram(Program):
    """A program that opens an end and uses it."""

    arguments = ["emit", "link.0"]

    def prepare(self):
        self.serve("pair", "link", "-p", "64K", "-p", "8K:0")

    def check(self):
        said = self.run_tool("wait", "link.1")
        return None if said == "1\n" else f"the event did not come: {said}"


class Channel(Program):
    """A command at one end of a connection, whose other end another command has."""

    first_wait = FIRST_LINE
    # To take what has come from a hub or as an event, Linux needs nothing: where that fails, the hub has ended.
    never = {"recvfrom", "preadv2"}

    def prepare(self):
        self.serve("pair", "link")
        self.begin_peer()


class Record(Channel):
    arguments = ["record", "link.0", "recorded", "--count=1"]

    def begin_peer(self):
        self.start("send", "link.1", "one")

    def check(self):
        length = (self.folder / "recorded").stat().st_size
        return None if length == PCAP_HEADER + PCAP_RECORD + 3 else f"the recording has {length} bytes"

    def list_files(self):
        """Without a recording of the messages that there were."""
        return [file for file in super().list_files() if file != "recorded"]


class RecordUnconfined(Record):
    arguments = [*Record.arguments, "--no-sandbox"]


class Replay(Channel):
    arguments = ["replay", "recorded", "link.0"]

    def begin_peer(self):
        header = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 147)
        (self.folder / "recorded").write_bytes(header + struct.pack("=IIII", 1, 0, 3, 3) + b"one")
        self.received = self.start("recv", "link.1")

    def check(self):
        said = self.received.read()
        return None if said == "one\n" else f"the message did not come: {said}"


class ReplayUnconfined(Replay):
    arguments = [*Replay.arguments, "--no-sandbox"]


class Forward(Channel):
    arguments = ["forward", "link.0", "--listen=0:web", "--sockets=2"]  # few: it looks at each descriptor that it may have
    ready = "/socket web\n"

    def begin_peer(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(PATIENCE)
        self.start("forward", "link.1", f"--allow=web={self.server.getsockname()[1]}")

    def command(self):
        return [*super().command(), f"--listen={self.folder}/socket:web"]

    def check(self):
        try:
            said = self.send_byte(int(re.search(r":(\d+) web\n", self.printed).group(1)))
        except OSError as error:
            said = error
        return None if said == b"x" else f"what a socket sends does not come: {said}"

    def send_byte(self, port):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(b"x")
            with self.server.accept()[0] as taken:
                taken.settimeout(PATIENCE)
                return taken.recv(1)

    def remove(self):
        self.server.close()
        super().remove()


class ForwardUnconfined(Forward):
    arguments = [*Forward.arguments, "--no-sandbox"]


class Net(Channel):
    """In a network of its own."""

    arguments = ["net", "link.0", "--address=10.9.0.1/24", "--address=fd00:9::1/64"]
    ready = "crossvm0\n"

    def begin_peer(self):
        self.networks = [Namespace(), Namespace()]
        with self.networks[1]:
            self.serve("net", "link.1", "--address=10.9.0.2/24")

    def popen(self, command, **options):
        with self.networks[0]:
            return super().popen(command, **options)

    def check(self):
        """Datagrams until one comes: what is sent before both have met is lost."""
        sockets = []
        for network in self.networks:
            with network:
                sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with sockets[0] as sender, sockets[1] as receiver:
            receiver.bind(("10.9.0.2", 0))
            receiver.settimeout(0.05)
            while self.process.poll() is None:
                try:
                    sender.sendto(b"x", receiver.getsockname())
                    receiver.recv(1)
                    return None
                except OSError:
                    pass
        return "it has ended"

    def list_files(self):
        with self.networks[0]:
            return super().list_files() + [name for _, name in socket.if_nameindex() if name != "lo"]

    def remove(self):
        for network in self.networks:
            network.close()
        super().remove()


class NetUnconfined(Net):
    arguments = [*Net.arguments, "--no-sandbox"]


class Bridge(Program):
    """Both ways, with a server of its own."""

    ready = "connected to nats://"
    is_said = True
    one_thread = True
    first_wait = re.compile(r'write\(2, "crossvm bridge: connected')
    # To TCP, Linux waits for memory, and it needs none to poll so few descriptors. What is written are events and what it
    # says, of which the number is not always the same.
    never = {"recvfrom", "recvmsg", "preadv2", "sendto", "poll", "write"}
    files = {"password": "secret"}  # the server wants none, and takes any

    def prepare(self):
        self.serve("pair", "link")
        self.server_folder = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-faults-"))
        with socket.create_server(("localhost", 0)) as free:
            self.port = free.getsockname()[1]
        command = [NATS_SERVER, "-js", "-sd", self.server_folder / "store", "-a", "localhost", "-p", str(self.port), "-l",
                   self.server_folder / "log", "--ports_file_dir", self.server_folder]
        self.helpers.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        while not list(self.server_folder.glob("*.ports")):
            os.sched_yield()
        self.ask("$JS.API.STREAM.CREATE.BACK", '{"name":"BACK","subjects":["back"],"storage":"file","num_replicas":1}')

    def ask(self, subject, text):
        """A question to the server, as any other client asks it. Its answer comes once it is dealt with."""
        with socket.create_connection(("localhost", self.port), PATIENCE) as client, client.makefile("rw", newline="") as lines:
            lines.write('CONNECT {"verbose":false}\r\nSUB answer 1\r\n' + f"PUB {subject} answer {len(text)}\r\n{text}\r\n")
            lines.flush()
            while not lines.readline().startswith("MSG "):
                pass
            return lines.readline()

    def command(self):
        return [BRIDGE, "link.1", f"--server=nats://localhost:{self.port}", "--create", "--send=there",
                "--send-stream=THERE", "--receive=back", "--receive-stream=BACK", "--user=me",
                f"--password-file={self.folder}/password"]

    def run_beside(self, *arguments):
        """A command of the tool, as long as the bridge is there."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen([TOOL, *arguments], env=self.environment, text=True, **pipes) as command:
            while command.poll() is None:
                if self.process.poll() is not None:
                    command.kill()
                    return "(the bridge has ended)"
                time.sleep(0.005)
            return command.stdout.read()

    def check(self):
        said = self.run_beside("send", "link.0", "there")
        self.ask("back", "back")
        said = said or self.run_beside("recv", "link.0", "-n", "1")
        return None if said == "back\n" else f"messages do not cross: {said}"

    def remove(self):
        shutil.rmtree(self.server_folder)
        super().remove()


class BridgeUnconfined(Bridge):
    def command(self):
        return [*super().command(), "--no-sandbox"]


class Top(Program):
    arguments = ["top", "--json", "--interval=0.1"]
    ready = '"name":"link"'
    first_wait = FIRST_LINE

    def prepare(self):
        self.serve("pair", "link")


class TopUnconfined(Top):
    arguments = [*Top.arguments, "--no-sandbox"]


class TopFile(Top):
    """One that writes a file again and again."""

    arguments = ["top", "--once", "--interval=0.1", "--prometheus=report"]
    ready = None

    def check(self):
        return None if 'connection="link"' in (self.folder / "report").read_text() else "the report lacks the connection"

    def list_files(self):
        """Without a report as a whole."""
        return [file for file in super().list_files() if file != "report"]


class Watch(Top):
    arguments = ["ls", "--watch", "--interval=0.1"]
    ready = "link.1 "


ALL = [Pair, PairUnconfined, Hub, HubUnconfined, Run, RunUnconfined, Vm, HostProgram, Record, RecordUnconfined, Replay]
ALL += [ReplayUnconfined, Forward, ForwardUnconfined, Net, NetUnconfined, Top, TopUnconfined, TopFile, Watch, Bridge]
ALL += [BridgeUnconfined]
