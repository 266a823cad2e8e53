/* SPDX-License-Identifier: BSD-2-Clause */
/* Code of an attacker in a bridge that is confined: loaded before the NATS library, in place of a call of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int natsConnection_Connect(void *connection, void *options);

static void try_socket(int family, const char *name)
{
    errno = 0;
    (void)socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)dprintf(STDERR_FILENO, "%s: %s\n", name, strerror(errno));
}

int natsConnection_Connect(void *connection, void *options)
{
    (void)connection;
    (void)options;
    try_socket(AF_INET, "a socket of IP");
    try_socket(AF_UNIX, "a Unix socket");
    _exit(0);
}
