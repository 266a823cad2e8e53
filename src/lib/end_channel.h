/* SPDX-License-Identifier: BSD-2-Clause */
/* What a channel of an end is made of. */
#pragma once

#include "end.h"
#include "peer_watch.h"

struct end_channel {
    crossvm_channel_t channel; /* first: what callers have is this */
    crossvm_end_t *end;
    uint64_t serial; /* of no other channel of this process, ever */
    struct peer_watch watch;
    crossvm_channel_sleep_t sleep; /* that crossvm_channel_prepare() gave last */
    deadline_t settles;            /* when sleep.limit_us have passed; 0 if it has no limit */
};
