/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a server cannot be reached: the NATS library tells only that none can. */
#pragma once

#include <stdint.h>

/**
 * Tries to reach a server, for at most two seconds an address.
 *
 * @param url  nats://HOST[:PORT] or tls://HOST[:PORT]
 * @param port its port
 * @return why it cannot be reached; NULL: it can
 */
const char *reach_reason(const char *url, uint16_t port);
