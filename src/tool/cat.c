/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command cat: joins a stream to standard input and output.
 *
 * One loop moves both directions, and neither waits for the other: a program that writes a lot before it reads must not
 * get stuck.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/standard_streams.h"
#include "channel_command.h"

#define BUFFER_BYTES 0x20000

enum {
    OPTION_SEND_ONLY = 256,
    OPTION_RECV_ONLY,
};

struct request {
    struct channel_choice choice;
    bool keep_open;
    bool no_send;
    bool no_recv;
};

/* Bytes of one direction on their way. */
struct buffer {
    size_t used;
    size_t moved; /* of these, passed on */
    uint8_t bytes[BUFFER_BYTES];
};

struct cat {
    struct request request;
    crossvm_channel_t *channel;
    crossvm_deadline_t deadline; /* for the peer to come; CROSSVM_FOREVER when it has */
    struct buffer in;            /* from standard input to the channel */
    bool in_ended;               /* standard input is at its end */
    bool shut;                   /* ... and the peer was told so */
    struct buffer out;           /* from the channel to standard output */
    bool out_ended;              /* nothing more comes in this session */
    bool over;                   /* nothing more can be sent in this session */
    int out_fd;
    size_t out_step; /* bytes that can be written at once without blocking */
    bool out_socket;
    bool out_closed;
    int error;          /* what ended the session, or 0 */
    char sentence[512]; /* what it means */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'k':
        request->keep_open = true;
        return 0;
    case OPTION_SEND_ONLY:
        request->no_recv = true;
        break;
    case OPTION_RECV_ONLY:
        request->no_send = true;
        break;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
    if (request->no_recv && request->no_send)
        command_line_error(state, "--send-only and --recv-only leave nothing to do");
    return 0;
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"keep-open", 'k', NULL, 0, "when the other end closes, wait for the next one", 0},
            {"recv-only", OPTION_RECV_ONLY, NULL, 0, "only receive: do not read standard input", 0},
            {"send-only", OPTION_SEND_ONLY, NULL, 0, "only send: write nothing to standard output", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Joins a stream to standard input and output, as nc does with TCP. The other end does the same, or is a "
           "program with a stream channel of the library. The end of standard input becomes the end of file at the "
           "other end; the command ends when both directions have ended.\v"
           "Exit status: 0 when both directions ended well, 1 when nobody came in time, 2 for an error or when the "
           "other end left before it had taken all, 141 when the reader of standard output left.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
};

/* --- standard output --- */

/*
 * A write must not block, but other programs share the flags of standard output. A pipe is opened anew, with flags of
 * its own; a socket takes a flag with each call; writes to files and terminals may block.
 */
static void set_up_output(struct cat *cat)
{
    struct stat status;

    cat->out_fd = STDOUT_FILENO;
    cat->out_step = BUFFER_BYTES;
    if (fstat(STDOUT_FILENO, &status))
        return;
    cat->out_socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode))
        return;
    cat->out_fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (cat->out_fd < 0) {
        cat->out_fd = STDOUT_FILENO;
        cat->out_step = PIPE_BUF; /* a pipe that polls writable has room for this */
    }
}

