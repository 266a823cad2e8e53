/* SPDX-License-Identifier: BSD-2-Clause */
#include "vcpu_registers.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm/boot.h>

#include "../../../src/common/error_reason.h"
#include "../arch.h"
#include "../vm.h"

#define CORE_REGISTER(name) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(name))

/* The vCPU is of the host's kind, as far as KVM can show that. The guest starts all vCPUs except the first, by PSCI. */
int kvm_arch_vcpu_init(vm_vcpu_t *vcpu)
{
    struct kvm_vcpu_init init = {0};

    if (ioctl(kvm_vm_of(vcpu->vm)->fd, KVM_ARM_PREFERRED_TARGET, &init))
        return -1;
    init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
    if (vcpu->vcpu_id != BOOT_VCPU)
        init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
    return ioctl(kvm_vcpu_of(vcpu)->fd, KVM_ARM_VCPU_INIT, &init);
}

static int set_register(const vm_vcpu_t *vcpu, uint64_t id, uint64_t value)
{
    struct kvm_one_reg request = {.id = id, .addr = (uintptr_t)&value};

    if (ioctl(kvm_vcpu_of(vcpu)->fd, KVM_SET_ONE_REG, &request) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM does not set register 0x%" PRIx64 " of vCPU %u: %s", vcpu->vm->vm_name, id, vcpu->vcpu_id,
            error_reason(errno));
    return -1;
}

/* After a reset the vCPU is in EL1, with MMU off and interrupts masked, as the boot protocol demands. */
int kvm_vcpu_enter(vm_t *vm, uint64_t entry, uint64_t x0)
{
    const vm_vcpu_t *vcpu = vm->vcpus[BOOT_VCPU];

    return set_register(vcpu, CORE_REGISTER(regs.pc), entry) || set_register(vcpu, CORE_REGISTER(regs.regs[0]), x0) ? -1
                                                                                                                    : 0;
}

uint64_t kvm_arch_vcpu_instruction_pointer(const vm_vcpu_t *vcpu)
{
    uint64_t pc = 0;
    struct kvm_one_reg request = {.id = CORE_REGISTER(regs.pc), .addr = (uintptr_t)&pc};

    if (kvm_vcpu_of(vcpu)->fd >= 0)
        ioctl(kvm_vcpu_of(vcpu)->fd, KVM_GET_ONE_REG, &request);
    return pc;
}

int kvm_vcpu_abort_access(vm_vcpu_t *vcpu)
{
    struct kvm_vcpu_events events = {.exception.ext_dabt_pending = 1};

    if (ioctl(kvm_vcpu_of(vcpu)->fd, KVM_SET_VCPU_EVENTS, &events) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM does not abort an access of vCPU %u: %s", vcpu->vm->vm_name, vcpu->vcpu_id,
            error_reason(errno));
    return -1;
}
