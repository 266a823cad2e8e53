# SPDX-License-Identifier: BSD-2-Clause
"""What figures were measured on, and with."""

import os
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[1]


def output(*command):
    """The first line that a command prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=TOP)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.partition("\n")[0] or None


def number(text):
    """The version number in a line, for example of --version."""
    found = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", text or ""))
    return found.group() if found else None


def suite():
    """The system as budgets name it: debian-12, for example."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
    return f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', '0')}"


def processor():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1) if found else os.uname().machine


def describe():
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "architecture": os.uname().machine,
        "system": suite(),
        "kernel": os.uname().release,
        "load": os.getloadavg()[0],  # of others, too: more than the benchmark's own makes times worthless
    }


def package(name):
    return number(output("dpkg-query", "--show", "--showformat", "${Version}", name))


def text(path):
    return path.read_text().strip() if path.exists() else None


def tools():
    named = {
        "compiler": ("gcc", number(output("cc", "--version"))),
        "cross compiler": ("gcc", number(output("aarch64-linux-gnu-gcc", "--version"))),
        "C library": ("glibc", number(output("getconf", "GNU_LIBC_VERSION"))),
        "callgrind": ("valgrind", number(output("valgrind", "--version"))),
        "icount": ("QEMU", number(output("qemu-system-aarch64", "--version"))),
        "VMM": ("QEMU", number(text(TOP / "build/qemu-arm64/version"))),
        "guest and host kernel": ("Linux", text(TOP / "build/kernel/arm64/version")),
        "boost": ("Boost", package("libboost-dev")),
        "ck": ("Concurrency Kit", package("libck-dev")),
        "ZeroMQ": ("libzmq", package("libzmq3-dev")),
        "iceoryx": ("iceoryx", package("iceoryx")),
        "cnats": ("libnats", package("libnats-dev")),
        "NATS server": ("nats-server", package("nats-server")),
    }
    return {key: f"{name} {version}" for key, (name, version) in named.items() if version}


def version():
    """The project's; a header says it."""
    numbers = re.findall(r"^#define CROSSVM_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$",
                         (TOP / "include/crossvm/version.h").read_text(), re.M)
    return ".".join(numbers)


def commit():
    name = output("git", "rev-parse", "--short", "HEAD")
    return f"{name}, changed" if name and output("git", "status", "--porcelain") else name or "unknown"
