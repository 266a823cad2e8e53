/* SPDX-License-Identifier: BSD-2-Clause */
/* Command ping: round trips of datagrams, with a `crossvm echo` at the other end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/standard_streams.h"
#include "channel_command.h"
#include "samples.h"

static volatile int signaled;

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
    struct samples samples;
    int64_t started_ns;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'c':
        request->count = command_line_number(state, "--count", argument, 1, UINT64_MAX);
        return 0;
    case 'i':
        request->interval = command_line_seconds(state, "--interval", argument);
        return 0;
    case 's': /* a message begins with its number */
        request->size = command_line_size(state, "--size", argument, sizeof(uint64_t));
        return 0;
    case 'W':
        request->patience = command_line_seconds(state, "--patience", argument);
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

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'c', "COUNT", 0, "send this many (default: until Ctrl-C)", 0},
            {"flood", 'f', NULL, 0, "send the next one as soon as the answer is there, and print no lines", 0},
            {"interval", 'i', "SECONDS", 0, "time from one to the next (default 1)", 0},
            {"patience", 'W', "SECONDS", 0, "how long to wait for an answer (default 1)", 0},
            {"quiet", 'q', NULL, 0, "print only the summary", 0},
            {"size", 's', "SIZE", 0, "bytes of a message, at least 8 (default 56)", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Sends datagrams to a `crossvm echo` at the other end and prints how long each takes there and back.\v"
           "Exit status: 0 when an answer came, 1 when none came, 2 for an error.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
};

/*
 * Waits for the answer to the message that was sent last, and skips answers to earlier ones that came too late. Returns
 * 0 or a negative errno value; -EBADMSG: what came is no answer.
 */
static int await_answer(const struct ping *ping, crossvm_deadline_t deadline)
{
    const size_t size = ping->request->size;
    ptrdiff_t length;

    do {
        length = crossvm_channel_recv(ping->channel, ping->answer, size, deadline);
        if (length < 0)
            return length == -EMSGSIZE ? -EBADMSG : (int)length;
        if ((size_t)length != size)
            return -EBADMSG;
    } while (memcmp(ping->answer, ping->message, sizeof(uint64_t)) != 0);
    return memcmp(ping->answer, ping->message, size) == 0 ? 0 : -EBADMSG;
}

static void note(struct ping *ping, int64_t ns)
{
    ping->received++;
    samples_add(&ping->samples, ns);
    if (!ping->request->quiet && !ping->request->flood)
        printf("%" PRIu64 " bytes from %s: seq=%" PRIu64 " time=%.1f us\n", ping->request->size,
               channel_name(ping->channel), ping->sent, (double)ns / 1e3);
}

/* One message there and back. Returns 0, or a negative errno value that ends the session. */
static int exchange(struct ping *ping)
{
    const struct request *request = ping->request;
    uint64_t number = ping->sent + 1;
    int64_t start = now_ns();
    crossvm_deadline_t deadline = deadline_after(request->patience);
    ptrdiff_t result;

    memcpy(ping->message, &number, sizeof(number));
    result = crossvm_channel_send(ping->channel, ping->message, request->size, deadline);
    if (result == -ETIMEDOUT || result >= 0)
        ping->sent++;
    if (result >= 0)
        result = await_answer(ping, deadline);
    if (result == 0)
        note(ping, now_ns() - start);
    else if (result == -ETIMEDOUT && !request->quiet)
        printf("no answer from %s: seq=%" PRIu64 "\n", channel_name(ping->channel), number);
    return result == -ETIMEDOUT ? 0 : (int)result;
}

