/* SPDX-License-Identifier: BSD-2-Clause */
#include <crossvm/component.h>

/* Errors have the numbers of Linux: a bare component has no errno.h. */
#define EINVAL_OF_LINUX 22
#define ENOSYS_OF_LINUX 38
#define ETIMEDOUT_OF_LINUX 110

/* Waits for one signal, which may stand for several. */
static void wait_for_signal(crossvm_component_t *component)
{
    seL4_Word badge;

    seL4_Wait(component->notification, &badge);
    /* Orders the wait before the loads of dataports that follow. Pairs with the VMM's signal, which comes after the
     * guest's stores. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    component->pending |= badge;
}

seL4_Word crossvm_component_wait(crossvm_component_t *component)
{
    seL4_Word badge;

    while (!component->pending)
        wait_for_signal(component);
    badge = component->pending;
    component->pending = 0;
    return badge;
}

/* --- the channel's callbacks --- */

static int emit(void *cookie)
{
    const crossvm_component_channel_t *channel = cookie;

    /* Orders the stores to the dataport before the signal: VMM and guest may run on other cores. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    seL4_Signal(channel->emit);
    return 0;
}

static int emit_by_function(void *cookie)
{
    const crossvm_component_channel_t *channel = cookie;

    __atomic_thread_fence(__ATOMIC_RELEASE); /* as in emit() */
    channel->emit_fn();
    return 0;
}

/* 0, or why a wait must not begin. Sets the timer for one that may. */
static int check_deadline(crossvm_component_t *component, crossvm_deadline_t deadline)
{
    if (crossvm_deadline_is_forever(deadline))
        return 0;
    if (!component->now_ns)
        return -ENOSYS_OF_LINUX;
    if (component->now_ns(component->cookie) >= deadline.ns)
        return -ETIMEDOUT_OF_LINUX;
    component->set_timer(component->cookie, deadline.ns);
    return 0;
}

/* The deadline comes first, since events may keep coming. limit_us is 0: the channel is not relaxed. */
static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    crossvm_component_channel_t *channel = cookie;
    crossvm_component_t *component = channel->component;

    (void)limit_us;
    for (;;) {
        int error = check_deadline(component, deadline);

        if (error)
            return error;
        if (component->pending & channel->badge)
            break;
        wait_for_signal(component);
        component->pending &= ~component->timer_badge;
    }
    component->pending &= ~channel->badge;
    return 0;
}

int crossvm_component_channel_init(crossvm_component_channel_t *channel, crossvm_component_t *component,
                                   const crossvm_component_channel_config_t *config)
{
    const crossvm_channel_config_t inner = {
        .memory = config->dataport,
        .size = config->size,
        .end = config->end ? config->end : CROSSVM_CHANNEL_END(1),
        .mode = config->mode,
        .spin = config->spin,
        .emit = config->emit_fn ? emit_by_function : emit,
        .wait = wait_for_event,
        .cookie = channel,
    };

    if (!config->badge)
        return -EINVAL_OF_LINUX;
    channel->component = component;
    channel->emit = config->emit;
    channel->emit_fn = config->emit_fn;
    channel->badge = config->badge;
    return crossvm_channel_init(&channel->channel, &inner);
}
