/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes and a channel.
 *
 *   stress stream BYTES      random-sized pieces, copied and in place, every byte checked
 *   stress datagram COUNT    random-sized messages: none lost, doubled, reordered or changed
 *   stress kill ROUNDS       a process killed at a random point, noticed by the other, replaced
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_end.h"

#define FOREVER CROSSVM_FOREVER
#define SPIN 200
#define PIECE 100000

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

/* The eight bytes of the stream that begin at 8 * number. */
static uint64_t word_of(uint64_t number)
{
    return (number + 1) * 0x9e3779b97f4a7c15u ^ number >> 3;
}

/* The bytes [at, at + length) of the stream. */
static void make_bytes(uint8_t *out, uint64_t at, size_t length)
{
    while (length > 0) {
        const uint64_t word = word_of(at / 8);
        const size_t skip = at % 8, count = length < 8 - skip ? length : 8 - skip;

        if (count == 8)
            memcpy(out, &word, 8);
        else
            memcpy(out, (const uint8_t *)&word + skip, count);
        out += count;
        at += count;
        length -= count;
    }
}

static void check_bytes(const uint8_t *in, uint64_t at, size_t length)
{
    for (size_t done = 0; done < length;) {
        const uint64_t word = word_of((at + done) / 8);
        const size_t skip = (at + done) % 8, left = length - done, count = left < 8 - skip ? left : 8 - skip;

        if (memcmp(in + done, (const uint8_t *)&word + skip, count) != 0)
            die("the stream is wrong at byte %llu", (unsigned long long)at + done);
        done += count;
    }
}

static pid_t start(void)
{
    pid_t child = fork();

    if (child < 0)
        die("cannot fork: %s", strerror(errno));
    return child;
}

static void end_well(pid_t child)
{
    int status;

    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("the other process did not end well");
}

static void print_counts(const char *who, const crossvm_channel_t *channel)
{
    crossvm_channel_counts_t counts;

    crossvm_channel_get_counts(channel, &counts, sizeof(counts));
    printf("%s: emitted %llu events, slept %llu times\n", who, (unsigned long long)counts.emits,
           (unsigned long long)counts.waits);
    fflush(stdout);
}

/*
 * Stream
 */

static void send_stream(crossvm_channel_t *channel, uint64_t bytes)
{
    static uint8_t buffer[PIECE];
    uint64_t seed = 1, sent = 0;

    while (sent < bytes) {
        size_t want = next_random(&seed) % (next_random(&seed) % 4 ? 2000 : PIECE) + 1;
        ptrdiff_t length;
        void *room;

        want = want < bytes - sent ? want : (size_t)(bytes - sent);
        if (seed % 2) {
            make_bytes(buffer, sent, want);
            length = crossvm_channel_send(channel, buffer, want, FOREVER);
        } else {
            length = crossvm_channel_reserve(channel, &room, want, FOREVER);
            if (length > 0) {
                make_bytes(room, sent, (size_t)length);
                if (crossvm_channel_commit(channel, (size_t)length) < 0)
                    die("commit failed");
            }
        }
        if (length <= 0)
            die("sending ended after %llu bytes: %td", (unsigned long long)sent, length);
        sent += (uint64_t)length;
    }
    crossvm_channel_shutdown(channel);
    if (crossvm_channel_drain(channel, FOREVER) < 0)
        die("the rest was not taken");
}

static void recv_stream(crossvm_channel_t *channel, uint64_t bytes)
{
    static uint8_t buffer[PIECE];
    uint64_t seed = 2, received = 0;

    for (;;) {
        const size_t want = next_random(&seed) % (next_random(&seed) % 4 ? 2000 : PIECE) + 1;
        const void *shown;
        ptrdiff_t length;

        if (seed % 2) {
            length = crossvm_channel_recv(channel, buffer, want, FOREVER);
            if (length > 0)
                check_bytes(buffer, received, (size_t)length);
        } else {
            length = crossvm_channel_peek(channel, &shown, FOREVER);
            length = length > (ptrdiff_t)want ? (ptrdiff_t)want : length;
            if (length > 0) {
                check_bytes(shown, received, (size_t)length);
                if (crossvm_channel_release(channel, (size_t)length) < 0)
                    die("release failed");
            }
        }
        if (length < 0)
            die("receiving ended after %llu bytes: %td", (unsigned long long)received, length);
        if (length == 0)
            break;
        received += (uint64_t)length;
    }
    if (received != bytes)
        die("%llu bytes came, %llu were sent", (unsigned long long)received, (unsigned long long)bytes);
}

