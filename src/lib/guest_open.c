/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the end of a device: maps registers and dataports, and finds out where the events of this end start. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/error_reason.h"
#include "error.h"
#include "guest_device.h"
#include "guest_end.h"

void cvm_guest_release(struct guest_end *guest)
{
    cvm_intx_close(&guest->intx);
    cvm_unmap_dataports(&guest->end);
    cvm_registers_unmap(&guest->page);
    if (guest->end.fd >= 0)
        close(guest->end.fd);
    free(guest);
}

static int open_node(struct guest_end *guest)
{
    const struct uio_device *device = &guest->device;

    guest->end.fd = descriptor_open(device->node, O_RDWR);
    if (guest->end.fd >= 0)
        return 0;
    switch (errno) {
    case EACCES:
    case EPERM:
        return cvm_fail(errno, "no permission to open %s of connection \"%s\": be root, or of the group that owns it",
                        device->node, guest->end.name);
    case ENOENT:
        return cvm_fail(ENODEV, "connection \"%s\" has no device node %s: let udev or mdev make it", guest->end.name,
                        device->node);
    default:
        return cvm_fail(errno, "cannot open %s of connection \"%s\": %s", device->node, guest->end.name,
                        error_reason(errno));
    }
}

static int map_registers(struct guest_end *guest)
{
    int error = cvm_registers_map(&guest->page, &guest->device, guest->end.fd, PROT_READ | PROT_WRITE);

    if (error == -EACCES || error == -EPERM)
        return cvm_fail(-error,
                        "no permission to map the registers of PCI device %s: with driver %s, this needs root and a "
                        "kernel that is not locked down",
                        guest->device.pci_address, guest->device.driver);
    if (error == -ENXIO)
        return cvm_fail(ENXIO,
                        "the device of connection \"%s\" (%s) is gone, since the hub on the host has ended: start that "
                        "again, and take the connection out and in with `crossvm detach` and `crossvm attach`",
                        guest->end.name, guest->device.pci_address);
    if (error)
        return cvm_fail(-error, "cannot map the registers of PCI device %s (driver %s): %s", guest->device.pci_address,
                        guest->device.driver, error_reason(-error));
    if (guest->generic && !guest->page.extended)
        return cvm_fail(
            EPROTO,
            "PCI device %s has the base block of registers only, which uio_pci_generic cannot serve: load the "
            "crossvm driver",
            guest->device.pci_address);
    return 0;
}

