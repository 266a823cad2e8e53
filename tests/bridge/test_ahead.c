/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams that are read ahead, from a ring that a real channel has filled; and rings that no channel fills so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <crossvm/channel.h>

#include "../../src/bridge/ahead.h"

#define SIZE 4096
#define RING_BYTES 1664 /* (SIZE - 768) / 2 */
#define LONGEST 720     /* (RING_BYTES - RING_BYTES / 8 + 8) / 2, without the header */

static uint8_t memory[SIZE] __attribute__((aligned(64)));
static const uint8_t *const ring = memory + CROSSVM_CHANNEL_RINGS_AT;

static int emit_nothing(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait_for_nothing(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return -11; /* EAGAIN of Linux */
}

/* Both ends, in a session. */
static void join(crossvm_channel_t ends[2])
{
    memset(memory, 0, sizeof(memory));
    for (unsigned int i = 0; i < 2; i++) {
        const crossvm_channel_config_t config = {.memory = memory,
                                                 .size = SIZE,
                                                 .end = CROSSVM_CHANNEL_END(i),
                                                 .mode = CROSSVM_CHANNEL_DATAGRAM,
                                                 .emit = emit_nothing,
                                                 .wait = wait_for_nothing};

        assert_int_equal(crossvm_channel_init(&ends[i], &config), 0);
        crossvm_channel_open(&ends[i]);
    }
    (void)crossvm_channel_connect(&ends[0], CROSSVM_NOW);
    assert_int_equal(crossvm_channel_connect(&ends[1], CROSSVM_NOW), 0);
    assert_int_equal(crossvm_channel_connect(&ends[0], CROSSVM_NOW), 0);
}

static uint32_t produced(void)
{
    uint32_t index;

    memcpy(&index, memory + CROSSVM_CHANNEL_PRODUCED_AT, sizeof(index));
    return index;
}

/* The place after a datagram is as good a start as the beginning. */
static void reads_next(struct ahead *ahead, const void *wanted, uint32_t length)
{
    struct ahead again;
    const uint8_t *data, *other;
    uint32_t found, other_length;

    assert_true(ahead_begin(&again, ring, RING_BYTES, ahead->place));
    assert_int_equal(ahead_next(ahead, produced(), &data, &found), 1);
    assert_int_equal(found, length);
    assert_memory_equal(data, wanted, length);
    assert_int_equal(ahead_next(&again, produced(), &other, &other_length), 1);
    assert_ptr_equal(other, data);
    assert_int_equal(other_length, length);
}

static void has_no_more(struct ahead *ahead)
{
    const uint8_t *data;
    uint32_t length;

    assert_int_equal(ahead_next(ahead, produced(), &data, &length), 0);
}

/* Datagrams of all lengths, with skips and batches, while the receiver takes them later. */
static void reads_what_a_channel_sends(void **state)
{
    static uint8_t sent[LONGEST], taken[LONGEST];
    crossvm_channel_t ends[2];
    struct ahead ahead;

    (void)state;
    join(ends);
    assert_int_equal(crossvm_channel_max_message(&ends[0]), LONGEST);
    assert_int_equal(ahead_longest(RING_BYTES), LONGEST);
    assert_true(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){0}));
    srand(1);
    for (unsigned int i = 0; i < 20000; i++) {
        const uint32_t length = (uint32_t)rand() % (i % 3 ? 64 : LONGEST + 1);

        memset(sent, (int)i, length);
        assert_int_equal(crossvm_channel_send(&ends[0], sent, length, CROSSVM_NOW), length);
        reads_next(&ahead, sent, length);
        has_no_more(&ahead);
        assert_int_equal(crossvm_channel_recv(&ends[1], taken, sizeof(taken), CROSSVM_NOW), length);
    }
}

static void reads_batches(void **state)
{
    uint64_t sent[20], taken[20];
    crossvm_channel_t ends[2];
    struct ahead ahead;

    (void)state;
    join(ends);
    assert_true(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){0}));
    for (uint64_t i = 0; i < 1000; i++) {
        for (uint64_t j = 0; j < 20; j++)
            sent[j] = i * 20 + j;
        assert_int_equal(crossvm_channel_send_many(&ends[0], sent, 8, 20, CROSSVM_NOW), 20);
        for (size_t j = 0; j < 20; j++)
            reads_next(&ahead, &sent[j], 8);
        has_no_more(&ahead);
        assert_int_equal(crossvm_channel_recv_many(&ends[1], taken, 8, NULL, 20, CROSSVM_NOW), 20);
    }
}

/* --- what no channel does --- */

static void put(uint32_t at, uint32_t length, uint32_t each)
{
    memcpy(memory + CROSSVM_CHANNEL_RINGS_AT + at, &length, sizeof(length));
    memcpy(memory + CROSSVM_CHANNEL_RINGS_AT + at + 4, &each, sizeof(each));
}

static int result_at(struct ahead_place place, uint32_t until)
{
    const uint8_t *data;
    struct ahead ahead;
    uint32_t length;

    assert_true(ahead_begin(&ahead, ring, RING_BYTES, place));
    return ahead_next(&ahead, until, &data, &length);
}

static void nonsense_is_refused(void **state)
{
    const struct ahead_place start = {0}, late = {.index = RING_BYTES - 64, .position = RING_BYTES - 64};

    (void)state;
    put(0, 8, 0);
    assert_int_equal(result_at(start, 16), 1);
    assert_int_equal(result_at(start, 12), -1);             /* not between records */
    assert_int_equal(result_at(start, 8), -1);              /* half a record */
    assert_int_equal(result_at(start, RING_BYTES + 8), -1); /* more than a ring */
    put(0, LONGEST + 1, 0);
    assert_int_equal(result_at(start, RING_BYTES), -1);
    put(0, CROSSVM_CHANNEL_RECORD_SKIP, 0);
    assert_int_equal(result_at(start, RING_BYTES), -1); /* a skip at the start */
    put(0, 16, 12);
    assert_int_equal(result_at(start, 64), -1); /* no multiple of 8 */
    put(0, 16, 16);
    assert_int_equal(result_at(start, 64), -1); /* a batch of one */
    put(0, 24, 16);
    assert_int_equal(result_at(start, 64), -1); /* and a half */
    put(0, 16, 8);
    assert_int_equal(result_at((struct ahead_place){.part = 2}, 64), -1); /* behind the last of a batch */
    put(RING_BYTES - 64, 64, 0);
    assert_int_equal(result_at(late, RING_BYTES + 64), -1); /* beyond the end of the ring */
    put(RING_BYTES - 64, CROSSVM_CHANNEL_RECORD_SKIP, 0);
    assert_int_equal(result_at(late, RING_BYTES), -1); /* nothing behind the skip */
    put(0, CROSSVM_CHANNEL_RECORD_SKIP, 0);
    assert_int_equal(result_at(late, RING_BYTES + 64), -1); /* another skip */
}

static void impossible_places_are_refused(void **state)
{
    struct ahead ahead;

    (void)state;
    assert_false(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){.position = RING_BYTES + 8}));
    assert_false(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){.position = 4}));
    assert_false(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){.index = 4}));
    assert_true(ahead_begin(&ahead, ring, RING_BYTES, (struct ahead_place){.position = RING_BYTES}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_a_channel_sends),
        cmocka_unit_test(reads_batches),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(impossible_places_are_refused),
    };

    return cmocka_run_group_tests_name("ahead", tests, NULL, NULL);
}
