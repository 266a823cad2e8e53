/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the other side of a socket has closed it. */
#pragma once

#include <poll.h>
#include <stdbool.h>

/** Sees a close even while data is unread on either side. Never waits. */
static inline bool has_hung_up(int socket)
{
    struct pollfd other = {.fd = socket, .events = POLLRDHUP};

    return poll(&other, 1, 0) > 0;
}
