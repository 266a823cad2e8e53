/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a command line says: where this end listens, and what it lets the other end reach.
 *
 * What may be reached has a name. Only names cross the connection, and each end looks them up in its own list. A target
 * that was allowed without a name is called by its address, written the one way that address_format() writes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "frame.h"

#define RULES_MOST 64
#define RULES_REASON_BYTES 512

struct rule_listen {
    struct address address;
    char target[FRAME_TARGET_BYTES]; /* at the other end */
    int fd;                          /* or -1 */
};

struct rule_allow {
    char name[FRAME_TARGET_BYTES];
    struct address address;
};

struct rules {
    struct rule_listen listens[RULES_MOST];
    size_t num_listens;
    struct rule_allow allowed[RULES_MOST];
    size_t num_allowed;
};

/*
 * Readers of options. They return false when something is wrong, and reason receives what, as the rest of a sentence
 * that begins with the text.
 */

/** Reads a target at the other end: a name or an address. */
bool rules_parse_target(const char *text, char target[FRAME_TARGET_BYTES], char reason[RULES_REASON_BYTES]);

/** Reads ADDRESS:TARGET. */
bool rules_add_listen(struct rules *rules, const char *text, char reason[RULES_REASON_BYTES]);

/** Reads [NAME=]ADDRESS. */
bool rules_add_allowed(struct rules *rules, const char *text, char reason[RULES_REASON_BYTES]);

/** What a name of the other end stands for; NULL when it may not be reached. */
const struct address *rules_find(const struct rules *rules, const char *name);

/** Opens the sockets that listen. False after a message. */
bool rules_listen(struct rules *rules);

/** Closes them, and removes files of theirs. */
void rules_close(struct rules *rules);
