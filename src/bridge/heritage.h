/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bridge that was killed has left in a channel's memory: datagrams of the other end that no stream has yet, and
 * messages that the other end has not taken.
 *
 * The other end may be in the old session still. It is asked to leave: this end's GENERATION changes, while its ACK
 * stays. So the other end ends the session, and cannot begin a new one, which would reset the indices, before this end
 * opens.
 */
#pragma once

#include <crossvm/crossvm.h>
#include <stdbool.h>

#include "mark.h"

struct heritage {
    crossvm_end_t *end;
    uint8_t *own, *peer; /* blocks */
    const uint8_t *rings[2];
    uint32_t ring_bytes;
    unsigned int number; /* of this end */
    struct mark *mark;
    struct mark_state state;
};

/** Looks at the memory of a channel, before it is opened. */
void heritage_find(struct heritage *heritage, crossvm_end_t *end, unsigned int dataport);

/** Asks the other end to leave the session, as above. */
void heritage_ask_to_leave(struct heritage *heritage);

/** Whether there is anything of a predecessor with this purpose. Then the other end is asked to leave. */
bool heritage_claim(struct heritage *heritage, uint32_t purpose);

/** Whether the other end has left, so that nothing changes any more. It emits an event when it does. `hub_knows`: there
 * is a hub, or a device, that tells of its end. */
bool heritage_is_settled(const struct heritage *heritage, bool hub_knows);

/** PRODUCED of the other end. */
const uint32_t *heritage_produced(const struct heritage *heritage);

/** The other end's datagrams from the mark on. False if the mark cannot be right. */
bool heritage_ahead(const struct heritage *heritage, struct ahead *ahead);

/** How many messages the other end has not taken. */
uint64_t heritage_count_left(const struct heritage *heritage);
