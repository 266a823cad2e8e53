/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels of libcrossvm: creation, sleeping in every way, and the news of the other end. The tool is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair_fixture.h"

#define FOREVER CROSSVM_FOREVER
#define NOW CROSSVM_NOW

/* --- ends and creation --- */

/* Waits until the end knows of that state of its peer. Returns the generation. */
static uint32_t await_peer(crossvm_end_t *end, uint32_t state)
{
    uint32_t generation;

    while (crossvm_peer_state(end, &generation) != state)
        assert_int_equal(crossvm_wait(end, FOREVER), 0);
    return generation;
}

static void ends_of_a_pair(void **state)
{
    crossvm_end_info_t info;
    crossvm_end_t *ends[2], *second;

    (void)state;
    ends[0] = pair_open(0);
    assert_int_equal(crossvm_peer_state(ends[0], NULL), CROSSVM_PEER_ABSENT);
    ends[1] = pair_open(1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_end_number(ends[i]), i);
        assert_int_equal(crossvm_num_dataports(ends[i]), 3);
        assert_int_equal(crossvm_info(ends[i], &info, sizeof(info)), 0);
        assert_int_equal(info.end, i);
        assert_int_equal(info.owner, 1);
    }
    assert_int_equal(await_peer(ends[0], CROSSVM_PEER_READY), 1);
    assert_int_equal(crossvm_open(&second, "link.1"), -EBUSY);

    assert_int_equal(crossvm_emit(ends[0]), 0);
    assert_int_equal(crossvm_emit(ends[0]), 0);
    assert_int_equal(crossvm_wait(ends[1], FOREVER), 2);
    memcpy(crossvm_dataport(ends[0], 1).address, "one way", 8);
    assert_string_equal(crossvm_dataport(ends[1], 1).address, "one way");
    assert_int_equal(crossvm_dataport(ends[1], 1).rights, CROSSVM_RIGHT_READ);

    crossvm_close(ends[1]);
    (void)await_peer(ends[0], CROSSVM_PEER_ABSENT);
    ends[1] = pair_open(1);
    assert_int_equal(await_peer(ends[0], CROSSVM_PEER_READY), 2);
    crossvm_close(ends[0]);
    crossvm_close(ends[1]);
}

static void assert_refused(crossvm_end_t *end, crossvm_channel_options_t options, int error, const char *sentence)
{
    crossvm_channel_t *channel;

    assert_int_equal(crossvm_channel_create(&channel, end, &options), -error);
    assert_null(channel);
    if (!strstr(crossvm_strerror(), sentence))
        fail_msg("\"%s\", not \"%s\"", crossvm_strerror(), sentence);
}

static void wrong_options(void **state)
{
    crossvm_end_t *end = pair_open(1);

    (void)state;
#define REFUSED(member, error, sentence) assert_refused(end, (crossvm_channel_options_t){.member}, error, sentence)
    REFUSED(mode = 3, EINVAL, "is a stream (1) or for datagrams (2), not 3");
    REFUSED(dataport = CROSSVM_CHANNEL_DATAPORT(3), ENOENT, "has no dataport 3: it has 3");
    REFUSED(dataport = UINT_MAX, ENOENT, "has no dataport 4294967294");
    REFUSED(dataport = CROSSVM_CHANNEL_DATAPORT(1), EACCES, "dataport 1 of connection \"link.1\" is read-only");
    REFUSED(end = CROSSVM_CHANNEL_END(2), EINVAL, "is end 0 or 1, not 2");
    REFUSED(reserved[0] = 1, EINVAL, "reserved members");
    REFUSED(reserved[3] = 1, EINVAL, "reserved members");
#undef REFUSED
    crossvm_close(end);
}

