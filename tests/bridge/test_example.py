# SPDX-License-Identifier: BSD-2-Clause
"""The example of docs/howto.md: a guest's sensor and a guest of another machine, by a server of NATS. The commands are those of the
document; only places are the test's, and what the sensor says."""

import os
import pathlib
import re
import unittest

from bridging import NATS_SERVER, TOOL
from hosts import commands_of
from namespace import become_able
from test_hosts import HostsTest

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/howto.md"
READINGS = [f"{21 + i / 10}" for i in range(100)]


class Sensor(HostsTest):
    def commands(self):
        """Each machine's."""
        section = DOCUMENT.read_text().partition("## Send sensor data to another machine\n")[2]
        commands = {machine: command for command, machine in commands_of(re.search(r"```sh\n(.*?)```", section, re.S).group(1))}
        (self.directory / "readings").write_text("".join(f"{reading}\n" for reading in READINGS))
        for theirs, ours in (("nats-server ", f"exec {NATS_SERVER} "), ("hub.example", self.hosts["hub.example"].address),
                             ("/var/lib/nats", self.directory / "streams"), ("crossvm bridge", f"exec {TOOL} bridge"),
                             (" sensor", " sensor.{end}"), (" readings", " readings.{end}"),
                             ("crossvm recv", f"exec {TOOL} recv"), ("| crossvm send", f"| {TOOL} send"),
                             ("while sleep 1; do cat /sys/class/thermal/thermal_zone0/temp; done", f"cat {self.directory}/readings")):
            self.assertTrue(any(theirs in command for command in commands.values()), theirs)
            commands = {machine: command.replace(theirs, str(ours)) for machine, command in commands.items()}
        return {machine: command.format(end=0 if "guest" in machine else 1) for machine, command in commands.items()}

    def run_on(self, machine, command, **options):
        return self.start_on(machine, "sh", "-c", command, **options)

    def test_example(self):
        self.hosts = {name: self.network.add(self.directory) for name in ("hub.example", "a", "b")}
        commands = self.commands()
        for host, name in (("a", "sensor"), ("b", "readings")):
            hub = self.start_on(self.hosts[host], TOOL, "pair", name)
            self.assertEqual(hub.line(), f"{name}.0 {name}.1")
        for host in ("hub.example", "a", "b"):
            self.run_on(self.hosts[host], commands[host])
        takes = self.run_on(self.hosts["b"].guest, commands["the guest of b"])
        sends = self.run_on(self.hosts["a"].guest, commands["the guest of a"])
        self.assertEqual([takes.line() for _ in READINGS], READINGS)
        self.finish(sends)


if __name__ == "__main__":
    become_able()
    os.environ.pop("XDG_RUNTIME_DIR", None)
    unittest.main(verbosity=2)
