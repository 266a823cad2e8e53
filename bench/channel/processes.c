/* SPDX-License-Identifier: BSD-2-Clause */
/* Two processes on two processors: rates, and latencies. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../figure.h"
#include "bench.h"

#define MAX_STAMPS 1000000

enum measure { SINGLE, BATCHES, LATENCY, BULK_IN_PLACE, BULK_COPIED, NUM_MEASURES };

static const struct {
    const char *name, *unit;
} texts[NUM_MEASURES] = {{"messages of 64 bytes", "M/s"},
                         {"messages of 64 bytes, 32 at a time", "M/s"},
                         {"one way", "us"},
                         {"messages of 64 KiB, in place", "GB/s"},
                         {"messages of 64 KiB, copied", "GB/s"}};

/* Of the times of one way; each a figure of its own, too. */
static const double percentiles[] = {1, 25, 50, 75, 90, 99, 99.9};

/*
 * Time
 */

static double *stamps;
static size_t num_stamps;

static void stamp(uint64_t number)
{
    (void)number;
    stamps[num_stamps++] = now();
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/*
 * The mean time of a chunk, without those in which one of the processes did not run: virtual processors are taken away
 * unseen, and a chunk that takes three times as long as the tenth percentile says nothing about the code.
 */
static double typical_chunk(void)
{
    double sum = 0;
    size_t kept = 0;

    for (size_t i = 0; i + 1 < num_stamps; i++)
        stamps[i] = stamps[i + 1] - stamps[i];
    num_stamps--;
    qsort(stamps, num_stamps, sizeof(*stamps), compare);
    for (; kept < num_stamps && stamps[kept] <= 3 * stamps[num_stamps / 10]; kept++)
        sum += stamps[kept];
    return sum / (double)kept;
}

/*
 * Two processes
 */

static void run_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        die("cannot run on processor %d: %s", processor, strerror(errno));
}

static uint64_t amount(const struct rival *rival, enum measure measure)
{
    if (measure == LATENCY)
        return rival->is_slow ? 20000 : 200000;
    if (measure == BULK_IN_PLACE || measure == BULK_COPIED)
        return 20000;
    return CHUNK * (rival->is_slow ? 100u : 2000u);
}

static bool can(const struct rival *rival, enum measure measure)
{
    const void *const calls[NUM_MEASURES] = {(const void *)rival->put, (const void *)rival->put_batches,
                                             (const void *)rival->ping, (const void *)rival->put_bulk,
                                             (const void *)rival->put_bulk};

    return calls[measure] != NULL;
}

static void produce(const struct rival *rival, void *way, enum measure measure, uint64_t count)
{
    if (measure == SINGLE)
        rival->put(way, count);
    else if (measure == BATCHES)
        rival->put_batches(way, count);
    else if (measure == LATENCY)
        rival->bounce(way, count);
    else
        rival->put_bulk(way, count, measure == BULK_IN_PLACE);
}

static void print(const struct rival *rival, enum measure measure, double value)
{
    figure_print(&(struct figure){.group = "two processes",
                                  .name = texts[measure].name,
                                  .of = rival->name,
                                  .unit = texts[measure].unit,
                                  .by = "clock"},
                 value);
}

static void print_latencies(const struct rival *rival, uint64_t count)
{
    qsort(stamps, count, sizeof(*stamps), compare);
    print(rival, LATENCY, stamps[count / 2]);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        figure_print(&(struct figure){.group = "two processes",
                                      .name = texts[LATENCY].name,
                                      .of = rival->name,
                                      .axis = "percentile",
                                      .at = percentiles[i],
                                      .unit = texts[LATENCY].unit,
                                      .by = "clock"},
                     stamps[(size_t)((double)count * percentiles[i] / 100)]);
}

static void consume(const struct rival *rival, void *way, enum measure measure, uint64_t count)
{
    switch (measure) {
    case SINGLE:
        rival->get(way, count, stamp);
        print(rival, measure, CHUNK * 1e3 / typical_chunk());
        break;
    case BATCHES:
        rival->get_batches(way, count, stamp);
        print(rival, measure, CHUNK * 1e3 / typical_chunk());
        break;
    case LATENCY:
        for (uint64_t number = 0; number < count; number++) {
            const double begin = now();

            rival->ping(way, number);
            stamps[number] = (now() - begin) / 2e3;
        }
        print_latencies(rival, count);
        break;
    default:
        rival->get_bulk(way, count, measure == BULK_IN_PLACE, stamp);
        print(rival, measure, BULK_BYTES / typical_chunk());
    }
}

/* A process of its own, so that libraries which keep state find none of another repetition. */
static pid_t start_end(const struct rival *rival, enum measure measure, void *memory, int end)
{
    const uint64_t count = amount(rival, measure);
    const pid_t child = fork();
    void *way;

    if (child < 0)
        die("cannot fork: %s", strerror(errno));
    if (child > 0)
        return child;
    run_on(1 - end);
    way = rival->attach(memory, end);
    await_peer(rival, way);
    if (end == 0)
        produce(rival, way, measure, count);
    else
        consume(rival, way, measure, count);
    if (rival->leave)
        rival->leave(way);
    (void)fflush(stdout);
    _exit(0);
}

static void measure_once(const struct rival *rival, enum measure measure, void *memory)
{
    pid_t ends[2];
    int status;

    rival->prepare(memory);
    num_stamps = 0;
    for (int end = 0; end < 2; end++)
        ends[end] = start_end(rival, measure, memory, end);
    for (int end = 0; end < 2; end++)
        if (waitpid(ends[end], &status, 0) != ends[end] || status != 0)
            die("%s: an end failed", rival->name);
}

void measure_processes(int repetitions, const char *only, void *memory)
{
    stamps = malloc(MAX_STAMPS * sizeof(*stamps));
    if (!stamps)
        die("no memory");
    for (int repetition = 0; repetition < repetitions; repetition++)
        for (int measure = 0; measure < NUM_MEASURES; measure++)
            for (size_t k = 0; k < num_rivals; k++) {
                /* Every other time backwards: who comes after a rival that sleeps meets a machine that slept, too. */
                const size_t i = repetition % 2 ? num_rivals - 1 - k : k;

                if ((!only || strcmp(only, rivals[i]->name) == 0) && can(rivals[i], (enum measure)measure))
                    measure_once(rivals[i], (enum measure)measure, memory);
            }
}
