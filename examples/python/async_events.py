#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A dataport and events in an event loop: end 0 writes one value after the other, and end 1 takes the newest whenever it
looks. Events that come together wake it once, so it may see fewer values than there were, but always the last one."""

import asyncio
import struct

from example import open_end

VALUE = struct.Struct("<Q")
LAST = 1000


async def write(end, memory):
    for value in range(1, LAST + 1):
        memory[: VALUE.size] = VALUE.pack(value)
        end.emit()
        await asyncio.sleep(0)  # other tasks run
    await end.async_wait()  # the peer has seen the last one
    print(f"wrote {LAST} values")


async def watch(end, memory):
    value = 0
    while value != LAST:
        await end.async_wait()
        (value,) = VALUE.unpack(memory[: VALUE.size])
    end.emit()
    print(f"saw {value} last")


with open_end(__doc__) as end:
    asyncio.run((write if end.number == 0 else watch)(end, end.dataports[0].memory))
