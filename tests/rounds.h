/* SPDX-License-Identifier: BSD-2-Clause */
/* How often tests in C repeat what goes wrong seldom, as tests/qemu/rounds.py has it for those in Python. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/** A number of rounds: in `make test`, and in `make test-long`. */
static inline unsigned int rounds_choose(unsigned int in_short, unsigned int in_long)
{
    return getenv("CROSSVM_LONG") ? in_long : in_short;
}

/** Begins a row of random numbers for rand(), and prints what repeats it. */
static inline void rounds_seed(void)
{
    const char *text = getenv("CROSSVM_SEED");
    unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) : (unsigned int)time(NULL);

    printf("chance: CROSSVM_SEED=%u\n", seed);
    fflush(stdout);
    srand(seed);
}
