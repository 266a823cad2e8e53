/* SPDX-License-Identifier: BSD-2-Clause */
/* A peer that writes anything into the shared memory: errors, but no access outside of it, and no call without end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel_fixture.h"

#define SIZE 4096
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static uint8_t buffer[SIZE];

static void is_an_answer(ptrdiff_t result)
{
    if (result < 0 && result != -EAGAIN && result != -ETIMEDOUT && result != -EPIPE && result != -EPROTO &&
        result != -EMSGSIZE && result != -EINVAL)
        fail_msg("unexpected result %td", result);
    assert_true(result <= SIZE);
}

/* Makes all calls, and touches all that they show. */
static void use(crossvm_channel_t *channel)
{
    crossvm_channel_sleep_t sleep;
    uint32_t lengths[4];
    const void *shown;
    ptrdiff_t length;
    void *room;

    is_an_answer(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW));
    length = crossvm_channel_peek(channel, &shown, NOW);
    is_an_answer(length);
    if (length > 0) {
        memcpy(buffer, shown, (size_t)length);
        is_an_answer(crossvm_channel_release(channel, (size_t)length));
    }
    if (channel->config.mode == CROSSVM_CHANNEL_DATAGRAM) {
        is_an_answer(crossvm_channel_recv_many(channel, buffer, sizeof(buffer) / 4, lengths, 4, NOW));
        is_an_answer(crossvm_channel_recv_many(channel, buffer, 64, NULL, sizeof(buffer) / 64, NOW));
        is_an_answer(crossvm_channel_send_many(channel, buffer, 24, 5, NOW));
    }
    is_an_answer(crossvm_channel_recv(channel, buffer, sizeof(buffer), LATER));
    is_an_answer(crossvm_channel_send(channel, buffer, 100, NOW));
    length = crossvm_channel_reserve(channel, &room, 300, NOW);
    is_an_answer(length);
    if (length > 0) {
        memset(room, 0x55, (size_t)length);
        is_an_answer(crossvm_channel_commit(channel, (size_t)length));
    }
    is_an_answer(crossvm_channel_send(channel, buffer, crossvm_channel_max_message(channel), LATER));
    is_an_answer(crossvm_channel_drain(channel, LATER));
    (void)crossvm_channel_arm(channel, CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT, &sleep);
    crossvm_channel_disarm(channel);
    is_an_answer(crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, LATER));
}

/* A session with records in both directions, the one to be received starting at a place that is `start` bytes on. */
static struct pair *pair_at(uint32_t start)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);

    for (uint32_t done = 0; done < start; done += 64) {
        assert_int_equal(crossvm_channel_send(&pair->end[1].channel, buffer, 56, NOW), 56);
        assert_int_equal(crossvm_channel_recv(&pair->end[0].channel, buffer, 56, NOW), 56);
    }
    return pair;
}

/* Every PRODUCED with every LENGTH, at the start of the ring, in its middle and near its end. */
static void every_index_with_every_length(void **state)
{
    static const uint32_t starts[] = {0, 832, 1600};

    for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
        struct pair *pair = pair_at(starts[s]);
        crossvm_channel_t *channel = &pair->end[0].channel;
        const crossvm_channel_t before = *channel;
        const uint32_t ring = (uint32_t)crossvm_channel_ring_bytes(channel);
        uint32_t *header = (uint32_t *)(void *)channel->recv.at;
        uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);
        const uint32_t index = *produced;

        for (uint32_t more = 8; more <= ring + 8; more += 8) {
            for (uint32_t length = 0; length <= ring + 16; length++) {
                const bool fits = length <= crossvm_channel_max_message(channel) && starts[s] + 8 + length <= ring &&
                                  ((length + 15) & ~7u) <= more && more <= ring;
                ptrdiff_t result;

                *channel = before;
                *produced = index + more;
                *header = length;
                result = crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW);
                if (result != (fits ? (ptrdiff_t)length : -EPROTO))
                    fail_msg("%u bytes at %u, of a length of %u: %td", more, starts[s], length, result);
            }
        }
        pair_free(pair);
    }
    (void)state;
}

