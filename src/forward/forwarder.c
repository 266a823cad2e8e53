/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One loop in one thread. What sockets have goes straight into the ring, and what is in the ring straight to sockets,
 * as long as something moves. Then the loop sleeps, on the channel and all sockets together.
 */
#include "forwarder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "joints.h"

#define MOST_DATA 0x10000   /* bytes of a frame: longer ones would keep a ring from taking turns */
#define FRAMES_OF_A_TURN 16 /* in each direction, before the other one is looked at */
#define UNTOLD_DATA 0x40000 /* bytes, before the peer is told of them: meanwhile it could work already */
#define TURNS_OF_A_LOOK 16  /* before sockets are looked at */
#define LOOKS_OF_A_WAKE 16  /* before the peer is looked after */
#define EVENTS_OF_A_LOOK 64
#define RETRY_MS 100        /* after a client that could not be accepted */
#define PAUSE_NS 1000000000 /* after a peer that broke the protocol: it may come again at once, and for ever */
#define STILL_RUNNING (-1)

struct listener {
    struct watch watch;
    struct forwarder *forwarder;
    const struct rule_listen *rule;
    bool ready; /* there may be a client */
};

struct forwarder {
    struct forwarder_config config;
    struct joints joints;
    int epoll;
    struct watch channel_watch, stop_watch;
    struct listener listeners[RULES_MOST];
    struct local_socket standard; /* until the peer is there */
    size_t most_data;
    uint64_t session; /* of the channel, that this forwarder knows */
    bool in_session;
    bool full;               /* the ring had no room */
    size_t untold;           /* bytes in the ring of which the peer was not told */
    int64_t paused_until_ns; /* 0: not paused */
    bool starved;            /* a client waits that could not be accepted */
    int64_t quiet_until_ns;  /* ... of which this was said */
    int status;              /* STILL_RUNNING, or how the forwarder ends */
};

static const char *name_of(const struct forwarder *forwarder)
{
    return crossvm_name(crossvm_channel_get_end(forwarder->config.channel));
}

/* --- sessions --- */

static void end(struct forwarder *forwarder, int status)
{
    if (forwarder->status == STILL_RUNNING)
        forwarder->status = status;
}

static void begin_session(struct forwarder *forwarder)
{
    forwarder->session = crossvm_channel_session(forwarder->config.channel);
    forwarder->in_session = true;
    forwarder->config.deadline = CROSSVM_FOREVER;
    protocol_start(&forwarder->joints.protocol);
}

/* How the forwarder ends once standard input and output do. */
static void end_with_standard(struct forwarder *forwarder)
{
    const struct joints *joints = &forwarder->joints;

    if (joints->standard_reason)
        joints_complain(joints, forwarder->config.standard, joints->standard_reason);
    end(forwarder, joints->standard_reason ? STATUS_ERROR : STATUS_OK);
}

/* The peer has left, or does not fit. All sockets end; the next session has new ones. */
static void end_session(struct forwarder *forwarder, ptrdiff_t error, const char *sentence)
{
    crossvm_channel_t *channel = forwarder->config.channel;

    joints_end(&forwarder->joints);
    forwarder->in_session = false;
    forwarder->full = false;
    if (forwarder->joints.standard_is_over)
        end_with_standard(forwarder);
    if (error == -EPROTO) {
        message("connection \"%s\": %s", name_of(forwarder), sentence);
        crossvm_channel_close(channel);
        forwarder->paused_until_ns = now_ns() + PAUSE_NS;
    } else {
        crossvm_channel_open(channel);
    }
}

/* Whether the channel is in a session that this forwarder knows. */
static bool look_at_session(struct forwarder *forwarder)
{
    crossvm_channel_t *channel = forwarder->config.channel;

    if (forwarder->in_session)
        return true;
    if (forwarder->paused_until_ns) {
        if (now_ns() < forwarder->paused_until_ns)
            return false;
        forwarder->paused_until_ns = 0;
        crossvm_channel_open(channel);
    }
    if (crossvm_channel_connect(channel, CROSSVM_NOW) == -EPROTO)
        end_session(forwarder, -EPROTO, crossvm_strerror());
    else if (crossvm_channel_session(channel) != forwarder->session)
        begin_session(forwarder);
    return forwarder->in_session;
}

