/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends in one process, in turns: for counting instructions, on one processor. */
#include <string.h>

#include "../figure.h"
#include "bench.h"

static void look_away(uint64_t number)
{
    (void)number;
}

static void take_turns(const struct rival *rival, void *const way[2], bool batch, uint64_t count)
{
    for (uint64_t done = 0; done < count; done += 8 * BATCH) {
        if (batch) {
            rival->put_batches(way[0], 8 * BATCH);
            rival->get_batches(way[1], 8 * BATCH, look_away);
        } else {
            rival->put(way[0], 8 * BATCH);
            rival->get(way[1], 8 * BATCH, look_away);
        }
    }
}

/* A function of its own, which counts.py names: what is before it does not count. */
__attribute__((noinline)) void exchange(const struct rival *rival, void *const way[2], bool batch, uint64_t count);

void exchange(const struct rival *rival, void *const way[2], bool batch, uint64_t count)
{
    take_turns(rival, way, batch, count);
}

static void attach_both(const struct rival *rival, void *way[2], void *memory)
{
    rival->prepare(memory);
    for (int turn = 0; turn < 6; turn++) /* each may have to wait for the other */
        way[turn % 2] = rival->attach(memory, turn % 2);
    for (int end = 0; end < 2; end++)
        await_peer(rival, way[end]);
}

void exchange_messages(const char *name, bool batch, uint64_t count, void *memory)
{
    for (size_t i = 0; i < num_rivals; i++) {
        void *way[2];

        if (strcmp(rivals[i]->name, name) != 0 || (batch && !rivals[i]->put_batches))
            continue;
        attach_both(rivals[i], way, memory);
        take_turns(rivals[i], way, batch, count); /* what is done once, such as finding functions of a library */
        exchange(rivals[i], way, batch, count);
        return;
    }
    die("there is no rival \"%s\" that can do this", name);
}

static void print_nanoseconds(const struct rival *rival, bool batch, void *memory)
{
    const uint64_t count = 80ULL * 8 * BATCH;
    void *way[2];
    double begin;

    attach_both(rival, way, memory);
    take_turns(rival, way, batch, count); /* the same, and pages and caches of the kernel's */
    begin = now();
    take_turns(rival, way, batch, count);
    figure_print(&(struct figure){.group = "both ends in one process, with the kernel",
                                  .name = batch ? "message of 64 bytes, 32 at a time" : "message of 64 bytes",
                                  .of = rival->name,
                                  .unit = "instructions",
                                  .by = "icount"},
                 (now() - begin) / (double)count);
}

void print_instructions(void *memory)
{
    for (size_t i = 0; i < num_rivals; i++) {
        if (rivals[i]->put)
            print_nanoseconds(rivals[i], false, memory);
        if (rivals[i]->put_batches)
            print_nanoseconds(rivals[i], true, memory);
    }
}
