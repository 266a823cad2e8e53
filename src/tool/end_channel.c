/* SPDX-License-Identifier: BSD-2-Clause */
#include "end_channel.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* --- time --- */

int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

crossvm_deadline_t deadline_after(double seconds)
{
    if (seconds < 0 || seconds > 1e9)
        return CROSSVM_FOREVER;
    return CROSSVM_DEADLINE(clock_ns() + (int64_t)(seconds * 1e9));
}

double parse_seconds(struct argp_state *state, const char *what, const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);

    if (rest == text || *rest || !isfinite(seconds) || seconds < 0)
        argp_error(state, "%s: \"%s\" is not a number of seconds", what, text);
    return seconds;
}

/* --- command line --- */

#define OPTION_SPIN 512 /* beyond those of the commands */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct channel_choice *choice = state->input;
    uint64_t number;

    switch (key) {
    case 'd':
        number = tool_parse_number(state, "--dataport", argument);
        choice->dataport = number > INT_MAX ? INT_MAX : (int)number;
        return 0;
    case OPTION_SPIN:
        number = tool_parse_number(state, "--spin", argument);
        choice->spin = number > INT_MAX ? INT_MAX : (int)number;
        return 0;
    case 't':
        choice->seconds = parse_seconds(state, "--timeout", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp channel_argp = {
    .options =
        (const struct argp_option[]){
            {"dataport", 'd', "INDEX", 0, "which dataport, from 0 (default: the first that both ends write)", 10},
            {"spin", OPTION_SPIN, "LOOKS", 0,
             "look so often before sleeping, at most (default 1000, or 0 on a single CPU)", 10},
            {"timeout", 't', "SECONDS", 0, "wait no longer than this for the other end", 10},
            {0},
        },
    .parser = parse,
};

error_t channel_parse_name(int key, char *argument, struct argp_state *state, struct channel_choice *choice)
{
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = choice;
        return 0;
    case ARGP_KEY_ARG:
        tool_take_name(state, &choice->name, argument);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the NAME of a connection is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- channels --- */

crossvm_channel_t *channel_open(const struct channel_choice *choice)
{
    const crossvm_channel_options_t options = {
        .mode = choice->mode,
        .dataport = choice->dataport,
        .end = CROSSVM_CHANNEL_AUTO,
        .spin = choice->spin,
    };
    crossvm_end_t *end = tool_open(choice->name);
    crossvm_channel_t *channel;

    if (!end)
        return NULL;
    if (crossvm_channel_create(&channel, end, &options) == 0)
        return channel;
    message("%s", crossvm_strerror());
    crossvm_close(end);
    return NULL;
}

void channel_close(crossvm_channel_t *channel)
{
    crossvm_end_t *end;

    if (!channel)
        return;
    end = crossvm_channel_get_end(channel);
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

crossvm_deadline_t channel_deadline(const struct channel_choice *choice)
{
    return deadline_after(choice->seconds);
}

int channel_error(const crossvm_channel_t *channel, ptrdiff_t error)
{
    message("%s", crossvm_channel_strerror(channel, (int)error));
    return error == -ETIMEDOUT ? STATUS_TIMEOUT : STATUS_ERROR;
}

int channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    int error = crossvm_channel_connect(channel, deadline);

    return error ? channel_error(channel, error) : STATUS_OK;
}

bool channel_is_gone(crossvm_channel_t *channel)
{
    return crossvm_wait(crossvm_channel_get_end(channel), CROSSVM_NOW) == -EPIPE;
}

/* --- signals --- */

static volatile int *signal_flag;

static void note_signal(int number)
{
    *signal_flag = number;
}

void catch_signals(volatile int *signaled)
{
    struct sigaction action = {.sa_handler = note_signal};

    signal_flag = signaled;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
