/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands read and write. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/standard_streams.h"
#include "ends.h"

struct request {
    const char *name;
    const char *text; /* write: the bytes, or NULL for standard input */
    uint64_t dataport;
    uint64_t offset;
    uint64_t length;
    bool has_length;
    bool hex;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'd':
        request->dataport = command_line_number(state, "--dataport", argument, 0, UINT64_MAX);
        return 0;
    case 'o':
        request->offset = command_line_size(state, "--offset", argument, 0);
        return 0;
    case 'l':
        request->length = command_line_size(state, "--length", argument, 0);
        request->has_length = true;
        return 0;
    case 'x':
        request->hex = true;
        return 0;
    default:
        return command_line_take_name(key, argument, state, &request->name);
    }
}

static error_t parse_write(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    if (key != ARGP_KEY_ARG || !request->name)
        return parse(key, argument, state);
    if (request->text)
        command_line_error(state, "one STRING is enough; put quotes around it");
    request->text = argument;
    return 0;
}

#define OPTION_DATAPORT                                                                                                \
    {                                                                                                                  \
        "dataport", 'd', "INDEX", 0, "which dataport, counted from 0 (default 0)", 0                                   \
    }
#define OPTION_OFFSET                                                                                                  \
    {                                                                                                                  \
        "offset", 'o', "SIZE", 0, "where in it to begin (default 0)", 0                                                \
    }

