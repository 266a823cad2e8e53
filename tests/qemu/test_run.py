# SPDX-License-Identifier: BSD-2-Clause
"""Guests of a topology: in QEMUs that `crossvm run` starts, and in others that take their ends from `crossvm hub`."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

import crossvm
from machines import ARCH, EMULATOR, KERNEL, PATIENCE, TOOL, Guest, QemuTest

CPU = {"amd64": "qemu64", "arm64": "cortex-a72"}[ARCH]
PORT = {"amd64": "ttyS0", "arm64": "ttyAMA0"}[ARCH]

QEMU_VM = """
  - name: {name}
    vmm: qemu
    door: {door}
    program: {emulator}
    arguments: [-nodefaults, -no-user-config, -cpu, {cpu}, -machine, accel=tcg]
    kernel: {kernel}
    initramfs: {initramfs}
    command_line: quiet mitigations=off panic=-1 port={port}
    vcpus: 2
    console: {{socket: {name}.console}}
    restart: always
"""

CONNECTIONS = """
connections:
  - {name: fast-host, ends: [fast, host], dataports: [{size: 64K}, {size: 4K, writer: host}]}
  - {name: old-host, ends: [old, host], dataports: [{size: 64K}]}
  - {name: both, ends: [fast, old], dataports: [{size: 64K}]}
"""


class Console:
    """The shell of a guest at its console's socket, over all lives of the guest."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.buffer = b""

    def read_until(self, pattern):
        while not (found := re.search(pattern, self.buffer)):
            try:
                self.buffer += self.socket.recv(65536)
            except TimeoutError:
                raise AssertionError(f"nothing more than {self.buffer!r} comes from the console") from None
        before, self.buffer = self.buffer[: found.start()], self.buffer[found.end() :]
        return before, found

    def await_guest(self):
        self.read_until(rb"#ready\r?\n")
        self.run("insmod /lib/modules/crossvm.ko")

    def run(self, line):
        self.socket.sendall(line.encode() + b"\n")
        output, found = self.read_until(rb"#status (\d+)\r?\n")
        if int(found.group(1)):
            raise AssertionError(f"`{line}` ended with {found.group(1)}: {output.decode()}")
        return output.decode()


class TopologyTest(QemuTest):
    def start(self, command, vms):
        """Starts `crossvm COMMAND` with the topology."""
        topology = self.directory / "topology.yaml"
        topology.write_text(f"vms:{vms}{CONNECTIONS}")
        self.output = open(self.directory / "output", "w+")
        self.addCleanup(self.output.close)
        self.process = subprocess.Popen(
            [TOOL, command, topology], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.output, text=True
        )
        self.addCleanup(self.stop)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.stdout.close()
        return self.process.wait()

    def said(self):
        self.output.seek(0)
        return self.output.read()

    def ping(self, end):
        """Datagrams to `crossvm echo` in a guest, and back."""
        with end.datagram() as channel:
            for i in range(20):
                channel.send(b"%d" % i, timeout=PATIENCE)
                self.assertEqual(bytes(channel.recv(timeout=PATIENCE)), b"%d" % i)


class Run(TopologyTest):
    def vmm_of(self, vm):
        for process in pathlib.Path("/proc").iterdir():
            try:
                if f"guest={vm}\0".encode() in (process / "cmdline").read_bytes():
                    return int(process.name)
            except OSError:
                pass
        raise AssertionError(f"there is no VMM of {vm}")

    def test_vmms_that_end_are_replaced(self):
        common = {"emulator": EMULATOR, "cpu": CPU, "port": PORT}
        common |= {"kernel": KERNEL / "vmlinux", "initramfs": self.initramfs}
        doors = {"fast": "vfio-user", "old": "ivshmem"}
        self.start("run", "".join(QEMU_VM.format(name=vm, door=door, **common) for vm, door in doors.items()))
        while not all((self.directory / f"{vm}-host.sock").exists() for vm in doors):
            self.assertIsNone(self.process.poll(), self.said())
        guests = {vm: Console(self.directory / f"{vm}.console") for vm in doors}
        ends = {vm: self.open(f"{vm}-host") for vm in doors}
        for vm, guest in guests.items():
            guest.await_guest()
            guest.run(f"crossvm echo {vm}-host &")
        ends["fast"].dataports[1].memory[:5] = b"stays"
        self.assertEqual({vm: end.info().door for vm, end in ends.items()},
                         {"fast": crossvm.Door.VFIO_USER, "old": crossvm.Door.IVSHMEM})  # fmt: skip
        for vm in doors:
            generation = self.await_peer(ends[vm], crossvm.PeerState.READY)
            self.ping(ends[vm])
            self.assertTrue(ends[vm].info().peer_here)

            os.kill(self.vmm_of(vm), signal.SIGKILL)
            while ends[vm].peer_state != crossvm.PeerState.ABSENT and ends[vm].peer_generation == generation:
                ends[vm].wait(timeout=PATIENCE)
            guests[vm].await_guest()  # another one
            guests[vm].run(f"crossvm echo {vm}-host &")
            self.assertGreater(self.await_peer(ends[vm], crossvm.PeerState.READY), generation)
            self.ping(ends[vm])
            self.assertIn(f"VM {vm} was killed by signal 9", self.said())
        self.assertEqual(guests["fast"].run("crossvm read fast-host -d 1 -l 5 && echo").split(), ["stays"])
        guests["old"].run("crossvm echo both &")
        guests["fast"].run("crossvm ping -f -q -c 500 -t 600 both")

        vmms = [self.vmm_of(vm) for vm in doors]
        self.assertEqual(self.stop(), 128 + signal.SIGTERM)
        for vmm in vmms:
            self.assertFalse(os.path.exists(f"/proc/{vmm}"))
        self.assertEqual(list(self.directory.glob("*.sock")), [])


class Hub(TopologyTest):
    def test_vmms_of_others(self):
        vms = [("fast", "vfio-user"), ("old", "ivshmem")]
        self.start("hub", "".join(f"\n  - {{name: {vm}, vmm: external, door: {door}}}" for vm, door in vms))
        sockets = [self.process.stdout.readline().strip() for _ in range(4)]
        self.assertEqual(sorted(pathlib.Path(path).name for path in sockets),
                         ["both@fast.vfio-user", "both@old.ivshmem", "fast-host@fast.vfio-user",
                          "old-host@old.ivshmem"])  # fmt: skip
        for vm, door in vms:
            with self.subTest(vm=vm):
                end = self.open(f"{vm}-host")
                self.assertFalse(end.info().peer_here)
                guest = self.guest_at(vm, door, sockets)
                guest.load_driver()
                guest.run(f"crossvm echo {vm}-host &")
                self.ping(end)
                guest.power_off()
                self.await_peer(end, crossvm.PeerState.ABSENT)
        self.assertEqual(self.stop(), 0, self.said())

    def guest_at(self, vm, door, sockets):
        ends = [(door, path) for path in sockets if f"@{vm}." in path]
        guest = Guest(self.directory, self.initramfs, ends)
        self.addCleanup(lambda: guest.process.poll() is None and guest.kill())
        return guest


if __name__ == "__main__":
    unittest.main()
