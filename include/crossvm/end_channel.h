/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels of programs: a channel (crossvm/channel.h) through a dataport of an open end (crossvm/crossvm.h).
 *
 * The channel takes what it needs from the end: its events, its number, and the news of the peer. All calls that wait
 * notice a peer that closes its channel, ends, is killed or restarts. The data that it sent before can still be
 * received. Then crossvm_channel_open() begins anew with the next peer, on the same channel and end.
 *
 *     crossvm_channel_t *channel;
 *     if (crossvm_open(&end, "sensor") || crossvm_channel_create(&channel, end, NULL)) ... crossvm_strerror()
 *     crossvm_channel_send(channel, "hello", 5, CROSSVM_FOREVER);
 *
 * Deadlines are nanoseconds of CLOCK_MONOTONIC: crossvm_deadline_after_ms() makes them.
 *
 * Errors: crossvm_strerror() has the sentence for all calls of crossvm/channel.h on such a channel, too.
 *
 * An end may have several channels, one for each dataport. They share its events, so while there is a channel, do not
 * call crossvm_wait(); nor crossvm_peer_state() while another thread is in a call of a channel. Destroy channels before
 * you close the end.
 *
 * Threads: as crossvm/channel.h says; one may send while another receives, and both may sleep. But the channels of one
 * end either all sleep in their calls, or all on the descriptor (crossvm_channel_prepare()): a call that sleeps takes
 * what would make the descriptor readable.
 */
#ifndef CROSSVM_END_CHANNEL_H
#define CROSSVM_END_CHANNEL_H

#include <crossvm/channel.h>
#include <crossvm/crossvm.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Value of crossvm_channel_options_t.dataport: dataport i, counted from 0. */
#define CROSSVM_CHANNEL_DATAPORT(i) ((i) + 1u)

/** What a channel is to be. Zero is the default of every member: {0} is what NULL means. */
typedef struct crossvm_channel_options {
    unsigned int mode;     /**< CROSSVM_CHANNEL_STREAM (default) or CROSSVM_CHANNEL_DATAGRAM; the same at both ends */
    unsigned int dataport; /**< CROSSVM_CHANNEL_DATAPORT(i). 0: the first that this end may write and is large enough */
    unsigned int end;      /**< CROSSVM_CHANNEL_END(0 or 1); the other end has the other. 0: crossvm_end_number() */
    unsigned int spin;     /**< how many times to look again before sleeping, at most; or CROSSVM_CHANNEL_NO_SPIN.
                                0: 1000, or none on a host with a single CPU */
    unsigned int reserved[4]; /**< 0 */
} crossvm_channel_options_t;

/**
 * Makes a channel of an end, and opens it: the other end sees it at once. Does not wait for the other end.
 *
 * @param channel receives it, for all calls of crossvm/channel.h
 * @param options NULL: all defaults
 * @return 0; -EINVAL for options out of range, -ENOENT when there is no such dataport or none that will do, -EACCES
 * when it is read-only for this end, -ENOMEM; *channel is NULL then
 */
int crossvm_channel_create(crossvm_channel_t **channel, crossvm_end_t *end, const crossvm_channel_options_t *options);

/** Closes a channel and frees it. What was sent can still be received by the other end. NULL is allowed. */
void crossvm_channel_destroy(crossvm_channel_t *channel);

/** The end of a channel. */
crossvm_end_t *crossvm_channel_get_end(const crossvm_channel_t *channel);

/**
 * A descriptor to sleep on together with others, in poll(), epoll or an event loop. It belongs to the end, and is of
 * use only after crossvm_channel_prepare(): the peer emits an event only when this end has asked for one.
 */
int crossvm_channel_fd(const crossvm_channel_t *channel);

/**
 * Gets ready to sleep on crossvm_channel_fd(). Call it before each sleep, after non-blocking calls have found nothing
 * to do, for each channel of the end:
 *
 *     for (;;) {
 *         ptrdiff_t length = crossvm_channel_recv(channel, buffer, size, CROSSVM_NOW);
 *         if (length != -EAGAIN)
 *             ... a message, end of file or an error
 *         else if (crossvm_channel_prepare(channel, CROSSVM_CHANNEL_IN, &timeout_ms) == 0)
 *             poll({crossvm_channel_fd(channel), POLLIN}, and others, timeout_ms);
 *     }
 *
 * It takes what made the descriptor readable, learns whether the peer is still there, and asks the peer for an event. A
 * loop that never sleeps should call it now and then, for the second of these.
 *
 * @param events     CROSSVM_CHANNEL_IN, CROSSVM_CHANNEL_OUT or both
 * @param timeout_ms receives how many milliseconds to sleep at most, as poll() takes them: -1 for any time. When they
 *                   have passed, go on as after a wake-up
 * @return which of the events are there already: do not sleep. 0: sleep until the descriptor polls readable. A negative
 * errno value when the end is gone for good (-EPIPE) and there is nothing left to wait for
 */
int crossvm_channel_prepare(crossvm_channel_t *channel, unsigned int events, int *timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
