/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the channel share. An index counts the bytes of one direction since the session began, modulo 2^32.
 * `at` is the address in the ring that belongs to an index. Each end computes with its own indices only. It takes the
 * peer's after a check that they are possible.
 */
#pragma once

#include <crossvm/channel.h>

/* Only the channel calls these, also when it is part of a shared library. */
#pragma GCC visibility push(hidden)

/* Errors that the channel returns, negated; Linux's numbers. A bare component has no errno.h. */
enum {
    CHANNEL_EAGAIN = 11,
    CHANNEL_EINVAL = CROSSVM_PRIVATE_EINVAL,
    CHANNEL_EPIPE = 32,
    CHANNEL_EPROTO = 71,
    CHANNEL_EMSGSIZE = CROSSVM_PRIVATE_EMSGSIZE,
    CHANNEL_ENOTCONN = 107,
};

/** A peer that looks at a wake word without a fence sees it after this time at the latest (docs/channel.md, section 6).
 */
#define CHANNEL_SETTLE_US 1000

/** The peer is told of a long copy in steps of this many bytes, so that both ends copy at the same time, from a warm
 * cache. */
#define CHANNEL_STEP 32768

/** Passes on what a call is to return, after it has told the caller's callback of an error. */
static inline ptrdiff_t cvm_channel_result(crossvm_channel_t *channel, ptrdiff_t result)
{
    return result < 0 ? crossvm_private_fail(channel, (int)result) : result;
}

/*
 * Session (session.c)
 */

/** How far the channel has come. */
static inline int cvm_channel_state(const crossvm_channel_t *channel)
{
    return __atomic_load_n(&channel->state, __ATOMIC_RELAXED);
}

/** Takes one step towards a session if there is none. Returns 0 in a session, also one that ended; -EAGAIN, -EPROTO or
 * -ENOTCONN. */
int cvm_channel_join(crossvm_channel_t *channel);

/** crossvm_channel_connect(), as a part of other calls. */
int cvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/** Whether the peer has left this session. Then its indices do not change any more: look at them once more after this.
 */
bool cvm_channel_peer_left(const crossvm_channel_t *channel);

/** Notes that the session is over. The ring may still hold data. */
void cvm_channel_end(crossvm_channel_t *channel);

/** Ends the session since the peer broke the protocol. Returns -EPROTO. */
int cvm_channel_break(crossvm_channel_t *channel, const char *reason);

/** Emits an event to the peer. */
void cvm_channel_emit(crossvm_channel_t *channel);

/** Sleeps until an event comes. Returns 0, -EAGAIN after limit_us, or what ends the call. */
int cvm_channel_sleep(crossvm_channel_t *channel, crossvm_deadline_t deadline, uint32_t limit_us);

/*
 * Sender (send.c)
 */

/** Makes the sender ready for a session, at index 0. */
void cvm_channel_sender_begin(crossvm_channel_t *channel);

/** Closes the fast path. For the thread that sends. */
void cvm_channel_close_fast_path(crossvm_channel_t *channel);

/** Sends the next sending call to the slow path, whatever thread makes it. */
void cvm_channel_alarm_sender(crossvm_channel_t *channel);

/** Whether a sending call would not block. Looks at the peer's index. */
bool cvm_channel_can_send(crossvm_channel_t *channel);

/** Whether the peer has taken something, or there is space, at first sight. In a session. */
bool cvm_channel_has_space(const crossvm_channel_t *channel);

/** Asks for an event when the peer's CONSUMED reaches `want`. Look at it again after this. */
void cvm_channel_arm_space(crossvm_channel_t *channel, uint32_t want);

/** Index of the peer at which a call that needs `bytes` free bytes should be woken. */
uint32_t cvm_channel_space_wanted(const crossvm_channel_t *channel, uint32_t bytes);

/** Takes that request back. */
void cvm_channel_disarm_space(crossvm_channel_t *channel);

/*
 * Receiver (recv.c)
 */

/** Makes the receiver ready for a session, at index 0. */
void cvm_channel_receiver_begin(crossvm_channel_t *channel);

/** Forgets what was not received. Outside of a session there is nothing to receive. */
void cvm_channel_receiver_forget(crossvm_channel_t *channel);

/** Tells the peer of all that was taken, and wakes it if it waits for space. */
void cvm_channel_give_space(crossvm_channel_t *channel);

/** Whether a receiving call would not block. Looks at the peer's index. */
bool cvm_channel_can_receive(crossvm_channel_t *channel);

/** Whether there is data, at first sight: without a check of the peer's index, or of whether more can come. In a
 * session. */
bool cvm_channel_has_data(const crossvm_channel_t *channel);

/** Asks for an event when there is data, and tells the peer of all space. Look at PRODUCED again after this. */
void cvm_channel_arm_data(crossvm_channel_t *channel);

/** Takes that request back. */
void cvm_channel_disarm_data(crossvm_channel_t *channel);

/** How long the next sleep may be. */
crossvm_channel_sleep_t cvm_channel_next_sleep(const crossvm_channel_t *channel);

/*
 * Spinning (wait.c)
 */

/**
 * How many times to look before the next sleep, after so many spins in a row that ended in one. As many as configured
 * while spins succeed. When the peer is slow, or runs on this CPU, they do not: then only some sleeps begin with a
 * spin, to find out whether that has changed.
 */
unsigned int cvm_channel_looks(const crossvm_channel_t *channel, unsigned int failed_spins);

/** Passes the time between two looks at a word that another CPU writes. */
static inline void cvm_channel_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#pragma GCC visibility pop
