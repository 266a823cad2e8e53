/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocol of a forwarding: two ends that speak with each other, and a peer that says what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/forward/protocol.h"

#define LIMIT 4
#define WINDOW 1000
#define EARLY 150

static struct protocol ends[2];
static struct protocol_event event;

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(protocol_init(&ends[i], LIMIT, 0));
        protocol_start(&ends[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    protocol_free(&ends[0]);
    protocol_free(&ends[1]);
    return 0;
}

/* --- two ends --- */

/* Passes on the next frame that an end has to send. Gives the event of it at the other end. */
static enum protocol_event_type pass(int from)
{
    uint64_t frame[(FRAME_CONTROL_BYTES + 7) / 8];
    size_t length;

    assert_true(protocol_is_due(&ends[from]));
    length = protocol_write(&ends[from], frame);
    if (protocol_receive(&ends[1 - from], frame, length, &event))
        fail_msg("end %d says: %s", 1 - from, ends[1 - from].reason);
    return event.type;
}

/* DATA of so many bytes. */
static enum protocol_event_type pass_data(int from, struct flow *flow, size_t length)
{
    uint8_t *frame = malloc(FRAME_HEADER_BYTES + length);

    assert_non_null(frame);
    assert_true(flow_room(flow) >= (int64_t)length);
    memset(frame + FRAME_HEADER_BYTES, 'x', length);
    protocol_write_data(flow, frame, length);
    if (protocol_receive(&ends[1 - from], frame, FRAME_HEADER_BYTES + length, &event))
        fail_msg("end %d says: %s", 1 - from, ends[1 - from].reason);
    if (event.type == PROTOCOL_DATA) {
        assert_int_equal(event.length, length);
        assert_ptr_equal(event.bytes, frame + FRAME_HEADER_BYTES);
    }
    free(frame);
    return event.type;
}

static void greet(void)
{
    assert_false(protocol_can_open(&ends[0]));
    assert_int_equal(pass(0), PROTOCOL_READY);
    assert_int_equal(pass(1), PROTOCOL_READY);
    assert_true(protocol_can_open(&ends[0]));
}

/* A flow that end 0 has opened, at each of the ends. */
static void open_flow(enum frame_kind kind, struct flow *flows[2])
{
    flows[0] = protocol_open(&ends[0], kind, "target", WINDOW);
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    assert_string_equal(event.target, "target");
    flows[1] = event.flow;
    assert_int_equal(flows[1]->kind, kind);
    assert_true(flow_room(flows[0]) < 0);
    protocol_accept(&ends[1], flows[1], WINDOW);
    assert_int_equal(pass(1), PROTOCOL_ACCEPTED);
    assert_ptr_equal(event.flow, flows[0]);
}

static void a_flow_lives_and_ends(void **state)
{
    struct flow *flows[2], *again[2];

    (void)state;
    greet();
    open_flow(FRAME_STREAM, flows);
    assert_int_equal(flow_room(flows[0]), WINDOW);
    assert_int_equal(pass_data(0, flows[0], 10), PROTOCOL_DATA);
    assert_int_equal(pass_data(1, flows[1], 20), PROTOCOL_DATA);
    protocol_end(&ends[0], flows[0]);
    assert_int_equal(pass(0), PROTOCOL_ENDED);
    assert_true(flow_room(flows[0]) < 0);
    assert_int_equal(pass_data(1, flows[1], 30), PROTOCOL_DATA); /* the other direction goes on */
    protocol_end(&ends[1], flows[1]);
    assert_int_equal(pass(1), PROTOCOL_ENDED);
    protocol_close(&ends[1], flows[1], 0);
    assert_int_equal(pass(1), PROTOCOL_CLOSED);
    assert_int_equal(event.reason, 0);
    protocol_close(&ends[0], flows[0], 0);
    assert_int_equal(pass(0), PROTOCOL_NOTHING);
    assert_int_equal(flows[0]->state, FLOW_FREE);
    assert_int_equal(flows[1]->state, FLOW_FREE);
    open_flow(FRAME_STREAM, again);
    assert_ptr_equal(again[0], flows[0]);
}

static void a_target_is_refused(void **state)
{
    struct flow *flow;

    (void)state;
    greet();
    flow = protocol_open(&ends[0], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    protocol_close(&ends[1], event.flow, ECONNREFUSED);
    assert_int_equal(pass(1), PROTOCOL_CLOSED);
    assert_int_equal(event.reason, ECONNREFUSED);
    assert_int_equal(flow->state, FLOW_OPENING);
    protocol_close(&ends[0], flow, ECONNREFUSED);
    assert_int_equal(pass(0), PROTOCOL_NOTHING);
    assert_false(protocol_is_due(&ends[1]));
    assert_int_equal(flow->state, FLOW_FREE);
}

static void a_window_holds_up_one_flow(void **state)
{
    struct flow *slow[2], *fast[2];

    (void)state;
    greet();
    open_flow(FRAME_STREAM, slow);
    open_flow(FRAME_STREAM, fast);
    (void)pass_data(0, slow[0], WINDOW);
    assert_true(flow_room(slow[0]) < 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pass_data(0, fast[0], WINDOW / 2), PROTOCOL_DATA);
        protocol_take(&ends[1], fast[1], WINDOW / 2);
        assert_int_equal(pass(1), PROTOCOL_CREDIT);
        assert_ptr_equal(event.flow, fast[0]);
    }
    protocol_take(&ends[1], slow[1], WINDOW / 2 - 1);
    assert_false(protocol_is_due(&ends[1])); /* it is told in larger pieces */
    protocol_take(&ends[1], slow[1], 1);
    assert_int_equal(pass(1), PROTOCOL_CREDIT);
    assert_int_equal(flow_room(slow[0]), WINDOW / 2);
}

static void packets_cost_more(void **state)
{
    struct flow *flows[2];

    (void)state;
    greet();
    open_flow(FRAME_SEQPACKET, flows);
    assert_int_equal(flow_room(flows[0]), WINDOW - FLOW_PACKET_COST);
    assert_int_equal(flow_longest_packet(flows[0]), WINDOW / 2 - FLOW_PACKET_COST);
    for (int i = 0; i < WINDOW / FLOW_PACKET_COST; i++)
        assert_int_equal(pass_data(0, flows[0], 0), PROTOCOL_DATA); /* empty ones use the window up, too */
    assert_true(flow_room(flows[0]) < 0);
    for (int i = 0; i < WINDOW / FLOW_PACKET_COST; i++)
        protocol_take(&ends[1], flows[1], 0);
    while (protocol_is_due(&ends[1]))
        assert_int_equal(pass(1), PROTOCOL_CREDIT);
    assert_true(flow_room(flows[0]) >= flow_longest_packet(flows[0]));
}

/* What was on its way when an end closed is dropped, and the number is not used again before. */
static void closing_crosses_data(void **state)
{
    struct flow *flows[2];

    (void)state;
    greet();
    open_flow(FRAME_STREAM, flows);
    protocol_close(&ends[0], flows[0], ECONNRESET);
    assert_int_equal(pass_data(1, flows[1], 100), PROTOCOL_NOTHING);
    protocol_end(&ends[1], flows[1]);
    assert_int_equal(pass(1), PROTOCOL_NOTHING);
    assert_int_equal(pass(0), PROTOCOL_CLOSED);
    assert_int_equal(event.reason, ECONNRESET);
    assert_int_equal(flows[0]->state, FLOW_OPEN);
    protocol_close(&ends[1], flows[1], ECONNRESET);
    assert_int_equal(pass(1), PROTOCOL_NOTHING);
    assert_int_equal(flows[0]->state, FLOW_FREE);
    assert_int_equal(flows[1]->state, FLOW_FREE);
}

static void as_many_as_the_peer_takes(void **state)
{
    (void)state;
    protocol_free(&ends[1]);
    assert_true(protocol_init(&ends[1], 2, 0));
    protocol_start(&ends[1]);
    greet();
    (void)protocol_open(&ends[0], FRAME_STREAM, "a", WINDOW);
    assert_true(protocol_can_open(&ends[0]));
    (void)protocol_open(&ends[0], FRAME_STREAM, "b", WINDOW);
    assert_false(protocol_can_open(&ends[0]));
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    protocol_close(&ends[1], event.flow, EACCES);
    assert_int_equal(pass(1), PROTOCOL_CLOSED);
    protocol_close(&ends[0], event.flow, EACCES);
    assert_false(protocol_can_open(&ends[0])); /* the peer has not heard of it */
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    assert_int_equal(pass(0), PROTOCOL_NOTHING);
    assert_true(protocol_can_open(&ends[0]));
}

/* A client most often speaks first, and its words need not wait until the target has answered. */
static void a_client_speaks_early(void **state)
{
    struct flow *flows[2];

    (void)state;
    ends[1].early = EARLY;
    greet();
    flows[0] = protocol_open(&ends[0], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(flow_room(flows[0]), EARLY);
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    flows[1] = event.flow;
    assert_true(flow_room(flows[1]) < 0);
    assert_int_equal(pass_data(0, flows[0], EARLY - 50), PROTOCOL_DATA);
    assert_int_equal(pass_data(0, flows[0], 40), PROTOCOL_DATA);
    protocol_accept(&ends[1], flows[1], WINDOW);
    assert_int_equal(pass_data(0, flows[0], 10), PROTOCOL_DATA); /* crosses ACCEPT */
    assert_true(flow_room(flows[0]) < 0);
    assert_int_equal(pass(1), PROTOCOL_ACCEPTED);
    assert_int_equal(flow_room(flows[0]), WINDOW - EARLY);
    assert_int_equal(pass_data(0, flows[0], WINDOW - EARLY), PROTOCOL_DATA);
    protocol_take(&ends[1], flows[1], WINDOW);
    assert_int_equal(pass(1), PROTOCOL_CREDIT);
    assert_int_equal(flow_room(flows[0]), WINDOW);
}

static void all_that_a_client_says_is_early(void **state)
{
    struct flow *flows[2];

    (void)state;
    ends[1].early = EARLY;
    greet();
    flows[0] = protocol_open(&ends[0], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    flows[1] = event.flow;
    assert_int_equal(pass_data(0, flows[0], 1), PROTOCOL_DATA);
    protocol_end(&ends[0], flows[0]);
    assert_int_equal(pass(0), PROTOCOL_ENDED);
    protocol_close(&ends[1], flows[1], ECONNREFUSED);
    assert_int_equal(pass(1), PROTOCOL_CLOSED);
    protocol_close(&ends[0], flows[0], ECONNREFUSED);
    assert_int_equal(pass(0), PROTOCOL_NOTHING);
    assert_int_equal(flows[0]->state, FLOW_FREE);
    assert_int_equal(flows[1]->state, FLOW_FREE);
}

static void packets_are_not_early(void **state)
{
    struct flow *flow;

    (void)state;
    ends[1].early = EARLY;
    greet();
    flow = protocol_open(&ends[0], FRAME_SEQPACKET, "target", WINDOW);
    assert_int_equal(pass(0), PROTOCOL_OPENED);
    assert_true(flow_room(flow) < 0);
    protocol_accept(&ends[1], event.flow, WINDOW);
    assert_int_equal(pass(1), PROTOCOL_ACCEPTED);
    assert_int_equal(flow_room(flow), WINDOW - FLOW_PACKET_COST);
}

/* --- any story of two ends that keep to the protocol --- */

static uint32_t chance(uint32_t below)
{
    return (uint32_t)random() % below;
}

struct queue {
    uint8_t frames[64][FRAME_CONTROL_BYTES];
    size_t lengths[64];
    unsigned int first, count;
};

static struct queue queues[2]; /* what each end has sent, and the other has not seen */

static struct flow *any_flow(int end)
{
    struct flow *flow = &ends[end].flows[chance(2 * LIMIT)];

    return flow->state == FLOW_FREE || flow->closing ? NULL : flow;
}

static void *next_frame(int end, size_t **length)
{
    struct queue *queue = &queues[end];
    unsigned int i = (queue->first + queue->count++) % 64;

    *length = &queue->lengths[i];
    return queue->frames[i];
}

static void act(int end)
{
    struct flow *flow = any_flow(end);
    size_t *length;

    if (chance(4) == 0 && protocol_can_open(&ends[end])) {
        (void)protocol_open(&ends[end], 1 + chance(2), "t", 200 + chance(100));
    } else if (flow && flow->state == FLOW_ASKED) {
        if (chance(3))
            protocol_accept(&ends[end], flow, 200 + chance(100));
        else
            protocol_close(&ends[end], flow, ENOENT);
    } else if (flow && chance(10) == 0) {
        protocol_close(&ends[end], flow, EIO);
    } else if (flow && flow->ending && flow->ended) {
        protocol_close(&ends[end], flow, 0);
    } else if (flow && (flow->state == FLOW_OPEN || flow->credit > 0) && flow->state != FLOW_ASKED && !flow->ending &&
               chance(5) == 0) {
        protocol_end(&ends[end], flow);
    } else if (flow && flow_room(flow) > 0 && !protocol_is_due(&ends[end]) && queues[end].count < 64) {
        size_t bytes = 1 + chance((uint32_t)flow_room(flow) < 100 ? (uint32_t)flow_room(flow) : 100);
        void *frame = next_frame(end, &length);

        protocol_write_data(flow, frame, bytes);
        *length = FRAME_HEADER_BYTES + bytes;
    }
}

static void send_one(int end)
{
    size_t *length;
    void *frame;

    if (!protocol_is_due(&ends[end]) || queues[end].count == 64)
        return;
    frame = next_frame(end, &length);
    *length = protocol_write(&ends[end], frame);
}

static void receive_one(int end)
{
    struct queue *queue = &queues[1 - end];

    if (queue->count == 0)
        return;
    if (protocol_receive(&ends[end], queue->frames[queue->first], queue->lengths[queue->first], &event))
        fail_msg("end %d says: %s", end, ends[end].reason);
    queue->first = (queue->first + 1) % 64;
    queue->count--;
    if (event.type == PROTOCOL_DATA && event.flow->state == FLOW_OPEN)
        protocol_take(&ends[end], event.flow, event.length);
    if (event.type == PROTOCOL_CLOSED && event.reason)
        protocol_close(&ends[end], event.flow, event.reason);
}

static void any_story_is_understood(void **state)
{
    (void)state;
    memset(queues, 0, sizeof(queues));
    for (unsigned int seed = 1; seed <= 200; seed++) {
        srandom(seed);
        for (int i = 0; i < 2; i++) {
            ends[i].early = chance(2) * EARLY; /* 0: none */
            protocol_start(&ends[i]);
            queues[i].count = 0;
        }
        for (int i = 0; i < 2000; i++) {
            int end = (int)chance(2);

            switch (chance(3)) {
            case 0:
                act(end);
                break;
            case 1:
                send_one(end);
                break;
            default:
                receive_one(end);
            }
        }
        for (int i = 0; i < 2 * LIMIT; i++) { /* all come to their end */
            for (int end = 0; end < 2; end++) {
                struct flow *flow = &ends[end].flows[i];

                if (flow->state != FLOW_FREE && !flow->closing)
                    protocol_close(&ends[end], flow, EINTR);
            }
        }
        for (int i = 0; i < 200; i++) {
            send_one(i % 2);
            receive_one(i % 2);
        }
        for (int i = 0; i < 2 * LIMIT; i++) {
            assert_int_equal(ends[0].flows[i].state, FLOW_FREE);
            assert_int_equal(ends[1].flows[i].state, FLOW_FREE);
        }
        assert_int_equal(ends[0].num_free, LIMIT);
        assert_int_equal(ends[1].num_free, LIMIT);
    }
}

/* --- a peer that breaks the protocol --- */

#define ZEROS 0, 0
#define NUMBER(n) (n), 0, 0, 0
#define FRAME(type, flags, n, ...)                                                                                     \
    {                                                                                                                  \
        (type), (flags), ZEROS, NUMBER(n), ##__VA_ARGS__                                                               \
    }
#define HELLO(major, ...) 'C', 'V', 'F', 'W', (major), 0, 0, 0, __VA_ARGS__
#define TAKES(n) (n), 0, 0, 0

/* What end 0 says to frames by end 1, when end 1 has accepted flow 0 of end 0, and has opened its own flow 0. */
static void breaches_are_found(void **state)
{
    static const struct {
        const char *says;
        size_t length;
        uint8_t frame[32];
    } breaches[] = {
        {"too short", 0, {0}},
        {"too short", 7, FRAME(FRAME_END, 1, 0)},
        {"a flag", 8, FRAME(FRAME_END, 2, 0)},
        {"a flag", 8, {FRAME_END, 1, 1, 0}},
        {"of a type", 8, FRAME(0, 1, 0)},
        {"of a type", 8, FRAME(8, 1, 0)},
        {"HELLO twice", 24, FRAME(FRAME_HELLO, 0, 0, HELLO(1, 4, 0, 0, 0, TAKES(0)))},
        {"number that no", 8, FRAME(FRAME_END, 1, LIMIT)},
        {"number that no", 8, FRAME(FRAME_END, 0, 255)},
        {"number that no", 17, FRAME(FRAME_OPEN, 1, 1, 1, 0, 0, 0, 9, 0, 0, 0, 't')},
        {"opened a socket twice", 17, FRAME(FRAME_OPEN, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 't')},
        {"without a name", 16, FRAME(FRAME_OPEN, 0, 1, 1, 0, 0, 0, 9, 0, 0, 0)},
        {"a NUL", 17, FRAME(FRAME_OPEN, 0, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0)},
        {"a NUL", 18, FRAME(FRAME_OPEN, 0, 1, 1, 0, 0, 0, 9, 0, 0, 0, 't', 0)},
        {"of a kind", 17, FRAME(FRAME_OPEN, 0, 1, 3, 0, 0, 0, 9, 0, 0, 0, 't')},
        {"too large", 17, FRAME(FRAME_OPEN, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0x80, 't')},
        {"not open", 8, FRAME(FRAME_END, 1, 1)},
        {"not open", 8, FRAME(FRAME_END, 0, 1)},
        {"not to be opened", 12, FRAME(FRAME_ACCEPT, 1, 0, 9, 0, 0, 0)},
        {"not to be opened", 12, FRAME(FRAME_ACCEPT, 0, 0, 9, 0, 0, 0)},
        {"more than it may", 9, FRAME(FRAME_DATA, 0, 0, 'x')},
        {"before it was accepted", 12, FRAME(FRAME_CREDIT, 0, 0, 1, 0, 0, 0)},
        {"without bytes", 8, FRAME(FRAME_DATA, 1, 0)},
        {"more than it may", 12, FRAME(FRAME_DATA, 1, 0, 'x', 'y', 'z', '!')},
        {"more than was sent", 12, FRAME(FRAME_CREDIT, 1, 0, 1, 0, 0, 0)},
        {"more than was sent", 12, FRAME(FRAME_CREDIT, 1, 0, 0, 0, 0, 0)},
        {"a wrong length", 11, FRAME(FRAME_CREDIT, 1, 0, 0, 0, 0)},
        {"a wrong length", 13, FRAME(FRAME_CLOSE, 1, 0, 5, 0, 0, 0, 0)},
        {"a wrong length", 9, FRAME(FRAME_END, 1, 0, 0)},
        {"both directions had ended", 12, FRAME(FRAME_CLOSE, 1, 0, 0, 0, 0, 0)},
        {"a reason", 12, FRAME(FRAME_CLOSE, 1, 0, 0, 0x10, 0, 0)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
        struct flow *flows[2];

        protocol_start(&ends[0]);
        protocol_start(&ends[1]);
        greet();
        flows[0] = protocol_open(&ends[0], FRAME_STREAM, "target", 3);
        assert_int_equal(pass(0), PROTOCOL_OPENED);
        flows[1] = event.flow;
        protocol_accept(&ends[1], flows[1], WINDOW);
        assert_int_equal(pass(1), PROTOCOL_ACCEPTED);
        (void)protocol_open(&ends[1], FRAME_STREAM, "other", WINDOW);
        assert_int_equal(pass(1), PROTOCOL_OPENED);
        if (protocol_receive(&ends[0], breaches[i].frame, breaches[i].length, &event) != -EPROTO)
            fail_msg("breach %zu was not found (%s)", i, breaches[i].says);
        if (!strstr(ends[0].reason, breaches[i].says))
            fail_msg("breach %zu: \"%s\", without \"%s\"", i, ends[0].reason, breaches[i].says);
    }
}

/* The longest name, and one more. */
static void names_of_targets_have_a_length(void **state)
{
    uint8_t frame[16 + FRAME_TARGET_BYTES] = FRAME(FRAME_OPEN, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0);

    (void)state;
    memset(frame + 16, 't', FRAME_TARGET_BYTES);
    greet();
    assert_int_equal(protocol_receive(&ends[0], frame, sizeof(frame), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "too long"));
    assert_int_equal(protocol_receive(&ends[0], frame, sizeof(frame) - 1, &event), 0);
    assert_int_equal(event.type, PROTOCOL_OPENED);
    assert_int_equal(strlen(event.target), FRAME_TARGET_BYTES - 1);
}

static void what_follows_the_end_is_a_breach(void **state)
{
    static const uint8_t data[] = FRAME(FRAME_DATA, 1, 0, 'x'), end[] = FRAME(FRAME_END, 1, 0);
    static const uint8_t close[] = FRAME(FRAME_CLOSE, 1, 0, 5, 0, 0, 0);
    struct flow *flows[2];

    (void)state;
    greet();
    open_flow(FRAME_STREAM, flows);
    assert_int_equal(protocol_receive(&ends[0], end, sizeof(end), &event), 0);
    assert_int_equal(protocol_receive(&ends[0], data, sizeof(data), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "after the end"));
    assert_int_equal(protocol_receive(&ends[0], end, sizeof(end), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "twice"));
    assert_int_equal(protocol_receive(&ends[0], close, sizeof(close), &event), 0);
    assert_int_equal(protocol_receive(&ends[0], close, sizeof(close), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "not open"));
}

static void what_is_early_has_a_limit(void **state)
{
    static const uint8_t data[] = FRAME(FRAME_DATA, 0, 0, 'x', 'y', 'z'),
                         accept[] = FRAME(FRAME_ACCEPT, 1, 0, 2, 0, 0, 0);

    (void)state;
    ends[0].early = 5;
    ends[1].early = 3;
    greet();
    (void)protocol_open(&ends[1], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(pass(1), PROTOCOL_OPENED);
    assert_int_equal(protocol_receive(&ends[0], data, sizeof(data), &event), 0);
    assert_int_equal(protocol_receive(&ends[0], data, sizeof(data), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "more than it may"));
    (void)protocol_open(&ends[0], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(protocol_write(&ends[0], &(uint64_t[FRAME_CONTROL_BYTES / 8]){0}), FRAME_HEADER_BYTES + 8 + 6);
    assert_int_equal(protocol_receive(&ends[0], accept, sizeof(accept), &event), -EPROTO);
    assert_non_null(strstr(ends[0].reason, "than it takes early"));
}

static void the_first_frame_is_a_hello(void **state)
{
    static const struct {
        const char *says;
        size_t length;
        uint8_t frame[32];
    } frames[] = {
        {"did not say HELLO", 8, FRAME(FRAME_END, 1, 0)},
        {"too short", 23, FRAME(FRAME_HELLO, 0, 0, HELLO(1, 4, 0, 0, 0, TAKES(0)))},
        {"another major version", 24, FRAME(FRAME_HELLO, 0, 0, HELLO(2, 4, 0, 0, 0, TAKES(0)))},
        {"no `crossvm forward`", 24, FRAME(FRAME_HELLO, 0, 0)},
        {"more sockets than", 24, FRAME(FRAME_HELLO, 0, 0, HELLO(1, 4, 0, 0, 1, TAKES(0)))},
        {"more of a socket early", 24, FRAME(FRAME_HELLO, 0, 0, HELLO(1, 4, 0, 0, 0, 1, 0, 0, 0x40))},
    };
    static const uint8_t longer[] = FRAME(FRAME_HELLO, 0, 0, HELLO(1, 4, 0, 0, 0, TAKES(0)), 1, 2, 3);

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        protocol_start(&ends[0]);
        assert_int_equal(protocol_receive(&ends[0], frames[i].frame, frames[i].length, &event), -EPROTO);
        if (!strstr(ends[0].reason, frames[i].says))
            fail_msg("frame %zu: \"%s\"", i, ends[0].reason);
    }
    protocol_start(&ends[0]);
    assert_int_equal(protocol_receive(&ends[0], longer, sizeof(longer), &event), 0); /* of a later minor version */
    assert_int_equal(event.type, PROTOCOL_READY);
}

/* As docs/forward.md has them. */
static void frames_are_as_specified(void **state)
{
    static const uint8_t hello[] = FRAME(FRAME_HELLO, 0, 0, HELLO(1, LIMIT, 0, 0, 0, TAKES(EARLY)));
    static const uint8_t open[] = FRAME(FRAME_OPEN, 0, 0, 1, 0, 0, 0, 0xe8, 3, 0, 0, 't', 'a', 'r', 'g', 'e', 't');
    static const uint8_t accept[] = FRAME(FRAME_ACCEPT, 1, 0, 0xe8, 3, 0, 0);
    static const uint8_t close[] = FRAME(FRAME_CLOSE, 1, 0, EIO, 0, 0, 0);
    uint64_t frame[(FRAME_CONTROL_BYTES + 7) / 8];

    (void)state;
    ends[0].early = EARLY;
    assert_int_equal(protocol_write(&ends[0], frame), sizeof(hello));
    assert_memory_equal(frame, hello, sizeof(hello));
    assert_int_equal(protocol_receive(&ends[1], frame, sizeof(hello), &event), 0);
    assert_int_equal(pass(1), PROTOCOL_READY);
    (void)protocol_open(&ends[0], FRAME_STREAM, "target", WINDOW);
    assert_int_equal(protocol_write(&ends[0], frame), sizeof(open));
    assert_memory_equal(frame, open, sizeof(open));
    assert_int_equal(protocol_receive(&ends[1], frame, sizeof(open), &event), 0);
    protocol_accept(&ends[1], event.flow, WINDOW);
    assert_int_equal(protocol_write(&ends[1], frame), sizeof(accept));
    assert_memory_equal(frame, accept, sizeof(accept));
    protocol_close(&ends[1], event.flow, EIO);
    assert_int_equal(protocol_write(&ends[1], frame), sizeof(close));
    assert_memory_equal(frame, close, sizeof(close));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_flow_lives_and_ends),
        TEST(a_target_is_refused),
        TEST(a_window_holds_up_one_flow),
        TEST(packets_cost_more),
        TEST(closing_crosses_data),
        TEST(as_many_as_the_peer_takes),
        TEST(a_client_speaks_early),
        TEST(all_that_a_client_says_is_early),
        TEST(packets_are_not_early),
        TEST(any_story_is_understood),
        TEST(breaches_are_found),
        TEST(names_of_targets_have_a_length),
        TEST(what_follows_the_end_is_a_breach),
        TEST(what_is_early_has_a_limit),
        TEST(the_first_frame_is_a_hello),
        TEST(frames_are_as_specified),
    };

    return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
