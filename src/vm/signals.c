/* SPDX-License-Identifier: BSD-2-Clause */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <sel4vm_kvm.h>

#include "../common/end_signals.h"
#include "../common/message.h"

#define STATUS_OF_SIGNAL 128

static struct {
    struct source source;
    vm_t *vm;
} ending = {.source = {.fd = -1}};

static int failure(void)
{
    message("cannot watch for signals: %s", error_reason(errno));
    return -1;
}

/*
 * While files are read, the signals must have their default effect, not a handler and not a signalfd: the kernel waits
 * for a dead file server in a way that only such a signal ends.
 */
void signals_unblock(void)
{
    sigset_t set;

    end_signals(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void received(struct source *source, uint32_t events)
{
    struct signalfd_siginfo signal;

    (void)events;
    if (read(source->fd, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
        kvm_vm_stop(ending.vm, STATUS_OF_SIGNAL + (int)signal.ssi_signo);
}

int signals_watch(struct loop *loop, vm_t *vm)
{
    sigset_t set;

    end_signals(&set);
    ending.vm = vm;
    ending.source.handle = received;
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return failure();
    ending.source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return ending.source.fd < 0 || loop_watch(loop, &ending.source, EPOLLIN) ? failure() : 0;
}

void signals_close(void)
{
    if (ending.source.fd >= 0)
        close(ending.source.fd);
    ending.source.fd = -1;
}
