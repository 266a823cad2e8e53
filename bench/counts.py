#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""counts.py BUILD: prints the instructions of a message, and of a hub's event, as callgrind counts them in the programs
of a build tree. They have no kernel in them, and repeat whatever else the machine does.
"""

import pathlib
import re
import shutil
import subprocess
import sys

MESSAGES = 10240
EVENTS = 4000
RIVALS = ("channel", "channel, in place", "channel, strict", "ring by hand", "boost spsc_queue", "ck_ring", "iceoryx")
HOWS = {"single": "message of 64 bytes", "batch": "message of 64 bytes, 32 at a time"}
CONNECTIONS = (1, 32, 240, 1000)
EVENT_NAMES = {"to-guest": "event to the guest", "from-guest": "event from the guest",
               "to-guests": "event to each guest in turn", "from-guests": "event from each guest in turn"}


class CannotCount(Exception):
    pass


def collect(function, command):
    """Instructions below a function, of each process of a command by its number; and what the command said."""
    if not shutil.which("valgrind"):
        raise CannotCount("valgrind is missing: install Debian's package valgrind")
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           f"--toggle-collect={function}", *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise CannotCount(f"{' '.join(map(str, command))} failed: {done.stderr.strip()}")
    found = re.findall(r"^==(\d+)== Collected : (\d+)", done.stderr, re.M)
    if not any(int(count) for _, count in found):
        raise CannotCount(f"{' '.join(map(str, command))} never called {function}(): was it renamed?")
    return {int(process): int(count) for process, count in found}, done.stderr


def message(build, rival, how):
    """Instructions of a message, sent and received, both ends in one process. None if the rival cannot do that."""
    program = pathlib.Path(build, "bench/channel/channel_bench")
    command = [program, "count", rival, how]
    if subprocess.run([*command, "256"], capture_output=True, check=False).returncode:
        return None
    processes, _ = collect("exchange", [*command, MESSAGES])
    return max(processes.values()) / MESSAGES


def event(build, how, connections, function="serve_events"):
    """Instructions of the hub's process for an event, below a function."""
    command = [pathlib.Path(build, "bench/hub/hub_bench"), "count", how, connections, EVENTS]
    processes, said = collect(function, command)
    return processes[int(re.search(r"^hub: (\d+)$", said, re.M).group(1))] / EVENTS


def line(group, name, of, axis, at, value):
    print("figure", group, name, of, axis, at, "instructions", "callgrind", f"{value:.6g}", sep="\t", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: counts.py BUILD")
    build = sys.argv[1]
    try:
        for rival in RIVALS:
            for how, name in HOWS.items():
                value = message(build, rival, how)
                if value is not None:
                    line("both ends in one process", name, rival, "", 0, value)
        for how, name in EVENT_NAMES.items():
            for connections in CONNECTIONS:
                line("hub", name, "hub", "connections", connections, event(build, how, connections))
    except CannotCount as error:
        sys.exit(f"counts.py: {error}")


if __name__ == "__main__":
    main()
