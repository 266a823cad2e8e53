/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "../harness/case.h"

#define MAX_THREADS 16

struct thread {
    pid_t id;
    unsigned int calls; /* of its start */
    bool started;       /* its start is over */
    bool failing;       /* it is in the call that fails */
};

static struct {
    struct thread threads[MAX_THREADS];
    unsigned int num_threads;
    bool in_main;  /* what the C library does before main() is over */
    bool runs;     /* a vCPU runs */
    int output[2]; /* pipes */
    int errors[2];
} state;

/* --- what belongs to a start --- */

/* Calls that the system does not refuse for want of something, that give something back, or whose failure the C library
 * takes for an error in the program. */
static bool is_left_out(long call)
{
    static const long left_out[] = {SYS_brk,
                                    SYS_close,
                                    SYS_munmap,
                                    SYS_madvise,
                                    SYS_exit,
                                    SYS_exit_group,
                                    SYS_getpid,
                                    SYS_gettid,
                                    SYS_getuid,
                                    SYS_geteuid,
                                    SYS_rt_sigaction,
                                    SYS_rt_sigprocmask,
                                    SYS_rt_sigreturn,
                                    SYS_prlimit64,
                                    SYS_tgkill,
                                    SYS_futex,
                                    SYS_set_robust_list,
                                    SYS_rseq,
                                    SYS_getppid,
                                    SYS_clock_gettime,
                                    SYS_restart_syscall,
                                    SYS_write,
                                    SYS_writev};

    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        if (left_out[i] == call)
            return true;
    }
    return false;
}

/* The start of a thread is over when it waits for what comes; that of a vCPU with its first run. */
static bool waits(const struct __ptrace_syscall_info *info)
{
    switch ((long)info->entry.nr) {
#ifdef SYS_poll
    case SYS_poll:
    case SYS_epoll_wait:
#endif
    case SYS_ppoll:
    case SYS_epoll_pwait:
        return true;
    default:
        return false;
    }
}

/* Notes a call, if it is one of the start. Its number then, or -1. */
static int note(struct tracee *tracee, struct thread *thread, const struct __ptrace_syscall_info *info)
{
    bool is_main = thread == state.threads;
    bool is_run = info->entry.nr == SYS_ioctl && info->entry.args[1] == KVM_RUN;
    int number = -1;

    /* main() begins with the standard streams. */
    if (info->entry.nr == SYS_fcntl && info->entry.args[0] == 0 && info->entry.args[1] == F_GETFD)
        state.in_main = true;
    if (!state.in_main || thread->started || (is_main && state.runs) || is_left_out((long)info->entry.nr))
        return -1;
    if (is_main || !waits(info)) {
        CHECK(tracee->num_calls < TRACEE_CALLS, "it makes too many calls");
        number = (int)thread->calls++;
        tracee->calls[tracee->num_calls++] = (struct tracee_call){
            .thread = (unsigned int)(thread - state.threads),
            .number = (unsigned int)number,
            .call = (long)info->entry.nr,
            .request = info->entry.args[1],
        };
    }
    thread->started = !is_main && (is_run || waits(info));
    state.runs |= is_run;
    return number;
}

/* --- registers --- */

static void set_registers(pid_t thread, const struct user_regs_struct *registers)
{
    struct iovec part = {(void *)registers, sizeof(*registers)};

    CHECK(ptrace(PTRACE_SETREGSET, thread, NT_PRSTATUS, &part) == 0, "cannot set registers: %s", strerror(errno));
}

static void get_registers(pid_t thread, struct user_regs_struct *registers)
{
    struct iovec part = {registers, sizeof(*registers)};

    CHECK(ptrace(PTRACE_GETREGSET, thread, NT_PRSTATUS, &part) == 0, "cannot get registers: %s", strerror(errno));
}

/* Lets a thread make a call that does nothing, and that each filter of crossvm-vm lets through. */
static void replace_call(pid_t thread)
{
#ifdef __x86_64__
    struct user_regs_struct registers;

    get_registers(thread, &registers);
    registers.orig_rax = SYS_gettid;
    set_registers(thread, &registers);
#else
    int call = SYS_gettid;
    struct iovec part = {&call, sizeof(call)};

    CHECK(ptrace(PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &part) == 0, "cannot set a call: %s", strerror(errno));
#endif
}

static void set_result(pid_t thread, long result)
{
    struct user_regs_struct registers;

    get_registers(thread, &registers);
#ifdef __x86_64__
    registers.rax = (unsigned long long)result;
#else
    registers.regs[0] = (unsigned long long)result;
#endif
    set_registers(thread, &registers);
}

