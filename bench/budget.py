#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions that budget.toml allows, and those that programs take.

budget.py check WHAT             measures, and fails where a figure is more than 1 % away from its budget
budget.py measure WHAT           prints what the section of this system would say
budget.py applies WHAT COMPILER  succeeds if there is a section for this system and such a compiler, for example gcc-12

WHAT is a build tree that has bench/channel/channel_bench and bench/hub/hub_bench; or "guest": what a guest and its host need
with their kernels.
"""

import argparse
import pathlib
import platform
import subprocess
import sys
import tomllib

import counts
import figures
import machine

FILE = pathlib.Path(__file__).resolve().parent / "budget.toml"
TOLERANCE = 0.01

# How each figure of a build tree is measured, by its name in the file
FIGURES = {
    **{f"{rival}: {name}": lambda build, rival=rival, how=how: counts.message(build, rival, how)
       for rival, hows in {"channel": ("single", "batch"), "channel, in place": ("single",),
                           "channel, strict": ("single", "batch")}.items()
       for how, name in counts.HOWS.items() if how in hows},
    # Not all that the hub does in a round of its loop: how often it reads the clock depends on the time.
    **{f"hub: {counts.EVENT_NAMES[how]}": lambda build, how=how, function=function: counts.event(build, how, 1, function)
       for how, function in (("to-guest", "doorbell_signalled"), ("from-guest", "serve"))},
}


GUEST_FIGURES = ("round trip", "message to the guest", "message from the guest")


def measure_tree(build):
    """Names and figures of a build tree, one after the other."""
    for name, figure in FIGURES.items():
        yield name, figure(build)


def measure_guest(_):
    """The same of a guest in crossvm-vm on one CPU, both ends of whose channel sleep."""
    done = subprocess.run([machine.TOP / "bench/guest/run.sh", "arm64", "budget"], stdout=subprocess.PIPE, text=True)
    found = figures.summarize(figures.repetitions(done.stdout.splitlines()))
    if done.returncode or not found:
        raise counts.CannotCount(f"bench/guest/run.sh failed; it said:\n{done.stdout}")
    for name in GUEST_FIGURES:
        yield name, next(figure.value for figure in found if figure.name == name)


def section_name(what):
    return f"{machine.suite()}-{'guest' if what == 'guest' else platform.machine()}"


def section(what):
    """The budgets of this system, by name; and what they were measured with: the compiler, and a guest's kernel."""
    budgets = tomllib.loads(FILE.read_text()).get(section_name(what), {})
    return ({name: value for name, value in budgets.items() if not isinstance(value, str)},
            {name: value for name, value in budgets.items() if isinstance(value, str)})


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


def other_kernel(means):
    """A sentence if the guest's kernel is not that of the budgets."""
    kernel = machine.text(machine.TOP / "build/kernel/arm64/version")
    if means.get("kernel", kernel) == kernel:
        return ""
    return f" The budget is of kernel {means['kernel']}, and this is {kernel}: look first whether that is the reason."


def check(what):
    """Prints each figure, and returns how many are beyond their budgets."""
    budgets, means = section(what)
    measured = dict((measure_guest if what == "guest" else measure_tree)(what))
    unknown = budgets.keys() ^ measured.keys()
    if unknown:
        print(f"budget.py: {FILE.name} [{section_name(what)}] and what is measured differ in: {', '.join(sorted(unknown))}. "
              f"'budget.py measure' prints the whole section.", file=sys.stderr)
        return len(unknown)
    failed = 0
    for name, budget in budgets.items():
        print(f"{name}: {measured[name]:.2f} of {budget:.2f}", flush=True)
        complaint = verdict(name, budget, measured[name])
        if complaint:
            failed += 1
            print(f"budget.py: {complaint}{other_kernel(means) if what == 'guest' else ''}", file=sys.stderr)
    return failed


def measure(what):
    print(f"[{section_name(what)}]")
    for name, value in (measure_guest if what == "guest" else measure_tree)(what):
        print(f'"{name}" = {value:.2f}', flush=True)


def main():
    parser = argparse.ArgumentParser(prog="budget.py", allow_abbrev=False)
    parser.add_argument("action", choices=("check", "measure", "applies"))
    parser.add_argument("what", help="a build tree, or guest")
    parser.add_argument("compiler", nargs="?", help="for applies")
    chosen = parser.parse_args()
    if chosen.action == "applies":
        sys.exit(section(chosen.what)[1].get("compiler") != chosen.compiler)
    try:
        sys.exit(check(chosen.what) > 0 if chosen.action == "check" else measure(chosen.what))
    except counts.CannotCount as error:
        sys.exit(f"budget.py: {error}")


if __name__ == "__main__":
    main()
