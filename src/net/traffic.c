/* SPDX-License-Identifier: BSD-2-Clause */
#include "traffic.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../common/message.h"

/* Frames that one direction carries before the other has its turn, and before the peer hears of them. */
#define TURN 64

static const char *connection_name(const struct traffic *traffic)
{
    return crossvm_name(crossvm_channel_get_end(traffic->channel));
}

int traffic_prepare(struct traffic *traffic, crossvm_channel_t *channel, const struct interface *interface,
                    const volatile int *stop)
{
    size_t most = crossvm_channel_max_message(channel);

    *traffic = (struct traffic){.channel = channel, .interface = interface, .stop = stop};
    /* One byte more is read than a frame may have: a full piece is one that was cut. */
    traffic->longest = most > INTERFACE_LONGEST_FRAME ? INTERFACE_LONGEST_FRAME : most - 1;
    if (traffic->longest >= INTERFACE_EXTRA_BYTES + interface->mtu)
        return 0;
    message(
        "connection \"%s\" carries messages of up to %zu bytes, and the network interface %s has frames of up to %u: "
        "give the connection a larger dataport, or the interface an MTU of at most %zu (--mtu)",
        connection_name(traffic), most, interface->name, INTERFACE_EXTRA_BYTES + interface->mtu,
        most > INTERFACE_EXTRA_BYTES ? most - 1 - INTERFACE_EXTRA_BYTES : 0);
    return -1;
}

/* --- greeting --- */

/* What this end takes. Frames that are longer than the MTU need longer messages. */
static uint32_t offloads_taken(const struct traffic *traffic)
{
    uint32_t offloads = traffic->interface->offloads;

    return traffic->longest == INTERFACE_LONGEST_FRAME ? offloads : offloads & NET_OFFLOAD_CSUM;
}

static int take_hello(struct traffic *traffic, struct net_hello *theirs, crossvm_deadline_t deadline)
{
    uint8_t bytes[NET_HELLO_BYTES];
    const void *data;
    ptrdiff_t length = crossvm_channel_peek(traffic->channel, &data, deadline);
    size_t known;

    if (length < 0)
        return (int)length;
    known = (size_t)length < sizeof(bytes) ? (size_t)length : sizeof(bytes);
    memcpy(bytes, data, known);
    (void)crossvm_channel_release(traffic->channel, (size_t)length);
    traffic->complaint = net_hello_get(theirs, bytes, known);
    if (!traffic->complaint && theirs->layer != traffic->interface->layer)
        traffic->complaint = theirs->layer == NET_IP ? "has a TUN interface: give both ends --tun, or neither"
                                                     : "has a TAP interface: give both ends --tun, or neither";
    return traffic->complaint ? -EPROTO : 0;
}

/* Until both have greeted, the interface has no carrier, so that no frame is in the way. */
static int greet(struct traffic *traffic, crossvm_deadline_t deadline)
{
    const struct interface *interface = traffic->interface;
    const struct net_hello ours = {
        .layer = interface->layer, .mtu = interface->mtu, .offloads = offloads_taken(traffic)};
    uint8_t bytes[NET_HELLO_BYTES];
    struct net_hello theirs;
    ptrdiff_t result = crossvm_channel_connect(traffic->channel, deadline);

    if (result < 0)
        return (int)result;
    net_hello_put(bytes, &ours);
    result = crossvm_channel_send(traffic->channel, bytes, sizeof(bytes), deadline);
    if (result >= 0)
        result = take_hello(traffic, &theirs, deadline);
    if (result < 0)
        return (int)result;
    if (theirs.mtu != interface->mtu)
        message(
            "the network interface %s has an MTU of %u, and the other end's has %u: longer packets than the smaller "
            "one may be lost",
            interface->name, interface->mtu, theirs.mtu);
    return interface_leave_work(interface, theirs.offloads & ours.offloads) || interface_set_carrier(interface, true)
               ? -EIO
               : 0;
}

/* --- carrying --- */

static int interface_failed(const struct traffic *traffic)
{
    message("cannot read the network interface %s: %s", traffic->interface->name, error_reason(errno));
    return -EIO;
}

/* Reads frames into the ring. Returns how many, or what ends the session. */
static int send_frames(struct traffic *traffic)
{
    int count = 0;

    for (; count < TURN && !traffic->waiting; count++) {
        void *room;
        ptrdiff_t length = crossvm_channel_reserve(traffic->channel, &room, traffic->longest + 1, CROSSVM_NOW);

        traffic->full = length == -EAGAIN;
        if (traffic->full)
            break;
        if (length < 0)
            return (int)length;
        length = read(traffic->interface->fd, room, (size_t)length);
        if (length < 0 && errno != EAGAIN && errno != EINTR)
            return interface_failed(traffic);
        traffic->waiting = length <= 0;
        if (length > 0 && (size_t)length <= traffic->longest)
            (void)crossvm_channel_commit_more(traffic->channel, (size_t)length);
    }
    if (count > 0)
        crossvm_channel_flush(traffic->channel);
    return traffic->waiting && count > 0 ? count - 1 : count;
}

/* Gives the interface what has come. Returns how many frames, or what ends the session. */
static int take_frames(struct traffic *traffic)
{
    int count = 0;

    for (; count < TURN; count++) {
        const void *frame;
        ptrdiff_t length = crossvm_channel_peek(traffic->channel, &frame, CROSSVM_NOW);

        if (length == -EAGAIN)
            break;
        if (length < 0)
            return (int)length;
        /* A frame that the kernel finds wrong, or has no memory for, or that meets an interface that is down, is lost,
         * as on any network. */
        (void)!write(traffic->interface->fd, frame, (size_t)length);
        (void)crossvm_channel_release(traffic->channel, (size_t)length);
    }
    return count;
}

/* Sleeps until either has something. Returns 0, or what ends the session. */
static int await_frames(struct traffic *traffic)
{
    struct pollfd fds[] = {
        {.fd = traffic->full ? -1 : traffic->interface->fd, .events = POLLIN},
        {.fd = crossvm_channel_fd(traffic->channel), .events = POLLIN},
    };
    unsigned int events = CROSSVM_CHANNEL_IN | (traffic->full ? CROSSVM_CHANNEL_OUT : 0);
    int timeout_ms, ready = crossvm_channel_prepare(traffic->channel, events, &timeout_ms);

    if (ready < 0)
        return ready;
    if (poll(fds, 2, ready ? 0 : timeout_ms) < 0 && errno != EINTR) {
        message("cannot wait for the network interface %s: %s", traffic->interface->name, error_reason(errno));
        return -EIO;
    }
    if (fds[0].revents & (POLLERR | POLLNVAL)) {
        errno = ENODEV;
        return interface_failed(traffic);
    }
    if (!traffic->full)
        traffic->waiting = !fds[0].revents;
    traffic->full = false; /* to be looked at again */
    return 0;
}

int traffic_carry(struct traffic *traffic, crossvm_deadline_t deadline)
{
    int result;

    traffic->complaint = NULL;
    traffic->full = false;
    traffic->waiting = true;
    result = greet(traffic, deadline);
    while (result >= 0 && !*traffic->stop) {
        int sent = send_frames(traffic), taken = sent < 0 ? sent : take_frames(traffic);

        result = taken;
        if (taken > 0)
            traffic->waiting = false; /* most often, what has come is answered */
        if (taken >= 0 && sent + taken == 0)
            result = await_frames(traffic);
    }
    (void)interface_set_carrier(traffic->interface, false);
    return result < 0 ? result : -EINTR;
}
