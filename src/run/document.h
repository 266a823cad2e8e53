/* SPDX-License-Identifier: BSD-2-Clause */
/* A file with one YAML document, and the errors that were found in it. */
#pragma once

#include <stddef.h>

#include <yaml.h>

/* libyaml takes time that grows with the square of some of these, so a topology has limits. */
#define DOCUMENT_MAX_BYTES 262144
#define DOCUMENT_MAX_VALUES 20000
#define DOCUMENT_MAX_DEPTH 16
#define DOCUMENT_MAX_ERRORS 20 /* are printed; the rest are counted */

struct document {
    const char *file; /**< for messages */
    char *text;
    size_t length;
    yaml_document_t yaml;
    unsigned int errors; /**< also those that were not printed */
};

/**
 * Reads a file with one document in it.
 *
 * @param file its path; "-" is standard input
 * @return 0; or -1 after an error on standard error, and then there is nothing to free
 */
int document_load(struct document *document, const char *file);

/** How messages call a file. */
const char *document_name(const char *file);

/** Says how many errors were not printed. */
void document_end_errors(const struct document *document);

void document_free(struct document *document);