static void sleep_until(crossvm_deadline_t deadline)
{
    struct timespec until = {.tv_sec = deadline.ns / SECOND_NS, .tv_nsec = deadline.ns % SECOND_NS};

    while (!signaled && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

/* Waits for the next peer. Returns 0, also when none came in time, or a negative errno value. */
static int connect_again(struct ping *ping)
{
    int error;

    printf("the other end is gone; waiting for the next one\n");
    fflush(stdout);
    crossvm_channel_open(ping->channel);
    error = crossvm_channel_connect(ping->channel, deadline_after(ping->request->patience));
    return error == -ETIMEDOUT ? 0 : error;
}

static bool goes_on(const struct ping *ping)
{
    return !signaled && ping->sent < ping->request->count;
}

/* Sends until all are sent or a signal comes. Returns an exit status. */
static int exchange_all(struct ping *ping)
{
    while (goes_on(ping)) {
        crossvm_deadline_t next = deadline_after(ping->request->interval);
        int error = exchange(ping);

        if (error == -EPIPE && !channel_is_gone(ping->channel))
            error = connect_again(ping);
        if (!standard_output_flush())
            return STATUS_ERROR;
        if (error == -EBADMSG) {
            message("the other end of connection \"%s\" sends other messages back; start `crossvm echo` there",
                    channel_name(ping->channel));
            return STATUS_ERROR;
        }
        if (error && error != -EINTR)
            return channel_error(error);
        if (goes_on(ping) && !ping->request->flood)
            sleep_until(next);
    }
    return ping->received ? STATUS_OK : STATUS_TIMEOUT;
}

static void print_statistics(struct ping *ping)
{
    const struct samples *samples = &ping->samples;
    double sum = 0;

    printf("--- %s ---\n", channel_name(ping->channel));
    printf("%" PRIu64 " sent, %" PRIu64 " answered, %.0f%% lost, %.3f s\n", ping->sent, ping->received,
           ping->sent ? (double)(ping->sent - ping->received) * 100 / (double)ping->sent : 0,
           (double)(now_ns() - ping->started_ns) / 1e9);
    if (samples->count == 0)
        return;
    samples_sort(&ping->samples);
    for (size_t i = 0; i < samples->count; i++)
        sum += samples->ns[i];
    printf("round trip min/median/mean/99%%/max = %.1f/%.1f/%.1f/%.1f/%.1f us\n", samples->ns[0] / 1e3,
           samples_us(samples, 2), sum / (double)samples->count / 1e3, samples_us(samples, 100),
           samples_us(samples, SIZE_MAX));
}

static int run(struct ping *ping)
{
    int error, status;

    printf("PING %s: %" PRIu64 " bytes\n", channel_name(ping->channel), ping->request->size);
    if (!standard_output_flush())
        return STATUS_ERROR;
    channel_ask_for(ping->channel, "crossvm echo");
    error = crossvm_channel_connect(ping->channel, deadline_after(ping->request->choice.seconds));
    if (error && !signaled)
        return channel_error(error);
    ping->started_ns = now_ns();
    status = exchange_all(ping);
    print_statistics(ping);
    return status;
}

static int ping_at(crossvm_channel_t *channel, const struct request *request)
{
    struct ping ping = {.request = request, .channel = channel};
    int status = STATUS_ERROR;

    if (request->size > crossvm_channel_max_message(channel)) {
        message("%" PRIu64 " bytes are too large: connection \"%s\" carries up to %zu", request->size,
                channel_name(channel), crossvm_channel_max_message(channel));
        return STATUS_ERROR;
    }
    ping.message = malloc(request->size);
    ping.answer = malloc(request->size);
    if (!ping.message || !ping.answer || !samples_create(&ping.samples)) {
        message("no memory for messages of %" PRIu64 " bytes", request->size);
        goto cleanup;
    }
    for (size_t i = 0; i < request->size; i++)
        ping.message[i] = (uint8_t)i;
    status = run(&ping);
cleanup:
    free(ping.message);
    free(ping.answer);
    samples_free(&ping.samples);
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

    command_line_parse(&argp, 0, argc, argv, &request);
    catch_signals(&signaled);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    status = ping_at(channel, &request);
    channel_close(channel);
    return status;
}
