# SPDX-License-Identifier: BSD-2-Clause
"""Connections of guests in a stock QEMU, which has them over vfio-user."""

import hashlib
import os
import random
import re
import signal
import struct
import subprocess
import threading
import time
import unittest

import crossvm
from lines import Lines
from machines import ARCH, PATIENCE, TOOL, Qmp, QemuTest, await_state
from rounds import DRIVER_LOADS, EVENT_ROUNDS, PEER_KILLS, RACING_ROUNDS, REBOOTS, SENDER_KILLS, STOPS, VMM_KILLS, rounds


class Watcher(Lines):
    """A command that looks on, until the block's end."""

    def __init__(self, *arguments):
        super().__init__(subprocess.Popen([TOOL, *arguments, "--json", "--interval=0.1"], stdout=subprocess.PIPE))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.kill()
        self.thread.join()
        self.program.stdout.close()
        self.program.wait()


class Tool:
    """A crossvm command on the host, until the block's end."""

    def __init__(self, *arguments, **options):
        self.process = subprocess.Popen([TOOL, *arguments], **options)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


DEATHS = {
    "reboot": "reboot -f",
    "panic": "echo c >/proc/sysrq-trigger",
    "reset": "echo b >/proc/sysrq-trigger",
    "power off": "poweroff -f",
}


def ping(end, talked):
    with end.datagram() as channel:
        while True:
            channel.send(b"x" * 100, timeout=PATIENCE)
            channel.recv(timeout=PATIENCE)
            talked()


def send(end, talked):
    with end.stream() as stream:
        while True:
            stream.send(b"x" * 4096, timeout=PATIENCE)
            talked()


def receive(end, talked):
    with end.stream() as stream:
        while stream.recv(timeout=PATIENCE):
            talked()


# What the guest runs, and what the program of the host does with it.
TRAFFIC = {
    "both ways": ("echo", ping),
    "to the guest": ("cat --recv-only", send),
    "from the guest": ("cat --send-only </dev/zero", receive),
}


class Talker:
    """Talks with a program of the guest in a thread, until that is gone."""

    def __init__(self, end, talk):
        self.times = 0
        self.news = threading.Condition()
        self.fault = None
        self.thread = threading.Thread(target=self.run, args=(end, talk))
        self.thread.start()

    def run(self, end, talk):
        try:
            talk(end, self.talked)
            self.fault = "the stream has an end"
        except crossvm.PeerGone:
            pass
        except Exception as error:
            self.fault = repr(error)

    def talked(self):
        with self.news:
            self.times += 1
            self.news.notify()

    def await_talk(self, times):
        with self.news:
            if not self.news.wait_for(lambda: self.times >= times, PATIENCE):
                raise AssertionError(f"they have talked {self.times} times only: {self.fault}")

    def join(self):
        """Waits until it has heard that the peer is gone."""
        self.thread.join()
        if self.fault:
            raise AssertionError(self.fault)


