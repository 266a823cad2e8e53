/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_bus.h"

#include <stdlib.h>

#define NUM_DEVICES 32
#define NUM_FUNCTIONS 8
#define NUM_PINS 4
#define REG_HEADER_TYPE 0x0e
#define HEADER_MULTIFUNCTION 0x80

/* The connection that has that function, or NULL: the function is free, or another device's. */
static crossvm_connection_t *connection_at(const vmm_pci_space_t *pci, int device, int function)
{
    const vmm_pci_entry_t *entry = pci->bus0[device][function];

    return entry && cvmm_connection_owns_entry(entry) ? entry->cookie : NULL;
}

bool cvmm_pci_routes_functions(const vmm_pci_space_t *pci)
{
    const vmm_pci_entry_t *bridge = pci->bus0[0][0];
    uint32_t header_type = 0;

    return bridge && bridge->ioread(bridge->cookie, REG_HEADER_TYPE, 1, &header_type) == 0 &&
           header_type & HEADER_MULTIFUNCTION;
}

/* The device that vmm_pci_add_entry() takes next, or -1. */
static int next_free_device(const vmm_pci_space_t *pci)
{
    for (int device = 0; device < NUM_DEVICES; device++) {
        if (!pci->bus0[device][0])
            return device;
    }
    return -1;
}

/* The pin of the device that has this number, otherwise a pin without a number; 0: all pins have other numbers. */
static uint8_t find_pin(const vmm_pci_space_t *pci, int device, int irq)
{
    bool used[NUM_PINS + 1] = {false};

    for (int function = 0; function < NUM_FUNCTIONS; function++) {
        const crossvm_connection_t *c = connection_at(pci, device, function);
        uint8_t pin;

        if (!c)
            continue;
        pin = cvmm_config_space_irq_pin(&c->config);
        if (c->config.irq_line == irq)
            return pin;
        used[pin] = true;
    }
    for (uint8_t pin = 1; pin <= NUM_PINS; pin++) {
        if (!used[pin])
            return pin;
    }
    return 0;
}

static bool find_function(const vmm_pci_space_t *pci, int irq, vmm_pci_address_t *address, uint8_t *pin)
{
    for (int device = 0; device < NUM_DEVICES; device++) {
        if (!connection_at(pci, device, 0))
            continue;
        for (int function = 1; function < NUM_FUNCTIONS; function++) {
            if (pci->bus0[device][function])
                continue;
            *pin = find_pin(pci, device, irq);
            if (!*pin)
                break;
            *address = (vmm_pci_address_t){.bus = 0, .dev = (uint8_t)device, .fun = (uint8_t)function};
            return true;
        }
    }
    return false;
}

size_t cvmm_pci_room(const vmm_pci_space_t *pci)
{
    bool functions = cvmm_pci_routes_functions(pci);
    size_t room = 0;

    for (int device = 0; device < NUM_DEVICES; device++) {
        if (!pci->bus0[device][0])
            room += functions ? NUM_FUNCTIONS : 1;
        else if (functions && connection_at(pci, device, 0))
            for (int function = 1; function < NUM_FUNCTIONS; function++)
                room += !pci->bus0[device][function];
    }
    return room;
}

int cvmm_pci_enter(vmm_pci_space_t *pci, crossvm_connection_t *c, int irq, uint8_t *pin)
{
    vmm_pci_entry_t entry = cvmm_connection_pci_entry(c);
    vmm_pci_address_t address;
    int device = next_free_device(pci);

    /* A device without function 0 may have others, which had one before it was removed: their pins are taken. */
    *pin = device >= 0 ? find_pin(pci, device, irq) : 0;
    if (*pin) {
        if (vmm_pci_add_entry(pci, entry, &address))
            return -1;
    } else {
        vmm_pci_entry_t *slot;

        if (!cvmm_pci_routes_functions(pci) || !find_function(pci, irq, &address, pin))
            return -1;
        slot = calloc(1, sizeof(*slot));
        if (!slot)
            return -1;
        *slot = entry;
        pci->bus0[address.dev][address.fun] = slot;
    }
    c->pci = pci;
    c->pci_address = address;
    return 0;
}

void cvmm_pci_update(crossvm_connection_t *c)
{
    int device = c->pci_address.dev;
    int functions = 0;

    for (int function = 0; function < NUM_FUNCTIONS; function++)
        functions += connection_at(c->pci, device, function) != NULL;
    for (int function = 0; function < NUM_FUNCTIONS; function++) {
        crossvm_connection_t *sibling = connection_at(c->pci, device, function);

        if (sibling)
            cvmm_config_space_set_multifunction(&sibling->config, functions > 1);
    }
}

void cvmm_pci_leave(crossvm_connection_t *c)
{
    vmm_pci_entry_t **slot = &c->pci->bus0[c->pci_address.dev][c->pci_address.fun];

    free(*slot); /* allocated with calloc() by vmm_pci_add_entry() or here */
    *slot = NULL;
    cvmm_pci_update(c);
}