/* --- moving --- */

/* Whether something was received. */
static bool receive(struct forwarder *forwarder)
{
    crossvm_channel_t *channel = forwarder->config.channel;
    unsigned int frames = 0;

    for (; frames < FRAMES_OF_A_TURN; frames++) {
        const void *frame;
        ptrdiff_t length = crossvm_channel_peek(channel, &frame, CROSSVM_NOW);

        if (length == -EAGAIN || length == -EINTR)
            break;
        if (length < 0) {
            end_session(forwarder, length, crossvm_strerror());
            return true;
        }
        if (joints_receive(&forwarder->joints, frame, (size_t)length)) {
            end_session(forwarder, -EPROTO, forwarder->joints.protocol.reason);
            return true;
        }
        (void)crossvm_channel_release(channel, (size_t)length);
    }
    return frames > 0;
}

/* Room in the ring, or NULL: then the ring is full, or the session is over, which receive() finds. */
static void *reserve(struct forwarder *forwarder, size_t length)
{
    void *room;
    ptrdiff_t there = crossvm_channel_reserve(forwarder->config.channel, &room, length, CROSSVM_NOW);

    forwarder->full = there < 0;
    return there < 0 ? NULL : room;
}

static void tell(struct forwarder *forwarder)
{
    if (forwarder->untold > 0)
        crossvm_channel_flush(forwarder->config.channel);
    forwarder->untold = 0;
}

/*
 * Sends what was written into reserved memory, and tells the peer later: to wake it costs more than a frame, and in a
 * guest it is an exit to the VMM, after which the peer may find just this one.
 */
static void commit(struct forwarder *forwarder, size_t length)
{
    (void)crossvm_channel_commit_more(forwarder->config.channel, length);
    forwarder->untold += length;
    if (forwarder->untold >= UNTOLD_DATA)
        tell(forwarder);
}

/* What the protocol has to say comes first. Whether all of it is said. */
static bool send_control(struct forwarder *forwarder)
{
    struct protocol *protocol = &forwarder->joints.protocol;

    while (protocol_is_due(protocol)) {
        void *room = reserve(forwarder, FRAME_CONTROL_BYTES);

        if (!room)
            return false;
        commit(forwarder, protocol_write(protocol, room));
    }
    return true;
}

static bool send_data(struct forwarder *forwarder)
{
    size_t length = joints_next_length(&forwarder->joints);
    void *room;

    if (length == 0)
        return false;
    if (length > forwarder->most_data)
        length = forwarder->most_data;
    room = reserve(forwarder, FRAME_HEADER_BYTES + length);
    if (!room)
        return false;
    length = joints_make_data(&forwarder->joints, room, length);
    if (length > 0)
        commit(forwarder, length);
    return true;
}

/* Whether something was sent. */
static bool send_frames(struct forwarder *forwarder)
{
    bool sent = false;

    for (unsigned int frames = 0; frames < FRAMES_OF_A_TURN; frames++) {
        if (!send_control(forwarder) || !send_data(forwarder))
            break;
        sent = true;
    }
    tell(forwarder);
    return sent;
}

/* The client stays in the queue, of which the epoll does not tell again. */
static void cannot_accept(struct forwarder *forwarder, const struct listener *listener, int error)
{
    const int64_t now = now_ns();
    char text[ADDRESS_TEXT_BYTES];

    forwarder->starved = true;
    if (now < forwarder->quiet_until_ns)
        return;
    forwarder->quiet_until_ns = now + PAUSE_NS;
    message("cannot accept a client at %s for now: %s", address_format(text, &listener->rule->address),
            error_reason(error));
}

