/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vmmplatsupport/guest_memory_util.h>
#include <vspace/vspace.h>

#include "connection.h"

static struct guest *guests;

struct guest *guest_find(const vm_t *vm)
{
    struct guest *guest = guests;

    while (guest && guest->vm != vm)
        guest = guest->next;
    return guest;
}

struct guest *guest_get(vm_t *vm)
{
    struct guest *guest = guest_find(vm);

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

void guest_put(struct guest *guest)
{
    struct guest **link = &guests;

    if (guest->connections || guest->lines || guest->frames)
        return;
    while (*link != guest)
        link = &(*link)->next;
    *link = guest->next;
    free(guest);
}

void guest_forget(struct guest *guest)
{
    while (guest->lines) {
        struct line *line = guest->lines;

        guest->lines = line->next;
        free(line);
    }
    while (guest->frames) {
        struct event_frame *frame = guest->frames;

        guest->frames = frame->next;
        free(frame);
    }
    guest_put(guest);
}

/* --- interrupt lines --- */

/* For those that had an event while the last interrupt was in service. Returns whether there is an interrupt. */
static bool raise_again(struct line *line)
{
    bool again = false;

    for (crossvm_connection_t *c = line->users; c; c = c->next_on_line)
        again |= connection_line_ended(c);
    line_set_again(line, again);
    /* While the guest has the input disabled the injection fails, and the line is acknowledged when it is enabled. */
    if (!again || vm_inject_irq(line->vcpu, line->irq))
        return false;
    line->in_service = true;
    line_set_again(line, false);
    for (crossvm_connection_t *c = line->users; c; c = c->next_on_line) {
        if (c->again)
            connection_raised(c);
    }
    return true;
}

static bool any_in_service(const struct guest *guest)
{
    const struct line *line = guest->lines;

    while (line && !line->in_service)
        line = line->next;
    return line != NULL;
}

/*
 * libsel4vm acknowledges, on Arm, before it gives the list register that has become free to the next interrupt of its
 * queue. What is injected in between takes that register too, is overwritten, and counts as pending for ever. The queue
 * holds nothing of ours while no other line is in service, and one injection leaves it so: hence one line at most, and
 * only then. The others follow at the end of that one.
 */
static __attribute__((noinline)) void raise_next(struct line *last)
{
    struct line *line = last;

    if (any_in_service(last->guest))
        return;
    do { /* the last one last: each has its turn */
        line = line->next ? line->next : last->guest->lines;
        if (line->again && raise_again(line))
            return;
    } while (line != last);
}

static void line_acknowledged(vm_vcpu_t *vcpu, int irq, void *cookie)
{
    struct line *line = cookie;

    (void)vcpu;
    (void)irq;
    line->in_service = false;
    if (line->guest->lines_again)
        raise_next(line);
}

void lines_raise_again(struct guest *guest)
{
    for (struct line *line = guest->lines; line; line = line->next) {
        if (line->again && !line->in_service)
            (void)raise_again(line);
    }
}

struct line *line_get(struct guest *guest, int irq)
{
    struct line *line = guest->lines;

    while (line && line->irq != irq)
        line = line->next;
    if (line)
        return line;

    line = calloc(1, sizeof(*line));
    if (!line)
        return NULL;
    line->guest = guest;
    line->vcpu = guest->vm->vcpus[BOOT_VCPU];
    line->irq = irq;
    line->next = guest->lines;
    guest->lines = line;
    return line;
}

int line_register(struct line *line)
{
    if (!line->registered && vm_register_irq(line->vcpu, line->irq, line_acknowledged, line) == 0)
        line->registered = true;
    line->refused = !line->registered;
    return line->registered ? 0 : -1;
}

void line_join(struct line *line, crossvm_connection_t *c)
{
    c->line = line;
    c->next_on_line = line->users;
    line->users = c;
}

void line_leave(crossvm_connection_t *c)
{
    crossvm_connection_t **link;

    if (!c->line)
        return;
    for (link = &c->line->users; *link != c; link = &(*link)->next_on_line)
        ;
    *link = c->next_on_line;
    c->line = NULL;
}

size_t line_users(const struct line *line)
{
    size_t users = 0;

    for (const crossvm_connection_t *c = line->users; c; c = c->next_on_line)
        users++;
    return users;
}

/* --- event pages --- */

static bool is_taken(vm_t *vm, uintptr_t address)
{
    vm_memory_reservation_t *probe = vm_reserve_memory_at(vm, address, CROSSVM_PAGE_SIZE, connection_void_fault, NULL);

    return !probe || vm_free_reserved_memory(vm, probe);
}

static struct event_frame *event_frame_create(struct guest *guest, uintptr_t address)
{
    struct event_frame *frame;

    /* Asked beforehand: where it is, create_allocated_reservation_frame() of libsel4vm frees what is on the stack. */
    if (is_taken(guest->vm, address))
        return NULL;
    frame = calloc(1, sizeof(*frame));
    if (!frame)
        return NULL;
    frame->address = address;
    frame->mapping =
        create_allocated_reservation_frame(guest->vm, address, seL4_CanRead, connection_event_page_fault, frame);
    if (!frame->mapping) {
        free(frame);
        return NULL;
    }
    frame->next = guest->frames;
    guest->frames = frame;
    return frame;
}

struct event_frame *event_frame_get(struct guest *guest, uintptr_t address)
{
    vspace_t *vspace = &guest->vm->mem.vmm_vspace;
    struct event_frame *frame = guest->frames;

    while (frame && frame->address != address)
        frame = frame->next;
    if (!frame)
        frame = event_frame_create(guest, address);
    /*
     * The guest maps the page cached, but libsel4vm maps it uncached for the VMM. On Arm, what is stored that way goes
     * past the caches, and a guest that has the line in one would go on to load the old value. So the VMM uses a
     * cached mapping of its own, which is coherent with the guest's. Nobody touches the uncached one.
     */
    if (frame && !frame->memory)
        frame->memory = vspace_share_mem(vspace, vspace, frame->mapping, 1, seL4_PageBits, seL4_AllRights, true);
    return frame && frame->memory ? frame : NULL;
}
