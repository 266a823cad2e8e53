/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands ping and echo. */
#include "end_channel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SAMPLES 1000000 /* round trips that percentiles are made of */

static volatile int signaled;

/* --- ping --- */

struct request {
    struct channel_choice choice;
    uint64_t count;
    uint64_t size;
    double interval;
    double patience; /* for an answer */
    bool flood;
    bool quiet;
};

struct ping {
    const struct request *request;
    crossvm_channel_t *channel;
    uint8_t *message; /* the sequence number, then a pattern */
    uint8_t *answer;
    uint64_t sent;
    uint64_t received;
    uint32_t *samples; /* nanoseconds */
    size_t num_samples;
    int64_t started_ns;
};

static error_t parse_ping(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'c':
        request->count = tool_parse_number(state, "--count", argument);
        if (request->count == 0)
            argp_error(state, "--count: at least 1");
        return 0;
    case 'i':
        request->interval = parse_seconds(state, "--interval", argument);
        return 0;
    case 's':
        request->size = tool_parse_size(state, "--size", argument);
        if (request->size < sizeof(uint64_t))
            argp_error(state, "--size: at least 8, for a number");
        return 0;
    case 'W':
        request->patience = parse_seconds(state, "--patience", argument);
        return 0;
    case 'f':
        request->flood = true;
        return 0;
    case 'q':
        request->quiet = true;
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp ping_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'c', "COUNT", 0, "send so many (default: until Ctrl-C)", 0},
            {"flood", 'f', NULL, 0, "send the next one as soon as the answer is there, and print no lines", 0},
            {"interval", 'i', "SECONDS", 0, "time from one to the next (default 1)", 0},
            {"patience", 'W', "SECONDS", 0, "how long to wait for an answer (default 1)", 0},
            {"quiet", 'q', NULL, 0, "print only the end", 0},
            {"size", 's', "BYTES", 0, "bytes of a message (default 56)", 0},
            {0},
        },
    .parser = parse_ping,
    .args_doc = "NAME",
    .doc = "Sends datagrams to a `crossvm echo` at the other end and prints how long each takes there and back.\v"
           "Exit status: 0 when an answer came, 1 when none came, 2 for an error.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
    .help_filter = tool_help_filter,
};

/*
 * Waits for the answer to the message that was sent last; answers to older ones, for which we had no patience, are
 * passed over. Returns 0 or a negative errno value.
 */
static int await_answer(const struct ping *ping, crossvm_deadline_t deadline)
{
    const struct request *request = ping->request;

    for (;;) {
        ptrdiff_t length = crossvm_channel_recv(ping->channel, ping->answer, request->size, deadline);

        if (length < 0)
            return (int)length;
        if ((uint64_t)length != request->size)
            return -EMSGSIZE;
        if (memcmp(ping->answer, ping->message, sizeof(uint64_t)) != 0)
            continue;
        return memcmp(ping->answer, ping->message, request->size) == 0 ? 0 : -EBADMSG;
    }
}

