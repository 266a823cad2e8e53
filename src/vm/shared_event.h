/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signalling an eventfd that a peer shares, without ever waiting for that peer.
 *
 * eventfd_write() cannot do that: it waits when the count is full and O_NONBLOCK is clear, and the peer may fill the
 * one and clear the other at any time, since both belong to what is shared.
 */
#pragma once

/** Prepares for it, once a process; later calls do nothing. 0, or -1 with errno. */
int shared_event_prepare(void);

/** Signals. A full count stays full. With the VMM's lock held. 0, or a negative errno value. */
int shared_event_signal(int eventfd);
