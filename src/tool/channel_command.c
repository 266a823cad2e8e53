/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel_command.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "../common/end_signals.h"
#include "ends.h"

#define MOST_LOOKS 100
#define RETRY_NS 50000000 /* between attempts to open a connection that went away */

/* --- command line --- */

#define OPTION_SPIN 512 /* beyond those of the commands */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct channel_choice *choice = state->input;

    switch (key) {
    case 'd':
        choice->dataport =
            CROSSVM_CHANNEL_DATAPORT((unsigned int)command_line_number(state, "--dataport", argument, 0, INT_MAX));
        return 0;
    case 't':
        choice->seconds = command_line_seconds(state, "--timeout", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp channel_sleep_argp = {
    .options =
        (const struct argp_option[]){
            {"dataport", 'd', "INDEX", 0,
             "which dataport, counted from 0 (default: the first that is large enough and writable)", 10},
            {"timeout", 't', "SECONDS", 0, "wait no longer than this for the other end", 10},
            {0},
        },
    .parser = parse,
};

static error_t parse_spin(int key, char *argument, struct argp_state *state)
{
    struct channel_choice *choice = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = choice;
        return 0;
    case OPTION_SPIN:
        choice->spin = (unsigned int)command_line_number(state, "--spin", argument, 0, INT_MAX);
        if (choice->spin == 0)
            choice->spin = CROSSVM_CHANNEL_NO_SPIN;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp channel_argp = {
    .options =
        (const struct argp_option[]){
            {"spin", OPTION_SPIN, "COUNT", 0,
             "look at most this many times before a sleep (default 1000, or 0 on a host with one CPU)", 10},
            {0},
        },
    .parser = parse_spin,
    .children = (const struct argp_child[]){{&channel_sleep_argp, 0, NULL, 0}, {0}},
};

error_t channel_parse_name(int key, char *argument, struct argp_state *state, struct channel_choice *choice)
{
    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = choice;
    return command_line_take_name(key, argument, state, &choice->name);
}

/* --- channels --- */

crossvm_channel_t *channel_create(crossvm_end_t *end, const struct channel_choice *choice)
{
    const crossvm_channel_options_t options = {
        .mode = choice->mode,
        .dataport = choice->dataport,
        .spin = choice->spin,
    };
    crossvm_channel_t *channel;

    if (crossvm_channel_create(&channel, end, &options) == 0)
        return channel;
    message("%s", crossvm_strerror());
    crossvm_close(end);
    return NULL;
}

crossvm_channel_t *channel_open(const struct channel_choice *choice)
{
    crossvm_end_t *end = end_open(choice->name);

    return end ? channel_create(end, choice) : NULL;
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

const char *channel_name(const crossvm_channel_t *channel)
{
    return crossvm_name(crossvm_channel_get_end(channel));
}

int channel_error(ptrdiff_t error)
{
    message("%s", crossvm_strerror());
    return error == -ETIMEDOUT ? STATUS_TIMEOUT : STATUS_ERROR;
}

void channel_ask_for(const crossvm_channel_t *channel, const char *command)
{
    if (crossvm_peer_state(crossvm_channel_get_end(channel), NULL) != CROSSVM_PEER_READY)
        message("waiting for `%s` at the other end of connection \"%s\"", command, channel_name(channel));
}

int channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    int error = crossvm_channel_connect(channel, deadline);

    return error ? channel_error(error) : STATUS_OK;
}

bool channel_is_gone(crossvm_channel_t *channel)
{
    crossvm_end_t *end = crossvm_channel_get_end(channel);
    struct pollfd ready = {.fd = crossvm_fd(end), .events = POLLIN};
    int looks = 0, result;

    /* Events and news of the peer may be in front of the end. A peer that goes on with them is looked at later. */
    do
        result = crossvm_wait(end, CROSSVM_NOW);
    while (result >= 0 && ++looks < MOST_LOOKS && poll(&ready, 1, 0) == 1);
    return result < 0 && result != -EINTR;
}

/* A client that does not fit may come again at once, and for ever: it costs one message and one session a second. */
static void complain(const char *sentence)
{
    static int64_t again_ns;
    const struct timespec until = {.tv_sec = again_ns / SECOND_NS, .tv_nsec = again_ns % SECOND_NS};

    if (now_ns() < again_ns)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    else
        message("%s; waiting for the next one", sentence);
    again_ns = now_ns() + SECOND_NS;
}

bool channel_serve_next(crossvm_channel_t *channel, int error, const char *sentence)
{
    if (channel_is_gone(channel))
        return false;
    if (error == -EPROTO || error == -EBADMSG)
        complain(sentence);
    else if (error && error != -EPIPE)
        return false;
    crossvm_channel_open(channel);
    return true;
}

/* Opens a connection again as soon as it is back. NULL after a message. */
static crossvm_channel_t *open_again(const struct channel_choice *choice)
{
    const struct timespec pause = {.tv_nsec = RETRY_NS};
    crossvm_end_t *end;

    while (crossvm_open(&end, choice->name))
        (void)nanosleep(&pause, NULL);
    return channel_create(end, choice);
}

bool channel_await_next(crossvm_channel_t **channel, const struct channel_choice *choice, int error,
                        const char *sentence)
{
    if (channel_serve_next(*channel, error, sentence))
        return true;
    if (!channel_is_gone(*channel))
        return false;
    channel_close(*channel);
    *channel = open_again(choice);
    return *channel;
}

/* --- signals --- */

static volatile int *signal_flag;

/*
 * Without SA_RESTART: an end in a guest sleeps in read(), which the kernel would otherwise restart. A signal just
 * before a call sleeps does not end its sleep. Then SIGALRM does, every second until the process ends.
 */
static void note_signal(int number)
{
    if (number != SIGALRM)
        *signal_flag = number;
    (void)alarm(1);
}

void catch_signals(volatile int *signaled)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigset_t signals;

    signal_flag = signaled;
    end_signals(&signals);
    sigaddset(&signals, SIGALRM);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&signals, number) > 0)
            sigaction(number, &action, NULL);
    }
}
