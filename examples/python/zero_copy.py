#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams in place: end 0 makes pictures where they are sent from, end 1 looks at them where they came."""

import sys

import crossvm

PICTURES = 1000
WIDTH, HEIGHT = 64, 48
ROWS = [bytes((x + y) % 256 for x in range(WIDTH)) for y in range(256)]


def make_pictures(channel):
    for i in range(PICTURES):
        with channel.reserve(WIDTH * HEIGHT) as region:
            for y in range(HEIGHT):
                region.memory[y * WIDTH : (y + 1) * WIDTH] = ROWS[(y + i) % 256]
    channel.shutdown()
    channel.drain()
    print(f"{PICTURES} pictures made")


def look_at_pictures(channel):
    count = brightness = 0
    while True:
        try:
            with channel.peek() as region:
                brightness += sum(region.memory)
        except crossvm.PeerGone:
            break
        count += 1
    print(f"{count} pictures seen, of brightness {brightness}")


with crossvm.End(sys.argv[1]) as end, end.datagram() as channel:
    if end.number == 0:
        make_pictures(channel)
    else:
        look_at_pictures(channel)