/* What both ends leave at 0 fits together: they have different numbers, one dataport and one mode. */
static void zero_is_the_default(void **state)
{
    static const crossvm_channel_options_t zero = {0};
    crossvm_end_t *ends[2] = {pair_open(0), pair_open(1)};
    crossvm_channel_t *channels[2];
    char text[8];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_channel_create(&channels[i], ends[i], i ? &zero : NULL), 0);
        assert_int_equal(crossvm_channel_mode(channels[i]), CROSSVM_CHANNEL_STREAM);
    }
    for (int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(channels[i % 2], NOW);
    assert_int_equal(crossvm_channel_send(channels[0], "there", 6, FOREVER), 6);
    assert_int_equal(crossvm_channel_send(channels[1], "and", 4, FOREVER), 4);
    assert_int_equal(crossvm_channel_recv(channels[1], text, sizeof(text), FOREVER), 6);
    assert_string_equal(text, "there");
    assert_int_equal(crossvm_channel_recv(channels[0], text, sizeof(text), FOREVER), 4);
    assert_string_equal(text, "and");
    for (int i = 0; i < 2; i++) {
        crossvm_channel_destroy(channels[i]);
        crossvm_close(ends[i]);
    }
}

static void modes_must_match(void **state)
{
    crossvm_end_t *ends[2] = {pair_open(0), pair_open(1)};
    crossvm_channel_t *channels[2] = {pair_channel(ends[0], CROSSVM_CHANNEL_STREAM),
                                      pair_channel(ends[1], CROSSVM_CHANNEL_DATAGRAM)};
    int result;

    (void)state;
    do
        result = crossvm_channel_connect(channels[0], NOW);
    while (result == -EAGAIN && crossvm_channel_connect(channels[1], NOW) == -EAGAIN);
    result = result == -EAGAIN ? crossvm_channel_connect(channels[0], NOW) : result;
    assert_int_equal(result, -EPROTO);
    assert_non_null(strstr(crossvm_strerror(), "choose the same mode at both ends"));
    for (int i = 0; i < 2; i++) {
        crossvm_channel_destroy(channels[i]);
        crossvm_close(ends[i]);
    }
}

static void assert_sentence(const char *part)
{
    const char *sentence = crossvm_strerror();

    if (!strstr(sentence, "\"link.0\"") || !strstr(sentence, part))
        fail_msg("\"%s\" does not name link.0, or has no \"%s\"", sentence, part);
    assert_ptr_equal(crossvm_strerror(), sentence);
    assert_non_null(strstr(sentence, part)); /* asking twice changes nothing */
}

/* The error of another thread: this one does not see it. */
static void *fail_elsewhere(void *argument)
{
    uint8_t byte = 0;

    if (crossvm_channel_send_many(argument, &byte, 1, 1, NOW) != -EINVAL)
        return "send_many() did not fail";
    return strstr(crossvm_strerror(), "Invalid argument") ? NULL : "another sentence";
}

