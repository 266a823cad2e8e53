/* SPDX-License-Identifier: BSD-2-Clause */
/* Command echo: sends back what comes. */
#include <errno.h>

#include "channel_command.h"

#define OPTION_STREAM 256

static volatile int signaled;

struct request {
    struct channel_choice choice;
    bool once;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case '1':
        request->once = true;
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
            {"once", '1', NULL, 0, "serve one client only", 0},
            {"stream", OPTION_STREAM, NULL, 0, "serve streams, not datagrams", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Sends back what comes, for `crossvm ping` and for tests. Serves one client after the other, until Ctrl-C.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
};

/*
 * One session. What comes is sent from where it lies in the ring: the content does not matter here, so the peer may
 * change it meanwhile. Returns what ended the session: 0 or a negative errno value.
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
        if (length == 0 && crossvm_channel_mode(channel) == CROSSVM_CHANNEL_STREAM) {
            crossvm_channel_close(channel); /* the client finds end of file, too, and not that its peer is gone */
            return 0;
        }
        sent = crossvm_channel_send(channel, data, (size_t)length, CROSSVM_FOREVER);
        if (sent < 0)
            return (int)sent;
        error = crossvm_channel_release(channel, (size_t)sent);
    }
    return error;
}

static int echo(crossvm_channel_t *channel, const struct request *request)
{
    crossvm_deadline_t deadline = deadline_after(request->choice.seconds);

    for (;;) {
        int error = echo_session(channel, deadline);

        if (signaled)
            return STATUS_OK;
        if (error == -EINTR)
            continue;
        if (request->once && (!error || (error == -EPIPE && !channel_is_gone(channel))))
            return STATUS_OK;
        if (request->once || !channel_serve_next(channel, error, crossvm_strerror()))
            return channel_error(error ? error : -EPIPE);
        deadline = CROSSVM_FOREVER;
    }
}

int cmd_echo(int argc, char **argv)
{
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM)};
    crossvm_channel_t *channel;
    int status;

    command_line_parse(&argp, 0, argc, argv, &request);
    catch_signals(&signaled);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    status = echo(channel, &request);
    channel_close(channel);
    return status;
}
