# SPDX-License-Identifier: BSD-2-Clause
"""Tables of figures, and the comparison with a release."""

import unittest

import figures
import tables


def figure(value, name="message", of="channel", by="icount", spread=0, unit="instructions", at=None):
    return figures.Figure("group", name, of, "bytes" if at else None, at, unit, by, value, value - spread, value + spread, 3)


def report(version, *found):
    return figures.Report(version, "abc", "2026-01-02", {}, {}, list(found))


class Table(unittest.TestCase):
    def test_rows_are_what_was_measured_and_columns_whose(self):
        text = tables.table([figure(47.11), figure(58, of="ring"), figure(16000, "round trip", at=64)])
        self.assertEqual([line.split() for line in text], [
            ["channel", "ring"], ["message", "instructions", "47.1", "58"],
            ["round", "trip,", "64", "bytes", "instructions", "16,000", "-"]])


class Comparison(unittest.TestCase):
    def compare(self, now, before):
        return tables.comparison(report("2.0.0", now), report("1.0.0", before))

    def test_what_costs_more_is_worse(self):
        text = self.compare(figure(1020), figure(1000))
        self.assertIn("1 differ", text[0])
        self.assertRegex(text[-1], r"group: message +channel +1,000 +1,020 +\+2\.0 % +WORSE")

    def test_what_costs_less_is_better(self):
        self.assertIn("-3.0 %  better", self.compare(figure(970), figure(1000))[-1])

    def test_a_rate_is_better_when_it_grows(self):
        self.assertIn("better", self.compare(figure(2, unit="M/s", by="counter"), figure(1, unit="M/s", by="counter"))[-1])

    def test_a_per_cent_is_nothing(self):
        self.assertEqual(self.compare(figure(1009), figure(1000)),
                         ["1 counted figures are in both; 0 differ from 1.0.0 by more than 1 %"])

    def test_what_is_within_the_release_s_spread_is_nothing(self):
        self.assertEqual(len(self.compare(figure(1050), figure(1000, spread=60))), 1)

    def test_times_are_not_compared(self):
        self.assertIn("0 counted figures", self.compare(figure(9, by="clock"), figure(1, by="clock"))[0])

    def test_a_cost_that_was_nothing_has_no_percentage(self):
        self.assertIn("+inf %", self.compare(figure(1), figure(0))[-1])


if __name__ == "__main__":
    unittest.main()