static void note(struct ping *ping, int64_t ns)
{
    ping->received++;
    if (ping->num_samples < MAX_SAMPLES)
        ping->samples[ping->num_samples++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
    if (!ping->request->quiet && !ping->request->flood)
        printf("%" PRIu64 " bytes from %s: seq=%" PRIu64 " time=%.1f us\n", ping->request->size,
               crossvm_name(crossvm_channel_get_end(ping->channel)), ping->sent, (double)ns / 1e3);
}

/* One message there and back. Returns 0, or a negative errno value when the session or the program is to end. */
static int exchange(struct ping *ping)
{
    const struct request *request = ping->request;
    uint64_t number = ping->sent + 1;
    int64_t start = clock_ns();
    crossvm_deadline_t deadline = CROSSVM_DEADLINE(start + (int64_t)(request->patience * 1e9));
    ptrdiff_t result;

    memcpy(ping->message, &number, sizeof(number));
    result = crossvm_channel_send(ping->channel, ping->message, request->size, deadline);
    if (result == -ETIMEDOUT || result >= 0)
        ping->sent++;
    if (result >= 0)
        result = await_answer(ping, deadline);
    if (result == 0)
        note(ping, clock_ns() - start);
    else if (result == -ETIMEDOUT && !request->quiet)
        printf("no answer from %s: seq=%" PRIu64 "\n", crossvm_name(crossvm_channel_get_end(ping->channel)), number);
    else if (result == -EMSGSIZE || result == -EBADMSG)
        message("what came back is not what was sent: is the other end a `crossvm echo`?");
    fflush(stdout);
    return result == -ETIMEDOUT ? 0 : (int)result;
}

static void sleep_until(int64_t ns)
{
    struct timespec until = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    while (!signaled && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

static bool goes_on(const struct ping *ping)
{
    return !signaled && ping->sent < ping->request->count;
}

static int run_ping(struct ping *ping)
{
    int status = channel_connect(ping->channel, channel_deadline(&ping->request->choice));

    if (status != STATUS_OK)
        return status;
    ping->started_ns = clock_ns();
    printf("PING %s: %" PRIu64 " bytes\n", crossvm_name(crossvm_channel_get_end(ping->channel)), ping->request->size);
    while (goes_on(ping)) {
        int64_t next = clock_ns() + (int64_t)(ping->request->interval * 1e9);
        int error = exchange(ping);

        if (error == -EPIPE && !channel_is_gone(ping->channel)) {
            printf("the other end is gone; waiting for the next one\n");
            fflush(stdout);
            crossvm_channel_open(ping->channel);
            error = crossvm_channel_connect(ping->channel, deadline_after(ping->request->patience));
            if (error == -ETIMEDOUT)
                error = 0;
        }
        if (error && error != -EINTR)
            return channel_error(ping->channel, error);
        if (goes_on(ping) && !ping->request->flood)
            sleep_until(next);
    }
    return ping->received ? STATUS_OK : STATUS_TIMEOUT;
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void print_statistics(const struct ping *ping)
{
    size_t n = ping->num_samples;
    double sum = 0;

    printf("--- %s ---\n", crossvm_name(crossvm_channel_get_end(ping->channel)));
    printf("%" PRIu64 " sent, %" PRIu64 " answered, %.0f%% lost, %.3f s\n", ping->sent, ping->received,
           ping->sent ? (double)(ping->sent - ping->received) * 100 / (double)ping->sent : 0,
           (double)(clock_ns() - ping->started_ns) / 1e9);
    if (n == 0)
        return;
    qsort(ping->samples, n, sizeof(*ping->samples), by_size);
    for (size_t i = 0; i < n; i++)
        sum += ping->samples[i];
    printf("round trip min/median/mean/99%%/max = %.1f/%.1f/%.1f/%.1f/%.1f us\n", ping->samples[0] / 1e3,
           ping->samples[n / 2] / 1e3, sum / (double)n / 1e3, ping->samples[n - 1 - n / 100] / 1e3,
           ping->samples[n - 1] / 1e3);
}

static int ping_at(crossvm_channel_t *channel, const struct request *request)
{
    struct ping ping = {.request = request, .channel = channel};
    int status = STATUS_ERROR;

    if (request->size > crossvm_channel_max_message(channel)) {
        message("%" PRIu64 " bytes are too large: connection \"%s\" carries up to %zu", request->size,
                crossvm_name(crossvm_channel_get_end(channel)), crossvm_channel_max_message(channel));
        return STATUS_ERROR;
    }
    ping.message = malloc(request->size);
    ping.answer = malloc(request->size);
    ping.samples = malloc(MAX_SAMPLES * sizeof(*ping.samples));
    if (!ping.message || !ping.answer || !ping.samples) {
        message("no memory for messages of %" PRIu64 " bytes", request->size);
        goto cleanup;
    }
    for (size_t i = 0; i < request->size; i++)
        ping.message[i] = (uint8_t)i;
    status = run_ping(&ping);
    if (ping.started_ns)
        print_statistics(&ping);
cleanup:
    free(ping.message);
    free(ping.answer);
    free(ping.samples);
    return status;
}

int cmd_ping(int argc, char **argv)
{
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM),
                              .count = UINT64_MAX,
                              .size = 56,
                              .interval = 1,
                              .patience = 1};
    crossvm_channel_t *channel;
    int status;

    tool_parse(&ping_argp, argc, argv, &request);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    catch_signals(&signaled);
    status = ping_at(channel, &request);
    channel_close(channel);
    return status;
}

/* --- echo --- */

struct echo_request {
    struct channel_choice choice;
    bool once;
};

static error_t parse_echo(int key, char *argument, struct argp_state *state)
{
    struct echo_request *request = state->input;

    switch (key) {
    case '1':
        request->once = true;
        return 0;
    case 's':
        request->choice.mode = CROSSVM_CHANNEL_STREAM;
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp echo_argp = {
    .options =
        (const struct argp_option[]){
            {"once", '1', NULL, 0, "end when the other end closes, instead of waiting for the next one", 0},
            {"stream", 's', NULL, 0, "a stream, instead of datagrams", 0},
            {0},
        },
    .parser = parse_echo,
    .args_doc = "NAME",
    .doc = "Sends back what comes, for `crossvm ping` and for tests.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
    .help_filter = tool_help_filter,
};

/*
 * One session. What comes is sent from where it lies in the ring: its content does not matter here, so that it may
 * change meanwhile. Returns what ended the session: 0 or a negative errno value.
 */
static int echo_session(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    int error = crossvm_channel_connect(channel, deadline);

    while (!error && !signaled) {
        const void *data;
        ptrdiff_t length = crossvm_channel_peek(channel, &data, CROSSVM_FOREVER);
        ptrdiff_t sent;

        if (length < 0)
            return (int)length;
        if (length == 0 && channel->config.mode == CROSSVM_CHANNEL_STREAM)
            return 0;
        sent = crossvm_channel_send(channel, data, (size_t)length, CROSSVM_FOREVER);
        if (sent < 0)
            return (int)sent;
        error = crossvm_channel_release(channel, (size_t)sent);
    }
    return error;
}

static int echo(crossvm_channel_t *channel, const struct echo_request *request)
{
    crossvm_deadline_t deadline = channel_deadline(&request->choice);

    for (;;) {
        int error = echo_session(channel, deadline);

        if (signaled)
            return STATUS_OK;
        if (error == -EINTR)
            continue;
        if (error && (error != -EPIPE || channel_is_gone(channel)))
            return channel_error(channel, error);
        if (request->once)
            return STATUS_OK;
        crossvm_channel_open(channel);
        deadline = CROSSVM_FOREVER;
    }
}

int cmd_echo(int argc, char **argv)
{
    struct echo_request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM)};
    crossvm_channel_t *channel;
    int status;

    tool_parse(&echo_argp, argc, argv, &request);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    catch_signals(&signaled);
    status = echo(channel, &request);
    channel_close(channel);
    return status;
}