/* Each call that fails leaves its sentence, whatever kind of call it is. */
static void every_call_leaves_its_sentence(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *channel = both.channel[0], *stream;
    const crossvm_channel_options_t options = {.dataport = CROSSVM_CHANNEL_DATAPORT(2)};
    static uint8_t buffer[0x10000];
    const void *shown;
    pthread_t other;
    void *result;
    int timeout_ms;

    (void)state;
    assert_ptr_equal(crossvm_channel_get_end(channel), both.end[0]);
    assert_int_equal(crossvm_channel_recv(channel, buffer, 8, NOW), -EAGAIN);
    assert_sentence("was not to wait");
    assert_int_equal(crossvm_channel_send(channel, buffer, sizeof(buffer), NOW), -EMSGSIZE);
    assert_sentence("carries up to");
    assert_int_equal(crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, NOW), -EAGAIN);
    assert_sentence("was not to wait");
    assert_int_equal(crossvm_channel_reserve(channel, (void **)(uintptr_t)&shown, sizeof(buffer), NOW), -EMSGSIZE);
    assert_sentence("carries up to");
    assert_int_equal(crossvm_channel_peek(channel, &shown, NOW), -EAGAIN);
    assert_sentence("was not to wait");
    assert_int_equal(crossvm_channel_release(channel, 1), -EINVAL);
    assert_sentence("Invalid argument");
    assert_int_equal(crossvm_channel_send(both.channel[1], "too long", 8, NOW), 8);
    assert_int_equal(crossvm_channel_recv_many(channel, buffer, 4, NULL, 1, NOW), -EMSGSIZE);
    assert_sentence("does not fit the buffer");
    assert_int_equal(crossvm_channel_recv(channel, buffer, 8, NOW), 8);

    /* An error of a call on the end takes the place of the channel's, and the other way round. */
    assert_int_equal(crossvm_open(&(crossvm_end_t *){NULL}, "link.0"), -EBUSY);
    assert_sentence("in use");
    assert_int_equal(crossvm_channel_create(&stream, both.end[0], &options), 0);
    assert_int_equal(pthread_create(&other, NULL, fail_elsewhere, stream), 0);
    assert_int_equal(pthread_join(other, &result), 0);
    assert_null(result);
    assert_sentence("in use");
    assert_int_equal(crossvm_channel_recv_many(stream, buffer, 8, NULL, 1, NOW), -EINVAL);
    assert_sentence("Invalid argument");
    crossvm_channel_close(stream);
    assert_int_equal(crossvm_channel_connect(stream, NOW), -ENOTCONN);
    crossvm_channel_destroy(stream); /* the sentence does not need it any more */
    assert_sentence("open it first");

    crossvm_channel_close(both.channel[1]);
    assert_int_equal(crossvm_channel_recv(channel, buffer, 8, NOW), -EPIPE);
    assert_sentence("the other end of the channel on connection");
    assert_int_equal(crossvm_channel_commit(channel, 8), -EINVAL);
    assert_sentence("Invalid argument");
    pair_kill_server();
    crossvm_channel_open(channel);
    assert_int_equal(crossvm_channel_prepare(channel, CROSSVM_CHANNEL_IN, &timeout_ms), -EPIPE);
    assert_sentence("the process that serves it, is gone");
    pair_start_server();
    crossvm_channel_destroy(NULL);
    pair_close(&both);
}

/* --- sleeping --- */

static void deadlines_pass(void **state)
{
    crossvm_end_t *end = pair_open(0);
    crossvm_channel_t *channel = pair_channel(end, CROSSVM_CHANNEL_STREAM);
    double start = pair_ms();
    char byte;

    (void)state;
    assert_true(crossvm_deadline_is_now(crossvm_deadline_after_ms(0)));
    assert_true(crossvm_deadline_is_forever(crossvm_deadline_after_ms(-1)));
    assert_int_equal(crossvm_channel_recv(channel, &byte, 1, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_recv(channel, &byte, 1, crossvm_deadline_after_ms(60)), -ETIMEDOUT);
    assert_true(pair_ms() - start >= 60);
    assert_non_null(strstr(crossvm_strerror(), "did not come in time"));
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

static void do_nothing(int number)
{
    (void)number;
}

static void signals_end_a_sleep(void **state)
{
    const struct sigaction action = {.sa_handler = do_nothing};
    const struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
    char byte;

    (void)state;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_int_equal(crossvm_channel_recv(both.channel[0], &byte, 1, FOREVER), -EINTR);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(crossvm_channel_send(both.channel[1], "x", 1, NOW), 1);
    assert_int_equal(crossvm_channel_recv(both.channel[0], &byte, 1, FOREVER), 1);
    pair_close(&both);
}

/* Numbered datagrams of random lengths, with long pauses now and then so that the other side sleeps. */
#define MESSAGES 40000

static uint32_t scramble(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

struct traffic {
    crossvm_channel_t *channel;
    uint32_t seed;
    int failed; /* line of the first check that failed */
};

#define check(traffic, condition)                                                                                      \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (traffic)->failed = __LINE__;                                                                              \
            return NULL;                                                                                               \
        }                                                                                                              \
    } while (0)

static void *send_traffic(void *argument)
{
    struct traffic *traffic = argument;
    uint32_t random = traffic->seed;
    uint32_t message[64] = {0};

    for (uint32_t i = 0; i < MESSAGES; i++) {
        size_t words = 1 + (random = scramble(random)) % 64;

        message[0] = message[words - 1] = i;
        check(traffic, crossvm_channel_send(traffic->channel, message, words * 4, FOREVER) == (ptrdiff_t)words * 4);
        if (random % 1024 == 0)
            usleep(random % 3000);
    }
    return NULL;
}

static void *receive_traffic(void *argument)
{
    struct traffic *traffic = argument;
    uint32_t random = traffic->seed;
    uint32_t message[64];

    for (uint32_t i = 0; i < MESSAGES; i++) {
        size_t words = 1 + (random = scramble(random)) % 64;

        check(traffic,
              crossvm_channel_recv(traffic->channel, message, sizeof(message), FOREVER) == (ptrdiff_t)words * 4);
        check(traffic, message[0] == i && message[words - 1] == i);
        if (random % 1500 == 0)
            usleep(random % 3000);
    }
    return NULL;
}

static void run_threads(pthread_t *threads, size_t count, struct traffic *traffic, const char *what)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < count; i++) {
        if (traffic[i].failed)
            fail_msg("%s: thread %zu failed in line %d", what, i, traffic[i].failed);
    }
}

