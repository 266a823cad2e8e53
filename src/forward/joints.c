/* SPDX-License-Identifier: BSD-2-Clause */
#include "joints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/message.h"

#define LEAST_WINDOW 0x4000 /* also what may come before the target has answered */
#define MEMORY_SHARE 128    /* a socket gets at most this part of the memory that is left */

/*
 * What a segment of TCP holds on the loopback interface: its MTU without the headers of IPv6 and of TCP with a
 * timestamp. What the kernel is given beyond that goes as a segment of its own, with all that a segment costs.
 */
#define TCP_SEGMENT (65536 - 40 - 20 - 12)

/* --- life --- */

bool joints_init(struct joints *joints, const struct joints_config *config)
{
    *joints = (struct joints){
        .rules = config->rules,
        .connection = config->connection,
        .epoll = config->epoll,
        .memory_left = config->memory,
        .window = config->window,
    };
    return protocol_init(&joints->protocol, config->sockets, LEAST_WINDOW);
}

void joints_free(struct joints *joints)
{
    joints_end(joints);
    joints_bury(joints);
    protocol_free(&joints->protocol);
}

/* The more there are, the less each gets: the first ones leave room for many. */
static uint32_t next_window(const struct joints *joints)
{
    uint64_t share = joints->memory_left / MEMORY_SHARE;

    if (share < LEAST_WINDOW)
        share = joints->memory_left < LEAST_WINDOW ? 0 : LEAST_WINDOW;
    return share < joints->window ? (uint32_t)share : joints->window;
}

static struct joint *make_joint(struct joints *joints)
{
    struct joint *joint = calloc(1, sizeof(*joint));

    if (!joint)
        return NULL;
    joint->joints = joints;
    joint->window = next_window(joints);
    joints->memory_left -= joint->window;
    joint->next = joints->all;
    if (joints->all)
        joints->all->before = joint;
    joints->all = joint;
    return joint;
}

static void leave_row(struct joint *joint)
{
    struct joints *joints = joint->joints;
    struct joint **link = &joints->first, *before = NULL;

    if (!joint->in_row)
        return;
    while (*link != joint) {
        before = *link;
        link = &before->next_in_row;
    }
    *link = joint->next_in_row;
    if (joints->last == joint)
        joints->last = before;
    joint->in_row = false;
}

static void enter_row(struct joint *joint)
{
    struct joints *joints = joint->joints;

    joint->in_row = true;
    joint->next_in_row = NULL;
    if (joints->last)
        joints->last->next_in_row = joint;
    else
        joints->first = joint;
    joints->last = joint;
}

/* Other processes may have standard input and output open, too, and until none has the epoll would go on with them. */
static void unwatch_standard(const struct joint *joint)
{
    (void)epoll_ctl(joint->joints->epoll, EPOLL_CTL_DEL, joint->socket.in, NULL);
    (void)epoll_ctl(joint->joints->epoll, EPOLL_CTL_DEL, joint->socket.out, NULL);
}

/* Ends a joint; its flow goes on until the peer has heard of that. */
static void end_joint(struct joint *joint, uint32_t reason)
{
    struct joints *joints = joint->joints;

    leave_row(joint);
    if (joint == joints->standard) {
        joints->standard_is_over = true;
        joints->standard_reason = reason;
        unwatch_standard(joint);
    }
    local_socket_close(&joint->socket, reason != 0);
    joints->memory_left += joint->window;
    if (joint->before)
        joint->before->next = joint->next;
    else
        joints->all = joint->next;
    if (joint->next)
        joint->next->before = joint->before;
    joint->watch.ready = joint->output_watch.ready = NULL;
    joint->next = joints->dead;
    joints->dead = joint;
}

static void close_joint(struct joint *joint, uint32_t reason)
{
    protocol_close(&joint->joints->protocol, joint->flow, reason);
    end_joint(joint, reason);
}

