/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits of a VM that crossvm-vm runs. */
#pragma once

#include <stdint.h>

#define VM_MAX_MEMORY ((uint64_t)2 << 30) /* bytes of RAM, which end below the BARs */
#define VM_MAX_VCPUS 8
#define VM_MAX_COMMAND_LINE 2024 /* bytes, without what crossvm-vm adds */
#define VM_BAR_BYTES 0x30000000  /* guest physical addresses for the BARs of all connections */
