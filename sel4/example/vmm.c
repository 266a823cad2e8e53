/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm.h"

#include <crossvm/vmm.h>
#include <utils/util.h>

#include "memory.h"
#include "platform.h"

/* --- the connections --- */

static struct vmm_doorbells doorbells;
static crossvm_connection_t *connections[3]; /* echo, text, samples */

/* The cookie is the notification to signal, so that one function is enough for all connections. */
static int emit(void *cookie)
{
    const seL4_CPtr *notification = cookie;

    /* Orders the guest's stores to the dataport, which this store's exit followed, before the signal: the component may
     * run on another core. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    seL4_Signal(*notification);
    return 0;
}

/* Frames for a component, and copies of their capabilities for the guest. */
static int share(vm_t *vm, seL4_CPtr *frames, seL4_CPtr *copies, size_t n)
{
    return memory_allocate(vm->vka, frames, n) || memory_copy(vm->vka, frames, copies, n) ? -1 : 0;
}

static crossvm_dataport_config_t dataport(const seL4_CPtr *frames, size_t n)
{
    return (crossvm_dataport_config_t){.frames = frames, .num_frames = n, .frame_size_bits = FRAME_BITS};
}

static int add(vm_t *vm, vmm_pci_space_t *pci, struct vmm_shared *shared)
{
    seL4_CPtr echo[ECHO_FRAMES], text[TEXT_FRAMES], samples[SAMPLES_FRAMES];
    const crossvm_dataport_config_t dataports[] = {
        dataport(echo, ECHO_FRAMES),
        dataport(text, TEXT_FRAMES),
        dataport(samples, SAMPLES_FRAMES),
    };
    const crossvm_connection_config_t configs[] = {
        {.name = "echo", .dataports = &dataports[0], .num_dataports = 1, .emit = emit, .cookie = &doorbells.echo},
        {.name = "text", .dataports = &dataports[1], .num_dataports = 1, .emit = emit, .cookie = &doorbells.text},
        {.name = "samples", .dataports = &dataports[2], .num_dataports = 1, .emit = emit, .cookie = &doorbells.samples},
    };
    const crossvm_bus_t bus = {
        .vm = vm,
        .pci = pci,
        .base = platform_window.base,
        .size = platform_window.size,
        .alloc_irq = platform_allocate_irq,
    };

    if (share(vm, shared->echo, echo, ECHO_FRAMES) || share(vm, shared->text, text, TEXT_FRAMES) ||
        share(vm, shared->samples, samples, SAMPLES_FRAMES))
        return -1;
    return crossvm_install(&bus, configs, ARRAY_SIZE(configs), connections);
}

void vmm_component_runs(enum vmm_component component, bool runs)
{
    const uint32_t state = runs ? CROSSVM_PEER_READY : CROSSVM_PEER_ABSENT;

    if (component == VMM_SAMPLES) {
        crossvm_set_peer_state(connections[2], state);
        return;
    }
    crossvm_set_peer_state(connections[0], state);
    crossvm_set_peer_state(connections[1], state);
}

/* --- events --- */

/*
 * Called when the VMM's notification, which is bound to its thread, is signalled. The badge may come from several
 * signals; a bit tells that its signal came at least once.
 */
static int notified(vm_t *vm, seL4_Word badge, seL4_MessageInfo_t tag, void *cookie)
{
    (void)vm;
    (void)tag;
    (void)cookie;
    if (badge & BADGE_ECHO)
        crossvm_consume_event(connections[0]);
    if (badge & BADGE_TEXT)
        crossvm_consume_event(connections[1]);
    if (badge & BADGE_SAMPLES)
        crossvm_consume_event(connections[2]);
    return 0; /* any other result ends the guest */
}

int vmm_add_connections(vm_t *vm, vmm_pci_space_t *pci, const struct vmm_doorbells *to_signal, void *fdt, int gic,
                        struct vmm_shared *shared)
{
    doorbells = *to_signal;
    if (platform_show_pci(vm, pci) || add(vm, pci, shared) || platform_describe_pci(vm, pci, fdt, gic))
        return -1;
    return vm_register_notification_callback(vm, notified, NULL);
}

void vmm_run(vm_t *vm)
{
    /* The result 0 does not mean the end: libsel4vm returns after some exits, and goes on when it is called again. */
    while (vm_run(vm) == 0)
        ;
}
