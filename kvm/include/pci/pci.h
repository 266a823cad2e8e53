/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of PCI configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2). */
#pragma once

#include <platsupport/io.h>

#define PCI_CONF_PORT_ADDR 0x0cf8
#define PCI_CONF_PORT_ADDR_END (PCI_CONF_PORT_ADDR + 4)
#define PCI_CONF_PORT_DATA 0x0cfc
#define PCI_CONF_PORT_DATA_END (PCI_CONF_PORT_DATA + 4)
