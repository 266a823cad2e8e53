# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a guest's connection over vfio-user when it is plugged in late, its hub ends, or its VM is saved."""

import subprocess
import unittest

import crossvm
from machines import ARCH, PATIENCE, TOOL, Qmp, QemuTest
from test_vfio_user import Tool


class PlugLarge(QemuTest):
    """A large dataport that is plugged in. Its BAR needs room behind the root port, which Linux makes on arm64 only."""

    def attach(self, port, *arguments):
        link = self.pair("link", "512M")
        control = self.directory / "qmp"
        options = ["-device", f"pcie-root-port,id=bay{port}", "-qmp", f"unix:{control},server=on,wait=off"]
        if ARCH == "amd64":
            # What looks like AMD's, with 40 bits of addresses, has its window where AMD's chips have something else.
            options += ["-cpu", "Nehalem"]
        vm = self.guest(options=options)
        vm.load_driver()
        subprocess.run([TOOL, "attach", "--qmp", control, "-t", str(PATIENCE), *arguments, "link.0"], check=True)
        return link, vm

    def test_with_room(self):
        link, vm = self.attach(",pref64-reserve=1G")
        end = self.open("link.1")
        self.await_peer(end, crossvm.PeerState.PRESENT)
        vm.run("crossvm write link -o 536870904 'the end.'")
        self.assertEqual(bytes(end.dataports[0].memory[-8:]), b"the end.")

    def test_without(self):
        link, vm = self.attach("", "--no-wait")
        if ARCH == "arm64":
            self.await_peer(self.open("link.1"), crossvm.PeerState.PRESENT)
        else:
            vm.run("until dmesg | grep -q 'dataport 0: BAR 1 has no address for 536870912 bytes'; do :; done")


