/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a channel, in any sequence of calls, beside a model in which each direction is a queue. What is sent
 * arrives once, whole and in order. What is refused had to be refused. An end that asked for an event has got one when
 * there is reason to look. Whatever came before, two ends that open find each other.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include <crossvm/channel.h>

#define MOST_BYTES 8200 /* of a dataport */
#define MOST_ITEMS 2048 /* of a queue: more than a ring has room for */
#define NOTHING (-1)

/** From one end to the other. It counts datagrams, or the bytes of a stream. */
struct queue {
    uint32_t sent;
    uint32_t told; /* at least so many the receiver can know of */
    uint32_t taken;
    uint16_t lengths[MOST_ITEMS]; /* of datagrams */
};

struct end {
    crossvm_channel_t channel;
    struct queue queue; /* of what it sends */
    unsigned int opening;
    unsigned int partner; /* opening of the peer that it is, or was, in a session with; 0: none yet */
    uint64_t sessions;
    bool is_open;
    bool shut;      /* it sends nothing more */
    bool over;      /* it has said that nothing more comes */
    bool is_alone;  /* it was told that nobody is at the other end */
    bool was_alone; /* the same, at some time in this opening */
    bool pending;   /* an event came, and it did not look since */
    unsigned int armed;
    ptrdiff_t reserved, shown; /* by the last call; else NOTHING */
};

static struct end ends[2];
static unsigned int mode;
static uint8_t *memory;
static uint8_t buffer[MOST_BYTES];

static bool is_stream(void)
{
    return mode == CROSSVM_CHANNEL_STREAM;
}

static struct end *peer_of(const struct end *end)
{
    return &ends[end == &ends[0]];
}

/* --- queues --- */

static uint8_t content(uint32_t item, size_t i)
{
    return (uint8_t)(is_stream() ? (item + i) * 7 + ((item + i) >> 8) : item * 13 + i * 7);
}

static void fill(uint8_t *bytes, size_t length, uint32_t item)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = content(item, i);
}

static void require_filled(const uint8_t *bytes, size_t length, uint32_t item)
{
    for (size_t i = 0; i < length; i++)
        REQUIRE(bytes[i] == content(item, i));
}

static uint32_t left(const struct queue *queue)
{
    return queue->sent - queue->taken;
}

static void forget(struct queue *queue)
{
    queue->taken = queue->told = queue->sent;
}

/* Whether what an end sends now gets to the peer: both know each other, as far as the sender can tell. */
static bool arrives(const struct end *end)
{
    const struct end *peer = peer_of(end);

    return end->partner == peer->opening && peer->is_open && (peer->partner == end->opening || peer->partner == 0) &&
           !peer->over;
}

/* An end has sent a datagram, or bytes. */
static void push(struct end *end, size_t length)
{
    struct queue *queue = &end->queue;

    if (!arrives(end))
        return;
    if (!is_stream())
        queue->lengths[queue->sent % MOST_ITEMS] = (uint16_t)length;
    queue->sent += is_stream() ? (uint32_t)length : 1;
    REQUIRE(is_stream() || left(queue) <= MOST_ITEMS);
}

/* What an end has received is what the peer has sent next. */
static void pull(const struct end *end, const void *bytes, size_t length)
{
    struct queue *queue = &peer_of(end)->queue;

    REQUIRE(left(queue) > 0 && end->partner);
    REQUIRE(is_stream() ? length <= left(queue) : length == queue->lengths[queue->taken % MOST_ITEMS]);
    require_filled(bytes, length, queue->taken);
    queue->taken += is_stream() ? (uint32_t)length : 1;
    if ((int32_t)(queue->told - queue->taken) < 0)
        queue->told = queue->taken;
}

/* The peer can see all that was sent. If it waits for that, it has an event. */
static void tell(struct end *end)
{
    const struct end *peer = peer_of(end);

    end->queue.told = end->queue.sent;
    if (peer->armed & CROSSVM_CHANNEL_IN && left(&end->queue) && arrives(end) && peer->partner)
        REQUIRE(peer->pending);
}

