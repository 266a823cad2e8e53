/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of a channel: beginning, ending, beginning anew. */
#include <errno.h>
#include <string.h>

#include "channel_fixture.h"

static void refuses_configurations_out_of_range(void **state)
{
    static _Alignas(64) uint8_t memory[8192];
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);
    const crossvm_channel_config_t good = pair->end[0].channel.config;
    crossvm_channel_t channel;

#define REFUSED(field, value)                                                                                          \
    do {                                                                                                               \
        crossvm_channel_config_t config = good;                                                                        \
        config.field = value;                                                                                          \
        assert_int_equal(crossvm_channel_init(&channel, &config), -EINVAL);                                            \
    } while (0)
    REFUSED(memory, NULL);
    REFUSED(memory, memory + 32);
    REFUSED(size, 4095);
    REFUSED(end, 0);
    REFUSED(end, 3);
    REFUSED(mode, 3);
    REFUSED(flags, 2);
    REFUSED(emit, NULL);
    REFUSED(wait, NULL);
    REFUSED(reserved[0], 1);
    REFUSED(reserved[3], 1);
#undef REFUSED
    assert_int_equal(crossvm_channel_init(NULL, &good), -EINVAL);
    assert_int_equal(crossvm_channel_init(&channel, NULL), -EINVAL);
    assert_int_equal(crossvm_channel_init(&channel, &good), 0);
    pair_free(pair);
    (void)state;
}

static void init_leaves_the_memory_alone(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);

    for (size_t i = 0; i < pair->size; i++)
        assert_int_equal(pair->memory[i], 0);
    assert_int_equal(crossvm_channel_state(&pair->end[0].channel), CROSSVM_CHANNEL_CLOSED);
    pair_free(pair);
    (void)state;
}

static void zero_is_the_default(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);
    const crossvm_channel_config_t good = pair->end[0].channel.config;
    crossvm_channel_config_t config = {.memory = good.memory,
                                       .size = good.size,
                                       .end = CROSSVM_CHANNEL_END(1),
                                       .emit = good.emit,
                                       .wait = good.wait,
                                       .cookie = &pair->end[1]};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_channel_init(&pair->end[1].channel, &config), 0);
        assert_int_equal(crossvm_channel_mode(&pair->end[1].channel), CROSSVM_CHANNEL_STREAM);
        assert_int_equal(pair->end[1].channel.config.spin, 0);
        pair_open(pair);
        config.spin = CROSSVM_CHANNEL_NO_SPIN;
    }
    pair_free(pair);
    (void)state;
}

/* Every call, in both modes, before the first session: no session, no memory, and nothing told to anybody. */
static void calls_before_open_are_not_connected(void **state)
{
    static const unsigned int modes[] = {CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM};

    for (int i = 0; i < 2; i++) {
        struct pair *pair = pair_new(4096, modes[i], 0);
        crossvm_channel_t *channel = &pair->end[0].channel;
        const bool is_stream = modes[i] == CROSSVM_CHANNEL_STREAM;
        const int not_for_streams = is_stream ? -EINVAL : -ENOTCONN;
        uint32_t length;
        const void *shown;
        void *room;
        char byte = 0;

        assert_int_equal(crossvm_channel_mode(channel), modes[i]);
        assert_int_equal(crossvm_channel_session(channel), 0);
        assert_int_equal(crossvm_channel_connect(channel, NOW), -ENOTCONN);
        assert_int_equal(crossvm_channel_send(channel, &byte, 1, NOW), -ENOTCONN);
        assert_int_equal(crossvm_channel_send_many(channel, &byte, 1, 1, NOW), not_for_streams);
        assert_int_equal(crossvm_channel_recv(channel, &byte, 1, FOREVER), -ENOTCONN);
        assert_int_equal(crossvm_channel_recv_many(channel, &byte, 1, &length, 1, NOW), not_for_streams);
        assert_int_equal(crossvm_channel_peek(channel, &shown, NOW), -ENOTCONN);
        assert_int_equal(crossvm_channel_reserve(channel, &room, 1, NOW), -ENOTCONN);
        assert_int_equal(crossvm_channel_commit(channel, 1), -ENOTCONN);
        assert_int_equal(crossvm_channel_release(channel, 1), -EINVAL);
        assert_int_equal(crossvm_channel_release(channel, 0), is_stream ? 0 : -EINVAL);
        assert_int_equal(crossvm_channel_drain(channel, NOW), -ENOTCONN);
        crossvm_channel_flush(channel);
        crossvm_channel_shutdown(channel);
        crossvm_channel_close(channel);
        for (size_t at = 0; at < pair->size; at++)
            assert_int_equal(pair->memory[at], 0);
        assert_int_equal(pair->end[0].emits, 0);
        pair_free(pair);
    }
    (void)state;
}

