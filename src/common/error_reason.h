/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong, in words. */
#pragma once

#include <errno.h>
#include <string.h>

/** What an errno value means, with a remedy where there is a usual one: the end of a sentence. Inline: libsel4vm on KVM
 * has it, too. */
static inline const char *error_reason(int error)
{
    switch (error) {
    case EDQUOT:
    case ENOSPC:
        return "no space is left there; free some";
    case EFBIG:
        return "the file would exceed the limit for this process; raise it with `ulimit -f`";
    case EMFILE:
        return "this process has as many descriptors as it may; raise the limit with `ulimit -n`";
    case ENFILE:
        return "the system has as many open files as it may; raise the sysctl fs.file-max";
    case ENOMEM:
        return "the system has too little memory left; free some, or ask for less";
    default:
        return strerror(error);
    }
}

/** The same for what starts a thread or a process, where EAGAIN may be any of these shortages. */
static inline const char *start_error_reason(int error)
{
    return error == EAGAIN
               ? "there are as many threads and processes as may be, or too little memory is left; raise the "
                 "limit with `ulimit -u`, or free some"
               : error_reason(error);
}
