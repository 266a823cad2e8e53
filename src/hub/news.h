/* SPDX-License-Identifier: BSD-2-Clause */
/* What doors with the messages of src/wire/wire.h tell of the peer. */
#pragma once

#include "../wire/wire.h"
#include "end.h"

/** Who is at the peer's end of an end now. */
static inline struct crossvm_wire_driver hub_news_for(const struct hub_end *end)
{
    return (struct crossvm_wire_driver){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = end->peer->state,
        .generation = end->peer->generation,
    };
}
