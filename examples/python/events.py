#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A dataport and events, without a channel: end 0 writes a text and emits an event, end 1 reverses the text and emits
an event, too."""

from example import open_end

TEXT_BYTES = 64


def await_event(end):
    """wait() also returns, with 0, when the peer comes or goes."""
    while end.wait() == 0:
        pass


def read_text(memory):
    """Copies first: the peer can change the memory at any time."""
    return bytes(memory).split(b"\0")[0].decode(errors="replace")


def write_text(memory, text):
    memory[:] = text.encode().ljust(TEXT_BYTES, b"\0")


with open_end(__doc__) as end:
    memory = end.dataports[0].memory
    # Each half has one writer.
    with memory[:TEXT_BYTES] as question, memory[TEXT_BYTES : 2 * TEXT_BYTES] as answer:
        if end.number == 0:
            write_text(question, "stressed desserts")
            end.emit()
            await_event(end)
            print("came back:", read_text(answer))
        else:
            await_event(end)
            text = read_text(question)
            print("came:", text)
            write_text(answer, text[::-1])
            end.emit()
