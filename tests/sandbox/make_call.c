/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make-call PID THREAD: lets a thread of a process open a file, as the code of an attacker would: at its next system
 * call it makes this one instead. THREAD is the thread's name; it has to be confined already, or this program waits
 * until it is. With a third argument, at-once, it does not wait; with another one, socket, the thread makes a socket of
 * IP, since some may open files.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
    (void)fprintf(stderr, "make-call: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* --- finding the thread --- */

static int has_name(const char *pid, const char *thread, const char *name)
{
    char path[300], text[32] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, thread);
    file = fopen(path, "r");
    if (!file)
        return 0;
    (void)!fgets(text, sizeof(text), file);
    (void)fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0;
}

/* 0: there is none. */
static pid_t find_thread(const char *pid, const char *name)
{
    const struct dirent *entry;
    char path[64];
    pid_t found = 0;
    DIR *folder;

    (void)snprintf(path, sizeof(path), "/proc/%s/task", pid);
    folder = opendir(path);
    while (folder && !found && (entry = readdir(folder))) {
        if (entry->d_name[0] != '.' && has_name(pid, entry->d_name, name))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    if (folder)
        (void)closedir(folder);
    return found;
}

/* Whether the kernel says that a thread has a filter (seccomp(2)). */
static int is_confined(const char *pid, pid_t thread)
{
    char path[64], line[128];
    int confined = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%s/task/%d/status", pid, (int)thread);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof(line), file))
        confined |= strcmp(line, "Seccomp:\t2\n") == 0;
    if (file)
        (void)fclose(file);
    return confined;
}

/* --- the call --- */

/* Lets a thread run to the beginning of a system call. */
static int stop_at_call(pid_t thread)
{
    struct __ptrace_syscall_info info;
    int status;

    if (ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, thread, 0, 0))
        return -1;
    for (;;) {
        long passed_on = 0;

        if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status))
            return -1;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0)
                return -1;
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
                return 0;
        } else if (status >> 16 == 0) {
            passed_on = WSTOPSIG(status);
        }
        if (ptrace(PTRACE_SYSCALL, thread, 0, passed_on))
            return -1;
    }
}

struct call {
    int number;
    unsigned long long arguments[4];
};

static const struct call opening = {SYS_openat,
                                    {(unsigned long long)AT_FDCWD, 0, O_WRONLY}}; /* of no path, which opens nothing */
static const struct call socket_making = {SYS_socket, {AF_INET, SOCK_STREAM}};

/* Makes the system call another one. */
static int change_call(pid_t thread, const struct call *call)
{
    struct user_regs_struct regs;
    struct iovec part = {&regs, sizeof(regs)};

    if (ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part))
        return -1;
#if defined(__x86_64__)
    regs.orig_rax = (unsigned long long)call->number;
    regs.rdi = call->arguments[0];
    regs.rsi = call->arguments[1];
    regs.rdx = call->arguments[2];
    regs.r10 = call->arguments[3];
#else
    struct iovec number = {(void *)&call->number, sizeof(call->number)};

    memcpy(regs.regs, call->arguments, sizeof(call->arguments));
    if (ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &number))
        return -1;
#endif
    return (int)ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part);
}

int main(int argc, char **argv)
{
    const char *way = argc > 3 ? argv[3] : "";
    int at_once = strcmp(way, "at-once") == 0, makes_socket = strcmp(way, "socket") == 0;
    pid_t thread;

    if (argc < 3 || argc > 4 || (argc == 4 && !at_once && !makes_socket)) {
        (void)fprintf(stderr, "usage: make-call PID THREAD [at-once | socket]\n");
        return EXIT_FAILURE;
    }
    while (!(thread = find_thread(argv[1], argv[2])) || (!at_once && !is_confined(argv[1], thread))) {
        if (kill((pid_t)strtol(argv[1], NULL, 10), 0))
            return fail("the process is gone");
        usleep(10000);
    }
    if (stop_at_call(thread))
        return fail("cannot stop it");
    if (change_call(thread, makes_socket ? &socket_making : &opening))
        return fail("cannot change its registers");
    return ptrace(PTRACE_DETACH, thread, 0, 0) ? fail("cannot let it go on") : EXIT_SUCCESS;
}
