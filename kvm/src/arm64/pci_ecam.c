/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space of bus 0, in memory (PCI Express Base Specification, section 7.2.2). */
#include <errno.h>

#include <pci/helper.h>
#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vcpu_fault.h>
#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "layout.h"

/* Bytes of a function of conventional PCI. The rest of its 4 KiB is for PCI Express only, and reads 0 here. */
#define CONFIG_SIZE 256

/* 19..15 device | 14..12 function | 11..0 register */
static vmm_pci_entry_t *addressed(vmm_pci_space_t *pci, uintptr_t offset, size_t size)
{
    vmm_pci_address_t address = {.dev = offset >> 15 & 0x1f, .fun = offset >> 12 & 0x7};

    return (offset & 3) + size > sizeof(uint32_t) ? NULL : find_device(pci, address);
}

static memory_fault_result_t load(vm_vcpu_t *vcpu, const vmm_pci_entry_t *function, int reg, size_t size)
{
    uint32_t value = 0;

    if (!function)
        return FAULT_UNHANDLED; /* all ones, which means to a guest that there is no device */
    if (reg < CONFIG_SIZE && function->ioread(function->cookie, reg, (int)size, &value))
        return FAULT_ERROR;
    set_vcpu_fault_data(vcpu, (uint64_t)value << 8 * (reg & 3));
    return FAULT_HANDLED;
}

static memory_fault_result_t store(vm_vcpu_t *vcpu, const vmm_pci_entry_t *function, int reg, size_t size)
{
    uint32_t value = (uint32_t)get_vcpu_fault_data(vcpu);

    if (function && reg < CONFIG_SIZE && function->iowrite(function->cookie, reg, (int)size, value))
        return FAULT_ERROR;
    return FAULT_HANDLED;
}

static memory_fault_result_t access(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t addr, size_t size, void *cookie)
{
    uintptr_t offset = addr - LAYOUT_ECAM;
    const vmm_pci_entry_t *function = addressed(cookie, offset, size);
    int reg = (int)(offset & 0xfff);

    (void)vm;
    advance_vcpu_fault(vcpu);
    return is_vcpu_read_fault(vcpu) ? load(vcpu, function, reg, size) : store(vcpu, function, reg, size);
}

int kvm_pci_attach(vm_t *vm, vmm_pci_space_t *pci)
{
    return vm_reserve_memory_at(vm, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, access, pci) ? 0 : -EEXIST;
}