/* Each end has a thread that sends and one that receives, and both wait for the same events. */
static void threads_share_events(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_DATAGRAM);
    struct traffic traffic[4] = {
        {both.channel[0], 1, 0}, {both.channel[1], 1, 0}, {both.channel[1], 2, 0}, {both.channel[0], 2, 0}};
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? receive_traffic : send_traffic, &traffic[i]), 0);
    run_threads(threads, 4, traffic, "two ways");
    pair_close(&both);
}

/* Two channels of one end, in dataports of their own. */
static void channels_share_events(void **state)
{
    static const unsigned int dataports[2] = {CROSSVM_CHANNEL_DATAPORT(0), CROSSVM_CHANNEL_DATAPORT(2)};
    crossvm_end_t *ends[2] = {pair_open(0), pair_open(1)};
    crossvm_channel_t *channels[2][2];
    struct traffic traffic[4];
    pthread_t threads[4];

    (void)state;
    for (int c = 0; c < 2; c++) {
        for (int e = 0; e < 2; e++) {
            const crossvm_channel_options_t options = {
                .mode = CROSSVM_CHANNEL_DATAGRAM, .dataport = dataports[c], .spin = CROSSVM_CHANNEL_NO_SPIN};

            assert_int_equal(crossvm_channel_create(&channels[c][e], ends[e], &options), 0);
            traffic[2 * c + e] = (struct traffic){channels[c][e], 7, 0};
        }
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? receive_traffic : send_traffic, &traffic[i]), 0);
    run_threads(threads, 4, traffic, "two channels");
    for (int e = 0; e < 2; e++) {
        crossvm_channel_destroy(channels[0][e]);
        crossvm_channel_destroy(channels[1][e]);
        crossvm_close(ends[e]);
    }
}

/* --- event loops --- */

/* Sleeps on the descriptor until the channel is ready, as an event loop would. */
static int sleep_in_poll(crossvm_channel_t *channel, unsigned int events)
{
    for (;;) {
        struct pollfd fd = {.fd = crossvm_channel_fd(channel), .events = POLLIN};
        int timeout_ms, ready = crossvm_channel_prepare(channel, events, &timeout_ms);

        if (ready != 0)
            return ready;
        if (poll(&fd, 1, timeout_ms) < 0)
            return -errno;
    }
}

static void *receive_in_poll(void *argument)
{
    struct traffic *traffic = argument;
    uint32_t random = traffic->seed;
    uint32_t message[64];

    for (uint32_t i = 0; i < MESSAGES;) {
        ptrdiff_t length = crossvm_channel_recv(traffic->channel, message, sizeof(message), NOW);

        if (length == -EAGAIN) {
            check(traffic, sleep_in_poll(traffic->channel, CROSSVM_CHANNEL_IN) == CROSSVM_CHANNEL_IN);
            continue;
        }
        check(traffic, length == (ptrdiff_t)(1 + (random = scramble(random)) % 64) * 4 && message[0] == i);
        i++;
    }
    return NULL;
}

