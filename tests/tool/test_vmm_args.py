# SPDX-License-Identifier: BSD-2-Clause
"""crossvm vmm-args: what it finds, and that what it prints is taken as it was meant."""

import json
import os
import random
import re
import socket
import subprocess
import unittest
import xml.etree.ElementTree

from command import CommandTest

QEMU_NAMESPACE = "{http://libvirt.org/schemas/domain/qemu/1.0}"


def shell_words(line):
    """The words that a shell makes of a line."""
    command = b"printf '%s\\0' " + line
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True).stdout.split(b"\0")[:-1]


def qemu_options(text):
    """What QEMU makes of KEY=VALUE,...: two commas are one in a value."""
    words = re.findall(r"((?:[^,]|,,)*)(?:,|\Z)", text)
    return dict(word.replace(",,", ",").partition("=")[::2] for word in words if word)


def hypervisor_options(text):
    """What cloud-hypervisor makes of KEY=VALUE,...: double quotes keep what is between them, and two are one."""
    options, key, value, quoted, before = {}, None, "", False, ""
    for c in text + ",":
        if c == "," and not quoted:
            key, _, value = value.partition("=")
            options[key] = value
            value = ""
        elif c == '"':
            if before == '"' and not quoted:
                value += '"'
            quoted = not quoted
        elif c in "[]" and not quoted:
            raise AssertionError(f"a list in {text}")
        else:
            value += c
        before = c
    if quoted:
        raise AssertionError(f"quotes do not end in {text}")
    return options


class Text(CommandTest):
    """What is printed, for each VMM and each door."""

    def check_vfio_user(self, name, path, device_id):
        device = {"driver": "vfio-user-pci", "id": device_id, "socket": {"type": "unix", "path": str(path)}}
        option, value = shell_words(self.output("vmm-args", name))
        self.assertEqual((option, json.loads(value)), (b"-device", device))
        option, value = shell_words(self.output("vmm-args", name, "--vmm=cloud-hypervisor"))
        self.assertEqual((option, hypervisor_options(value.decode())), (b"--user-device", {"socket": str(path)}))
        root = xml.etree.ElementTree.fromstring(self.output("vmm-args", name, "--vmm=libvirt"))
        self.assertEqual(root.tag, QEMU_NAMESPACE + "commandline")
        option, value = (argument.get("value") for argument in root.findall(QEMU_NAMESPACE + "arg"))
        self.assertEqual((option, json.loads(value)), ("-device", device))

    def check_ivshmem(self, name, path, device_id):
        words = [word.decode() for word in shell_words(self.output("vmm-args", name))]
        self.assertEqual((words[0], words[2]), ("-chardev", "-device"))
        self.assertEqual(qemu_options(words[1]), {"socket": "", "id": device_id, "path": str(path)})
        self.assertEqual(
            qemu_options(words[3]), {"ivshmem-doorbell": "", "id": device_id, "vectors": "1", "chardev": device_id}
        )
        root = xml.etree.ElementTree.fromstring(self.output("vmm-args", name, "--vmm=libvirt"))
        self.assertEqual((root.tag, root.get("name")), ("shmem", "sensor"))
        self.assertEqual(root.find("model").get("type"), "ivshmem-doorbell")
        self.assertEqual(root.find("server").get("path"), str(path))
        self.assertEqual(root.find("msi").attrib, {"vectors": "1", "ioeventfd": "on"})
        self.assertIn(
            "cloud-hypervisor has that device without events", self.error("vmm-args", name, "--vmm=cloud-hypervisor")
        )

    def test_vfio_user(self):
        self.check_vfio_user("sensor", self.serve("sensor.0.vfio-user"), "crossvm-sensor.0")

    def test_vfio_user_of_a_vm(self):
        self.check_vfio_user("sensor", self.serve("sensor@alpha.vfio-user"), "crossvm-sensor")

    def test_ivshmem(self):
        self.check_ivshmem("sensor", self.serve("sensor@alpha.ivshmem"), "crossvm-sensor")

    def check_directory(self, name):
        """A directory with any name is passed on as it is."""
        directory = self.directory / name
        directory.mkdir()
        os.environ["CROSSVM_DIR"] = str(directory)
        vfio_user = self.serve("sensor.0.vfio-user", directory)
        self.check_vfio_user("sensor", vfio_user, "crossvm-sensor.0")
        vfio_user.unlink()
        self.check_ivshmem("sensor", self.serve("sensor@alpha.ivshmem", directory), "crossvm-sensor")

    def test_each_character(self):
        for c in [chr(i) for i in range(0x20, 0x7F)] + ["\t", "\n", "\r", "\x7f", "\u00e9", "\u20ac", "\U0001f600"]:
            if c not in "/.":
                with self.subTest(character=c):
                    self.check_directory(c)
                    self.check_directory(f"a{c}{c}b{c}")

    def test_many_characters(self):
        choice = random.Random(1)
        for i in range(100):
            name = "".join(choice.choices(" \t\n'\"\\,=$`!&<>[]{}*?~#;|()%-a\u00e9", k=12)) + str(i)
            with self.subTest(name=name):
                self.check_directory(name)

    def test_what_cannot_be_written(self):
        for c, vmms in (("\x01", ["libvirt"]), ("\ufffe", ["libvirt"]), ("\udcff", ["libvirt", "qemu"])):
            directory = self.directory / c
            directory.mkdir()
            self.serve("sensor.0.vfio-user", directory)
            for vmm in vmms:
                sentence = self.error("vmm-args", "sensor", f"--vmm={vmm}", f"--socket-dir={directory}")
                self.assertRegex(sentence, "characters that XML cannot have|is not UTF-8")
                self.assertIn("choose another --socket-dir", sentence)