/* The same on the fast path, which a record before it has opened. */
static void every_length_behind_another(void **state)
{
    struct pair *pair = pair_at(832);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const crossvm_channel_t before = *channel;
    uint32_t *header = (uint32_t *)(void *)channel->recv.at;
    uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);
    const uint32_t most = (uint32_t)crossvm_channel_max_message(channel), index = *produced;

    for (uint32_t more = 8; more <= 400; more += 8) {
        for (uint32_t length = 0; length <= most + 16; length++) {
            const bool fits = length <= most && ((length + 15) & ~7u) <= more;
            uint32_t lengths[2];

            *channel = before;
            *produced = index + 24 + more;
            header[0] = 16;
            header[6] = length;
            header[1] = header[7] = 0;
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), 16);
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), fits ? (int)length : -EPROTO);

            *channel = before;
            assert_int_equal(crossvm_channel_recv_many(channel, buffer, SIZE / 2, lengths, 2, NOW), fits ? 2 : 1);
        }
    }
    pair_free(pair);
    (void)state;
}

/* Every LENGTH with every EACH, taken one by one and all at once. */
static void every_length_with_every_each(void **state)
{
    struct pair *pair = pair_at(832);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const crossvm_channel_t before = *channel;
    uint32_t *header = (uint32_t *)(void *)channel->recv.at;
    uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);
    const uint32_t most = (uint32_t)crossvm_channel_max_message(channel), index = *produced;

    for (uint32_t length = 0; length <= most + 16; length++) {
        for (uint32_t each = 1; each <= most + 16; each++) {
            const bool fits = length <= most && each % 8 == 0 && length > each && length % each == 0;
            const int expected = fits ? (int)each : -EPROTO;

            *channel = before;
            *produced = index + ((length + 15) & ~7u);
            header[0] = length;
            header[1] = each;
            if (crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW) != expected)
                fail_msg("a batch of %u bytes, %u each", length, each);
            if (!fits)
                continue;
            header[0] = header[1] = 0xffffffff; /* it was read, and no more */
            assert_int_equal(crossvm_channel_recv_many(channel, buffer, each, NULL, SIZE, NOW), length / each - 1);
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), -EAGAIN);
        }
    }
    /* On the fast path, which a record before it has opened. */
    for (uint32_t length = 0; length <= most + 16; length += 8) {
        for (uint32_t each = 8; each <= 64; each += 8) {
            const bool fits = length <= most && length > each && length % each == 0;
            ptrdiff_t expected = fits ? each == 16 ? 1 + (ptrdiff_t)length / 16 : 1 : 1, result;

            *channel = before;
            *produced = index + 24 + ((length + 15) & ~7u);
            header[0] = 16;
            header[1] = 0;
            header[6] = length;
            header[7] = each;
            result = crossvm_channel_recv_many(channel, buffer, 16, NULL, SIZE / 16, NOW);
            if (result != expected)
                fail_msg("a batch of %u bytes, %u each, behind another: %td", length, each, result);
            if (!fits)
                assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), -EPROTO);
        }
    }
    pair_free(pair);
    (void)state;
}

/* At the end of the ring, behind which nothing is mapped. The batch is checked once; then its header says something
 * else. */
static void a_batch_whose_header_changes(void **state)
{
    static const uint32_t headers[][2] = {{184, 0}, {0, 0}, {8, 0}, {184, 16}, {0xffffffff, 0}};
    struct pair *pair = pair_at(1472);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const crossvm_channel_t before = *channel;
    uint32_t *header = (uint32_t *)(void *)channel->recv.at;
    uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);
    const uint32_t index = *produced;

    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        for (int way = 0; way < 3; way++) {
            const void *shown;

            *channel = before;
            *produced = index + 192;
            header[0] = 184;
            header[1] = 8;
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), 8);
            header[0] = headers[i][0];
            header[1] = headers[i][1];
            for (int left = 22; left > 0; left--) {
                if (way == 0) {
                    assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), 8);
                } else if (way == 1) {
                    assert_int_equal(crossvm_channel_recv(channel, buffer, 8, NOW), 8);
                } else {
                    assert_int_equal(crossvm_channel_peek(channel, &shown, NOW), 8);
                    assert_int_equal(crossvm_channel_release(channel, 8), 0);
                }
            }
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), -EAGAIN);
        }
    }
    pair_free(pair);
    (void)state;
}

static void skips_lead_to_a_record_or_to_nothing(void **state)
{
    struct pair *pair = pair_at(1600);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const crossvm_channel_t before = *channel;
    uint32_t *skip = (uint32_t *)(void *)channel->recv.at, *header = (uint32_t *)(void *)channel->recv.ring;
    uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);
    static const uint32_t lengths[] = {0, 8, 700, 1592, 0x7fffffff, 0xfffffff0, 0xfffffff8, 0xffffffff};
    const uint32_t index = *produced;

    for (uint32_t more = 8; more <= 1664; more += 8) {
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            const bool fits = more > 64 && lengths[i] <= 700 && ((lengths[i] + 15) & ~7u) <= more - 64;

            *channel = before;
            *produced = index + more;
            *skip = CROSSVM_CHANNEL_RECORD_SKIP;
            *header = lengths[i];
            assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW),
                             fits ? (int)lengths[i] : -EPROTO);
            if (more <= 64)
                assert_string_equal(crossvm_channel_reason(channel),
                                    "the other end skips the rest of the ring, and nothing follows");
        }
    }
    pair_free(pair);
    (void)state;
}