struct told {
    int times;
    int error;
};

static void note(void *cookie, int error)
{
    struct told *told = cookie;

    told->times++;
    told->error = error;
}

static int emit_nothing(void *cookie)
{
    (void)cookie;
    return 0;
}

static int say_too_late(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return -ETIMEDOUT;
}

/* The callback is told of each error once, and of nothing else. */
static void errors_are_told(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_DATAGRAM, 0);
    crossvm_channel_t *channel = &pair->end[0].channel;
    crossvm_channel_config_t config = channel->config;
    struct told told = {0, 0};
    static char buffer[4096];
    const void *shown;
    void *room;
    int before;

    config.emit = emit_nothing;
    config.wait = say_too_late;
    config.failed = note;
    config.cookie = &told;
    assert_int_equal(crossvm_channel_init(channel, &config), 0);
#define TELLS(call, error_returned)                                                                                    \
    before = told.times;                                                                                               \
    assert_int_equal(call, error_returned);                                                                            \
    assert_int_equal(told.times, before + 1);                                                                          \
    assert_int_equal(told.error, error_returned)
    TELLS(crossvm_channel_send(channel, buffer, 1, NOW), -ENOTCONN);
    TELLS(crossvm_channel_drain(channel, NOW), -ENOTCONN);
    crossvm_channel_open(channel);
    TELLS(crossvm_channel_connect(channel, NOW), -EAGAIN);
    TELLS(crossvm_channel_connect(channel, FOREVER), -ETIMEDOUT);
    TELLS(crossvm_channel_send(channel, buffer, 1, FOREVER), -ETIMEDOUT);
    TELLS(crossvm_channel_recv(channel, buffer, 1, FOREVER), -ETIMEDOUT);
    pair_open(pair);
    before = told.times;
    assert_int_equal(crossvm_channel_send(channel, buffer, 8, NOW), 8);
    assert_int_equal(crossvm_channel_wait(channel, CROSSVM_CHANNEL_OUT, NOW), CROSSVM_CHANNEL_OUT);
    assert_int_equal(crossvm_channel_send(&pair->end[1].channel, buffer, 8, NOW), 8);
    assert_int_equal(crossvm_channel_recv(channel, buffer, 8, NOW), 8);
    assert_int_equal(told.times, before);
    TELLS(crossvm_channel_recv(channel, buffer, 8, NOW), -EAGAIN);
    TELLS(crossvm_channel_recv(channel, buffer, 8, FOREVER), -ETIMEDOUT);
    TELLS(crossvm_channel_recv_many(channel, buffer, 8, NULL, 1, NOW), -EAGAIN);
    TELLS(crossvm_channel_peek(channel, &shown, NOW), -EAGAIN);
    TELLS(crossvm_channel_release(channel, 0), -EINVAL);
    TELLS(crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, NOW), -EAGAIN);
    TELLS(crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, FOREVER), -ETIMEDOUT);
    TELLS(crossvm_channel_send(channel, buffer, sizeof(buffer), NOW), -EMSGSIZE);
    TELLS(crossvm_channel_send_many(channel, buffer, sizeof(buffer), 1, NOW), -EMSGSIZE);
    TELLS(crossvm_channel_reserve(channel, &room, sizeof(buffer), NOW), -EMSGSIZE);
    TELLS(crossvm_channel_commit(channel, sizeof(buffer)), -EINVAL);
    TELLS(crossvm_channel_drain(channel, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_send(&pair->end[1].channel, buffer, 8, NOW), 8);
    TELLS(crossvm_channel_recv(channel, buffer, 4, NOW), -EMSGSIZE);
    TELLS(crossvm_channel_recv_many(channel, buffer, 16, NULL, 1, NOW), -EMSGSIZE);
#undef TELLS
    pair_free(pair);
    (void)state;
}

