/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What shells ask when a user presses Tab: `PROGRAM --complete WORD...` prints what may stand in place of the last
 * word, a candidate a line, with a tab and its description behind it where it has one. A line ":files" or
 * ":directories" asks the shell to complete names of those. The options come from what argp parses, so no shell has a
 * list of them.
 */
#pragma once

#include <argp.h>

/** The first argument of such a question. */
#define COMPLETION_OPTION "--complete"

/** A word that is not finished. */
struct completion {
    const char *word;   /* what is there of it */
    const char *before; /* what stands before it in the same word of the shell: "--option=", or "" */
};

/** Prints a candidate if the word begins like it. description may be NULL. */
void completion_offer(const struct completion *completion, const char *candidate, const char *description);

/** Asks the shell for the names of files. */
void completion_offer_files(void);

/**
 * Offers what may be given for a placeholder of usage lines, such as NAME. The program sets it before it parses its
 * command line. NULL: the program has only placeholders for files and directories.
 */
extern void (*completion_offer_value)(const struct completion *completion, const char *placeholder);

/** Answers the question about the last of some words, the first of which follows the command. */
void completion_print(const struct argp *argp, int num_words, char **words);
