/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends of connections in cases. Each call fails the case if the library does, or if HANG_MS are over. */
#pragma once

#include <stdint.h>

#include <crossvm/crossvm.h>

/** Opens an end. */
crossvm_end_t *end_open(const char *name);

/** Opens an end and takes the events of the time before. */
crossvm_end_t *end_open_fresh(const char *name);

/** Sends an event. */
void end_emit(crossvm_end_t *end);

/** Waits until events come or the peer changes. How many events there were; 0: the peer changed. */
int end_wait(crossvm_end_t *end);

/** Waits until events come. How many. */
int end_take(crossvm_end_t *end);

/** Waits until that many events have come; more are a failure. */
void end_take_exactly(crossvm_end_t *end, uint64_t events);

/** Waits until the peer has that state (CROSSVM_PEER_*). Its generation. */
uint32_t end_wait_for_peer(crossvm_end_t *end, uint32_t state);

/** The description of an end. */
crossvm_end_info_t end_info(const crossvm_end_t *end);
