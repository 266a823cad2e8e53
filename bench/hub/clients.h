/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of a connection of the hub: a VMM that speaks vfio-user, whose guest uses MSI, and a program. */
#pragma once

#include <crossvm/crossvm.h>

struct client {
    crossvm_end_t *program;
    int vmm; /**< its socket */
    int msi; /**< eventfd of the guest's interrupt */
};

/** Takes both ends. Ends the process with a message when that fails, as all functions here do. */
void client_open(struct client *client, const char *dir, const char *name);
void client_close(struct client *client);

/** The program emits, and the guest is interrupted. */
void client_event_to_guest(struct client *client);

/** The guest emits, and the program is woken. */
void client_event_from_guest(struct client *client);
