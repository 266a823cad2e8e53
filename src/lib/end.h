/* SPDX-License-Identifier: BSD-2-Clause */
/* What every end has, and the calls that differ between an end in a guest and one on the host. */
#pragma once

#include "api.h"
#include "deadline.h"
#include "waiters.h"

struct end_ops {
    void (*close)(struct crossvm_end *end); /* frees the end too */
    int (*emit)(struct crossvm_end *end);   /* called from any thread */
    int (*wait)(struct crossvm_end *end, deadline_t deadline);
    int (*take)(struct crossvm_end *end, uint64_t *peer); /* cvm_end_take() */
    uint32_t (*peer_state)(struct crossvm_end *end, uint32_t *generation);
    int (*info)(const struct crossvm_end *end, crossvm_end_info_t *info); /* info has name, number and dataports */
};

/* The first member of what guest.c and host.c allocate. */
struct crossvm_end {
    const struct end_ops *ops;
    char name[CROSSVM_FULL_NAME_BYTES];
    unsigned int number; /* which of the connection's two ends: 0 or 1 */
    bool in_guest;
    int fd; /* what crossvm_fd() gives */
    size_t num_dataports;
    crossvm_dataport_t dataports[CROSSVM_MAX_DATAPORTS];
    struct waiters waiters; /* for channels */
};

/**
 * Takes the events and the news that make the end's descriptor readable, without waiting.
 *
 * @param peer receives the peer as it is known then: its state in the lower half, its generation in the upper one
 * @return 0, or what crossvm_wait() would return
 */
int cvm_end_take(struct crossvm_end *end, uint64_t *peer);

/** Copies what fits of a text. The copy ends with a NUL, and all bytes after that are 0. */
void cvm_copy_text(char *to, size_t size, const char *from);

/** Gives a caller as much of an end's description as its structure of that size holds. The rest of that is 0. */
void cvm_give_info(crossvm_end_info_t *to, size_t size, const crossvm_end_info_t *info);

/** Unmaps the dataports that are mapped so far. */
void cvm_unmap_dataports(struct crossvm_end *end);
