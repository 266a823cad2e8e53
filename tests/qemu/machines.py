# SPDX-License-Identifier: BSD-2-Clause
"""What the tests with stock VMMs share: connections served by `crossvm pair`, and guests in QEMU under plain TCG.

No test decides by a time: what is waited for has to come, and PATIENCE only bounds a hang."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import crossvm

TOP = pathlib.Path(os.environ["CROSSVM_TOP"])
TOOL = os.environ["CROSSVM_TOOL"]
ARCH = os.environ["CROSSVM_ARCH"]  # of the guests, amd64 or arm64
EMULATOR_NAME = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[ARCH]
EMULATOR = shutil.which(EMULATOR_NAME, path=os.environ["CROSSVM_EMULATORS"] or None)  # in a folder, or among all programs
if not EMULATOR:
    raise FileNotFoundError(f"{EMULATOR_NAME} is missing in {os.environ['CROSSVM_EMULATORS'] or os.environ['PATH']}")
GUEST_TOOL = os.environ["CROSSVM_GUEST_TOOL"]
GUEST_STORES = os.environ["CROSSVM_GUEST_STORES"]
KERNEL = TOP / "build/kernel" / ARCH
DRIVER = TOP / "build/driver" / ARCH
VSOCK = ("vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback")  # modules for vsock within a guest
PATIENCE = int(os.environ.get("CROSSVM_PATIENCE", "600"))  # seconds; a guest boots in a few


def cpus_of(emulator):
    """How many a guest has. Before 8.1, QEMU may keep what one CPU has translated while the other changed that code: the
    breakpoint that Linux sets while it patches a jump then stays, and the guest stands still."""
    said = subprocess.run([emulator, "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", said).groups()
    return 1 if tuple(map(int, version)) < (8, 1) else 2


def files_of(program):
    """A program of this machine, and the libraries that it needs."""
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    return [program, *re.findall(r"(/\S+) \(0x", said)]


def make_initramfs(out, programs):
    """programs: of this machine, for guests of its architecture."""
    with tempfile.TemporaryDirectory() as tree:
        scripts = TOP / "scripts"
        busybox = {"amd64": "/bin/busybox", "arm64": TOP / "build/sysroot/arm64/bin/busybox"}[ARCH]
        subprocess.run([scripts / "busybox-tree", tree, TOP / "tests/qemu/guest-init", busybox], check=True)
        modules = pathlib.Path(tree) / "lib/modules"
        modules.mkdir(parents=True)
        for module in ("uio", "uio_pci_generic", "tun", *VSOCK):
            shutil.copy(KERNEL / f"modules/{module}.ko", modules)
        for file in [file for program in programs for file in files_of(program)]:
            there = pathlib.Path(tree + file)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, there)
        shutil.copy(DRIVER / "crossvm.ko", modules)
        shutil.copy(GUEST_TOOL, pathlib.Path(tree) / "bin/crossvm")
        shutil.copy(GUEST_STORES, pathlib.Path(tree) / "bin/guest-stores")
        subprocess.run([scripts / "make-initramfs", out, tree], check=True)


def await_state(pid, state):
    """Waits until the main thread of a process sleeps (S), or is stopped (T)."""
    until = time.monotonic() + PATIENCE
    while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
        if time.monotonic() > until:
            raise AssertionError(f"process {pid} does not come to the state {state}")
        time.sleep(0.001)


class Pair:
    """A connection, and the doors of its ends."""

    def __init__(self, directory, name, doors, *dataports):
        command = [TOOL, "pair", name, "--stats", f"--end0={doors[0]}", f"--end1={doors[1]}"]
        for dataport in dataports:
            command += ["-p", dataport]
        self.name = name
        self.doors = doors
        self.messages = open(directory / f"{name}.messages", "w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.messages, text=True)
        self.sockets = self.process.stdout.readline().split()
        if len(self.sockets) != 2:
            raise AssertionError(f"crossvm pair {name}: {self.said()}")

    def said(self):
        self.messages.seek(0)
        return self.messages.read()

    def loads(self):
        """Loads of registers that VMMs which have left asked for, each."""
        return [int(n) for n in re.findall(r"(\d+) loads", self.said())]

    def stop(self):
        self.process.terminate()
        status = self.process.wait()
        self.process.stdout.close()
        said = self.said()
        self.messages.close()
        return status, said


def plug(number, door, path):
    """QEMU's options for a connection's end that is at a socket, as the device of that number."""
    device = {"addr": f"{8 + number // 8:x}.{number % 8}", "multifunction": number % 8 == 0}
    if door == "vfio-user":
        device |= {"driver": "vfio-user-pci", "socket": {"type": "unix", "path": path}}
        return ["-device", json.dumps(device)]
    device |= {"driver": "ivshmem-doorbell", "chardev": f"link{number}"}
    return ["-chardev", f"socket,id=link{number},path={path}", "-device", json.dumps(device)]


class Guest:
    """A Linux guest in a QEMU, and a shell in it."""

    def __init__(self, directory, initramfs, ends, command_line="", options=()):
        """ends are doors and sockets of connections."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=directory))
        self.log = directory / "console"
        self.errors = open(directory / "errors", "w+")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / "shell"))
        listener.listen()
        listener.settimeout(PATIENCE)
        if ARCH == "arm64":
            machine = ["-machine", "virt,gic-version=3", "-cpu", "cortex-a72"]
            port = ["-device", "pci-serial,chardev=shell"]
            ports = "console=ttyAMA0 port=ttyS0"
        else:
            machine = ["-machine", "q35", "-cpu", "qemu64"]
            port = ["-serial", "chardev:shell"]
            ports = "console=ttyS0 port=ttyS1 tsc=reliable no_timer_check"
        command = [EMULATOR, *machine, "-nodefaults", "-no-user-config", "-display", "none"]
        self.cpus = cpus_of(EMULATOR)
        # Without room for a second CPU, TCG leaves out what makes accesses atomic and ordered for other processes.
        command += ["-accel", "tcg,thread=multi", "-smp", f"{self.cpus},maxcpus=2", "-m", "256"]
        command += ["-kernel", KERNEL / "vmlinux", "-initrd", initramfs, "-serial", f"file:{self.log}"]
        command += ["-chardev", f"socket,id=shell,path={directory}/shell", *port]
        command += ["-append", f"{ports} quiet mitigations=off nokaslr panic=-1 {command_line}"]
        for i, (door, path) in enumerate(ends):
            command += plug(i, door, path)
        self.process = subprocess.Popen(
            [*command, *options], stdin=subprocess.DEVNULL, stdout=self.errors, stderr=subprocess.STDOUT
        )
        self.shell, _ = listener.accept()
        listener.close()
        self.shell.settimeout(PATIENCE)
        self.buffer = b""
        try:
            self.await_boot()
        except AssertionError:
            self.kill()
            raise

    def fail(self, what):
        self.errors.seek(0)
        raise AssertionError(f"{what}; the guest's console: {self.log.read_text()}; QEMU: {self.errors.read()}")

    def read_until(self, pattern):
        while not (found := re.search(pattern, self.buffer)):
            try:
                data = self.shell.recv(65536)
            except TimeoutError:
                self.fail(f"nothing more than {self.buffer!r} comes from the guest")
            if not data:
                self.fail("QEMU ended")
            self.buffer += data
        before, self.buffer = self.buffer[: found.start()], self.buffer[found.end() :]
        return before, found

    def await_boot(self):
        self.read_until(rb"#ready\r?\n")

    def start(self, command):
        """Begins a command of the guest's shell; result() waits for its end."""
        self.shell.sendall(command.encode() + b"\n")

    def result(self):
        """Status and output of the command."""
        output, found = self.read_until(rb"#status (\d+)\r?\n")
        return int(found.group(1)), output.decode().replace("\r\n", "\n")

    def run(self, command, status=0):
        self.start(command)
        ended, output = self.result()
        if ended != status:
            self.fail(f"`{command}` ended with {ended}, not {status}: {output}")
        return output

    def load_driver(self):
        self.run("insmod /lib/modules/crossvm.ko")

    def kill(self):
        self.process.kill()
        self.end()

    def power_off(self):
        self.shell.sendall(b"poweroff -f\n")
        self.end()

    def end(self):
        status = self.process.wait(PATIENCE)
        self.shell.close()
        self.errors.close()
        return status


