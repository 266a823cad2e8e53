/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_intx.h"

#include <string.h>

#include <pci/helper.h>

#include "irq_input.h"

#define NUM_FUNCTIONS 8

static uint8_t config_byte(const vmm_pci_entry_t *function, int offset)
{
    uint32_t value = 0;

    return function->ioread(function->cookie, offset, 1, &value) ? 0 : (uint8_t)value;
}

/* A device's pin goes to one input only. If its functions disagree, the first one that uses the pin decides. */
void kvm_pci_intx_collect(vmm_pci_space_t *pci, struct kvm_pci_intx *intx)
{
    memset(intx, 0, sizeof(*intx));
    for (uint8_t dev = 0; dev < KVM_PCI_DEVICES; dev++) {
        for (uint8_t fun = 0; fun < NUM_FUNCTIONS; fun++) {
            const vmm_pci_entry_t *function = find_device(pci, (vmm_pci_address_t){.dev = dev, .fun = fun});
            uint8_t pin = function ? config_byte(function, PCI_INTERRUPT_PIN) : 0;
            uint8_t line;

            if (pin < 1 || pin > KVM_PCI_PINS)
                continue;
            line = config_byte(function, PCI_INTERRUPT_LINE);
            if (kvm_irq_input_valid(line) && !intx->line[dev][pin - 1])
                intx->line[dev][pin - 1] = line;
        }
    }
}