/* --- what calls may return --- */

/* Nothing was there to be received. */
static void require_nothing(const struct end *end)
{
    const struct end *peer = peer_of(end);

    REQUIRE(!end->partner || end->over || peer->queue.told == peer->queue.taken);
    /* The ring was found empty, and the peer knows of all space. */
    if (end->partner == peer->opening && peer->partner == end->opening && left(&peer->queue) == 0 &&
        peer->armed & CROSSVM_CHANNEL_OUT && !end->was_alone)
        REQUIRE(peer->pending);
}

/* Nothing more can come. */
static void require_end(struct end *end)
{
    const struct end *peer = peer_of(end);

    /* An end that is alone may have noticed in an earlier call, before the peer sent this. */
    REQUIRE(end->over || end->was_alone || peer->queue.told == peer->queue.taken);
    REQUIRE(end->over || end->was_alone || peer->opening != end->partner || peer->shut);
    end->over = true;
    forget(&peer_of(end)->queue);
}

static bool is_for_later(ptrdiff_t result)
{
    return result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR;
}

static void require_receiving_error(struct end *end, ptrdiff_t result)
{
    if (is_for_later(result)) {
        require_nothing(end);
    } else if (result == -ENOTCONN) {
        REQUIRE(!end->is_open);
    } else {
        REQUIRE(result == -EPIPE && end->is_open);
        require_end(end);
    }
}

static void require_sending_error(const struct end *end, ptrdiff_t result)
{
    const struct end *peer = peer_of(end);
    const struct queue *queue = &end->queue;

    if (is_for_later(result)) {
        if (!end->partner || !arrives(end) || peer->was_alone)
            return;
        REQUIRE(is_stream() ? left(queue) >= end->channel.ring_bytes - end->channel.withhold : left(queue) > 0);
    } else if (result == -ENOTCONN) {
        REQUIRE(!end->is_open);
    } else {
        REQUIRE(result == -EPIPE && end->is_open);
        REQUIRE(end->shut || end->was_alone || peer->opening != end->partner || !peer->is_open);
    }
}

/* --- callbacks --- */

static int emit(void *cookie)
{
    peer_of(cookie)->pending = true;
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    struct end *end = cookie;

    REQUIRE(!crossvm_deadline_is_now(deadline));
    if (end->pending) {
        end->pending = false;
        return 0;
    }
    if (limit_us)
        return -EAGAIN;
    return crossvm_deadline_is_forever(deadline) ? -EINTR : -ETIMEDOUT;
}

/* --- sending --- */

static void send(struct end *end, size_t length, crossvm_deadline_t deadline)
{
    ptrdiff_t result;

    fill(buffer, length, end->queue.sent);
    result = crossvm_channel_send(&end->channel, buffer, length, deadline);
    if (result == -EMSGSIZE) {
        REQUIRE(!is_stream() && length > crossvm_channel_max_message(&end->channel));
    } else if (result < 0) {
        require_sending_error(end, result);
    } else {
        REQUIRE(is_stream() ? result <= (ptrdiff_t)length && (result || !length) : result == (ptrdiff_t)length);
        push(end, (size_t)result);
        if (length)
            tell(end);
    }
}

static void send_many(struct end *end, size_t length, size_t count, crossvm_deadline_t deadline)
{
    ptrdiff_t result;

    for (size_t i = 0; i < count; i++)
        fill(buffer + i * length, length, end->queue.sent + (uint32_t)i);
    result = crossvm_channel_send_many(&end->channel, buffer, length, count, deadline);
    if (is_stream()) {
        REQUIRE(result == -EINVAL);
        return;
    }
    if (result < 0) {
        if (result == -EMSGSIZE)
            REQUIRE(length > crossvm_channel_max_message(&end->channel));
        else
            require_sending_error(end, result);
        return;
    }
    REQUIRE(result <= (ptrdiff_t)count && (result || !count));
    for (ptrdiff_t i = 0; i < result; i++)
        push(end, length);
    if (result)
        tell(end);
}