class Qmp:
    """A guest's QEMU, told what to do by QMP."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rw")
        self.events = []  # that came before an answer
        self.lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        print(json.dumps({"execute": command, "arguments": arguments}), file=self.lines, flush=True)
        while "return" not in (answer := json.loads(self.lines.readline())):
            if "error" in answer:
                raise AssertionError(f"{command}: {answer['error']}")
            self.events.append(answer)
        return answer["return"]

    def plug(self, door, path):
        """Plugs an end into the bus "bay"."""
        where = {"type": "unix", "path": path}
        if door == "vfio-user":
            self.execute("device_add", driver="vfio-user-pci", id="link", bus="bay", socket=where)
            return
        backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": path}}, "server": False}}
        self.execute("chardev-add", id="socket", backend=backend)
        self.execute("device_add", driver="ivshmem-doorbell", id="link", bus="bay", chardev="socket")

    def unplug(self, door):
        self.execute("device_del", id="link")
        self.await_event("DEVICE_DELETED")
        if door == "ivshmem":
            self.execute("chardev-remove", id="socket")

    def await_event(self, name, **data):
        """Waits for an event with such data; those before it are gone then."""
        while True:
            event = self.events.pop(0) if self.events else json.loads(self.lines.readline())
            if event.get("event") == name and data.items() <= event["data"].items():
                return

    def monitor(self, line):
        return self.execute("human-monitor-command", **{"command-line": line})

    def close(self):
        self.lines.close()
        self.socket.close()


class QemuTest(unittest.TestCase):
    """Each class has a folder and an initramfs; each case its connections and guests."""

    door = "vfio-user"  # of VMMs
    programs = ()  # of this machine, which its guests are to have

    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="crossvm-qemu-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.initramfs = cls.directory / "initramfs"
        make_initramfs(cls.initramfs, cls.programs)

    def setUp(self):
        os.environ["CROSSVM_DIR"] = str(self.directory)
        self.guests = []

    def pair(self, name, *dataports, ends=("vmm", "host")):
        """A connection; its ends are a VMM's or a program's."""
        doors = [self.door if end == "vmm" else end for end in ends]
        pair = Pair(self.directory, name, doors, *dataports)
        self.addCleanup(self.stop_pair, pair)
        return pair

    def stop_pair(self, pair):
        status, said = pair.stop()
        self.assertEqual(status, 0, said)
        self.assertNotRegex(said, "disconnected")

    def guest(self, *pairs, end=0, **options):
        ends = [(pair.doors[end], pair.sockets[end]) for pair in pairs]
        guest = Guest(self.directory, self.initramfs, ends, **options)
        self.guests.append(guest)
        self.addCleanup(lambda: guest.process.poll() is None and guest.kill())
        return guest

    def open(self, name):
        end = crossvm.End(name)
        self.addCleanup(end.close)
        return end

    def await_peer(self, end, state):
        """Waits until the peer of an end is in a state; gives the generation."""
        until = time.monotonic() + PATIENCE
        while end.peer_state != state:
            end.wait(timeout=PATIENCE)
            self.assertLess(time.monotonic(), until, f"the peer does not become {state.name}, it is {end.peer_state.name}")
        return end.peer_generation
