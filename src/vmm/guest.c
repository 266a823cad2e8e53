/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <stdlib.h>

#include "event_frame.h"
#include "irq_line.h"

static struct guest *guests;

struct guest *cvmm_guest_find(const vm_t *vm)
{
    struct guest *guest = guests;

    while (guest && guest->vm != vm)
        guest = guest->next;
    return guest;
}

struct guest *cvmm_guest_get(vm_t *vm)
{
    struct guest *guest = cvmm_guest_find(vm);

    if (guest)
        return guest;
    guest = calloc(1, sizeof(*guest));
    if (!guest)
        return NULL;
    guest->vm = vm;
    guest->next = guests;
    guests = guest;
    return guest;
}

void cvmm_guest_put(struct guest *guest)
{
    struct guest **link = &guests;

    if (guest->connections || guest->lines || guest->frames)
        return;
    while (*link != guest)
        link = &(*link)->next;
    *link = guest->next;
    free(guest);
}

void cvmm_guest_forget(struct guest *guest)
{
    cvmm_irq_lines_free(guest);
    cvmm_event_frames_free(guest);
    cvmm_guest_put(guest);
}
