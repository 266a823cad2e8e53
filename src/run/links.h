/* SPDX-License-Identifier: BSD-2-Clause */
/* The links of a topology: one for each connection between VMs. */
#pragma once

#include <poll.h>
#include <stddef.h>

#include "link.h"
#include "topology.h"

struct links {
    const struct topology *topology;
    struct link *of; /**< by the connection's index; those to the host stay all 0 */
    size_t made;     /**< connections that were looked at */
};

/** Makes what the VMs share. 0, or -1 after a message. links_destroy() frees, also after a failure. */
int links_create(struct links *links, const struct topology *topology);

/** All 0 is allowed. */
void links_destroy(struct links *links);

/** How many descriptors the links of a topology take in this process. */
size_t links_descriptors(const struct topology *topology);

/** The process of a VM has ended: tells its peers. */
void links_leave(struct links *links, size_t vm);

/** Writes what to poll for: two entries a link. Returns how many. */
size_t links_gather(const struct links *links, struct pollfd *next);

/** Serves the links that links_gather() named. */
void links_serve(struct links *links, const struct pollfd *polled);
