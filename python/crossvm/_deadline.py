# SPDX-License-Identifier: BSD-2-Clause
"""Deadlines, made of timeouts: nanoseconds of the monotonic clock, as in crossvm_deadline_t."""

from __future__ import annotations

import math
import time
from typing import Optional

NOW = 0
FOREVER = 2**63 - 1

# Seconds, about 272 years. A longer timeout may not fit into 63 bits of nanoseconds when the clock's value is added.
LONGEST = 2**33


def deadline(timeout: Optional[float]) -> int:
    """The end of a timeout that begins now.

    :param timeout: seconds; None, infinity and more than LONGEST give FOREVER, 0 gives NOW; a negative number and NaN
        are a ValueError
    """
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
    """The time until a deadline other than FOREVER, at least 0."""
    return 0 if until == NOW else max(0, until - time.monotonic_ns())


def seconds_left(until: int) -> Optional[float]:
    """The same as a timeout of an event loop."""
    return None if until == FOREVER else nanoseconds_left(until) / 1e9


def lock_timeout(until: int) -> float:
    """The same as a timeout of a lock."""
    return -1 if until == FOREVER else nanoseconds_left(until) / 1e9
