/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors between a guest and its host: a virtio-vsock socket, TCP over virtio-net or `crossvm net`, TCP and Unix
 * sockets over `crossvm forward`, and a port of virtio-serial. Sockets within the host are what the others are compared
 * with.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "rivals.h"

#define PORT 5000
#define FORWARDED_PORT 6000 /* of the host; what comes there goes to PORT of the guest */
#define GUEST_CID 3
#define GUEST_ADDRESS "10.0.0.2"     /* of virtio-net */
#define GUEST_NET_ADDRESS "10.0.1.2" /* of `crossvm net` */
#define UNIX_SOCKET "/tmp/crossvm-bench-unix"
#define FORWARDED_UNIX_SOCKET "/tmp/crossvm-bench-forwarded" /* of the host; what comes there goes to UNIX_SOCKET */
#define SERIAL_SOCKET "/tmp/crossvm-bench-serial"
#define SERIAL_PORTS "/dev/vport*"

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = 100000000};

    (void)nanosleep(&moment, NULL);
}

/* --- sockets --- */

static int accept_at(const struct sockaddr *address, socklen_t length)
{
    static int listener = -1;
    int fd;

    if (listener < 0) {
        listener = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (listener < 0 || bind(listener, address, length) || listen(listener, CONNECTIONS))
            fail("listen: %s", strerror(errno));
    }
    fd = accept(listener, NULL, NULL);
    if (fd < 0)
        fail("accept the host: %s", strerror(errno));
    return fd;
}

/* The guest boots meanwhile. */
static int connect_to(const struct sockaddr *address, socklen_t length)
{
    for (;;) {
        int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
            fail("make a socket: %s", strerror(errno));
        if (!connect(fd, address, length))
            return fd;
        if (errno != ECONNRESET && errno != ECONNREFUSED && errno != ENODEV && errno != ENOENT && errno != ETIMEDOUT &&
            errno != EHOSTUNREACH && errno != ENETUNREACH)
            fail("connect: %s", strerror(errno));
        close(fd);
        pause_a_moment();
    }
}

static int vsock_in_guest(void)
{
    const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = PORT};

    return accept_at((const struct sockaddr *)&address, sizeof(address));
}

static int vsock_in_host(void)
{
    const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = GUEST_CID, .svm_port = PORT};

    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

/* A message goes at once: who waits for its answer would wait for a timer, too. */
static int without_delay(int fd)
{
    const int yes = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)))
        fail("set TCP_NODELAY: %s", strerror(errno));
    return fd;
}

static int tcp_in_guest(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    return without_delay(accept_at((const struct sockaddr *)&address, sizeof(address)));
}

static int connect_tcp(const char *ip, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    (void)inet_pton(AF_INET, ip, &address.sin_addr);
    return without_delay(connect_to((const struct sockaddr *)&address, sizeof(address)));
}

static int tcp_in_host(void)
{
    return connect_tcp(GUEST_ADDRESS, PORT);
}

static int forward_in_host(void)
{
    return connect_tcp("127.0.0.1", FORWARDED_PORT);
}

static int net_in_host(void)
{
    return connect_tcp(GUEST_NET_ADDRESS, PORT);
}

static int tcp_within_host(void)
{
    return connect_tcp("127.0.0.1", PORT);
}

static int unix_in_guest(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = UNIX_SOCKET};

    return accept_at((const struct sockaddr *)&address, sizeof(address));
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return connect_to((const struct sockaddr *)&address, sizeof(address));
}

static int forward_unix_in_host(void)
{
    return connect_unix(FORWARDED_UNIX_SOCKET);
}

static int unix_within_host(void)
{
    return connect_unix(UNIX_SOCKET);
}

/* --- a serial port --- */

static int serial_in_guest(void)
{
    glob_t ports;
    int fd;

    while (glob(SERIAL_PORTS, 0, NULL, &ports))
        pause_a_moment();
    fd = open(ports.gl_pathv[0], O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail("open %s: %s", ports.gl_pathv[0], strerror(errno));
    globfree(&ports);
    return fd;
}

/* QEMU's end of the port */
static int serial_in_host(void)
{
    return connect_unix(SERIAL_SOCKET);
}

const struct stream stream_vsock = {"virtio-vsock", vsock_in_guest, vsock_in_host, true};
const struct stream stream_tcp = {"virtio-net", tcp_in_guest, tcp_in_host, true};
const struct stream stream_net = {"net", tcp_in_guest, net_in_host, true};
const struct stream stream_forward = {"forward", tcp_in_guest, forward_in_host, true};
const struct stream stream_forward_unix = {"forward-unix", unix_in_guest, forward_unix_in_host, true};
const struct stream stream_tcp_within_host = {"tcp-in-host", tcp_in_guest, tcp_within_host, true};
const struct stream stream_unix_within_host = {"unix-in-host", unix_in_guest, unix_within_host, true};
const struct stream stream_serial = {"virtio-serial", serial_in_guest, serial_in_host, false};
