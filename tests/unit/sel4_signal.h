/* SPDX-License-Identifier: BSD-2-Clause */
/* What an example signals with on seL4, which libsel4vm on KVM does not need; the test has it. */
#pragma once

#include <sel4/sel4.h>

void seL4_Signal(seL4_CPtr notification);
