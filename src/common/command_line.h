/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines of our programs: argp, with one look of help, version and errors, and one parser of each kind of value.
 */
#pragma once

#include <argp.h>
#include <stdint.h>

/**
 * Parses a command line. Ends the process after --help, --version and a shell's question (completion.h), and with
 * argp_err_exit_status after an error.
 *
 * @param argp  the command's own options and arguments; -h, --help, --usage, -V and --version are added
 * @param flags ARGP_IN_ORDER or 0
 * @param input for the parser of argp
 */
void command_line_parse(const struct argp *argp, unsigned int flags, int argc, char **argv, void *input);

/** The option --no-sandbox of a program that confines itself alone. @param key, group as in struct argp_option */
#define COMMAND_LINE_NO_SANDBOX(key, group)                                                                            \
    {                                                                                                                  \
        "no-sandbox", (key), NULL, 0, "do not confine this program: for debugging, or where the kernel cannot",        \
            (group)                                                                                                    \
    }

/** Prints the program's name and release. */
void print_release(void);

/** Says what is wrong with the command line and ends the process. argp_error() does so, too, but is not declared so. */
_Noreturn void command_line_error(struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Values of options. `what` is the option, for the error that ends the process when the value is another.
 */

/** A decimal number from min to max; UINT64_MAX: no upper limit. */
uint64_t command_line_number(struct argp_state *state, const char *what, const char *text, uint64_t min, uint64_t max);

/** A size (size_parse()) of at least min bytes. */
uint64_t command_line_size(struct argp_state *state, const char *what, const char *text, uint64_t min);

/** A number of seconds, with a fraction or without; not negative. What is over 30 years becomes 30 years. */
double command_line_seconds(struct argp_state *state, const char *what, const char *text);

/**
 * Takes the one argument NAME of a command, and ends the process when it is missing or there is a second one.
 *
 * @return 0, or ARGP_ERR_UNKNOWN for all other keys
 */
error_t command_line_take_name(int key, char *argument, struct argp_state *state, const char **name);

/** The same of an argument FILE, with a topology. */
error_t command_line_take_file(int key, char *argument, struct argp_state *state, const char **file);