/* Maps the next dataport from a BAR or UIO map. */
static int map_dataport(struct guest_end *guest, unsigned int bar, uint64_t size, uint32_t rights)
{
    size_t i = guest->end.num_dataports;
    crossvm_dataport_t *region = &guest->end.dataports[i];
    int prot = rights & CROSSVM_RIGHT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
    size_t offered = cvm_uio_bar_size(&guest->device, bar);
    int error;

    if (size == 0 || size % CROSSVM_PAGE_SIZE || size > offered || !(rights & CROSSVM_RIGHT_READ))
        return cvm_fail(EPROTO,
                        "dataport %zu of connection \"%s\" claims %llu bytes and rights %#x, but driver %s maps %zu "
                        "bytes: the VMM or the driver is broken",
                        i, guest->end.name, (unsigned long long)size, rights, guest->device.driver, offered);
    error = cvm_uio_map(&guest->device, guest->end.fd, bar, size, prot, &region->address);
    if (error)
        return cvm_fail(-error, "cannot map dataport %zu of connection \"%s\": %s", i, guest->end.name,
                        error_reason(-error));
    region->size = size;
    region->rights = rights & (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
    guest->end.num_dataports++;
    return 0;
}

static int map_described_dataports(struct guest_end *guest, const struct device_description *description)
{
    for (size_t i = 0; i < description->num_dataports; i++) {
        /* Drivers number their maps by dataport. Resource files, used instead with uio_pci_generic, are numbered by
         * BAR. */
        unsigned int bar = guest->generic ? description->dataports[i].bar : (unsigned int)(CROSSVM_BAR_DATAPORT + i);
        int error = map_dataport(guest, bar, description->dataports[i].size, description->dataports[i].rights);

        if (error)
            return error;
    }
    return 0;
}

/* Base block: each further BAR is a dataport. */
static int map_all_bars(struct guest_end *guest)
{
    for (unsigned int bar = CROSSVM_BAR_DATAPORT; bar < CROSSVM_BAR_DATAPORT + CROSSVM_MAX_DATAPORTS; bar++) {
        size_t size = cvm_uio_bar_size(&guest->device, bar);
        int error;

        if (!size)
            break;
        error = map_dataport(guest, bar, size, CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
        if (error)
            return error;
    }
    return 0;
}

/*
 * Other drivers of the base block clear the count at an interrupt. Events from before the driver was there had no
 * interrupt, so the first wait returns them. If the interrupt of a counted event is under way, it finds the count
 * cleared and is not passed on: the first wait returns that event, too. The crossvm driver does all this itself.
 */
static void claim_count(struct guest_end *guest)
{
    guest->unclaimed = registers_load32(&guest->page, CROSSVM_REG_COUNT);
    if (guest->unclaimed)
        registers_store32(&guest->page, CROSSVM_REG_COUNT, 0);
}

/*
 * Becomes the driver of the device. Unmasking comes last: then a pending event interrupts, and crossvm_fd() polls
 * readable. The device may be masked because an earlier program ended between the interrupt and rearm().
 */
static int become_driver(struct guest_end *guest)
{
    int error = cvm_intx_open(&guest->intx, &guest->device);

    if (error)
        return cvm_fail(-error, "cannot access the configuration space of PCI device %s: %s; this needs root",
                        guest->device.pci_address, error_reason(-error));
    registers_store32(&guest->page, guest->page.driver, CROSSVM_DRIVER_OPEN);
    error = cvm_intx_unmask(&guest->intx);
    if (error) {
        registers_store32(&guest->page, guest->page.driver, CROSSVM_DRIVER_NONE);
        return cvm_fail(-error, "cannot enable the interrupt of PCI device %s: %s", guest->device.pci_address,
                        error_reason(-error));
    }
    return 0;
}

/*
 * Whether the crossvm driver let go of the device while it was opened: what was read of it may be zeros, and its maps
 * may be missing. Other drivers need not have an interrupt, and then this would not tell.
 */
static bool was_removed(const struct guest_end *guest)
{
    struct pollfd device = {.fd = guest->end.fd};

    return cvm_uio_is_own(&guest->device) && guest->end.fd >= 0 && poll(&device, 1, 0) > 0 && device.revents & POLLERR;
}

int cvm_guest_open(struct crossvm_end **end, const struct uio_device *device)
{
    struct device_description description;
    struct guest_end *guest = calloc(1, sizeof(*guest));
    int error;

    if (!guest)
        return cvm_fail(ENOMEM, "no memory to open %s", device->node);
    guest->device = *device;
    guest->generic = cvm_uio_is_generic(device);
    guest->end.fd = -1;
    guest->intx.config = -1;
    cvm_guest_name(device, NULL, guest->end.name); /* for sentences, until the registers are read */

    error = open_node(guest);
    if (error)
        goto cleanup;
    error = map_registers(guest);
    if (error)
        goto cleanup;
    error = cvm_registers_describe(&guest->page, &description);
    if (error) {
        cvm_fail(-error, "PCI device %s claims more than %d dataports: its VMM is broken", device->pci_address,
                 CROSSVM_MAX_DATAPORTS);
        goto cleanup;
    }
    cvm_guest_name(device, &description, guest->end.name);

    guest->end.in_guest = true;
    if (guest->page.extended) {
        guest->end.ops = &cvm_guest_extended_ops;
        guest->end.number = description.end;
        error = map_described_dataports(guest, &description);
        cvm_guest_start(guest);
    } else {
        guest->end.ops = &cvm_guest_base_ops;
        error = map_all_bars(guest);
    }
    if (!error && guest->generic)
        error = become_driver(guest);
    if (!error && was_removed(guest))
        error = -ENODEV; /* with a sentence below */
    if (error)
        goto cleanup;
    if (!guest->page.extended && !cvm_uio_is_own(device))
        claim_count(guest);
    *end = &guest->end;
    return 0;

cleanup:
    if (was_removed(guest))
        error = cvm_fail(ENODEV, "the device of connection \"%s\" (%s) was removed; open it again when it is back",
                         guest->end.name, device->pci_address);
    cvm_guest_release(guest);
    return error;
}
