#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions that budget.toml allows, and those that programs take.

budget.py check BUILD...      measures, and fails where a figure is more than 1 % away from its budget
budget.py measure BUILD...    prints what the section of this machine would say
budget.py applies COMPILER    succeeds if there is a section for this system and such a compiler, for example gcc-12

BUILD is a tree that has bench/channel/channel_bench and bench/hub/hub_bench.
"""

import pathlib
import platform
import sys
import tomllib

import counts
import machine

FILE = pathlib.Path(__file__).resolve().parent / "budget.toml"
TOLERANCE = 0.01

# How each figure is measured, by its name in the file
FIGURES = {
    **{f"{rival}: {name}": lambda build, rival=rival, how=how: counts.message(build, rival, how)
       for rival, hows in {"channel": ("single", "batch"), "channel, in place": ("single",),
                           "channel, strict": ("single", "batch")}.items()
       for how, name in counts.HOWS.items() if how in hows},
    # Not all that the hub does in a round of its loop: how often it reads the clock depends on the time.
    **{f"hub: {counts.EVENT_NAMES[how]}": lambda build, how=how, function=function: counts.event(build, how, 1, function)
       for how, function in (("to-guest", "doorbell_signalled"), ("from-guest", "serve"))},
}


def section_name():
    return f"{machine.suite()}-{platform.machine()}"


def section():
    """The budgets of this system, by name; and the compiler that they are of."""
    budgets = dict(tomllib.loads(FILE.read_text()).get(section_name(), {}))
    return budgets, budgets.pop("compiler", None)


def verdict(name, budget, measured):
    """What is wrong with a figure, and what to do; None if it keeps its budget."""
    change = measured / budget - 1
    if abs(change) <= TOLERANCE:
        return None
    facts = f"'{name}' takes {measured:.2f} instructions, its budget is {budget:.2f} ({change:+.1%})"
    if change < 0:
        return f"{facts}. Lower it in {FILE.name} to {measured:.2f} with the commit that is faster, so that it stays so."
    return (f"{facts}. Find what the change added to this path and take it out; if it is worth its cost, raise the budget in "
            f"{FILE.name} in the same commit, whose message says why.")


def check(build):
    """Prints each figure, and returns how many are beyond their budgets."""
    budgets, _ = section()
    unknown = budgets.keys() ^ FIGURES.keys()
    if unknown:
        print(f"budget.py: {FILE.name} [{section_name()}] and what is measured differ in: {', '.join(sorted(unknown))}. "
              f"'budget.py measure' prints the whole section.", file=sys.stderr)
        return len(unknown)
    failed = 0
    for name, budget in budgets.items():
        measured = FIGURES[name](build)
        print(f"{name}: {measured:.2f} of {budget:.2f}", flush=True)
        complaint = verdict(name, budget, measured)
        if complaint:
            failed += 1
            print(f"budget.py: {complaint}", file=sys.stderr)
    return failed


def measure(build):
    print(f"[{section_name()}]")
    for name, figure in FIGURES.items():
        print(f'"{name}" = {figure(build):.2f}', flush=True)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "measure", "applies"):
        sys.exit("usage: budget.py check|measure BUILD | applies COMPILER")
    action, argument = sys.argv[1:]
    if action == "applies":
        sys.exit(section()[1] != argument)
    try:
        sys.exit(check(argument) > 0 if action == "check" else measure(argument))
    except counts.CannotCount as error:
        sys.exit(f"budget.py: {error}")


if __name__ == "__main__":
    main()
