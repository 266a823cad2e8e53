/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands record and replay: the datagrams of a channel and their times, in a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../capture/capture.h"
#include "channel_command.h"
#include "confine.h"

/* --- confinement --- */

/* What uses an end, a file, and nothing else. */
static int confine_to_end(bool no_sandbox)
{
    static const struct filter_rule rules[] = {
        FILTER_CALL(poll), /* waiting at an end, here and below */
        FILTER_CALL(ppoll),
        FILTER_CALL(read), /* also the file */
        FILTER_CALL(preadv2),
        FILTER_CALL(recvfrom),
        FILTER_CALL(clock_nanosleep), /* until a message is due */
        FILTER_CALL(restart_syscall),
        FILTER_CALL(lseek), /* the file, when the disk is full */
        FILTER_CALL(ftruncate),
        FILTER_CALL(pread64), /* an end of uio_pci_generic: the mask of its interrupt */
        FILTER_CALL(pwrite64),
        FILTER_CALL(alarm), /* after a signal */
        FILTER_CALL(setitimer),
        FILTER_CALL(newfstatat), /* stdio */
        FILTER_CALL(fstat),
        FILTER_CALL(close),
    };
    static const struct filter_list list = FILTER_LIST(rules);

    return no_sandbox ? 0 : confine(&(struct lock_down){.isolated = false}, &list);
}

enum { OPTION_NO_SANDBOX = 256, OPTION_FAST };

/* --- record --- */

struct record_request {
    struct channel_choice choice;
    const char *file;
    uint64_t count;
    bool no_sandbox;
};

static volatile int signaled;

static error_t parse_record(int key, char *argument, struct argp_state *state)
{
    struct record_request *request = state->input;

    switch (key) {
    case 'n':
        request->count = command_line_number(state, "--count", argument, 1, UINT64_MAX);
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num != 1)
            return channel_parse_name(key, argument, state, &request->choice);
        request->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num == 1)
            command_line_error(state, "FILE is missing: where to write; - is standard output");
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static int64_t time_of_day_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Begins the file anew. */
static int begin_file(struct capture_writer *writer, int fd, const char *file, size_t max_bytes)
{
    if (fd == STDOUT_FILENO)
        return capture_writer_begin(writer, fd, "standard output", max_bytes);
    if (ftruncate(fd, 0) == 0 || errno == EINVAL) /* a device or a pipe has no end */
        return capture_writer_begin(writer, fd, file, max_bytes);
    message("cannot write %s: %s", file, error_reason(errno));
    return -1;
}

/* Receives as long as there is something, and writes it before it waits. An older recording stays until somebody comes.
 */
static int record_messages(crossvm_channel_t *channel, const struct record_request *request, int fd,
                           struct capture_writer *writer)
{
    const size_t max_bytes = crossvm_channel_max_message(channel);
    crossvm_deadline_t deadline = deadline_after(request->choice.seconds);
    int error = crossvm_channel_connect(channel, deadline);

    if (error)
        return signaled ? STATUS_OK : channel_error(error);
    if (begin_file(writer, fd, request->file, max_bytes))
        return STATUS_ERROR;
    for (uint64_t count = 0; count < request->count && !signaled;) {
        const void *data;
        ptrdiff_t length = crossvm_channel_peek(channel, &data, CROSSVM_NOW);

        if (length == -EAGAIN || length == -ETIMEDOUT) {
            if (capture_flush(writer))
                return STATUS_ERROR;
            length = crossvm_channel_peek(channel, &data, deadline);
        }
        if (length == -EPIPE && request->count == UINT64_MAX && !channel_is_gone(channel))
            return STATUS_OK;
        if (length < 0)
            return signaled ? STATUS_OK : channel_error(length);
        if (capture_put(writer, time_of_day_ns(), data, (size_t)length))
            return STATUS_ERROR;
        (void)crossvm_channel_release(channel, (size_t)length);
        count++;
    }
    return STATUS_OK;
}

static int record_to(int fd, crossvm_channel_t *channel, const struct record_request *request)
{
    struct capture_writer writer = {.fd = fd};
    int status = STATUS_ERROR;

    catch_signals(&signaled);
    if (confine_to_end(request->no_sandbox) == 0)
        status = record_messages(channel, request, fd, &writer);
    if (writer.used && capture_flush(&writer))
        status = STATUS_ERROR;
    capture_writer_free(&writer);
    return status;
}

/* Opens a file to write, or makes it. -1 with errno. */
static int open_or_make(const char *file, bool *made)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

    *made = fd >= 0;
    return fd < 0 && errno == EEXIST ? open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : fd;
}

