/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands send and recv. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/standard_streams.h"
#include "channel_command.h"

/* --- send --- */

struct send_request {
    struct channel_choice choice;
    char **words; /* messages or files, count of them; none: lines of standard input */
    int count;
    bool files;
};

struct sender {
    crossvm_channel_t *channel;
    crossvm_deadline_t deadline;
};

static error_t parse_send(int key, char *argument, struct argp_state *state)
{
    struct send_request *request = state->input;

    switch (key) {
    case 'f':
        request->files = true;
        return 0;
    case ARGP_KEY_ARG:
        if (request->choice.name)
            return ARGP_ERR_UNKNOWN; /* all that is left: ARGP_KEY_ARGS */
        return channel_parse_name(key, argument, state, &request->choice);
    case ARGP_KEY_ARGS:
        request->words = state->argv + state->next;
        request->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (request->files && request->count == 0)
            command_line_error(state, "--files: name at least one file");
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp send_argp = {
    .options =
        (const struct argp_option[]){
            {"files", 'f', NULL, 0, "each MESSAGE is the name of a file with the message; - is standard input", 0},
            {0},
        },
    .parser = parse_send,
    .args_doc = "NAME [MESSAGE...]",
    .doc = "Sends each MESSAGE as a datagram; without one, each line of standard input. Waits until the other end has "
           "taken all of them.\v"
           "Exit status: 0 when all were taken, 1 when the timeout passed first, 2 for an error.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
};

static int send_one(const struct sender *sender, const void *bytes, size_t length)
{
    ptrdiff_t sent = crossvm_channel_send(sender->channel, bytes, length, sender->deadline);

    if (sent != -EMSGSIZE)
        return sent < 0 ? channel_error(sent) : STATUS_OK;
    message("a message of %zu bytes is too large: connection \"%s\" carries up to %zu", length,
            channel_name(sender->channel), crossvm_channel_max_message(sender->channel));
    return STATUS_ERROR;
}

static int send_words(const struct sender *sender, const struct send_request *request)
{
    int status = STATUS_OK;

    for (int i = 0; i < request->count && status == STATUS_OK; i++)
        status = send_one(sender, request->words[i], strlen(request->words[i]));
    return status;
}

static int send_lines(const struct sender *sender)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int status = STATUS_OK;

    while (status == STATUS_OK && (length = getline(&line, &size, stdin)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            length--;
        status = send_one(sender, line, (size_t)length);
    }
    if (status == STATUS_OK && ferror(stdin)) {
        message("cannot read standard input: %s", error_reason(errno));
        status = STATUS_ERROR;
    }
    free(line);
    return status;
}

static int send_file(const struct sender *sender, const char *file, uint8_t *buffer, size_t size)
{
    bool is_input = strcmp(file, "-") == 0;
    const char *name = is_input ? "standard input" : file;
    FILE *stream = is_input ? stdin : fopen(file, "re");
    size_t length = stream ? fread(buffer, 1, size, stream) : 0;
    int status = STATUS_ERROR;

    if (!stream || ferror(stream))
        message("cannot read %s: %s", name, error_reason(errno));
    else if (length == size)
        message("%s is too large for a message: connection \"%s\" carries up to %zu bytes", name,
                channel_name(sender->channel), size - 1);
    else
        status = send_one(sender, buffer, length);
    if (stream && !is_input)
        (void)fclose(stream);
    return status;
}

static int send_files(const struct sender *sender, const struct send_request *request)
{
    size_t size = crossvm_channel_max_message(sender->channel) + 1; /* one byte more shows that there is more */
    uint8_t *buffer = malloc(size);
    int status = STATUS_OK;

    if (!buffer) {
        message("no memory for a message of %zu bytes", size);
        return STATUS_ERROR;
    }
    for (int i = 0; i < request->count && status == STATUS_OK; i++)
        status = send_file(sender, request->words[i], buffer, size);
    free(buffer);
    return status;
}

/* Before anybody waits for the peer: a name that is wrong. */
static bool are_readable(const struct send_request *request)
{
    for (int i = 0; request->files && i < request->count; i++) {
        if (strcmp(request->words[i], "-") != 0 && access(request->words[i], R_OK)) {
            message("cannot read %s: %s", request->words[i], strerror(errno));
            return false;
        }
    }
    return true;
}

static int send_all(const struct sender *sender, const struct send_request *request)
{
    int status = channel_connect(sender->channel, sender->deadline);
    int error;

    if (status != STATUS_OK)
        return status;
    if (request->files)
        status = send_files(sender, request);
    else
        status = request->count ? send_words(sender, request) : send_lines(sender);
    if (status != STATUS_OK)
        return status;
    crossvm_channel_shutdown(sender->channel);
    error = crossvm_channel_drain(sender->channel, sender->deadline);
    return error ? channel_error(error) : STATUS_OK;
}

int cmd_send(int argc, char **argv)
{
    struct send_request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM)};
    struct sender sender;
    int status;

    command_line_parse(&send_argp, 0, argc, argv, &request);
    if (!are_readable(&request))
        return STATUS_ERROR;
    sender.channel = channel_open(&request.choice);
    if (!sender.channel)
        return STATUS_ERROR;
    sender.deadline = deadline_after(request.choice.seconds);
    status = send_all(&sender, &request);
    channel_close(sender.channel);
    return status;
}