static void produced_is_a_multiple_of_8_and_within_the_ring(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const crossvm_channel_t before = *channel;
    uint32_t *produced = pair_word(pair, 1, CROSSVM_CHANNEL_PRODUCED_AT);

    for (uint64_t value = 1; value <= UINT32_MAX; value += value < 10000 || value > UINT32_MAX - 10000 ? 1 : 65521) {
        if (value <= 1664 && value % 8 == 0)
            continue;
        *channel = before;
        *produced = (uint32_t)value;
        assert_int_equal(crossvm_channel_recv(channel, buffer, sizeof(buffer), NOW), -EPROTO);
        assert_true(strlen(crossvm_channel_reason(channel)) > 0);
    }
    pair_free(pair);
    (void)state;
}

static void consumed_is_between_what_was_known_and_what_was_sent(void **state)
{
    for (unsigned mode = CROSSVM_CHANNEL_STREAM; mode <= CROSSVM_CHANNEL_DATAGRAM; mode++) {
        struct pair *pair = pair_connected(SIZE, mode);
        crossvm_channel_t *channel = &pair->end[0].channel;
        uint32_t *consumed = pair_word(pair, 1, CROSSVM_CHANNEL_CONSUMED_AT), sent;
        crossvm_channel_t before;

        while (crossvm_channel_send(channel, buffer, 56, NOW) > 0)
            ;
        sent = *pair_word(pair, 0, CROSSVM_CHANNEL_PRODUCED_AT);
        before = *channel;
        for (uint64_t value = 0; value <= UINT32_MAX;
             value += value < 10000 || value > UINT32_MAX - 10000 ? 1 : 65521) {
            ptrdiff_t result;

            *channel = before;
            *consumed = (uint32_t)value;
            result = crossvm_channel_send(channel, buffer, 700, NOW);
            if (value > sent)
                assert_int_equal(result, -EPROTO);
            else if (mode == CROSSVM_CHANNEL_STREAM)
                assert_true(result == -EAGAIN || (result > 0 && result <= 700));
            else
                assert_true(result == -EAGAIN || result == 700);
        }
        pair_free(pair);
    }
    (void)state;
}

/* Every combination of some values of all words of the peer, from each stage of a session. */
static void every_combination_of_words(void **state)
{
    static const unsigned words[] = {
        CROSSVM_CHANNEL_GENERATION_AT, CROSSVM_CHANNEL_ACK_AT,       CROSSVM_CHANNEL_PRODUCED_AT,
        CROSSVM_CHANNEL_SEND_WAKE_AT,  CROSSVM_CHANNEL_SEND_WANT_AT, CROSSVM_CHANNEL_FIN_AT,
        CROSSVM_CHANNEL_CONSUMED_AT,   CROSSVM_CHANNEL_RECV_WAKE_AT, CROSSVM_CHANNEL_STOP_AT,
    };
    static const uint32_t values[] = {0, 1, 2, 0xfffffff8};
    const uint32_t combinations = 1u << 2 * ARRAY_SIZE(words);

    for (int stage = 0; stage < 3; stage++) {
        struct pair *pair = pair_new(SIZE, stage == 2 ? CROSSVM_CHANNEL_STREAM : CROSSVM_CHANNEL_DATAGRAM, 0);
        crossvm_channel_t *channel = &pair->end[0].channel;
        crossvm_channel_t before;

        if (stage == 0)
            crossvm_channel_open(channel);
        else
            pair_open(pair);
        before = *channel;
        for (uint32_t i = 0; i < combinations; i++) {
            *channel = before;
            for (size_t word = 0; word < ARRAY_SIZE(words); word++)
                *pair_word(pair, 1, words[word]) = values[i >> 2 * word & 3];
            use(channel);
        }
        pair_free(pair);
    }
    (void)state;
}

/*
 * The other process
 */

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

static void fill_words(volatile uint32_t *words, uint32_t value, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        words[i] = value;
}