static void reserve(struct end *end, size_t length, crossvm_deadline_t deadline)
{
    void *room;
    ptrdiff_t result = crossvm_channel_reserve(&end->channel, &room, length, deadline);

    if (result == -EMSGSIZE) {
        REQUIRE(!is_stream() && length > crossvm_channel_max_message(&end->channel));
    } else if (result < 0) {
        require_sending_error(end, result);
    } else {
        REQUIRE(is_stream() ? result <= (ptrdiff_t)length && (result || !length) : result == (ptrdiff_t)length);
        fill(room, (size_t)result, end->queue.sent);
        end->reserved = result;
    }
}

static void commit(struct end *end, size_t length, ptrdiff_t reserved, bool at_once)
{
    if (reserved == NOTHING)
        return;
    if (length > (size_t)reserved)
        length = (size_t)reserved;
    REQUIRE((at_once ? crossvm_channel_commit : crossvm_channel_commit_more)(&end->channel, length) == 0);
    push(end, length);
    if (at_once)
        tell(end);
}

/* --- receiving --- */

static void recv(struct end *end, size_t capacity, crossvm_deadline_t deadline)
{
    ptrdiff_t result = crossvm_channel_recv(&end->channel, buffer, capacity, deadline);
    const struct queue *queue = &peer_of(end)->queue;

    if (result == -EMSGSIZE) {
        REQUIRE(!is_stream() && left(queue) && queue->lengths[queue->taken % MOST_ITEMS] > capacity);
    } else if (result < 0) {
        require_receiving_error(end, result);
    } else if (is_stream() && result == 0) {
        if (capacity)
            require_end(end);
    } else {
        REQUIRE(result <= (ptrdiff_t)capacity);
        pull(end, buffer, (size_t)result);
    }
}

static void recv_many(struct end *end, size_t capacity, size_t count, bool alike, crossvm_deadline_t deadline)
{
    uint32_t lengths[32] = {0};
    ptrdiff_t result =
        crossvm_channel_recv_many(&end->channel, buffer, capacity, alike ? NULL : lengths, count, deadline);
    const struct queue *queue = &peer_of(end)->queue;

    if (is_stream()) {
        REQUIRE(result == -EINVAL);
        return;
    }
    if (result == -EMSGSIZE) {
        REQUIRE(left(queue));
        REQUIRE(alike ? queue->lengths[queue->taken % MOST_ITEMS] != capacity
                      : queue->lengths[queue->taken % MOST_ITEMS] > capacity);
    } else if (result < 0) {
        require_receiving_error(end, result);
    } else {
        REQUIRE(result <= (ptrdiff_t)count && (result || !count));
        for (ptrdiff_t i = 0; i < result; i++)
            pull(end, buffer + (size_t)i * capacity, alike ? capacity : lengths[i]);
    }
}

static void peek(struct end *end, crossvm_deadline_t deadline)
{
    const struct queue *queue = &peer_of(end)->queue;
    const void *bytes;
    ptrdiff_t result = crossvm_channel_peek(&end->channel, &bytes, deadline);

    if (result < 0) {
        require_receiving_error(end, result);
    } else if (is_stream() && result == 0) {
        require_end(end);
    } else {
        REQUIRE(left(queue));
        REQUIRE(is_stream() ? (size_t)result <= left(queue) : result == queue->lengths[queue->taken % MOST_ITEMS]);
        require_filled(bytes, (size_t)result, queue->taken);
        end->shown = result;
    }
}

static void release(struct end *end, size_t length, ptrdiff_t shown)
{
    struct queue *queue = &peer_of(end)->queue;

    if (shown == NOTHING)
        return;
    if (is_stream() && length > (size_t)shown) {
        REQUIRE(crossvm_channel_release(&end->channel, length) == -EINVAL);
        return;
    }
    REQUIRE(crossvm_channel_release(&end->channel, length) == 0);
    queue->taken += is_stream() ? (uint32_t)length : 1;
    if ((int32_t)(queue->told - queue->taken) < 0)
        queue->told = queue->taken;
}

