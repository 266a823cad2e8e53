/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel_watch.h"

#include <string.h>

#include "../channel/geometry.h"

/* Records that one look goes through at most. Their headers are a cache line each. */
#define MAX_RECORDS 512

/* After so many it is made sure that they were not overwritten meanwhile: a small ring goes round in microseconds. */
#define RECORDS_AT_ONCE 16

/* What is known of the lengths of messages is halved after this many, so that it is of late. */
#define SAMPLE_MESSAGES 65536

#define NUMBER_MASK (UINT32_MAX / CROSSVM_CHANNEL_WAKE_STEP)

/* What a look needs of one direction. */
struct ring {
    const uint8_t *sender, *receiver; /* blocks */
    const uint8_t *bytes;
    uint32_t size;
};

/* Acquire: orders this load before those of what the word covers. Pairs with the releases of the ends. */
static uint32_t load(const uint8_t *block, unsigned int at)
{
    return __atomic_load_n((const uint32_t *)(const void *)(block + at), __ATOMIC_ACQUIRE);
}

/* --- records --- */

/* Counts the datagrams of whole records between two positions of a lap. Returns the position after the last of them. */
static uint32_t walk(const uint8_t *bytes, uint32_t from, uint32_t to, uint64_t *datagrams)
{
    for (int i = 0; i < RECORDS_AT_ONCE && to - from >= CROSSVM_CHANNEL_RECORD_HEADER; i++) {
        uint32_t length = load(bytes, from), each = load(bytes, from + CROSSVM_CHANNEL_RECORD_EACH);
        uint64_t record = ((uint64_t)length + CROSSVM_CHANNEL_RECORD_HEADER + CROSSVM_CHANNEL_RECORD_ALIGN - 1) &
                          ~(uint64_t)(CROSSVM_CHANNEL_RECORD_ALIGN - 1);

        if (record > to - from || (each && length < each))
            break;
        *datagrams += each ? length / each : 1;
        from += (uint32_t)record;
    }
    return from;
}

/*
 * Goes through records from a position of this lap on. Returns the position that it came to: `to`, or less where there
 * are too many, where they make no sense, or where the next lap has begun.
 */
static uint32_t count_records(struct channel_flow *flow, const struct ring *ring, uint32_t from, uint32_t to)
{
    for (int i = 0; i < MAX_RECORDS / RECORDS_AT_ONCE && from < to; i++) {
        uint64_t datagrams = 0;
        uint32_t at = walk(ring->bytes, from, to, &datagrams);

        /* Orders the loads of records before the second load of LAP. Pairs with the release fence in begin_lap(). */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (at == from || load(ring->sender, CROSSVM_CHANNEL_LAP_AT) != flow->lap)
            break;
        flow->messages_counted += datagrams;
        flow->sampled_messages += (double)datagrams;
        flow->sampled_bytes += at - from;
        from = at;
    }
    if (flow->sampled_messages > SAMPLE_MESSAGES) {
        flow->sampled_messages /= 2;
        flow->sampled_bytes /= 2;
    }
    return from;
}

/* Estimates how many messages there were in bytes whose records were not looked at. */
static void estimate(struct channel_flow *flow, uint32_t bytes)
{
    flow->unknown_bytes += bytes;
    if (flow->sampled_bytes == 0 || flow->unknown_bytes == 0)
        return;
    flow->messages_estimated += flow->unknown_bytes * flow->sampled_messages / flow->sampled_bytes;
    flow->unknown_bytes = 0;
}

/* PRODUCED lies between records, so the walk begins where the last look found it, or where the lap begins. */
static void count_messages(struct channel_flow *flow, const struct ring *ring, uint32_t lap, uint32_t produced)
{
    uint32_t from = flow->produced - lap, to = produced - lap, counted = 0;

    flow->lap = lap;
    if (from > ring->size) /* before this lap */
        from = 0;
    if (from <= to && to <= ring->size && (from | to) % CROSSVM_CHANNEL_RECORD_ALIGN == 0)
        counted = count_records(flow, ring, from, to) - from;
    estimate(flow, produced - flow->produced - counted);
}

/* --- a direction --- */

static uint32_t number_of(uint32_t wake)
{
    return wake / CROSSVM_CHANNEL_WAKE_STEP;
}

static void look_at_flow(struct channel_flow *flow, const struct ring *ring, bool datagrams, int64_t now_ns)
{
    uint32_t consumed = load(ring->receiver, CROSSVM_CHANNEL_CONSUMED_AT);
    uint32_t lap = load(ring->sender, CROSSVM_CHANNEL_LAP_AT); /* before PRODUCED: see docs/channel.md, section 5 */
    uint32_t produced = load(ring->sender, CROSSVM_CHANNEL_PRODUCED_AT);
    uint32_t recv_wake = load(ring->receiver, CROSSVM_CHANNEL_RECV_WAKE_AT);
    uint32_t send_wake = load(ring->sender, CROSSVM_CHANNEL_SEND_WAKE_AT);
    uint32_t fresh = produced - flow->produced;
    double gap = (double)(now_ns - flow->looked_ns);

    flow->knows_messages = datagrams;
    if (datagrams)
        count_messages(flow, ring, lap, produced);
    flow->bytes += fresh;
    if (flow->rate * gap > UINT32_MAX)
        flow->missed_bytes = true;
    flow->rate = gap > 0 ? fresh / gap : 0;
    flow->looked_ns = now_ns;
    flow->produced = produced;
    flow->fill = produced - consumed < ring->size ? produced - consumed : ring->size;
    flow->waits_for_data += (number_of(recv_wake) - number_of(flow->recv_wake)) & NUMBER_MASK;
    flow->waits_for_space += (number_of(send_wake) - number_of(flow->send_wake)) & NUMBER_MASK;
    flow->recv_wake = recv_wake;
    flow->send_wake = send_wake;
}

