/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm-vm: runs one Linux VM, with connections of a hub.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_vm.h>
#include <utils/zf_log.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../common/command_line.h"
#include "../common/descriptor_limit.h"
#include "../common/message.h"
#include "../common/standard_streams.h"
#include "../wire/wire.h"
#include "confinement.h"
#include "dump.h"
#include "machine.h"
#include "options.h"
#include "signals.h"

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
    case -1: /* the log says why */
        return CROSSVM_EXIT_NOT_STARTED;
    case KVM_VM_CRASHED:
        message("%s: the guest crashed", vm->vm_name);
        return CROSSVM_EXIT_CRASHED;
    default:
        return status;
    }
}

static int boot(struct machine *machine, const kvm_linux_t *linux_image)
{
    return kvm_boot_linux(&machine->vm, linux_image) ? -1 : vcpu_start(machine->vm.vcpus[BOOT_VCPU]);
}

static int run_linux(struct machine *machine, const struct options *options, kvm_linux_t *linux_image)
{
    struct confinement confinement;
    int status = CROSSVM_EXIT_NOT_STARTED;

    /* All that can be checked without KVM is, so that a mistake is not hidden by its absence. */
    if (confinement_choose(&confinement, options) || kvm_linux_check(linux_image, options->memory) ||
        machine_create(machine, options))
        goto cleanup;
    linux_image->pci = machine->pci;
    if (boot(machine, linux_image) || signals_watch(machine->loop, &machine->vm) ||
        confinement_begin(&confinement, options) || machine_serve(machine, confinement_enter_loop))
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

static int run(struct machine *machine, const struct options *options)
{
    kvm_linux_t linux_image = {.kernel = options->kernel, .initramfs = options->initramfs};
    char *command_line;
    int status;

    if (asprintf(&command_line, COMMAND_LINE_START "%s", options->command_line) < 0) {
        message("no memory for the command line");
        return CROSSVM_EXIT_NOT_STARTED;
    }
    linux_image.command_line = command_line;
    status = run_linux(machine, options, &linux_image);
    free(command_line);
    return status;
}

/* The devices are installed as in run(), in a VM that has no KVM behind it. */
static int dump(struct machine *machine, const struct options *options)
{
    int error;

    (void)kvm_use_backend_none();
    error = machine_create(machine, options);
    if (!error && options->json)
        dump_devices_json(stdout, machine);
    else if (!error)
        dump_devices(stdout, machine);
    machine_destroy(machine);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The module names itself in the log, for VMMs that have other parts. */
#define MODULE_PREFIX "crossvm: "

static void print_log_line(int level, const char *line, void *cookie)
{
    size_t prefix = strncmp(line, MODULE_PREFIX, strlen(MODULE_PREFIX)) == 0 ? strlen(MODULE_PREFIX) : 0;

    (void)cookie;
    message("%s%s", level == ZF_LOG_WARN ? "warning: " : "", line + prefix);
}

int main(int argc, char **argv)
{
    struct machine machine = {0};
    struct options options;
    int status;

    signals_unblock();
    standard_streams_set_up(EXIT_FAILURE);
    argp_err_exit_status = CROSSVM_EXIT_NOT_STARTED;
    options_parse(&options, argc, argv);
    kvm_log_set_sink(print_log_line, NULL);
    descriptor_limit_raise();
    status = options.dump ? dump(&machine, &options) : run(&machine, &options);
    options_free(&options);
    return status;
}
