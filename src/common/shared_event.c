/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel signals eventfds without waiting. Asynchronous I/O has it do so at the end of an operation. The operation
 * here reads nothing from /dev/null, so it has ended when io_submit() returns.
 */
#include "shared_event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error_reason.h"

/* Room for operations whose end nobody has taken yet: as many as a call starts */
#define OPERATIONS SHARED_EVENT_MOST

static struct {
    aio_context_t context;
    int nothing; /* /dev/null */
    long ended;  /* operations whose end nobody has taken */
} aio;

/* Takes the ends of all operations. Once for many calls: it is one of two system calls. */
static void make_room(void)
{
    struct io_event ends[OPERATIONS];

    (void)syscall(SYS_io_getevents, aio.context, 0L, (long)OPERATIONS, ends, NULL);
    aio.ended = 0;
}

int shared_event_prepare(void)
{
    if (aio.context)
        return 0;
    aio.nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (aio.nothing < 0)
        return -1;
    if (syscall(SYS_io_setup, OPERATIONS, &aio.context) == 0)
        return 0;
    close(aio.nothing);
    return -1;
}

const char *shared_event_reason(int error)
{
    switch (error) {
    case EAGAIN:
        return "the system has no asynchronous I/O left, by which a peer is signalled; raise the sysctl fs.aio-max-nr";
    case ENOSYS:
        return "this kernel has no asynchronous I/O, by which a peer is signalled; use one with CONFIG_AIO";
    default:
        return error_reason(error);
    }
}

int shared_event_signal(int eventfd, uint64_t events)
{
    struct iocb operation = {
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_fildes = (uint32_t)aio.nothing,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = (uint32_t)eventfd,
    };
    struct iocb *operations[OPERATIONS];
    long n = events < OPERATIONS ? (long)events : OPERATIONS, started;

    if (aio.ended + n > OPERATIONS)
        make_room();
    for (long i = 0; i < n; i++)
        operations[i] = &operation; /* the kernel copies it each time */
    started = syscall(SYS_io_submit, aio.context, n, operations);
    if (started <= 0)
        return -errno;
    aio.ended += started;
    return 0;
}
