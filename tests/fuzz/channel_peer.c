/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel whose peer writes the shared memory between any two loads of it. Calls return what they may return, show
 * memory of the dataport only, end, and store nothing where the peer alone may.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

/* Lengths that the compiler knows take ways of their own. */
#define CROSSVM_CHANNEL_INLINE static inline __attribute__((always_inline))
#include <crossvm/channel.h>

#define MOST_BYTES 8200  /* of a dataport */
#define MOST_LOADS 20000 /* by one call: more would be a call without end */
#define MOST_SLEEPS 3    /* of one call; then a signal comes */

struct world {
    crossvm_channel_t channel;
    struct input *input;
    uint8_t *memory;
    uint32_t size;
    unsigned int end; /* of the channel; the peer has the other */
    unsigned int loads, sleeps;
    uint8_t peers[MOST_BYTES]; /* the dataport; of it counts what the peer alone writes */
};

static struct world world;

/* Tails of it are what callers give: the sanitizer knows where they end. */
static uint8_t *buffer;

static uint8_t *tail(size_t length)
{
    return buffer + MOST_BYTES - length;
}

/* --- the peer --- */

static size_t own_block(void)
{
    return CROSSVM_CHANNEL_BLOCK_AT(world.end);
}

static size_t peer_block(void)
{
    return CROSSVM_CHANNEL_BLOCK_AT(1 - world.end);
}

static uint32_t get(size_t at)
{
    uint32_t word;

    memcpy(&word, world.memory + at, sizeof(word));
    return word;
}

static void put(size_t at, uint32_t value)
{
    if (at + sizeof(value) > world.size)
        return;
    memcpy(world.memory + at, &value, sizeof(value));
    memcpy(world.peers + at, &value, sizeof(value));
}

/* What lets a session begin. */
static void come(void)
{
    put(peer_block() + CROSSVM_CHANNEL_MAGIC_AT, CROSSVM_CHANNEL_MAGIC);
    put(peer_block() + CROSSVM_CHANNEL_VERSION_AT, CROSSVM_CHANNEL_VERSION);
    put(peer_block() + CROSSVM_CHANNEL_FEATURES_AT, CROSSVM_CHANNEL_FEATURES);
    put(peer_block() + CROSSVM_CHANNEL_MODE_AT, get(own_block() + CROSSVM_CHANNEL_MODE_AT));
    put(peer_block() + CROSSVM_CHANNEL_RING_BYTES_AT, get(own_block() + CROSSVM_CHANNEL_RING_BYTES_AT));
    put(peer_block() + CROSSVM_CHANNEL_GENERATION_AT, 1);
    put(peer_block() + CROSSVM_CHANNEL_ACK_AT, get(own_block() + CROSSVM_CHANNEL_GENERATION_AT));
    put(peer_block() + CROSSVM_CHANNEL_PRODUCED_AT, 0);
    put(peer_block() + CROSSVM_CHANNEL_CONSUMED_AT, 0);
}

/* A header where the channel looks for one next, or at the start of the ring. */
static void put_header(uint8_t what)
{
    const uint8_t *at = what & 1 ? world.channel.recv.ring : world.channel.recv.at;
    size_t offset = (size_t)(at - world.memory);
    uint32_t length = input_last_byte(world.input), each = 0;

    switch (what >> 1) {
    case 0:
    case 1:
        length *= 8;
        break;
    case 2:
    case 3: /* a batch, if it is one */
        each = length & 0xf8;
        length = each * (length & 7);
        break;
    case 4:
        each = 64;
        length = each * (length & 0x1f);
        break;
    case 5:
    case 6:
        length = CROSSVM_CHANNEL_RECORD_SKIP;
        break;
    default:
        each = input_last_byte(world.input);
        break;
    }
    put(offset, length);
    put(offset + CROSSVM_CHANNEL_RECORD_EACH, each);
}

static uint32_t raw(void)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | input_last_byte(world.input);
    return value;
}

static void change(size_t loaded)
{
    uint8_t what = input_last_byte(world.input), more = what >> 4;
    size_t produced = peer_block() + CROSSVM_CHANNEL_PRODUCED_AT, consumed = peer_block() + CROSSVM_CHANNEL_CONSUMED_AT;

    switch (what & 0xf) {
    case 1:
        put(loaded, get(loaded) + more);
        break;
    case 2:
        put(loaded, raw());
        break;
    case 3:
    case 4:
        put(produced, get(produced) + 8 * (more + 1u));
        break;
    case 5:
        put(produced, get(produced) + 8u * input_last_byte(world.input));
        break;
    case 6:
    case 7:
        put_header(more);
        break;
    case 8:
        put(consumed, get(own_block() + CROSSVM_CHANNEL_PRODUCED_AT) - more);
        break;
    case 9: /* a wake word */
        put(peer_block() + (more & 1 ? CROSSVM_CHANNEL_RECV_WAKE_AT : CROSSVM_CHANNEL_SEND_WAKE_AT), more);
        break;
    case 10:
        come();
        break;
    case 11:
        put(peer_block() + (more & 1 ? CROSSVM_CHANNEL_FIN_AT : CROSSVM_CHANNEL_STOP_AT),
            get(peer_block() + CROSSVM_CHANNEL_GENERATION_AT));
        break;
    case 12: /* anywhere, the channel's own words, too */
        put(4 * (size_t)(input_last_byte(world.input) | more << 8), raw());
        break;
    default:
        break;
    }
}

