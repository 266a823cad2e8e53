/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform.h"

#include <pci/pci.h>
#include <sel4vm/arch/ioports.h>
#include <sel4vmmplatsupport/arch/drivers/vmm_pci_helper.h>
#include <utils/util.h>

/* Above the guest's RAM and below the interrupt controllers. No other BAR may be there. */
const struct platform_window platform_window = {.base = 0xa0000000, .size = 0x10000000};

int platform_allocate_irq(void)
{
    /* Inputs of the two 8259s that this VMM gives to no other device. */
    static const int free_irqs[] = {5, 10, 11, 12};
    static size_t next;

    return next < ARRAY_SIZE(free_irqs) ? free_irqs[next++] : -1;
}

int platform_show_pci(vm_t *vm, vmm_pci_space_t *pci)
{
    vm_ioport_range_t ports = {.start = PCI_CONF_PORT_ADDR, .end = PCI_CONF_PORT_DATA_END - 1};
    vm_ioport_interface_t interface = {
        .cookie = pci,
        .port_in = vmm_pci_io_port_in,
        .port_out = vmm_pci_io_port_out,
        .desc = "PCI configuration",
    };

    return vm_io_port_add_handler(vm, ports, interface);
}

int platform_describe_pci(vm_t *vm, vmm_pci_space_t *pci, void *fdt, int gic)
{
    /* The guest finds the devices by itself, and their interrupts in the interrupt line registers. */
    (void)vm;
    (void)pci;
    (void)fdt;
    (void)gic;
    return 0;
}
