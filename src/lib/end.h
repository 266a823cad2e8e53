/* SPDX-License-Identifier: BSD-2-Clause */
/* What every end has, and the calls that differ between an end in a guest and one on the host. */
#pragma once

#include "api.h"
#include "bell.h"

struct end_ops {
    void (*close)(struct crossvm *end); /* frees the end too */
    int (*emit)(struct crossvm *end);   /* from any thread */
    int (*wait)(struct crossvm *end, int timeout_ms);
    uint32_t (*peer_state)(struct crossvm *end, uint32_t *generation);
    int (*info)(struct crossvm *end, crossvm_end_info_t *info); /* info is zeroed, name and dataports are set */
};

/* The first member of what guest.c and host.c allocate. */
struct crossvm {
    const struct end_ops *ops;
    char name[CROSSVM_FULL_NAME_BYTES];
    unsigned int number; /* which of the connection's two ends: 0 or 1 */
    bool in_guest;
    int fd; /* what crossvm_fd() gives */
    size_t num_dataports;
    crossvm_region_t dataports[CROSSVM_MAX_DATAPORTS];
    struct bell bell; /* for channels */
};

/** Whether a text is 1 to 63 of the characters A-Z a-z 0-9 . _ - and not . or .. */
bool cvm_name_is_valid(const char *name);

/** Copies what fits of a text; the copy always ends with a NUL, and so do all bytes behind it. */
void cvm_copy_text(char *to, size_t size, const char *from);

/** Unmaps the dataports that are mapped so far. */
void cvm_unmap_dataports(struct crossvm *end);
