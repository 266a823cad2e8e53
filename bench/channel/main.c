/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel beside what one would use instead, between two processes on two processors.
 *
 *   channel_bench [REPETITIONS [RIVAL]]         prints figures; repetitions take turns between the rivals
 *   channel_bench count RIVAL single|batch N    N messages there within one process, by exchange(), for callgrind
 *   channel_bench icount                        the same of all rivals, where an instruction takes one nanosecond
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

const struct rival *const rivals[] = {
    &rival_channel, &rival_channel_in_place, &rival_channel_strict, &rival_channel_bulk, &rival_plain,
#ifdef WITH_BOOST
    &rival_boost,
#endif
#ifdef WITH_CK
    &rival_ck,
#endif
    &rival_pipe,    &rival_stream_socket,    &rival_packet_socket,
#ifdef WITH_ZEROMQ
    &rival_zeromq,
#endif
#ifdef WITH_ICEORYX
    &rival_iceoryx, &rival_iceoryx_bulk,
#endif
};
const size_t num_rivals = sizeof(rivals) / sizeof(rivals[0]);

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

void await_peer(const struct rival *rival, void *way)
{
    while (rival->is_ready && !rival->is_ready(way))
        sched_yield();
}

int main(int argc, char **argv)
{
    void *memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED)
        die("no memory");
    if (argc == 5 && strcmp(argv[1], "count") == 0)
        exchange_messages(argv[2], strcmp(argv[3], "batch") == 0, strtoull(argv[4], NULL, 10), memory);
    else if (argc == 2 && strcmp(argv[1], "icount") == 0)
        print_instructions(memory);
    else
        measure_processes(argc > 1 ? atoi(argv[1]) : 7, argc > 2 ? argv[2] : NULL, memory);
    return 0;
}
