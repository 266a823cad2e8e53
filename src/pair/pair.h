/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection between two programs of this machine, without a VM. Both ends are sockets that speak src/wire/wire.h,
 * and each program finds in the other what it would find in a guest. This process hands out memory and doorbells once;
 * after that it only tells each end whether a program is at the other.
 */
#pragma once

#include <stddef.h>

#include "../common/dataport_spec.h"

struct pair_options {
    const char *name; /**< the ends are called NAME.0 and NAME.1 */
    const char *dir;  /**< of the sockets */
    struct dataport_spec dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
};

struct pair;

/** Makes the memory and listens at both sockets. NULL after a message. */
struct pair *pair_create(const struct pair_options *options);

/**
 * Serves both ends until a descriptor polls readable.
 *
 * @return 0, or -1 after a message
 */
int pair_serve(struct pair *pair, int stop);

/** Removes the sockets. NULL is allowed. */
void pair_destroy(struct pair *pair);
