/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm.h"

#include <crossvm/vmm.h>
#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>
#include <utils/util.h>

#include "memory.h"
#include "platform.h"

/* --- "console", by the short interface --- */

static seL4_CPtr console_notification;

/* The short interface passes no cookie, so each connection needs a function of its own. */
static void emit_console(void)
{
    seL4_Signal(console_notification);
}

static int add_console(vm_t *vm, vmm_pci_space_t *pci, struct vmm_shared *shared)
{
    seL4_CPtr guest_frames[CONSOLE_FRAMES];
    crossvm_dataport_handle_t dataport = {
        .frame_size_bits = FRAME_BITS,
        .num_frames = CONSOLE_FRAMES,
        .frames = guest_frames,
    };
    crossvm_handle_t connection = {
        .dataport = &dataport,
        .emit_fn = emit_console,
        .consume_id = BADGE_CONSOLE,
        .connection_name = "console",
    };

    if (memory_allocate(vm->vka, shared->console, CONSOLE_FRAMES) ||
        memory_copy(vm->vka, shared->console, guest_frames, CONSOLE_FRAMES))
        return -1;
    return cross_vm_connections_init_common(vm, platform_window.base, &connection, 1, pci, platform_allocate_irq);
}

/* --- "sensor", by the full interface --- */

static crossvm_connection_t *sensor;
static seL4_CPtr sensor_notification;

/* The cookie is the notification to signal, so that one function is enough for all connections. */
static int emit(void *cookie)
{
    const seL4_CPtr *notification = cookie;

    seL4_Signal(*notification);
    return 0;
}

static int add_sensor(vm_t *vm, vmm_pci_space_t *pci, struct vmm_shared *shared)
{
    seL4_CPtr guest_commands[COMMAND_FRAMES];
    seL4_CPtr guest_samples[SAMPLE_FRAMES];
    const crossvm_dataport_config_t dataports[] = {
        {
            .frames = guest_commands,
            .num_frames = COMMAND_FRAMES,
            .frame_size_bits = FRAME_BITS,
        },
        {
            .frames = guest_samples,
            .num_frames = SAMPLE_FRAMES,
            .frame_size_bits = FRAME_BITS,
            .guest_rights = CROSSVM_RIGHT_READ,
        },
    };
    const crossvm_connection_config_t config = {
        .name = "sensor",
        .dataports = dataports,
        .num_dataports = ARRAY_SIZE(dataports),
        .emit = emit,
        .cookie = &sensor_notification,
    };
    const crossvm_bus_t bus = {
        .vm = vm,
        .pci = pci,
        .base = platform_window.base,
        .size = platform_window.size,
        .alloc_irq = platform_allocate_irq,
    };

    if (memory_allocate(vm->vka, shared->commands, COMMAND_FRAMES) ||
        memory_copy(vm->vka, shared->commands, guest_commands, COMMAND_FRAMES) ||
        memory_allocate(vm->vka, shared->samples, SAMPLE_FRAMES) ||
        memory_copy(vm->vka, shared->samples, guest_samples, SAMPLE_FRAMES))
        return -1;
    return crossvm_install(&bus, &config, 1, &sensor);
}

void vmm_component_is_there(bool there)
{
    crossvm_set_peer_state(sensor, there ? CROSSVM_PEER_READY : CROSSVM_PEER_ABSENT);
}

/* --- both --- */

/*
 * Called when the VMM's notification, which is bound to its thread, is signalled. The badge may come from several
 * signals; a bit tells that its signal came at least once.
 */
static int notified(vm_t *vm, seL4_Word badge, seL4_MessageInfo_t tag, void *cookie)
{
    (void)tag;
    (void)cookie;
    if (badge & BADGE_CONSOLE)
        consume_connection_event(vm, BADGE_CONSOLE, true);
    if (badge & BADGE_SENSOR)
        crossvm_consume_event(sensor);
    return 0; /* any other result ends the guest */
}

int vmm_add_connections(vm_t *vm, vmm_pci_space_t *pci, seL4_CPtr console_doorbell, seL4_CPtr sensor_doorbell,
                        void *fdt, int gic, struct vmm_shared *shared)
{
    console_notification = console_doorbell;
    sensor_notification = sensor_doorbell;
    if (platform_show_pci(vm, pci) || add_console(vm, pci, shared) || add_sensor(vm, pci, shared) ||
        platform_describe_pci(vm, pci, fdt, gic))
        return -1;
    return vm_register_notification_callback(vm, notified, NULL);
}

void vmm_run(vm_t *vm)
{
    /* The result 0 does not mean the end: libsel4vm returns after some exits, and goes on when it is called again. */
    while (vm_run(vm) == 0)
        ;
}
