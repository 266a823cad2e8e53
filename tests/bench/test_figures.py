# SPDX-License-Identifier: BSD-2-Clause
"""Figures from the lines of benchmarks, and in their file."""

import json
import pathlib
import tempfile
import unittest

import figures
import record

LINES = [
    "figure\tguest\tround trip\tivshmem\tbytes\t64\tinstructions\ticount\t16100\n",
    "figure\tguest\tround trip\tivshmem\tbytes\t64\tinstructions\ticount\t16300\n",
    "figure\tguest\tround trip\tivshmem\tbytes\t64\tinstructions\ticount\t16000\n",
    "figure\ttwo processes\tone way\tpipe\t\t0\tus\tclock\t0.64\n",
]


def report_of(found):
    return figures.Report("1.2.3", "abc", "2026-01-02T03:04:05+00:00", {"processors": 2}, {"compiler": "gcc 12.2"}, found)


class Lines(unittest.TestCase):
    def test_repetitions_of_a_figure_become_one(self):
        found = figures.summarize(record.take(LINES))
        self.assertEqual([(f.of, f.value, f.low, f.high, f.samples) for f in found],
                         [("ivshmem", 16100, 16000, 16300, 3), ("pipe", 0.64, 0.64, 0.64, 1)])
        self.assertEqual([(f.axis, f.at) for f in found], [("bytes", 64), (None, None)])

    def test_other_lines_are_no_figures(self):
        self.assertEqual(record.take(["[bench] a title\n", "\n", *LINES, "the end"]), record.take(LINES))

    def test_a_broken_figure_is_refused(self):
        for line in ("figure\tguest\tround trip\n", LINES[0].replace("icount", "guess"), LINES[0].replace("16100", "fast")):
            with self.subTest(line), self.assertRaises(ValueError):
                figures.parse(line)


class File(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "bench.json"

    def test_what_is_saved_is_loaded(self):
        report = report_of(figures.summarize(record.take(LINES)))
        figures.save(report, self.path)
        self.assertEqual(figures.load(self.path), report)

    def test_a_figure_has_a_line(self):
        figures.save(report_of(figures.summarize(record.take(LINES))), self.path)
        self.assertEqual(sum('"ivshmem"' in line and "16300" in line for line in self.path.read_text().splitlines()), 1)

    def test_what_is_no_report_is_refused(self):
        figures.save(report_of(figures.summarize(record.take(LINES))), self.path)
        good = json.loads(self.path.read_text())
        for change in ({"schema": "other"}, {"figures": [{"value": 1}]}, {"extra": 1},
                       {"figures": [{**good["figures"][0], "low": 1e9}]}, {"figures": [{**good["figures"][0], "by": "guess"}]}):
            with self.subTest(change):
                self.path.write_text(json.dumps({**good, **change}))
                with self.assertRaisesRegex(ValueError, "bench.json"):
                    figures.load(self.path)

    def test_the_last_release_is_the_newest_that_is_not_newer(self):
        for version in ("0.9.0", "0.10.0", "1.0.0"):
            report = report_of(figures.summarize(record.take(LINES)))
            report.version = version
            figures.save(report, self.folder / f"{version}.json")
        self.assertEqual(record.last_release("0.11.0", self.folder).version, "0.10.0")
        self.assertEqual(record.last_release("1.0.0", self.folder).version, "1.0.0")
        self.assertIsNone(record.last_release("0.1.0", self.folder))

    def test_results_of_releases_can_be_read(self):
        for path in record.RESULTS.glob("*.json"):
            with self.subTest(path.name):
                self.assertEqual(figures.load(path).version, path.stem)


if __name__ == "__main__":
    unittest.main()
