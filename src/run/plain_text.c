/* SPDX-License-Identifier: BSD-2-Clause */
#include "plain_text.h"

#include <stdbool.h>
#include <string.h>

#define ESCAPE 0x1b
#define DELETE 0x7f
#define BELL 0x07
#define STRING_TERMINATOR 0x9c

/* The characters U+0080 to U+009F are controls. Some of them begin a sequence or a string. */
static void take_control(struct plain_text *text, unsigned char control)
{
    switch (control) {
    case 0x9b:
        text->state = TEXT_SEQUENCE;
        break;
    case 0x90:
    case 0x98:
    case 0x9d:
    case 0x9e:
    case 0x9f:
        text->state = TEXT_STRING;
        break;
    default:
        text->state = TEXT_PLAIN;
        break;
    }
}

/* The byte after an escape: @ to _ are another form of the controls above. After an intermediate byte, more follow. */
static void take_escaped(struct plain_text *text, unsigned char byte)
{
    if (byte >= '@' && byte <= '_')
        take_control(text, (unsigned char)(byte + 0x40));
    else if (byte < ' ' || byte > '/')
        text->state = TEXT_PLAIN;
}

/* --- UTF-8 (RFC 3629) --- */

/* The length of the character that a byte begins; 1 also for a byte that begins none. */
static size_t length_of(unsigned char first)
{
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 1;
}

/* Whether a byte continues the character that is held. Overlong encodings are invalid. */
static bool continues(const struct plain_text *text, unsigned char byte)
{
    unsigned char first = text->held[0];
    unsigned char least = 0x80, most = 0xbf;

    if (text->num_held == 1) {
        least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : least;
        most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : most;
    }
    return byte >= least && byte <= most;
}

/* A byte of a character of several. */
static size_t take_part(struct plain_text *text, unsigned char byte, char *shown)
{
    size_t length = text->length;

    text->held[text->num_held++] = byte;
    if (text->num_held < length)
        return 0;
    text->num_held = 0;
    if (text->held[0] == 0xc2 && byte < 0xa0) {
        take_control(text, byte);
        return 0;
    }
    memcpy(shown, text->held, length);
    return length;
}

/* --- all together --- */

static size_t take_plain(struct plain_text *text, unsigned char byte, char *shown)
{
    if (text->num_held && continues(text, byte))
        return take_part(text, byte, shown);
    text->num_held = 0; /* an invalid character is left out */
    text->length = length_of(byte);
    if (text->length > 1)
        return take_part(text, byte, shown);
    if (byte >= 0x80 && byte < 0xa0)
        take_control(text, byte);
    else if (byte == '\t' || (byte >= ' ' && byte < DELETE)) {
        shown[0] = (char)byte;
        return 1;
    }
    return 0;
}

size_t plain_text_take(struct plain_text *text, unsigned char byte, char shown[PLAIN_TEXT_BYTES])
{
    if (byte == ESCAPE) { /* also ends a sequence or string */
        text->num_held = 0;
        text->state = TEXT_ESCAPE;
        return 0;
    }
    switch (text->state) {
    case TEXT_ESCAPE:
        take_escaped(text, byte);
        return 0;
    case TEXT_SEQUENCE:
        if (byte >= '@' && byte <= '~')
            text->state = TEXT_PLAIN;
        return 0;
    case TEXT_STRING:
        if (byte == BELL || byte == STRING_TERMINATOR)
            text->state = TEXT_PLAIN;
        return 0;
    default:
        return take_plain(text, byte, shown);
    }
}
