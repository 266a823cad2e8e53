/* SPDX-License-Identifier: BSD-2-Clause */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
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
    message("cannot watch for signals: %s", strerror(errno));
    return -1;
}

int signals_block(void)
{
    sigset_t set;

    end_signals(&set);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return failure();
    ending.source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return ending.source.fd < 0 ? failure() : 0;
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
    ending.vm = vm;
    ending.source.handle = received;
    return loop_watch(loop, &ending.source, EPOLLIN) ? failure() : 0;
}

void signals_close(void)
{
    if (ending.source.fd >= 0)
        close(ending.source.fd);
    ending.source.fd = -1;
}
