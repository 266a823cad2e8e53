/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdlib.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm/guest_vm.h>

#include "../common/message.h"
#include "../common/vm_limits.h"

_Static_assert(KVM_PCI_WINDOW_SIZE == VM_BAR_BYTES, "src/run checks topologies against another size of window");

static int send_msi(vm_t *vm, const crossvm_msi_t *msi)
{
    return kvm_msi_send(vm, msi->address, msi->data, msi->requester);
}

static int create_vm(struct machine *machine, const struct options *options)
{
    vm_t *vm = &machine->vm;
    int error;

    if (options->gic && kvm_use_gic(options->gic)) {
        message("--gic is for arm64 guests; leave it out");
        return -1;
    }
    /* Each of these says in the log what it cannot do. */
    if (vm_init(vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, options->name))
        return -1;
    machine->has_vm = true;
    if (vm_create_default_irq_controller(vm) || vm_ram_register_at(vm, KVM_RAM_BASE, options->memory, false))
        return -1;
    for (unsigned int i = 0; i < options->vcpus; i++) {
        if (!vm_create_vcpu(vm, 0))
            return -1;
    }
    if (vmm_pci_init(&machine->pci) || kvm_pci_attach(vm, machine->pci))
        return -1;
    error = kvm_console_create(vm, STDIN_FILENO, STDOUT_FILENO);
    if (error)
        message("cannot make the VM's console: %s", error_reason(-error));
    return error;
}

/* --- connections --- */

static int install(struct machine *machine, crossvm_connection_t **connections)
{
    crossvm_bus_t bus = {
        .vm = &machine->vm,
        .pci = machine->pci,
        .base = KVM_PCI_WINDOW_BASE,
        .size = KVM_PCI_WINDOW_SIZE,
        .alloc_irq = kvm_irq_allocate,
        .send_msi = kvm_msi_available(&machine->vm) ? send_msi : NULL,
    };
    size_t n = machine->num_connections;
    crossvm_connection_config_t *configs = calloc(n, sizeof(*configs));
    crossvm_dataport_config_t(*dataports)[CROSSVM_MAX_DATAPORTS] = calloc(n, sizeof(*dataports));
    int error = -1;

    if (configs && dataports) {
        for (size_t i = 0; i < n; i++)
            wiring_describe(&machine->wirings[i], &configs[i], dataports[i]);
        kvm_irq_allocator_use(&machine->vm);
        error = crossvm_install(&bus, configs, n, connections);
    } else {
        message("no memory for %zu connections", n);
    }
    free(configs);
    free(dataports);
    return error;
}

static int install_and_attach(struct machine *machine)
{
    size_t n = machine->num_connections;
    crossvm_connection_t **connections = calloc(n, sizeof(crossvm_connection_t *));
    int error;

    if (!connections) {
        message("no memory for %zu connections", n);
        return -1;
    }
    kvm_vmm_lock();
    error = install(machine, connections);
    for (size_t i = 0; i < n && !error; i++)
        error = wiring_attach(&machine->wirings[i], connections[i], machine->loop);
    kvm_vmm_unlock();
    free(connections);
    return error;
}

static int create_connections(struct machine *machine, const struct options *options)
{
    size_t n = options->num_joins;

    if (n == 0)
        return 0;
    machine->wirings = calloc(n, sizeof(*machine->wirings));
    machine->joins = calloc(n, sizeof(*machine->joins));
    if (!machine->wirings || !machine->joins) {
        message("no memory for %zu connections", n);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        machine->num_connections++;
        if (join_open(&machine->joins[i], options->joins[i], &machine->wirings[i], &machine->vm))
            return -1;
    }
    return install_and_attach(machine);
}

int machine_create(struct machine *machine, const struct options *options)
{
    machine->loop = loop_create();
    return machine->loop && create_vm(machine, options) == 0 ? create_connections(machine, options) : -1;
}

int machine_serve(struct machine *machine, void (*begin_loop)(void))
{
    int error = 0;

    kvm_vmm_lock();
    for (size_t i = 0; i < machine->num_connections && !error; i++)
        error = join_start(&machine->joins[i]);
    kvm_vmm_unlock();
    return error ? error : loop_start(machine->loop, begin_loop);
}

void machine_destroy(struct machine *machine)
{
    if (machine->loop)
        loop_stop(machine->loop);
    kvm_vmm_lock();
    for (size_t i = 0; i < machine->num_connections; i++) {
        join_close(&machine->joins[i]);
        wiring_destroy(&machine->wirings[i]);
    }
    if (machine->has_vm)
        crossvm_remove_all(&machine->vm);
    kvm_vmm_unlock();
    if (machine->has_vm)
        kvm_vm_destroy(&machine->vm);
    kvm_pci_free(machine->pci);
    loop_destroy(machine->loop);
    free(machine->wirings);
    free(machine->joins);
}
