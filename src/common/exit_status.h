/* SPDX-License-Identifier: BSD-2-Clause */
/* How the commands of `crossvm` end. */
#pragma once

enum {
    STATUS_OK = 0,
    STATUS_TIMEOUT = 1, /* no error, but not all that was waited for */
    STATUS_ERROR = 2,   /* usage errors, too */
};