void joints_end(struct joints *joints)
{
    while (joints->all)
        end_joint(joints->all, ECONNRESET);
}

void joints_bury(struct joints *joints)
{
    while (joints->dead) {
        struct joint *joint = joints->dead;

        joints->dead = joint->next;
        free(joint);
    }
}

/* --- what sockets are ready for --- */

/* Lets a joint take its turn when it may have something to send, and may send it. */
static void consider_sending(struct joint *joint)
{
    if (!joint->in_row && joint->socket.readable && !joint->socket.connecting && flow_room(joint->flow) >= 0)
        enter_row(joint);
}

static void end_if_finished(struct joint *joint)
{
    if (joint->flow->ending && joint->flow->ended && joint->socket.output_ended)
        close_joint(joint, 0);
}

/* The program at the other side of the socket takes nothing any more. What it sent before is still to be read. */
static void fail_output(struct joint *joint, uint32_t error)
{
    struct local_socket *socket = &joint->socket;

    if (socket->in != socket->out || joint->flow->ending) {
        close_joint(joint, error);
        return;
    }
    joint->failed = error;
    socket->start = socket->end;
    socket->readable = socket->hung_up = true;
    consider_sending(joint);
}

/* Writes what is kept. */
static void flush(struct joint *joint)
{
    struct local_socket *socket = &joint->socket;

    while (local_socket_keeps(socket) && !joint->failed) {
        ssize_t taken = local_socket_flush(socket);

        if (taken == -EAGAIN)
            return;
        if (taken < 0) {
            fail_output(joint, (uint32_t)-taken);
            return;
        }
        protocol_take(&joint->joints->protocol, joint->flow, (size_t)taken);
    }
    if (socket->end_wanted && !joint->failed) {
        local_socket_end_output(socket);
        end_if_finished(joint);
    }
}

static void accept_flow(struct joint *joint)
{
    joint->socket.connecting = false;
    protocol_accept(&joint->joints->protocol, joint->flow, joint->window);
    consider_sending(joint);
}

/* The target has answered. */
static void finish_connecting(struct joint *joint)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (getsockopt(joint->socket.in, SOL_SOCKET, SO_ERROR, &error, &length))
        error = errno;
    if (error)
        close_joint(joint, (uint32_t)error);
    else
        accept_flow(joint);
}

static void output_ready(struct joint *joint, uint32_t events)
{
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        flush(joint);
}

static void standard_output_ready(struct watch *watch, uint32_t events)
{
    output_ready((struct joint *)(void *)((char *)watch - offsetof(struct joint, output_watch)), events);
}

static void input_ready(struct watch *watch, uint32_t events)
{
    struct joint *joint = (struct joint *)watch;

    if (joint->socket.connecting) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            finish_connecting(joint);
        if (!joint->watch.ready || joint->socket.connecting)
            return;
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        joint->socket.readable = true;
        joint->socket.hung_up |= (events & ~(uint32_t)(EPOLLIN | EPOLLOUT)) != 0;
        consider_sending(joint);
    }
    if (joint->socket.in == joint->socket.out)
        output_ready(joint, events);
}

/* A file is always ready, and cannot be watched. False with errno. */
static bool watch_descriptor(struct joints *joints, int fd, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = watch};

    return epoll_ctl(joints->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EPERM;
}

