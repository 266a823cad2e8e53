/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of bytes through a channel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel_fixture.h"

/* A small generator of its own: tests repeat. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void bytes_arrive_in_order_whatever_the_pieces(void **state)
{
    static const size_t sizes[] = {4096, 4160, 65536};

    for (size_t s = 0; s < 3; s++) {
        struct pair *pair = pair_connected(sizes[s], CROSSVM_CHANNEL_STREAM);
        crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
        const size_t most = sizes[s];
        uint8_t *out = malloc(most), *in = malloc(most);
        uint64_t sent = 0, received = 0;
        uint32_t seed = 1;

        while (received < 2000000) {
            ptrdiff_t n;
            size_t length = next_random(&seed) % most;

            for (size_t i = 0; i < length; i++)
                out[i] = (uint8_t)((sent + i) * 7 + ((sent + i) >> 8));
            n = crossvm_channel_send(one, out, length, NOW);
            assert_true(n >= 0 || n == -EAGAIN);
            sent += n > 0 ? (uint64_t)n : 0;
            n = crossvm_channel_recv(two, in, 1 + next_random(&seed) % most, NOW);
            assert_true(n > 0 || n == -EAGAIN);
            for (ptrdiff_t i = 0; i < n; i++, received++)
                if (in[i] != (uint8_t)(received * 7 + (received >> 8)))
                    fail_msg("byte %llu is wrong", (unsigned long long)received);
        }
        free(out);
        free(in);
        pair_free(pair);
    }
    (void)state;
}

static void a_full_ring_takes_a_part(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const size_t ring = crossvm_channel_ring_bytes(one);
    uint8_t buffer[8192];

    assert_int_equal(crossvm_channel_send(one, buffer, sizeof(buffer), NOW), ring);
    assert_int_equal(crossvm_channel_send(one, buffer, 1, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_send(one, buffer, 1, LATER), -ETIMEDOUT);
    assert_int_equal(crossvm_channel_recv(two, buffer, sizeof(buffer), FOREVER), ring);
    assert_int_equal(crossvm_channel_send(one, buffer, sizeof(buffer), LATER), ring);
    assert_int_equal(crossvm_channel_send(one, buffer, 0, NOW), 0);
    assert_int_equal(crossvm_channel_recv(two, buffer, 0, NOW), 0);
    pair_free(pair);
    (void)state;
}

/* While the sender sleeps, the other end takes what is there in small pieces, until it emits an event. */
static void take_until_an_event(struct end *end)
{
    uint8_t buffer[100];

    while (end->pending == 0)
        assert_true(crossvm_channel_recv(&end->other->channel, buffer, sizeof(buffer), NOW) > 0);
}

static void without_a_deadline_everything_goes(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    static uint8_t buffer[100000];

    pair->end[0].asleep = take_until_an_event;
    assert_int_equal(crossvm_channel_send(&pair->end[0].channel, buffer, sizeof(buffer), FOREVER), sizeof(buffer));
    assert_true(pair->end[0].waits > 0);
    pair_free(pair);
    (void)state;
}

static void bytes_are_written_and_read_in_place(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    uint64_t sent = 0, received = 0;

    for (int round = 0; round < 3000; round++) {
        const void *shown;
        void *room;
        ptrdiff_t n = crossvm_channel_reserve(one, &room, 1 + (size_t)round * 13 % 500, NOW);

        if (n != -EAGAIN) {
            assert_true(n > 0);
            for (ptrdiff_t i = 0; i < n - n / 3; i++)
                ((uint8_t *)room)[i] = (uint8_t)((sent + (uint64_t)i) * 5);
            assert_int_equal(crossvm_channel_commit(one, (size_t)(n - n / 3)), 0);
            sent += (uint64_t)(n - n / 3);
        }
        n = crossvm_channel_peek(two, &shown, NOW);
        if (n == -EAGAIN)
            continue;
        assert_true(n > 0);
        n = n - n / 2;
        for (ptrdiff_t i = 0; i < n; i++, received++)
            assert_int_equal(((const uint8_t *)shown)[i], (uint8_t)(received * 5));
        assert_int_equal(crossvm_channel_release(two, (size_t)n), 0);
    }
    assert_int_equal(crossvm_channel_release(two, 4096), -EINVAL);
    assert_int_equal(crossvm_channel_commit(one, 4096), -EINVAL);
    pair_free(pair);
    (void)state;
}

