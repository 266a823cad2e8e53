/* SPDX-License-Identifier: BSD-2-Clause */
/* arch.h for arm64: the machine around the vCPUs. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../../../src/common/error_reason.h"
#include "../arch.h"
#include "../vcpu.h"
#include "../vm.h"
#include "gic.h"
#include "layout.h"
#include "power.h"
#include "vcpu_registers.h"

#define USUAL_ADDRESS_BITS 40 /* of guest physical addresses in a VM of type 0 */

/* A host that has fewer bits refuses type 0. */
unsigned long kvm_arch_vm_type(int system_fd)
{
    int bits = ioctl(system_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

    return bits > 0 && bits < USUAL_ADDRESS_BITS ? (unsigned long)bits : 0;
}

/*
 * The hardware does not describe a store of several registers, or one that changes its address register. Unless KVM is
 * told to hand such accesses over, they end the VM when they meet emulated memory.
 */
static int take_undecoded_accesses(const vm_t *vm)
{
    struct kvm_enable_cap request = {.cap = KVM_CAP_ARM_NISV_TO_USER};
    int fd = kvm_vm_of(vm)->fd;
    int can = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_INJECT_EXT_DABT);

    if (can > 0 && ioctl(fd, KVM_ENABLE_CAP, &request) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM cannot abort an access that it does not decode: %s", vm->vm_name,
            can == 0 || errno == EINVAL ? "this kernel is older than Linux 5.6" : error_reason(errno));
    return -1;
}

/* KVM maps guest memory in the host's pages, and a connection's registers are a page of 4 KiB. */
static int check_page_size(const vm_t *vm)
{
    long size = sysconf(_SC_PAGESIZE);

    if (size == (long)PAGE_SIZE_4K)
        return 0;
    ZF_LOGE("VM %s: the host's kernel has pages of %ld bytes, and VMs need one with pages of 4096 bytes", vm->vm_name,
            size);
    return -1;
}

int kvm_arch_vm_init(vm_t *vm)
{
    return check_page_size(vm) || take_undecoded_accesses(vm) || kvm_gic_create(vm) ? -1 : 0;
}

void kvm_arch_vm_destroy(vm_t *vm)
{
    kvm_gic_destroy(vm);
}

int kvm_arch_vcpus_prepare(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);

    if (kvm->vcpus_prepared)
        return 0;
    if (kvm_power_attach(vm))
        return -1;
    if (!kvm_vm_is_hollow(vm) && kvm_gic_complete(vm))
        return -1;
    kvm->vcpus_prepared = true;
    return 0;
}

const char *kvm_arch_ram_objection(uintptr_t start, size_t size)
{
    if (start < KVM_RAM_BASE || (start < LAYOUT_HIGH_RAM && start + (size - 1) >= KVM_PCI_WINDOW_BASE))
        return "addresses below 0x40000000 and from 0xc0000000 to 0xffffffff are for devices; put RAM between, and the "
               "rest from 0x100000000 on";
    return NULL;
}

/* --- exits --- */

bool kvm_arch_vcpu_exit(vm_vcpu_t *vcpu, struct kvm_run *run)
{
    if (run->exit_reason != KVM_EXIT_ARM_NISV)
        return false;
    kvm_vcpu_log_emulation_failure(vcpu);
    if (kvm_vcpu_abort_access(vcpu))
        kvm_vm_stop(vcpu->vm, KVM_VM_CRASHED);
    return true;
}

/* --- interrupts --- */

bool kvm_arch_has_msi(const vm_t *vm)
{
    return kvm_gic_has_its(vm);
}

int kvm_arch_irq_spare(size_t i)
{
    return i <= LAYOUT_LATE_PCI_IRQ - LAYOUT_FIRST_PCI_IRQ ? LAYOUT_FIRST_PCI_IRQ + (int)i : -1;
}

size_t kvm_arch_irq_spare_late(void)
{
    return LAYOUT_LATE_PCI_IRQ - LAYOUT_FIRST_PCI_IRQ;
}

void kvm_arch_fixed_routes(struct kvm_irq_routing_entry *entries)
{
    for (uint32_t irq = KVM_FIRST_IRQ; irq <= KVM_LAST_IRQ; irq++)
        *entries++ = (struct kvm_irq_routing_entry){
            .gsi = irq,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.pin = irq - LAYOUT_FIRST_SPI},
        };
}

int kvm_arch_irq_set_level(vm_t *vm, int irq, int level)
{
    struct kvm_irq_level request = {
        .irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (uint32_t)irq,
        .level = level != 0,
    };

    if (ioctl(kvm_vm_of(vm)->fd, KVM_IRQ_LINE, &request) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM does not set interrupt %d: %s", vm->vm_name, irq, error_reason(errno));
    return -1;
}
