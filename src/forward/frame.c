/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <endian.h>
#include <string.h>

#define YOURS 0x01

struct header {
    uint8_t type;
    uint8_t flags;
    uint16_t reserved;
    uint32_t number;
};

/* What follows the header, of all types but DATA. */
struct hello {
    uint32_t magic;
    uint16_t major;
    uint16_t minor;
    uint32_t sockets;
    uint32_t early;
};

struct open {
    uint32_t kind;
    uint32_t window;
    /* the target's name follows, without a NUL */
};

_Static_assert(sizeof(struct header) == FRAME_HEADER_BYTES, "a frame begins with the header");

/* --- reading --- */

static const char *read_hello(const uint8_t *bytes, size_t length, struct frame *frame)
{
    struct hello hello;

    if (length < sizeof(hello))
        return "the other end sent a HELLO that is too short";
    memcpy(&hello, bytes, sizeof(hello)); /* a later minor version may have more behind it */
    if (le32toh(hello.magic) != FRAME_MAGIC)
        return "the other end is no `crossvm forward`";
    frame->major = le16toh(hello.major);
    frame->minor = le16toh(hello.minor);
    frame->value = le32toh(hello.sockets);
    frame->early = le32toh(hello.early);
    if (frame->major != FRAME_VERSION_MAJOR)
        return "the other end speaks another major version of the protocol: use the same release at both ends";
    if (frame->value > FRAME_MAX_SOCKETS)
        return "the other end takes more sockets than the protocol has numbers for";
    if (frame->early > FRAME_MAX_WINDOW)
        return "the other end takes more of a socket early than a window may have";
    return NULL;
}

static const char *read_open(const uint8_t *bytes, size_t length, struct frame *frame)
{
    struct open open;

    if (length <= sizeof(open) || length - sizeof(open) >= sizeof(frame->target))
        return "the other end opened a socket to a target without a name, or with a name that is too long";
    memcpy(&open, bytes, sizeof(open));
    frame->kind = le32toh(open.kind);
    frame->value = le32toh(open.window);
    memcpy(frame->target, bytes + sizeof(open), length - sizeof(open));
    if (strlen(frame->target) != length - sizeof(open))
        return "the other end opened a socket to a target whose name has a NUL in it";
    if (frame->kind != FRAME_STREAM && frame->kind != FRAME_SEQPACKET)
        return "the other end opened a socket of a kind that does not exist";
    return NULL;
}

static const char *read_value(const uint8_t *bytes, size_t length, struct frame *frame)
{
    uint32_t value;

    if (length != sizeof(value))
        return "the other end sent a frame of a wrong length";
    memcpy(&value, bytes, sizeof(value));
    frame->value = le32toh(value);
    return NULL;
}

const char *frame_read(const void *bytes, size_t length, struct frame *frame)
{
    struct header header;
    const uint8_t *rest = (const uint8_t *)bytes + sizeof(header);

    memset(frame, 0, sizeof(*frame));
    if (length < sizeof(header))
        return "the other end sent a frame that is too short";
    memcpy(&header, bytes, sizeof(header));
    length -= sizeof(header);
    frame->type = header.type;
    frame->yours = header.flags & YOURS;
    frame->number = le32toh(header.number);
    if (header.flags & ~YOURS || header.reserved)
        return "the other end sent a frame with a flag that does not exist";
    switch (frame->type) {
    case FRAME_HELLO:
        return read_hello(rest, length, frame);
    case FRAME_OPEN:
        return read_open(rest, length, frame);
    case FRAME_DATA:
        frame->bytes = rest;
        frame->length = length;
        return NULL;
    case FRAME_END:
        return length ? "the other end sent a frame of a wrong length" : NULL;
    case FRAME_ACCEPT:
    case FRAME_CREDIT:
    case FRAME_CLOSE:
        return read_value(rest, length, frame);
    default:
        return "the other end sent a frame of a type that does not exist";
    }
}

/* --- writing --- */

size_t frame_write(void *bytes, const struct frame *frame)
{
    struct header *header = bytes;
    uint8_t *rest = (uint8_t *)(header + 1);

    *header = (struct header){.type = frame->type, .flags = frame->yours ? YOURS : 0, .number = htole32(frame->number)};
    switch (frame->type) {
    case FRAME_HELLO: {
        struct hello hello = {.magic = htole32(FRAME_MAGIC),
                              .major = htole16(frame->major),
                              .minor = htole16(frame->minor),
                              .sockets = htole32(frame->value),
                              .early = htole32(frame->early)};

        memcpy(rest, &hello, sizeof(hello));
        return sizeof(*header) + sizeof(hello);
    }
    case FRAME_OPEN: {
        struct open open = {.kind = htole32(frame->kind), .window = htole32(frame->value)};
        size_t length = strlen(frame->target);

        memcpy(rest, &open, sizeof(open));
        memcpy(rest + sizeof(open), frame->target, length);
        return sizeof(*header) + sizeof(open) + length;
    }
    case FRAME_ACCEPT:
    case FRAME_CREDIT:
    case FRAME_CLOSE: {
        uint32_t value = htole32(frame->value);

        memcpy(rest, &value, sizeof(value));
        return sizeof(*header) + sizeof(value);
    }
    default: /* END, and what precedes the bytes of DATA */
        return sizeof(*header);
    }
}
