/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: a stream of bytes or of datagrams, in both directions, through a dataport that two ends map writable.
 *
 * The code is a pure memory protocol: freestanding C11 (with GCC's atomic built-ins), no allocation, no call to an
 * operating system. Of a C library it needs memcpy() and memset(), which compilers call anyway. Two callbacks emit an
 * event to the peer and wait for one. docs/channel.md specifies the memory.
 *
 * A life: crossvm_channel_init(), crossvm_channel_open(), then send and receive. The first call that needs the peer
 * waits for it; crossvm_channel_connect() does only that. When the peer ends or restarts, the data that it sent before
 * can still be received. After that come end of file or -EPIPE, and crossvm_channel_open() begins anew with the next
 * peer.
 *
 * Distrust: the peer can write the memory at any time. Whatever it writes, no call here touches memory outside of the
 * dataport and the caller's buffers, and every call ends. An impossible value gives -EPROTO, and the session is over.
 * Nobody checks the content of messages but the caller. What crossvm_channel_peek() shows can still change: copy it
 * before you check it, as crossvm_channel_recv() does.
 *
 * Deadlines: CROSSVM_NOW does not block (-EAGAIN), CROSSVM_FOREVER waits without end. Any other deadline is a point in
 * time of the wait callback's clock (-ETIMEDOUT).
 *
 * Errors are negative errno values with the numbers of Linux. All receiving calls return -EPIPE after the last message
 * of a peer that is gone; each says how it returns end of file. All sending calls return -EPIPE when the peer is gone
 * or takes nothing any more; the peer need not have taken what was sent before. Both return
 *  - -EPROTO when the peer broke the protocol (crossvm_channel_reason() says how),
 *  - -ENOTCONN before crossvm_channel_open() and after crossvm_channel_close(),
 *  - what the wait callback returns.
 * An error of a session stays until crossvm_channel_open(). A call that has moved something returns how much, and the
 * next call returns the error.
 *
 * Threads: one may send while another receives, once the channel is connected. All other calls are for one thread at a
 * time, with no send or receive under way. When one of the two threads finds a breach of the protocol, the other finds
 * it when it is called next or when its sleep ends.
 */
#ifndef CROSSVM_CHANNEL_H
#define CROSSVM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/channel_layout.h>
#include <crossvm/deadline.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls on the fast path are inline. Libraries have them under the same names, for bindings to other languages. */
#ifndef CROSSVM_CHANNEL_INLINE
#define CROSSVM_CHANNEL_INLINE static inline
#endif

/* What to wait for, or what is ready. */
#define CROSSVM_CHANNEL_IN 0x1 /**< a receiving call would not block: data, end of file or an error */
/** A sending call would not block: there is space for what was refused last (-EAGAIN, -ETIMEDOUT), or for a small
 * message if nothing was; or there is an error. */
#define CROSSVM_CHANNEL_OUT 0x2

/* Flags of a configuration. */
#define CROSSVM_CHANNEL_RELAXED 0x1 /**< the wait callback keeps to limit_us: see crossvm_channel_config_t.wait */

/* Values of a configuration or of options, in which 0 is the default. */
#define CROSSVM_CHANNEL_END(number) ((number) + 1u) /**< end 0 or 1 */
#define CROSSVM_CHANNEL_NO_SPIN 0xffffffffu         /**< sleep at once */

/** How far a channel has come. */
typedef enum crossvm_channel_state {
    CROSSVM_CHANNEL_CLOSED,    /**< not opened, or closed */
    CROSSVM_CHANNEL_OPENING,   /**< waits for the peer */
    CROSSVM_CHANNEL_CONNECTED, /**< in a session */
    CROSSVM_CHANNEL_ENDED,     /**< the peer is gone or began anew; data that it sent may still be there */
    CROSSVM_CHANNEL_BROKEN,    /**< the peer broke the protocol, or has other parameters */
} crossvm_channel_state_t;

/** What a channel is made of. Zero is the default of every member that has one. */
typedef struct crossvm_channel_config {
    void *memory; /**< the dataport in this address space, aligned to 64 bytes, cacheable, readable and writable */
    size_t size;  /**< its exact size: the peer must have the same; at least CROSSVM_CHANNEL_MIN_SIZE */
    /**
     * CROSSVM_CHANNEL_END(0) or CROSSVM_CHANNEL_END(1); the peer has the other. Between guest and host the guest has 0.
     * There is no default: if both ends had the same number, they would write the same ring.
     */
    unsigned int end;
    unsigned int mode; /**< CROSSVM_CHANNEL_STREAM (default) or CROSSVM_CHANNEL_DATAGRAM; the peer must have the same */
    unsigned int flags; /**< 0 or CROSSVM_CHANNEL_RELAXED */
    /**
     * How many times a blocking call looks again before it sleeps, at most; it looks fewer times while that has not
     * paid off. 0 (default) or CROSSVM_CHANNEL_NO_SPIN: it sleeps at once, which is best where both ends share a CPU.
     */
    unsigned int spin;

    /**
     * Emits an event to the peer. Orders all earlier stores of this CPU before it, as crossvm_emit() does.
     *
     * @return 0; a negative value says that the peer is gone, as crossvm_channel_set_peer() would
     */
    int (*emit)(void *cookie);
    /**
     * Waits for an event of the peer. An event that came after the last wait ends this one at once, even if it came
     * before the call.
     *
     * @param deadline what the caller of a channel call gave; never CROSSVM_NOW
     * @param limit_us if it is not 0, return -EAGAIN after that many microseconds. Always 0 without
     *                 CROSSVM_CHANNEL_RELAXED
     * @return 0 when an event came or anything may have changed; -EAGAIN when limit_us passed; -ETIMEDOUT when the
     * deadline passed, also while events keep coming, because the channel has no clock of its own (it looks once more);
     * another negative errno value (-EINTR) ends the call that waits
     */
    int (*wait)(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us);
    /**
     * Optional: told of each error that a call of the channel returns, just before it returns, in the same thread.
     * Not told of those of crossvm_channel_init().
     */
    void (*failed)(void *cookie, int error);
    void *cookie;          /**< passed to the callbacks */
    uintptr_t reserved[4]; /**< 0 */
} crossvm_channel_config_t;

/** Counts since crossvm_channel_init(), to see what a channel costs. May grow at its end. */
typedef struct crossvm_channel_counts {
    uint64_t emits;    /**< events emitted for data or space */
    uint64_t waits;    /**< calls of the wait callback */
    uint64_t sessions; /**< sessions entered */
} crossvm_channel_counts_t;

/** A sleep that crossvm_channel_arm() prepared. */
typedef struct crossvm_channel_sleep {
    uint32_t limit_us; /**< sleep no longer than this many microseconds; 0: as long as you like */
    uint32_t number;   /**< for crossvm_channel_slept(); differs from one limited time to the next */
} crossvm_channel_sleep_t;

/** A channel's own end. The caller provides the memory, and changes nothing in it. */
typedef struct crossvm_channel crossvm_channel_t;

#include <crossvm/channel_struct.h>

/*
 * Life and state
 */

/**
 * Prepares an end. Does not touch the dataport.
 *
 * @return 0, or -EINVAL for a configuration that is out of range (the size, an alignment, no end, a missing callback, a
 * reserved member that is not 0)
 */
int crossvm_channel_init(crossvm_channel_t *channel, const crossvm_channel_config_t *config);

/**
 * Begins a new session: announces this end to the peer, and forgets an earlier session with the data of it that was not
 * received. Does not wait.
 */
void crossvm_channel_open(crossvm_channel_t *channel);

/**
 * Waits until the peer is there, too.
 *
 * @return 0, -EAGAIN or -ETIMEDOUT while it is not; -EPROTO when the peer has another version, mode or size of dataport
 */
int crossvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/** Ends the sending direction: after what was sent, the peer finds end of file. Receiving goes on. */
void crossvm_channel_shutdown(crossvm_channel_t *channel);

/** Ends both directions: after what was sent, the peer finds end of file, and -EPIPE when it sends. Does not wait. */
void crossvm_channel_close(crossvm_channel_t *channel);

/**
 * Waits until the peer has taken everything that was sent. A peer need not tell that it took the last of it before it
 * receives again or closes, so do not wait for a peer that does neither.
 *
 * @return 0, -EAGAIN, -ETIMEDOUT, or -EPIPE when it is gone without having done so
 */
int crossvm_channel_drain(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/**
 * Tells a channel what memory cannot show: that nobody is at the other end (its process or VM has ended), or that
 * somebody is again. A datagram that is being sent may still seem to be accepted. May be called from the wait callback.
 * A new channel assumes that somebody is there.
 */
void crossvm_channel_set_peer(crossvm_channel_t *channel, bool here);

/** How far the channel has come, as of the last call that looked. */
crossvm_channel_state_t crossvm_channel_state(const crossvm_channel_t *channel);

/** CROSSVM_CHANNEL_STREAM or CROSSVM_CHANNEL_DATAGRAM. */
unsigned int crossvm_channel_mode(const crossvm_channel_t *channel);

/** The number of the last session that the channel entered: 0 before the first, and larger for each. */
uint64_t crossvm_channel_session(const crossvm_channel_t *channel);

/** Why the channel is CROSSVM_CHANNEL_BROKEN: a sentence that says what the peer did; "" when it is not broken. Valid
 * as long as the program. */
const char *crossvm_channel_reason(const crossvm_channel_t *channel);

/** The largest datagram in bytes. Also the largest piece that crossvm_channel_reserve() can always give at once. */
size_t crossvm_channel_max_message(const crossvm_channel_t *channel);

/** Bytes of one direction's ring. */
size_t crossvm_channel_ring_bytes(const crossvm_channel_t *channel);

/**
 * What the channel did so far.
 *
 * @param counts receives it
 * @param size   sizeof(*counts). What this library does not know of a larger structure becomes 0
 */
void crossvm_channel_get_counts(const crossvm_channel_t *channel, crossvm_channel_counts_t *counts, size_t size);

/*
 * Copying calls
 */

/**
 * Sends one datagram, or bytes of a stream.
 *
 * A datagram is sent whole or not at all. Of a stream, the call sends as much as there is space for until the deadline;
 * with CROSSVM_FOREVER it sends everything, unless the peer goes or the wait callback ends the call (a signal).
 *
 * @return bytes sent, -EMSGSIZE for a datagram over crossvm_channel_max_message(), -EAGAIN or -ETIMEDOUT when there was
 * no space, or another error as above
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send(crossvm_channel_t *channel, const void *data, size_t length,
                                                      crossvm_deadline_t deadline);

/**
 * Receives one datagram, or what there is of a stream. Blocks only while there is nothing.
 *
 * @return bytes received; for a stream 0 at end of file (or when capacity is 0). For datagrams, which may be empty, end
 * of file is -EPIPE. -EMSGSIZE says that the next datagram is larger than capacity: it stays, and
 * crossvm_channel_peek() tells its length
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                      crossvm_deadline_t deadline);

/**
 * Sends datagrams of one length, one after the other in memory, and tells the peer at the end. That is faster than one
 * by one, above all where the length is a multiple of 8. The peer may receive them by any call. For datagrams of
 * different lengths use crossvm_channel_commit_more().
 *
 * @return datagrams sent, at least 1: all, unless the deadline or an error comes first. Errors as
 * crossvm_channel_send(); -EINVAL for a stream
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send_many(crossvm_channel_t *channel, const void *data, size_t length,
                                                           size_t count, crossvm_deadline_t deadline);

/**
 * Receives up to count datagrams, into slots of capacity bytes one after the other. Blocks only while there is none.
 *
 * @param lengths receives the length of each. NULL: all must have capacity bytes, and the call stops before one that
 *                has another length
 * @return datagrams received, at least 1; errors as crossvm_channel_recv(), with -EMSGSIZE also when lengths is NULL
 * and the first has another length than capacity; -EINVAL for a stream
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv_many(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                           uint32_t *lengths, size_t count,
                                                           crossvm_deadline_t deadline);

/*
 * Calls that move data in place
 */

/**
 * Gives memory of the ring to write into. Nothing is sent before crossvm_channel_commit(). Another call of this, or a
 * call that sends, takes the memory back. In a datagram channel it is aligned to 8 bytes.
 *
 * @param data   receives the address
 * @param length of the datagram (at most; commit may say less), or how many bytes of a stream are wanted
 * @return bytes that may be written there: length for a datagram, at least 1 for a stream. Errors as
 * crossvm_channel_send()
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_reserve(crossvm_channel_t *channel, void **data, size_t length,
                                                         crossvm_deadline_t deadline);

/**
 * Sends what was written into reserved memory. Without a reservation it sends whatever bytes the ring holds there: that
 * is not checked.
 *
 * @param length at most what was reserved
 * @return 0, or -EINVAL when there is no space for it
 */
CROSSVM_CHANNEL_INLINE int crossvm_channel_commit(crossvm_channel_t *channel, size_t length);

/**
 * As crossvm_channel_commit(), but the peer is not told before crossvm_channel_flush() or any other call that sends or
 * waits for space: for batches.
 */
CROSSVM_CHANNEL_INLINE int crossvm_channel_commit_more(crossvm_channel_t *channel, size_t length);

/** Tells the peer of what crossvm_channel_commit_more() left. */
CROSSVM_CHANNEL_INLINE void crossvm_channel_flush(crossvm_channel_t *channel);

/**
 * Shows the next datagram, or what there is of a stream in one piece, in the ring itself. It stays there until
 * crossvm_channel_release().
 *
 * @param data receives the address, in a datagram channel aligned to 8 bytes
 * @return its length; for a stream 0 at end of file. Errors as crossvm_channel_recv()
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_peek(crossvm_channel_t *channel, const void **data,
                                                      crossvm_deadline_t deadline);

/**
 * Gives the memory of what crossvm_channel_peek() showed back to the peer.
 *
 * @param length of a stream: how many bytes, at most what was shown. A datagram is given back whole, and this is not
 *               looked at
 * @return 0, or -EINVAL when that was not shown. Releasing 0 bytes of a stream always succeeds
 */
CROSSVM_CHANNEL_INLINE int crossvm_channel_release(crossvm_channel_t *channel, size_t length);

/*
 * Calls for programs that wait for several things
 */

/**
 * Waits until the channel is ready for one of the events.
 *
 * @param events CROSSVM_CHANNEL_IN, CROSSVM_CHANNEL_OUT or both
 * @return which of them, or a negative errno value (-EAGAIN, -ETIMEDOUT, or the wait callback's)
 */
int crossvm_channel_wait(crossvm_channel_t *channel, unsigned int events, crossvm_deadline_t deadline);

/**
 * Asks the peer for an event, so that the caller can wait for it elsewhere, in poll() for example:
 *
 *     if (crossvm_channel_arm(channel, CROSSVM_CHANNEL_IN, &sleep) == 0) {
 *         ... sleep until an event comes, or sleep.limit_us have passed if that is not 0
 *         if (sleep.limit_us has passed)
 *             crossvm_channel_slept(channel, &sleep);
 *     }
 *     ... crossvm_channel_arm() again, or any other call of the channel
 *
 * @param sleep receives how long to sleep at most. There is a limit only with CROSSVM_CHANNEL_RELAXED, and only for the
 *              first sleeps of an end that was busy: docs/channel.md, section 6, says why
 * @return the events that are ready at once (do not sleep), or 0
 */
unsigned int crossvm_channel_arm(crossvm_channel_t *channel, unsigned int events, crossvm_channel_sleep_t *sleep);

/**
 * Says that sleep->limit_us have passed since crossvm_channel_arm() gave that sleep. The limit then ends, and the next
 * sleep may be of any length. Whoever never says so is given the limit again each time, and wakes 1,000 times a second.
 * Whether the caller slept all that time, and what it called meanwhile, does not matter: a sleep that is out of date is
 * ignored. Say it only when the time has really passed, or an event can be lost.
 */
void crossvm_channel_slept(crossvm_channel_t *channel, const crossvm_channel_sleep_t *sleep);

/** Takes the request of crossvm_channel_arm() back. Optional: an event that nobody needs does no harm. */
void crossvm_channel_disarm(crossvm_channel_t *channel);

#include <crossvm/channel_fast.h>

#ifdef __cplusplus
}
#endif
#endif
