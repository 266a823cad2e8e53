/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/message.h"
#include "violation.h"

#define HIGHEST_PRIORITY 255

/* More than a list takes, and less than what malloc() would not take from the heap. */
#define ROOM_BYTES ((size_t)96 << 10)

/* --- making --- */

static int add_rule(scmp_filter_ctx context, const struct filter_rule *rule)
{
    uint32_t action = rule->refused_error ? SCMP_ACT_ERRNO(rule->refused_error) : SCMP_ACT_ALLOW;
    int error;

    if (rule->call < 0)
        return 0;
    error = seccomp_rule_add_array(context, action, rule->call, rule->num_checks, &rule->check);
    return error == -EEXIST ? 0 : error; /* another list has it, too */
}

static int add_rules(scmp_filter_ctx context, const struct filter_list *list)
{
    int error = 0;

    for (size_t i = 0; i < list->num_rules && !error; i++)
        error = add_rule(context, &list->rules[i]);
    return error;
}

/* From the last to the first, since the last word about a call counts and its first rule decides. */
static int set_priorities(scmp_filter_ctx context, const struct filter_list *lists, size_t num_lists)
{
    size_t before = 0;
    int error = 0;

    for (size_t i = 0; i < num_lists; i++)
        before += lists[i].num_rules;
    for (size_t i = num_lists; i > 0; i--) {
        for (size_t j = lists[i - 1].num_rules; j > 0 && !error; j--) {
            const struct filter_rule *rule = &lists[i - 1].rules[j - 1];

            before--;
            if (rule->call >= 0 && before < HIGHEST_PRIORITY)
                error = seccomp_syscall_priority(context, rule->call, (uint8_t)(HIGHEST_PRIORITY - before));
        }
    }
    return error;
}

/* The library writes programs to files only. 0, or a negative errno value. */
static int take_program(struct filter *filter, scmp_filter_ctx context)
{
    int fd = memfd_create("filter", MFD_CLOEXEC), error;
    struct stat status;

    if (fd < 0)
        return -errno;
    error = seccomp_export_bpf(context, fd);
    if (!error && fstat(fd, &status))
        error = -errno;
    if (!error) {
        size_t bytes = (size_t)status.st_size;

        filter->program = malloc(bytes);
        errno = EIO; /* if it is shorter than it was */
        filter->num_instructions = bytes / sizeof(*filter->program);
        if (!filter->program)
            error = -ENOMEM;
        else if (pread(fd, filter->program, bytes, 0) != (ssize_t)bytes)
            error = -errno;
    }
    close(fd);
    return error;
}

/*
 * Room for all that libseccomp allocates. When one of its allocations fails, its releases 2.5 may leave a rule out, or
 * free something twice, and say nothing.
 */
static bool make_room(void)
{
    void *room = malloc(ROOM_BYTES);

    free(room);
    return room != NULL;
}

static const char *reason(int error)
{
    return error == EINVAL ? "this kernel refuses what libseccomp asks of it; --no-sandbox does without"
                           : error_reason(error);
}

static int fill(struct filter *filter, scmp_filter_ctx context, const struct filter_list *lists, size_t num_lists)
{
    /* A call by another architecture's numbers. */
    int error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

    if (!error)
        error = seccomp_attr_set(context, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own errors, not ECANCELED */
    for (size_t i = 0; i < num_lists && !error; i++)
        error = add_rules(context, &lists[i]);
    if (!error)
        error = set_priorities(context, lists, num_lists);
    return error ? error : take_program(filter, context);
}

int filter_make(struct filter *filter, const char *thread, const struct filter_list *lists, size_t num_lists)
{
    scmp_filter_ctx context = make_room() ? seccomp_init(SCMP_ACT_TRAP) : NULL;
    int error = context ? 0 : -ENOMEM;

    *filter = (struct filter){.thread = thread};
    if (context)
        error = fill(filter, context, lists, num_lists);
    seccomp_release(context);
    if (!error)
        return 0;
    message("cannot make the list of system calls of the thread %s: %s", thread, reason(-error));
    return -1;
}

void filter_free(struct filter *filter)
{
    free(filter->program);
    *filter = (struct filter){0};
}

/* --- entering --- */

int filter_enter(const struct filter *filter)
{
    struct sock_fprog program = {.len = (unsigned short)filter->num_instructions, .filter = filter->program};

    violation_expect(filter->thread);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0)
        return 0;
    message("cannot confine the thread %s: %s", filter->thread, error_reason(errno));
    return -1;
}
