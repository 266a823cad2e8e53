/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that a test runs: with input, output and errors in files or pipes of the test. Include after cmocka.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ARGUMENTS 12

/* A program that runs, and what it left when it has ended. */
struct program {
    pid_t pid;
    int in; /* standard input, for the test to write; -1 when it is a file */
    int out_fd;
    int err_fd;
    int status; /* exit status, or 128 and the signal */
    size_t length;
    char *output; /* ends with a NUL */
    char *errors;
};

/** The words of a command line of the tool, for start_with(), start_open() and start_closed(). */
#define words(...) ((const char *const[MAX_ARGUMENTS]){pair_tool, __VA_ARGS__})

/** Starts the tool with an input. */
#define start_input(bytes, length, ...) start_with(make_file(bytes, length), words(__VA_ARGS__))
#define start(...) start_input("", 0, __VA_ARGS__)

/** A file in memory. */
int make_file(const void *bytes, size_t length);

/** Starts a program. The input stays the caller's; an output of -1 makes a file of it. */
struct program start_program(int in, int out, const char *const arguments[MAX_ARGUMENTS]);

/** Starts a program with an input that belongs to it from now on. */
struct program start_with(int in, const char *const arguments[MAX_ARGUMENTS]);

/** Starts a program whose input the test writes. */
struct program start_open(const char *const arguments[MAX_ARGUMENTS]);

/** As start_with(), with descriptor 0 closed if bit 0 of `closed` is set, and so on. */
struct program start_closed(unsigned int closed, int in, const char *const arguments[MAX_ARGUMENTS]);

/** Ends the input of a program. */
void close_input(struct program *program);

/** Waits for the end of a program. Returns its status. */
int await_status(const struct program *program);

/** As await_status(), for a program whose output is the test's own. */
int reap(struct program *program);

/** Waits for the end of a program and takes what it left, for forget() to free. */
void finish(struct program *program);
void forget(struct program *program);

/** Waits for its end, and checks what it left; errors: a part of them, or "" for none. */
void expect(struct program *program, int status, const char *output, const char *errors);

/** Sends a signal, and finishes. */
void end_by_signal(struct program *program, int signal);

/** Ends a program of which nothing is expected. */
void dismiss(struct program *program);

/** Waits until a program owns an end. */
void await_owner(const char *name);

/** Waits until the output, or the errors, of a program hold a text, and behind it another; NULL: one will do. */
void await_text(const struct program *program, const char *text, const char *then);
void await_error(const struct program *program, const char *text);

/** Waits until the output of a program has a length. */
void await_length(const struct program *program, size_t length);

/** Waits until a program has closed its standard output. */
void await_closed_output(const struct program *program);

/** Bytes that are never the same for long, for the caller to free. */
uint8_t *make_bytes(size_t length, uint32_t seed);
