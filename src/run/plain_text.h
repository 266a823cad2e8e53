/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Removes from a guest's output all that makes a terminal do more than show text: control characters, and the sequences
 * and strings that some of them begin (ECMA-48, sections 5.3 to 5.6). Each has a form of 7 bits, of 8 bits and in
 * UTF-8.
 */
#pragma once

#include <stddef.h>

#define PLAIN_TEXT_BYTES 4 /* the longest character */

/** The state between two bytes of a text; all 0 at its beginning. */
struct plain_text {
    enum { TEXT_PLAIN, TEXT_ESCAPE, TEXT_SEQUENCE, TEXT_STRING } state;
    unsigned char held[PLAIN_TEXT_BYTES]; /**< the first bytes of a character */
    size_t num_held;
    size_t length; /**< of that character */
};

/**
 * Takes the next byte of a text.
 *
 * @param shown receives the bytes that are to be shown now
 * @return how many there are
 */
size_t plain_text_take(struct plain_text *text, unsigned char byte, char shown[PLAIN_TEXT_BYTES]);
