/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest prints, without all that could make a terminal do more than show text: control characters, and the
 * sequences and strings that some of them begin (ECMA-48, sections 5.3 to 5.6), in their forms of 7 and of 8 bits and
 * in UTF-8.
 */
#pragma once

#include <stddef.h>

#define PLAIN_TEXT_BYTES 4 /* the longest character */

/** Where a text is; all 0 at its beginning. */
struct plain_text {
    enum { TEXT_PLAIN, TEXT_ESCAPE, TEXT_SEQUENCE, TEXT_STRING } state;
    unsigned char held[PLAIN_TEXT_BYTES]; /**< the first bytes of a character */
    size_t num_held;
    size_t length; /**< of that character */
};

/**
 * Takes the next byte of a text.
 *
 * @param shown receives what is to be shown now
 * @return of how many bytes that is; 0 for none
 */
size_t plain_text_take(struct plain_text *text, unsigned char byte, char shown[PLAIN_TEXT_BYTES]);
