# SPDX-License-Identifier: BSD-2-Clause
"""Tables of a document, from figures; and that docs/performance.md has those of the last release."""

import subprocess
import sys
import unittest

import document
import figures
import machine

HEAD = "| instructions | channel | ring |\n| --- | --- | --- |\n"


def figure(value, name="message", of="channel", by="icount", spread=0, group="one CPU"):
    return figures.Figure(group, name, of, None, None, "instructions", by, value, value - spread, value + spread, 3)


def report(*found):
    return figures.Report("1.2.3", "abc", "2026-01-02T03:04:05+00:00", {}, {}, list(found))


class Cell(unittest.TestCase):
    def cell(self, *found, **fields):
        return document.cell(report(*found), fields)

    def test_three_digits_count(self):
        values = {0.0345: "0.0345", 1.5: "1.50", 43.44: "43.4", 202.6: "203", 2112: "2,110", 118864: "118,900",
                  9463560: "9,464,000"}
        self.assertEqual({value: self.cell(figure(value), name="message") for value in values}, values)

    def test_what_differs_much_has_the_least_and_the_most(self):
        self.assertEqual(self.cell(figure(1000, spread=30), name="message"), "1,000")
        self.assertEqual(self.cell(figure(1000, spread=31), name="message"), "969-1,030")

    def test_times_of_a_hub_are_the_least(self):
        self.assertEqual(self.cell(figure(12, by="clock", spread=4, group="hub"), name="message"), "8.00")
        self.assertEqual(self.cell(figure(12, by="clock", spread=4), name="message"), "12.0")

    def test_how_is_a_part_of_the_name(self):
        self.assertEqual(self.cell(figure(1), figure(2, name="message, awake"), name="message", how="awake"), "2.00")

    def test_what_was_not_measured_is_empty(self):
        self.assertEqual(self.cell(figure(1), name="another"), "")

    def test_a_cell_is_one_figure(self):
        with self.assertRaisesRegex(ValueError, "several"):
            self.cell(figure(1), figure(2, of="ring"), name="message")


class Document(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, document, "TABLES", document.TABLES)
        document.TABLES = [("instructions", document.vmms("channel", "ring"),
                            [document.Below("*awake*", {"group": "one CPU"}), ("a message", {"name": "message"})])]
        self.report = report(figure(5), figure(7, of="ring"), figure(6, group="two CPUs"))

    def made(self, text):
        return document.made(self.report, "1.2.3.json", text)

    def test_rows_are_made_anew(self):
        text = f"words\n\n{HEAD}| *awake* | | |\n| a message | 4 | 7 |\n| of old | 1 | 1 |\n\nmore words\n"
        self.assertEqual(self.made(text),
                         f"words\n\n{HEAD}| *awake* | | |\n| a message | 5.00 | 7.00 |\n\nmore words\n")

    def test_the_file_is_named_with_its_commit_and_day(self):
        self.assertIn("bench/results/1.2.3.json", self.made(f"The tables are made of old things.\n\n{HEAD}"))
        self.assertIn("commit abc, 2026-01-02.\n", self.made(f"The tables are made of old things.\n\n{HEAD}"))

    def test_a_table_that_is_missing_is_an_error(self):
        document.check_tables(f"words\n{HEAD}")
        for text in ("| instructions | of others |\n", HEAD + HEAD):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "once"):
                document.check_tables(text)

    def test_what_differs_is_named(self):
        faults = document.differences(document.README, "the same\nold\n", "the same\nnew\n")
        self.assertEqual(faults, ["README.md: the figures do not say: old", "README.md: the figures say: new"])
        self.assertEqual(document.differences(document.README, "the same\n", "the same\n"), [])


class Release(unittest.TestCase):
    def test_the_documents_have_its_figures(self):
        done = subprocess.run([sys.executable, machine.TOP / "bench/document.py"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