/* --- sessions, and waiting --- */

static void open_end(struct end *end)
{
    struct end *peer = peer_of(end);

    forget(&peer->queue);
    if (!peer->partner) /* it has not noticed this session yet, and never will */
        forget(&end->queue);
    end->opening++;
    end->partner = 0;
    end->is_open = true;
    end->shut = end->over = false;
    end->was_alone = end->is_alone;
    crossvm_channel_open(&end->channel);
    REQUIRE(peer->pending);
}

static void close_end(struct end *end)
{
    crossvm_channel_close(&end->channel);
    if (end->is_open)
        tell(end);
    forget(&peer_of(end)->queue);
    end->shut = true;
    end->is_open = false;
}

static void shut_down(struct end *end)
{
    crossvm_channel_shutdown(&end->channel);
    if (end->is_open && end->partner)
        tell(end);
    end->shut = true;
}

static void be_alone(struct end *end, bool alone)
{
    crossvm_channel_set_peer(&end->channel, !alone);
    end->is_alone = alone;
    end->was_alone |= alone;
}

static void drain(struct end *end, crossvm_deadline_t deadline)
{
    int result = crossvm_channel_drain(&end->channel, deadline);

    if (result == 0)
        REQUIRE(!end->partner || !arrives(end) || left(&end->queue) == 0);
    else if (!is_for_later(result))
        require_sending_error(end, result);
}

/* What is said to be ready is. */
static void require_ready(struct end *end, unsigned int ready)
{
    if (ready & CROSSVM_CHANNEL_OUT) {
        void *room;

        REQUIRE(!is_for_later(crossvm_channel_reserve(&end->channel, &room, is_stream(), CROSSVM_NOW)));
    }
    if (ready & CROSSVM_CHANNEL_IN) {
        const void *bytes;

        REQUIRE(!is_for_later(crossvm_channel_peek(&end->channel, &bytes, CROSSVM_NOW)));
    }
}

static void wait_for(struct end *end, unsigned int events, crossvm_deadline_t deadline)
{
    int result = crossvm_channel_wait(&end->channel, events, deadline);

    REQUIRE(result > 0 ? ((unsigned int)result & ~events) == 0 : is_for_later(result));
    if (result > 0)
        require_ready(end, (unsigned int)result);
    else if (events & CROSSVM_CHANNEL_IN)
        require_nothing(end);
}

static void arm(struct end *end, unsigned int events, bool slept)
{
    crossvm_channel_sleep_t sleep;
    unsigned int ready;

    end->pending = false; /* it looks now */
    ready = crossvm_channel_arm(&end->channel, events, &sleep);
    REQUIRE((ready & ~events) == 0);
    require_ready(end, ready);
    if (slept)
        crossvm_channel_slept(&end->channel, &sleep);
    if (!ready)
        end->armed = events;
}

/* --- all --- */

static void note_session(struct end *end)
{
    if (crossvm_channel_session(&end->channel) == end->sessions)
        return;
    end->sessions = crossvm_channel_session(&end->channel);
    end->partner = peer_of(end)->opening;
}

static void live(struct end *end, uint8_t what)
{
    switch (what % 8) {
    case 0:
        close_end(end);
        break;
    case 1:
        shut_down(end);
        break;
    case 2:
        be_alone(end, what & 8);
        break;
    case 3:
    case 4:
        open_end(end);
        break;
    default:
        (void)crossvm_channel_connect(&end->channel, CROSSVM_NOW);
        break;
    }
}

/* The session that a call begins counts for what it returns. */
#define IN_SESSION(end, call)                                                                                          \
    do {                                                                                                               \
        (void)crossvm_channel_connect(&(end)->channel, CROSSVM_NOW);                                                   \
        note_session(end);                                                                                             \
        call;                                                                                                          \
    } while (0)

