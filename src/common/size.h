/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes and counts as people write them: in options, in topologies and in output.
 *
 * A size is a number of bytes, or a number with K, M or G, in either case, with or without "iB": 4096, 4K, 4k, 4KiB.
 * Numbers are decimal; a leading 0 does not make one octal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIZE_TEXT_BYTES 24 /* room for the text of any size */

/**
 * Reads a decimal number without sign.
 *
 * @param rest receives what follows it; NULL: nothing may follow
 * @return false when there is no number, or it has more than 64 bits
 */
bool number_parse(const char *text, const char **rest, uint64_t *number);

/** Reads a size. Parameters and result as number_parse(). */
bool size_parse(const char *text, const char **rest, uint64_t *bytes);

/** Writes a size the short way: 64K, 2M, or the number itself if it is no multiple of 1024. Returns the buffer. */
const char *size_format(char buffer[SIZE_TEXT_BYTES], uint64_t bytes);
