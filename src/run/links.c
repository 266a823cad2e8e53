/* SPDX-License-Identifier: BSD-2-Clause */
#include "links.h"

#include <stdlib.h>

#include "../common/message.h"
#include "../common/size.h"
#include "../wire/memory.h"

/* The next link of a topology, from the connection with that index on. False when there is none. */
static bool find_link(const struct topology *topology, size_t *connection)
{
    while (*connection < topology->num_connections && !connection_is_between_vms(&topology->connections[*connection]))
        ++*connection;
    return *connection < topology->num_connections;
}

/* Memory is taken when it is touched, but more than the machine has will never be there. 0, or -1 after a message. */
static int check_memory(const struct topology *topology)
{
    char asked[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    uint64_t total = 0;

    for (size_t i = 0; find_link(topology, &i); i++) {
        for (size_t k = 0; k < topology->connections[i].num_dataports; k++)
            total += topology->connections[i].dataports[k].size;
    }
    if (total <= memory_most())
        return 0;
    message("the dataports between the VMs take %s, and this machine has %s of memory and swap; choose smaller ones",
            size_format(asked, total), size_format(most, memory_most() >> 20 << 20));
    return -1;
}

int links_create(struct links *links, const struct topology *topology)
{
    size_t n = topology->num_connections;

    *links = (struct links){.topology = topology, .of = calloc(n ? n : 1, sizeof(*links->of))};
    if (!links->of) {
        message("no memory for %zu connections", n);
        return -1;
    }
    if (check_memory(topology))
        return -1;
    for (size_t i = 0; find_link(topology, &i); i++) {
        links->made = i + 1; /* also when it fails: to be destroyed as far as it came */
        if (link_create(&links->of[i], &topology->connections[i]))
            return -1;
    }
    return 0;
}

void links_destroy(struct links *links)
{
    for (size_t i = 0; links->of && find_link(links->topology, &i) && i < links->made; i++)
        link_destroy(&links->of[i]);
    free(links->of);
    *links = (struct links){0};
}

size_t links_descriptors(const struct topology *topology)
{
    size_t n = 0;

    for (size_t i = 0; find_link(topology, &i); i++)
        n += LINK_DESCRIPTORS + topology->connections[i].num_dataports;
    return n;
}

void links_leave(struct links *links, size_t vm)
{
    for (size_t i = 0; find_link(links->topology, &i); i++) {
        int end = connection_end_of(&links->topology->connections[i], vm);

        if (end >= 0)
            link_leave(&links->of[i], end);
    }
}

size_t links_gather(const struct links *links, struct pollfd *next)
{
    size_t n = 0;

    for (size_t i = 0; find_link(links->topology, &i); i++) {
        for (int end = 0; end < 2; end++)
            next[n++] = link_wishes(&links->of[i], end);
    }
    return n;
}

void links_serve(struct links *links, const struct pollfd *polled)
{
    for (size_t i = 0; find_link(links->topology, &i); i++) {
        for (int end = 0; end < 2; end++, polled++) {
            if (polled->revents)
                link_serve(&links->of[i], end, polled->revents);
        }
    }
}