/* Lets clients in while there is room. The others wait in the queue of the listening socket. */
static void accept_clients(struct forwarder *forwarder)
{
    const struct rules *rules = forwarder->config.rules;

    forwarder->starved = false;
    for (size_t i = 0; i < rules->num_listens; i++) {
        struct listener *listener = &forwarder->listeners[i];

        while (listener->ready && joints_have_room(&forwarder->joints)) {
            int fd = accept4(listener->rule->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

            if (fd >= 0) {
                joints_take_client(&forwarder->joints, fd, listener->rule);
            } else if (errno == EAGAIN) {
                listener->ready = false;
            } else if (errno != ECONNABORTED && errno != EINTR) {
                cannot_accept(forwarder, listener, errno);
                break;
            }
        }
    }
}

static void start_standard(struct forwarder *forwarder)
{
    struct joints *joints = &forwarder->joints;

    if (!forwarder->config.standard || joints->standard || !protocol_can_open(&joints->protocol))
        return;
    if (!joints_take_standard(joints, &forwarder->standard, forwarder->config.standard))
        end(forwarder, STATUS_ERROR);
}

/* Whether something has moved. */
static bool move(struct forwarder *forwarder)
{
    bool moved;

    if (!look_at_session(forwarder))
        return false;
    moved = receive(forwarder);
    if (!forwarder->in_session)
        return false;
    start_standard(forwarder);
    accept_clients(forwarder);
    moved |= send_frames(forwarder);
    /* The peer has to hear of the end of the socket before this process ends. */
    if (forwarder->joints.standard_is_over && !protocol_is_due(&forwarder->joints.protocol))
        end_with_standard(forwarder);
    return moved;
}

/* --- the loop --- */

static void channel_ready(struct watch *watch, uint32_t events)
{
    (void)watch; /* the loop looks at the channel in any case */
    (void)events;
}

static void stop_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    end((struct forwarder *)(void *)((char *)watch - offsetof(struct forwarder, stop_watch)), STATUS_OK);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    ((struct listener *)watch)->ready = true;
}

/* Asks the peer for an event, and looks whether it is there. Returns how long to sleep, in milliseconds. */
static int prepare_to_sleep(struct forwarder *forwarder)
{
    const bool paused = forwarder->paused_until_ns;
    const unsigned int events = paused ? 0 : CROSSVM_CHANNEL_IN | (forwarder->full ? CROSSVM_CHANNEL_OUT : 0);
    int timeout_ms, ready;

    ready = crossvm_channel_prepare(forwarder->config.channel, events, &timeout_ms);
    if (ready < 0) {
        message("%s", crossvm_strerror());
        end(forwarder, STATUS_ERROR);
    }
    if (paused)
        return poll_until_ms(forwarder->paused_until_ns / 1000000 + 1, now_ms());
    if (forwarder->starved && (timeout_ms < 0 || timeout_ms > RETRY_MS))
        timeout_ms = RETRY_MS;
    return ready ? 0 : timeout_ms;
}

/* Nobody came in time, or how long it may still take. */
static int await_peer(struct forwarder *forwarder, int timeout_ms)
{
    const crossvm_deadline_t deadline = forwarder->config.deadline;
    int64_t left_ms = (deadline.ns - now_ns()) / 1000000 + 1;

    if (crossvm_deadline_is_forever(deadline))
        return timeout_ms;
    if (now_ns() >= deadline.ns) {
        message("the other end of connection \"%s\" did not come in time", name_of(forwarder));
        end(forwarder, STATUS_TIMEOUT);
        return 0;
    }
    if (left_ms > INT_MAX)
        left_ms = INT_MAX;
    return timeout_ms < 0 || left_ms < timeout_ms ? (int)left_ms : timeout_ms;
}

