/* SPDX-License-Identifier: BSD-2-Clause */
#include "standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "message.h"

static int status_of_failure;
static bool output_failed;

void standard_output_failed(int error)
{
    if (!output_failed)
        message("cannot write to standard output: %s",
                error == EBADF ? "it is closed; redirect it, for example to /dev/null" : error_reason(error));
    output_failed = true;
}

bool standard_output_flush(void)
{
    bool failed_before = ferror(stdout);

    errno = EIO;
    if (failed_before) /* stdio has dropped what failed and its errno: the next byte meets the same one */
        putchar('\n');
    if (fflush(stdout) || failed_before)
        standard_output_failed(errno);
    return !output_failed;
}

/* Some file systems report an error no earlier than when the file is closed. */
static void finish(void)
{
    if (standard_output_flush() && close(STDOUT_FILENO) && errno != EBADF)
        standard_output_failed(errno);
    if (output_failed)
        _exit(status_of_failure);
}

void standard_streams_set_up(int error_status)
{
    status_of_failure = error_status;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        /* Read-only, so that writing fails. open() gives the lowest number that is free: this one. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) {
            message("descriptor %d is closed, and /dev/null cannot be opened in its place: %s", fd,
                    error_reason(errno));
            _exit(error_status);
        }
    }
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)atexit(finish);
}
