# SPDX-License-Identifier: BSD-2-Clause
"""Deadlines: nanoseconds of the monotonic clock, as the library has them, made of timeouts in seconds."""

from __future__ import annotations

import math
import time
from typing import Optional

NOW = 0
FOREVER = 2**63 - 1

# Seconds: what is longer, 272 years, does not surely fit into nanoseconds beside the age of the machine.
LONGEST = 2**33


def deadline(timeout: Optional[float]) -> int:
    """When a timeout is over: FOREVER for None, infinity and what is longer than LONGEST, NOW for 0. A ValueError for
    what is negative or no number."""
    if timeout is None:
        return FOREVER
    if not timeout >= 0:  # NaN, too
        raise ValueError(f"a timeout is None or a number of seconds, 0 or more, not {timeout!r}")
    if timeout == 0:
        return NOW
    if timeout > LONGEST:
        return FOREVER
    return time.monotonic_ns() + math.ceil(float(timeout) * 1e9)


def nanoseconds_left(until: int) -> int:
    """How much of a deadline other than FOREVER is left, at least 0."""
    return 0 if until == NOW else max(0, until - time.monotonic_ns())


def seconds_left(until: int) -> Optional[float]:
    """The same as the timeout of an event loop."""
    return None if until == FOREVER else nanoseconds_left(until) / 1e9


def lock_timeout(until: int) -> float:
    """The same as the timeout of a lock."""
    return -1 if until == FOREVER else nanoseconds_left(until) / 1e9