/*
 * Datagrams: a number, then bytes that follow from it
 */

static size_t length_of(uint64_t number)
{
    uint64_t seed = number + 12345;

    return 8 + next_random(&seed) % (next_random(&seed) % 16 ? 200 : 6000);
}

static void send_datagrams(crossvm_channel_t *channel, uint64_t count)
{
    static uint8_t buffer[8192];

    for (uint64_t number = 0; number < count; number++) {
        const size_t length = length_of(number);
        void *to = buffer;

        if (number % 3 == 0 && crossvm_channel_reserve(channel, &to, length, FOREVER) != (ptrdiff_t)length)
            die("cannot reserve datagram %llu", (unsigned long long)number);
        memcpy(to, &number, 8);
        make_bytes((uint8_t *)to + 8, number * 8, length - 8);
        if (number % 3 == 0 ? (number % 2 ? crossvm_channel_commit(channel, length)
                                          : crossvm_channel_commit_more(channel, length)) < 0
                            : crossvm_channel_send(channel, to, length, FOREVER) != (ptrdiff_t)length)
            die("cannot send datagram %llu", (unsigned long long)number);
    }
    crossvm_channel_shutdown(channel);
    if (crossvm_channel_drain(channel, FOREVER) < 0)
        die("the rest was not taken");
}

static void recv_datagrams(crossvm_channel_t *channel, uint64_t count)
{
    static uint8_t buffer[8192];
    uint64_t number = 0;

    for (;; number++) {
        const void *shown = buffer;
        ptrdiff_t length = number % 2 ? crossvm_channel_peek(channel, &shown, FOREVER)
                                      : crossvm_channel_recv(channel, buffer, sizeof(buffer), FOREVER);

        if (length == -EPIPE)
            break;
        if (length != (ptrdiff_t)length_of(number) || memcmp(shown, &number, 8) != 0)
            die("datagram %llu is not what comes: %td bytes", (unsigned long long)number, length);
        check_bytes((const uint8_t *)shown + 8, number * 8, (size_t)length - 8);
        if (number % 2 && crossvm_channel_release(channel, (size_t)length) < 0)
            die("release failed");
    }
    if (number != count)
        die("%llu datagrams came, %llu were sent", (unsigned long long)number, (unsigned long long)count);
}

static void transfer(unsigned mode, uint64_t amount, void (*send)(crossvm_channel_t *, uint64_t),
                     void (*recv)(crossvm_channel_t *, uint64_t))
{
    struct process_link link;
    struct process_end *end = aligned_alloc(64, sizeof(*end));
    pid_t child;

    if (!end)
        die("no memory");
    process_link_init(&link, 256 << 10);
    child = start();
    process_end_open(end, &link, child == 0, mode, SPIN, -1);
    if (child == 0) {
        send(&end->channel, amount);
        print_counts("sender", &end->channel);
        exit(0);
    }
    recv(&end->channel, amount);
    print_counts("receiver", &end->channel);
    crossvm_channel_close(&end->channel);
    end_well(child);
    process_link_destroy(&link);
    free(end);
}

/*
 * Killed
 */

struct ping {
    uint32_t round, number; /* which life it is from, and which message of it */
    uint8_t filling[200];
};

/* What the processes of a life share. */
struct life {
    int64_t killed_at; /* when the victim was killed */
    uint32_t met;      /* the round in which the two ends met last, counted from 1 */
};

static volatile struct life *life;

/* Sends and receives until it is killed, half of the time by itself, in the middle of anything. */
static void live_until_killed(struct process_end *end, uint32_t round)
{
    static struct ping ping;
    uint64_t seed = (uint64_t)getpid() << 20 | round;

    for (uint32_t number = 0;; number++) {
        const size_t length = 8 + next_random(&seed) % sizeof(ping.filling);

        ping.round = round;
        ping.number = number;
        if (crossvm_channel_send(&end->channel, &ping, length, FOREVER) != (ptrdiff_t)length)
            die("the survivor left its peer");
        if (number % 2 && crossvm_channel_recv(&end->channel, &ping, sizeof(ping), FOREVER) < 0)
            die("the survivor left its peer");
        if (next_random(&seed) % 700 == 0) {
            life->killed_at = process_clock();
            (void)raise(SIGKILL);
        }
    }
}

