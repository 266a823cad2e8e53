/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signalling an eventfd that a peer shares, without ever waiting for that peer.
 *
 * eventfd_write() can wait: the count and O_NONBLOCK belong to the file that both share, so the peer may fill the count
 * and clear O_NONBLOCK at any time.
 */
#pragma once

#include <stdint.h>

/** The most events of one call. */
#define SHARED_EVENT_MOST 64

/** Prepares this process. Later calls do nothing. 0, or -1 with errno. */
int shared_event_prepare(void);

/** What such an errno value means, with the remedy: the end of a sentence. For others: error_reason(). */
const char *shared_event_reason(int error);

/**
 * Signals. A full count stays full. Calls must not overlap.
 *
 * @param events adds as many to the count, at least one; those beyond SHARED_EVENT_MOST merge
 * @return 0, or a negative errno value: -EINVAL or -EBADF when it is no eventfd
 */
int shared_event_signal(int eventfd, uint64_t events);
