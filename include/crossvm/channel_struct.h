/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a crossvm_channel_t: for the inline functions and for sizeof only. Everything here is private to this end.
 * Nothing of it is taken from shared memory before it was checked.
 *
 * It is compiled into callers, so a change of it is a change of the ABI: tests/abi knows its layout.
 */
#include <crossvm/channel.h> /* before the guard: that header includes this one where it can be */

#ifndef CROSSVM_CHANNEL_STRUCT_H
#define CROSSVM_CHANNEL_STRUCT_H

/* Of Linux, for the inline functions: a bare component has no errno.h. */
#define CROSSVM_PRIVATE_EINVAL 22
#define CROSSVM_PRIVATE_EMSGSIZE 90

/* Inline functions that other inline functions call. A call in place of one would show in the count of instructions. */
#define CROSSVM_PRIVATE_INLINE static inline __attribute__((always_inline))

/* A word of shared memory. It may lie where there was payload before, hence the alias. */
typedef uint32_t __attribute__((may_alias)) crossvm_private_word_t;

/** Puts data into this end's ring. */
struct crossvm_private_sender {
    /* Fast path: a datagram whose record fits between `at` and `end` can be written at once. */
    uint8_t *at;    /* where the next byte goes */
    uint8_t *end;   /* datagrams: the ring is free up to here, in one piece. Equals `at` to close the fast path: always
                       for streams, and while there is no session */
    size_t longest; /* bytes of the longest datagram */
    uint32_t bias;  /* the index of a byte in the ring is the low word of its address, plus this */
    crossvm_private_word_t *produced;        /* NULL while there is no session: nothing may be published */
    const crossvm_private_word_t *looked_at; /* peer_wake, or a word that sends the next call to the slow path */

    uint8_t *ring;
    crossvm_private_word_t *fin;
    crossvm_private_word_t *wake;
    crossvm_private_word_t *want;
    const crossvm_private_word_t *peer_wake;
    const crossvm_private_word_t *peer_consumed;
    const crossvm_private_word_t *peer_stop;
    uint32_t consumed;         /* index up to which the peer is known to have taken */
    uint32_t answered;         /* the peer's wake word that the last event answered */
    uint32_t epoch;            /* of this end's wake word */
    uint32_t held;             /* bytes of the record that is reserved after a skip; neither is written yet. Or 0 */
    uint32_t refused;          /* free bytes that the last call lacked, or 0 */
    unsigned int failed_spins; /* spins in a row that ended in a sleep */
    int error;                 /* 0, or what all sending calls return */
    bool shut;                 /* this end has ended its direction (FIN) */
    bool batches;              /* a record may hold several datagrams in this session */
    uint64_t emits;
    uint64_t waits;
};

/** Takes data out of the peer's ring. */
struct crossvm_private_receiver {
    /* Fast path: between `at` and `end` there are records that can be taken without telling the peer. */
    uint8_t *at;   /* the next byte */
    uint8_t *end;  /* datagrams: as above, and a record may go beyond; streams, or no session: equals `at` */
    uint8_t *next; /* after the datagram that was peeked at; equals `at` when the fast path must not take it */
    uint32_t bias; /* as of the sender */

    uint8_t *ring;
    crossvm_private_word_t *consumed;
    crossvm_private_word_t *stop;
    crossvm_private_word_t *wake;
    const crossvm_private_word_t *peer_produced;
    const crossvm_private_word_t *peer_fin;
    const crossvm_private_word_t *peer_wake;
    const crossvm_private_word_t *peer_want;
    uint32_t produced;         /* index up to which data is known to be there */
    uint32_t released;         /* index that the peer was told */
    size_t shown;              /* bytes that were peeked at, if the slow path releases them */
    const uint8_t *part;       /* in a batch: the next datagram, with `at` still at the batch; or NULL */
    const uint8_t *part_end;   /* ... after its last one, a multiple of `each` further */
    uint32_t each;             /* ... bytes of each */
    uint32_t answered;         /* the peer's wake word that the last event answered */
    uint32_t epoch;            /* of this end's wake word */
    uint32_t settling;         /* not 0: a look of the peer without a fence may be under way, since this wake word */
    unsigned int busy;         /* times that data came without a sleep in between */
    unsigned int delay;        /* pauses between two looks at an empty ring */
    unsigned int failed_spins; /* spins in a row that ended in a sleep */
    bool spun;                 /* the data that is there came during a spin */
    bool relaxed;              /* the peer may look at this end's wake word without a fence */
    bool at_end;               /* end of file was met */
    int error;                 /* 0, or what all receiving calls return once the ring is empty */
    uint64_t emits;
    uint64_t waits;
};

struct crossvm_channel {
    struct crossvm_private_sender send;
    struct crossvm_private_receiver recv __attribute__((aligned(64))); /* sender and receiver may be two threads */

    crossvm_channel_config_t config __attribute__((aligned(64)));
    crossvm_private_word_t *own;        /* this end's block */
    const crossvm_private_word_t *peer; /* the peer's */
    uint32_t ring_bytes;
    uint32_t max_record;      /* bytes of the largest datagram with its header */
    uint32_t withhold;        /* a receiver tells of space when it has taken this many bytes, at the latest */
    uint32_t generation;      /* of this end's session or attempt */
    uint32_t peer_generation; /* that this end has acknowledged, or 0 */
    uint32_t features;        /* of the session */
    int state;                /* enum crossvm_channel_state */
    bool peer_here;
    bool peer_lost; /* it went during this session */
    const char *reason;
    uint64_t sessions;
    uint64_t waits;            /* for the peer to come */
    unsigned int failed_spins; /* spins for either direction in a row that ended in a sleep */
};

#endif