/* No further than to the end of the ring, and not over what was not taken. */
static void no_more_is_committed_than_there_is_room(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const size_t ring = crossvm_channel_ring_bytes(one);
    uint8_t buffer[4096] = {0};
    void *room;

    assert_int_equal(crossvm_channel_send(one, buffer, ring - 100, NOW), ring - 100);
    assert_int_equal(crossvm_channel_commit(one, 101), -EINVAL);
    assert_int_equal(crossvm_channel_commit(one, 100), 0);
    assert_int_equal(crossvm_channel_commit(one, 1), -EINVAL);
    assert_int_equal(crossvm_channel_recv(two, buffer, ring, NOW), ring);
    assert_int_equal(crossvm_channel_send(one, buffer, ring - 100, NOW), ring - 100);
    assert_int_equal(crossvm_channel_recv(two, buffer, ring, NOW), ring - 100);
    assert_int_equal(crossvm_channel_drain(one, NOW), 0);                 /* the sender knows that all is taken */
    assert_int_equal(crossvm_channel_reserve(one, &room, 200, NOW), 100); /* the rest is at the start */
    assert_int_equal(crossvm_channel_commit(one, 101), -EINVAL);
    assert_int_equal(crossvm_channel_commit(one, 100), 0);
    assert_int_equal(crossvm_channel_reserve(one, &room, 4096, NOW), ring - 100);
    assert_int_equal(crossvm_channel_commit(one, ring - 99), -EINVAL);
    pair_free(pair);
    (void)state;
}

static void batches_of_datagrams_are_refused(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    char buffer[16];

    assert_int_equal(crossvm_channel_send_many(&pair->end[0].channel, buffer, 8, 2, NOW), -EINVAL);
    assert_int_equal(crossvm_channel_recv_many(&pair->end[0].channel, buffer, 8, NULL, 2, NOW), -EINVAL);
    pair_free(pair);
    (void)state;
}

/* Regression: the release went beyond the ring, and so did the next peek. */
static void a_release_after_another_receive_is_refused(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const size_t ring = crossvm_channel_ring_bytes(one);
    uint8_t buffer[4096] = {0};
    const void *shown;

    assert_int_equal(crossvm_channel_send(two, buffer, ring, NOW), ring); /* the last in memory */
    assert_int_equal(crossvm_channel_peek(one, &shown, NOW), ring);
    assert_int_equal(crossvm_channel_recv(one, buffer, ring - 8, NOW), ring - 8);
    assert_int_equal(crossvm_channel_send(two, buffer, ring - 8, NOW), ring - 8);
    assert_int_equal(crossvm_channel_release(one, 100), -EINVAL);
    assert_int_equal(crossvm_channel_peek(one, &shown, NOW), 8);
    assert_int_equal(crossvm_channel_release(one, 3), 0);
    assert_int_equal(crossvm_channel_release(one, 6), -EINVAL);
    assert_int_equal(crossvm_channel_release(one, 5), 0);
    assert_int_equal(crossvm_channel_recv(one, buffer, sizeof(buffer), NOW), ring - 8);
    pair_free(pair);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_whatever_the_pieces),
        cmocka_unit_test(a_full_ring_takes_a_part),
        cmocka_unit_test(without_a_deadline_everything_goes),
        cmocka_unit_test(bytes_are_written_and_read_in_place),
        cmocka_unit_test(no_more_is_committed_than_there_is_room),
        cmocka_unit_test(batches_of_datagrams_are_refused),
        cmocka_unit_test(a_release_after_another_receive_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
