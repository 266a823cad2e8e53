# SPDX-License-Identifier: BSD-2-Clause
"""Numbers that C can hold: ctypes would cut others without a word."""

from __future__ import annotations

import operator
import sys

INT_MAX = 2**31 - 1


def number_of(value: int, what: str, most: int) -> int:
    """A number from 0 to `most`; anything else is a ValueError."""
    number = operator.index(value)
    if not 0 <= number <= most:
        raise ValueError(f"{what} is a number from 0 to {most}, not {value!r}")
    return number


def size_of(value: int, what: str) -> int:
    """A number of bytes; a negative one is a ValueError. More than C can hold becomes the most that it can."""
    number = operator.index(value)
    if number < 0:
        raise ValueError(f"{what} is a number of bytes, 0 or more, not {value!r}")
    return min(number, sys.maxsize)
