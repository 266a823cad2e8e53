/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rival_bench: what round trips, messages and a stream cost over what one would use without crossvm between a guest and
 * its host.
 *
 * rival_bench serve RIVAL    the guest's end
 * rival_bench measure RIVAL  the host's end; prints a line for each cost: what, bytes, percentile or -, nanoseconds
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../channel/rival.h"
#include "rivals.h"

static const struct stream *const streams[] = {
    &stream_vsock,
    &stream_tcp,
    &stream_net,
    &stream_forward,
    &stream_forward_unix,
    &stream_tcp_within_host,
    &stream_unix_within_host,
    &stream_serial,
};

#define RING "raw-ivshmem"

static int64_t times[ROUNDS];
static size_t num_times;

void fail(const char *format, ...)
{
    va_list arguments;

    fputs("rival_bench: cannot ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* For the ring */
void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void round_trip_add(int64_t ns)
{
    if (num_times < ROUNDS)
        times[num_times++] = ns;
}

void round_trips_clear(void)
{
    num_times = 0;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

void round_trips_print(uint32_t bytes)
{
    /* Those that `crossvm bench` has; 0 is the least, 100 the most */
    static const double percentiles[] = {0, 50, 90, 99, 99.9, 100};

    qsort(times, num_times, sizeof(times[0]), compare);
    for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
        const size_t at = (size_t)((double)num_times * percentiles[i] / 100);

        printf("round_trip %u %g %lld\n", bytes, percentiles[i], (long long)times[at < num_times ? at : num_times - 1]);
    }
}

void print_cost(const char *what, uint32_t bytes, double ns)
{
    printf("%s %u - %.1f\n", what, bytes, ns);
}

static const struct stream *find(const char *name)
{
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        if (strcmp(streams[i]->name, name) == 0)
            return streams[i];
    fail("find a rival with the name %s", name);
}

static _Noreturn void serve(const char *name)
{
    if (strcmp(name, RING) == 0)
        ring_serve();
    for (const struct stream *stream = find(name);;) {
        int fd = stream->in_guest();

        stream_serve(fd);
        close(fd);
    }
}

static void measure(const char *name)
{
    if (strcmp(name, RING) == 0)
        ring_measure();
    else
        stream_measure(find(name));
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    if (argc != 3 || strcmp(argv[1], "measure") != 0) {
        fprintf(stderr, "usage: rival_bench serve RIVAL | measure RIVAL\n");
        return 2;
    }
    measure(argv[2]);
    return 0;
}