void memory_changes(const volatile void *at, size_t size)
{
    size_t offset = (size_t)((const volatile uint8_t *)at - world.memory);

    if ((uintptr_t)at < (uintptr_t)world.memory || offset >= world.size)
        return;
    REQUIRE(offset % size == 0 && size <= world.size - offset);
    REQUIRE(world.loads++ < MOST_LOADS);
    change(offset);
}

/* --- the channel --- */

static int emit(void *cookie)
{
    (void)cookie;
    return input_last_byte(world.input) == 0xff ? -EPIPE : 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    REQUIRE(!crossvm_deadline_is_now(deadline));
    REQUIRE(limit_us == 0 || world.channel.config.flags & CROSSVM_CHANNEL_RELAXED);
    change(peer_block());
    if (world.sleeps++ < MOST_SLEEPS)
        return limit_us && input_last_byte(world.input) & 1 ? -EAGAIN : 0;
    return crossvm_deadline_is_forever(deadline) ? -EINTR : -ETIMEDOUT;
}

/* What a call has returned: an error that there is, or at most so much. */
static ptrdiff_t answer(ptrdiff_t result, size_t most)
{
    static const int errors[] = {EAGAIN, ETIMEDOUT, EINTR, EPIPE, EPROTO, EMSGSIZE, EINVAL, ENOTCONN};
    bool known = result >= 0;

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        known |= result == -errors[i];
    REQUIRE(known && result <= (ptrdiff_t)most);
    return result;
}

static void require_ring(const void *at, size_t length, const uint8_t *ring)
{
    size_t offset = (size_t)((const uint8_t *)at - ring);

    REQUIRE((uintptr_t)at >= (uintptr_t)ring && offset <= world.channel.ring_bytes);
    REQUIRE(length <= world.channel.ring_bytes - offset);
}

static void peek(crossvm_deadline_t deadline, uint8_t what)
{
    crossvm_channel_t *channel = &world.channel;
    const void *shown = NULL;
    ptrdiff_t length = answer(crossvm_channel_peek(channel, &shown, deadline), channel->ring_bytes);

    if (length < 0)
        return;
    require_ring(shown, (size_t)length, channel->recv.ring);
    REQUIRE(channel->config.mode == CROSSVM_CHANNEL_STREAM || (uintptr_t)shown % 8 == 0);
    if (what & 1)
        (void)answer(crossvm_channel_release(channel, what & 2 ? (size_t)length : what), 0);
}

static void reserve(crossvm_deadline_t deadline, size_t length, uint8_t what)
{
    crossvm_channel_t *channel = &world.channel;
    void *room = NULL;
    ptrdiff_t given = answer(crossvm_channel_reserve(channel, &room, length, deadline), length);

    if (given < 0)
        return;
    require_ring(room, (size_t)given, channel->send.ring);
    memset(room, what, (size_t)given);
    if (what & 1)
        (void)answer(crossvm_channel_commit(channel, what & 2 ? (size_t)given : what), 0);
    else if (what & 2)
        (void)answer(crossvm_channel_commit_more(channel, (size_t)given), 0);
}

static void recv_many(crossvm_deadline_t deadline, size_t length, uint8_t what)
{
    crossvm_channel_t *channel = &world.channel;
    size_t count = what >> 3, most = length ? MOST_BYTES / length : 32;
    uint32_t lengths[32] = {0};
    ptrdiff_t result;

    count = count < most ? count : most;
    if (what & 1) {
        result =
            answer(crossvm_channel_recv_many(channel, tail(length * count), length, lengths, count, deadline), count);
        for (ptrdiff_t i = 0; i < result; i++)
            REQUIRE(lengths[i] <= length);
    } else if (what & 2) { /* lengths that the compiler knows take other ways */
        (void)answer(crossvm_channel_recv_many(channel, tail(64 * count), 64, NULL, count, deadline), count);
    } else if (what & 4) {
        (void)answer(crossvm_channel_recv_many(channel, tail(8 * count), 8, NULL, count, deadline), count);
    } else {
        (void)answer(crossvm_channel_recv_many(channel, tail(length * count), length, NULL, count, deadline), count);
    }
}

static void send_many(crossvm_deadline_t deadline, size_t length, uint8_t what)
{
    size_t count = what >> 3, most = length ? MOST_BYTES / length : 32;

    count = count < most ? count : most;
    if (what & 1)
        (void)answer(crossvm_channel_send_many(&world.channel, tail(64 * count), 64, count, deadline), count);
    else
        (void)answer(crossvm_channel_send_many(&world.channel, tail(length * count), length, count, deadline), count);
}

