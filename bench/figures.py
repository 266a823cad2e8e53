# SPDX-License-Identifier: BSD-2-Clause
"""Figures that benchmarks print, and the file of JSON that holds them: the one place that knows its form.

{"schema": "crossvm-bench-1",
 "version": "0.2.0", "commit": "188fdac", "date": "2026-11-27T18:00:00+00:00",
 "machine": {...},                              what machine.py says of it
 "tools": {"compiler": "gcc 12.2.0", ...},
 "figures": [
   {"group": "one CPU", "name": "message of 64 bytes to the guest", "of": "ivshmem",
    "axis": "bytes", "at": 64,                  null where the figure has no such number
    "unit": "instructions", "by": "icount",     clock, callgrind, icount or counter
    "value": 220, "low": 219, "high": 222,      median, least and most of the repetitions
    "samples": 3}]}
"""

import dataclasses
import json
import statistics

SCHEMA = "crossvm-bench-1"
BY = ("clock", "callgrind", "icount", "counter")
REPEAT = ("callgrind", "icount", "counter")  # what a loaded machine does not change


@dataclasses.dataclass(frozen=True)
class Key:
    """What a figure says something about."""

    group: str
    name: str
    of: str
    axis: str | None
    at: float | None
    unit: str
    by: str

    @property
    def title(self):
        return self.name if self.at is None else f"{self.name}, {self.at:g} {self.axis}"


@dataclasses.dataclass(frozen=True)
class Figure(Key):
    value: float
    low: float
    high: float
    samples: int

    @property
    def key(self):
        return Key(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Key)})


def parse(line):
    """The key and the value of a line that a benchmark printed; see figure.h. None for any other line."""
    if not line.startswith("figure\t"):
        return None
    fields = line.rstrip("\n").split("\t")[1:]
    if len(fields) != 8 or fields[6] not in BY:
        raise ValueError(f"this line is no figure: {line!r}")
    group, name, of, axis, at, unit, by, value = fields
    return Key(group, name, of, axis or None, float(at) if axis else None, unit, by), float(value)


def repetitions(source):
    """Key to the values of all repetitions, of the lines that are figures."""
    found = {}
    for parsed in filter(None, map(parse, source)):
        found.setdefault(parsed[0], []).append(parsed[1])
    return found


def summarize(found):
    """Figures of such a dictionary."""
    return [
        Figure(**dataclasses.asdict(key), value=statistics.median(values), low=min(values), high=max(values),
               samples=len(values))
        for key, values in found.items()
    ]


@dataclasses.dataclass
class Report:
    version: str
    commit: str
    date: str
    machine: dict
    tools: dict
    figures: list

    def of(self, **wanted):
        """The figures whose fields are these."""
        return [figure for figure in self.figures if all(getattr(figure, k) == v for k, v in wanted.items())]


def save(report, path):
    text = json.dumps({"schema": SCHEMA, **dataclasses.asdict(report)}, indent=1)
    # A figure a line: what changed between two files is then easy to see.
    text = text.replace("\n   ", " ").replace("\n  },", " },").replace("\n  }\n", " }\n")
    path.write_text(text + "\n")


def load(path):
    """The report in a file. ValueError says what is wrong with it."""
    try:
        content = json.loads(path.read_text())
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        content["figures"] = [Figure(**figure) for figure in content["figures"]]
        report = Report(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no figures of a benchmark: {error}") from error
    for figure in report.figures:
        if figure.by not in BY or (figure.axis is None) != (figure.at is None) or figure.samples < 1 \
                or not figure.low <= figure.value <= figure.high:
            raise ValueError(f"{path}: this figure contradicts itself: {figure}")
    return report