static void look_at_sockets(struct forwarder *forwarder, int timeout_ms)
{
    struct epoll_event events[EVENTS_OF_A_LOOK];
    int n = epoll_wait(forwarder->epoll, events, EVENTS_OF_A_LOOK, timeout_ms);

    if (n < 0 && errno != EINTR) {
        message("cannot wait for sockets: %s", error_reason(errno));
        end(forwarder, STATUS_ERROR);
    }
    for (int i = 0; i < n; i++) {
        struct watch *watch = events[i].data.ptr;

        if (watch->ready)
            watch->ready(watch, events[i].events);
    }
    joints_bury(&forwarder->joints);
}

static bool is_running(const struct forwarder *forwarder)
{
    return forwarder->status == STILL_RUNNING;
}

int forwarder_run(struct forwarder *forwarder)
{
    unsigned int looks = 0;

    while (is_running(forwarder)) {
        bool moved = true;
        int timeout_ms = 0;

        for (unsigned int turns = 0; turns < TURNS_OF_A_LOOK && moved && is_running(forwarder); turns++)
            moved = move(forwarder);
        if (is_running(forwarder) && (!moved || looks++ % LOOKS_OF_A_WAKE == 0))
            timeout_ms = prepare_to_sleep(forwarder);
        if (is_running(forwarder))
            timeout_ms = await_peer(forwarder, moved ? 0 : timeout_ms);
        if (is_running(forwarder))
            look_at_sockets(forwarder, timeout_ms);
    }
    return forwarder->status;
}

/* --- life --- */

static bool watch(struct forwarder *forwarder, int fd, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(forwarder->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool watch_all(struct forwarder *forwarder)
{
    const struct rules *rules = forwarder->config.rules;
    bool well;

    forwarder->channel_watch.ready = channel_ready;
    forwarder->stop_watch.ready = stop_ready;
    well = watch(forwarder, crossvm_channel_fd(forwarder->config.channel), &forwarder->channel_watch, EPOLLIN) &&
           watch(forwarder, forwarder->config.stop, &forwarder->stop_watch, EPOLLIN);
    for (size_t i = 0; i < rules->num_listens && well; i++) {
        struct listener *listener = &forwarder->listeners[i];

        *listener = (struct listener){
            .watch.ready = listener_ready, .forwarder = forwarder, .rule = &rules->listens[i], .ready = true};
        well = watch(forwarder, rules->listens[i].fd, &listener->watch, EPOLLIN | EPOLLET);
    }
    return well;
}

static size_t most_data(const crossvm_channel_t *channel)
{
    size_t most = crossvm_channel_max_message(channel) - FRAME_HEADER_BYTES;

    return most < MOST_DATA ? most : MOST_DATA;
}

struct forwarder *forwarder_create(const struct forwarder_config *config)
{
    struct forwarder *forwarder = calloc(1, sizeof(*forwarder));
    struct joints_config joints = {
        .rules = config->rules,
        .connection = crossvm_name(crossvm_channel_get_end(config->channel)),
        .sockets = config->sockets,
        .memory = config->memory,
        .window = config->window,
    };

    if (!forwarder) {
        message("no memory for a forwarder");
        return NULL;
    }
    forwarder->config = *config;
    forwarder->status = STILL_RUNNING;
    forwarder->most_data = most_data(config->channel);
    forwarder->standard.in = forwarder->standard.out = -1;
    forwarder->epoll = joints.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (config->standard && !local_socket_init_standard(&forwarder->standard))
        ; /* it has told why */
    else if (forwarder->epoll < 0 || !watch_all(forwarder))
        message("cannot watch sockets: %s", error_reason(errno));
    else if (!joints_init(&forwarder->joints, &joints))
        message("no memory for %u sockets", config->sockets);
    else
        return forwarder;
    forwarder_destroy(forwarder);
    return NULL;
}

void forwarder_destroy(struct forwarder *forwarder)
{
    if (!forwarder)
        return;
    joints_free(&forwarder->joints);
    local_socket_close(&forwarder->standard, false);
    if (forwarder->epoll >= 0)
        close(forwarder->epoll);
    free(forwarder);
}
