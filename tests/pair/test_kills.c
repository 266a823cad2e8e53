/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program at one end is killed at random points, again and again. The other end notices, receives all that was sent
 * and nothing else, and works with the next program at once; the server keeps nothing of it. The tool is the argument;
 * CROSSVM_KILLS says how often (default 1000), and CROSSVM_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../holdings.h"
#include "../rounds.h"
#include "pair_fixture.h"

/*
 * Of many rounds of a kind, the fastest takes no longer than this. A busy machine delays some of them; noticing by a
 * timeout instead of an event would delay all.
 */
#define NOTICE_MS 100.0
#define HANG_MS 600000 /* only bounds a test that hangs */

#define FOREVER CROSSVM_FOREVER
#define NOW CROSSVM_NOW

/*
 * What the program does that will be killed. One that fills sends until its ring is full, since the other end takes
 * nothing before it is dead. One that ignores takes nothing, and is killed when the other end waits for space.
 */
enum role {
    ROLE_SENDS,
    ROLE_RECEIVES,
    ROLE_ECHOES,
    ROLE_SLEEPS,
    NUM_ROLES_AT_ANY_TIME,
    ROLE_FILLS,
    ROLE_IGNORES,
    NUM_ROLES
};

struct victim {
    int end;
    unsigned int mode;
    enum role role;
    uint32_t round;
    pid_t pid;
    pid_t survivor; /* its thread */
    unsigned int delay_us;
    double dead_ms; /* when the system was done with it: a process that is not running must get a CPU to die */
};

/* The n-th word that a program sends: another one each round. */
static uint32_t word(uint32_t round, uint32_t n)
{
    return round * 0x9e3779b1u ^ n;
}

#define WORDS 16

/* --- the program that is killed --- */

/* Bytes that its calls have sent: in memory that outlives it. */
static uint64_t *sent;

static void send_for_ever(crossvm_channel_t *channel, uint32_t round)
{
    uint32_t words[WORDS];

    for (uint32_t n = 0;; n += WORDS) {
        for (uint32_t i = 0; i < WORDS; i++)
            words[i] = word(round, n + i);
        if (crossvm_channel_send(channel, words, sizeof(words), FOREVER) != sizeof(words))
            _exit(1);
        __atomic_store_n(sent, (n + WORDS) * sizeof(words[0]), __ATOMIC_RELEASE);
    }
}

static void receive_for_ever(crossvm_channel_t *channel, bool echoes)
{
    uint8_t buffer[4096];

    for (;;) {
        ptrdiff_t length = crossvm_channel_recv(channel, buffer, sizeof(buffer), FOREVER);

        if (length <= 0 || (echoes && crossvm_channel_send(channel, buffer, (size_t)length, FOREVER) != length))
            _exit(1);
    }
}

static void be_victim(void *argument)
{
    const struct victim *victim = argument;
    crossvm_channel_t *channel = pair_channel(pair_open(victim->end), victim->mode);

    switch (victim->role) {
    case ROLE_SENDS:
    case ROLE_FILLS:
        send_for_ever(channel, victim->round);
        break;
    case ROLE_RECEIVES:
    case ROLE_ECHOES:
        receive_for_ever(channel, victim->role == ROLE_ECHOES);
        break;
    default:
        (void)crossvm_channel_connect(channel, FOREVER);
        pause();
    }
}

static void *kill_later(void *argument)
{
    struct victim *victim = argument;
    siginfo_t info;

    if (victim->role == ROLE_FILLS) {
        while (__atomic_load_n(sent, __ATOMIC_ACQUIRE) == 0)
            usleep(100);
        holdings_await_state(victim->pid, 'S');
    } else if (victim->role == ROLE_IGNORES) {
        holdings_await_state(victim->survivor, 'S');
    }
    usleep(victim->delay_us);
    (void)kill(victim->pid, SIGKILL);
    (void)waitid(P_PID, (id_t)victim->pid, &info, WEXITED | WNOWAIT);
    victim->dead_ms = pair_ms();
    return NULL;
}

/* --- the program that survives --- */

struct survivor {
    crossvm_channel_t *channel;
    bool polls;
};

