/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of a PCI device whose VMM hears of them by eventfds, as with Linux's VFIO (docs/device.md, section 6.2):
 * one MSI, and INTx, which masks itself when it is raised.
 */
#pragma once

#include <stdbool.h>

#include "../vmm/config_space.h"
#include "../vmm/event_page.h"
#include "loop.h"

enum pci_irq { PCI_INTX, PCI_MSI, PCI_IRQS };

struct pci_interrupts {
    struct hub_loop *loop;
    struct config_space *config;
    const struct event_page *page;
    int eventfds[PCI_IRQS];   /**< the VMM's; -1: it wants no such interrupt */
    struct hub_source unmask; /**< the VMM's eventfd that unmasks INTx; fd -1: it does so by itself */
    bool masked;              /**< INTx was raised, and the guest has not ended it */
    bool again;               /**< it has to be raised again then */
    unsigned int unanswered;  /**< interrupts in a row that nobody seems to handle */
};

/** No interrupt is wanted yet. The device's own parts must outlive this. */
void pci_interrupts_init(struct pci_interrupts *interrupts, struct hub_loop *loop, struct config_space *config,
                         const struct event_page *page);

/** Power-on, or a reset of the guest: what was raised is forgotten. */
void pci_interrupts_reset(struct pci_interrupts *interrupts);

/** There is news for the guest: interrupts it in the way that it chose. */
void pci_interrupts_raise(struct pci_interrupts *interrupts);

/** INTx is a level: raises the line if the pending bit is set, and there is no MSI. */
void pci_interrupts_show_pending(struct pci_interrupts *interrupts);

/** The guest did what shows a driver at work: it gets the interrupts that were held back. */
void pci_interrupts_sign_of_life(struct pci_interrupts *interrupts);

static inline bool pci_interrupts_use_msi(const struct pci_interrupts *interrupts)
{
    return interrupts->eventfds[PCI_MSI] >= 0;
}

/** Sets with what the VMM wants to hear of an interrupt: an eventfd, which becomes this structure's, or -1. */
void pci_interrupts_set(struct pci_interrupts *interrupts, enum pci_irq irq, int eventfd);

/** The VMM masks INTx, or lets it be raised again. */
void pci_interrupts_mask(struct pci_interrupts *interrupts, bool masked);

/**
 * Lets each signal of an eventfd unmask INTx, instead of those of an earlier one, until the VMM wants no INTx.
 *
 * @param eventfd becomes this structure's; -1: none
 * @return 0, or a positive errno value for what cannot be waited for
 */
int pci_interrupts_set_unmask(struct pci_interrupts *interrupts, int eventfd);

/** Raises an interrupt of which there is no cause. */
void pci_interrupts_trigger(const struct pci_interrupts *interrupts, enum pci_irq irq);