/* Two sessions are never taken for one. */
static void sessions_have_numbers(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);

    for (uint64_t session = 0; session < 3; session++) {
        assert_int_equal(crossvm_channel_session(&pair->end[0].channel), session);
        pair_open(pair);
    }
    pair_free(pair);
    (void)state;
}

static void ends_meet_in_either_order(void **state)
{
    for (int first = 0; first < 2; first++) {
        struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
        crossvm_channel_t *one = &pair->end[first].channel, *two = &pair->end[1 - first].channel;

        crossvm_channel_open(one);
        assert_int_equal(crossvm_channel_connect(one, NOW), -EAGAIN);
        assert_int_equal(crossvm_channel_connect(one, LATER), -ETIMEDOUT);
        crossvm_channel_open(two);
        assert_int_equal(crossvm_channel_connect(two, NOW), -EAGAIN);
        assert_true(pair->end[first].pending > 0); /* it is told that there is something to do */
        assert_int_equal(crossvm_channel_connect(one, NOW), 0);
        assert_true(pair->end[1 - first].pending > 0);
        assert_int_equal(crossvm_channel_connect(two, FOREVER), 0);
        pair_free(pair);
    }
    (void)state;
}

static void a_call_that_needs_the_peer_waits_for_it(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char byte = 7;

    crossvm_channel_open(one);
    assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_recv(one, &byte, 1, LATER), -ETIMEDOUT);
    crossvm_channel_open(two);
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), 1);
    byte = 0;
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
    assert_int_equal(byte, 7);
    pair_free(pair);
    (void)state;
}

/* Whoever writes over what an end has said of itself keeps nobody out: it says so again when it looks. */
static void what_an_end_says_is_said_again(void **state)
{
    static const unsigned places[] = {CROSSVM_CHANNEL_MAGIC_AT,      CROSSVM_CHANNEL_VERSION_AT,
                                      CROSSVM_CHANNEL_FEATURES_AT,   CROSSVM_CHANNEL_MODE_AT,
                                      CROSSVM_CHANNEL_RING_BYTES_AT, CROSSVM_CHANNEL_GENERATION_AT,
                                      CROSSVM_CHANNEL_ACK_AT};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
        crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
        char byte = 7;

        crossvm_channel_open(two);
        *pair_word(pair, 1, places[i]) ^= 0x5a;
        assert_int_equal(crossvm_channel_connect(two, NOW), -EAGAIN);
        crossvm_channel_open(one);
        for (int k = 0; k < 4; k++)
            (void)crossvm_channel_connect(&pair->end[k % 2].channel, NOW);
        assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), 1);
        byte = 0;
        assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
        assert_int_equal(byte, 7);
        pair_free(pair);
    }
    (void)state;
}

/* The same of an acknowledgement that was right. */
static void an_acknowledgement_is_said_again(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;

    crossvm_channel_open(one);
    crossvm_channel_open(two);
    assert_int_equal(crossvm_channel_connect(one, NOW), -EAGAIN);
    *pair_word(pair, 0, CROSSVM_CHANNEL_ACK_AT) ^= 0x5a;
    assert_int_equal(crossvm_channel_connect(one, NOW), -EAGAIN);
    assert_int_equal(*pair_word(pair, 0, CROSSVM_CHANNEL_ACK_AT), *pair_word(pair, 1, CROSSVM_CHANNEL_GENERATION_AT));
    assert_int_equal(crossvm_channel_connect(two, NOW), 0);
    assert_int_equal(crossvm_channel_connect(one, NOW), 0);
    pair_free(pair);
    (void)state;
}