static bool watch_socket(struct joint *joint)
{
    struct local_socket *socket = &joint->socket;

    joint->watch.ready = input_ready;
    if (socket->in == socket->out)
        return watch_descriptor(joint->joints, socket->in, &joint->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    joint->output_watch.ready = standard_output_ready;
    return watch_descriptor(joint->joints, socket->in, &joint->watch, EPOLLIN | EPOLLRDHUP) &&
           watch_descriptor(joint->joints, socket->out, &joint->output_watch, EPOLLOUT);
}

/* --- opening --- */

bool joints_have_room(const struct joints *joints)
{
    return protocol_can_open(&joints->protocol) && next_window(joints) > 0;
}

static void open_flow(struct joint *joint, enum frame_kind kind, const char *target)
{
    joint->flow = protocol_open(&joint->joints->protocol, kind, target, joint->window);
    joint->flow->owner = joint;
}

static enum frame_kind kind_of(const struct address *address)
{
    return address->type == SOCK_SEQPACKET ? FRAME_SEQPACKET : FRAME_STREAM;
}

void joints_take_client(struct joints *joints, int fd, const struct rule_listen *listen)
{
    const int family = listen->address.socket.any.sa_family;
    struct joint *joint = make_joint(joints);

    if (!joint) {
        (void)close(fd); /* the client sees its connection end */
        return;
    }
    address_set_up(fd, family);
    local_socket_init(&joint->socket, fd, family, listen->address.type);
    open_flow(joint, kind_of(&listen->address), listen->target);
    if (watch_socket(joint))
        consider_sending(joint);
    else
        close_joint(joint, (uint32_t)errno);
}

bool joints_take_standard(struct joints *joints, struct local_socket *standard, const char *target)
{
    struct joint *joint = make_joint(joints);

    if (!joint) {
        message("no memory for standard input and output");
        return false;
    }
    joints->standard = joint;
    joint->socket = *standard;
    standard->in = standard->out = -1;
    (void)close(STDIN_FILENO);
    (void)close(STDOUT_FILENO);
    open_flow(joint, FRAME_STREAM, target);
    if (watch_socket(joint)) {
        consider_sending(joint);
        return true;
    }
    message("cannot watch standard input and output: %s", error_reason(errno));
    close_joint(joint, EIO);
    return false;
}

/* Connects to the target that the peer wants. 0, or an errno value. */
static uint32_t connect_flow(struct joints *joints, struct flow *flow, const char *target)
{
    const struct address *address = rules_find(joints->rules, target);
    struct joint *joint;
    bool connecting;
    int fd;

    if (!address)
        return EACCES;
    if (kind_of(address) != (enum frame_kind)flow->kind)
        return EPROTOTYPE;
    if (next_window(joints) == 0)
        return ENOBUFS;
    fd = address_connect(address, &connecting);
    if (fd < 0)
        return (uint32_t)errno;
    joint = make_joint(joints);
    if (!joint) {
        (void)close(fd);
        return ENOMEM;
    }
    local_socket_init(&joint->socket, fd, address->socket.any.sa_family, address->type);
    joint->flow = flow;
    flow->owner = joint;
    joint->socket.connecting = connecting;
    if (!watch_socket(joint))
        close_joint(joint, (uint32_t)errno);
    else if (!connecting)
        accept_flow(joint);
    return 0;
}

/* --- frames of the peer --- */

void joints_complain(const struct joints *joints, const char *target, uint32_t reason)
{
    if (reason == EACCES)
        message("the other end of connection \"%s\" does not allow target \"%s\": it needs the option --allow for it",
                joints->connection, target);
    else
        message("target \"%s\" at the other end of connection \"%s\": %s", target, joints->connection,
                strerror((int)reason));
}

/* A peer can refuse as often as it likes, and clients can ask as often. */
static void report_refusal(struct joints *joints, const struct flow *flow, uint32_t reason)
{
    int64_t now = now_ns();

    if (now < joints->quiet_until_ns)
        return;
    joints->quiet_until_ns = now + 1000000000;
    joints_complain(joints, flow->target, reason);
}

static void receive_data(struct joint *joint, const struct protocol_event *event)
{
    struct protocol *protocol = &joint->joints->protocol;
    ssize_t taken =
        joint->failed ? (ssize_t)event->length : local_socket_write(&joint->socket, event->bytes, event->length);

    if (taken == -EAGAIN) /* a packet is kept */
        return;
    if (taken >= 0) {
        if (taken > 0 || event->length == 0)
            protocol_take(protocol, joint->flow, (size_t)taken);
        return;
    }
    if (taken == -ENOMEM) {
        close_joint(joint, ENOMEM);
        return;
    }
    protocol_take(protocol, joint->flow, event->length);
    fail_output(joint, (uint32_t)-taken);
}

static void receive_close(struct joint *joint, const struct protocol_event *event, bool was_accepted)
{
    if (event->reason == 0) /* what is kept is still to be written */
        return;
    if (!was_accepted && joint->flow->ours && joint != joint->joints->standard)
        report_refusal(joint->joints, joint->flow, event->reason);
    close_joint(joint, event->reason);
}

int joints_receive(struct joints *joints, const void *bytes, size_t length)
{
    struct protocol_event event;
    struct joint *joint;
    uint32_t refused;

    if (protocol_receive(&joints->protocol, bytes, length, &event))
        return -EPROTO;
    if (event.type == PROTOCOL_NOTHING || event.type == PROTOCOL_READY)
        return 0;
    joint = event.flow->owner;
    switch (event.type) {
    case PROTOCOL_OPENED:
        refused = connect_flow(joints, event.flow, event.target);
        if (refused)
            protocol_close(&joints->protocol, event.flow, refused);
        break;
    case PROTOCOL_DATA:
        receive_data(joint, &event);
        break;
    case PROTOCOL_ENDED:
        local_socket_end_output(&joint->socket);
        end_if_finished(joint);
        break;
    case PROTOCOL_CLOSED:
        receive_close(joint, &event, event.flow->state == FLOW_OPEN);
        break;
    default: /* accepted, or more credit */
        consider_sending(joint);
    }
    return 0;
}

/* --- frames for the peer --- */

/* A packet is sent whole: -EBUSY when it has to wait for more of the window. */
static ssize_t check_next_packet(struct joint *joint, size_t size)
{
    ssize_t length = local_socket_next_packet(&joint->socket);

    if (length < 0)
        return length;
    if (length > flow_longest_packet(joint->flow) || (size_t)length > size)
        return -EMSGSIZE;
    return length > flow_room(joint->flow) ? -EBUSY : 0;
}

/* A packet is sent whole, and only the look at it tells how long it is. */
static size_t most_of(const struct local_socket *socket, size_t room)
{
    if (socket->packets)
        return SIZE_MAX;
    return socket->tcp && room > TCP_SEGMENT ? TCP_SEGMENT : room;
}

size_t joints_next_length(struct joints *joints)
{
    while (joints->first) {
        int64_t room = flow_room(joints->first->flow);

        if (room >= 0)
            return most_of(&joints->first->socket, (size_t)room);
        leave_row(joints->first);
    }
    return 0;
}

/* The socket has nothing to send: an error, its end, or nothing at present. */
static void stop_sending(struct joint *joint, ssize_t error)
{
    if (error == -EAGAIN)
        joint->socket.readable = false;
    else if (error < 0 || joint->failed)
        close_joint(joint, error < 0 ? (uint32_t)-error : joint->failed);
    else {
        joint->socket.readable = false;
        protocol_end(&joint->joints->protocol, joint->flow);
        end_if_finished(joint);
    }
}

size_t joints_make_data(struct joints *joints, void *frame, size_t size)
{
    struct joint *joint = joints->first;
    ssize_t length = 0;
    bool at_end = false;

    leave_row(joint);
    if (joint->socket.packets)
        length = check_next_packet(joint, size);
    if (length == -EBUSY) /* credit brings it back into the row */
        return 0;
    if (length == 0)
        length = local_socket_read(&joint->socket, (uint8_t *)frame + FRAME_HEADER_BYTES, size, &at_end);
    if (length < 0 || at_end) {
        stop_sending(joint, length);
        return 0;
    }
    protocol_write_data(joint->flow, frame, (size_t)length);
    consider_sending(joint);
    return FRAME_HEADER_BYTES + (size_t)length;
}