static int sleep_in_poll(crossvm_channel_t *channel, unsigned int events)
{
    struct pollfd fd = {.fd = crossvm_channel_fd(channel), .events = POLLIN};
    int timeout_ms, ready = crossvm_channel_prepare(channel, events, &timeout_ms);

    if (ready == 0 && poll(&fd, 1, timeout_ms) < 0)
        return -errno;
    return ready < 0 ? ready : 0;
}

static ptrdiff_t receive(const struct survivor *survivor, void *buffer, size_t size)
{
    for (;;) {
        ptrdiff_t length = crossvm_channel_recv(survivor->channel, buffer, size, survivor->polls ? NOW : FOREVER);
        int error;

        if (length != -EAGAIN)
            return length;
        error = sleep_in_poll(survivor->channel, CROSSVM_CHANNEL_IN);
        if (error)
            return error;
    }
}

static ptrdiff_t transmit(const struct survivor *survivor, const void *data, size_t length)
{
    for (;;) {
        ptrdiff_t sent = crossvm_channel_send(survivor->channel, data, length, survivor->polls ? NOW : FOREVER);
        int error;

        if (sent != -EAGAIN)
            return sent;
        error = sleep_in_poll(survivor->channel, CROSSVM_CHANNEL_OUT);
        if (error)
            return error;
    }
}

/* Takes what the victim sends until it is gone: it must be its own, whole and in order. Returns the error. */
static ptrdiff_t take_words(const struct survivor *survivor, uint32_t round)
{
    uint64_t taken = 0, least; /* bytes */
    uint8_t buffer[4096];

    for (;;) {
        ptrdiff_t length = receive(survivor, buffer, sizeof(buffer));

        if (length <= 0) {
            least = __atomic_load_n(sent, __ATOMIC_ACQUIRE);
            if (taken < least)
                fail_msg("of %llu bytes that were sent in round %u, %llu came", (unsigned long long)least, round,
                         (unsigned long long)taken);
            return length;
        }
        for (ptrdiff_t i = 0; i < length; i++, taken++) {
            uint32_t expected = word(round, (uint32_t)(taken / 4));

            if (buffer[i] != (uint8_t)(expected >> 8 * (taken % 4)))
                fail_msg("byte %llu of round %u is not what was sent", (unsigned long long)taken, round);
        }
    }
}

static ptrdiff_t give_words(const struct survivor *survivor)
{
    static const uint8_t bytes[3000] = {1};
    ptrdiff_t sent;

    do
        sent = transmit(survivor, bytes, sizeof(bytes));
    while (sent > 0);
    return sent;
}

static ptrdiff_t exchange_words(const struct survivor *survivor, uint32_t round)
{
    for (uint32_t n = 0;; n++) {
        uint32_t sent = word(round, n), received = 0;
        ptrdiff_t result = transmit(survivor, &sent, sizeof(sent));

        if (result < 0)
            return result;
        result = receive(survivor, &received, sizeof(received));
        if (result <= 0)
            return result;
        assert_int_equal(result, sizeof(received)); /* so little is never split */
        assert_int_equal(received, sent);
    }
}