/* The peer may sleep until it is acknowledged, and nothing else would wake it. */
static void an_acknowledgement_is_told_once(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    struct end *one = &pair->end[0];

    crossvm_channel_open(&one->channel);
    crossvm_channel_open(&pair->end[1].channel);
    one->emits = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(crossvm_channel_connect(&one->channel, NOW), -EAGAIN);
        assert_int_equal(one->emits, 1);
    }
    pair_free(pair);
    (void)state;
}

static void mismatch(unsigned at, uint32_t value, const char *word)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel;

    crossvm_channel_open(&pair->end[1].channel);
    *pair_word(pair, 1, at) = value;
    crossvm_channel_open(one);
    (void)crossvm_channel_connect(one, NOW);
    (void)crossvm_channel_connect(&pair->end[1].channel, NOW); /* this end knows better */
    *pair_word(pair, 1, at) = value;
    assert_int_equal(crossvm_channel_connect(one, NOW), -EPROTO);
    assert_int_equal(crossvm_channel_state(one), CROSSVM_CHANNEL_BROKEN);
    assert_non_null(strstr(crossvm_channel_reason(one), word));
    /* The other end learns that nobody listens, and that nothing comes any more. */
    assert_int_equal(*pair_word(pair, 0, CROSSVM_CHANNEL_STOP_AT), *pair_word(pair, 0, CROSSVM_CHANNEL_GENERATION_AT));
    assert_int_equal(*pair_word(pair, 0, CROSSVM_CHANNEL_FIN_AT), *pair_word(pair, 0, CROSSVM_CHANNEL_GENERATION_AT));
    assert_int_equal(crossvm_channel_send(one, "x", 1, FOREVER), -EPROTO);
    assert_int_equal(crossvm_channel_recv(one, &value, 1, FOREVER), -EPROTO);
    pair_free(pair);
}

/* Both ends leave the rest of a huge dataport alone. Nothing of it is touched here. */
static void a_ring_is_no_longer_than_an_index_tells(void **state)
{
    const size_t most = CROSSVM_CHANNEL_RINGS_AT + 2 * (size_t)CROSSVM_CHANNEL_MAX_RING;
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_config_t config = pair->end[0].channel.config;
    crossvm_channel_t channel;

    for (size_t more = 0; more < 1000; more++) {
        config.size = most + 64 * more;
        assert_int_equal(crossvm_channel_init(&channel, &config), 0);
        assert_int_equal(crossvm_channel_ring_bytes(&channel), CROSSVM_CHANNEL_MAX_RING);
    }
    config.size = most - 1;
    assert_int_equal(crossvm_channel_init(&channel, &config), 0);
    assert_int_equal(crossvm_channel_ring_bytes(&channel), CROSSVM_CHANNEL_MAX_RING - 64);
    pair_free(pair);
    (void)state;
}

static void ends_that_do_not_fit_say_why(void **state)
{
    mismatch(CROSSVM_CHANNEL_MAGIC_AT, 0, "magic");
    mismatch(CROSSVM_CHANNEL_MAGIC_AT, CROSSVM_CHANNEL_MAGIC + 1, "magic");
    mismatch(CROSSVM_CHANNEL_VERSION_AT, CROSSVM_CHANNEL_VERSION + 0x10000, "version");
    mismatch(CROSSVM_CHANNEL_MODE_AT, CROSSVM_CHANNEL_DATAGRAM, "stream");
    mismatch(CROSSVM_CHANNEL_RING_BYTES_AT, 4096, "sizes");
    (void)state;
}

static void a_newer_minor_version_and_unknown_features_are_welcome(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);

    crossvm_channel_open(&pair->end[1].channel);
    *pair_word(pair, 1, CROSSVM_CHANNEL_VERSION_AT) = CROSSVM_CHANNEL_VERSION + 7;
    *pair_word(pair, 1, CROSSVM_CHANNEL_FEATURES_AT) = 0xffffffff;
    crossvm_channel_open(&pair->end[0].channel);
    (void)crossvm_channel_connect(&pair->end[0].channel, NOW);
    (void)crossvm_channel_connect(&pair->end[1].channel, NOW);
    assert_int_equal(crossvm_channel_connect(&pair->end[0].channel, NOW), 0);
    pair_free(pair);
    (void)state;
}

