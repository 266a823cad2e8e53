#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Takes one order after the other out of a copy of the sources, and expects a story of the model to fail for each.

    weaken.py FOLDER [WHAT...]
    weaken.py --check

FOLDER gets the copy and its build tree. With WHAT, only the weakenings of these names are tried. With --check, none is
tried, and those whose text is not in the sources are named.
"""

import pathlib
import shutil
import subprocess
import sys

from weakenings import WEAKENINGS

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = sorted({program for *_, program, _ in WEAKENINGS})


def copy_sources(sources):
    shutil.rmtree(sources, ignore_errors=True)
    shutil.copytree(TOP, sources, symlinks=True, ignore=shutil.ignore_patterns("build", ".git"))


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        sys.exit("%s failed:\n%s" % (" ".join(map(str, command)), result.stdout))


def build(tree, *programs):
    run("ninja", "-C", tree, *("test_model_" + program for program in programs))


def tell(tree, program, story):
    """Explores a story. Returns whether all was well, and what the program says of it."""
    command = [tree / "tests/model" / ("test_model_" + program), story]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = result.stdout.strip().splitlines()
    if result.returncode not in (0, 1) or len(lines) != 1 or not lines[0].startswith(story):
        sys.exit("%s, story \"%s\": ended with %d and said: %s" % (program, story, result.returncode, result.stdout))
    return result.returncode == 0, lines[0].split("end: ", 1)[1]


def try_weakening(sources, tree, weakening):
    """Returns whether the story failed without that order."""
    what, name, text, instead, program, story = weakening
    file = sources / name
    original = file.read_text()
    if original.count(text) != 1:
        sys.exit("%s: %s has the text of \"%s\" %d times, not once" % (__file__, name, what, original.count(text)))
    file.write_text(original.replace(text, instead))
    try:
        build(tree, program)
        well, reason = tell(tree, program, story)
    finally:
        file.write_text(original)
    print("%-42s %-34s %s" % (what, story, "NOT NOTICED" if well else reason), flush=True)
    return not well


def check():
    """Names the weakenings that do not fit the sources as they are."""
    missing = ["%s: %s has its text %d times, not once" % (what, name, count)
               for what, name, text, *_ in WEAKENINGS if (count := (TOP / name).read_text().count(text)) != 1]
    sys.exit("\n".join(missing) or 0)


def main(folder, *wanted):
    sources, tree = pathlib.Path(folder, "sources").resolve(), pathlib.Path(folder, "tree").resolve()
    weakenings = [weakening for weakening in WEAKENINGS if not wanted or weakening[0] in wanted]
    copy_sources(sources)
    run("cmake", "-G", "Ninja", "-S", sources, "-B", tree)
    build(tree, *PROGRAMS)
    for program, story in sorted({weakening[4:] for weakening in weakenings}):
        if not tell(tree, program, story)[0]:
            sys.exit("%s, story \"%s\" fails as the code is" % (program, story))
    missed = sum(not try_weakening(sources, tree, weakening) for weakening in weakenings)
    print("%d orders taken out one at a time, %d of them without a story that failed" % (len(weakenings), missed))
    return 1 if missed or not weakenings else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1:] == ["--check"]:
        check()
    sys.exit(main(*sys.argv[1:]))