/* Writes garbage at full speed, much of it nearly right, so that it gets far. */
static void write_garbage(struct pair *pair, uint32_t seed)
{
    volatile uint32_t *block = pair_word(pair, 1, 0), *own = pair_word(pair, 0, 0);

    for (;;) {
        const uint32_t at = next_random(&seed) % (CROSSVM_CHANNEL_BLOCK_AT(1) / 4), kind = next_random(&seed) % 8;

        if (kind == 0)
            block[at] = next_random(&seed);
        else if (kind == 1) /* in the other's block, and in the rings */
            own[next_random(&seed) % (SIZE / 4)] = next_random(&seed) % 2000;
        else if (kind == 2)
            block[CROSSVM_CHANNEL_PRODUCED_AT / 4] += 8 * (next_random(&seed) % 16);
        else if (kind == 3)
            block[CROSSVM_CHANNEL_CONSUMED_AT / 4] = own[CROSSVM_CHANNEL_PRODUCED_AT / 4];
        else if (kind == 4)
            block[CROSSVM_CHANNEL_ACK_AT / 4] = own[CROSSVM_CHANNEL_GENERATION_AT / 4];
        else if (kind == 5)
            block[CROSSVM_CHANNEL_GENERATION_AT / 4] = own[CROSSVM_CHANNEL_ACK_AT / 4];
        else if (kind == 6) /* a session from its start */
            block[CROSSVM_CHANNEL_PRODUCED_AT / 4] = block[CROSSVM_CHANNEL_CONSUMED_AT / 4] = 0;
        else
            fill_words(own + CROSSVM_CHANNEL_RINGS_AT / 4, 0x1010101 * (next_random(&seed) % 3),
                       next_random(&seed) % ((SIZE - CROSSVM_CHANNEL_RINGS_AT) / 4));
        if (next_random(&seed) % 16 == 0) { /* what lets a session begin */
            block[CROSSVM_CHANNEL_MAGIC_AT / 4] = CROSSVM_CHANNEL_MAGIC;
            block[CROSSVM_CHANNEL_VERSION_AT / 4] = CROSSVM_CHANNEL_VERSION;
            block[CROSSVM_CHANNEL_MODE_AT / 4] = own[CROSSVM_CHANNEL_MODE_AT / 4];
            block[CROSSVM_CHANNEL_RING_BYTES_AT / 4] = own[CROSSVM_CHANNEL_RING_BYTES_AT / 4];
            block[CROSSVM_CHANNEL_GENERATION_AT / 4] = 1;
        }
    }
}

/* Uses a channel against a liar often, and until the garbage got somewhere. A call without end hangs the test. */
static void withstand(unsigned mode, unsigned flags)
{
    struct pair *pair = pair_new(SIZE, mode, flags);
    crossvm_channel_t *channel = &pair->end[0].channel;
    const pid_t parent = getpid(), liar = fork();
    unsigned sessions = 0, broken = 0;

    assert_true(liar >= 0);
    if (liar == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        write_garbage(pair, (uint32_t)parent * 2 + mode);
        _exit(0);
    }
    for (unsigned round = 0; round < 100000 || sessions < 20 || broken < 5; round++) {
        crossvm_channel_open(channel);
        for (int i = 0; i < 20; i++) {
            (void)crossvm_channel_connect(channel, NOW);
            use(channel);
        }
        sessions += crossvm_channel_state(channel) != CROSSVM_CHANNEL_OPENING;
        broken += crossvm_channel_state(channel) == CROSSVM_CHANNEL_BROKEN;
    }
    assert_int_equal(kill(liar, SIGKILL), 0);
    assert_int_equal(waitpid(liar, NULL, 0), liar);
    pair_free(pair);
}

static void garbage_at_full_speed_into_a_stream(void **state)
{
    withstand(CROSSVM_CHANNEL_STREAM, 0);
    (void)state;
}

static void garbage_at_full_speed_into_datagrams(void **state)
{
    withstand(CROSSVM_CHANNEL_DATAGRAM, CROSSVM_CHANNEL_RELAXED);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_with_every_length),
        cmocka_unit_test(every_length_behind_another),
        cmocka_unit_test(every_length_with_every_each),
        cmocka_unit_test(a_batch_whose_header_changes),
        cmocka_unit_test(skips_lead_to_a_record_or_to_nothing),
        cmocka_unit_test(produced_is_a_multiple_of_8_and_within_the_ring),
        cmocka_unit_test(consumed_is_between_what_was_known_and_what_was_sent),
        cmocka_unit_test(every_combination_of_words),
        cmocka_unit_test(garbage_at_full_speed_into_a_stream),
        cmocka_unit_test(garbage_at_full_speed_into_datagrams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