class Driver(QemuTest):
    """A guest with our driver, and programs beside it."""

    dataports = ("64K", "8K:1", "12K:0", "1M")

    def setUp(self):
        super().setUp()
        self.link = self.pair("link", *self.dataports)
        self.end = self.open("link.1")
        for _ in range(3):
            self.end.emit()
        self.vm = self.guest(self.link, command_line="iomem=relaxed")

    def test_all(self):
        """One guest for all: a boot takes longer than most of what follows."""
        for case in (
            self.early_events_are_counted,
            self.it_is_listed,
            self.events_both_ways,
            self.dataports_and_rights,
            self.a_driver_that_comes_and_goes,
            self.programs_come_and_go,
            self.senders_are_killed,
            self.programs_of_the_host_are_killed,
            self.stops,
            self.set_clocks,
            self.races,
            self.pings,
            self.streams,
            self.reboots,
        ):
            with self.subTest(case=case.__name__):
                case()

    def early_events_are_counted(self):
        self.vm.load_driver()
        self.assertEqual(self.vm.run(f"crossvm wait -n 3 -t {PATIENCE} link"), "3\n")
        self.assertEqual(self.vm.run("crossvm wait -t 0 link", status=1), "0\n")

    def it_is_listed(self):
        self.assertEqual(self.vm.run("nproc"), f"{self.vm.cpus}\n")
        info = self.vm.run("crossvm info link")
        self.assertRegex(info, r"via +driver\n")
        self.assertRegex(info, r"device +version 1\.2\n")
        self.assertRegex(info, r"peer +ready, generation 1\n")
        self.assertRegex(info, r"interrupt +MSI\n")

    def events_both_ways(self):
        before = self.vm.run("crossvm wait -t 0 link", status=1)
        self.assertEqual(before, "0\n")
        for i in rounds("events", EVENT_ROUNDS):
            events = i % 20 + 1
            self.vm.start(f"crossvm wait -n {events} -t {PATIENCE} link && crossvm emit link")
            for _ in range(events):
                self.end.emit()
            self.assertEqual(self.vm.result(), (0, f"{events}\n"))
            self.await_events(1)
        self.vm.run("crossvm emit -n 1000 link")
        self.await_events(1000)

    def await_events(self, events):
        heard = 0
        while heard < events:
            heard += self.end.wait(timeout=PATIENCE)
        self.assertEqual(heard, events)

    def dataports_and_rights(self):
        both, programs, guests, large = (dataport.memory for dataport in self.end.dataports)
        rights = self.vm.run("cat /sys/class/uio/uio0/device/crossvm/dataport[0-3]_rights").split()
        self.assertEqual([int(word, 0) for word in rights], [3, 1, 3, 3])  # 1: read, 2: write
        both[0:5] = b"hello"
        self.assertEqual(self.vm.run("crossvm read link -l 5"), "hello")
        self.vm.run("crossvm write link -o 1048571 -d 3 quick")
        self.assertEqual(bytes(large[1048571:]), b"quick")
        self.vm.run("crossvm write link -d 2 -o 12280 'the end.'")
        self.assertEqual(bytes(guests[12280:]), b"the end.")
        self.assertFalse(self.end.dataports[2].writable)
        # The guest may only read this one: QEMU has it from the hub, access by access.
        programs[0:8] = b"8 bytes."
        self.assertEqual(self.vm.run("crossvm read link -d 1 -l 8"), "8 bytes.")
        self.vm.run("crossvm write link -d 1 x", status=2)
        # Nor can root write there, past the driver; QEMU and the guest live on.
        bar = self.vm.run("sed -n 3p /sys/bus/pci/devices/*/uio/uio0/../../resource | cut -d ' ' -f 1").strip()
        self.vm.run(f"devmem {bar} 32 0xffffffff")
        self.assertEqual(bytes(programs[0:8]), b"8 bytes.")
        self.assertEqual(self.vm.run(f"devmem {bar} 32").strip(), "0x79622038")

    def a_driver_that_comes_and_goes(self):
        for _ in rounds("loads of the driver", DRIVER_LOADS):
            self.await_peer(self.end, crossvm.PeerState.PRESENT)
            self.vm.run("rmmod crossvm")
            self.await_peer(self.end, crossvm.PeerState.ABSENT)
            self.end.emit()
            self.vm.load_driver()
            self.assertEqual(self.vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")

    def programs_come_and_go(self):
        self.await_peer(self.end, crossvm.PeerState.PRESENT)
        for _ in rounds("kills of programs in the guest", PEER_KILLS):
            self.vm.run("crossvm wait -n 1000 link &")
            generation = self.await_peer(self.end, crossvm.PeerState.READY)
            self.vm.run("kill -9 $!; wait $!; true")
            self.assertEqual(self.await_peer(self.end, crossvm.PeerState.PRESENT), generation)

    def senders_are_killed(self):
        """All that a sender of the guest had in its ring is received, and then its end is."""
        line = b"0123456789abcde\n"
        self.vm.run(f"yes {line.decode().strip()} | head -c 2097152 >/tmp/lines_to_send")
        for i in rounds("kills of senders in the guest", SENDER_KILLS):
            with self.end.stream() as stream:
                self.vm.run("crossvm cat --send-only link </tmp/lines_to_send &")
                stream.connect()
                received = b""
                if i % 2 == 0:
                    for _ in range(random.randrange(20)):
                        received += stream.recv()
                else:
                    self.vm.run("until grep -q '^State:.*S' /proc/$!/status; do :; done")  # its ring is full
                self.vm.run("kill -9 $!; wait $!; true")
                try:
                    while data := stream.recv():
                        received += data
                except crossvm.PeerGone:
                    pass
                self.assertEqual(received, (line * (len(received) // 16 + 1))[: len(received)])
                if i % 2:
                    self.assertGreater(len(received), 16384)  # half of the ring
        self.vm.run("rm /tmp/lines_to_send")

    def programs_of_the_host_are_killed(self):
        """At any point of a conversation. The program in the guest goes on with the next one."""
        self.end.close()
        self.vm.run("crossvm echo link >/dev/null 2>&1 &")
        for _ in rounds("kills of programs of the host", PEER_KILLS):
            with Tool("ping", "-i", "0", "link.1", stdout=subprocess.PIPE) as ping:
                for _ in range(random.randrange(30)):
                    self.assertIn(b"bytes", ping.stdout.readline())
        self.assertIn("100 sent, 100 answered, 0% lost", self.ping("-c", "100", "-W", str(PATIENCE)))
        self.vm.run("kill $!; wait $!")
        self.end = self.open("link.1")

    def stops(self):
        """The VMM stands still until a program of the host sleeps, since no answer comes. None is lost."""
        self.end.close()
        self.vm.run("crossvm echo link >/dev/null 2>&1 &")
        count = str(STOPS * 30)
        with Tool("ping", "-i", "0", "-c", count, "-W", str(PATIENCE), "link.1", stdout=subprocess.PIPE) as ping:
            for _ in rounds("stops of the VMM", STOPS):
                for _ in range(random.randrange(1, 29)):
                    self.assertIn(b"bytes", ping.stdout.readline())
                self.vm.process.send_signal(signal.SIGSTOP)
                await_state(self.vm.process.pid, "T")
                await_state(ping.pid, "S")
                self.vm.process.send_signal(signal.SIGCONT)
            self.assertIn(f"{count} sent, {count} answered, 0% lost", ping.stdout.read().decode())
        self.vm.run("kill $!; wait $!")
        self.end = self.open("link.1")

    def set_clocks(self):
        """Whoever sets the guest's time wakes nobody and keeps nobody asleep."""
        jumps = "date -s @1000000000 && date -s @4000000000"
        self.vm.run("crossvm wait -t 0 link; true")
        self.vm.start(
            f"crossvm wait -t {PATIENCE} link & until grep -q '^State:.*S' /proc/$!/status; do :; done; "
            f"{{ {jumps}; }} >/dev/null; echo they are set; wait $!"
        )
        self.vm.read_until(rb"they are set\r?\n")
        self.end.emit()
        self.assertEqual(self.vm.result(), (0, "1\n"))
        self.end.close()
        with Tool("echo", "link.1"):
            summary = self.vm.run(
                f"crossvm ping -q -f -W {PATIENCE} -c 500 link & "
                f"while kill -0 $! 2>/dev/null; do {jumps}; done >/dev/null; wait $!"
            )
        self.assertIn("500 sent, 500 answered, 0% lost", summary)
        self.end = self.open("link.1")

    def ping(self, *options):
        command = [TOOL, "ping", "-q", "-f", *options, "link.1"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10 * PATIENCE).stdout

    def races(self):
        """Both ends sleep before each message, and each is woken at the moment when it falls asleep."""
        count = str(RACING_ROUNDS)
        self.end.close()
        self.vm.run("crossvm echo link >/dev/null 2>&1 &")
        summary = self.ping("--spin", "0", "-W", str(PATIENCE), "-c", count)
        self.assertIn(f"{count} sent, {count} answered, 0% lost", summary)
        self.vm.run("kill $!; wait $!")
        with Tool("echo", "link.1"):
            summary = self.vm.run(f"crossvm ping -q -f --spin 0 -W {PATIENCE} -c {count} link")
        self.assertIn(f"{count} sent, {count} answered, 0% lost", summary)
        self.end = self.open("link.1")

    def pings(self):
        self.end.close()
        with Tool("echo", "link.1"):
            summary = self.vm.run(f"crossvm ping -q -f -W {PATIENCE} -c 10000 link")
        self.assertIn("10000 sent, 10000 answered, 0% lost", summary)
        self.vm.run("crossvm echo link >/dev/null 2>&1 &")
        self.assertIn("10000 sent, 10000 answered, 0% lost", self.ping("-W", str(PATIENCE), "-c", "10000"))
        self.vm.run("kill $!; wait $!")  # a signal ends what sleeps for an event, and in good order

    def streams(self):
        data = os.urandom(5 << 20)
        digest = hashlib.sha256(data).hexdigest()
        with Tool("cat", "--send-only", "link.1", stdin=subprocess.PIPE) as sender:
            self.vm.start("crossvm cat --recv-only link | tee /tmp/data | sha256sum")
            sender.communicate(data, timeout=PATIENCE)
            self.assertEqual(self.vm.result(), (0, f"{digest}  -\n"))
        with Tool("cat", "--recv-only", "link.1", stdout=subprocess.PIPE) as receiver:
            self.vm.start("crossvm cat --send-only link </tmp/data")
            self.assertEqual(hashlib.sha256(receiver.communicate(timeout=PATIENCE)[0]).hexdigest(), digest)
            self.assertEqual(self.vm.result()[0], 0)
        self.vm.run("rm /tmp/data")
        self.end = self.open("link.1")

    def reboots(self):
        """The guest says that it goes, or its kernel dies; nobody uses the connection then, or both ends do."""
        ways = [(death, traffic) for death in DEATHS for traffic in (None, *TRAFFIC)]
        random.shuffle(ways)
        for i in rounds("reboots of the guest", REBOOTS):
            self.reboot(*ways[i % len(ways)])

    def reboot(self, death, traffic):
        self.await_peer(self.end, crossvm.PeerState.PRESENT)
        memory = self.end.dataports[-1].memory
        memory[0:4] = b"kept"
        if traffic:
            command, talk = TRAFFIC[traffic]
            self.vm.run(f"crossvm {command.replace(' ', ' link ', 1) if ' ' in command else command + ' link'} >/dev/null 2>&1 &")
            talker = Talker(self.end, talk)
            talker.await_talk(random.randrange(1, 100))
            self.die(death)
            talker.join()
        else:
            generation = self.end.peer_generation
            self.die(death)
            while self.await_peer(self.end, crossvm.PeerState.PRESENT) == generation:
                self.end.wait(timeout=PATIENCE)  # over ivshmem nobody says that a kernel died
            self.assertEqual(self.end.peer_generation, generation + 1)
        self.assertEqual(self.vm.run(f"crossvm read link -d {len(self.end.dataports) - 1} -l 4"), "kept")
        self.vm.run("crossvm wait -t 0 link; true")  # what the last wake-ups were
        self.end.emit()
        self.assertEqual(self.vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")

    def die(self, death):
        """Ends the guest's kernel, and loads the driver in the next one."""
        self.vm.shell.sendall(DEATHS[death].encode() + b"\n")
        if death == "power off":
            self.assertEqual(self.vm.end(), 0)
            self.vm = self.guest(self.link, command_line="iomem=relaxed")
        else:
            self.vm.await_boot()
        self.vm.load_driver()


class Interrupts(QemuTest):
    """Where there is no MSI, and where another driver than ours has the device."""

    def check(self, vm):
        with Tool("echo", "link.1"):
            self.assertIn("1000 sent, 1000 answered, 0% lost", vm.run(f"crossvm ping -q -f -W {PATIENCE} -c 1000 link"))
        vm.run("crossvm wait -t 0 link; true")  # what the echo's last wake-ups were
        end = self.open("link.1")
        for i in range(10):
            vm.start(f"crossvm wait -n {i + 1} -t {PATIENCE} link")
            for _ in range(i + 1):
                end.emit()
            self.assertEqual(vm.result(), (0, f"{i + 1}\n"))
        end.close()

    def test_intx(self):
        link = self.pair("link", "64K")
        vm = self.guest(link, command_line="pci=nomsi")
        vm.load_driver()
        self.assertRegex(vm.run("crossvm info link"), r"interrupt +INTx\n")
        self.check(vm)

    def test_uio_pci_generic(self):
        link = self.pair("link", "64K", "8K", "1M")
        vm = self.guest(link)
        vm.run("echo 1af4 a111 >/sys/bus/pci/drivers/uio_pci_generic/new_id")
        self.assertRegex(vm.run("crossvm info link"), r"via +uio_pci_generic\n")
        self.check(vm)
        # The library finds dataports by their BARs, of which some have two numbers.
        end = self.open("link.1")
        for i, dataport in enumerate(end.dataports):
            vm.run(f"crossvm write link -d {i} -o {len(dataport) - 8} 'the end{i}'")
            self.assertEqual(bytes(dataport.memory[-8:]), b"the end%d" % i)


class Many(QemuTest):
    def test_32_connections(self):
        pairs = [self.pair(f"link{i}", "64K") for i in range(32)]
        vm = self.guest(*pairs)
        vm.load_driver()
        names = {line.split()[0] for line in vm.run("crossvm ls").splitlines()[1:]}
        self.assertEqual(names, {pair.name for pair in pairs})
        ends = [self.open(f"{pair.name}.1") for pair in pairs]
        for i, end in enumerate(ends):
            end.dataports[0].memory[0:4] = b"%04d" % i
            end.emit()
        for i, end in enumerate(ends):
            self.assertEqual(vm.run(f"crossvm wait -t {PATIENCE} link{i} && crossvm read link{i} -l 4"), "1\n%04d" % i)
            vm.run(f"crossvm emit link{i}")
            self.assertEqual(end.wait(timeout=PATIENCE), 1)


class Large(QemuTest):
    """Dataports of all sizes. The largest fits no arm64 machine's window below 4 GiB: it has a 64-bit BAR above."""

    sizes = (4 << 10, 2 << 20, 512 << 20)

    def test_sizes(self):
        link = self.pair("link", *map(str, self.sizes))
        vm = self.guest(link)
        vm.load_driver()
        end = self.open("link.1")
        for i, size in enumerate(self.sizes):
            with self.subTest(size=size):
                self.check(vm, i, end.dataports[i].memory, size)
        self.check_bars(vm)

    def check_bars(self, vm):
        bars = vm.run("cat /sys/bus/pci/devices/*/uio/uio0/../../resource").splitlines()
        start, end, _ = (int(number, 16) for number in bars[4].split())
        self.assertEqual(end + 1 - start, 512 << 20)
        if ARCH == "arm64":
            self.assertGreaterEqual(start, 1 << 32)

    def check(self, vm, i, memory, size):
        """What one end wrote is what the other end reads."""
        self.assertEqual(len(memory), size)
        expected = bytearray(b"".join(b"%08x" % page * 512 for page in range(size >> 12)))
        memory[:] = expected
        # A guest under emulation is slow: of the large one it reads some in each 32nd, and the end.
        length = min(size, 64 << 10)
        starts = [*range(0, size - length, max(length, size // 32)), size - length]
        digest = hashlib.md5(b"".join(expected[start : start + length] for start in starts)).hexdigest()
        reads = [f"crossvm read link -d {i} -o {start} -l {length}" for start in starts]
        self.assertEqual(vm.run(f"({' && '.join(reads)}) | md5sum"), f"{digest}  -\n")
        places = sorted({0, 1, size // 2 - 4, size // 2 + 1, size - 8, *range(4096 * 1023, size, 64 << 20)})
        places = [place for place in places if place + 8 <= size]
        vm.run(" && ".join(f"crossvm write link -d {i} -o {place} {place:08x}" for place in places))
        for place in places:
            expected[place : place + 8] = b"%08x" % place
        self.assertTrue(memory == expected, "what the guest wrote is not what the program reads")


class Loads(QemuTest):
    """A load of a register is a message to the hub, which a guest needs none of for an event, whoever sleeps."""

    def test_loads(self):
        self.assertEqual(self.count_loads(3000), self.count_loads(500))

    def count_loads(self, events):
        """Of a guest's life with that many events each way."""
        link = self.pair(f"link{events}", "64K")
        vm = self.guest(link)
        vm.load_driver()
        with Tool("echo", f"{link.name}.1"):
            for spin in ("0", "1000"):
                summary = vm.run(f"crossvm ping -q -f -W {PATIENCE} --spin {spin} -c {events} {link.name}")
                self.assertIn(f"{events} sent, {events} answered, 0% lost", summary)
        end = self.open(f"{link.name}.1")
        vm.run(f"crossvm emit -n {events} {link.name}")
        heard = 0
        while heard < events:
            heard += end.wait(timeout=PATIENCE)
        vm.kill()
        self.await_peer(end, crossvm.PeerState.ABSENT)  # so the hub has said what the VMM asked for
        (loads,) = link.loads()
        self.assertLess(loads, events)
        return loads


class Stores(QemuTest):
    """Every store that an instruction makes does to the device what it should, and no more."""

    def test_stores(self):
        link = self.pair("link", "64K")
        end = self.open("link.1")
        vm = self.guest(link)
        found = re.fullmatch(r"(\d+) stores, (\d+) events\n", vm.run("guest-stores"))
        self.assertGreater(int(found[1]), 10000)
        heard = 0
        while heard < int(found[2]):
            heard += end.wait(timeout=PATIENCE)
        self.assertEqual(heard, int(found[2]))
        self.assertEqual(end.wait(timeout=0), 0)


class Plug(QemuTest):
    """A connection that is plugged into a guest that runs, and taken out while a program uses it."""

    times = 5

    def test_plug(self):
        link = self.pair("link", "64K")
        end = self.open("link.1")
        control = self.directory / "qmp"
        vm = self.guest(
            options=["-device", "pcie-root-port,id=bay", "-qmp", f"unix:{control},server=on,wait=off"]
        )
        qmp = Qmp(control)
        self.addCleanup(qmp.close)
        vm.load_driver()
        for _ in range(self.times):
            qmp.plug(self.door, link.sockets[0])
            self.await_peer(end, crossvm.PeerState.PRESENT)
            end.emit()
            self.assertEqual(vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")
            vm.start("crossvm echo link")
            with end.datagram() as channel:
                channel.send(b"are you there?", timeout=PATIENCE)
                self.assertEqual(channel.recv(timeout=PATIENCE), b"are you there?")
            qmp.unplug(self.door)
            status, output = vm.result()
            self.assertEqual(status, 2, output)
            self.assertIn("device of connection \"link\"", output)
            self.await_peer(end, crossvm.PeerState.ABSENT)


class Guests(QemuTest):
    """Two guests, joined: neither has a program of the host in its way."""

    def test_two_guests(self):
        link = self.pair("link", "64K", ends=("vmm", "vmm"))
        vms = [self.guest(link, end=i) for i in (0, 1)]
        for i, vm in enumerate(vms):
            vm.load_driver()
            self.assertRegex(vm.run("crossvm info link"), rf"end +{i}\n")
        vms[1].run("crossvm echo link >/dev/null 2>&1 &")
        self.assertIn("1000 sent, 1000 answered, 0% lost", vms[0].run(f"crossvm ping -q -f -W {PATIENCE} -c 1000 link"))
        vms[1].run("kill -9 $!; wait $!; true")
        for sender, receiver in (vms, reversed(vms)):
            sender.run("head -c 5000000 /dev/urandom >/tmp/data")
            digest = sender.run("sha256sum </tmp/data")
            receiver.start("crossvm cat --recv-only link | sha256sum")
            sender.run("crossvm cat --send-only link </tmp/data")
            self.assertEqual(receiver.result(), (0, digest))
        # One of them is killed; the other is told, and works with the next.
        generation = int(re.search(r"generation (\d+)", vms[0].run("crossvm info link")).group(1))
        vms[1].kill()
        vms[1] = self.guest(link, end=1)
        self.assertRegex(vms[0].run("crossvm info link"), r"peer +absent")
        vms[0].run("crossvm wait -t 0 link; true")  # what the stream's last wake-ups were
        vms[1].load_driver()
        vms[1].run("crossvm emit -n 5 link")
        self.assertEqual(vms[0].run(f"crossvm wait -n 5 -t {PATIENCE} link"), "5\n")
        # The driver, and `emit`
        self.assertRegex(vms[0].run("crossvm info link"), rf"peer +present, generation {generation + 2}\n")


class Restart(QemuTest):
    """VMMs are killed at any point; the program at the other end keeps its end, and others look on."""

    def setUp(self):
        super().setUp()
        self.link = self.pair("link", "64K", "4K")
        self.file = self.directory / "recorded"

    def test_kill(self):
        with Watcher("top") as self.top, Watcher("ls", "--watch") as self.list:
            for i in rounds("kills of the VMM", VMM_KILLS):
                vm = self.guest(self.link)
                random.choice((self.work, self.record, self.replay))(vm, i % 256)
                self.await_observers("absent")
        if self.door == "vfio-user":
            self.assertEqual(len(self.link.loads()), VMM_KILLS)
        # All is well for the last one.
        end = self.open("link.1")
        vm = self.guest(self.link)
        vm.load_driver()
        self.await_peer(end, crossvm.PeerState.PRESENT)
        vm.run("crossvm wait -t 0 link; true")
        end.emit()
        self.assertEqual(vm.run(f"crossvm wait -t {PATIENCE} link"), "1\n")

    def await_observers(self, state):
        """They show the guest's end in that state."""
        self.top.await_one(lambda report: report["connections"][0]["ends"][0]["state"] == state)
        self.list.await_one(lambda ends: ends[-1]["peer"] == state)

    def work(self, vm, mark):
        """The program has memory and events."""
        end = crossvm.End("link.1")
        memory = end.dataports[1].memory
        self.work_until_any_point(vm, end)
        memory[0] = mark
        generation = end.peer_generation
        vm.kill()
        self.await_peer(end, crossvm.PeerState.ABSENT)
        self.assertGreaterEqual(end.peer_generation, generation)
        self.assertEqual(memory[0], mark)
        memory.release()
        end.close()

    def work_until_any_point(self, vm, end):
        """Of the driver's beginning, or of the work after it"""
        steps = random.randrange(-20, 100)
        if steps < 0:
            load = "insmod /lib/modules/crossvm.ko"
            vm.start(f"{load}; while :; do crossvm info link; rmmod crossvm; {load}; done")
            vm.read_until(rb"interrupt" if steps < -10 else rb"name")
            return
        vm.load_driver()
        vm.run("while :; do crossvm emit -n 100 link; done & while :; do crossvm wait link; done >/dev/null &")
        for _ in range(steps):
            end.emit()
            end.wait(timeout=PATIENCE)

    def record(self, vm, _):
        """It records what the guest sends: whole messages."""
        self.file.unlink(missing_ok=True)
        with Tool("record", "link.1", self.file) as program:
            vm.load_driver()
            vm.run("yes 0123456789abcdef | crossvm send link &")
            self.await_observers("ready")
            self.await_size(random.randrange(24, 200000))
            vm.kill()
            self.assertEqual(program.wait(PATIENCE), 0)
        recorded = self.file.read_bytes()
        self.assertEqual(len(recorded) % 32, 24)
        self.assertEqual({recorded[at + 16 : at + 32] for at in range(24, len(recorded), 32)}, {b"0123456789abcdef"})

    def await_size(self, size):
        while not self.file.exists() or self.file.stat().st_size < size:
            time.sleep(0.01)

    def replay(self, vm, _):
        """It sends what was recorded, and says that nobody takes it any more."""
        message = struct.pack("=IIII", 0, 0, 16, 16) + b"0123456789abcdef"
        self.file.write_bytes(struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 147) + message * 1000000)
        with Tool("replay", "--fast", self.file, "link.1", stderr=subprocess.PIPE) as program:
            vm.load_driver()
            vm.start("crossvm recv link")
            self.await_observers("ready")
            for _ in range(random.randrange(1, 1000)):
                vm.read_until(rb"0123456789abcdef\r?\n")
            vm.kill()
            self.assertEqual(program.wait(PATIENCE), 2)
            self.assertIn(b"the other end of the channel", program.stderr.read())


if __name__ == "__main__":
    unittest.main()
