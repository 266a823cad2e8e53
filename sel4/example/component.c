/* SPDX-License-Identifier: BSD-2-Clause */
#include "component.h"

#include <utils/util.h>

/* Release orders the stores to dataports before the signal, since the VMM and the guest may run on other cores. Pairs
 * with the guest's load of what the component wrote last (length, ready). */
static void signal_vmm(seL4_CPtr notification)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    seL4_Signal(notification);
}

/* Answers the guest's line with the same line backwards. */
static void answer_console(const struct component *component)
{
    const volatile struct console_line *line = &component->console->to_component;
    volatile struct console_line *answer = &component->console->to_guest;
    uint32_t length = line->length;

    /* Only the copy may be used after the check, since the guest can write there at any time. */
    if (length > sizeof(line->text))
        return;
    for (uint32_t i = 0; i < length; i++)
        answer->text[i] = line->text[length - 1 - i];
    answer->length = length;
    signal_vmm(component->vmm_console);
}

static void send_samples(const struct component *component)
{
    volatile struct samples *samples = component->samples;
    uint32_t wanted = component->commands->wanted;

    if (wanted > ARRAY_SIZE(samples->value))
        wanted = ARRAY_SIZE(samples->value);
    for (uint32_t i = 0; i < wanted; i++)
        samples->value[i] = component->read_sensor();
    samples->ready = wanted;
    signal_vmm(component->vmm_sensor);
}

void component_serve(const struct component *component)
{
    for (;;) {
        seL4_Word badge;

        seL4_Wait(component->notification, &badge);
        /* Acquire orders the wait before the loads of dataports below. Pairs with the order of the guest's store to
         * EMIT after its stores to dataports. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        /* The kernel ORs the badges of several signals, and a signal that came twice is seen once. */
        if (badge & BADGE_GUEST_CONSOLE)
            answer_console(component);
        if (badge & BADGE_GUEST_SENSOR)
            send_samples(component);
    }
}
