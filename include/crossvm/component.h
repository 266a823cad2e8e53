/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels of a native component on seL4: a channel (crossvm/channel.h) through a dataport, with a notification to wait
 * on and a capability to signal. No allocation, and nothing of VMs, PCI or a C library.
 *
 *     crossvm_component_t self = {.notification = notification};
 *     crossvm_component_channel_t echo;
 *
 *     crossvm_component_channel_init(&echo, &self, &config);
 *     crossvm_channel_open(&echo.channel);
 *     length = crossvm_channel_recv(&echo.channel, buffer, sizeof(buffer), CROSSVM_FOREVER);
 *
 * A component with one channel blocks in its calls. One with several waits for all of them with
 * crossvm_component_wait(), and calls with CROSSVM_NOW those whose bit came; it may also block in one of them, and what
 * comes for the others meanwhile is kept.
 *
 * Threads: all of a crossvm_component_t is for one thread. Another thread has a notification and a structure of its
 * own.
 */
#ifndef CROSSVM_COMPONENT_H
#define CROSSVM_COMPONENT_H

#include <stdint.h>

#include <sel4/sel4.h>

#include <crossvm/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the thread of a component waits with. The caller provides the memory; zero is the default of every member but
 * the notification. */
typedef struct crossvm_component {
    seL4_CPtr notification; /**< what is signalled for this thread; nobody else may wait on it */
    /**
     * A timer for deadlines, or NULL. Without one, calls with another deadline than CROSSVM_NOW and CROSSVM_FOREVER
     * return -38 (ENOSYS) when they would wait.
     *
     * @return nanoseconds since any point in time; deadlines are of this clock
     */
    int64_t (*now_ns)(void *cookie);
    /** Has timer_badge signalled at that time or soon after it. Replaces what was set before. */
    void (*set_timer)(void *cookie, int64_t ns);
    seL4_Word timer_badge; /**< the bit of the badge with which the timer signals the notification */
    void *cookie;          /**< passed to both */
    seL4_Word pending;     /**< private: bits that came, and that nobody has taken */
} crossvm_component_t;

/** A channel of a component. The caller provides the memory; `channel` is for the calls of crossvm/channel.h. */
typedef struct crossvm_component_channel {
    crossvm_channel_t channel;
    crossvm_component_t *component;
    seL4_CPtr emit;
    void (*emit_fn)(void);
    seL4_Word badge;
} crossvm_component_channel_t;

/** What a channel is made of. Zero is the default of every member that has one. */
typedef struct crossvm_component_channel_config {
    /** The dataport, mapped cacheable, readable and writable: its address, aligned to 64 bytes, and its exact size in
     * bytes. Stays mapped for as long as the channel is used. */
    void *dataport;
    size_t size;
    unsigned int
        mode; /**< CROSSVM_CHANNEL_STREAM (default) or CROSSVM_CHANNEL_DATAGRAM, as the guest's program has it */
    unsigned int end;  /**< CROSSVM_CHANNEL_END(1) is the default, since the guest has end 0 */
    unsigned int spin; /**< as in crossvm_channel_config_t: useful only if the guest has another core */
    seL4_CPtr emit;    /**< signals the VMM, with the connection's badge; signalled for each event */
    /** Called for each event instead of signalling emit, where a framework hides the capability, as CAmkES does. NULL:
     * emit is signalled. */
    void (*emit_fn)(void);
    seL4_Word badge; /**< bits with which the VMM signals the component's notification for this connection; not 0 */
} crossvm_component_channel_config_t;

/**
 * Prepares a channel. Does not touch the dataport; crossvm_channel_open() begins.
 *
 * @param component outlives the channel
 * @return 0, or -22 (EINVAL) as crossvm_channel_init(), also when there is no badge
 */
int crossvm_component_channel_init(crossvm_component_channel_t *channel, crossvm_component_t *component,
                                   const crossvm_component_channel_config_t *config);

/**
 * Waits until something was signalled that nobody has taken yet: for any channel, or for anything else that signals the
 * notification.
 *
 * Bits of channels say that there may be something new. Look at such a channel until it has nothing more, since a bit
 * does not tell how much there is.
 *
 * @return the bits of all signals that came, which are taken now; never 0
 */
seL4_Word crossvm_component_wait(crossvm_component_t *component);

#ifdef __cplusplus
}
#endif
#endif