static void half_close_is_end_of_file_after_the_data(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[8];

    assert_int_equal(crossvm_channel_send(one, "last", 4, NOW), 4);
    crossvm_channel_shutdown(one);
    crossvm_channel_shutdown(one);
    assert_int_equal(crossvm_channel_send(one, "x", 1, NOW), -EPIPE);
    assert_int_equal(crossvm_channel_recv(two, buffer, 3, FOREVER), 3);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 1);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 0);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 0);
    assert_int_equal(crossvm_channel_state(two), CROSSVM_CHANNEL_CONNECTED);
    assert_int_equal(crossvm_channel_send(two, "back", 4, NOW), 4); /* the other direction goes on */
    assert_int_equal(crossvm_channel_recv(one, buffer, 8, FOREVER), 4);
    assert_memory_equal(buffer, "back", 4);
    pair_free(pair);
    (void)state;
}

static void end_of_file_of_datagrams_is_epipe(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[8];

    assert_int_equal(crossvm_channel_send(one, "", 0, NOW), 0);
    crossvm_channel_close(one);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 0); /* an empty datagram */
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), -EPIPE);
    assert_int_equal(crossvm_channel_recv_many(two, buffer, 8, NULL, 1, FOREVER), -EPIPE);
    pair_free(pair);
    (void)state;
}

static void close_stops_a_sender_and_says_so(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    static char buffer[4096];
    ptrdiff_t sent = crossvm_channel_send(two, buffer, sizeof(buffer), NOW);

    assert_true(sent > 0 && sent < (ptrdiff_t)sizeof(buffer));
    crossvm_channel_close(one);
    assert_true(pair->end[1].pending > 0);
    assert_int_equal(crossvm_channel_send(two, buffer, 1, FOREVER), -EPIPE);
    assert_int_equal(crossvm_channel_send(one, buffer, 1, FOREVER), -ENOTCONN);
    assert_int_equal(crossvm_channel_recv(one, buffer, 1, FOREVER), -ENOTCONN);
    assert_int_equal(crossvm_channel_recv(two, buffer, 1, FOREVER), 0);
    pair_free(pair);
    (void)state;
}

/* The peer's process dies, and its successor begins anew on the same memory. */
static void restart(struct pair *pair, int end)
{
    crossvm_channel_config_t config = pair->end[end].channel.config;

    memset(&pair->end[end].channel, 0xee, sizeof(pair->end[end].channel));
    assert_int_equal(crossvm_channel_init(&pair->end[end].channel, &config), 0);
    crossvm_channel_open(&pair->end[end].channel);
}

static void a_restarted_peer_is_noticed_after_its_data(void **state)
{
    for (int end = 0; end < 2; end++) {
        struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_STREAM);
        crossvm_channel_t *two = &pair->end[1 - end].channel;
        char buffer[8];

        assert_int_equal(crossvm_channel_send(&pair->end[end].channel, "old", 3, NOW), 3);
        assert_int_equal(crossvm_channel_send(two, "stale", 5, NOW), 5);
        restart(pair, end);
        assert_int_equal(crossvm_channel_recv(&pair->end[end].channel, buffer, 8, NOW), -EAGAIN);
        assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 3);
        assert_memory_equal(buffer, "old", 3);
        assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), -EPIPE);
        assert_int_equal(crossvm_channel_state(two), CROSSVM_CHANNEL_ENDED);
        assert_int_equal(crossvm_channel_connect(two, NOW), -EPIPE);

        crossvm_channel_open(two);
        assert_int_equal(crossvm_channel_connect(two, NOW), -EAGAIN);
        assert_int_equal(crossvm_channel_send(&pair->end[end].channel, "new", 3, NOW), 3);
        assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 3);
        assert_memory_equal(buffer, "new", 3);
        assert_int_equal(crossvm_channel_recv(&pair->end[end].channel, buffer, 8, NOW), -EAGAIN); /* nothing stale */
        pair_free(pair);
    }
    (void)state;
}

