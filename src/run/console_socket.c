/* SPDX-License-Identifier: BSD-2-Clause */
#include "console_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/foreign.h"

/* Whether a program listens at the address. It may have a full queue, or not let this process in. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served =
        fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno != ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return served;
}

/* Removes the socket of a process that is dead, and nothing else. */
static void remove_stale(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;

    memcpy(address.sun_path, path, strlen(path)); /* the topology's check found that it fits */
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) && !is_served(&address))
        (void)unlink(path);
}

int console_socket_open(struct console_socket *console, const char *path)
{
    console->client = -1;
    console->used = 0;
    remove_stale(path);
    if (listener_open(&console->listener, SOCK_STREAM, path) == 0)
        return 0;
    message("cannot listen at %s for a console: %s", path, error_reason(errno));
    return -1;
}

static void drop_client(struct console_socket *console)
{
    foreign_hang_up(NULL, console->client);
    console->client = -1;
}

void console_socket_close(struct console_socket *console)
{
    if (console->client >= 0)
        drop_client(console);
    listener_close(&console->listener);
}

static void keep(struct console_socket *console, const char *bytes, size_t n)
{
    size_t excess;

    if (n > BACKLOG_BYTES) {
        bytes += n - BACKLOG_BYTES;
        n = BACKLOG_BYTES;
    }
    excess = console->used + n > BACKLOG_BYTES ? console->used + n - BACKLOG_BYTES : 0;
    memmove(console->backlog, console->backlog + excess, console->used - excess);
    console->used -= excess;
    memcpy(console->backlog + console->used, bytes, n);
    console->used += n;
}

void console_socket_put(struct console_socket *console, const char *bytes, size_t n)
{
    keep(console, bytes, n);
    if (console->client >= 0)
        (void)send(console->client, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

struct pollfd console_socket_client_wishes(const struct console_socket *console)
{
    return (struct pollfd){.fd = console->client, .events = POLLIN};
}

static void turn_away(int fd, const char *reason)
{
    (void)send(fd, reason, strlen(reason), MSG_NOSIGNAL | MSG_DONTWAIT);
    foreign_hang_up(NULL, fd);
}

int console_socket_welcome(struct console_socket *console, int64_t now)
{
    int fd = listener_accept(&console->listener, now);

    if (fd < 0)
        return errno == EAGAIN ? 0 : errno;
    if (!listener_admits(&console->listener, fd)) {
        turn_away(fd, "this console is another user's\r\n");
    } else if (console->client >= 0) {
        turn_away(fd, "another program has this console\r\n");
    } else {
        console->client = fd;
        (void)send(fd, console->backlog, console->used, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return 0;
}

size_t console_socket_take(struct console_socket *console, char *bytes, size_t size)
{
    ssize_t length = console->client < 0 ? 0 : foreign_receive(console->client, bytes, size, NULL, 0, NULL);

    if (length > 0)
        return (size_t)length;
    if (console->client >= 0 && (length == 0 || (errno != EAGAIN && errno != EINTR)))
        drop_client(console);
    return 0;
}
