/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: a stream of bytes or of datagrams, in both directions, through a dataport that two ends map writable.
 *
 * The code is a pure memory protocol: freestanding C11 (with GCC's atomic built-ins), no allocation, no call to an
 * operating system; of a C library it needs memcpy() and memset(), which any compiler wants anyway. How to ring the
 * other end's bell and how to wait for one's own are two callbacks. docs/channel.md specifies the memory.
 *
 * A life: crossvm_channel_init(), crossvm_channel_open(), then send and receive. The first call that needs the peer
 * waits for it; crossvm_channel_connect() does only that. When the peer ends or restarts, what it had sent can still be
 * received, then come end of file or -EPIPE, and crossvm_channel_open() begins anew with whoever is there by then.
 *
 * Distrust: the peer can write the memory at any time. Whatever it writes, no call here touches memory outside of the
 * dataport and the caller's buffers, or goes on without end: impossible values give -EPROTO, and the session is over.
 * The content of messages is the caller's to judge; what crossvm_channel_peek() shows can still change while it is
 * looked at, so copy what is to be parsed (crossvm_channel_recv() does) before you check it.
 *
 * Deadlines: CROSSVM_NOW does not block (-EAGAIN), CROSSVM_FOREVER waits without end, and anything else
 * is a point in time that means what the wait callback makes of it (-ETIMEDOUT).
 *
 * Errors are negative errno values, the numbers of Linux. All receiving calls: -EPIPE after the last message of a peer
 * that is gone; end of file as each says. All sending calls: -EPIPE when the peer is gone or takes nothing any more,
 * though it need not have taken what was sent before. Both: -EPROTO (crossvm_channel_reason() says why), -ENOTCONN
 * before crossvm_channel_open() or after crossvm_channel_close(), and what the wait callback returns. Once met, an
 * error of a session stays until crossvm_channel_open(). A call that has moved something says how much, and the next
 * call meets the error.
 *
 * Threads: one may send while another receives, once the channel is connected. All other calls are for one thread at a
 * time, with no send or receive under way. A breach of the protocol that one of them meets, the other meets when it
 * looks next: when it is called, or its sleep ends.
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

/* What to wait for, or what is ready. */
#define CROSSVM_CHANNEL_IN 0x1 /* a receiving call would not block: data, end of file or an error */
/* A sending call would not block: there is space for what was refused last (-EAGAIN, -ETIMEDOUT), or for a small
 * message if nothing was; or there is an error. */
#define CROSSVM_CHANNEL_OUT 0x2

/* Flags of a configuration. */
#define CROSSVM_CHANNEL_RELAXED 0x1 /* the wait callback keeps to limit_us: see crossvm_channel_config_t.wait */

/** How far a channel has come. */
typedef enum crossvm_channel_state {
    CROSSVM_CHANNEL_CLOSED,    /**< not opened, or closed */
    CROSSVM_CHANNEL_OPENING,   /**< waits for the peer */
    CROSSVM_CHANNEL_CONNECTED, /**< in a session */
    CROSSVM_CHANNEL_ENDED,     /**< the peer is gone or began anew; what it had sent may still be there */
    CROSSVM_CHANNEL_BROKEN,    /**< the peer broke the protocol, or cannot be talked to */
} crossvm_channel_state_t;

/** What a channel is made of. */
typedef struct crossvm_channel_config {
    void *memory;   /**< the dataport in this address space, aligned to 64 bytes, cacheable, readable and writable */
    size_t size;    /**< its exact size: the peer must have the same; at least CROSSVM_CHANNEL_MIN_SIZE */
    unsigned end;   /**< 0 or 1: the peer has the other. Guest to host: the guest has 0 */
    unsigned mode;  /**< CROSSVM_CHANNEL_STREAM or CROSSVM_CHANNEL_DATAGRAM; the peer must have the same */
    unsigned flags; /**< 0 or CROSSVM_CHANNEL_RELAXED */
    unsigned spin;  /**< how often to look again, at most, before a blocking call sleeps: seldom so often while it
                         sleeps all the same. 0 where spinning only takes the peer's CPU */

    /**
     * Rings the peer's bell. Orders all earlier stores of this CPU before it, as crossvm_emit() does. A negative result
     * says that the peer is gone, as crossvm_channel_set_peer() would.
     */
    int (*emit)(void *cookie);
    /**
     * Waits for this end's bell. A bell that rang since the last wait ends it at once, even one that rang before the
     * call.
     *
     * @param deadline what the caller of a channel call gave; never CROSSVM_NOW
     * @param limit_us not 0: return -EAGAIN after that many microseconds. Always 0 without CROSSVM_CHANNEL_RELAXED
     * @return 0 when the bell rang or anything may have changed, -EAGAIN when limit_us passed, -ETIMEDOUT when the
     * deadline passed, also when bells never stop: the channel has no clock of its own, and looks once more; another
     * negative errno value (-EINTR) ends the call that waits
     */
    int (*wait)(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us);
    void *cookie; /**< passed to both */
} crossvm_channel_config_t;

/** Counts since crossvm_channel_init(), to see what a channel costs. */
typedef struct crossvm_channel_counts {
    uint64_t emits;    /**< bells rung for data or space */
    uint64_t waits;    /**< calls of the wait callback */
    uint64_t sessions; /**< sessions entered */
} crossvm_channel_counts_t;

/** A channel's own end. The caller provides the memory and leaves what is in it alone. */
typedef struct crossvm_channel crossvm_channel_t;

#include <crossvm/channel_struct.h>

/**
 * Prepares an end. Does not touch the dataport.
 *
 * @return 0, or -EINVAL for a configuration that is out of range (the size, an alignment, a missing callback)
 */
int crossvm_channel_init(crossvm_channel_t *channel, const crossvm_channel_config_t *config);

/**
 * Begins a new session: announces this end to the peer, and forgets an earlier session and what was not received of it.
 * Does not wait.
 */
void crossvm_channel_open(crossvm_channel_t *channel);

/**
 * Waits until the peer is there, too.
 *
 * @return 0, -EAGAIN or -ETIMEDOUT while it is not; -EPROTO when the peer has another version, mode or size of dataport
 */
int crossvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/** Ends the sending direction: the peer meets end of file after what was sent. Receiving goes on. */
void crossvm_channel_shutdown(crossvm_channel_t *channel);

/** Ends both directions: the peer meets end of file after what was sent, and -EPIPE when it sends. Does not wait. */
void crossvm_channel_close(crossvm_channel_t *channel);

/**
 * Waits until the peer has taken everything that was sent. A peer may keep to itself that it took the last of it until
 * it receives again or closes, so do not wait for one that does neither.
 *
 * @return 0, -EAGAIN, -ETIMEDOUT, or -EPIPE when it is gone without having done so
 */
int crossvm_channel_drain(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/**
 * Tells a channel what memory cannot show: that nobody is at the other end (the end of its process or VM), or that
 * somebody is again. A datagram that is being sent may still seem to go. May be called from the wait callback. A
 * channel starts out believing that somebody is there.
 */
void crossvm_channel_set_peer(crossvm_channel_t *channel, bool here);

/** How far the channel has come, as of the last call that looked. */
crossvm_channel_state_t crossvm_channel_state(const crossvm_channel_t *channel);

/** Why the channel is CROSSVM_CHANNEL_BROKEN: what the peer did wrong, as a sentence; "" when it is not. */
const char *crossvm_channel_reason(const crossvm_channel_t *channel);

/** The largest datagram. Also the largest piece that crossvm_channel_reserve() gives in one go for certain. */
size_t crossvm_channel_max_message(const crossvm_channel_t *channel);

/** Bytes of one direction's ring. */
size_t crossvm_channel_ring_bytes(const crossvm_channel_t *channel);

/** What the channel did so far. */
void crossvm_channel_get_counts(const crossvm_channel_t *channel, crossvm_channel_counts_t *counts);

/*
 * Copying calls
 */

/**
 * Sends one datagram, or bytes of a stream.
 *
 * A datagram goes whole or not at all. Of a stream goes as much as there is space for until the deadline; with
 * CROSSVM_FOREVER that is everything, unless the peer goes or the wait callback ends the call (a signal).
 *
 * @return bytes sent, -EMSGSIZE for a datagram over crossvm_channel_max_message(), -EAGAIN or -ETIMEDOUT when there was
 * no space, or another error as above
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send(crossvm_channel_t *channel, const void *data, size_t length,
                                                      crossvm_deadline_t deadline);

/**
 * Receives one datagram, or what there is of a stream: blocks only while there is nothing.
 *
 * @return bytes received; for a stream 0 at end of file (or when capacity is 0). For datagrams, which may be empty, end
 * of file is -EPIPE; and -EMSGSIZE says that the next one is larger than capacity: it stays, and crossvm_channel_peek()
 * tells its length
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                      crossvm_deadline_t deadline);

/**
 * Sends datagrams of one length, one after the other in memory, and tells the peer at the end: faster than one by one,
 * most of all where the length is a multiple of 8. The peer may receive them as it likes. For datagrams of different
 * lengths use crossvm_channel_commit_more().
 *
 * @return datagrams sent, at least 1: all, unless the deadline or an error comes first. Errors as
 * crossvm_channel_send()
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send_many(crossvm_channel_t *channel, const void *data, size_t length,
                                                           size_t count, crossvm_deadline_t deadline);

/**
 * Receives up to count datagrams, into slots of capacity bytes one after the other; blocks only while there is none.
 *
 * @param lengths receives the length of each. NULL: all are to have capacity bytes, and the call stops before one that
 *                has not
 * @return datagrams received, at least 1; errors as crossvm_channel_recv(), with -EMSGSIZE also when lengths is NULL
 * and the first has another length than capacity
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv_many(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                           uint32_t *lengths, size_t count,
                                                           crossvm_deadline_t deadline);

/*
 * Calls that move data in place
 */

/**
 * Gives memory of the ring to write into. Nothing is sent before crossvm_channel_commit(); another call of this, or a
 * call that sends, takes the memory back. It is aligned to 8 bytes in a datagram channel.
 *
 * @param data   receives the address
 * @param length of the datagram (at most; commit may say less), or how many bytes of a stream are wanted
 * @return bytes that may be written there: length for a datagram, at least 1 for a stream. Errors as
 * crossvm_channel_send()
 */
CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_reserve(crossvm_channel_t *channel, void **data, size_t length,
                                                         crossvm_deadline_t deadline);

/**
 * Sends what was written into reserved memory.
 *
 * @param length at most what was reserved
 * @return 0, or -EINVAL when there is no space for it. That it was reserved is the caller's to know: what is committed
 * without has the bytes that lie there
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
 * Shows the next datagram, or what there is of a stream in one piece, where it lies in the ring. It stays there until
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
 * @param length of a stream: how many bytes, at most what was shown. A datagram goes whole, whatever this says
 * @return 0, or -EINVAL when that was not shown
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
int crossvm_channel_wait(crossvm_channel_t *channel, unsigned events, crossvm_deadline_t deadline);

/**
 * Asks for the bell, so that the caller can wait for it elsewhere, in poll() for example. After 0, sleep until the bell
 * rings, for limit_us microseconds at most if that is not 0, and call this again, or any other call of the channel.
 *
 * @param limit_us receives 0, or with CROSSVM_CHANNEL_RELAXED a limit: see docs/channel.md, section 6
 * @return the events that are ready at once (do not sleep), or 0
 */
unsigned crossvm_channel_arm(crossvm_channel_t *channel, unsigned events, uint32_t *limit_us);

/** Asks for no bell any more. Optional: a bell that nobody needs does no harm. */
void crossvm_channel_disarm(crossvm_channel_t *channel);

#include <crossvm/channel_fast.h>

#ifdef __cplusplus
}
#endif
#endif