static void a_peer_that_is_said_to_be_gone_is_gone_after_its_data(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[8];

    assert_int_equal(crossvm_channel_send(one, "a", 1, NOW), 1);
    assert_int_equal(crossvm_channel_send(two, "b", 1, FOREVER), 1);
    crossvm_channel_set_peer(two, false);
    (void)crossvm_channel_send(two, "b", 1, FOREVER); /* may go where nobody takes it */
    assert_int_equal(crossvm_channel_send(two, "b", 1, FOREVER), -EPIPE);
    crossvm_channel_set_peer(two, true); /* another program, which has not opened the channel */
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 1);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), -EPIPE);
    assert_int_equal(crossvm_channel_send(two, "b", 1, FOREVER), -EPIPE);
    crossvm_channel_open(two);
    restart(pair, 0);
    (void)crossvm_channel_connect(two, NOW);
    assert_int_equal(crossvm_channel_connect(&pair->end[0].channel, NOW), 0);
    assert_int_equal(crossvm_channel_send(two, "b", 1, FOREVER), 1);
    pair_free(pair);
    (void)state;
}

static void what_was_taken_is_told_when_the_session_is_over(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const uint32_t *consumed = pair_word(pair, 1, CROSSVM_CHANNEL_CONSUMED_AT);
    char buffer[8];

    for (int i = 0; i < 3; i++) {
        assert_int_equal(crossvm_channel_send(one, "message", 8, NOW), 8);
        assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), 8);
    }
    assert_in_range(*consumed, 0, 2 * 16); /* some of it is withheld */
    crossvm_channel_set_peer(two, false);
    assert_int_equal(crossvm_channel_recv(two, buffer, 8, FOREVER), -EPIPE);
    assert_int_equal(*consumed, 3 * 16);
    pair_free(pair);
    (void)state;
}

/* End 1 is in the session and has sent something, and end 0 does not know of either yet. */
static void send_before_the_other_looks(struct pair *pair)
{
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;

    crossvm_channel_open(two);
    crossvm_channel_open(one);
    (void)crossvm_channel_connect(one, NOW);
    assert_int_equal(crossvm_channel_connect(two, NOW), 0);
    assert_int_equal(crossvm_channel_send(two, "hello", 5, NOW), 5);
}

static void what_a_peer_sent_before_it_went_is_met_late(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[8];

    send_before_the_other_looks(pair);
    crossvm_channel_close(two);
    crossvm_channel_set_peer(one, false); /* it is gone before this end has looked */
    assert_int_equal(crossvm_channel_recv(one, buffer, 8, FOREVER), 5);
    assert_int_equal(crossvm_channel_recv(one, buffer, 8, FOREVER), 0);
    assert_int_equal(crossvm_channel_send(one, "x", 1, FOREVER), -EPIPE);
    pair_free(pair);
    (void)state;
}

/* The same of one that was killed: nothing in the memory says that it went. */
static void what_a_killed_peer_sent_is_met_late(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel;
    char buffer[8];

    send_before_the_other_looks(pair);
    crossvm_channel_set_peer(one, false); /* before this end has looked */
    assert_int_equal(crossvm_channel_recv(one, buffer, 8, FOREVER), 5);
    assert_int_equal(crossvm_channel_recv(one, buffer, 8, FOREVER), -EPIPE);
    pair_free(pair);
    (void)state;
}

static int failing_ring(void *cookie)
{
    (void)cookie;
    return -EIO;
}