int cmd_record(int argc, char **argv)
{
    const struct argp record_argp = {
        .options =
            (const struct argp_option[]){
                {"count", 'n', "COUNT", 0, "end after this many (default: when the other end closes)", 0},
                COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
                {0},
            },
        .parser = parse_record,
        .args_doc = "NAME FILE",
        .doc =
            "Receives datagrams, and writes them to FILE with the times at which they came, as a pcap file. FILE - is "
            "standard output.\v"
            "`crossvm replay` sends them again. SIGINT, SIGTERM or SIGHUP ends it, with all that came in the file. "
            "Exit "
            "status: 0 when the other end closed, COUNT have come, or such a signal; 1 when the timeout passed first, "
            "2 for an error.",
        .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
    };
    struct record_request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM), .count = UINT64_MAX};
    int fd = STDOUT_FILENO, status = STATUS_ERROR;
    crossvm_channel_t *channel;
    bool made = false;

    command_line_parse(&record_argp, 0, argc, argv, &request);
    if (strcmp(request.file, "-") != 0)
        fd = open_or_make(request.file, &made);
    if (fd < 0) {
        message("cannot write %s: %s", request.file, error_reason(errno));
        return STATUS_ERROR;
    }
    channel = channel_open(&request.choice);
    if (channel)
        status = record_to(fd, channel, &request);
    else if (made)
        (void)unlink(request.file);
    channel_close(channel);
    if (fd != STDOUT_FILENO)
        close(fd);
    return status;
}

/* --- replay --- */

struct replay_request {
    struct channel_choice choice;
    const char *file;
    bool fast;
    bool no_sandbox;
};

static error_t parse_replay(int key, char *argument, struct argp_state *state)
{
    struct replay_request *request = state->input;

    switch (key) {
    case OPTION_FAST:
        request->fast = true;
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0) {
            request->file = argument;
            return 0;
        }
        return channel_parse_name(key, argument, state, &request->choice);
    case ARGP_KEY_NO_ARGS:
        command_line_error(state, "FILE is missing: what to send; - is standard input");
    case ARGP_KEY_END:
        if (state->arg_num == 1)
            command_line_error(state, "the NAME of a connection is missing, behind FILE");
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

/* Waits until as much time has passed since the first message as had when this one came. */
static void await_due(int64_t begin_ns, int64_t first_ns, int64_t time_ns)
{
    const int64_t due = begin_ns + (time_ns - first_ns);
    const struct timespec until = {.tv_sec = due / SECOND_NS, .tv_nsec = due % SECOND_NS};

    if (time_ns > first_ns)
        (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int send_messages(crossvm_channel_t *channel, const struct replay_request *request,
                         struct capture_reader *reader, uint8_t *buffer, crossvm_deadline_t deadline)
{
    const size_t capacity = crossvm_channel_max_message(channel);
    int64_t begin_ns = now_ns(), first_ns = 0, time_ns;
    size_t length;
    int found;

    while ((found = capture_next(reader, buffer, capacity, &length, &time_ns)) > 0) {
        ptrdiff_t sent;

        if (reader->records == 1)
            first_ns = time_ns;
        if (!request->fast)
            await_due(begin_ns, first_ns, time_ns);
        sent = crossvm_channel_send(channel, buffer, length, deadline);
        if (sent < 0)
            return channel_error(sent);
    }
    if (found < 0)
        message("%s %s", request->file, reader->fault);
    return found < 0 ? STATUS_ERROR : STATUS_OK;
}

static int replay_to(crossvm_channel_t *channel, const struct replay_request *request, struct capture_reader *reader)
{
    crossvm_deadline_t deadline = deadline_after(request->choice.seconds);
    uint8_t *buffer = malloc(crossvm_channel_max_message(channel));
    int error, status = STATUS_ERROR;

    if (!buffer)
        message("no memory for a message of %zu bytes", crossvm_channel_max_message(channel));
    else if (confine_to_end(request->no_sandbox) == 0)
        status = channel_connect(channel, deadline);
    if (status == STATUS_OK)
        status = send_messages(channel, request, reader, buffer, deadline);
    free(buffer);
    if (status == STATUS_TIMEOUT)
        return status;
    /* What was sent counts, also before a message that is missing. */
    crossvm_channel_shutdown(channel);
    error = crossvm_channel_drain(channel, deadline);
    return error && status == STATUS_OK ? channel_error(error) : status;
}

int cmd_replay(int argc, char **argv)
{
    const struct argp replay_argp = {
        .options =
            (const struct argp_option[]){
                {"fast", OPTION_FAST, NULL, 0, "do not keep the times: send each as soon as there is space", 0},
                COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
                {0},
            },
        .parser = parse_replay,
        .args_doc = "FILE NAME",
        .doc =
            "Sends the datagrams of a file of `crossvm record`, or of another pcap file, with the times between them. "
            "FILE - is standard input. Waits until the other end has taken all of them.\v"
            "Exit status: 0 when all were taken, 1 when the timeout passed first, 2 for an error.",
        .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
    };
    struct replay_request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM)};
    struct capture_reader reader;
    crossvm_channel_t *channel;
    int status = STATUS_ERROR;
    FILE *stream;

    command_line_parse(&replay_argp, 0, argc, argv, &request);
    stream = strcmp(request.file, "-") == 0 ? stdin : fopen(request.file, "re");
    if (!stream) {
        message("cannot read %s: %s", request.file, error_reason(errno));
        return STATUS_ERROR;
    }
    if (stream == stdin)
        request.file = "standard input";
    if (capture_reader_begin(&reader, stream)) {
        message("%s %s", request.file, reader.fault);
    } else {
        channel = channel_open(&request.choice);
        if (channel)
            status = replay_to(channel, &request, &reader);
        channel_close(channel);
    }
    if (stream != stdin)
        (void)fclose(stream);
    return status;
}
