/* SPDX-License-Identifier: BSD-2-Clause */
/* The sentence behind crossvm_strerror(). */
#pragma once

/** Long enough for two paths and a remedy. What is longer is cut. */
#define SENTENCE_BYTES 512

/**
 * Records a sentence about an error, for this thread.
 *
 * @param error  a positive errno value
 * @param format what the sentence says: which object, what is wrong with it, what helps
 * @return -error, so that a function can end with `return cvm_fail(ENOENT, ...)`
 */
int cvm_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Records an error of a call of crossvm/channel.h, for this thread: the `failed` callback of channels.
 *
 * Such errors are frequent, as -EAGAIN is in an event loop, and few are asked about. So this copies what the sentence
 * needs, and crossvm_strerror() composes it. The channel may be gone by then.
 *
 * @param cookie the channel: struct end_channel
 * @param error  a negative errno value
 */
void cvm_channel_failed(void *cookie, int error);
