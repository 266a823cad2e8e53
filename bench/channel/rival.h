/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways to bring messages from one process to another, alike enough to be measured by the same loops. */
#ifndef RIVAL_H
#define RIVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MESSAGE_WORDS 8
#define BATCH 32
#define BULK_BYTES 65536
#define MEMORY_BYTES ((size_t)16 << 20) /* that both processes map */

struct message {
    uint64_t word[MESSAGE_WORDS];
};

/** So many messages make a chunk, whose time is taken. */
#define CHUNK 4096

/** Where the chunk of a message ends. */
static inline uint64_t next_stamp(uint64_t number, uint64_t count)
{
    return count - number < CHUNK ? count : number + CHUNK;
}

/** Told of the messages that the consumer has: after each chunk, or each bulk message, with the number of the next. */
typedef void (*seen_fn)(uint64_t number);

/** A way. Ends are 0 and 1; NULL where it cannot do something. */
struct rival {
    const char *name;
    bool is_slow;                  /* a system call a message or more: fewer messages will do */
    void (*prepare)(void *memory); /* before the processes part */
    /* In each of them; the result is for the calls below. Where instructions are counted, it is called again. */
    void *(*attach)(void *memory, int end);
    bool (*is_ready)(void *way);            /* NULL: it is when it is attached; may wait for the peer */
    void (*leave)(void *way);               /* NULL: what was put stays when its process ends */
    void (*put)(void *way, uint64_t count); /* messages 0 to count - 1, one by one */
    void (*get)(void *way, uint64_t count, seen_fn seen);
    void (*put_batches)(void *way, uint64_t count); /* in batches of BATCH */
    void (*get_batches)(void *way, uint64_t count, seen_fn seen);
    void (*bounce)(void *way, uint64_t count);                 /* end 1: each message back as it comes */
    void (*ping)(void *way, uint64_t number);                  /* end 0: a message there and back */
    void (*put_bulk)(void *way, uint64_t count, int in_place); /* messages of BULK_BYTES */
    void (*get_bulk)(void *way, uint64_t count, int in_place, seen_fn seen);
};

extern const struct rival rival_channel, rival_channel_strict, rival_channel_in_place, rival_channel_bulk, rival_plain,
    rival_boost, rival_ck, rival_pipe, rival_stream_socket, rival_packet_socket, rival_zeromq, rival_iceoryx,
    rival_iceoryx_bulk;

/** Prints a message and exits. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** Bulk content: filled by one side, looked at by the other. */
void fill_bulk(uint64_t *words, uint64_t number);
void check_bulk(const uint64_t *words, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
