/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../sandbox/libc_calls.h"
#include "../sandbox/limits.h"
#include "../sandbox/lock_down.h"

#define SPARE_DESCRIPTORS 32 /* a server, a resolver, and what the hub sends with news */
#define SPARE_MEMORY ((uint64_t)512 << 20)
#define DNS_PORT 53
#define MORE_THREADS 16 /* of the NATS library; some only while it connects again */

/* Loads what the resolver needs of libraries, which is not possible later: memory cannot be made executable then. */
static void prepare_resolver(void)
{
    struct addrinfo *found = NULL;

    if (getaddrinfo("localhost", "4222", NULL, &found) == 0)
        freeaddrinfo(found);
}

/* Where sockets may be connected to, where Landlock knows of ports: servers, and resolvers for long answers. */
static size_t find_ports(const struct bridge_config *config, uint16_t ports[BRIDGE_MOST_SERVERS + 1])
{
    for (size_t i = 0; i < config->num_servers; i++)
        ports[i] = config->ports[i];
    ports[config->num_servers] = DNS_PORT;
    return config->num_servers + 1;
}

int bridge_confine(const struct bridge_config *config)
{
    static const struct filter_rule rules[] = {
        FILTER_CALL(poll),
        FILTER_CALL(ppoll),    /* the same, on arm64 */
        FILTER_CALL(read),     /* eventfds, signals, events of a guest */
        FILTER_CALL(preadv2),  /* events of a host program */
        FILTER_CALL(pread64),  /* what a guest's driver tells of the peer */
        FILTER_CALL(recvfrom), /* servers, resolvers, the hub */
        FILTER_CALL(recvmsg),
        FILTER_CALL(sendto),
        FILTER_CALL(sendmsg),
        FILTER_CALL(sendmmsg),
        FILTER_CALL(setsockopt),
        FILTER_CALL(getsockopt),
        FILTER_CALL(getsockname),
        FILTER_CALL(getpeername),
        FILTER_CALL(shutdown),
        FILTER_CALL(connect),
        FILTER_CALL(bind), /* a resolver's socket of the kind netlink */
        FILTER_CALL_WITH(socket, 0, AF_INET),
        FILTER_CALL_WITH(socket, 0, AF_INET6),
        FILTER_CALL_WITH(socket, 0, AF_NETLINK), /* addresses of this machine: in which order to try others */
        FILTER_CALL(close),
        FILTER_CALL_WITH(fcntl, 1, F_GETFL),
        FILTER_CALL_WITH(fcntl, 1, F_SETFL),
        FILTER_CALL_WITH(fcntl, 1, F_SETFD),
        FILTER_CALL_WITH(fcntl, 1, F_GETFD),
        FILTER_CALL_WITH(ioctl, 1, FIONREAD),
        FILTER_CALL_WITH(ioctl, 1, FIONBIO),
        FILTER_CALL_WITH(ioctl, 1, TCGETS),
        FILTER_OPEN_TO_READ, /* files of the resolver and of OpenSSL */
        FILTER_CALL(fstat),
        FILTER_CALL(newfstatat),
        FILTER_CALL(stat),
        FILTER_CALL(lstat),
        FILTER_CALL(access),
        FILTER_CALL(faccessat),
        FILTER_CALL(lseek),
        FILTER_CALL(readlink),
        FILTER_CALL(getdents64), /* folders of certificates */
        FILTER_CALL(getrandom),
        FILTER_CALL(getuid),
        FILTER_CALL(geteuid),
        FILTER_CALL(getgid),
        FILTER_CALL(getegid),
        FILTER_CALL(uname),
        FILTER_CALL(sysinfo),
        FILTER_CALL_WITH(rt_sigaction, 0, SIGPIPE), /* the NATS library ignores it, too */
        FILTER_CALL(clock_nanosleep),
        FILTER_CALL(nanosleep),
        FILTER_CALL(sched_yield),
        FILTER_CALL(sched_getaffinity),
        FILTER_CALL(sigaltstack),
        FILTER_CALL(timerfd_settime),
    };
    /* What a resolver does without: a library that it would load later, and name servers of this machine that have a
     * socket. At such sockets are other hubs, too, and services that do all for root. */
    static const struct filter_rule refused[] = {
        {.call = SCMP_SYS(socket),
         .num_checks = 1,
         .check = {0, SCMP_CMP_EQ, AF_UNIX, 0},
         .refused_error = EAFNOSUPPORT},
        {.call = SCMP_SYS(mmap),
         .num_checks = 1,
         .check = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC},
         .refused_error = EPERM},
    };
    static struct filter filter;
    const struct filter_list lists[] = {FILTER_LIST(rules), libc_calls(), libc_thread_calls(), FILTER_LIST(refused)};
    const struct limits limits = {
        .more_descriptors = SPARE_DESCRIPTORS, .more_memory = SPARE_MEMORY, .more_threads = MORE_THREADS};
    static const struct landlock_folder folders[] = {
        {"/etc", LANDLOCK_READ}, {"/run", LANDLOCK_READ}, {"/usr", LANDLOCK_READ}};
    uint16_t ports[BRIDGE_MOST_SERVERS + 1];
    const struct lock_down lock = {.folders = folders,
                                   .num_folders = sizeof(folders) / sizeof(folders[0]),
                                   .ports = ports,
                                   .num_ports = find_ports(config, ports)};

    prepare_resolver();
    /* The filter is made in a file, which the limits may forbid. */
    if (filter_make(&filter, "bridge", lists, sizeof(lists) / sizeof(lists[0])) || limits_set(&limits) ||
        lock_down(&lock))
        return -1;
    return filter_enter(&filter);
}
