/* SPDX-License-Identifier: BSD-2-Clause */
/* Command bench: latency and throughput of messages, with a `crossvm bench --serve` at the other end. */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZES 32
#define MAX_SAMPLES 1000000

enum {
    OPTION_SERVE = 256,
    OPTION_JSON,
    OPTION_STREAM,
};

struct request {
    struct channel_choice choice;
    uint64_t sizes[MAX_SIZES];
    size_t num_sizes;
    double seconds; /* for each measurement */
    bool serve;
    bool json;
};

/* What a measurement works with. */
struct bench {
    crossvm_channel_t *channel;
    uint8_t *buffer;   /* as long as the longest message */
    uint32_t *samples; /* nanoseconds */
    int64_t ns;        /* for each measurement */
};

static volatile int signaled;

/* --- command line --- */

static void parse_sizes(struct argp_state *state, struct request *request, char *text)
{
    request->num_sizes = 0;
    for (char *size = strtok(text, ","); size; size = strtok(NULL, ",")) {
        if (request->num_sizes == MAX_SIZES)
            argp_error(state, "--sizes: at most %d", MAX_SIZES);
        request->sizes[request->num_sizes] = tool_parse_size(state, "--sizes", size);
        if (request->sizes[request->num_sizes++] == 0)
            argp_error(state, "--sizes: at least 1 byte");
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 's':
        parse_sizes(state, request, argument);
        return 0;
    case 'T':
        request->seconds = parse_seconds(state, "--time", argument);
        return 0;
    case OPTION_SERVE:
        request->serve = true;
        return 0;
    case OPTION_JSON:
        request->json = true;
        return 0;
    case OPTION_STREAM:
        request->choice.mode = CROSSVM_CHANNEL_STREAM;
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"serve", OPTION_SERVE, NULL, 0, "be the other end, until Ctrl-C", 0},
            {"json", OPTION_JSON, NULL, 0, "print JSON", 0},
            {"sizes", 's', "SIZE,...", 0, "bytes of a message (default: 64 to the largest datagram)", 0},
            {"stream", OPTION_STREAM, NULL, 0, "through a stream, at both ends, instead of as datagrams", 0},
            {"time", 'T', "SECONDS", 0, "for each of the three measurements of a size (default 0.5)", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Measures round trips and throughput of messages, with a `crossvm bench --serve` at the other end.\v"
           "EXITS is how often the guest left its CPU in a round trip, as its host sees it.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
    .help_filter = tool_help_filter,
};

/* --- measurements: each returns 0 or a negative errno value --- */

static int order(const struct bench *bench, enum bench_kind kind, uint64_t size, uint64_t count)
{
    const struct bench_order order = {.magic = BENCH_MAGIC, .kind = kind, .size = size, .count = count};

    return bench_send(bench->channel, &order, sizeof(order));
}

static int send_message(const struct bench *bench, uint64_t size)
{
    return bench_send(bench->channel, bench->buffer, size);
}

static int recv_message(const struct bench *bench, uint64_t size)
{
    return bench_recv(bench->channel, bench->buffer, size);
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void summarize(uint32_t *samples, size_t n, struct bench_result *result)
{
    qsort(samples, n, sizeof(*samples), by_size);
    result->round_trips = n;
    result->min_us = samples[0] / 1e3;
    result->median_us = samples[n / 2] / 1e3;
    result->p90_us = samples[n - 1 - n / 10] / 1e3;
    result->p99_us = samples[n - 1 - n / 100] / 1e3;
    result->p999_us = samples[n - 1 - n / 1000] / 1e3;
    result->max_us = samples[n - 1] / 1e3;
}

static int round_trip(const struct bench *bench, uint64_t size)
{
    int error = send_message(bench, size);

    return error ? error : recv_message(bench, size);
}

/* Exits of the guest so far, or -1: only its host sees them. */
static double count_exits(const struct bench *bench)
{
    crossvm_end_info_t info;

    if (crossvm_info(crossvm_channel_get_end(bench->channel), &info) || info.vm_exits == 0)
        return -1;
    return (double)info.vm_exits;
}

static int measure_round_trips(const struct bench *bench, struct bench_result *result)
{
    int error = order(bench, BENCH_ECHO, result->size, 0);
    int64_t now, end;
    double exits;
    size_t n = 0;

    bench->buffer[0] = 1; /* more will come */
    if (!error)
        error = round_trip(bench, result->size);
    exits = count_exits(bench);
    now = clock_ns();
    end = now + bench->ns;
    while (!error && !signaled && n < MAX_SAMPLES && (now < end || n == 0)) {
        int64_t start = now;

        error = round_trip(bench, result->size);
        now = clock_ns();
        bench->samples[n++] = now - start > UINT32_MAX ? UINT32_MAX : (uint32_t)(now - start);
    }
    result->exits = exits < 0 ? -1 : (count_exits(bench) - exits) / (double)n;
    bench->buffer[0] = 0; /* the last one */
    if (!error)
        error = round_trip(bench, result->size);
    if (!error)
        summarize(bench->samples, n, result);
    return error;
}

static int send_all(const struct bench *bench, uint64_t size, uint64_t count)
{
    int error = order(bench, BENCH_TAKE, size, count);

    for (uint64_t i = 0; i < count && !error; i++)
        error = send_message(bench, size);
    return error ? error : recv_message(bench, 1);
}

static int recv_all(const struct bench *bench, uint64_t size, uint64_t count)
{
    int error = order(bench, BENCH_GIVE, size, count);

    for (uint64_t i = 0; i < count && !error; i++)
        error = recv_message(bench, size);
    return error;
}

/* Doubles the count until it takes as long as it should, since nobody knows beforehand how fast it is. */
static int measure_throughput(const struct bench *bench, int (*move)(const struct bench *, uint64_t, uint64_t),
                              uint64_t size, double *per_s)
{
    for (uint64_t count = 16;; count *= 2) {
        int64_t start = clock_ns(), took;
        int error = move(bench, size, count);

        took = clock_ns() - start;
        if (error || signaled)
            return error ? error : -EINTR;
        if (2 * took >= bench->ns || count > UINT64_MAX / 4) {
            *per_s = (double)count * 1e9 / (double)(took > 0 ? took : 1);
            return 0;
        }
    }
}

static int measure(const struct bench *bench, struct bench_result *result)
{
    int error = measure_round_trips(bench, result);

    if (!error)
        error = measure_throughput(bench, send_all, result->size, &result->to_peer_per_s);
    if (!error)
        error = measure_throughput(bench, recv_all, result->size, &result->from_peer_per_s);
    return error;
}

/* --- the command --- */

/* From a cache line upwards, each four times the last, and the largest that there can be, cut to a round number. */
static void choose_sizes(struct request *request, size_t largest)
{
    uint64_t size = 64;

    for (; size * 2 <= largest && request->num_sizes < MAX_SIZES; size *= 4)
        request->sizes[request->num_sizes++] = size;
}

static bool sizes_fit(const struct request *request, const crossvm_channel_t *channel)
{
    size_t largest = crossvm_channel_max_message(channel);

    for (size_t i = 0; i < request->num_sizes; i++) {
        if (request->sizes[i] > largest) {
            message("%" PRIu64 " bytes are too large: connection \"%s\" carries up to %zu", request->sizes[i],
                    crossvm_name(crossvm_channel_get_end(channel)), largest);
            return false;
        }
    }
    return true;
}

static int run(const struct bench *bench, const struct request *request)
{
    struct bench_result results[MAX_SIZES] = {{0}};
    int status = channel_connect(bench->channel, channel_deadline(&request->choice));

    for (size_t i = 0; i < request->num_sizes && status == STATUS_OK; i++) {
        int error;

        results[i].size = request->sizes[i];
        error = measure(bench, &results[i]);
        if (error == -EBADMSG) {
            message("the other end is no `crossvm bench --serve` of this release");
            return STATUS_ERROR;
        }
        if (error)
            return channel_error(bench->channel, error);
    }
    if (status != STATUS_OK)
        return status;
    if (request->json)
        return bench_print_json(crossvm_name(crossvm_channel_get_end(bench->channel)), results, request->num_sizes);
    return bench_print_text(results, request->num_sizes);
}

static int run_at(crossvm_channel_t *channel, struct request *request)
{
    const size_t largest = crossvm_channel_max_message(channel);
    struct bench bench = {.channel = channel, .ns = (int64_t)(request->seconds * 1e9)};
    int status = STATUS_ERROR;

    if (request->num_sizes == 0)
        choose_sizes(request, largest);
    if (!sizes_fit(request, channel))
        return STATUS_ERROR;
    bench.buffer = calloc(1, largest);
    bench.samples = malloc(MAX_SAMPLES * sizeof(*bench.samples));
    if (bench.buffer && bench.samples)
        status = run(&bench, request);
    else
        message("no memory for messages of %zu bytes", largest);
    free(bench.buffer);
    free(bench.samples);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM), .seconds = 0.5};
    crossvm_channel_t *channel;
    int status;

    tool_parse(&argp, argc, argv, &request);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    catch_signals(&signaled);
    status = request.serve ? bench_serve(channel, &signaled) : run_at(channel, &request);
    channel_close(channel);
    return status;
}