static ptrdiff_t survive(const struct survivor *survivor, const struct victim *victim)
{
    uint8_t byte;

    switch (victim->role) {
    case ROLE_FILLS:
        assert_int_equal(waitid(P_PID, (id_t)victim->pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
        return take_words(survivor, victim->round);
    case ROLE_SENDS:
        return take_words(survivor, victim->round);
    case ROLE_RECEIVES:
    case ROLE_IGNORES:
        return give_words(survivor);
    case ROLE_ECHOES:
        return exchange_words(survivor, victim->round);
    default:
        return receive(survivor, &byte, 1);
    }
}

/* --- rounds --- */

/* How long something took, in all rounds of a kind. */
struct delays {
    unsigned int count;
    double best_ms;
    double worst_ms;
};

struct tally {
    struct delays ends[NUM_ROLES][2]; /* [1]: the survivor polls */
    struct delays beginnings;
};

static void note_delay(struct delays *delays, double ms)
{
    if (delays->count == 0 || ms < delays->best_ms)
        delays->best_ms = ms;
    if (ms > delays->worst_ms)
        delays->worst_ms = ms;
    delays->count++;
}

static void judge_delays(const struct delays *delays, const char *what, const char *how)
{
    printf("%u times %s%s: %.1f to %.1f ms\n", delays->count, what, how, delays->best_ms, delays->worst_ms);
    if (delays->count && delays->best_ms > NOTICE_MS)
        fail_msg("it never took less than %.1f ms %s%s", delays->best_ms, what, how);
}

/* Every second victim is killed once it is in a session, the others whenever it happens to be. */
static void play_round(struct survivor *survivor, struct victim *victim, struct tally *tally)
{
    bool meets = victim->round % 2 == 0;
    double start = pair_ms(), noticed;
    ptrdiff_t error = -EPIPE;
    pthread_t killer;

    if (!meets) /* some roles are for those that meet */
        victim->role %= NUM_ROLES_AT_ANY_TIME;
    __atomic_store_n(sent, 0, __ATOMIC_RELAXED);
    victim->survivor = gettid();
    victim->pid = pair_fork(be_victim, victim);
    if (meets) {
        assert_int_equal(crossvm_channel_connect(survivor->channel, crossvm_deadline_after_ms(HANG_MS)), 0);
        note_delay(&tally->beginnings, pair_ms() - start);
    }
    assert_int_equal(pthread_create(&killer, NULL, kill_later, victim), 0);
    if (meets || crossvm_channel_connect(survivor->channel, crossvm_deadline_after_ms(5)) == 0)
        error = survive(survivor, victim);
    noticed = pair_ms();
    assert_int_equal(pthread_join(killer, NULL), 0);
    assert_int_equal(error, -EPIPE);
    if (meets || noticed > victim->dead_ms)
        note_delay(&tally->ends[victim->role][survivor->polls], noticed - victim->dead_ms);
    assert_int_equal(waitpid(victim->pid, NULL, 0), victim->pid);
    crossvm_channel_open(survivor->channel);
}

static unsigned int how_often(void)
{
    const char *text = getenv("CROSSVM_KILLS");

    return text ? (unsigned int)strtoul(text, NULL, 10) : 1000;
}

static void killed_at_random(void **state)
{
    static const unsigned int modes[] = {CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM};
    static const enum role roles[] = {ROLE_SENDS, ROLE_RECEIVES, ROLE_ECHOES, ROLE_SLEEPS, ROLE_FILLS, ROLE_IGNORES};
    static const char *const what[] = {
        [ROLE_SENDS] = "to notice the end of a sender",
        [ROLE_RECEIVES] = "to notice the end of a receiver",
        [ROLE_ECHOES] = "to notice the end of an echo",
        [ROLE_SLEEPS] = "to notice the end of a program that sleeps",
        [ROLE_FILLS] = "to notice the end of a sender that waits for space",
        [ROLE_IGNORES] = "to notice the end of a program that takes nothing",
    };
    unsigned int kills = how_often();
    struct holdings own, others;
    struct tally tally = {0};

    (void)state;
    sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(sent, MAP_FAILED);
    rounds_seed();
    for (int way = 0; way < 4; way++) {
        crossvm_end_t *end = pair_open(way % 2);
        struct survivor survivor = {pair_channel(end, modes[way / 2]), false};

        own = holdings_of(getpid());
        others = holdings_of(pair_server());
        for (uint32_t i = 0; i < kills / 4; i++) {
            struct victim victim = {
                .end = 1 - way % 2,
                .mode = modes[way / 2],
                .role = roles[(unsigned int)rand() % (sizeof(roles) / sizeof(roles[0]))],
                .round = i,
                .delay_us = (unsigned int)rand() % 4000,
            };

            survivor.polls = rand() % 2;
            play_round(&survivor, &victim, &tally);
        }
        holdings_await(pair_server(), &others);
        assert_int_equal(holdings_of(getpid()).descriptors, own.descriptors);
        assert_int_equal(holdings_of(getpid()).mappings, own.mappings);
        crossvm_channel_destroy(survivor.channel);
        crossvm_close(end);
    }
    (void)munmap(sent, sizeof(*sent));
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        enum role role = roles[i];

        judge_delays(&tally.ends[role][0], what[role], "");
        judge_delays(&tally.ends[role][1], what[role], " in poll()");
    }
    judge_delays(&tally.beginnings, "to start a program and be in a session", "");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(killed_at_random),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_kills TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
