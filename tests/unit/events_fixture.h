/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of events share: connections that record what their guest does. The VM's interrupt controller drops an
 * injection while the interrupt is pending, as libsel4vm's does on Arm.
 */
#pragma once

#include "fixture.h"

#define IRQ FIRST_IRQ

/** What connections have recorded: emits, and what the driver said last. */
extern int emitted;
extern uint32_t driver_state;
extern int driver_changes;

/** What emits are answered with from now on. install() makes it 0. */
extern int emit_result;

/** An emit() that counts in the int that its cookie is. */
int count_emit(void *cookie);

/** Installs a connection without a dataport, and one whose driver compares sequences. */
crossvm_connection_t *install(struct fixture *fixture, const char *name);
crossvm_connection_t *install_bound(struct fixture *fixture, const char *name);

/** The interrupt IRQ, and the guest's end of it. */
bool pending(struct fixture *fixture);
void eoi(struct fixture *fixture);

/** The guest enables MSI instead. */
void enable_msi(struct fixture *fixture, const crossvm_connection_t *c);

/** How many the VM has got. */
uint64_t msis(struct fixture *fixture);
