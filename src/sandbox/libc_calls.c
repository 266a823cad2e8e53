/* SPDX-License-Identifier: BSD-2-Clause */
#include "libc_calls.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's own signal, for setuid() in all threads. */
#define SIGSETXID 33

/* Memory that can be written and run would let an attacker bring code along. */
#define NOT_EXECUTABLE(name) FILTER_CALL_WITH_BITS(name, 2, PROT_EXEC, 0)

struct filter_list libc_calls(void)
{
    static struct filter_rule rules[] = {
        FILTER_CALL(futex),           /* locks, pthread_join() */
        FILTER_CALL(clock_gettime),   /* where the clock cannot be read without the kernel */
        FILTER_CALL(write),           /* messages; eventfds */
        FILTER_CALL(rt_sigreturn),    /* the end of a signal's handler */
        FILTER_CALL(restart_syscall), /* what a debugger or SIGSTOP interrupted */
        FILTER_CALL(brk),             /* malloc() and free(), here and below */
        FILTER_CALL(munmap),
        FILTER_CALL(mremap),
        FILTER_CALL(madvise), /* also the stack of a thread that ends */
        NOT_EXECUTABLE(mmap),
        NOT_EXECUTABLE(mprotect),
        FILTER_CALL(writev),         /* its own messages, before abort() */
        FILTER_CALL(rt_sigprocmask), /* pthread_kill(), abort(), the end of a thread */
        FILTER_CALL(getpid),
        FILTER_CALL(gettid),
        FILTER_CALL_WITH(tgkill, 0, 0), /* to this process: set below */
        FILTER_CALL(exit),
        FILTER_CALL(exit_group),
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].call == SCMP_SYS(tgkill))
            rules[i].check.datum_a = (scmp_datum_t)getpid();
    }
    return (struct filter_list)FILTER_LIST(rules);
}

struct filter_list libc_thread_calls(void)
{
    static const struct filter_rule rules[] = {
        FILTER_CALL_WITH(rt_sigaction, 0, SIGSETXID), /* when the first thread is started */
        FILTER_REFUSE(clone3, ENOSYS), /* its flags are in memory, where no filter looks: clone() comes instead */
        FILTER_CALL_WITH_BITS(clone, 0, CLONE_THREAD, CLONE_THREAD), /* no processes */
        FILTER_CALL(set_robust_list),
        FILTER_CALL(rseq),
    };

    return (struct filter_list)FILTER_LIST(rules);
}
