/* SPDX-License-Identifier: BSD-2-Clause */
/* The first bytes of the dataports of "echo" and "base". */
#pragma once

#include <stdint.h>

struct shared {
    uint32_t number;
    uint32_t peer_state;
    uint32_t peer_generation;
};
