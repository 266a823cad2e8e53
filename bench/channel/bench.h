/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of channel_bench know of each other. */
#ifndef BENCH_H
#define BENCH_H

#include "rival.h"

extern const struct rival *const rivals[];
extern const size_t num_rivals;

/** Nanoseconds. */
double now(void);

/** Waits until what one end puts reaches the other. */
void await_peer(const struct rival *rival, void *way);

/** Prints figures of two processes on two processors; with `only`, of one rival. */
void measure_processes(int repetitions, const char *only, void *memory);

/** Both ends in one process, in turns: N messages, which somebody else counts the instructions of. */
void exchange_messages(const char *name, bool batch, uint64_t count, void *memory);

/** The same of all rivals; prints the nanoseconds of a message as its instructions. */
void print_instructions(void *memory);

#endif
