#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Datagrams: end 0 asks for products of two numbers, end 1 answers."""

import struct

from example import open_end

REQUEST = struct.Struct("<II")
ANSWER = struct.Struct("<Q")


def ask(channel):
    for i in range(1, 6):
        a, b = i * 1000003, i + 7
        channel.send(REQUEST.pack(a, b))
        (product,) = ANSWER.unpack(channel.recv())
        print(f"{a} * {b} = {product}")


def answer_all(channel):
    answered = 0
    for request in channel:  # until the peer is gone
        a, b = REQUEST.unpack(request)
        channel.send(ANSWER.pack(a * b))
        answered += 1
    print(f"{answered} requests answered")


with open_end(__doc__) as end, end.datagram() as channel:
    if end.number == 0:
        ask(channel)
    else:
        answer_all(channel)
