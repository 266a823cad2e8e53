#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""document.py [--write]: the tables of docs/performance.md, and a sentence of README.md, are made of the figures of the last
release. Names what differs, and fails; with --write, makes them anew instead. A table is found by its first line; all lines
below that come from here.
"""

import re
import sys
from typing import NamedTuple

import figures
import machine
import record

DOCUMENT = machine.TOP / "docs/performance.md"
README = machine.TOP / "README.md"
PICTURES = machine.TOP / "docs/pictures"

ONE, TWO = {"group": "guest and host, one CPU"}, {"group": "guest and host, two CPUs"}
HUB = {"group": "hub", "of": "hub"}
# Medians hide how far repetitions are apart: more than this, and a cell has the least and the most.
SPREAD = 0.06


class Below(NamedTuple):
    """What all rows below have in common, up to the next of these; a title has a line of its own."""

    title: str
    fields: dict


def vmms(*names):
    return [(name.replace("raw-", "raw "), {"of": name}) for name in names]


def sized(name, size, **more):
    return {"name": name, "axis": "bytes", "at": size, **more}


def costs(streams=""):
    """Rows of what is measured between a guest and its host."""
    return [("round trip of 64 bytes", sized("round trip", 64)),
            ("64 bytes to the guest", sized("message to the guest", 64)),
            ("64 bytes from the guest", sized("message from the guest", 64)),
            (f"64 KiB of a stream to the guest{streams}", sized("stream to the guest", 65536)),
            (f"64 KiB of a stream from the guest{streams}", sized("stream from the guest", 65536))]


NEW = ("a new connection with a round trip", sized("new connection, with a round trip", 1))
SOCKETS = [Below("*both on one CPU*", ONE), *costs(), NEW, Below("*on two CPUs, one each*", TWO), *costs(), NEW]


def processes(name, unit):
    return {"group": "two processes", "name": name, "axis": None, "unit": unit}


def rows_of(*rivals):
    return [(title, {"of": of}) for title, of in rivals]


CHANNEL = (("channel", "channel"), ("channel, in place", "channel, in place"))
BY_HAND = ("a bare ring of fixed slots, written by hand", "ring by hand")
KERNELS = tuple((name, name) for name in ("pipe", "Unix stream socket", "Unix packet socket"))
LIBRARIES = (("boost spsc_queue", "boost spsc_queue"), ("ck_ring", "ck_ring"))
ICEORYX = ("iceoryx, Debian's build", "iceoryx")

# Of each table its first cell, columns and rows. The fields of a column, of a row and of what is above it choose the figure of
# a cell; `how` is the end of its name.
TABLES = [
    ("instructions", vmms("crossvm-vm", "ivshmem", "vfio-user", "virtio-vsock", "virtio-net", "virtio-serial"),
     [Below("*both on one CPU, both ends sleep*", ONE), *costs(), Below("*on two CPUs, one each, both ends sleep*", TWO),
      *costs(" (ours look a while)")]),
    ("instructions, on two CPUs, both ends look before they sleep", vmms("crossvm-vm", "ivshmem", "vfio-user", "raw-ivshmem"),
     [Below("", {**TWO, "how": "both look first"}), *costs()[:3]]),
    ("exits of the guest in a round trip of `crossvm ping -f`", vmms("crossvm-vm", "ivshmem", "vfio-user"),
     [("one CPU, both ends sleep", {**ONE, "name": "exits of the guest in a round trip, both sleep"}),
      ("two CPUs, both ends sleep", {**TWO, "name": "exits of the guest in a round trip, both sleep"}),
      ("two CPUs, both look", {**TWO, "name": "exits of the guest in a round trip, both look first"})]),
    ("instructions of sockets",
     [("TCP, ivshmem", {"of": "ivshmem", "how": "TCP by crossvm forward"}),
      ("TCP, vfio-user", {"of": "vfio-user", "how": "TCP by crossvm forward"}),
      ("Unix, ivshmem", {"of": "ivshmem", "how": "Unix sockets by crossvm forward"}), ("virtio-vsock", {"of": "virtio-vsock"}),
      ("TCP, host alone", {"of": "the host alone", "how": "TCP"}),
      ("Unix, host alone", {"of": "the host alone", "how": "Unix socket"})], SOCKETS),
    ("instructions of TCP",
     [("`crossvm net`, ivshmem", {"of": "ivshmem", "how": "TCP by crossvm net"}),
      ("`crossvm net`, vfio-user", {"of": "vfio-user", "how": "TCP by crossvm net"}), ("virtio-net", {"of": "virtio-net"})],
     SOCKETS),
    ("datagrams of 64 bytes by NATS", [("`crossvm bridge`", {"of": "crossvm bridge"}), ("its client alone", {"of": "cnats alone"})],
     [Below("", {"group": "messages of 64 bytes by NATS"}),
      ("to the server, 1/s", {"name": "to the server", "by": "clock"}), ("to a stream, 1/s", {"name": "to a stream"}),
      ("from a stream, 1/s", {"name": "from a stream"}),
      ("to a stream with three replicas, 1/s", {"name": "to a stream with 3 replicas"}),
      ("from a stream with three replicas, 1/s", {"name": "from a stream with 3 replicas"}),
      ("there and back by two bridges, without streams, µs", {"name": "there and back, without streams"}),
      ("there and back by two bridges, by streams, µs", {"name": "there and back, by streams"}),
      ("instructions of a datagram to the server", {"name": "to the server", "by": "callgrind"})]),
    ("times of a new socket, µs", [("`crossvm forward`", {"of": "crossvm forward"}), ("`ssh -L`", {"of": "ssh -L"}),
                                   ("nothing between", {"of": "direct"})],
     [Below("", {"group": "a new TCP connection"}), ("until a byte came back", {"name": "to a byte and back"}),
      ("the same, from the start of the command", {"name": "... from the start of the command"})]),
    ("connections of the hub", [(f"{number:,}", {"at": number}) for number in (1, 32, 240, 1000)],
     [Below("", HUB), ("an event to the guest, instructions", {"name": "event to the guest", "by": "callgrind"}),
      ("an event from the guest, instructions", {"name": "event from the guest", "by": "callgrind"}),
      ("an event to the guest, the other connections idle, µs", {"name": "event to the guest", "by": "clock"}),
      ("an event from the guest, the other connections idle, µs", {"name": "event from the guest", "by": "clock"}),
      ("an event to each guest in turn, µs", {"name": "event to each guest in turn", "by": "clock"}),
      ("an event from each guest in turn, µs", {"name": "event from each guest in turn", "by": "clock"}),
      ("memory of one more connection, without its dataports, KiB", {"name": "memory of one more connection"}),
      ("start of a connection (sockets in a tmpfs), µs", {"name": "start of a connection"})]),
    ("times between two processes",
     [("64 B, M/s", processes("messages of 64 bytes", "M/s")),
      ("in batches of 32, M/s", processes("messages of 64 bytes, 32 at a time", "M/s")),
      ("one way, µs", processes("one way", "us")),
      ("64 KiB in place, GB/s", processes("messages of 64 KiB, in place", "GB/s")),
      ("copied, GB/s", processes("messages of 64 KiB, copied", "GB/s"))],
     rows_of(*CHANNEL, ("channel of 4 MiB", "channel of 4 MiB"), BY_HAND, *LIBRARIES, *KERNELS,
             ("ZeroMQ over a Unix socket", "ZeroMQ"), ICEORYX)),
    ("instructions of a 64-byte message, sent and received",
     [("one by one", {"name": "message of 64 bytes"}), ("in batches of 32", {"name": "message of 64 bytes, 32 at a time"})],
     [Below("*x86-64, without the kernel's*", {"group": "both ends in one process"}),
      *rows_of(*CHANNEL, BY_HAND, *LIBRARIES, ICEORYX),
      Below("*arm64, with the kernel's*", {"group": "both ends in one process, with the kernel"}),
      *rows_of(*CHANNEL, BY_HAND, *KERNELS)]),
]


def number(value):
    """Three digits that count, or four of large numbers."""
    if value >= 1000:
        return f"{round(value, -3 if value >= 1000000 else -2 if value >= 10000 else -1):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}" if value >= 1 else f"{value:.3g}"


def cell(report, fields):
    """A figure as a cell; empty where there is none."""
    fields = dict(fields)
    how = fields.pop("how", None)
    if how:
        fields["name"] += f", {how}"
    found = report.of(**fields)
    if len(found) > 1:
        raise ValueError(f"a cell has several figures: {fields}")
    if not found:
        return ""
    figure = found[0]
    # Of times of a hub the least counts: whatever else the machine does only adds to them.
    if figure.by == "clock":
        return number(figure.low if figure.group == "hub" else figure.value)
    if figure.high - figure.low > SPREAD * figure.value:
        return f"{number(figure.low)}-{number(figure.high)}"
    return number(figure.value)


def line(words):
    return f"| {' | '.join(words)} |".replace("|  ", "| ")


def head(title, columns):
    return f"{line([title, *(name for name, _ in columns)])}\n{line(['---'] * (len(columns) + 1))}\n"


def body(report, columns, rows):
    lines, shared = [], {}
    for row in rows:
        title, fields = row
        if isinstance(row, Below):
            shared = fields
            lines += [line([title] + [""] * len(columns))] if title else []
        else:
            lines.append(line([title, *(cell(report, {**shared, **fields, **column}) for _, column in columns)]))
    return "\n".join(lines) + "\n"


def about(report, name):
    return (f"The tables are made of [bench/results/{name}](../bench/results/{name}): version {report.version} at commit "
            f"{report.commit}, {report.date[:10]}.")


def in_short(report):
    message = sized("message to the guest", 64, **ONE)
    within = cell(report, {"group": "both ends in one process, with the kernel", "of": "channel", "name": "message of 64 bytes"})
    return (f"A message of 64 bytes takes {within} instructions within a machine, "
            f"{cell(report, {**message, 'of': 'ivshmem'})} to a guest, and "
            f"{cell(report, {**message, 'of': 'virtio-vsock'})} over virtio-vsock.")


def made(report, name, text):
    """A document as the figures have it."""
    for title, columns, rows in TABLES:
        start = head(title, columns)
        text = re.sub(re.escape(start) + r"(\|.*\n)*", lambda _: start + body(report, columns, rows), text)
    text = re.sub(r"^The tables are made of .*", lambda _: about(report, name), text, flags=re.M)
    return re.sub(r"^A message of 64 bytes takes .*", lambda _: in_short(report), text, flags=re.M)


def check_tables(text):
    for title, columns, _ in TABLES:
        if text.count(head(title, columns)) != 1:
            raise ValueError(f"{DOCUMENT.name} has to have a table that begins with these lines, once:\n{head(title, columns)}")


def old_pictures(report):
    """Plots of other figures than these."""
    said = f"crossvm {report.version} ({report.commit}), {report.date[:10]}"
    return [path.name for path in sorted(PICTURES.glob("bench-*.svg")) if said not in path.read_text()]


def differences(path, text, wanted):
    """Each line that would be another one, and those that would not be."""
    lines, wanted_lines = text.splitlines(), wanted.splitlines()
    return [f"{path.name}: the figures do not say: {line}" for line in lines if line not in set(wanted_lines)] + \
           [f"{path.name}: the figures say: {line}" for line in wanted_lines if line not in set(lines)]


def main():
    if sys.argv[1:] not in ([], ["--write"]):
        sys.exit("usage: document.py [--write]")
    report = record.last_release(machine.version())
    if report is None:
        sys.exit(f"document.py: {record.RESULTS} has no figures of a release")
    faults = [f"docs/pictures/{name} is of other figures" for name in old_pictures(report)]
    try:
        check_tables(DOCUMENT.read_text())
        for path in (DOCUMENT, README):
            text = path.read_text()
            wanted = made(report, f"{report.version}.json", text)
            faults += differences(path, text, wanted)
            if sys.argv[1:]:
                path.write_text(wanted)
    except ValueError as error:
        sys.exit(f"document.py: {error}")
    if faults and not sys.argv[1:]:
        print("\n".join(faults), file=sys.stderr)
        sys.exit(f"document.py: make the tables anew with bench/document.py --write, and the plots with bench/plot.py "
                 f"{record.RESULTS.relative_to(machine.TOP)}/{report.version}.json docs/pictures")


if __name__ == "__main__":
    main()
