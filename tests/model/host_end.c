/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's end of a host program: its structure is private to this file. */
#include "../../src/lib/host.c" /* NOLINT(bugprone-suspicious-include) */

#include "events.h"

_Static_assert(sizeof(struct host_end) <= HOST_END_BYTES, "the stories have too little room for it");

struct crossvm_end *host_end_make(void *memory, uint64_t *count, int peer_doorbell)
{
    struct host_end *host = memory;

    host->end.ops = &host_ops;
    host->peer_page = count;
    host->peer_doorbell = peer_doorbell;
    return &host->end;
}
