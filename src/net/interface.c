/* SPDX-License-Identifier: BSD-2-Clause */
#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/message.h"

#define DEVICE "/dev/net/tun"
#define DEFAULT_NAME "crossvm%d" /* the kernel puts a number there */

/* Linux 6.2 has these; the headers may be older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

_Static_assert(NET_OFFLOAD_CSUM == TUN_F_CSUM && NET_OFFLOAD_TSO4 == TUN_F_TSO4 && NET_OFFLOAD_TSO6 == TUN_F_TSO6 &&
                   NET_OFFLOAD_ECN == TUN_F_TSO_ECN && NET_OFFLOAD_USO4 == TUN_F_USO4 && NET_OFFLOAD_USO6 == TUN_F_USO6,
               "a hello has the kernel's bits");

#define BASIC_OFFLOADS (NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN)
#define ALL_OFFLOADS (BASIC_OFFLOADS | NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6)

/* --- addresses --- */

/** ADDRESS/PREFIX. */
struct address {
    int family;
    union {
        struct in_addr v4;
        struct in6_addr v6;
    } ip;
    unsigned int prefix; /* bits */
};

static bool parse_address(struct address *address, const char *text)
{
    char ip[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    unsigned long prefix;
    char *rest;

    if (!slash || (size_t)(slash - text) >= sizeof(ip) || slash[1] < '0' || slash[1] > '9')
        return false;
    memcpy(ip, text, (size_t)(slash - text));
    ip[slash - text] = '\0';
    prefix = strtoul(slash + 1, &rest, 10);
    address->family = strchr(ip, ':') ? AF_INET6 : AF_INET;
    if (*rest || prefix > (address->family == AF_INET ? 32 : 128))
        return false;
    address->prefix = (unsigned int)prefix;
    return inet_pton(address->family, ip, &address->ip) == 1;
}

bool interface_is_address(const char *text)
{
    struct address address;

    return parse_address(&address, text);
}

static struct sockaddr as_sockaddr(struct in_addr ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = ip};
    struct sockaddr generic;

    memcpy(&generic, &in, sizeof(generic));
    return generic;
}

static int set_v4(int control, const char *name, const struct address *address)
{
    struct in_addr mask = {htonl(address->prefix ? ~UINT32_C(0) << (32 - address->prefix) : 0)};
    struct ifreq request = {.ifr_addr = as_sockaddr(address->ip.v4)};

    memcpy(request.ifr_name, name, IFNAMSIZ);
    if (ioctl(control, SIOCSIFADDR, &request))
        return -1;
    request.ifr_netmask = as_sockaddr(mask);
    return ioctl(control, SIOCSIFNETMASK, &request);
}

static int set_v6(const char *name, const struct address *address)
{
    const unsigned int index = if_nametoindex(name);
    struct in6_ifreq request = {
        .ifr6_addr = address->ip.v6, .ifr6_prefixlen = address->prefix, .ifr6_ifindex = (int)index};
    int control, result;

    if (index == 0)
        return -1;
    control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0)
        return -1;
    result = ioctl(control, SIOCSIFADDR, &request);
    close(control);
    return result && errno == EEXIST ? 0 : result; /* one that was made to last may have it */
}

static int set_address(int control, const char *name, const char *text)
{
    struct address address;

    if (!parse_address(&address, text)) {
        errno = EINVAL;
        return -1;
    }
    return address.family == AF_INET ? set_v4(control, name, &address) : set_v6(name, &address);
}

static int set_up(int control, const char *name)
{
    struct ifreq request = {0};

    memcpy(request.ifr_name, name, IFNAMSIZ);
    if (ioctl(control, SIOCGIFFLAGS, &request))
        return -1;
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    return ioctl(control, SIOCSIFFLAGS, &request);
}

/* --- making --- */

static int attach(struct interface *interface, const char *name)
{
    struct ifreq request = {.ifr_flags =
                                (short)((interface->layer == NET_IP ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR)};
    const char *shown = name ? name : "crossvm0"; /* in messages */
    int header = INTERFACE_HEADER_BYTES, little_endian = 1;

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name ? name : DEFAULT_NAME);
    if (ioctl(interface->fd, TUNSETIFF, &request)) {
        if (errno == EPERM)
            message("may not make the network interface %s: that takes the right CAP_NET_ADMIN, or let `ip tuntap add "
                    "dev %s mode %s user USER` make it",
                    shown, shown, interface->layer == NET_IP ? "tun" : "tap");
        else if (errno == EBUSY)
            message("another program has the network interface %s: choose another with --interface", shown);
        else if (errno == EINVAL)
            message("there is a network interface %s already, of another kind: choose another with --interface", shown);
        else
            message("cannot make the network interface %s: %s", shown, error_reason(errno));
        return -1;
    }
    memcpy(interface->name, request.ifr_name, IFNAMSIZ);
    if (ioctl(interface->fd, TUNSETVNETHDRSZ, &header) || ioctl(interface->fd, TUNSETVNETLE, &little_endian)) {
        message("cannot choose the frames of the network interface %s: %s", interface->name, error_reason(errno));
        return -1;
    }
    return 0;
}

