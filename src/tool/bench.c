/* SPDX-License-Identifier: BSD-2-Clause */
/* Command bench: latency and throughput of messages, with a `crossvm bench --serve` at the other end. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../common/standard_streams.h"
#include "bench.h"
#include "samples.h"

#define MAX_SIZES 32

enum {
    OPTION_SERVE = 256,
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
    uint8_t *buffer; /* as long as the longest message */
    struct samples samples;
    int64_t ns; /* for each measurement */
};

static volatile int signaled;

/* --- command line --- */

static void parse_sizes(struct argp_state *state, struct request *request, char *text)
{
    request->num_sizes = 0;
    for (char *size = strtok(text, ","); size; size = strtok(NULL, ",")) {
        if (request->num_sizes == MAX_SIZES)
            command_line_error(state, "--sizes: at most %d", MAX_SIZES);
        request->sizes[request->num_sizes++] = command_line_size(state, "--sizes", size, 1);
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
        request->seconds = command_line_seconds(state, "--time", argument);
        return 0;
    case OPTION_SERVE:
        request->serve = true;
        return 0;
    case 'j':
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
            {"serve", OPTION_SERVE, NULL, 0, "be the other end: serve one client after the other, until Ctrl-C", 0},
            {"json", 'j', NULL, 0, "print JSON, when all is measured", 0},
            {"sizes", 's', "SIZE,...", 0, "bytes of a message (default: 64 to the largest datagram)", 0},
            {"stream", OPTION_STREAM, NULL, 0, "use a stream, not datagrams; give this option at both ends", 0},
            {"time", 'T', "SECONDS", 0, "for each of the three measurements of a size (default 0.5)", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Measures round trips and throughput of messages, with a `crossvm bench --serve` at the other end.\v"
           "EXITS counts the exits of the guest to its host in a round trip; only the host can tell. Ctrl-C ends the "
           "measurement; what was measured by then is printed. Exit status: 0 when all was measured, 1 when nobody "
           "came in time, 2 for an error, 128 and the signal's number after a signal.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
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

/* Waits for the peer, and finds out whether it is a `crossvm bench --serve`. */
static int meet(const struct bench *bench, crossvm_deadline_t deadline)
{
    struct bench_order answer = {0};
    int error = crossvm_channel_connect(bench->channel, deadline);

    if (!error)
        error = order(bench, BENCH_MEET, 1, 0);
    if (!error)
        error = bench_recv(bench->channel, &answer, sizeof(answer));
    return error || answer.magic == BENCH_ANSWER ? error : -EBADMSG;
}

static void summarize(struct samples *samples, struct bench_result *result)
{
    samples_sort(samples);
    result->round_trips = samples->count;
    result->min_us = samples->ns[0] / 1e3;
    result->median_us = samples_us(samples, 2);
    result->p90_us = samples_us(samples, 10);
    result->p99_us = samples_us(samples, 100);
    result->p999_us = samples_us(samples, 1000);
    result->max_us = samples_us(samples, SIZE_MAX);
}

static int round_trip(const struct bench *bench, uint64_t size)
{
    int error = send_message(bench, size);

    return error ? error : recv_message(bench, size);
}

/* Exits of the guest so far, or -1: only its host knows. */
static double count_exits(const struct bench *bench)
{
    crossvm_end_info_t info;

    if (crossvm_info(crossvm_channel_get_end(bench->channel), &info, sizeof(info)) || info.vm_exits == 0)
        return -1;
    return (double)info.vm_exits;
}

static int measure_round_trips(struct bench *bench, struct bench_result *result)
{
    int error = order(bench, BENCH_ECHO, result->size, 0);
    struct samples *samples = &bench->samples;
    int64_t now, end;
    double exits;

    samples->count = 0;
    bench->buffer[0] = 1; /* more will come */
    if (!error)
        error = round_trip(bench, result->size);
    exits = count_exits(bench);
    now = now_ns();
    end = now + bench->ns;
    while (!error && !signaled && samples->count < MAX_SAMPLES && (now < end || samples->count == 0)) {
        int64_t start = now;

        error = round_trip(bench, result->size);
        now = now_ns();
        samples_add(samples, now - start);
    }
    if (error || signaled)
        return error ? error : -EINTR;
    result->exits = exits < 0 ? -1 : (count_exits(bench) - exits) / (double)samples->count;
    bench->buffer[0] = 0; /* the last one */
    error = round_trip(bench, result->size);
    if (!error)
        summarize(samples, result);
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

/* Doubles the count until it takes as long as it should: how fast the channel is turns out only then. */
static int measure_throughput(const struct bench *bench, int (*move)(const struct bench *, uint64_t, uint64_t),
                              uint64_t size, double *per_s)
{
    for (uint64_t count = 16;; count *= 2) {
        int64_t start = now_ns(), took;
        int error = move(bench, size, count);

        took = now_ns() - start;
        if (error || signaled)
            return error ? error : -EINTR;
        if (2 * took >= bench->ns || count > UINT64_MAX / 4) {
            *per_s = (double)count * 1e9 / (double)(took > 0 ? took : 1);
            return 0;
        }
    }
}

static int measure(struct bench *bench, struct bench_result *result)
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
                    channel_name(channel), largest);
            return false;
        }
    }
    return true;
}

/* Measures one size after the other, and prints each row at once. Returns 0 or a negative errno value. */
static int measure_all(struct bench *bench, const struct request *request, struct bench_result *results, size_t *count)
{
    int error = meet(bench, deadline_after(request->choice.seconds));

    for (size_t i = 0; i < request->num_sizes && !error; i++) {
        results[i].size = request->sizes[i];
        error = measure(bench, &results[i]);
        if (error)
            break;
        (*count)++;
        if (!request->json)
            bench_print_row(&results[i]);
        if (!standard_output_flush())
            return -EIO;
    }
    return error;
}

static int run(struct bench *bench, const struct request *request)
{
    struct bench_result results[MAX_SIZES] = {{0}};
    size_t count = 0;
    int error;

    if (!request->json)
        bench_print_head();
    if (!standard_output_flush())
        return STATUS_ERROR;
    channel_ask_for(bench->channel, "crossvm bench --serve");
    error = measure_all(bench, request, results, &count);
    if (request->json && bench_print_json(channel_name(bench->channel), results, count) != STATUS_OK)
        return STATUS_ERROR;
    if (!standard_output_flush())
        return STATUS_ERROR;
    if (error && signaled)
        return 128 + signaled;
    if (error == -EBADMSG) {
        message("the other end of connection \"%s\" is no `crossvm bench --serve` of this release",
                channel_name(bench->channel));
        return STATUS_ERROR;
    }
    return error ? channel_error(error) : STATUS_OK;
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
    if (bench.buffer && samples_create(&bench.samples))
        status = run(&bench, request);
    else
        message("no memory for messages of %zu bytes", largest);
    free(bench.buffer);
    samples_free(&bench.samples);
    return status;
}

int cmd_bench(int argc, char **argv)
{
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM), .seconds = 0.5};
    crossvm_channel_t *channel;
    int status;

    command_line_parse(&argp, 0, argc, argv, &request);
    catch_signals(&signaled);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    status = request.serve ? bench_serve(channel, &signaled) : run_at(channel, &request);
    channel_close(channel);
    return status;
}
