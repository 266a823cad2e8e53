/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signalling an eventfd that a peer shares, without ever waiting for that peer.
 *
 * eventfd_write() can wait: the count and O_NONBLOCK belong to the file that both share, so the peer may fill the count
 * and clear O_NONBLOCK at any time.
 */
#pragma once

/** Prepares this process. Later calls do nothing. 0, or -1 with errno. */
int shared_event_prepare(void);

/** Signals; a full count stays full. With the VMM's lock held. 0, or a negative errno value. */
int shared_event_signal(int eventfd);
