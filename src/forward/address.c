/* SPDX-License-Identifier: BSD-2-Clause */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/size.h"

#define BACKLOG 128

static const char vsock_prefix[] = "vsock:", seqpacket_prefix[] = "seqpacket:";

/* --- text --- */

/* The text behind a prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* Whether an address may end here. */
static bool is_end(const char *text, const char **rest)
{
    if (rest)
        *rest = text;
    return *text == '\0' || (rest && *text == ':');
}

static bool parse_port(const char *text, const char **rest, uint16_t *port)
{
    const char *end;
    uint64_t number;

    if (!number_parse(text, &end, &number) || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return is_end(end, rest);
}

static bool set_in(struct address *address, struct in_addr host, uint16_t port)
{
    address->length = sizeof(address->socket.in);
    address->socket.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
    return true;
}

/* [HOST]:PORT of IPv6 */
static bool parse_in6(const char *text, const char **rest, struct address *address)
{
    const char *end = strchr(text, ']');
    char host[INET6_ADDRSTRLEN] = "";
    struct in6_addr in6;
    uint16_t port;

    if (!end || (size_t)(end - text) >= sizeof(host) || end[1] != ':')
        return false;
    memcpy(host, text, (size_t)(end - text));
    if (inet_pton(AF_INET6, host, &in6) != 1 || !parse_port(end + 2, rest, &port))
        return false;
    address->length = sizeof(address->socket.in6);
    address->socket.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6};
    return true;
}

/* HOST:PORT, or PORT */
static bool parse_in(const char *text, const char **rest, struct address *address)
{
    struct in_addr host = {.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strchr(text, ':');
    char name[INET_ADDRSTRLEN] = "";
    uint16_t port;

    if (strspn(text, "0123456789") == strcspn(text, ":"))
        return parse_port(text, rest, &port) && set_in(address, host, port);
    if (!colon || (size_t)(colon - text) >= sizeof(name))
        return false;
    memcpy(name, text, (size_t)(colon - text));
    if (strcmp(name, "localhost") != 0 && inet_pton(AF_INET, name, &host) != 1)
        return false;
    return parse_port(colon + 1, rest, &port) && set_in(address, host, port);
}

static bool parse_path(const char *text, const char **rest, struct address *address)
{
    size_t length = rest ? strcspn(text, ":") : strlen(text);

    if (text[0] != '/' || length >= sizeof(address->socket.un.sun_path))
        return false;
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    address->socket.un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->socket.un.sun_path, text, length);
    return is_end(text + length, rest);
}

static bool parse_vsock(const char *text, const char **rest, struct address *address)
{
    const char *end = after(text, "any");
    uint64_t cid = VMADDR_CID_ANY, port;

    if (!end && (!number_parse(text, &end, &cid) || cid > UINT32_MAX))
        return false;
    if (*end != ':' || !number_parse(end + 1, &end, &port) || port > UINT32_MAX)
        return false;
    address->length = sizeof(address->socket.vm);
    address->socket.vm =
        (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = (uint32_t)cid, .svm_port = (uint32_t)port};
    return is_end(end, rest);
}

bool address_parse(const char *text, const char **rest, struct address *address)
{
    const char *behind;

    memset(address, 0, sizeof(*address));
    address->type = SOCK_STREAM;
    behind = after(text, seqpacket_prefix);
    if (behind) {
        address->type = SOCK_SEQPACKET;
        return parse_path(behind, rest, address);
    }
    behind = after(text, vsock_prefix);
    if (behind)
        return parse_vsock(behind, rest, address);
    if (text[0] == '/')
        return parse_path(text, rest, address);
    return text[0] == '[' ? parse_in6(text + 1, rest, address) : parse_in(text, rest, address);
}

const char *address_format(char buffer[ADDRESS_TEXT_BYTES], const struct address *address)
{
    const struct sockaddr_vm *vm = &address->socket.vm;
    char host[INET6_ADDRSTRLEN] = "";

    switch (address->socket.any.sa_family) {
    case AF_INET:
        (void)inet_ntop(AF_INET, &address->socket.in.sin_addr, host, sizeof(host));
        (void)snprintf(buffer, ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(address->socket.in.sin_port));
        break;
    case AF_INET6:
        (void)inet_ntop(AF_INET6, &address->socket.in6.sin6_addr, host, sizeof(host));
        (void)snprintf(buffer, ADDRESS_TEXT_BYTES, "[%s]:%u", host, ntohs(address->socket.in6.sin6_port));
        break;
    case AF_UNIX:
        (void)snprintf(buffer, ADDRESS_TEXT_BYTES, "%s%s", address->type == SOCK_SEQPACKET ? seqpacket_prefix : "",
                       address->socket.un.sun_path);
        break;
    default:
        if (vm->svm_cid == VMADDR_CID_ANY)
            (void)snprintf(buffer, ADDRESS_TEXT_BYTES, "%sany:%u", vsock_prefix, vm->svm_port);
        else
            (void)snprintf(buffer, ADDRESS_TEXT_BYTES, "%s%u:%u", vsock_prefix, vm->svm_cid, vm->svm_port);
    }
    return buffer;
}

/* --- sockets --- */

static int open_socket(const struct address *address)
{
    return descriptor_above_standard(
        socket(address->socket.any.sa_family, address->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

static int close_with_error(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

/* A socket whose server was killed is in the way of the next one. Nobody answers there. */
static void remove_dead_socket(const struct address *address)
{
    const char *path = address->socket.un.sun_path;
    struct stat status;
    int fd;

    if (lstat(path, &status) || !S_ISSOCK(status.st_mode) || (fd = open_socket(address)) < 0)
        return;
    if (connect(fd, &address->socket.any, address->length) && errno == ECONNREFUSED)
        (void)unlink(path);
    close(fd);
}

int address_listen(struct address *address)
{
    const int one = 1, family = address->socket.any.sa_family;
    socklen_t length = sizeof(address->socket);
    int fd = open_socket(address);

    if (fd < 0)
        return -1;
    if (family == AF_UNIX)
        remove_dead_socket(address);
    else
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    /* Before bind(): the file is never open to other users. */
    if (fchmod(fd, 0600) || bind(fd, &address->socket.any, address->length))
        return close_with_error(fd);
    if (listen(fd, BACKLOG) || (family != AF_UNIX && getsockname(fd, &address->socket.any, &length))) {
        if (family == AF_UNIX)
            (void)unlink(address->socket.un.sun_path);
        return close_with_error(fd);
    }
    return fd;
}

int address_connect(const struct address *address, bool *connecting)
{
    int fd = open_socket(address), result;

    if (fd < 0)
        return -1;
    address_set_up(fd, address->socket.any.sa_family);
    result = connect(fd, &address->socket.any, address->length);
    /* A server of this machine has answered while the call ran, and only another call tells. */
    if (result && errno == EINPROGRESS) {
        result = connect(fd, &address->socket.any, address->length);
        if (result && errno == EISCONN) /* what vsock says of success */
            result = 0;
    }
    *connecting = result && errno == EALREADY;
    return result && !*connecting ? close_with_error(fd) : fd;
}

void address_set_up(int fd, int family)
{
    const int one = 1;

    if (family == AF_INET || family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}