static ssize_t write_some(const struct cat *cat, const void *bytes, size_t length)
{
    if (length > cat->out_step)
        length = cat->out_step;
    if (cat->out_socket)
        return send(cat->out_fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write(cat->out_fd, bytes, length);
}

/* --- moving --- */

static bool is_empty(const struct buffer *buffer)
{
    return buffer->moved == buffer->used;
}

static size_t rest(const struct buffer *buffer)
{
    return buffer->used - buffer->moved;
}

/* To be reported when the session is over: other calls fail until then, with sentences of their own. */
static void note_error(struct cat *cat, ptrdiff_t error)
{
    cat->error = (int)error;
    (void)snprintf(cat->sentence, sizeof(cat->sentence), "%s", crossvm_strerror());
}

static int report_error(const struct cat *cat)
{
    if (!cat->error)
        return STATUS_OK;
    message("%s", cat->sentence);
    return cat->error == -ETIMEDOUT ? STATUS_TIMEOUT : STATUS_ERROR;
}

/* The session cannot go on in either direction. */
static void end_session(struct cat *cat, ptrdiff_t error)
{
    note_error(cat, error);
    cat->out_ended = cat->over = true;
}

/* Takes from the channel what there is. True when something moved. */
static bool receive(struct cat *cat)
{
    ptrdiff_t length;

    if (cat->out_ended || !is_empty(&cat->out))
        return false;
    length = crossvm_channel_recv(cat->channel, cat->out.bytes, sizeof(cat->out.bytes), CROSSVM_NOW);
    if (length == -EAGAIN || length == -EINTR)
        return false;
    if (length < 0)
        end_session(cat, length);
    cat->out_ended = length <= 0;
    cat->out.used = length > 0 ? (size_t)length : 0;
    cat->out.moved = 0;
    return true;
}

/* The peer takes nothing more. What it sent before may still be there to receive. */
static void stop_sending(struct cat *cat, ptrdiff_t error)
{
    cat->over = true;
    if (!is_empty(&cat->in) || error != -EPIPE)
        note_error(cat, error);
}

static bool send_some(struct cat *cat)
{
    ptrdiff_t length;

    if (is_empty(&cat->in) || cat->over)
        return false;
    length = crossvm_channel_send(cat->channel, cat->in.bytes + cat->in.moved, rest(&cat->in), CROSSVM_NOW);
    if (length == -EAGAIN || length == -EINTR)
        return false;
    if (length < 0)
        stop_sending(cat, length);
    else
        cat->in.moved += (size_t)length;
    return true;
}

/* Standard input may stay silent: only a look tells whether there is still somebody to send to. */
static void look_for_peer(struct cat *cat)
{
    void *room;
    ptrdiff_t length;

    if (cat->over || cat->shut || !cat->out_ended || !is_empty(&cat->in))
        return;
    length = crossvm_channel_reserve(cat->channel, &room, 1, CROSSVM_NOW);
    if (length < 0 && length != -EAGAIN && length != -EINTR)
        stop_sending(cat, length);
}

/*
 * A filter may read standard output to its end before it writes to standard input. Both may be one socket, which is
 * then shut in one direction only.
 */
static void close_output(struct cat *cat)
{
    if (cat->out_socket)
        (void)shutdown(STDOUT_FILENO, SHUT_WR);
    if (close(STDOUT_FILENO))
        standard_output_failed(errno);
    if (cat->out_fd != STDOUT_FILENO)
        (void)close(cat->out_fd);
    cat->out_closed = true;
}

/* Passes on the end of a direction once all bytes before it are passed on. */
static void pass_on_end(struct cat *cat)
{
    if (cat->in_ended && is_empty(&cat->in) && !cat->shut) {
        crossvm_channel_shutdown(cat->channel);
        cat->shut = true;
    }
    if (cat->out_ended && is_empty(&cat->out) && !cat->out_closed && !cat->request.keep_open)
        close_output(cat);
}

/* Returns STATUS_OK, or another exit status after a message. */
static int read_input(struct cat *cat)
{
    ssize_t length = read(STDIN_FILENO, cat->in.bytes, sizeof(cat->in.bytes));

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return STATUS_OK;
    if (length < 0) {
        message("cannot read standard input: %s", error_reason(errno));
        return STATUS_ERROR;
    }
    cat->in_ended = length <= 0;
    cat->in.used = length > 0 ? (size_t)length : 0;
    cat->in.moved = 0;
    return STATUS_OK;
}

static int write_output(struct cat *cat)
{
    ssize_t length = write_some(cat, cat->out.bytes + cat->out.moved, rest(&cat->out));

    if (length >= 0) {
        cat->out.moved += (size_t)length;
        return STATUS_OK;
    }
    if (errno == EAGAIN || errno == EINTR)
        return STATUS_OK;
    if (errno == EPIPE) /* the reader has seen enough: as SIGPIPE would end us, without a message */
        return 128 + SIGPIPE;
    standard_output_failed(errno);
    return STATUS_ERROR;
}

/* --- the loop --- */

static bool is_finished(const struct cat *cat)
{
    return is_empty(&cat->out) && cat->out_ended && (cat->over || cat->shut);
}

/* How long to sleep: not at all while something moves. Returns 0, or a negative errno value: the connection is gone. */
static int time_to_sleep(struct cat *cat, bool moved, int *timeout_ms)
{
    unsigned int events = 0;
    int ready;

    *timeout_ms = 0;
    if (moved)
        return 0;
    if (is_empty(&cat->out) && !cat->out_ended)
        events |= CROSSVM_CHANNEL_IN;
    if (!is_empty(&cat->in) && !cat->over)
        events |= CROSSVM_CHANNEL_OUT;
    ready = crossvm_channel_prepare(cat->channel, events, timeout_ms);
    if (ready != 0)
        *timeout_ms = 0;
    if (!crossvm_deadline_is_forever(cat->deadline)) {
        int64_t left_ms = (cat->deadline.ns - now_ns()) / 1000000 + 1;

        if (left_ms < 0)
            left_ms = 0;
        if (*timeout_ms < 0 || left_ms < *timeout_ms)
            *timeout_ms = (int)(left_ms > INT_MAX ? INT_MAX : left_ms);
    }
    return ready < 0 ? ready : 0;
}

/* Waits until something can move, and moves what standard input and output are ready for. */
static int wait_and_move(struct cat *cat, int timeout_ms)
{
    bool want_input = is_empty(&cat->in) && !cat->in_ended && !cat->over;
    struct pollfd fds[] = {
        {.fd = want_input ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = is_empty(&cat->out) ? -1 : cat->out_fd, .events = POLLOUT},
        {.fd = crossvm_channel_fd(cat->channel), .events = POLLIN},
    };
    int status = STATUS_OK;

    if (poll(fds, 3, timeout_ms) < 0) {
        if (errno == EINTR)
            return STATUS_OK;
        message("cannot wait for connection \"%s\": %s", channel_name(cat->channel), error_reason(errno));
        return STATUS_ERROR;
    }
    if (fds[0].revents)
        status = read_input(cat);
    if (fds[1].revents && status == STATUS_OK)
        status = write_output(cat);
    return status;
}

static bool is_late(struct cat *cat)
{
    if (crossvm_channel_state(cat->channel) != CROSSVM_CHANNEL_OPENING)
        cat->deadline = CROSSVM_FOREVER;
    return deadline_has_passed(cat->deadline);
}

static int nobody_came(const struct cat *cat)
{
    message("the other end of connection \"%s\" did not come in time", channel_name(cat->channel));
    return STATUS_TIMEOUT;
}

/* Waits until the peer has taken all. An empty input may have come to its end before the peer came. */
static void await_taking(struct cat *cat)
{
    int error = 0;

    if (crossvm_channel_state(cat->channel) == CROSSVM_CHANNEL_OPENING)
        error = crossvm_channel_connect(cat->channel, cat->deadline);
    if (!error)
        error = crossvm_channel_drain(cat->channel, CROSSVM_FOREVER);
    if (error)
        note_error(cat, error);
}

/* One session, to its end. Returns STATUS_OK also when cat->error says why it ended early. */
static int run_session(struct cat *cat)
{
    while (!is_finished(cat)) {
        bool moved = receive(cat);
        int timeout_ms, status, error;

        moved |= send_some(cat);
        pass_on_end(cat);
        look_for_peer(cat);
        if (is_finished(cat))
            break;
        if (is_late(cat))
            return nobody_came(cat);
        error = time_to_sleep(cat, moved, &timeout_ms);
        if (error)
            end_session(cat, error);
        status = wait_and_move(cat, timeout_ms);
        if (status != STATUS_OK)
            return status;
    }
    if (cat->request.no_recv && !cat->error)
        await_taking(cat);
    return STATUS_OK;
}

static void begin_session(struct cat *cat)
{
    cat->out_ended = cat->request.no_recv;
    cat->over = cat->shut = false;
    cat->error = 0;
}

static int run(struct cat *cat)
{
    bool goes_on = true;

    while (goes_on) {
        int status;

        begin_session(cat);
        status = run_session(cat);
        if (status != STATUS_OK)
            return status;
        goes_on = cat->request.keep_open && !(cat->request.no_recv && cat->in_ended && is_empty(&cat->in));
        if (goes_on)
            goes_on = channel_await_next(&cat->channel, &cat->request.choice, cat->error, cat->sentence);
        if (!cat->channel)
            return STATUS_ERROR;
    }
    return report_error(cat);
}

int cmd_cat(int argc, char **argv)
{
    static struct cat cat; /* zeroed, and too large for a stack */
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_STREAM)};
    int status;

    command_line_parse(&argp, 0, argc, argv, &request);
    (void)signal(SIGPIPE, SIG_IGN); /* a write fails with EPIPE instead, so that both directions can end in order */
    cat.request = request;
    cat.in_ended = request.no_send;
    set_up_output(&cat);
    cat.channel = channel_open(&request.choice);
    if (!cat.channel)
        return STATUS_ERROR;
    cat.deadline = deadline_after(request.choice.seconds);
    status = run(&cat);
    channel_close(cat.channel);
    return status;
}
