/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether who is at the other side of a socket is gone. */
#pragma once

#include <poll.h>
#include <stdbool.h>

/** Also while something is unread, on either side. Never waits. */
static inline bool has_hung_up(int socket)
{
    struct pollfd other = {.fd = socket, .events = POLLRDHUP};

    return poll(&other, 1, 0) > 0;
}