class Search(CommandTest):
    def path_of(self, *arguments, **options):
        return json.loads(shell_words(self.output("vmm-args", *arguments, **options))[1])["socket"]["path"]

    def test_choice_of_a_vm(self):
        alpha, beta = (self.serve(f"sensor@{vm}.vfio-user") for vm in ("alpha", "beta"))
        self.serve("sensors@alpha.vfio-user")
        self.serve("sensor.sock")
        self.assertEqual(self.path_of("sensor", "--vm=beta"), str(beta))
        self.assertEqual(
            self.error("vmm-args", "sensor"),
            f'connection "sensor" has 2 ends for VMMs; choose one: --vm=alpha ({alpha}) or --vm=beta ({beta})',
        )
        self.assertIn('no hub waits for VM "gamma"', self.error("vmm-args", "sensor", "--vm=gamma"))
        self.assertEqual(self.path_of(str(alpha)), str(alpha))

    def test_choice_of_an_end(self):
        ends = [self.serve(f"sensor.{end}.vfio-user") for end in (0, 1)]
        self.assertEqual(self.path_of("sensor.1"), str(ends[1]))
        self.assertEqual(
            self.error("vmm-args", "sensor"),
            f'connection "sensor" has 2 ends for VMMs; choose one: sensor.0 ({ends[0]}) or sensor.1 ({ends[1]})',
        )

    def test_two_directories(self):
        other = self.directory / "crossvm"
        other.mkdir()
        path = self.serve("sensor@alpha.vfio-user", other)
        environment = {"XDG_RUNTIME_DIR": str(self.directory)}
        self.assertEqual(self.path_of("sensor", environment=environment), str(path))

    def test_relative_directories(self):
        path = self.serve("sensor@alpha.vfio-user")
        self.assertEqual(self.path_of("sensor", f"--socket-dir={os.path.relpath(self.directory)}"), str(path))

    def test_the_dead(self):
        dead = self.leave("sensor@alpha.vfio-user")
        self.assertRegex(self.error("vmm-args", "sensor"), rf"no hub serves {dead} any more; start it again")
        self.assertRegex(self.error("vmm-args", str(dead)), rf"no hub serves {dead}; start it")
        live = self.serve("sensor@beta.vfio-user")
        self.assertEqual(self.path_of("sensor"), str(live))

    def test_nothing_is_disturbed(self):
        """Looking is not connecting: a door would take that for its VMM."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.directory / "sensor.0.vfio-user"))
            listener.listen()
            listener.setblocking(False)
            self.path_of("sensor")
            with self.assertRaises(BlockingIOError):
                listener.accept()

    def test_none(self):
        sentence = self.error("vmm-args", "sensor")
        self.assertIn(f"no hub waits for a VMM in {self.directory}; start one", sentence)
        self.assertIn("a name has 1 to 63 of the characters", self.error("vmm-args", "sen sor"))
        self.assertIn("No such file or directory", self.error("vmm-args", "/nowhere/sensor.0.vfio-user"))
        plain = self.serve("plain")
        self.assertIn("is not named as sockets for VMMs are", self.error("vmm-args", str(plain)))
        self.serve("sensor@alpha.crossvm-vm")
        self.assertIn("takes its end without arguments", self.error("vmm-args", "sensor"))

    def test_names_that_are_alike(self):
        path = self.serve("sensor.0.0.vfio-user")  # end 0 of the connection sensor.0
        self.serve("sensor.vfio-user")
        self.serve("sensor@.vfio-user")
        self.serve("sensor.2.vfio-user")
        self.serve(f"{'x' * 64}@a.vfio-user")
        (self.directory / f"{'x' * 200}@a.vfio-user").touch()  # longer than an address, and than two names
        self.assertEqual(self.path_of("sensor.0"), str(path))
        self.assertIn("no hub waits", self.error("vmm-args", "sensor"))

    def test_long_paths(self):
        directory = self.directory / ("d" * 60)
        directory.mkdir()
        before = os.getcwd()
        os.chdir(directory)
        try:
            path = self.serve("s" * 40 + ".0.vfio-user", type(directory)("."))
        finally:
            os.chdir(before)
        self.assertIn("is too long for the path of a socket", self.error("vmm-args", str(directory / path)))


class Usage(CommandTest):
    def test_usage(self):
        for arguments, reason in (
            ((), "the NAME of a connection is missing"),
            (("a", "b"), "one NAME is enough"),
            (("a", "--vmm=bhyve"), 'none of qemu, cloud-hypervisor and libvirt'),
        ):
            done = self.tool("vmm-args", *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(reason, done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
