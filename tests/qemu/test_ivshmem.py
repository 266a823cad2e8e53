# SPDX-License-Identifier: BSD-2-Clause
"""Connections of guests in a stock QEMU, which has them over ivshmem. Most cases are those of vfio-user."""

import os
import re
import signal
import socket
import struct
import threading
import time
import unittest

import crossvm
import test_vfio_user
from machines import ARCH, PATIENCE, Qmp, QemuTest, plug

PAGE = 4096
FRONT = 7 * PAGE  # of a region, before the dataports
MAGIC = b"CXivshme"


def list_maps(vm, number=0):
    """The maps of a UIO device: address and size by name."""
    maps = vm.run(f"cd /sys/class/uio/uio{number}/maps && cat */name && cat */addr && cat */size; cd /").split()
    n = len(maps) // 3
    return {maps[i]: (int(maps[n + i], 16), int(maps[2 * n + i], 16)) for i in range(n)}


def find_functions(vm):
    """The PCI functions of ivshmem: their BARs."""
    functions = {}
    for function in vm.run("cd /sys/bus/pci/devices && grep -l 0x1110 */device; cd /").split():
        address = function.split("/")[0]
        lines = vm.run(f"cat /sys/bus/pci/devices/{address}/resource").splitlines()
        functions[address] = [tuple(int(number, 16) for number in line.split()[:2]) for line in lines[:6]]
    return functions


class Driver(test_vfio_user.Driver):
    """With a dataport less than there can be: programs map the doorbell, which has a page of its own."""

    door = "ivshmem"
    dataports = ("64K", "8K", "1M")

    def it_is_listed(self):
        super().it_is_listed()
        (bars,) = find_functions(self.vm).values()
        maps = list_maps(self.vm)
        self.assertEqual(maps["end0"], (bars[2][0] + 2 * PAGE, 3 * PAGE))  # no word of the driver's among them
        self.assertEqual("doorbell" in maps, len(self.dataports) < 4)

    def dataports_and_rights(self):
        for i, dataport in enumerate(self.end.dataports):
            self.assertTrue(dataport.writable)
            size = len(dataport)
            dataport.memory[:] = bytes([i + 1]) * size
            self.assertEqual(self.vm.run(f"crossvm read link -d {i} | tr -d '\\00{i + 1}' | wc -c"), "0\n")
            self.vm.run(f"crossvm write link -d {i} -o {size - 8} 'the end{i}'")
            self.assertEqual(bytes(dataport.memory[size - 9 :]), b"%cthe end%d" % (i + 1, i))


class DriverWithFourDataports(Driver):
    """The maps of a UIO device are used up: programs have the driver signal."""

    dataports = ("64K", "8K", "4K", "1M")


class Many(test_vfio_user.Many):
    door = "ivshmem"

    def test_32_connections(self):
        super().test_32_connections()
        vm = self.guests[0]
        functions = find_functions(vm)
        for number in range(32):
            address, size = list_maps(vm, number)["doorbell"]
            self.assertEqual((address % PAGE, size), (0, PAGE))
            there = [bar for bars in functions.values() for bar in bars if bar[0] < address + PAGE and bar[1] >= address]
            self.assertEqual(len([bar for bar in there if bar[1]]), 1, "another function has registers in the page")


class Large(test_vfio_user.Large):
    door = "ivshmem"

    def check_bars(self, vm):
        ((_, _, region, *_),) = find_functions(vm).values()
        self.assertEqual(region[1] + 1 - region[0], 1 << 30)


class Plug(test_vfio_user.Plug):
    """Once: without KVM, QEMU leaves handlers of a function that was taken out, and ends when the next uses their memory."""

    door = "ivshmem"
    times = 1


