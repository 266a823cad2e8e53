/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2). */
#include <errno.h>
#include <string.h>

#include <sel4vmmplatsupport/arch/drivers/vmm_pci_helper.h>
#include <utils/util.h>

#include <sel4vm_kvm.h>

#define ENABLE BIT(31)
#define ADDRESS_WRITABLE 0x80fffffcu

/* The function and register of an access to the data port. NULL: there is none. */
static vmm_pci_entry_t *addressed(vmm_pci_space_t *pci, unsigned int port, int *offset)
{
    vmm_pci_address_t address;
    uint8_t reg;

    if (!(pci->conf_port_addr & ENABLE))
        return NULL;
    make_addr_reg_from_config(pci->conf_port_addr, &address, &reg);
    *offset = (reg & ~3) + (int)(port - PCI_CONF_PORT_DATA);
    return find_device(pci, address);
}

static bool is_address_port(unsigned int port, unsigned int size)
{
    return port >= PCI_CONF_PORT_ADDR && port + size <= PCI_CONF_PORT_ADDR_END;
}

static bool is_data_port(unsigned int port, unsigned int size)
{
    return port >= PCI_CONF_PORT_DATA && port + size <= PCI_CONF_PORT_DATA_END;
}

ioport_fault_result_t vmm_pci_io_port_in(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                         unsigned int *result)
{
    vmm_pci_space_t *pci = cookie;
    const vmm_pci_entry_t *function;
    int offset;

    (void)vcpu;
    if (is_address_port(port_no, size)) {
        *result = 0;
        memcpy(result, (const uint8_t *)&pci->conf_port_addr + (port_no - PCI_CONF_PORT_ADDR), size);
        return IO_FAULT_HANDLED;
    }
    function = is_data_port(port_no, size) ? addressed(pci, port_no, &offset) : NULL;
    *result = UINT32_MAX; /* which means to a guest that there is no device */
    if (!function)
        return IO_FAULT_HANDLED;
    return function->ioread(function->cookie, offset, (int)size, result) ? IO_FAULT_ERROR : IO_FAULT_HANDLED;
}

ioport_fault_result_t vmm_pci_io_port_out(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                          unsigned int value)
{
    vmm_pci_space_t *pci = cookie;
    const vmm_pci_entry_t *function;
    int offset;

    (void)vcpu;
    if (is_address_port(port_no, size)) {
        /* Stores of other widths are not for PCI. */
        if (size == sizeof(uint32_t))
            pci->conf_port_addr = value & ADDRESS_WRITABLE;
        return IO_FAULT_HANDLED;
    }
    function = is_data_port(port_no, size) ? addressed(pci, port_no, &offset) : NULL;
    if (!function)
        return IO_FAULT_HANDLED;
    return function->iowrite(function->cookie, offset, (int)size, value) ? IO_FAULT_ERROR : IO_FAULT_HANDLED;
}

int kvm_pci_attach(vm_t *vm, vmm_pci_space_t *pci)
{
    vm_ioport_range_t range = {.start = PCI_CONF_PORT_ADDR, .end = PCI_CONF_PORT_DATA_END - 1};
    vm_ioport_interface_t interface = {
        .cookie = pci,
        .port_in = vmm_pci_io_port_in,
        .port_out = vmm_pci_io_port_out,
        .desc = "PCI configuration",
    };

    return vm_io_port_add_handler(vm, range, interface) ? -EEXIST : 0;
}
