# SPDX-License-Identifier: BSD-2-Clause
"""Each allocation that a program makes until it is ready fails once."""

import os
import random
import unittest

import programs
from rounds import ALLOCATIONS, LONG, rounds, seed

STARVED = os.environ["CROSSVM_STARVED"]
SAID = "an allocation fails\n"


def starve(kind, number):
    """Runs a program whose allocation of that number fails. What it did, and whether it came so far."""
    program = kind()
    command = program.command()
    command[0] = f"{STARVED}/starved-{os.path.basename(command[0])}"
    program.command = lambda: command
    outcome = program.run(CROSSVM_FAIL_ALLOCATION=str(number))
    program.remove()
    failed = SAID in outcome.said
    outcome.said = outcome.said.replace(SAID, "")
    return outcome, failed


class Allocations(unittest.TestCase):
    def count(self, kind):
        """How many there are, found by halves: a program that works and says nothing has had none so late."""
        enough = 1
        while starve(kind, enough)[1]:
            enough *= 2
        least = enough // 2
        while enough - least > 1:
            middle = (least + enough) // 2
            if starve(kind, middle)[1]:
                least = middle
            else:
                enough = middle
        return least

    def check(self, kind):
        programs.adopt_orphans()
        outcome, _ = starve(kind, 0)
        self.assertIsNone(outcome.fault(kind.status), outcome.said)
        numbers = list(range(1, self.count(kind) + 1))
        if not LONG:
            numbers = random.sample(numbers, min(ALLOCATIONS, len(numbers)))
        wrong = []
        for i in rounds(f"{kind.__name__}, allocations that fail", len(numbers)):
            outcome, failed = starve(kind, numbers[i])
            fault = outcome.fault(kind.status)
            if failed and fault:
                wrong.append(f"{kind.__name__}: allocation {numbers[i]} fails: {fault}; it says: {outcome.said!r}")
        self.assertEqual(wrong, [], f"CROSSVM_SEED={seed}:\n" + "\n".join(wrong))


for kind in programs.ALL:
    setattr(Allocations, f"test_{kind.__name__}", lambda self, kind=kind: self.check(kind))

if __name__ == "__main__":
    unittest.main()
