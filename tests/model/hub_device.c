/* SPDX-License-Identifier: BSD-2-Clause */
/* The hub's device: what it does when it looks and is woken is private to this file. */
#include "../../src/hub/pci_device.c" /* NOLINT(bugprone-suspicious-include) */

#include "events.h"

void hub_device_make(struct pci_device *device, struct hub_end *end, uint8_t *bar0, int irq)
{
    static const struct config_space_bar none[CONFIG_SPACE_BARS];
    const struct event_page_identity identity = {.name = "model", .features = CROSSVM_FEATURE_OWN_PAGE};

    device->end = end;
    device->bar0_memory = bar0;
    device->has_cpus = true; /* so it looks, and AWAKE spares the guest its doorbell */
    device->look.again = look_again;
    device->occupant.woken = woken;
    end->occupant = &device->occupant;
    cvmm_event_page_init(&device->page, device->registers, &identity);
    cvmm_config_space_init_movable(&device->config, none);
    cvmm_config_space_write(&device->config, 4, 2, 4); /* bus master */
    pci_interrupts_init(&device->interrupts, NULL, &device->config, &device->page);
    device->interrupts.eventfds[PCI_MSI] = irq;
}

void hub_device_wake(struct pci_device *device)
{
    device->occupant.woken(&device->occupant);
}

void hub_device_doorbell(struct pci_device *device)
{
    static const uint8_t one[4] = {1};

    pci_device_store(device, CROSSVM_BAR_EVENT, CROSSVM_REG_DOORBELL, one, sizeof(one));
}