/* Talks to one life, from its first message to its end. */
static void accompany(struct process_end *end, uint32_t round)
{
    for (uint32_t number = 0;; number++) {
        struct ping ping;
        ptrdiff_t length = crossvm_channel_recv(&end->channel, &ping, sizeof(ping), FOREVER);

        if (length == -EPIPE)
            return;
        if (length < 8 || ping.round != round || ping.number != number)
            die("round %u: message %u of round %u came where %u was due (%td)", round, ping.number, ping.round, number,
                length);
        if (number % 2) /* it may be dead already; what it had sent still counts */
            (void)crossvm_channel_send(&end->channel, &ping, (size_t)length, FOREVER);
    }
}

/* Kills a process some time later, from outside: after the ends have met in a round, or after they have started if that
 * is 0. Returns the process that does. */
static pid_t kill_later(pid_t victim, uint32_t met, useconds_t delay)
{
    pid_t killer = start();

    if (killer == 0) {
        while (life->met < met)
            usleep(50);
        usleep(delay);
        life->killed_at = process_clock();
        _exit(kill(victim, SIGKILL) < 0 ? 1 : 0);
    }
    return killer;
}

/*
 * One life of the peer. It ends when this end has noticed its death: if that were missed, this end would wait for ever.
 * In every other life the peer is killed at any time, so that the ends may not meet. Returns whether they met, and
 * adds how long it took this end to notice.
 */
static bool one_life(struct process_end *end, const struct process_link *link, uint32_t round, useconds_t delay,
                     int64_t *slowest)
{
    const unsigned survivor = round / 16 % 2;
    const bool is_early = round % 2 == 0;
    const crossvm_deadline_t deadline = is_early ? CROSSVM_DEADLINE(process_clock() + 50000000) : FOREVER;
    pid_t victim, killer;
    bool met;
    int sockets[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        die("cannot make sockets: %s", strerror(errno));
    victim = start();
    if (victim == 0) {
        close(sockets[0]);
        process_end_open(end, link, 1 - survivor, CROSSVM_CHANNEL_DATAGRAM, SPIN, -1);
        live_until_killed(end, round);
    }
    close(sockets[1]);
    killer = kill_later(victim, is_early ? 0 : round + 1, delay);
    process_end_open(end, link, survivor, CROSSVM_CHANNEL_DATAGRAM, SPIN, sockets[0]);
    met = crossvm_channel_connect(&end->channel, deadline) == 0;
    if (met) {
        int64_t took;

        life->met = round + 1;
        accompany(end, round);
        took = process_clock() - life->killed_at;
        *slowest = took > *slowest ? took : *slowest;
    }
    end_well(killer);
    if (waitpid(victim, NULL, 0) != victim)
        die("cannot wait for the victim");
    close(sockets[0]);
    return met;
}

static void kill_rounds(uint64_t rounds)
{
    struct process_end *end = aligned_alloc(64, sizeof(*end));
    struct process_link link;
    uint64_t seed = 3, met = 0;
    int64_t slowest = 0;

    life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!end || life == MAP_FAILED)
        die("no memory");
    process_link_init(&link, 8192);
    for (uint32_t round = 0; round < rounds; round++)
        met += one_life(end, &link, round, (useconds_t)(next_random(&seed) % 3000), &slowest);
    printf("%llu lives, %llu met; noticed within %.3f ms\n", (unsigned long long)rounds, (unsigned long long)met,
           (double)slowest / 1e6);
    process_link_destroy(&link);
    free(end);
}

int main(int argc, char **argv)
{
    const char *what = argc == 3 ? argv[1] : "";
    const uint64_t amount = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

    if (strcmp(what, "stream") == 0)
        transfer(CROSSVM_CHANNEL_STREAM, amount, send_stream, recv_stream);
    else if (strcmp(what, "datagram") == 0)
        transfer(CROSSVM_CHANNEL_DATAGRAM, amount, send_datagrams, recv_datagrams);
    else if (strcmp(what, "kill") == 0)
        kill_rounds(amount);
    else
        die("usage: stress stream BYTES | datagram COUNT | kill ROUNDS");
    return 0;
}
