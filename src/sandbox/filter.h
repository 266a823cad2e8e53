/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters of system calls (seccomp): lists of the calls that a kind of thread makes. Any other call ends the process
 * with SIGSYS, after a message that names the call (violation.h).
 */
#pragma once

#include <fcntl.h>
#include <stddef.h>

#include <seccomp.h>

/** A call that is allowed, if its argument is as the check says. */
struct filter_rule {
    int call;                     /**< SCMP_SYS(name); negative: this architecture has no such call */
    unsigned int num_checks;      /**< 0 or 1 */
    struct scmp_arg_cmp check;    /**< of an argument */
    unsigned short refused_error; /**< not 0: the call is not allowed, but fails with this errno value */
};

#define FILTER_CALL(name)                                                                                              \
    {                                                                                                                  \
        .call = SCMP_SYS(name)                                                                                         \
    }

/** ... with this value of an argument (0 to 5) only. */
#define FILTER_CALL_WITH(name, argument, value)                                                                        \
    {                                                                                                                  \
        .call = SCMP_SYS(name), .num_checks = 1, .check = {(argument), SCMP_CMP_EQ, (value), 0 }                       \
    }

/** ... with these values of some bits of an argument only. */
#define FILTER_CALL_WITH_BITS(name, argument, mask, value)                                                             \
    {                                                                                                                  \
        .call = SCMP_SYS(name), .num_checks = 1, .check = {(argument), SCMP_CMP_MASKED_EQ, (mask), (value) }           \
    }

/** openat() of what is there, for reading: without a flag that makes a file, or empties one. */
#define FILTER_OPEN_TO_READ FILTER_CALL_WITH_BITS(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)

/** A call that fails as it would in an older kernel. */
#define FILTER_REFUSE(name, error)                                                                                     \
    {                                                                                                                  \
        .call = SCMP_SYS(name), .refused_error = (error)                                                               \
    }

struct filter_list {
    const struct filter_rule *rules;
    size_t num_rules;
};

#define FILTER_LIST(array)                                                                                             \
    {                                                                                                                  \
        .rules = (array), .num_rules = sizeof(array) / sizeof((array)[0])                                              \
    }

/** A filter that can be entered. */
struct filter {
    const char *thread;          /**< what the thread is called in a message */
    struct sock_filter *program; /**< for the kernel */
    size_t num_instructions;
};

/**
 * Makes a filter of lists.
 *
 * The kernel looks for calls in the order of the lists, so those of the hot path come first. Since Linux 5.11 it
 * remembers which calls are allowed whatever their arguments, and runs no filter for them.
 *
 * @param thread what threads with it are called; the string has to outlive them
 * @return 0, or -1 after a message. filter_free() frees it, also after a failure.
 */
int filter_make(struct filter *filter, const char *thread, const struct filter_list *lists, size_t num_lists);

void filter_free(struct filter *filter);

/**
 * Applies a filter to the calling thread, and to all that it will start. That cannot be undone.
 *
 * A thread that has two filters runs both at each system call. So a thread starts those that have filters of their own
 * before it enters its own.
 *
 * lock_down() comes first.
 *
 * @return 0, or -1 after a message if the kernel refuses the filter: the caller must end the process
 */
int filter_enter(const struct filter *filter) __attribute__((warn_unused_result));
