/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels of programs: a channel (crossvm/channel.h) through a dataport of an open end (crossvm/crossvm.h).
 *
 * What the channel needs comes from the end: its bell, its number, and the news of who is at the other end. A peer that
 * closes its channel, ends, is killed or restarts is noticed by all calls that wait; what it had sent can still be
 * received. Then crossvm_channel_open() begins anew with the next one, with the same channel and end.
 *
 *     crossvm_channel_t *channel;
 *     if (crossvm_open(&end, "sensor") || crossvm_channel_create(&channel, end, NULL)) ... crossvm_strerror()
 *     crossvm_channel_send(channel, "hello", 5, CROSSVM_FOREVER);
 *
 * Deadlines are nanoseconds of CLOCK_MONOTONIC: crossvm_deadline_after_ms() makes them.
 *
 * An end may have several channels, one for each dataport. They share its bell, so while there is one, leave
 * crossvm_wait() to them; crossvm_peer_state() too, while another thread is in a call of a channel. Destroy channels
 * before you close the end.
 *
 * Threads: as crossvm/channel.h says; one may send while another receives, and both may sleep. But the channels of one
 * end either sleep in their calls, or all on the descriptor (crossvm_channel_prepare()): a call that sleeps takes what
 * would make the descriptor readable.
 */
#ifndef CROSSVM_END_CHANNEL_H
#define CROSSVM_END_CHANNEL_H

#include <crossvm/channel.h>
#include <crossvm/crossvm.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CROSSVM_CHANNEL_AUTO (-1)

/** What a channel is to be. */
typedef struct crossvm_channel_options {
    unsigned int mode; /**< CROSSVM_CHANNEL_STREAM or CROSSVM_CHANNEL_DATAGRAM; the other end must choose the same */
    int dataport;      /**< index; CROSSVM_CHANNEL_AUTO: the first that this end may write and that is large enough */
    int end;           /**< 0 or 1, the other end has the other; CROSSVM_CHANNEL_AUTO: crossvm_end_number() */
    int spin;          /**< how often to look again before sleeping, at most; CROSSVM_CHANNEL_AUTO: as is usual */
} crossvm_channel_options_t;

/**
 * Makes a channel of an end, and opens it: the other end sees it at once. Does not wait for the other end.
 *
 * @param channel receives it, for all calls of crossvm/channel.h
 * @param options NULL: a stream, and all else CROSSVM_CHANNEL_AUTO
 * @return 0; -EINVAL for options out of range, -ENOENT when there is no such dataport or none that will do, -EACCES
 * when it is read-only for this end, -ENOMEM. crossvm_strerror() has the sentence
 */
int crossvm_channel_create(crossvm_channel_t **channel, crossvm_end_t *end, const crossvm_channel_options_t *options);

/** Closes a channel and frees it. What was sent can still be received by the other end. NULL is allowed. */
void crossvm_channel_destroy(crossvm_channel_t *channel);

/** The end of a channel. */
crossvm_end_t *crossvm_channel_get_end(const crossvm_channel_t *channel);

/**
 * A descriptor to sleep on together with others, in poll(), epoll or an event loop. It belongs to the end, and is of
 * use only after crossvm_channel_prepare(): the other end rings only for those who asked for it.
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
 * It takes what made the descriptor readable, learns who is at the other end, and asks for the bell. A loop that never
 * sleeps should call it now and then for the second of these.
 *
 * @param events     CROSSVM_CHANNEL_IN, CROSSVM_CHANNEL_OUT or both
 * @param timeout_ms receives how long to sleep at most, -1 for any time; then go on as after a wake-up
 * @return which of the events are there already: do not sleep. 0: sleep until the descriptor polls readable. A negative
 * errno value when the end is gone for good (-EPIPE) and there is nothing left to wait for
 */
int crossvm_channel_prepare(crossvm_channel_t *channel, unsigned int events, int *timeout_ms);

/**
 * What an error of a channel means, in a sentence that names the connection and a remedy.
 *
 * @param error what a call of crossvm/channel.h returned
 * @return as crossvm_strerror(), which gives the same afterwards
 */
const char *crossvm_channel_strerror(const crossvm_channel_t *channel, int error);

#ifdef __cplusplus
}
#endif
#endif
