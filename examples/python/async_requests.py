#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams in an event loop: end 0 asks many questions at once, and end 1 answers each when it is done, in any order."""

import asyncio
import struct

from example import open_end

REQUEST = struct.Struct("<II")  # the question's number, and how far to sum
ANSWER = struct.Struct("<IQ")
QUESTIONS = [100000, 10, 50000, 1]


async def receive_answers(channel, waiting):
    """Gives each answer to the task that waits for it."""
    while waiting:
        number, result = ANSWER.unpack(await channel.async_recv())
        waiting.pop(number).set_result(result)


async def ask(channel, waiting, number, limit):
    waiting[number] = asyncio.get_running_loop().create_future()
    await channel.async_send(REQUEST.pack(number, limit))
    return await waiting[number]


async def ask_all(channel):
    waiting = {}
    questions = [asyncio.create_task(ask(channel, waiting, *question)) for question in enumerate(QUESTIONS)]
    await asyncio.sleep(0)  # now each task has its place in `waiting`
    await receive_answers(channel, waiting)
    for limit, task in zip(QUESTIONS, questions):
        print(f"1 + ... + {limit} = {await task}")


async def answer(channel, number, limit):
    total = 0
    for i in range(1, limit + 1):
        total += i
        if i % 1000 == 0:
            await asyncio.sleep(0)  # a long sum lets short ones go first
    await channel.async_send(ANSWER.pack(number, total))


async def answer_all(channel):
    tasks = set()
    async for request in channel:  # until the peer is gone
        tasks.add(asyncio.create_task(answer(channel, *REQUEST.unpack(request))))
    await asyncio.gather(*tasks)
    print(f"{len(tasks)} questions answered")


with open_end(__doc__) as end, end.datagram() as channel:
    asyncio.run(ask_all(channel) if end.number == 0 else answer_all(channel))
