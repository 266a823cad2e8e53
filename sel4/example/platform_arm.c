/* SPDX-License-Identifier: BSD-2-Clause */
#include "platform.h"

#include <sel4vmmplatsupport/ioports.h>
#include <utils/util.h>

#include <sel4vmmplatsupport/arch/vpci.h> /* uses ioports.h and does not include it */

/* libsel4vmmplatsupport's addresses for this platform, which are in the "ranges" of the node that it generates. */
const struct platform_window platform_window = {.base = PCI_MEM_REGION_ADDR, .size = PCI_MEM_REGION_SIZE};

/* Shared peripheral interrupts that no hardware raises for this guest. A PCI device can name numbers up to 255. */
#define FIRST_FREE_SPI 200
#define LAST_FREE_SPI 231

int platform_allocate_irq(void)
{
    static int next = FIRST_FREE_SPI;

    return next <= LAST_FREE_SPI ? next++ : -1;
}

int platform_show_pci(vm_t *vm, vmm_pci_space_t *pci)
{
    vmm_io_port_list_t *ports;

    /* The bridge has an I/O window although connections use none. */
    if (vmm_io_port_init(&ports, 0x1000)) {
        ZF_LOGE("cannot make the list of I/O ports: no memory");
        return -1;
    }
    return vm_install_vpci(vm, ports, pci);
}

int platform_describe_pci(vm_t *vm, vmm_pci_space_t *pci, void *fdt, int gic)
{
    /* The node's interrupt-map has the devices that exist now. */
    if (fdt_generate_vpci_node(vm, pci, fdt, gic)) {
        ZF_LOGE("cannot add PCI to the guest's device tree: has it room for a node?");
        return -1;
    }
    return 0;
}
