/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vmmplatsupport/guest_memory_util.h>

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

/* False while the guest has the input disabled: the interrupt controller took nothing, and acknowledges when it is
 * enabled. */
static bool inject(struct line *line)
{
    bool injected = vm_inject_irq(line->guest->vm->vcpus[BOOT_VCPU], line->irq) == 0;

    line->in_service |= injected;
    return injected;
}

static void line_acknowledged(vm_vcpu_t *vcpu, int irq, void *cookie)
{
    struct line *line = cookie;
    bool again = false;

    (void)vcpu;
    (void)irq;
    line->in_service = false;
    for (crossvm_connection_t *c = line->guest->connections; c; c = c->next) {
        if (c->line == line && connection_line_ended(c))
            again = true;
    }
    if (!again || inject(line))
        return;
    for (crossvm_connection_t *c = line->guest->connections; c; c = c->next) {
        if (c->line == line && c->raised)
            c->again = true;
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
    line->irq = irq;
    line->next = guest->lines;
    guest->lines = line;
    return line;
}

int line_register(struct line *line)
{
    if (!line->registered &&
        vm_register_irq(line->guest->vm->vcpus[BOOT_VCPU], line->irq, line_acknowledged, line) == 0)
        line->registered = true;
    line->refused = !line->registered;
    return line->registered ? 0 : -1;
}

size_t line_users(const struct line *line)
{
    size_t users = 0;

    for (const crossvm_connection_t *c = line->guest->connections; c; c = c->next)
        users += c->line == line;
    return users;
}

void line_raise(struct line *line, crossvm_connection_t *connection)
{
    bool was_in_service = line->in_service;

    connection->raised = true;
    /*
     * Inject even while one is in service: a guest that sets up its interrupt controller anew never ends what it had,
     * and must not be left without interrupts for it. A controller that holds one already ignores this.
     */
    if (inject(line) && !was_in_service)
        connection->injections++;
    else
        connection->again = true;
}

/* --- event pages --- */

struct event_frame *event_frame_create(struct guest *guest, uintptr_t address)
{
    struct event_frame *frame = calloc(1, sizeof(*frame));

    if (!frame)
        return NULL;
    frame->address = address;
    frame->memory =
        create_allocated_reservation_frame(guest->vm, address, seL4_CanRead, connection_event_page_fault, frame);
    if (!frame->memory) {
        free(frame);
        return NULL;
    }
    frame->next = guest->frames;
    guest->frames = frame;
    return frame;
}

struct event_frame *event_frame_find(struct guest *guest, uintptr_t address)
{
    struct event_frame *frame = guest->frames;

    while (frame && frame->address != address)
        frame = frame->next;
    return frame;
}
