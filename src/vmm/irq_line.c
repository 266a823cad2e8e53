/* SPDX-License-Identifier: BSD-2-Clause */
#include "irq_line.h"

#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>

#include "connection.h"

/* Raises a line for connections that had an event while the last interrupt was in service. False: there was none, or
 * the injection failed. */
static bool raise_again(struct irq_line *line)
{
    bool again = false;

    for (crossvm_connection_t *c = line->users; c; c = c->next_on_line)
        again |= cvmm_connection_line_ended(c);
    cvmm_irq_line_set_again(line, again);
    /* The injection fails while the guest has the input disabled. When it enables it, the line is acknowledged. */
    if (!again || vm_inject_irq(line->vcpu, line->irq))
        return false;
    line->in_service = true;
    cvmm_irq_line_set_again(line, false);
    for (crossvm_connection_t *c = line->users; c; c = c->next_on_line) {
        if (c->again)
            cvmm_connection_raised(c);
    }
    return true;
}

static bool any_in_service(const struct guest *guest)
{
    const struct irq_line *line = guest->lines;

    while (line && !line->in_service)
        line = line->next;
    return line != NULL;
}

/*
 * Raises at most one line, and none while another is in service: more could be lost for good.
 *
 * On Arm, libsel4vm calls the acknowledgement before it gives the list register that has become free to the next
 * interrupt of its queue. An injection in between takes the same register, is overwritten, and its number counts as
 * pending for ever. While no line is in service the queue holds none of our interrupts, and one injection does not
 * change that. The other lines follow at the end of the one that is raised here.
 */
static __attribute__((noinline)) void raise_next(struct irq_line *last)
{
    struct irq_line *line = last;

    if (any_in_service(last->guest))
        return;
    do { /* the line that ended comes last, so that each has its turn */
        line = line->next ? line->next : last->guest->lines;
        if (line->again && raise_again(line))
            return;
    } while (line != last);
}

static void line_acknowledged(vm_vcpu_t *vcpu, int irq, void *cookie)
{
    struct irq_line *line = cookie;

    (void)vcpu;
    (void)irq;
    line->in_service = false;
    if (line->guest->lines_again)
        raise_next(line);
}

void cvmm_irq_lines_raise_again(struct guest *guest)
{
    for (struct irq_line *line = guest->lines; line; line = line->next) {
        if (line->again && !line->in_service)
            (void)raise_again(line);
    }
}

struct irq_line *cvmm_irq_line_get(struct guest *guest, int irq)
{
    struct irq_line *line = guest->lines;

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

int cvmm_irq_line_register(struct irq_line *line)
{
    if (!line->registered && vm_register_irq(line->vcpu, line->irq, line_acknowledged, line) == 0)
        line->registered = true;
    line->refused = !line->registered;
    return line->registered ? 0 : -1;
}

void cvmm_irq_line_join(struct irq_line *line, crossvm_connection_t *c)
{
    c->line = line;
    c->next_on_line = line->users;
    line->users = c;
}

void cvmm_irq_line_leave(crossvm_connection_t *c)
{
    crossvm_connection_t **link;

    if (!c->line)
        return;
    for (link = &c->line->users; *link != c; link = &(*link)->next_on_line)
        ;
    *link = c->next_on_line;
    c->line = NULL;
}

size_t cvmm_irq_line_users(const struct irq_line *line)
{
    size_t users = 0;

    for (const crossvm_connection_t *c = line->users; c; c = c->next_on_line)
        users++;
    return users;
}

void cvmm_irq_lines_reset(struct guest *guest)
{
    for (struct irq_line *line = guest->lines; line; line = line->next) {
        line->in_service = false;
        cvmm_irq_line_set_again(line, false);
    }
}

void cvmm_irq_lines_free(struct guest *guest)
{
    while (guest->lines) {
        struct irq_line *line = guest->lines;

        guest->lines = line->next;
        free(line);
    }
}