/* --- threads --- */

static struct thread *find_thread(pid_t id)
{
    for (unsigned int i = 0; i < state.num_threads; i++) {
        if (state.threads[i].id == id)
            return &state.threads[i];
    }
    return NULL;
}

/* A thread's maker stands still until this process has heard of the thread, so threads are added as they are made. */
static struct thread *add_thread(pid_t id)
{
    struct thread *thread = find_thread(id);

    if (thread)
        return thread;
    CHECK(state.num_threads < MAX_THREADS, "it makes too many threads");
    thread = &state.threads[state.num_threads++];
    *thread = (struct thread){.id = id};
    return thread;
}

static void in_call(struct tracee *tracee, struct thread *thread, const struct tracee_call *fails, int error)
{
    struct __ptrace_syscall_info info;
    int number;

    CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof(info), &info) > 0, "cannot look at a call: %s",
          strerror(errno));
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        number = note(tracee, thread, &info);
        if (number >= 0 && fails && thread == &state.threads[fails->thread] && number == (int)fails->number &&
            (long)info.entry.nr == fails->call) {
            replace_call(thread->id);
            thread->failing = true;
        }
    } else if (thread->failing) {
        set_result(thread->id, -error);
        thread->failing = false;
        tracee->made = true;
    }
}

/* A thread stands still. Lets it go on. */
static void go_on(struct tracee *tracee, pid_t id, int status, const struct tracee_call *fails, int error)
{
    struct thread *thread = add_thread(id);
    unsigned long made;
    long passed_on = 0;

    if (WSTOPSIG(status) == (SIGTRAP | 0x80))
        in_call(tracee, thread, fails, error);
    else if (status >> 16 == PTRACE_EVENT_CLONE && ptrace(PTRACE_GETEVENTMSG, id, 0, &made) == 0)
        (void)add_thread((pid_t)made);
    else if (status >> 16 == 0)
        passed_on = WSTOPSIG(status);
    /* What comes after the call that failed is of no interest. A thread that was killed meanwhile cannot go on. */
    (void)ptrace(tracee->made ? PTRACE_CONT : PTRACE_SYSCALL, id, 0, passed_on);
}

/* --- the program --- */

static void become(char *const *argv, int go)
{
    char byte;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(state.output[1], STDOUT_FILENO);
    (void)dup2(state.errors[1], STDERR_FILENO);
    if (read(go, &byte, 1) == 1)
        (void)execv(argv[0], argv);
    _exit(127);
}

static pid_t start(char *const *argv)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    int go[2];
    pid_t child;

    CHECK(pipe2(state.output, O_CLOEXEC) == 0 && pipe2(state.errors, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0,
          "cannot make pipes: %s", strerror(errno));
    child = fork();
    if (child == 0)
        become(argv, go[0]);
    CHECK(child > 0 && ptrace(PTRACE_SEIZE, child, 0, options) == 0, "cannot trace: %s", strerror(errno));
    CHECK(write(go[1], "g", 1) == 1, "cannot start it: %s", strerror(errno));
    close(go[0]);
    close(go[1]);
    close(state.output[1]);
    close(state.errors[1]);
    return child;
}

static void read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    close(fd);
}

static pid_t traced;

static void end_what_hangs(int signal)
{
    (void)signal;
    (void)kill(traced, SIGKILL);
}

void tracee_run(struct tracee *tracee, char *const *argv, const struct tracee_call *fails, int error)
{
    struct sigaction on_alarm = {.sa_handler = end_what_hangs, .sa_flags = SA_RESTART};
    int status;
    pid_t id;

    memset(tracee, 0, sizeof(*tracee));
    memset(&state, 0, sizeof(state));
    (void)sigaction(SIGALRM, &on_alarm, NULL);
    traced = start(argv);
    (void)add_thread(traced);
    (void)alarm(HANG_MS / 1000);
    for (;;) {
        id = waitpid(-1, &status, __WALL);
        CHECK(id > 0, "cannot wait: %s", strerror(errno));
        if (WIFSTOPPED(status))
            go_on(tracee, id, status, fails, error);
        else if (id == traced)
            break;
    }
    (void)alarm(0);
    tracee->status = status;
    /* At their ends there is no process left that could write. */
    read_all(state.output[0], tracee->output, sizeof(tracee->output));
    read_all(state.errors[0], tracee->errors, sizeof(tracee->errors));
}