static const struct argp read_argp = {
    .options =
        (const struct argp_option[]){
            OPTION_DATAPORT,
            OPTION_OFFSET,
            {"length", 'l', "SIZE", 0, "how much (default: to the end)", 0},
            {"hex", 'x', NULL, 0, "print offsets, hexadecimal and text; \"*\" replaces lines equal to the one before",
             0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Copies a dataport to standard output, byte by byte as it is.\v"
           "SIZE is in bytes, or has a suffix K, M or G.",
};

static const struct argp write_argp = {
    .options =
        (const struct argp_option[]){
            OPTION_DATAPORT,
            OPTION_OFFSET,
            {0},
        },
    .parser = parse_write,
    .args_doc = "NAME [STRING]",
    .doc = "Copies standard input, or a string without its final NUL, to a dataport. Writes nothing if not all of it "
           "fits.\v"
           "SIZE is in bytes, or has a suffix K, M or G. No event is sent: `crossvm emit` does that.",
};

/* --- access to the memory --- */

/*
 * A dataport may be device memory, where only aligned accesses work: copies go by aligned words, and by bytes at the
 * ends. Volatile keeps the compiler from making memcpy() of them.
 */
static bool is_word_at(const volatile uint8_t *port, size_t left)
{
    return (uintptr_t)port % sizeof(uint64_t) == 0 && left >= sizeof(uint64_t);
}

static void copy_from_dataport(uint8_t *to, const volatile uint8_t *port, size_t length)
{
    while (length) {
        size_t step = 1;

        if (is_word_at(port, length)) {
            uint64_t word = *(const volatile uint64_t *)port;

            step = sizeof(word);
            memcpy(to, &word, step);
        } else {
            *to = *port;
        }
        to += step;
        port += step;
        length -= step;
    }
}

static void copy_to_dataport(volatile uint8_t *port, const uint8_t *from, size_t length)
{
    while (length) {
        size_t step = 1;

        if (is_word_at(port, length)) {
            uint64_t word;

            step = sizeof(word);
            memcpy(&word, from, step);
            *(volatile uint64_t *)port = word;
        } else {
            *port = *from;
        }
        from += step;
        port += step;
        length -= step;
    }
}

/* Opens the end, and gives its dataport from the request's offset on. NULL after a message. */
static crossvm_end_t *open_dataport(const struct request *request, crossvm_dataport_t *dataport)
{
    crossvm_end_t *end = end_open(request->name);
    size_t count = end ? crossvm_num_dataports(end) : 0;

    if (!end)
        return NULL;
    if (request->dataport >= count) {
        if (count == 0)
            message("connection \"%s\" has no dataport, only events", crossvm_name(end));
        else
            message("connection \"%s\" has no dataport %" PRIu64 ": its last one is %zu", crossvm_name(end),
                    request->dataport, count - 1);
        goto failed;
    }
    *dataport = crossvm_dataport(end, request->dataport);
    if (request->offset > dataport->size) {
        message("offset %" PRIu64 " is beyond dataport %" PRIu64 " of connection \"%s\", which has %zu bytes",
                request->offset, request->dataport, crossvm_name(end), dataport->size);
        goto failed;
    }
    dataport->address = (uint8_t *)dataport->address + request->offset;
    dataport->size -= request->offset;
    return end;
failed:
    crossvm_close(end);
    return NULL;
}

/* --- read --- */

#define LINE 16
#define PIECE 4096 /* bytes that are copied at a time: whole lines */

static void print_line(uint64_t offset, const uint8_t *bytes, size_t length)
{
    printf("%08" PRIx64, offset);
    for (size_t i = 0; i < LINE; i++) {
        if (i % 8 == 0)
            putchar(' ');
        if (i < length)
            printf(" %02x", bytes[i]);
        else
            fputs("   ", stdout);
    }
    fputs("  |", stdout);
    for (size_t i = 0; i < length; i++)
        putchar(bytes[i] < 0x80 && isprint(bytes[i]) ? bytes[i] : '.');
    puts("|");
}

/* What of a dump is printed so far. */
struct dump {
    uint64_t offset; /* of the next line */
    uint8_t line[LINE];
    bool has_line; /* that one, whole, came before */
    bool repeats;
};

static void print_hex(struct dump *dump, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i += LINE, dump->offset += LINE) {
        size_t rest = length - i < LINE ? length - i : LINE;

        if (rest == LINE && dump->has_line && memcmp(bytes + i, dump->line, LINE) == 0) {
            if (!dump->repeats)
                puts("*");
            dump->repeats = true;
            continue;
        }
        dump->repeats = false;
        print_line(dump->offset, bytes + i, rest);
        memcpy(dump->line, bytes + i, rest);
        dump->has_line = rest == LINE;
    }
}

/* Copies piece by piece and writes then: write() fails for memory of a device. */
static int read_dataport(const struct request *request, const crossvm_dataport_t *dataport, size_t length)
{
    static uint8_t piece[PIECE];
    struct dump dump = {.offset = request->offset};

    for (size_t done = 0, step; done < length; done += step) {
        step = length - done < PIECE ? length - done : PIECE;
        copy_from_dataport(piece, (const uint8_t *)dataport->address + done, step);
        if (request->hex) {
            print_hex(&dump, piece, step);
        } else if (fwrite(piece, 1, step, stdout) < step) {
            standard_output_failed(errno);
            return STATUS_ERROR;
        }
    }
    if (request->hex)
        printf("%08" PRIx64 "\n", request->offset + length);
    return STATUS_OK;
}

int cmd_read(int argc, char **argv)
{
    struct request request = {0};
    int status = STATUS_ERROR;
    crossvm_dataport_t dataport;
    crossvm_end_t *end;

    command_line_parse(&read_argp, 0, argc, argv, &request);
    end = open_dataport(&request, &dataport);
    if (!end)
        return STATUS_ERROR;
    if (!request.has_length)
        request.length = dataport.size;
    if (request.length > dataport.size)
        message("dataport %" PRIu64 " of connection \"%s\" has %zu bytes from offset %" PRIu64 " on, not %" PRIu64,
                request.dataport, crossvm_name(end), dataport.size, request.offset, request.length);
    else
        status = read_dataport(&request, &dataport, request.length);
    crossvm_close(end);
    return status;
}

/* --- write --- */

static int write_dataport(crossvm_end_t *end, const struct request *request, const crossvm_dataport_t *dataport)
{
    size_t length = request->text ? strlen(request->text) : 0;
    uint8_t *input = request->text ? NULL : malloc(dataport->size + 1); /* one byte more shows that there is more */
    int status = STATUS_ERROR;

    if (!request->text && !input) {
        message("no memory to read %zu bytes", dataport->size);
        return STATUS_ERROR;
    }
    if (input)
        length = fread(input, 1, dataport->size + 1, stdin);
    if (input && ferror(stdin)) {
        message("cannot read standard input: %s", error_reason(errno));
    } else if (length > dataport->size) {
        message("the input does not fit into dataport %" PRIu64
                " of connection \"%s\", which has %zu bytes from offset "
                "%" PRIu64 " on; nothing was written",
                request->dataport, crossvm_name(end), dataport->size, request->offset);
    } else {
        copy_to_dataport(dataport->address, input ? input : (const uint8_t *)request->text, length);
        status = STATUS_OK;
    }
    free(input);
    return status;
}

int cmd_write(int argc, char **argv)
{
    struct request request = {0};
    int status = STATUS_ERROR;
    crossvm_dataport_t dataport;
    crossvm_end_t *end;

    command_line_parse(&write_argp, 0, argc, argv, &request);
    end = open_dataport(&request, &dataport);
    if (!end)
        return STATUS_ERROR;
    if (dataport.rights & CROSSVM_RIGHT_WRITE)
        status = write_dataport(end, &request, &dataport);
    else
        message("dataport %" PRIu64 " of connection \"%s\" is read-only for this end", request.dataport,
                crossvm_name(end));
    crossvm_close(end);
    return status;
}
