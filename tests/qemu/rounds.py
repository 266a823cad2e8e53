# SPDX-License-Identifier: BSD-2-Clause
"""How often tests repeat what goes wrong seldom, in `make test` and in `make test-long`: the one place for that."""

import os
import random
import sys

LONG = "CROSSVM_LONG" in os.environ


def choose(short, long):
    return long if LONG else short


VMM_KILLS = choose(3, 100)  # a VMM, at any point of its guest's life
REBOOTS = choose(1, 20)  # of a guest
DRIVER_LOADS = choose(20, 100)  # rmmod and insmod
FORWARDER_KILLS = choose(6, 200)  # a forwarder, at each of the ends, or the hub
BRIDGE_KILLS = choose(10, 200)  # a server of NATS, a bridge, or the hub at either side
BRIDGE_PROGRAM_KILLS = choose(5, 200)  # a program that takes what a bridge receives, and one that sends
BRIDGE_VMM_KILLS = choose(2, 200)  # a VMM whose guest takes from a bridge, and sends to it
PEER_KILLS = choose(10, 200)  # a program, at each of the ends
SENDER_KILLS = choose(3, 100)  # a program of the guest that sends, with a ring that is full or flows
STOPS = choose(2, 50)  # of the VMM, while its guest answers
RECORDER_KILLS = choose(5, 200)  # a program that records, while messages come
OBSERVED_HUB_KILLS = choose(5, 200)  # while programs look on, record and replay
RACING_ROUNDS = choose(1000, 10000)  # both ends sleep and are woken
PLUGS = choose(5, 100)  # a connection, or its driver, into a guest that runs, and out of it while a program uses it
EVENT_ROUNDS = choose(20, 1000)  # of events, each with programs of its own
CALLS = choose(6, 0)  # system calls of each program that fail while it starts; 0: all
ALLOCATIONS = choose(8, 0)  # the same of allocations


seed = int(os.environ.get("CROSSVM_SEED", random.randrange(1 << 32)))
random.seed(seed)
if LONG:
    print(f"[long] chance: CROSSVM_SEED={seed}", file=sys.stderr, flush=True)


def rounds(what, count):
    """The numbers of rounds. `make test-long` shows how far it is."""
    for i in range(count):
        yield i
        if LONG and (i + 1) * 10 // count > i * 10 // count:
            print(f"[long] {what}: {i + 1} of {count}", file=sys.stderr, flush=True)