static void use_sleep(uint8_t what)
{
    crossvm_channel_t *channel = &world.channel;
    crossvm_channel_sleep_t sleep;
    unsigned int events = what & (CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT);

    REQUIRE((crossvm_channel_arm(channel, events, &sleep) & ~events) == 0);
    if (what & 0x10)
        crossvm_channel_slept(channel, &sleep);
    if (what & 0x20)
        crossvm_channel_disarm(channel);
}

static void live(uint8_t what)
{
    crossvm_channel_t *channel = &world.channel;

    switch (what % 8) {
    case 0:
        crossvm_channel_close(channel);
        break;
    case 1:
        crossvm_channel_shutdown(channel);
        break;
    case 2:
        crossvm_channel_set_peer(channel, what & 8);
        break;
    case 3:
        (void)crossvm_channel_connect(channel, CROSSVM_NOW);
        break;
    default:
        crossvm_channel_open(channel);
        if (what & 8)
            come();
        break;
    }
}

static void call(struct input *input)
{
    static const crossvm_deadline_t deadlines[] = {CROSSVM_NOW, CROSSVM_DEADLINE(1), CROSSVM_FOREVER, CROSSVM_NOW};
    crossvm_channel_t *channel = &world.channel;
    uint8_t kind = input_byte(input), what = input_byte(input);
    size_t length = input_byte(input);
    crossvm_deadline_t deadline = deadlines[kind >> 4 & 3];

    if (kind & 0x40)
        length *= 8;
    switch (kind & 0xf) {
    case 0:
        live(what);
        break;
    case 1:
        (void)answer(crossvm_channel_recv(channel, tail(length), length, deadline), length);
        break;
    case 2:
        (void)answer(crossvm_channel_recv(channel, tail(64), 64, deadline), 64);
        break;
    case 3:
    case 4:
        peek(deadline, what);
        break;
    case 5:
        (void)answer(crossvm_channel_release(channel, length), 0);
        break;
    case 6:
    case 7:
        recv_many(deadline, length, what);
        break;
    case 8:
        (void)answer(crossvm_channel_send(channel, tail(length), length, deadline), length);
        break;
    case 9:
        (void)answer(crossvm_channel_send(channel, tail(56), 56, deadline), 56);
        break;
    case 10:
        send_many(deadline, length, what);
        break;
    case 11:
        reserve(deadline, length, what);
        break;
    case 12:
        (void)answer(crossvm_channel_commit(channel, length), 0);
        break;
    case 13:
        use_sleep(what);
        break;
    case 14:
        (void)answer(crossvm_channel_wait(channel, what & 3, deadline), CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT);
        break;
    default:
        (void)answer(crossvm_channel_drain(channel, deadline), 0);
        break;
    }
}

/* What the peer alone writes is as the peer wrote it. */
static void check_peers_memory(void)
{
    size_t ring = (size_t)(world.channel.recv.ring - world.memory);

    REQUIRE(memcmp(world.memory + peer_block(), world.peers + peer_block(), CROSSVM_CHANNEL_BLOCK_AT(1)) == 0);
    REQUIRE(memcmp(world.memory + ring, world.peers + ring, world.channel.ring_bytes) == 0);
}

static void begin(struct input *input)
{
    static const uint32_t sizes[] = {4096, 4100, 4096 + 127, MOST_BYTES};
    uint8_t what = input_byte(input);
    crossvm_channel_config_t config = {
        .size = sizes[what & 3],
        .end = CROSSVM_CHANNEL_END(what >> 2 & 1),
        .mode = what & 8 ? CROSSVM_CHANNEL_STREAM : CROSSVM_CHANNEL_DATAGRAM,
        .flags = what & 0x10 ? CROSSVM_CHANNEL_RELAXED : 0,
        .spin = what & 0x20 ? 40 : 0,
        .emit = emit,
        .wait = wait_for_event,
    };
    void *memory;

    memset(&world, 0, sizeof(world));
    REQUIRE(posix_memalign(&memory, 64, config.size) == 0);
    memset(memory, 0, config.size);
    config.memory = world.memory = memory;
    world.size = (uint32_t)config.size;
    world.end = what >> 2 & 1;
    world.input = input;
    REQUIRE(crossvm_channel_init(&world.channel, &config) == 0);
    crossvm_channel_open(&world.channel);
    if (what & 0x40)
        return;
    for (int i = 0; i < 2; i++) {
        come();
        (void)crossvm_channel_connect(&world.channel, CROSSVM_NOW);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    if (!buffer)
        buffer = malloc(MOST_BYTES);
    REQUIRE(buffer);
    begin(&input);
    while (input.left) {
        world.loads = world.sleeps = 0;
        call(&input);
        check_peers_memory();
    }
    free(world.memory);
    return 0;
}
