/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of a QEMU that runs, as its monitor tells of them.
 *
 * None of these commands makes QEMU load a module. qom-list-types loads all of them, and QEMUs of which a package was
 * upgraded under them abort over that, with the guest.
 *
 * Functions return -1 with qmp->error when QEMU does not answer as it should.
 */
#pragma once

#include <stdbool.h>

#include "qmp.h"

#define MACHINE_ID_BYTES 80

/** Whether QEMU has a device with an identifier, of a model or (NULL) any: 1, 0 or -1. */
int machine_has_device(struct qmp *qmp, const char *id, const char *model);

/** Whether the guest runs on KVM: 1, 0 or -1. */
int machine_has_kvm(struct qmp *qmp);

/**
 * Finds a PCIe port into which a device can be plugged: one that has an identifier, allows it, and is empty.
 *
 * @param port receives its identifier, which is the name of its bus, too
 * @return 1, 0 when there is none, or -1
 */
int machine_find_free_port(struct qmp *qmp, char port[MACHINE_ID_BYTES]);

/** Whether a driver of the guest has put a PCI device into service: 1, 0 or -1. */
int machine_device_is_enabled(struct qmp *qmp, const char *id);
