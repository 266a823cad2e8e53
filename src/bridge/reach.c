/* SPDX-License-Identifier: BSD-2-Clause */
#include "reach.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"

#define WAIT_MS 2000
#define HOST_BYTES 256

static void find_host(const char *url, char host[HOST_BYTES])
{
    const char *begin = strstr(url, "://") + 3, *colon = strrchr(begin, ':');
    const char *end = colon && !strchr(colon, ']') ? colon : begin + strlen(begin);

    if (*begin == '[' && end[-1] == ']') {
        begin++;
        end--;
    }
    (void)snprintf(host, HOST_BYTES, "%.*s", (int)(end - begin), begin);
}

/* 0, or an errno value. */
static int connect_to(const struct addrinfo *address)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd connects = {.fd = fd, .events = POLLOUT};
    int error = fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) ? errno : 0;
    socklen_t length = sizeof(error);

    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (poll(&connects, 1, WAIT_MS) == 1)
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    }
    if (fd >= 0)
        close(fd);
    return error;
}

const char *reach_reason(const char *url, uint16_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[HOST_BYTES], service[8];
    int result, error = 0;

    find_host(url, host);
    (void)snprintf(service, sizeof(service), "%u", port);
    result = getaddrinfo(host, service, &hints, &found);
    if (result)
        return gai_strerror(result);
    for (const struct addrinfo *address = found; address; address = address->ai_next) {
        error = connect_to(address);
        if (!error)
            break;
    }
    freeaddrinfo(found);
    return error ? error_reason(error) : NULL;
}
