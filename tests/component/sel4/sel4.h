/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What components use of seL4, for a process on Linux: a capability to signal is the number of an open end, and the one
 * notification that there is has a bit for each end.
 */
#pragma once

#include <stdint.h>

typedef uintptr_t seL4_CPtr;
typedef uintptr_t seL4_Word;

#define seL4_PageBits 12

void seL4_Wait(seL4_CPtr notification, seL4_Word *badge);
void seL4_Signal(seL4_CPtr notification);