/* Older kernels do not know all. */
static void find_offloads(struct interface *interface)
{
    static const uint32_t sets[] = {ALL_OFFLOADS, BASIC_OFFLOADS, NET_OFFLOAD_CSUM};

    interface->offloads = 0;
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]) && !interface->offloads; i++) {
        if (ioctl(interface->fd, TUNSETOFFLOAD, (unsigned long)sets[i]) == 0)
            interface->offloads = sets[i];
    }
    (void)ioctl(interface->fd, TUNSETOFFLOAD, 0ul);
}

/* A unicast address, administered locally (IEEE 802, section 8.4), with a hash of the seed (FNV-1a). */
static int set_hardware_address(const struct interface *interface, int control, const char *seed)
{
    struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER, .ifr_hwaddr.sa_data = {0x02}};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *c = seed; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (int i = 1; i < ETH_ALEN; i++)
        request.ifr_hwaddr.sa_data[i] = (char)(hash >> 8 * i);
    memcpy(request.ifr_name, interface->name, IFNAMSIZ);
    if (ioctl(control, SIOCSIFHWADDR, &request) == 0)
        return 0;
    message("cannot give the network interface %s a hardware address: %s", interface->name, error_reason(errno));
    return -1;
}

static int set_mtu(struct interface *interface, int control, unsigned int mtu)
{
    struct ifreq request = {.ifr_mtu = (int)mtu};

    memcpy(request.ifr_name, interface->name, IFNAMSIZ);
    if (mtu && ioctl(control, SIOCSIFMTU, &request)) {
        message("cannot give the network interface %s an MTU of %u: %s", interface->name, mtu, error_reason(errno));
        return -1;
    }
    if (ioctl(control, SIOCGIFMTU, &request)) {
        message("cannot ask for the MTU of the network interface %s: %s", interface->name, error_reason(errno));
        return -1;
    }
    interface->mtu = (unsigned int)request.ifr_mtu;
    return 0;
}

static int set_addresses(const struct interface *interface, int control, const char *const *addresses)
{
    for (size_t i = 0; i < INTERFACE_MAX_ADDRESSES && addresses[i]; i++) {
        if (set_address(control, interface->name, addresses[i])) {
            message("cannot give the network interface %s the address %s: %s", interface->name, addresses[i],
                    error_reason(errno));
            return -1;
        }
    }
    if (addresses[0] && set_up(control, interface->name)) {
        message("cannot start the network interface %s: %s", interface->name, error_reason(errno));
        return -1;
    }
    return 0;
}

static int configure(struct interface *interface, const struct interface_config *config, bool is_new)
{
    int control = descriptor_above_standard(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), error;

    if (control < 0) {
        message("cannot configure the network interface %s: %s", interface->name, error_reason(errno));
        return -1;
    }
    error = (is_new && interface->layer == NET_ETHERNET && set_hardware_address(interface, control, config->seed)) ||
            set_mtu(interface, control, config->mtu) || interface_set_carrier(interface, false) ||
            set_addresses(interface, control, config->addresses);
    close(control);
    return error ? -1 : 0;
}

int interface_open(struct interface *interface, const struct interface_config *config)
{
    bool is_new = !config->name || if_nametoindex(config->name) == 0;

    *interface = (struct interface){.layer = config->layer};
    interface->fd = descriptor_open(DEVICE, O_RDWR | O_NONBLOCK);
    if (interface->fd < 0) {
        if (errno == ENOENT || errno == ENODEV)
            message("there is no " DEVICE " for network interfaces: load the kernel's module tun (modprobe tun)");
        else
            message("cannot open " DEVICE " for a network interface: %s", error_reason(errno));
        return -1;
    }
    if (attach(interface, config->name) == 0) {
        find_offloads(interface);
        if (configure(interface, config, is_new) == 0)
            return 0;
    }
    interface_close(interface);
    return -1;
}

/* --- use --- */

int interface_leave_work(const struct interface *interface, uint32_t offloads)
{
    /* The kernel refuses segments without sums. */
    unsigned long work = offloads & NET_OFFLOAD_CSUM ? offloads & interface->offloads : 0;

    if (ioctl(interface->fd, TUNSETOFFLOAD, work) == 0)
        return 0;
    message("cannot choose the frames of the network interface %s: %s", interface->name, error_reason(errno));
    return -1;
}

int interface_set_carrier(const struct interface *interface, bool here)
{
    int carrier = here;

    if (ioctl(interface->fd, TUNSETCARRIER, &carrier) == 0)
        return 0;
    message("cannot set the carrier of the network interface %s: %s", interface->name, error_reason(errno));
    return -1;
}

void interface_close(struct interface *interface)
{
    if (interface->fd >= 0)
        close(interface->fd);
    interface->fd = -1;
}