static void act(struct input *input)
{
    static const crossvm_deadline_t deadlines[] = {CROSSVM_NOW, CROSSVM_DEADLINE(1), CROSSVM_FOREVER, CROSSVM_NOW};
    uint8_t kind = input_byte(input), what = input_byte(input);
    struct end *end = &ends[kind >> 7];
    crossvm_deadline_t deadline = deadlines[kind >> 5 & 3];
    size_t length = kind & 0x10 ? 8 * (size_t)what : what, count = input_byte(input) % 32;
    ptrdiff_t reserved = end->reserved, shown = end->shown;

    end->armed = 0;
    end->reserved = end->shown = NOTHING;
    switch (kind & 0xf) {
    case 0:
        live(end, what);
        break;
    case 1:
    case 2:
        IN_SESSION(end, send(end, length, deadline));
        break;
    case 3:
        IN_SESSION(end, send_many(end, what % 200, count, deadline));
        break;
    case 4:
        IN_SESSION(end, reserve(end, length, deadline));
        break;
    case 5:
    case 6:
        commit(end, length, reserved, kind & 1);
        break;
    case 7:
        crossvm_channel_flush(&end->channel);
        if (end->partner)
            tell(end);
        break;
    case 8:
    case 9:
        IN_SESSION(end, recv(end, length, deadline));
        break;
    case 10:
        IN_SESSION(end, recv_many(end, what % 200, count, kind & 0x10, deadline));
        break;
    case 11:
        IN_SESSION(end, peek(end, deadline));
        break;
    case 12:
        release(end, length, shown);
        break;
    case 13:
        IN_SESSION(end, arm(end, what & (CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT), what & 0x10));
        break;
    case 14:
        IN_SESSION(end, wait_for(end, what & (CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT), deadline));
        break;
    default:
        IN_SESSION(end, drain(end, deadline));
        break;
    }
    note_session(end);
    REQUIRE(crossvm_channel_state(&end->channel) != CROSSVM_CHANNEL_BROKEN);
}

/* Two ends that open find each other, and both directions work. */
static void meet(void)
{
    for (int i = 0; i < 2; i++) {
        ends[i].armed = 0;
        be_alone(&ends[i], false);
        open_end(&ends[i]);
    }
    for (int i = 0; i < 4; i++) {
        (void)crossvm_channel_connect(&ends[i % 2].channel, CROSSVM_NOW);
        note_session(&ends[i % 2]);
    }
    for (int i = 0; i < 2; i++) {
        REQUIRE(crossvm_channel_state(&ends[i].channel) == CROSSVM_CHANNEL_CONNECTED);
        send(&ends[i], 40, CROSSVM_NOW);
        REQUIRE(left(&ends[i].queue));
        recv(&ends[1 - i], 40, CROSSVM_NOW);
        REQUIRE(!left(&ends[i].queue));
    }
}

static void begin(uint8_t what)
{
    static const size_t sizes[] = {4096, 4100, 4096 + 127, MOST_BYTES};
    void *shared;

    mode = what & 4 ? CROSSVM_CHANNEL_STREAM : CROSSVM_CHANNEL_DATAGRAM;
    REQUIRE(posix_memalign(&shared, 64, sizes[what & 3]) == 0);
    memset(shared, what & 8 ? 0xff : 0, sizes[what & 3]); /* whatever was there before */
    memory = shared;
    memset(ends, 0, sizeof(ends));
    for (unsigned int i = 0; i < 2; i++) {
        crossvm_channel_config_t config = {
            .memory = memory,
            .size = sizes[what & 3],
            .end = CROSSVM_CHANNEL_END(i),
            .mode = mode,
            .flags = what >> 4 & (1 + i) ? CROSSVM_CHANNEL_RELAXED : 0,
            .spin = what & 0x40 ? 40 : 0,
            .emit = emit,
            .wait = wait_for_event,
            .cookie = &ends[i],
        };

        REQUIRE(crossvm_channel_init(&ends[i].channel, &config) == 0);
        ends[i].reserved = ends[i].shown = NOTHING;
    }
    if (what & 0x80)
        meet();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    begin(input_byte(&input));
    while (input.left)
        act(&input);
    meet();
    free(memory);
    return 0;
}
