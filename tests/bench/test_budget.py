# SPDX-License-Identifier: BSD-2-Clause
"""What budget.py says of figures, and what is in budget.toml."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unittest
from unittest import mock

import budget


class Verdict(unittest.TestCase):
    def test_one_per_cent_either_way_is_kept(self):
        for measured in (100, 99.1, 100.9):
            self.assertIsNone(budget.verdict("message", 100, measured))

    def test_more_names_figure_budget_and_remedy(self):
        text = budget.verdict("message", 100, 104)
        for part in ("'message' takes 104.00 instructions", "its budget is 100.00 (+4.0%)", "raise the budget in budget.toml"):
            self.assertIn(part, text)

    def test_less_asks_to_lower_the_budget(self):
        text = budget.verdict("message", 100, 90)
        for part in ("(-10.0%)", "Lower it in budget.toml to 90.00"):
            self.assertIn(part, text)


class Check(unittest.TestCase):
    def check(self, budgets, measured):
        """What check() returns and complains of, with other figures and another file."""
        said = io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "budget.toml")
            lines = [f"[{budget.section_name('build')}]", 'compiler = "gcc-1"', *(f'"{name}" = {n}' for name, n in budgets.items())]
            file.write_text("\n".join(lines))
            figures = {name: lambda build, value=value: value for name, value in measured.items()}
            with mock.patch.multiple(budget, FILE=file, FIGURES=figures), contextlib.redirect_stderr(said), \
                    contextlib.redirect_stdout(io.StringIO()):
                return budget.check("build"), said.getvalue()

    def test_all_keep_their_budgets(self):
        self.assertEqual(self.check({"a": 10, "b": 20.5}, {"a": 10.05, "b": 20.5}), (0, ""))

    def test_each_that_does_not_is_named(self):
        failed, said = self.check({"a": 10, "b": 20, "c": 30}, {"a": 11, "b": 20, "c": 29})
        self.assertEqual(failed, 2)
        self.assertRegex(said, "(?s)'a' takes 11.*'c' takes 29")

    def test_another_kernel_is_named(self):
        with mock.patch.object(budget.machine, "text", return_value="6.1-2"):
            self.assertEqual(budget.other_kernel({"kernel": "6.1-2"}), "")
            self.assertIn("kernel 6.1-1, and this is 6.1-2", budget.other_kernel({"kernel": "6.1-1"}))

    def test_file_and_program_name_the_same_figures(self):
        failed, said = self.check({"a": 10, "old": 1}, {"a": 10, "new": 1})
        self.assertEqual(failed, 2)
        self.assertIn("new, old", said)


class File(unittest.TestCase):
    def test_each_section_names_a_compiler_and_all_figures(self):
        for name, section in tomllib.loads(budget.FILE.read_text()).items():
            with self.subTest(name):
                self.assertRegex(section.pop("compiler"), r"^gcc-\d+$")
                guest = name.endswith("-guest")
                self.assertEqual("kernel" in section, guest)
                section.pop("kernel", None)
                self.assertEqual(section.keys(), set(budget.GUEST_FIGURES) if guest else budget.FIGURES.keys())

    def test_applies_to_that_compiler_only(self):
        compiler = budget.section("build")[1].get("compiler")
        applies = [subprocess.run([sys.executable, budget.__file__, "applies", "build", name]).returncode == 0
                   for name in (compiler or "gcc-12", "gcc-0")]
        self.assertEqual(applies, [compiler is not None, False])


if __name__ == "__main__":
    unittest.main()
