/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a crossvm_channel_t: for the inline functions and for sizeof only. Everything here is private to this end;
 * nothing of it is ever taken from shared memory without having been checked.
 *
 * It is compiled into callers, so a change of it is a change of the ABI: tests/abi knows its layout.
 */
#include <crossvm/channel.h> /* before the guard: that header includes this one where it can be */

#ifndef CROSSVM_CHANNEL_STRUCT_H
#define CROSSVM_CHANNEL_STRUCT_H

/* Of Linux, for the inline functions: a bare component has no errno.h. */
#define CROSSVM_PRIVATE_EINVAL 22
#define CROSSVM_PRIVATE_EMSGSIZE 90

/* For inline functions that only others call: their cost is counted in instructions. */
#define CROSSVM_PRIVATE_INLINE static inline __attribute__((always_inline))

/* A word of shared memory. It may lie where payload lay before. */
typedef uint32_t __attribute__((may_alias)) crossvm_private_word_t;

/** Puts data into this end's ring. */
struct crossvm_private_sender {
    /* Fast path: a datagram whose record fits between `at` and `end` can be written at once. */
    uint8_t *at;    /* where the next byte goes */
    uint8_t *end;   /* datagrams: so far the ring is free, in one piece. Equals `at` to close the fast path: always for
                       streams, and where there is no session */
    size_t longest; /* datagram */
    uint32_t bias;  /* the index of a byte in the ring is the low word of its address, plus this */
    crossvm_private_word_t *produced;        /* NULL before the first session: nothing may be published */
    const crossvm_private_word_t *looked_at; /* peer_wake, or a word that leads to the slow path */

    uint8_t *ring;
    crossvm_private_word_t *fin;
    crossvm_private_word_t *wake;
    crossvm_private_word_t *want;
    const crossvm_private_word_t *peer_wake;
    const crossvm_private_word_t *peer_consumed;
    const crossvm_private_word_t *peer_stop;
    uint32_t consumed; /* index up to which the peer is known to have taken */
    uint32_t answered; /* the peer's wake word that the last event answered */
    uint32_t epoch;    /* of this end's wake word */
    uint32_t held;     /* bytes of the record that is reserved behind a skip, neither written yet, or 0 */
    uint32_t refused;  /* free bytes that the last call lacked, or 0 */
    unsigned int vain; /* spins in a row that ended in a sleep */
    int error;         /* 0, or what all sending calls return */
    bool shut;         /* this end said fin */
    bool batches;      /* a record may hold several datagrams in this session */
    uint64_t emits;
    uint64_t waits;
};

/** Takes data out of the peer's ring. */
struct crossvm_private_receiver {
    /* Fast path: between `at` and `end` there are records, and they can be taken without telling the peer. */
    uint8_t *at;   /* the next byte */
    uint8_t *end;  /* datagrams: see above, a record may go beyond; streams and no session: equals `at` */
    uint8_t *next; /* behind the datagram that was peeked at; equals `at` when the fast path must not take it */
    uint32_t bias; /* as the sender's */

    uint8_t *ring;
    crossvm_private_word_t *consumed;
    crossvm_private_word_t *stop;
    crossvm_private_word_t *wake;
    const crossvm_private_word_t *peer_produced;
    const crossvm_private_word_t *peer_fin;
    const crossvm_private_word_t *peer_wake;
    const crossvm_private_word_t *peer_want;
    uint32_t produced;   /* index up to which data is known to be there */
    uint32_t released;   /* index that the peer was told */
    size_t shown;        /* bytes that were peeked at, where the slow path releases them */
    const uint8_t *part; /* in a batch: the next datagram, or NULL. The record at `at` is the batch's until its end */
    const uint8_t *part_end; /* ... behind the last one, a multiple of `each` further */
    uint32_t each;           /* ... bytes of each */
    uint32_t answered;       /* the peer's wake word that the last event answered */
    uint32_t epoch;          /* of this end's wake word */
    uint32_t settling;       /* not 0: a look of the peer without a fence may be under way, since this wake word */
    unsigned int busy;       /* how often data came without a sleep in between */
    unsigned int delay;      /* pauses between two looks at an empty ring */
    unsigned int vain;       /* spins in a row that ended in a sleep */
    bool spun;               /* the data that there is came during a spin */
    bool relaxed;            /* the peer may look at this end's wake word without a fence */
    bool at_end;             /* end of file was met */
    int error;               /* 0, or what all receiving calls return once the ring is empty */
    uint64_t emits;
    uint64_t waits;
};

struct crossvm_channel {
    struct crossvm_private_sender send;
    struct crossvm_private_receiver recv __attribute__((aligned(64))); /* sender and receiver may be two threads */

    crossvm_channel_config_t config __attribute__((aligned(64)));
    crossvm_private_word_t *own;        /* this end's block */
    const crossvm_private_word_t *peer; /* the other's */
    uint32_t ring_bytes;
    uint32_t max_record;      /* bytes of the largest datagram with its header */
    uint32_t withhold;        /* a receiver tells of space at the latest when it has this much */
    uint32_t generation;      /* of this end's session or attempt */
    uint32_t peer_generation; /* that this end acknowledged, or 0 */
    uint32_t features;        /* of the session */
    int state;                /* enum crossvm_channel_state */
    bool peer_here;
    bool peer_lost; /* it went during this session */
    const char *reason;
    uint64_t sessions;
    uint64_t waits;    /* for the peer to come */
    unsigned int vain; /* spins for either direction in a row that ended in a sleep */
};

#endif
