/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm-vm: one Linux VM in one process, with the peers' side of its cross-VM connections.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_vm.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../common/command_line.h"
#include "../common/descriptor_limit.h"
#include "../common/message.h"
#include "../common/standard_streams.h"
#include "../wire/wire.h"
#include "dump.h"
#include "machine.h"
#include "options.h"
#include "signals.h"

/* Before what --command-line says: the console is a serial port, and a panic resets, which ends the VM. */
#define COMMAND_LINE "console=ttyS0 panic=-1"

static void print_stats(struct machine *machine)
{
    kvm_vm_stats_t stats;

    if (kvm_vm_get_stats(&machine->vm, &stats) == 0)
        message("%s: %llu exits, of these %llu to this process (%llu memory, %llu ports)", machine->vm.vm_name,
                (unsigned long long)stats.exits, (unsigned long long)stats.user_exits,
                (unsigned long long)stats.mmio_exits, (unsigned long long)stats.io_exits);
}

static int exit_status(const vm_t *vm)
{
    int status = kvm_vm_exit_status(vm);

    switch (status) {
    case KVM_VM_POWERED_OFF:
        return EXIT_SUCCESS;
    case KVM_VM_RESET:
        message("%s: the guest asked for a reset (a reboot, or a panic)", vm->vm_name);
        return CROSSVM_EXIT_RESET;
    case KVM_VM_CRASHED:
    case -1:
        message("%s: the guest crashed", vm->vm_name);
        return CROSSVM_EXIT_CRASHED;
    default:
        return status;
    }
}

static int boot(struct machine *machine, const struct options *options)
{
    kvm_linux_t linux_image = {.kernel = options->kernel, .initramfs = options->initramfs, .pci = machine->pci};
    char *command_line;
    int error;

    if (asprintf(&command_line, "%s %s", COMMAND_LINE, options->command_line) < 0) {
        message("no memory for the command line");
        return -1;
    }
    linux_image.command_line = command_line;
    error = kvm_boot_linux(&machine->vm, &linux_image);
    free(command_line);
    return error ? -1 : vcpu_start(machine->vm.vcpus[BOOT_VCPU]);
}

static int run(struct machine *machine, const struct options *options)
{
    int status = EXIT_FAILURE;

    if (signals_block() || machine_create(machine, options) || boot(machine, options) ||
        signals_watch(machine->loop, &machine->vm) || machine_serve(machine, options))
        goto cleanup;
    (void)vm_run(&machine->vm); /* how it ended is in the status */
    status = exit_status(&machine->vm);
    if (options->stats)
        print_stats(machine);
cleanup:
    machine_destroy(machine);
    signals_close();
    return status;
}

/* The devices are installed as ever, in a VM that has no KVM behind it. */
static int dump(struct machine *machine, const struct options *options)
{
    int error;

    (void)kvm_use_backend_none();
    error = machine_create(machine, options);
    if (!error)
        dump_devices(stdout, machine);
    machine_destroy(machine);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct machine machine = {0};
    struct options options;
    int status;

    standard_streams_set_up(EXIT_FAILURE);
    argp_err_exit_status = EXIT_FAILURE;
    options_parse(&options, argc, argv);
    raise_descriptor_limit();
    status = options.dump ? dump(&machine, &options) : run(&machine, &options);
    options_free(&options);
    return status;
}