static void *send_in_poll(void *argument)
{
    struct traffic *traffic = argument;
    uint32_t random = scramble(traffic->seed);
    uint32_t message[64] = {0};

    for (uint32_t i = 0; i < MESSAGES;) {
        size_t words = 1 + random % 64;
        ptrdiff_t sent;

        message[0] = message[words - 1] = i;
        sent = crossvm_channel_send(traffic->channel, message, words * 4, NOW);
        if (sent == -EAGAIN) {
            check(traffic, sleep_in_poll(traffic->channel, CROSSVM_CHANNEL_OUT) == CROSSVM_CHANNEL_OUT);
            continue;
        }
        check(traffic, sent == (ptrdiff_t)words * 4);
        random = scramble(random);
        i++;
    }
    return NULL;
}

static void poll_instead_of_waiting(void **state)
{
    static void *(*const ways[2][2])(void *) = {{send_in_poll, receive_traffic}, {send_traffic, receive_in_poll}};

    (void)state;
    for (int way = 0; way < 2; way++) {
        struct both both = pair_both(CROSSVM_CHANNEL_DATAGRAM);
        struct traffic traffic[2] = {{both.channel[way], 3, 0}, {both.channel[1 - way], 3, 0}};
        pthread_t threads[2];

        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ways[way][i], &traffic[i]), 0);
        run_threads(threads, 2, traffic, way ? "receiving in poll()" : "sending in poll()");
        pair_close(&both);
    }
}

/* An idle loop sleeps. Limited sleeps come first, for what may be late, but they are few. */
static void idle_loops_sleep(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_DATAGRAM);
    char message[8];
    int timeout_ms, sleeps = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(crossvm_channel_send(both.channel[1], "message", 8, NOW), 8);
        assert_int_equal(crossvm_channel_recv(both.channel[0], message, 8, NOW), 8);
    }
    for (;;) {
        struct pollfd fd = {.fd = crossvm_channel_fd(both.channel[0]), .events = POLLIN};

        assert_int_equal(crossvm_channel_prepare(both.channel[0], CROSSVM_CHANNEL_IN, &timeout_ms), 0);
        if (timeout_ms < 0)
            break;
        assert_true(++sleeps < 10);
        assert_true(poll(&fd, 1, timeout_ms) >= 0);
    }
    assert_int_equal(crossvm_channel_send(both.channel[1], "message", 8, NOW), 8);
    assert_int_equal(sleep_in_poll(both.channel[0], CROSSVM_CHANNEL_IN), CROSSVM_CHANNEL_IN);
    pair_close(&both);
}

/* --- the other end --- */

static void close_is_end_of_file(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
    char text[16];

    (void)state;
    assert_int_equal(crossvm_channel_send(both.channel[1], "the last", 8, NOW), 8);
    crossvm_channel_destroy(both.channel[1]);
    crossvm_close(both.end[1]);
    assert_int_equal(crossvm_channel_recv(both.channel[0], text, sizeof(text), FOREVER), 8);
    assert_int_equal(crossvm_channel_recv(both.channel[0], text, sizeof(text), FOREVER), 0);
    assert_int_equal(crossvm_channel_send(both.channel[0], "x", 1, FOREVER), -EPIPE);

    /* The next one: with the same channel. */
    both.end[1] = pair_open(1);
    both.channel[1] = pair_channel(both.end[1], CROSSVM_CHANNEL_STREAM);
    crossvm_channel_open(both.channel[0]);
    for (int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(both.channel[i % 2], NOW);
    assert_int_equal(crossvm_channel_send(both.channel[0], "again", 5, NOW), 5);
    assert_int_equal(crossvm_channel_recv(both.channel[1], text, sizeof(text), NOW), 5);
    pair_close(&both);
}

/* A program that leaves its end without a word, as one that is killed does. */
static void close_end_alone(struct both *both, int end)
{
    crossvm_close(both->end[end]);
    both->end[end] = NULL;
}

static void news_end_a_session(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
        crossvm_channel_t *left = both.channel[way], *gone = both.channel[1 - way];
        char text[16];

        assert_int_equal(crossvm_channel_send(gone, "rest", 4, NOW), 4);
        close_end_alone(&both, 1 - way);
        assert_int_equal(crossvm_channel_recv(left, text, sizeof(text), FOREVER), 4);
        assert_int_equal(crossvm_channel_recv(left, text, sizeof(text), FOREVER), -EPIPE);
        assert_int_equal(crossvm_channel_state(left), CROSSVM_CHANNEL_ENDED);
        crossvm_channel_destroy(left);
        crossvm_close(both.end[way]);
        /* The memory of the other one's channel is not to be touched any more, but is its program's own. */
        free(gone);
    }
}