class Machine(QemuTest):
    """What QEMU does to its guest without the hub's hearing of it."""

    door = "ivshmem"

    def test_machine(self):
        link = self.pair("link", "64K")
        end = self.open("link.1")
        control = self.directory / "qmp"
        vm = self.guest(link, options=["-qmp", f"unix:{control},server=on,wait=off"])
        qmp = Qmp(control)
        self.addCleanup(qmp.close)
        vm.load_driver()
        vm.run("crossvm wait -n 1000 link >/dev/null &")
        self.assertEqual(self.await_peer(end, crossvm.PeerState.READY), 2)
        with self.subTest("save and migrate"):
            self.assertIn("Migration is disabled", qmp.monitor("savevm here"))
            self.assertIn("Migration is disabled", qmp.monitor("migrate -d exec:cat"))
        with self.subTest("reset"):
            qmp.execute("system_reset")
            vm.await_boot()
            self.assertEqual(end.peer_state, crossvm.PeerState.READY)
            vm.load_driver()
            self.assertEqual(self.await_peer(end, crossvm.PeerState.PRESENT), 3)
            end.emit()
            self.assertEqual(vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")
        if ARCH == "arm64":  # a PC does not wake from this sleep here
            with self.subTest("suspend"):
                self.suspend(vm, end)

    def suspend(self, vm, end):
        """A guest that sleeps for two seconds keeps its place, and gets the events of that time."""
        generation = end.peer_generation
        vm.run(f"crossvm wait -n 20 -t {PATIENCE} link >/tmp/heard &")
        self.await_peer(end, crossvm.PeerState.READY)
        vm.run("echo +2 >/sys/class/rtc/rtc0/wakealarm")
        vm.start("echo freeze >/sys/power/state; dmesg | grep -c 'suspend exit'; wait $!; cat /tmp/heard")
        for _ in range(20):
            end.emit()
            time.sleep(0.1)  # so that most of them come while it sleeps
        self.assertEqual(vm.result(), (0, "1\n20\n"))
        self.await_peer(end, crossvm.PeerState.PRESENT)
        self.assertEqual(end.peer_generation, generation + 1)  # of the program; the driver is the same


class Guests(test_vfio_user.Guests):
    door = "ivshmem"

    def stop_pair(self, pair):
        if pair.process.returncode != -signal.SIGKILL:
            super().stop_pair(pair)
        else:
            pair.stop()

    def test_the_hub_ends(self):
        """The ends go on with each other; they hear that nobody tells of the peer any more."""
        self.check_end(signal.SIGTERM, "absent")

    def test_the_hub_is_killed(self):
        """They go on, too, and do not hear of it."""
        self.check_end(signal.SIGKILL, "present")

    def check_end(self, how, peer):
        link = self.pair("link", "64K", ends=("vmm", "vmm"))
        vms = [self.guest(link, end=i) for i in (0, 1)]
        for vm in vms:
            vm.load_driver()
        for vm in vms:
            vm.run("while ! crossvm info link | grep -q 'peer *present'; do :; done")
        link.process.send_signal(how)
        link.process.wait()
        for here, there in (vms, reversed(vms)):
            self.assertRegex(here.run("crossvm info link"), f"peer +{peer}")
            here.start(f"crossvm wait -n 3 -t {PATIENCE} link")
            there.run("crossvm write link 'still here' && crossvm emit -n 3 link")
            self.assertEqual(here.result(), (0, "3\n"))
            self.assertEqual(here.run("crossvm read link -l 10; crossvm write link nothing..."), "still here")


class Doors(QemuTest):
    """A guest over ivshmem, and one that has its end as a function of its own."""

    def test_doors(self):
        link = self.pair("link", "64K", ends=("ivshmem", "vfio-user"))
        vms = [self.guest(link, end=i) for i in (0, 1)]
        for vm in vms:
            vm.load_driver()
        for here, there in (vms, reversed(vms)):
            there.run("crossvm echo link >/dev/null 2>&1 &")
            summary = here.run(f"crossvm ping -q -f -W {PATIENCE} -c 1000 link")
            self.assertIn("1000 sent, 1000 answered, 0% lost", summary)
            there.run("kill $!; wait $!; true")


class Restart(test_vfio_user.Restart):
    door = "ivshmem"


class Server:
    """Another program than the hub at an ivshmem socket, which serves one VMM."""

    def __init__(self, path, position, memory):
        self.memfd = os.memfd_create("region", os.MFD_CLOEXEC)
        os.write(self.memfd, memory)
        self.doorbell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.position = position
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        self.vmm, _ = self.listener.accept()
        for number, fd in ((0, None), (self.position, None), (-1, self.memfd), (self.position, self.doorbell)):
            socket.send_fds(self.vmm, [struct.pack("<q", number)], [] if fd is None else [fd])

    def close(self):
        self.thread.join()
        self.vmm.close()
        self.listener.close()
        os.close(self.memfd)
        os.close(self.doorbell)


def make_region(dataports=((FRONT, PAGE),), version=1 << 16, magic=MAGIC, registers=b"CXVM", size=1 << 20, end=0):
    """The memory of a region, with dataports as offset and size."""
    region = bytearray(size)
    event_page = (2, 5)[end] * PAGE
    struct.pack_into("<8sI", region, 0, magic, version)
    struct.pack_into("<4sI", region, event_page + 0x38, registers, 0x10002)
    struct.pack_into("<I", region, event_page + 0x5C, 3)
    struct.pack_into("<II", region, event_page + 0x60, len(dataports), end)
    region[event_page + 0x80 : event_page + 0x84] = b"link"
    for i, (offset, size) in enumerate(dataports[:4]):
        struct.pack_into("<QII", region, event_page + 0xC0 + 16 * i, size % (1 << 64), 3, 2)
        struct.pack_into("<Q", region, event_page + 0x100 + 8 * i, offset % (1 << 64))
    return bytes(region)


class Others(QemuTest):
    """Functions of ivshmem that are not the hub's, or not as they should be."""

    def serve(self, *servers):
        """A guest with one function for each server, given as position and memory."""
        options = []
        for i, (position, memory) in enumerate(servers):
            path = self.directory / f"server{i}"
            path.unlink(missing_ok=True)
            self.addCleanup(Server(path, position, memory).close)
            options += plug(i, "ivshmem", str(path))
        return self.guest(options=options)

    def test_others_are_left_alone(self):
        vm = self.serve(
            (0, b"another use".ljust(1 << 20, b".")),
            (0, make_region(magic=b"CXivshmf")),
            (1, make_region(version=2 << 16)),
            (0, make_region()[: 4 * PAGE]),
        )
        everything = "cat /sys/bus/pci/devices/*/config | sha256sum; cat /sys/bus/pci/devices/*/enable"
        functions = find_functions(vm)
        self.assertEqual(len(functions), 4)
        vm.run("for f in /sys/bus/pci/devices/*; do [ $(cat $f/device) = 0x1110 ] && echo 1 >$f/enable && break; done")
        before = vm.run(everything)
        said = vm.run("crossvm info link 2>&1", status=2)
        self.assertRegex(said, "of ivshmem, has none: if it is the connection, load the crossvm driver")
        vm.run("dmesg -c >/dev/null")
        vm.load_driver()
        self.assertEqual(vm.run(everything), before)
        self.assertEqual(vm.run("ls /sys/class/uio"), "")
        self.assertNotRegex(vm.run("dmesg"), "0000:(?!.*: enabling device)")  # nor a word of the driver's about them
        # Another driver can have them, and its devices are no connections.
        vm.run("echo 1af4 1110 >/sys/bus/pci/drivers/uio_pci_generic/new_id")
        self.assertEqual(vm.run("ls /sys/class/uio | wc -l"), "4\n")
        self.assertIn("there are no connections", vm.run("crossvm ls"))
        vm.run("rmmod crossvm")

    def test_wrong_regions_are_refused(self):
        wrong = (
            (7, make_region()),
            (0, make_region(registers=b"....")),
            (0, make_region(end=1)),
            (0, make_region([(FRONT, PAGE)] * 5)),
            (0, make_region([(FRONT, 0)])),
            (0, make_region([(FRONT, PAGE + 8)])),
            (0, make_region([(FRONT + 8, PAGE)])),
            (0, make_region([(PAGE, PAGE)])),  # the driver's own page
            (0, make_region([(FRONT, PAGE), (FRONT, PAGE)])),
            (0, make_region([(1 << 20, PAGE)])),
            (0, make_region([((1 << 20) - PAGE, 2 * PAGE)])),
            (0, make_region([(-PAGE, PAGE)])),
            (0, make_region([(FRONT, -PAGE)])),
            (0, make_region([(-PAGE, 2 * PAGE)])),
            (1, make_region(end=1)),  # and a good one
        )
        vm = self.serve(*wrong)
        vm.load_driver()
        self.assertEqual(vm.run("ls /sys/class/uio"), "uio0\n")
        self.assertRegex(vm.run("crossvm info link"), r"end +1\n")
        said = vm.run("dmesg")
        self.assertEqual(len(re.findall(r"crossvm 0000:[^\n]*describes it wrongly|another server", said)), len(wrong) - 1)
        vm.run("rmmod crossvm")


if __name__ == "__main__":
    unittest.main()