static void an_emit_that_fails_means_that_the_peer_is_gone(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *one = &pair->end[0].channel;
    crossvm_channel_sleep_t sleep;

    one->config.emit = failing_ring;
    assert_int_equal(crossvm_channel_arm(&pair->end[1].channel, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_int_equal(crossvm_channel_send(one, "x", 1, NOW), 1);
    assert_int_equal(crossvm_channel_send(one, "y", 1, NOW), -EPIPE);
    pair_free(pair);
    (void)state;
}

static int interrupted(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return -EINTR;
}

static void an_error_of_the_wait_ends_the_call_only(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[64];

    one->config.wait = interrupted;
    assert_int_equal(crossvm_channel_recv(one, buffer, 64, FOREVER), -EINTR);
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_IN, FOREVER), -EINTR);
    while (crossvm_channel_send(one, buffer, 64, NOW) == 64)
        ;
    assert_int_equal(crossvm_channel_send(one, buffer, 64, FOREVER), -EINTR);
    assert_int_equal(crossvm_channel_drain(one, FOREVER), -EINTR);
    assert_int_equal(crossvm_channel_send(two, "x", 1, NOW), 1);
    assert_int_equal(crossvm_channel_recv(one, buffer, 64, FOREVER), 1);
    crossvm_channel_close(one);
    crossvm_channel_open(one);
    assert_int_equal(crossvm_channel_recv(one, buffer, 64, FOREVER), -EINTR);
    pair_free(pair);
    (void)state;
}

static void generations_are_never_zero_nor_repeated(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);
    uint32_t *generation = pair_word(pair, 0, CROSSVM_CHANNEL_GENERATION_AT);
    uint32_t before;

    *generation = 0xffffffff;
    crossvm_channel_open(&pair->end[0].channel);
    assert_int_equal(*generation, 1);
    before = *generation;
    *generation = before - 1; /* the peer wrote to it */
    crossvm_channel_open(&pair->end[0].channel);
    assert_true(*generation != 0 && *generation != before);
    *generation = 0xffffffff;
    crossvm_channel_open(&pair->end[0].channel);
    assert_int_equal(*generation, 1);
    *generation = 0xffffffff; /* behind it comes 0, and then the one that it has */
    crossvm_channel_open(&pair->end[0].channel);
    assert_int_equal(*generation, 2);
    pair_free(pair);
    (void)state;
}

/* Regression: what was there when the channel was closed could still be received. */
static void nothing_is_received_after_close(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const void *shown;
    char byte;

    assert_int_equal(crossvm_channel_send(one, "1", 1, NOW), 1);
    assert_int_equal(crossvm_channel_send(one, "2", 1, NOW), 1);
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
    crossvm_channel_close(two);
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), -ENOTCONN);
    assert_int_equal(crossvm_channel_peek(two, &shown, NOW), -ENOTCONN);
    assert_int_equal(crossvm_channel_release(two, 1), -EINVAL);
    pair_free(pair);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_configurations_out_of_range),
        cmocka_unit_test(init_leaves_the_memory_alone),
        cmocka_unit_test(zero_is_the_default),
        cmocka_unit_test(calls_before_open_are_not_connected),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(sessions_have_numbers),
        cmocka_unit_test(ends_meet_in_either_order),
        cmocka_unit_test(a_call_that_needs_the_peer_waits_for_it),
        cmocka_unit_test(what_an_end_says_is_said_again),
        cmocka_unit_test(an_acknowledgement_is_said_again),
        cmocka_unit_test(an_acknowledgement_is_told_once),
        cmocka_unit_test(a_ring_is_no_longer_than_an_index_tells),
        cmocka_unit_test(ends_that_do_not_fit_say_why),
        cmocka_unit_test(a_newer_minor_version_and_unknown_features_are_welcome),
        cmocka_unit_test(half_close_is_end_of_file_after_the_data),
        cmocka_unit_test(end_of_file_of_datagrams_is_epipe),
        cmocka_unit_test(close_stops_a_sender_and_says_so),
        cmocka_unit_test(a_restarted_peer_is_noticed_after_its_data),
        cmocka_unit_test(a_peer_that_is_said_to_be_gone_is_gone_after_its_data),
        cmocka_unit_test(what_was_taken_is_told_when_the_session_is_over),
        cmocka_unit_test(what_a_peer_sent_before_it_went_is_met_late),
        cmocka_unit_test(what_a_killed_peer_sent_is_met_late),
        cmocka_unit_test(an_emit_that_fails_means_that_the_peer_is_gone),
        cmocka_unit_test(an_error_of_the_wait_ends_the_call_only),
        cmocka_unit_test(generations_are_never_zero_nor_repeated),
        cmocka_unit_test(nothing_is_received_after_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
