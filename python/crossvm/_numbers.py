# SPDX-License-Identifier: BSD-2-Clause
"""Numbers for C, which would take others for something else."""

from __future__ import annotations

import operator
import sys

INT_MAX = 2**31 - 1


def number_of(value: int, what: str, most: int) -> int:
    """A number from 0 up, which C can hold; otherwise a ValueError."""
    number = operator.index(value)
    if not 0 <= number <= most:
        raise ValueError(f"{what} is a number from 0 to {most}, not {value!r}")
    return number


def size_of(value: int, what: str) -> int:
    """A number of bytes; otherwise a ValueError. What is more than C can hold becomes what it can."""
    number = operator.index(value)
    if number < 0:
        raise ValueError(f"{what} is a number of bytes, 0 or more, not {value!r}")
    return min(number, sys.maxsize)