/* --- recv --- */

struct recv_request {
    struct channel_choice choice;
    uint64_t count;
    const char *separator; /* one byte */
    size_t separator_bytes;
};

static error_t parse_recv(int key, char *argument, struct argp_state *state)
{
    struct recv_request *request = state->input;

    switch (key) {
    case 'n':
        request->count = command_line_number(state, "--count", argument, 1, UINT64_MAX);
        return 0;
    case '0':
        request->separator = "";
        request->separator_bytes = 1;
        return 0;
    case 'r':
        request->separator_bytes = 0;
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp recv_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'n', "COUNT", 0, "end after this many (default: when the other end closes)", 0},
            {"null", '0', NULL, 0, "print a NUL behind each, instead of a newline", 0},
            {"raw", 'r', NULL, 0, "print nothing behind each", 0},
            {0},
        },
    .parser = parse_recv,
    .args_doc = "NAME",
    .doc =
        "Receives datagrams and prints each as a line.\v"
        "Exit status: 0 when the other end closed or COUNT have come, 1 when the timeout passed first, 2 for an error.",
    .children = (const struct argp_child[]){{&channel_argp, 0, NULL, 0}, {0}},
};

static int print_messages(crossvm_channel_t *channel, const struct recv_request *request, uint8_t *buffer)
{
    size_t size = crossvm_channel_max_message(channel);
    crossvm_deadline_t deadline = deadline_after(request->choice.seconds);
    int status = channel_connect(channel, deadline);
    uint64_t count = 0;

    while (status == STATUS_OK && count < request->count) {
        ptrdiff_t length = crossvm_channel_recv(channel, buffer, size, deadline);

        if (length == -EPIPE && request->count == UINT64_MAX && !channel_is_gone(channel))
            return STATUS_OK;
        if (length < 0)
            return channel_error(length);
        count++;
        fwrite(buffer, 1, (size_t)length, stdout);
        fwrite(request->separator, 1, request->separator_bytes, stdout);
        /* A reader of a pipe wants each message when it is there. */
        if (!standard_output_flush())
            return STATUS_ERROR;
    }
    return status;
}

int cmd_recv(int argc, char **argv)
{
    struct recv_request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM),
                                   .count = UINT64_MAX,
                                   .separator = "\n",
                                   .separator_bytes = 1};
    int status = STATUS_ERROR;
    crossvm_channel_t *channel;
    uint8_t *buffer;

    command_line_parse(&recv_argp, 0, argc, argv, &request);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    buffer = malloc(crossvm_channel_max_message(channel));
    if (buffer)
        status = print_messages(channel, &request, buffer);
    else
        message("no memory for a message of %zu bytes", crossvm_channel_max_message(channel));
    free(buffer);
    channel_close(channel);
    return status;
}
