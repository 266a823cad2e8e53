#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A stream in an event loop: end 0 sends a million bytes, and at the same time receives what end 1 sends back."""

import asyncio

from example import open_end

TOTAL = 1000000
DATA = bytes((i * 7 + i // 251) % 256 for i in range(TOTAL))


async def send_all(stream):
    await stream.async_send(DATA)
    stream.shutdown()


async def receive_all(stream):
    received = bytearray()
    while piece := await stream.async_recv():
        received += piece
    return received


async def ask(stream):
    _, received = await asyncio.gather(send_all(stream), receive_all(stream))
    right = sum(a == b for a, b in zip(received, DATA))
    print(f"{len(received)} bytes came back, {right} of them right")


async def echo(stream):
    total = 0
    while piece := await stream.async_recv():
        total += await stream.async_send(piece)
    print(f"sent back {total} bytes")


with open_end(__doc__) as end, end.stream() as stream:
    asyncio.run(ask(stream) if end.number == 0 else echo(stream))
