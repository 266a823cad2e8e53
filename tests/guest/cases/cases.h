/* SPDX-License-Identifier: BSD-2-Clause */
/* The groups of cases, in the order in which they run. */
#pragma once

void pci_cases(void);          /* before any driver */
void register_cases(void);     /* before any driver */
void early_cases(void);        /* across the loading of the driver */
void driver_cases(void);       /* the driver's own behaviour */
void event_cases(void);        /* rounds with asynchronous peers */
void hibernation_cases(void);  /* the driver, when the guest hibernates */
void other_driver_cases(void); /* uio_pci_generic, a driver of the base block */
void hotplug_cases(void);      /* removal and installation while the guest runs */
void many_cases(void);         /* a hundred connections */
void pair_cases(void);         /* one of two VMs in a VMM */
