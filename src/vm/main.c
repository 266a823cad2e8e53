/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm-vm: one Linux VM in one process, with the host ends of its cross-VM connections.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm/guest_vm.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "host_end.h"
#include "message.h"
#include "options.h"
#include "server.h"

#define EXIT_CRASHED 70

/* Before what --append says: the console is a serial port, and a panic ends the VM. */
#define COMMAND_LINE "console=ttyS0 panic=-1"

/* The VM and what is around it. */
struct machine {
    vm_t vm;
    bool has_vm;
    vmm_pci_space_t *pci;
    struct host_end *ends;
    size_t num_ends;
    struct server *server;
};

static int send_msi(vm_t *vm, const crossvm_msi_t *msi)
{
    return kvm_msi_send(vm, msi->address, msi->data, msi->requester);
}

static int create_vm(struct machine *machine, const struct options *options)
{
    vm_t *vm = &machine->vm;

    if (vm_init(vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, options->name)) {
        message("cannot make a VM: is KVM there, and may this user open /dev/kvm?");
        return -1;
    }
    machine->has_vm = true;
    if (vm_create_default_irq_controller(vm)) {
        message("cannot make the VM's interrupt controller");
        return -1;
    }
    if (vm_ram_register_at(vm, KVM_RAM_BASE, options->memory, false)) {
        message("cannot give the VM %zu MiB of memory", options->memory >> 20);
        return -1;
    }
    for (unsigned int i = 0; i < options->cpus; i++) {
        if (!vm_create_vcpu(vm, 0)) {
            message("cannot make vCPU %u of %u", i, options->cpus);
            return -1;
        }
    }
    if (vmm_pci_init(&machine->pci) || kvm_pci_attach(vm, machine->pci) ||
        kvm_console_create(vm, STDIN_FILENO, STDOUT_FILENO)) {
        message("cannot make the VM's devices");
        return -1;
    }
    return 0;
}

static int install(struct machine *machine, crossvm_connection_t **connections)
{
    crossvm_bus_t bus = {
        .vm = &machine->vm,
        .pci = machine->pci,
        .base = KVM_PCI_WINDOW_BASE,
        .size = KVM_PCI_WINDOW_SIZE,
        .alloc_irq = kvm_irq_allocate,
        .send_msi = send_msi,
    };
    size_t n = machine->num_ends;
    crossvm_config_t *configs = calloc(n, sizeof(*configs));
    crossvm_dataport_t(*dataports)[CROSSVM_MAX_DATAPORTS] = calloc(n, sizeof(*dataports));
    int error = -1;

    if (configs && dataports) {
        for (size_t i = 0; i < n; i++)
            host_end_describe(&machine->ends[i], &configs[i], dataports[i]);
        kvm_irq_allocator_use(&machine->vm);
        error = crossvm_install(&bus, configs, n, connections);
    } else {
        message("no memory for %zu connections", n);
    }
    free(configs);
    free(dataports);
    return error;
}

static int create_connections(struct machine *machine, const struct options *options)
{
    size_t n = options->num_connections;
    crossvm_connection_t **connections;
    int error;

    if (n == 0)
        return 0;
    machine->ends = calloc(n, sizeof(*machine->ends));
    connections = calloc(n, sizeof(crossvm_connection_t *));
    if (!machine->ends || !connections) {
        message("no memory for %zu connections", n);
        free(connections);
        return -1;
    }
    for (; machine->num_ends < n; machine->num_ends++) {
        if (host_end_create(&machine->ends[machine->num_ends], &machine->vm,
                            &options->connections[machine->num_ends])) {
            machine->num_ends++; /* to be destroyed as far as it came */
            free(connections);
            return -1;
        }
    }
    kvm_vmm_lock();
    error = install(machine, connections);
    if (!error)
        machine->server = server_create(options->socket_dir, options->name, machine->ends, n);
    if (error || !machine->server || server_start(machine->server, connections))
        error = -1;
    kvm_vmm_unlock();
    free(connections);
    return error;
}

static void print_stats(struct machine *machine)
{
    kvm_vm_stats_t stats;

    if (kvm_vm_get_stats(&machine->vm, &stats) == 0)
        message("%s: %llu exits, of these %llu to this process (%llu memory, %llu ports)", machine->vm.vm_name,
                (unsigned long long)stats.exits, (unsigned long long)stats.user_exits,
                (unsigned long long)stats.mmio_exits, (unsigned long long)stats.io_exits);
}

static void destroy(struct machine *machine)
{
    server_destroy(machine->server);
    kvm_vmm_lock();
    for (size_t i = 0; i < machine->num_ends; i++)
        host_end_destroy(&machine->ends[i]);
    if (machine->has_vm)
        crossvm_remove_all(&machine->vm);
    kvm_vmm_unlock();
    if (machine->has_vm)
        kvm_vm_destroy(&machine->vm);
    free(machine->ends);
}

static int exit_status(const vm_t *vm)
{
    int status = kvm_vm_exit_status(vm);

    if (status == KVM_VM_RESET)
        return EXIT_SUCCESS;
    if (status < 0 || status == KVM_VM_CRASHED) {
        message("%s: the guest crashed", vm->vm_name);
        return EXIT_CRASHED;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct machine machine = {0};
    struct options options;
    kvm_linux_t linux_image;
    char *command_line = NULL;
    int status = EXIT_FAILURE;

    options_parse(&options, argc, argv);
    if (create_vm(&machine, &options) || create_connections(&machine, &options))
        goto cleanup;
    if (asprintf(&command_line, "%s %s", COMMAND_LINE, options.append) < 0) {
        command_line = NULL;
        message("no memory for the command line");
        goto cleanup;
    }
    linux_image = (kvm_linux_t){
        .kernel = options.kernel,
        .initrd = options.initrd,
        .command_line = command_line,
        .pci = machine.pci,
    };
    if (kvm_boot_linux(&machine.vm, &linux_image) || vcpu_start(machine.vm.vcpus[BOOT_VCPU]))
        goto cleanup;
    (void)vm_run(&machine.vm); /* how it ended is in the status */
    status = exit_status(&machine.vm);
    if (options.stats)
        print_stats(&machine);
cleanup:
    destroy(&machine);
    free(command_line);
    options_free(&options);
    return status;
}
