#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams without a copy: end 0 makes pictures in the channel's memory, and end 1 reads them there."""

import crossvm
from example import open_end

PICTURES = 1000
WIDTH, HEIGHT = 64, 48
ROWS = [bytes((x + y) % 256 for x in range(WIDTH)) for y in range(256)]


def make_pictures(channel):
    for i in range(PICTURES):
        with channel.reserve(WIDTH * HEIGHT) as span:
            for y in range(HEIGHT):
                span.memory[y * WIDTH : (y + 1) * WIDTH] = ROWS[(y + i) % 256]
    channel.shutdown()
    channel.drain()
    print(f"{PICTURES} pictures made")


def look_at_pictures(channel):
    count = brightness = 0
    while True:
        try:
            with channel.peek() as span:
                brightness += sum(span.memory)
        except crossvm.PeerGone:
            break
        count += 1
    print(f"{count} pictures seen, of brightness {brightness}")


with open_end(__doc__) as end, end.datagram() as channel:
    if end.number == 0:
        make_pictures(channel)
    else:
        look_at_pictures(channel)
