#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""record.py FILE: takes what benchmarks print on standard input, shows it as tables, and writes the figures to FILE.

Other lines are passed on. A figure that comes several times was repeated: its median counts, and its least and most.
At the end come the differences to the last release that has a file in bench/results.
"""

import datetime
import pathlib
import sys

import figures
import machine
import tables

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


def show(recent):
    """Tables of the figures that came since the last other line."""
    found = figures.summarize(figures.repetitions(recent))
    for group in tables.ordered(figure.group for figure in found):
        print("\n".join([f"  {group}"] + ["    " + line for line in tables.table(
            [figure for figure in found if figure.group == group])]), flush=True)


def take(source):
    """Shows what comes, and returns all figures: key to values."""
    lines, recent = [], []
    for line in source:
        if figures.parse(line):
            recent.append(line)
            continue
        show(recent)
        print(line, end="", flush=True)
        lines += recent
        recent = []
    show(recent)
    return figures.repetitions(lines + recent)


def as_numbers(version):
    return tuple(int(part) for part in version.split("."))


def last_release(version, results=RESULTS):
    """The report of the newest release that is not newer than a version. None without one."""
    found = [path for path in results.glob("*.json") if as_numbers(path.stem) <= as_numbers(version)]
    return figures.load(max(found, key=lambda path: as_numbers(path.stem))) if found else None


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: record.py FILE")
    path = pathlib.Path(sys.argv[1])
    about = {"machine": machine.describe(), "tools": machine.tools()}
    report = figures.Report(machine.version(), machine.commit(),
                            datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), **about,
                            figures=figures.summarize(take(sys.stdin)))
    if not report.figures:
        sys.exit("record.py: no benchmark printed a figure: what it said is above")
    figures.save(report, path)
    print(f"[bench] {len(report.figures)} figures are in {path}")
    release = last_release(report.version)
    if release:
        print("[bench] " + "\n    ".join(tables.comparison(report, release)))


if __name__ == "__main__":
    main()