/* What counts from now on. A session that begins while somebody looks counts from its index 0 on. */
static void begin_flow(struct channel_flow *flow, const struct ring *ring, bool from_zero, int64_t now_ns)
{
    flow->lap = from_zero ? 0 : load(ring->sender, CROSSVM_CHANNEL_LAP_AT);
    flow->produced = from_zero ? 0 : load(ring->sender, CROSSVM_CHANNEL_PRODUCED_AT);
    flow->recv_wake = load(ring->receiver, CROSSVM_CHANNEL_RECV_WAKE_AT);
    flow->send_wake = load(ring->sender, CROSSVM_CHANNEL_SEND_WAKE_AT);
    flow->looked_ns = now_ns;
    flow->rate = 0;
}

/* --- both --- */

static const uint8_t *block_of(const struct channel_watch *watch, unsigned int end)
{
    return watch->memory + CROSSVM_CHANNEL_BLOCK_AT(end);
}

static struct ring ring_of(const struct channel_watch *watch, unsigned int end)
{
    return (struct ring){
        .sender = block_of(watch, end),
        .receiver = block_of(watch, 1 - end),
        .bytes = watch->memory + CROSSVM_CHANNEL_RINGS_AT + (size_t)end * watch->ring_bytes,
        .size = watch->ring_bytes,
    };
}

/* Whether an end has made a channel of the memory. */
static bool has_opened(const struct channel_watch *watch, unsigned int end)
{
    const uint8_t *block = block_of(watch, end);
    uint32_t mode = load(block, CROSSVM_CHANNEL_MODE_AT);

    return load(block, CROSSVM_CHANNEL_GENERATION_AT) != 0 &&
           load(block, CROSSVM_CHANNEL_MAGIC_AT) == CROSSVM_CHANNEL_MAGIC &&
           load(block, CROSSVM_CHANNEL_VERSION_AT) >> 16 == CROSSVM_CHANNEL_VERSION_MAJOR &&
           load(block, CROSSVM_CHANNEL_RING_BYTES_AT) == watch->ring_bytes &&
           (mode == CROSSVM_CHANNEL_STREAM || mode == CROSSVM_CHANNEL_DATAGRAM);
}

/* The generations of the session that there is; false: there is none. */
static bool find_session(const struct channel_watch *watch, uint32_t generations[2])
{
    uint32_t acks[2];

    for (unsigned int i = 0; i < 2; i++) {
        generations[i] = load(block_of(watch, i), CROSSVM_CHANNEL_GENERATION_AT);
        acks[i] = load(block_of(watch, i), CROSSVM_CHANNEL_ACK_AT);
    }
    return generations[0] && generations[1] && acks[0] == generations[1] && acks[1] == generations[0];
}

static void look_at_session(struct channel_watch *watch, const uint32_t generations[2], int64_t now_ns)
{
    bool is_new = memcmp(watch->generations, generations, sizeof(watch->generations)) != 0;
    uint32_t again[2];

    for (unsigned int i = 0; i < 2; i++) {
        const struct ring ring = ring_of(watch, i);
        bool has_lap = (load(ring.sender, CROSSVM_CHANNEL_VERSION_AT) & 0xffff) != 0;

        if (is_new)
            begin_flow(&watch->flows[i], &ring, watch->looked, now_ns);
        /* A session that is over by now has begun anew with its indices: it has nothing to say. */
        if (find_session(watch, again) && memcmp(again, generations, sizeof(again)) == 0)
            look_at_flow(&watch->flows[i], &ring, watch->mode == CROSSVM_CHANNEL_DATAGRAM && has_lap, now_ns);
    }
    memcpy(watch->generations, generations, sizeof(watch->generations));
}

void channel_watch_begin(struct channel_watch *watch, const void *memory, size_t size)
{
    *watch = (struct channel_watch){
        .memory = memory,
        .ring_bytes = size < CROSSVM_CHANNEL_MIN_SIZE ? 0 : channel_geometry_ring(size),
    };
}

void channel_watch_look(struct channel_watch *watch, int64_t now_ns)
{
    bool opened[2] = {false, false};
    uint32_t generations[2];

    watch->state = CHANNEL_WATCH_NONE;
    for (unsigned int i = 0; i < 2 && watch->ring_bytes; i++)
        opened[i] = has_opened(watch, i);
    if (opened[0] || opened[1]) {
        watch->state = CHANNEL_WATCH_OPENED;
        watch->mode = load(block_of(watch, opened[0] ? 0 : 1), CROSSVM_CHANNEL_MODE_AT);
        watch->mode = watch->mode == CROSSVM_CHANNEL_STREAM ? CROSSVM_CHANNEL_STREAM : CROSSVM_CHANNEL_DATAGRAM;
    }
    if (opened[0] && opened[1] && find_session(watch, generations)) {
        watch->state = CHANNEL_WATCH_SESSION;
        look_at_session(watch, generations, now_ns);
    }
    watch->looked = true;
}
