/* SPDX-License-Identifier: BSD-2-Clause */
#include "console_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/message.h"

/* Whether a program listens at the address; it may have a full queue. */
static bool is_served(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN);

    if (fd >= 0)
        close(fd);
    return served;
}

/* Removes the socket of a process that is dead, and nothing else. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat status;

    if (lstat(address->sun_path, &status) == 0 && S_ISSOCK(status.st_mode) && !is_served(address))
        (void)unlink(address->sun_path);
}

int console_socket_open(struct console_socket *console, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int error;

    memcpy(address.sun_path, path, strlen(path)); /* the topology's check found that it fits */
    remove_stale(&address);
    console->client = -1;
    console->used = 0;
    console->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mask = umask(S_IRWXG | S_IRWXO); /* a console is its owner's */
    error = console->listener < 0 || bind(console->listener, (struct sockaddr *)&address, sizeof(address)) ||
            listen(console->listener, 1);
    (void)umask(mask);
    if (!error) {
        console->path = path;
        console->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return 0;
    }
    message("cannot listen at %s for a console: %s", path, strerror(errno));
    if (console->listener >= 0)
        close(console->listener);
    console->listener = -1;
    return -1;
}

static void drop_client(struct console_socket *console)
{
    close(console->client);
    console->client = -1;
}

void console_socket_close(struct console_socket *console)
{
    if (console->client >= 0)
        drop_client(console);
    if (console->listener < 0)
        return;
    close(console->listener);
    console->listener = -1;
    if (console->spare >= 0)
        close(console->spare);
    (void)unlink(console->path);
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

struct pollfd console_socket_listener_wishes(const struct console_socket *console)
{
    return (struct pollfd){.fd = console->listener, .events = POLLIN};
}

struct pollfd console_socket_client_wishes(const struct console_socket *console)
{
    return (struct pollfd){.fd = console->client, .events = POLLIN};
}

/* Out of descriptors: a program that stays in the queue would keep us busy for ever. */
static void turn_away(struct console_socket *console)
{
    close(console->spare);
    close(accept4(console->listener, NULL, NULL, SOCK_CLOEXEC));
    console->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void console_socket_welcome(struct console_socket *console)
{
    static const char busy[] = "another program has this console\r\n";
    int fd = accept4(console->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            turn_away(console);
        return;
    }
    if (console->client >= 0) {
        (void)send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        close(fd);
        return;
    }
    console->client = fd;
    (void)send(fd, console->backlog, console->used, MSG_NOSIGNAL | MSG_DONTWAIT);
}

size_t console_socket_take(struct console_socket *console, char *bytes, size_t size)
{
    ssize_t length = console->client < 0 ? 0 : recv(console->client, bytes, size, MSG_DONTWAIT);

    if (length > 0)
        return (size_t)length;
    if (console->client >= 0 && (length == 0 || (errno != EAGAIN && errno != EINTR)))
        drop_client(console);
    return 0;
}