static void server_ends(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
    int timeout_ms;
    char byte;

    (void)state;
    assert_int_equal(crossvm_channel_send(both.channel[1], "x", 1, NOW), 1);
    pair_kill_server();
    assert_int_equal(crossvm_channel_recv(both.channel[0], &byte, 1, FOREVER), 1);
    assert_int_equal(crossvm_channel_recv(both.channel[0], &byte, 1, FOREVER), -EPIPE);
    assert_non_null(strstr(crossvm_strerror(), "open it again when that is back"));
    crossvm_channel_open(both.channel[0]);
    assert_int_equal(crossvm_channel_connect(both.channel[0], FOREVER), -EPIPE);
    assert_int_equal(crossvm_channel_prepare(both.channel[0], CROSSVM_CHANNEL_IN, &timeout_ms), -EPIPE);
    pair_close(&both);

    pair_start_server();
    both = pair_both(CROSSVM_CHANNEL_STREAM);
    pair_close(&both);
}

/* A second channel of an end, through another dataport, whose peer never comes. */
static void *wait_for_nobody(void *argument)
{
    crossvm_end_t *end = argument;
    const crossvm_channel_options_t options = {.dataport = CROSSVM_CHANNEL_DATAPORT(2)};
    crossvm_channel_t *channel;

    assert_int_equal(crossvm_channel_create(&channel, end, &options), 0);
    assert_int_equal(crossvm_channel_connect(channel, FOREVER), -EINTR);
    crossvm_channel_destroy(channel);
    return NULL;
}

static void be_there(void *argument)
{
    crossvm_channel_t *channel = pair_channel(pair_open(1), CROSSVM_CHANNEL_STREAM);

    (void)argument;
    (void)crossvm_channel_connect(channel, FOREVER);
    (void)crossvm_channel_send(channel, "x", 1, FOREVER);
    pause();
}

/* Regression: the thread that read the news belonged to another channel, and kept them. */
static void a_death_is_noticed_by_all_channels(void **state)
{
    crossvm_end_t *end = pair_open(0);
    crossvm_channel_t *channel = pair_channel(end, CROSSVM_CHANNEL_STREAM);
    struct sigaction action = {.sa_handler = do_nothing};
    pthread_t other;
    pid_t peer;
    char byte;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    assert_int_equal(pthread_create(&other, NULL, wait_for_nobody, end), 0);
    for (int i = 0; i < 5; i++) {
        peer = pair_fork(be_there, NULL);
        assert_int_equal(crossvm_channel_recv(channel, &byte, 1, FOREVER), 1);
        assert_int_equal(kill(peer, SIGKILL), 0);
        assert_int_equal(waitpid(peer, NULL, 0), peer);
        assert_int_equal(crossvm_channel_recv(channel, &byte, 1, FOREVER), -EPIPE);
        crossvm_channel_open(channel);
    }
    do /* again, if it was just awake */
        assert_int_equal(pthread_kill(other, SIGUSR1), 0);
    while (usleep(10000) == 0 && pthread_tryjoin_np(other, NULL) != 0);
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(ends_of_a_pair),
        pair_case(wrong_options),
        pair_case(zero_is_the_default),
        pair_case(modes_must_match),
        pair_case(every_call_leaves_its_sentence),
        pair_case(deadlines_pass),
        pair_case(signals_end_a_sleep),
        pair_case(threads_share_events),
        pair_case(channels_share_events),
        pair_case(poll_instead_of_waiting),
        pair_case(idle_loops_sleep),
        pair_case(close_is_end_of_file),
        pair_case(news_end_a_session),
        pair_case(server_ends),
        pair_case(a_death_is_noticed_by_all_channels),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_end_channel TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
