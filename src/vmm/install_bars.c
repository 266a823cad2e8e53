/* SPDX-License-Identifier: BSD-2-Clause */
#include "install.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "connection.h"

#define ADDRESS_END ((uint64_t)1 << 32)

/* The end of the range for BARs. cvmm_check_bus() found its base to be below 4 GiB. */
static uint64_t window_end(const crossvm_bus_t *bus)
{
    uint64_t most = ADDRESS_END - bus->base;

    return bus->base + (bus->size && bus->size < most ? bus->size : most);
}

/* Gives BAR0 the address of a spare event frame. False: none fits. */
static bool place_on_spare_frame(struct install *in, size_t i, const struct range *used, size_t num_used)
{
    struct range *bar = &in->bars[i][CROSSVM_BAR_EVENT];
    uint64_t end = window_end(in->bus);

    for (struct event_frame *frame = in->guest->frames; frame; frame = frame->next) {
        bool taken = frame->connection || frame->address < in->bus->base || frame->address + bar->size > end ||
                     frame->address % bar->size != 0;

        for (size_t k = 0; k < num_used && !taken; k++)
            taken = frame->address < used[k].address + used[k].size && used[k].address < frame->address + bar->size;
        for (size_t k = 0; k < i && !taken; k++)
            taken = in->bars[k][CROSSVM_BAR_EVENT].address == frame->address;
        for (struct event_frame *other = in->guest->frames; other && !taken; other = other->next)
            taken = other != frame && other->address > frame->address && other->address < frame->address + bar->size;
        if (!taken) {
            bar->address = frame->address;
            return true;
        }
    }
    return false;
}

static size_t collect_used_bars(const struct guest *guest, struct range *used)
{
    size_t n = 0;

    for (const crossvm_connection_t *c = guest->connections; c; c = c->next) {
        for (size_t i = 0; i <= c->num_dataports; i++)
            used[n++] = (struct range){.address = c->config.bars[i].address, .size = c->config.bars[i].size};
    }
    return n;
}

static size_t count_ranges(const struct guest *guest)
{
    size_t n = 0;

    for (const crossvm_connection_t *c = guest->connections; c; c = c->next)
        n += 1 + c->num_dataports;
    for (const struct event_frame *frame = guest->frames; frame; frame = frame->next)
        n++;
    return n;
}

/* The event page, the peer page and the own page. Each is there only with the one before it. */
static size_t event_bar_pages(const crossvm_connection_t *c)
{
    return 1 + c->peer_page.num_frames + c->own_page.num_frames;
}

static void set_bar_sizes(struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        const crossvm_connection_t *c = in->connections[i];

        in->bars[i][CROSSVM_BAR_EVENT].size = cvmm_bar_size(CROSSVM_PAGE_SIZE * event_bar_pages(c));
        for (size_t k = 0; k < c->num_dataports; k++)
            in->bars[i][CROSSVM_BAR_DATAPORT + k].size = cvmm_bar_size(c->dataports[k].size);
    }
}

int cvmm_install_assign_bars(struct install *in)
{
    uint64_t end = window_end(in->bus);
    size_t num_used;
    size_t num_requests = 0;
    struct range *used = calloc(count_ranges(in->guest) + in->n, sizeof(*used));
    struct range **requests = calloc(in->n * (1 + CROSSVM_MAX_DATAPORTS), sizeof(struct range *));
    int error = -1;

    if (!used || !requests) {
        cvmm_install_error(in->configs[0].name, "no memory to lay out BARs");
        goto cleanup;
    }
    set_bar_sizes(in);
    num_used = collect_used_bars(in->guest, used);
    for (size_t i = 0; i < in->n; i++) {
        if (!place_on_spare_frame(in, i, used, num_used))
            requests[num_requests++] = &in->bars[i][CROSSVM_BAR_EVENT];
        for (size_t k = 0; k < in->connections[i]->num_dataports; k++)
            requests[num_requests++] = &in->bars[i][CROSSVM_BAR_DATAPORT + k];
    }
    /* No other BAR may use the event frames, nor the pages of the BARs that were put on spare ones. */
    for (const struct event_frame *frame = in->guest->frames; frame; frame = frame->next)
        used[num_used++] = (struct range){.address = frame->address, .size = CROSSVM_PAGE_SIZE};
    for (size_t i = 0; i < in->n; i++) {
        if (in->bars[i][CROSSVM_BAR_EVENT].address)
            used[num_used++] = in->bars[i][CROSSVM_BAR_EVENT];
    }

    error = cvmm_bar_layout_assign(in->bus->base, end, used, num_used, requests, num_requests);
    if (error)
        cvmm_install_error(in->configs[0].name,
                           "the BARs of %zu connections do not fit between 0x%zx and 0x%zx; give a larger "
                           "range of free guest physical addresses",
                           in->n, (size_t)in->bus->base, (size_t)(end - 1));
cleanup:
    free(used);
    free(requests);
    return error;
}
