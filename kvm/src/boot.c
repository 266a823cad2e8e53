/* SPDX-License-Identifier: BSD-2-Clause */
/* Booting Linux: what is the same on all machines. */
#include <errno.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "arch.h"
#include "irq_input.h"

int kvm_boot_linux(vm_t *vm, const kvm_linux_t *linux_image)
{
    int error = -EINVAL;

    kvm_vmm_lock();
    if (!vm->num_vcpus) {
        ZF_LOGE("VM %s cannot boot: it has no vCPU", vm->vm_name);
    } else if (!linux_image->kernel) {
        ZF_LOGE("VM %s cannot boot: no kernel is named", vm->vm_name);
    } else if (kvm_arch_boot_linux(vm, linux_image)) {
        error = -EIO;
    } else {
        kvm_irq_allocator_booted(vm);
        error = 0;
    }
    kvm_vmm_unlock();
    return error;
}