class HubEnds(QemuTest):
    """A hub that ends under a guest that works, and comes again. QEMU does not connect anew by itself."""

    def setUp(self):
        super().setUp()
        self.link = self.pair("link", "64K")
        self.control = self.directory / "qmp"
        self.control.unlink(missing_ok=True)
        bay = ["-device", "pcie-root-port,id=bay", "-qmp", f"unix:{self.control},server=on,wait=off"]
        self.vm = self.guest(options=bay, command_line="iomem=relaxed")
        self.vm.load_driver()

    def monitor(self, command):
        """crossvm attach or detach"""
        subprocess.run([TOOL, command, "--qmp", self.control, "-t", str(PATIENCE), "link.0"], check=True)

    def stop_pair(self, pair):
        if pair.process.poll() is None:
            super().stop_pair(pair)
        elif not pair.messages.closed:
            pair.stop()

    def check_gone(self, peer):
        """The guest works on, and finds no device where it was. What was mapped stays as it was."""
        self.assertIsNone(self.vm.process.poll())
        bar = int(self.vm.run("sed -n 1p /sys/bus/pci/devices/*/uio/uio0/../../resource | cut -d ' ' -f 1"), 16)
        self.assertEqual(self.vm.run(f"devmem {bar + 0x38:#x} 32"), "0xFFFFFFFF\n")
        self.vm.run(f"devmem {bar + 4:#x} 32 1")
        self.assertEqual(self.vm.run(f"devmem {bar + 0x3048:#x} 32"), f"0x{peer:08X}\n")
        # The first four bytes of dataport 0, where the VMM has mapped it
        dataport = int(self.vm.run("sed -n 2p /sys/bus/pci/devices/*/uio/uio0/../../resource | cut -d ' ' -f 1"), 16)
        self.assertEqual(self.vm.run(f"devmem {dataport + 65532:#x} 32"), "0x7470656B\n")
        self.assertRegex(self.vm.run("crossvm info link"), r"peer +unknown\nevents +0\n")
        self.assertIn("is gone, since the hub on the host has ended", self.vm.run("crossvm emit link 2>&1", status=2))

    def check_again(self):
        """A hub that comes again at the same place can be plugged in, once the dead device is taken out."""
        self.monitor("detach")
        self.link = self.pair("link", "64K")
        self.attach()
        end = self.open("link.1")
        end.emit()
        self.assertEqual(self.vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")
        self.assertEqual(self.vm.run("crossvm read link -o 65532 | od -An -tx1").split(), ["00"] * 4)

    def attach(self):
        self.monitor("attach")
        self.vm.run("until crossvm info link >/dev/null 2>&1; do :; done")  # attach ends when the driver begins

    def start(self):
        self.attach()
        self.vm.run("crossvm write link -o 65532 kept")

    def test_end(self):
        """The guest is told, and QEMU goes on, however busy it is with the device."""
        self.start()
        # Ended by a file: a killed loop would leave running what it has begun.
        self.vm.run("while [ ! -e /tmp/end ]; do cat /sys/bus/pci/drivers/crossvm/*/crossvm/*[a-z]; done >/dev/null &")
        with Tool("echo", "link.1"):
            self.vm.run("crossvm ping -q -f -c 1000 link && crossvm write link -o 65532 kept")
            self.assertEqual(self.link.stop()[0], 0)
        self.vm.run("touch /tmp/end; wait $!")
        self.check_gone(peer=1)
        self.check_again()

    def test_death(self):
        """Of a hub that is killed the guest is not told, and works on."""
        self.start()
        self.open("link.1")
        self.vm.run("until crossvm info link | grep -q 'peer *ready'; do :; done")  # all that it asked for is answered
        self.link.process.kill()
        self.link.process.wait()
        self.check_gone(peer=3)
        self.check_again()


class Snapshot(QemuTest):
    """QEMU saves and loads a VM with a device of ours, which it should not. What a guest has then."""

    def make_disk(self, qmp):
        """A QEMU keeps snapshots in a disk."""
        path = str(self.directory / "disk")
        qmp.execute("blockdev-create", **{"job-id": "file", "options": {"driver": "file", "filename": path, "size": 0}})
        qmp.await_event("JOB_STATUS_CHANGE", id="file", status="concluded")
        qmp.execute("blockdev-add", **{"driver": "file", "filename": path, "node-name": "file"})
        disk = {"driver": "qcow2", "file": "file", "size": 1 << 30}
        qmp.execute("blockdev-create", **{"job-id": "disk", "options": disk})
        qmp.await_event("JOB_STATUS_CHANGE", id="disk", status="concluded")
        qmp.execute("blockdev-add", **{"driver": "qcow2", "file": "file", "node-name": "disk"})

    def test_snapshot(self):
        link = self.pair("link", "64K")
        end = self.open("link.1")
        control = self.directory / "qmp"
        vm = self.guest(link, options=["-qmp", f"unix:{control},server=on,wait=off"], command_line="iomem=relaxed")
        vm.load_driver()
        self.await_peer(end, crossvm.PeerState.PRESENT)
        bar = int(vm.run("sed -n 1p /sys/bus/pci/devices/*/uio/uio0/../../resource | cut -d ' ' -f 1"), 16)
        qmp = Qmp(control)
        self.addCleanup(qmp.close)
        self.make_disk(qmp)
        self.assertEqual(qmp.monitor("savevm here"), "")
        self.assertEqual(vm.run(f"devmem {bar + 0x38:#x} 32"), "0x4D565843\n")
        # Loading resets the device, and its configuration space is not loaded: no BAR answers.
        self.assertEqual(qmp.monitor("loadvm here"), "")
        self.await_peer(end, crossvm.PeerState.ABSENT)
        self.assertNotEqual(vm.run(f"devmem {bar + 0x38:#x} 32"), "0x4D565843\n")
        end.emit()
        vm.run("rmmod crossvm")
        vm.run("for d in /sys/bus/pci/devices/*; do ! grep -q a111 $d/device || echo 1 >$d/remove; done")
        vm.run("echo 1 >/sys/bus/pci/rescan")
        vm.load_driver()
        self.await_peer(end, crossvm.PeerState.PRESENT)
        self.assertEqual(vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")
        vm.run("crossvm emit link")
        self.assertEqual(end.wait(timeout=PATIENCE), 1)
        # A QEMU that is to take over needs the connection while the first one has it, and is turned away.
        with self.assertRaisesRegex(AssertionError, "(?s)QEMU ended.*vfio-user: "):
            self.guest(link, options=["-incoming", "defer"])
        self.assertIn("a second VMM came to", link.said())


if __name__ == "__main__":
    unittest.main()
