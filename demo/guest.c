/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's half of the demonstration.
 *
 *   demo-guest reverse TEXT...   each text to the host and back, reversed
 *   demo-guest send FILE         a file to the host
 *   demo-guest receive FILE      the same file back from it
 *   demo-guest ping N            N events there and back, timed
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "courier.h"

#define TEXT "text"
#define BULK "bulk"

static int reverse(int n, char **texts)
{
    struct courier courier;
    int error = courier_open(&courier, TEXT, 1);

    if (error)
        return error;
    for (int i = 0; i < n && !error; i++) {
        char answer[256];
        long length;

        error = courier_send(&courier, texts[i], strlen(texts[i]));
        length = error ? -1 : courier_receive(&courier, answer, sizeof(answer));
        if (length < 0)
            error = -1;
        else
            (void)printf("  guest: \"%s\"  ->  \"%.*s\"\n", texts[i], (int)length, answer);
    }
    courier_close(&courier);
    return error;
}

static int move_file(const char *request, const char *path)
{
    struct courier courier;
    int error = courier_open(&courier, BULK, 1);

    if (error)
        return error;
    error = courier_send(&courier, request, strlen(request));
    if (!error)
        error = strcmp(request, "send") == 0 ? courier_send_file(&courier, path) : courier_receive_file(&courier, path);
    courier_close(&courier);
    return error;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int bounce(crossvm_t *end, uint64_t *times, long n)
{
    for (long i = 0; i < n; i++) {
        uint64_t start = now_ns();

        if (crossvm_emit(end))
            return -1;
        for (int events = 0; events == 0;) {
            events = crossvm_wait(end, 10000);
            if (events < 0)
                return -1;
        }
        times[i] = now_ns() - start;
    }
    return 0;
}

static int ping(const char *argument)
{
    long n = strtol(argument, NULL, 10);
    uint64_t *times = n > 0 ? calloc((size_t)n, sizeof(*times)) : NULL;
    struct courier courier;
    char answer[8];
    int error = -1;

    if (!times || courier_open(&courier, BULK, 1)) {
        free(times);
        return -1;
    }
    if (courier_send(&courier, "ping", 4) == 0 && courier_receive(&courier, answer, sizeof(answer)) == 2) {
        while (crossvm_wait(courier.end, 20) > 0) /* what is left of the messages */
            ;
        error = bounce(courier.end, times, n);
        if (!error)
            error = courier_send(&courier, "done", 4);
    }
    if (!error) {
        qsort(times, (size_t)n, sizeof(*times), compare);
        (void)printf("  guest: %ld round trips: median %.1f us, 99th percentile %.1f us\n", n,
                     (double)times[n / 2] / 1e3, (double)times[n * 99 / 100] / 1e3);
    }
    courier_close(&courier);
    free(times);
    return error;
}

int main(int argc, char **argv)
{
    int error = -1;

    if (argc > 2 && strcmp(argv[1], "reverse") == 0)
        error = reverse(argc - 2, argv + 2);
    else if (argc == 3 && (strcmp(argv[1], "send") == 0 || strcmp(argv[1], "receive") == 0))
        error = move_file(argv[1], argv[2]);
    else if (argc == 3 && strcmp(argv[1], "ping") == 0)
        error = ping(argv[2]);
    else
        (void)fprintf(stderr, "usage: demo-guest reverse TEXT... | send FILE | receive FILE | ping N\n");
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
