/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_bench: what round trips, messages, a stream and a new connection cost over a socket, to compare with a
 * channel: over virtio-vsock, or over TCP that `crossvm forward` carries.
 *
 * socket_bench serve ADDRESS    the other end, in the guest: one client after the other
 * socket_bench measure ADDRESS  prints one line with nanoseconds of a round trip of 64 bytes (median), of a message of
 *                               64 bytes to the guest and from it, of 64 KiB of a stream to the guest and from it, and
 *                               of a new connection with one round trip (median)
 *
 * ADDRESS is vsock:CID:PORT, or tcp:PORT of this machine. Both sides do what is best for a stream socket: a message is
 * one write(), and a reader of messages takes as many as are there by one read(), since it knows their size.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define MESSAGE_BYTES 64
#define STREAM_BYTES 65536
#define ROUNDS 2000
#define MESSAGES 20000
#define BLOCKS 500
#define CONNECTIONS 100

enum kind { ECHO, SINK, SOURCE };

/* What the client asks for: first of all, and again after each measurement. */
struct order {
    uint32_t kind, bytes, count; /* bytes of a message; how many */
};

static uint8_t buffer[STREAM_BYTES];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "socket_bench: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- addresses --- */

union address {
    struct sockaddr any;
    struct sockaddr_vm vm;
    struct sockaddr_in in;
};

static socklen_t parse(const char *text, union address *address)
{
    unsigned int cid, port;
    char rest;

    if (sscanf(text, "vsock:%u:%u%c", &cid, &port, &rest) == 2) {
        address->vm = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
        return sizeof(address->vm);
    }
    if (sscanf(text, "tcp:%u%c", &port, &rest) == 1) {
        address->in = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        return sizeof(address->in);
    }
    errno = EINVAL;
    fail("understand the address");
}

static int open_socket(const union address *address)
{
    const int one = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("make a socket");
    if (address->any.sa_family == AF_INET)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* --- moving --- */

/* Sends all, by as few calls as possible. False when the peer has left. */
static int put(int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return 0;
        at += sent;
        length -= (size_t)sent;
    }
    return 1;
}

/* Receives exactly so many. False when the peer has left. */
static int get(int fd, void *bytes, size_t length)
{
    uint8_t *at = bytes;

    while (length > 0) {
        ssize_t received = recv(fd, at, length, 0);

        if (received <= 0)
            return 0;
        at += received;
        length -= (size_t)received;
    }
    return 1;
}

static int send_many(int fd, uint32_t bytes, uint32_t count)
{
    int well = 1;

    while (count-- > 0 && well)
        well = put(fd, buffer, bytes);
    return well;
}

static int receive_many(int fd, uint64_t total)
{
    while (total > 0) {
        ssize_t received = recv(fd, buffer, total < sizeof(buffer) ? (size_t)total : sizeof(buffer), 0);

        if (received <= 0)
            return 0;
        total -= (uint64_t)received;
    }
    return 1;
}

/* --- the guest --- */

static int obey(int fd, const struct order *order)
{
    uint8_t done = 0;
    int well = 1;

    if (order->bytes == 0 || order->bytes > sizeof(buffer))
        return 0;
    switch (order->kind) {
    case ECHO:
        for (uint32_t i = 0; i < order->count && well; i++)
            well = get(fd, buffer, order->bytes) && put(fd, buffer, order->bytes);
        return well;
    case SINK:
        return receive_many(fd, (uint64_t)order->bytes * order->count) && put(fd, &done, 1);
    case SOURCE:
        return send_many(fd, order->bytes, order->count);
    default:
        return 0;
    }
}

static _Noreturn void serve(const char *text)
{
    union address address;
    socklen_t length = parse(text, &address);
    int listener = open_socket(&address);

    if (bind(listener, &address.any, length) || listen(listener, CONNECTIONS))
        fail("listen");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        struct order order;

        if (fd < 0)
            fail("accept a client");
        while (get(fd, &order, sizeof(order)) && obey(fd, &order))
            ;
        close(fd);
    }
}

/* --- the host --- */

/* The other end starts meanwhile. */
static int reach(const char *text)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    union address address;
    socklen_t length = parse(text, &address);

    for (;;) {
        int fd = open_socket(&address);

        if (!connect(fd, &address.any, length))
            return fd;
        if (errno != ECONNREFUSED && errno != ECONNRESET && errno != ENODEV && errno != ETIMEDOUT &&
            errno != EHOSTUNREACH)
            fail("connect");
        close(fd);
        (void)nanosleep(&pause, NULL);
    }
}

static void give(int fd, enum kind kind, uint32_t bytes, uint32_t count)
{
    const struct order order = {kind, bytes, count};

    if (!put(fd, &order, sizeof(order)))
        fail("speak with the guest");
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t round_trip(int fd)
{
    static int64_t times[ROUNDS];

    give(fd, ECHO, MESSAGE_BYTES, ROUNDS);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = now_ns();

        if (!put(fd, buffer, MESSAGE_BYTES) || !get(fd, buffer, MESSAGE_BYTES))
            fail("speak with the guest");
        times[i] = now_ns() - start;
    }
    qsort(times, ROUNDS, sizeof(times[0]), compare);
    return times[ROUNDS / 2];
}

static int64_t to_guest(int fd, uint32_t bytes, uint32_t count)
{
    int64_t start = now_ns();

    give(fd, SINK, bytes, count);
    if (!send_many(fd, bytes, count) || !get(fd, buffer, 1))
        fail("speak with the guest");
    return (now_ns() - start) / count;
}

static int64_t from_guest(int fd, uint32_t bytes, uint32_t count)
{
    int64_t start = now_ns();

    give(fd, SOURCE, bytes, count);
    if (!receive_many(fd, (uint64_t)bytes * count))
        fail("speak with the guest");
    return (now_ns() - start) / count;
}

/* A connection, until a byte has gone to the guest and back. */
static int64_t new_connection(const char *text)
{
    static int64_t times[CONNECTIONS];

    for (int i = 0; i < CONNECTIONS; i++) {
        int64_t start = now_ns();
        int fd = reach(text);

        give(fd, ECHO, 1, 1);
        if (!put(fd, buffer, 1) || !get(fd, buffer, 1))
            fail("speak with the guest");
        times[i] = now_ns() - start;
        close(fd);
    }
    qsort(times, CONNECTIONS, sizeof(times[0]), compare);
    return times[CONNECTIONS / 2];
}

static void measure(const char *text)
{
    int fd = reach(text);
    int64_t round = round_trip(fd);
    int64_t messages_to = to_guest(fd, MESSAGE_BYTES, MESSAGES),
            messages_from = from_guest(fd, MESSAGE_BYTES, MESSAGES);
    int64_t stream_to = to_guest(fd, STREAM_BYTES, BLOCKS), stream_from = from_guest(fd, STREAM_BYTES, BLOCKS);

    close(fd);
    printf("%lld %lld %lld %lld %lld %lld\n", (long long)round, (long long)messages_to, (long long)messages_from,
           (long long)stream_to, (long long)stream_from, (long long)new_connection(text));
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    if (argc != 3 || strcmp(argv[1], "measure") != 0) {
        fprintf(stderr, "usage: socket_bench serve ADDRESS | measure ADDRESS\n");
        return 2;
    }
    measure(argv[2]);
    return 0;
}
