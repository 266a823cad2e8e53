/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests with an agent (../agent/orders.h), as the host's cases see them. Calls fail the case if the agent or the
 * library does. A guest that does not answer at all ends the program without the line that ends a scenario: no verdict
 * of the case would be true.
 */
#pragma once

#include <stdint.h>

#include <crossvm/crossvm.h>

#include "../agent/orders.h"

struct guest {
    const char *name; /* of its VM; the control connection is control-NAME */
    crossvm_end_t *control;
};

/** Sets what is called with a guest that does not answer: it shows what was said and ends the VMs. */
void guest_on_standstill(void (*show)(const struct guest *guest));

/** Waits for an agent in a guest. */
void guest_connect(struct guest *guest);

/** Marks the memory that is shared with an agent. Returns its generation, for guest_await_successor(). */
uint32_t guest_mark(struct guest *guest);

/** Waits for the agent of a VM that ends and is started again. The host's end stays open, and the mark stays. */
void guest_await_successor(struct guest *guest, uint32_t before);

/** Gives the agent an order. */
void guest_order(struct guest *guest, enum order_kind kind, uint32_t number);

/** Waits for the agent's answer. */
struct answer guest_answer(struct guest *guest);

/** guest_order(), then guest_answer(). */
struct answer guest_tell(struct guest *guest, enum order_kind kind, uint32_t number);

/** guest_tell() with an order that names a connection. */
struct answer guest_tell_of(struct guest *guest, enum order_kind kind, const char *connection);
