/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI space that a guest sees: sel4vmmplatsupport/drivers/pci.h. */
#include <sel4vmmplatsupport/drivers/pci.h>

#include <stdlib.h>

#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "pci_layers.h"
#include "resource.h"

#define NUM_DEVICES 32
#define NUM_FUNCTIONS 8
#define HEADER_MULTI_FUNCTION 0x80 /* libpci has no name for it */

int vmm_pci_init(vmm_pci_space_t **space)
{
    vmm_pci_space_t *pci = kvm_alloc(1, sizeof(*pci));
    vmm_pci_device_def_t *bridge = kvm_alloc(1, sizeof(*bridge));
    vmm_pci_entry_t entry = {
        .cookie = bridge, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_entry_ignore_write};

    if (!pci || !bridge) {
        ZF_LOGE("no memory for a PCI space");
        goto fail;
    }
    define_pci_host_bridge(bridge);
    /* Tells VMM code that this space routes accesses to functions 1 to 7. */
    bridge->header_type |= HEADER_MULTI_FUNCTION;
    if (vmm_pci_add_entry(pci, entry, NULL))
        goto fail;
    *space = pci;
    return 0;

fail:
    free(bridge);
    free(pci);
    return -1;
}

void kvm_pci_free(vmm_pci_space_t *pci)
{
    if (!pci)
        return;
    if (pci->bus0[0][0])
        free(pci->bus0[0][0]->cookie); /* the bridge of vmm_pci_init() */
    for (size_t dev = 0; dev < NUM_DEVICES; dev++) {
        for (size_t fun = 0; fun < NUM_FUNCTIONS; fun++) {
            if (!pci->bus0[dev][fun])
                continue;
            kvm_pci_layers_free(*pci->bus0[dev][fun]);
            free(pci->bus0[dev][fun]);
        }
    }
    free(pci);
}

int vmm_pci_add_entry(vmm_pci_space_t *space, vmm_pci_entry_t entry, vmm_pci_address_t *addr)
{
    size_t dev = 0;

    while (dev < NUM_DEVICES && space->bus0[dev][0])
        dev++;
    if (dev == NUM_DEVICES) {
        ZF_LOGE("the PCI bus is full: its %d devices are taken", NUM_DEVICES);
        return -1;
    }
    space->bus0[dev][0] = kvm_alloc(1, sizeof(entry));
    if (!space->bus0[dev][0]) {
        ZF_LOGE("no memory for a PCI device");
        return -1;
    }
    *space->bus0[dev][0] = entry;
    if (addr)
        *addr = (vmm_pci_address_t){.dev = (uint8_t)dev};
    return 0;
}

/* 31 enable | 23..16 bus | 15..11 device | 10..8 function | 7..0 register */
void make_addr_reg_from_config(uint32_t conf, vmm_pci_address_t *addr, uint8_t *reg)
{
    addr->bus = conf >> 16 & 0xff;
    addr->dev = conf >> 11 & 0x1f;
    addr->fun = conf >> 8 & 0x7;
    *reg = conf & 0xff;
}

vmm_pci_entry_t *find_device(vmm_pci_space_t *self, vmm_pci_address_t addr)
{
    if (addr.bus != 0 || addr.dev >= NUM_DEVICES || addr.fun >= NUM_FUNCTIONS)
        return NULL;
    return self->bus0[addr.dev][addr.fun];
}
