/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel raises SIGSYS instead of making the call. The handler takes no lock, since the thread may be anywhere. An
 * attacker cannot get rid of it: no list has sigaction(), and the kernel ends a process that blocks the signal.
 */
#include "violation.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "../common/message.h"

/* Beyond all that Linux has on our architectures. */
#define MAX_CALLS 600
#define NAME_BYTES 32

static char names[MAX_CALLS][NAME_BYTES]; /* "": there is no such call */
static _Thread_local const char *thread_name = "of no name";

/* Where the signal is blocked, the kernel ends the process without a word. */
void violation_expect(const char *name)
{
    sigset_t set;

    thread_name = name;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* --- the message --- */

struct line {
    char text[512];
    size_t length;
};

static void put(struct line *line, const char *text)
{
    while (*text && line->length < sizeof(line->text))
        line->text[line->length++] = *text++;
}

static void put_number(struct line *line, unsigned int number)
{
    char digits[12] = "";
    size_t i = sizeof(digits) - 1;

    do
        digits[--i] = (char)('0' + number % 10);
    while (number /= 10);
    put(line, digits + i);
}

static void violated(int signal, siginfo_t *info, void *context)
{
    unsigned int call = (unsigned int)info->si_syscall;
    struct line line = {.length = 0};

    (void)signal;
    (void)context;
    put(&line, program_invocation_short_name);
    put(&line, ": the thread ");
    put(&line, thread_name);
    put(&line, " made the system call ");
    put(&line, call < MAX_CALLS && names[call][0] ? names[call] : "of number");
    put(&line, " (");
    put_number(&line, call);
    put(&line,
        "), which is not on its list: this process is attacked, or the list is wrong. It ends now. Please report "
        "it (SECURITY.md)\n");
    (void)!write(STDERR_FILENO, line.text, line.length);
    /* On no list either. In its own handler the signal is blocked: so this is the end, and the status says by what. */
    (void)syscall(SYS_execve, NULL, NULL, NULL);
    _exit(EXIT_FAILURE);
}

/* --- life --- */

static void learn_names(void)
{
    for (int call = 0; call < MAX_CALLS; call++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

        if (name && strlen(name) < NAME_BYTES)
            memcpy(names[call], name, strlen(name));
        free(name);
    }
}

int violation_prepare(void)
{
    struct sigaction action = {.sa_sigaction = violated, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    learn_names();
    if (sigaction(SIGSYS, &action, NULL) == 0)
        return 0;
    message("cannot watch for forbidden system calls: %s", error_reason(errno));
    return -1;
}
