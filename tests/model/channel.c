/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels in a weak memory, in every order of their accesses, and with ends killed and started again: nobody sleeps
 * for ever, no byte of one session is seen in another, and no payload is loaded or stored too early.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/channel.h>

#include "world.h"

#define FOREVER CROSSVM_FOREVER
#define MANY 100
#define MEMORY_BYTES 4096

#define BELL_SLEEPS 2 /* end 0 is about to sleep; 0 and 1 are the ends' own */

static struct stage {
    uint8_t memory[MEMORY_BYTES] __attribute__((aligned(64)));
    crossvm_channel_t channel[2];
    bool told[2]; /* the peer was killed, and this end is to be told */
} stage;

static const struct story *told_by; /* the story */

/* Says for whom it is: the generations of both ends in the session in which it was sent. */
struct numbered {
    uint32_t from, to, number;
};

/*
 * What ends do
 */

static bool send_number(crossvm_channel_t *channel, uint32_t number)
{
    const crossvm_channel_t *peer = &stage.channel[channel == stage.channel];
    struct numbered message;
    int error = crossvm_channel_connect(channel, FOREVER);

    if (error < 0)
        return false;
    if (peer->generation == channel->peer_generation && peer->peer_generation != channel->generation)
        world_fail("a session with an end that has not agreed to it");
    message = (struct numbered){channel->generation, channel->peer_generation, number};
    return crossvm_channel_send(channel, &message, sizeof(message), FOREVER) == (ptrdiff_t)sizeof(message);
}

/* Receives a message; one that is not of this session, or out of order, is a failure. */
static bool recv_number(crossvm_channel_t *channel, uint32_t number)
{
    struct numbered message;
    ptrdiff_t length = crossvm_channel_recv(channel, &message, sizeof(message), FOREVER);

    if (length < 0 && crossvm_channel_state(channel) == CROSSVM_CHANNEL_BROKEN)
        world_fail("an end takes its honest peer for a liar");
    if (length < (ptrdiff_t)sizeof(message))
        return false;
    if (message.from != channel->peer_generation || message.to != channel->generation)
        world_fail("a message of another session");
    if (message.number != number)
        world_fail("a message is missing, or came twice");
    return true;
}

/* Asks until it gets an answer. */
static bool client(crossvm_channel_t *channel)
{
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        if (send_number(channel, 0) && recv_number(channel, 0)) {
            crossvm_channel_close(channel);
            return true;
        }
    }
    return false;
}

/* Answers for ever. */
static bool server(crossvm_channel_t *channel)
{
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        for (uint32_t number = 0; recv_number(channel, number) && send_number(channel, number);)
            number++;
    }
    return false;
}

/* Tries until one message was taken. */
static bool talker(crossvm_channel_t *channel)
{
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        if (send_number(channel, 0) && crossvm_channel_drain(channel, FOREVER) == 0)
            return true;
    }
    return false;
}

/* Takes messages for ever. */
static bool listener(crossvm_channel_t *channel)
{
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        for (uint32_t number = 0; recv_number(channel, number);)
            number++;
    }
    return false;
}

/* Sends three messages and waits until they are taken. */
static bool sender(crossvm_channel_t *channel)
{
    uint8_t message[704];

    for (uint8_t number = 0; number < 3; number++) {
        memset(message, number, sizeof(message));
        if (crossvm_channel_send(channel, message, sizeof(message), FOREVER) < 0)
            return false;
    }
    return crossvm_channel_drain(channel, FOREVER) == 0;
}

static bool receiver(crossvm_channel_t *channel)
{
    uint8_t message[704];

    for (int number = 0; number < 3; number++) {
        for (size_t got = 0; got < sizeof(message);) { /* a stream may come in pieces */
            ptrdiff_t length = crossvm_channel_recv(channel, message + got, sizeof(message) - got, FOREVER);

            if (length <= 0)
                return false;
            got += (size_t)length;
        }
        if (message[0] != number || message[703] != number)
            world_fail("other bytes than were sent");
    }
    crossvm_channel_close(channel);
    return true;
}

/* Sends two small messages. No end waits after that, so only an event can wake the receiver. */
static bool small_sender(crossvm_channel_t *channel)
{
    return crossvm_channel_send(channel, "\1", 1, FOREVER) == 1 && crossvm_channel_send(channel, "\2", 1, FOREVER) == 1;
}

static bool small_receiver(crossvm_channel_t *channel)
{
    char byte = 0;

    return crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 1 &&
           crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 2;
}

/* Sends a byte, and waits until it is taken. */
static bool drainer(crossvm_channel_t *channel)
{
    return crossvm_channel_send(channel, "\1", 1, FOREVER) == 1 && crossvm_channel_drain(channel, FOREVER) == 0;
}

/* Ends its direction before it waits. */
static bool last_drainer(crossvm_channel_t *channel)
{
    if (crossvm_channel_send(channel, "\1", 1, FOREVER) != 1)
        return false;
    crossvm_channel_shutdown(channel);
    return crossvm_channel_drain(channel, FOREVER) == 0;
}

/* Takes a byte and leaves. */
static bool taker(crossvm_channel_t *channel)
{
    char byte = 0;
    const bool well = crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 1;

    crossvm_channel_close(channel);
    return well;
}

/* Takes a byte, and waits for another one. */
static bool hungry_taker(crossvm_channel_t *channel)
{
    char byte = 0;

    if (crossvm_channel_recv(channel, &byte, 1, FOREVER) != 1 || byte != 1)
        return false;
    return crossvm_channel_recv(channel, &byte, 1, FOREVER) == -32; /* -EPIPE */
}

/* Takes a byte, and looks for another one each time that the sender goes to sleep. */
static bool looking_taker(crossvm_channel_t *channel)
{
    char byte = 0;

    if (crossvm_channel_recv(channel, &byte, 1, FOREVER) != 1 || byte != 1)
        return false;
    while (world_wait(BELL_SLEEPS, false))
        if (crossvm_channel_recv(channel, &byte, 1, CROSSVM_NOW) != -11) /* -EAGAIN */
            return false;
    return false;
}

/* Sends something and leaves. */
static bool leaver(crossvm_channel_t *channel)
{
    const bool well = crossvm_channel_send(channel, "\1", 1, FOREVER) == 1;

    crossvm_channel_close(channel);
    return well;
}

/* Sends something and ends its direction alone. */
static bool ender(crossvm_channel_t *channel)
{
    const bool well = crossvm_channel_send(channel, "\1", 1, FOREVER) == 1;

    crossvm_channel_shutdown(channel);
    return well;
}

/* Sends something and begins anew. */
static bool beginner(crossvm_channel_t *channel)
{
    const bool well = crossvm_channel_send(channel, "\1", 1, FOREVER) == 1;

    crossvm_channel_open(channel);
    return well;
}

/* Must get what was sent, and then learn that this was all. */
static bool left_behind(crossvm_channel_t *channel)
{
    char byte = 0;

    if (crossvm_channel_recv(channel, &byte, 1, FOREVER) != 1 || byte != 1)
        world_fail("what an end sent before it left is lost");
    return crossvm_channel_recv(channel, &byte, 1, FOREVER) == -32; /* -EPIPE */
}

/* Waits for events instead of in a call. */
static bool waiting_receiver(crossvm_channel_t *channel)
{
    char byte = 0;

    for (char number = 1; number <= 2; number++) {
        if (crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, FOREVER) != CROSSVM_CHANNEL_IN)
            return false;
        if (crossvm_channel_recv(channel, &byte, 1, CROSSVM_NOW) != 1 || byte != number)
            return false;
    }
    return true;
}

#define ACTS(name)                                                                                                     \
    static bool run_##name(unsigned int end)                                                                           \
    {                                                                                                                  \
        return name(&stage.channel[end]);                                                                              \
    }

ACTS(client)
ACTS(server)
ACTS(talker)
ACTS(listener)
ACTS(sender)
ACTS(receiver)
ACTS(small_sender)
ACTS(small_receiver)
ACTS(waiting_receiver)
ACTS(drainer)
ACTS(last_drainer)
ACTS(taker)
ACTS(hungry_taker)
ACTS(looking_taker)
ACTS(leaver)
ACTS(ender)
ACTS(beginner)
ACTS(left_behind)

/*
 * The stage
 */

static int emit(void *cookie)
{
    world_emit(cookie == &stage.channel[0], __ATOMIC_RELEASE);
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    const unsigned int end = cookie == &stage.channel[1];
    bool event;

    (void)deadline;
    if (told_by->run[1] == run_looking_taker)
        world_emit(BELL_SLEEPS, __ATOMIC_RELEASE);
    event = world_wait(end, limit_us > 0);
    if (stage.told[end]) {
        stage.told[end] = false;
        crossvm_channel_set_peer(&stage.channel[end], false);
        crossvm_channel_set_peer(&stage.channel[end], true); /* the successor */
    }
    return event ? 0 : -11; /* -EAGAIN */
}

static void initialise(unsigned int end)
{
    const crossvm_channel_config_t config = {
        .memory = stage.memory,
        .size = MEMORY_BYTES,
        .end = CROSSVM_CHANNEL_END(end),
        .mode = told_by->mode,
        .flags = told_by->flags,
        .spin = told_by->spin,
        .emit = emit,
        .wait = wait_for_event,
        .cookie = &stage.channel[end],
    };

    if (crossvm_channel_init(&stage.channel[end], &config) < 0)
        abort();
}

static void begin_apart(const struct story *story)
{
    told_by = story;
    world_share_words(stage.memory, CROSSVM_CHANNEL_RINGS_AT);
    world_share_data(stage.memory + CROSSVM_CHANNEL_RINGS_AT, MEMORY_BYTES - CROSSVM_CHANNEL_RINGS_AT);
    for (unsigned int end = 0; end < 2; end++)
        initialise(end);
}

static void begin_joined(const struct story *story)
{
    begin_apart(story);
    for (unsigned int end = 0; end < 2; end++)
        crossvm_channel_open(&stage.channel[end]);
    for (unsigned int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(&stage.channel[i % 2], CROSSVM_NOW);
    world_forget_event(0);
    world_forget_event(1);
}

/* The receiver was busy: the sender looks at its wake word without a fence. */
static void begin_busy(const struct story *story)
{
    crossvm_channel_t *channel = &stage.channel[1];

    begin_joined(story);
    channel->recv.relaxed = true;
    *channel->recv.wake = channel->recv.epoch;
}

/* In an older session the sender asked for much more space. */
static void begin_older(const struct story *story)
{
    begin_joined(story);
    *stage.channel[0].send.want = 1000000;
}

/* A successor of a killed end. An event for the dead end is one for it. */
static void begin_again(unsigned int end)
{
    initialise(end);
}

static void begin_again_announced(unsigned int end)
{
    initialise(end);
    if (!world_has_ended(1 - end)) {
        stage.told[1 - end] = true;
        world_add_event(1 - end);
    }
}

/* Counts are there to be read by people, or decide how long to spin. */
static void forget_counts(void)
{
    for (unsigned int end = 0; end < 2; end++) {
        crossvm_channel_t *channel = &stage.channel[end];

        if (!told_by->spin)
            channel->send.failed_spins = channel->recv.failed_spins = channel->failed_spins = 0;
        channel->send.emits = channel->send.waits = channel->recv.emits = channel->recv.waits = 0;
        channel->waits = channel->sessions = 0;
    }
}

#define TWO_ENDS .threads = 2, .forget = forget_counts
#define DATAGRAM .mode = CROSSVM_CHANNEL_DATAGRAM, TWO_ENDS
#define STREAM .mode = CROSSVM_CHANNEL_STREAM, TWO_ENDS
#define RELAXED .flags = CROSSVM_CHANNEL_RELAXED, .naps = true
#define FIRST(a, b) .run = {run_##a, run_##b}, .forever = {false, true}
#define SECOND(a, b) .run = {run_##a, run_##b}, .forever = {true, false}

#define TWO(a, b) .run = {run_##a, run_##b}
#define JOINED .begin = begin_joined
#define BUSY RELAXED, .begin = begin_busy
#define APART .begin = begin_apart
#define KILLED(number, how) .kills = (number), .killed = (how), .begin = begin_apart

/* The first of these are quick: some of them leave out most orders. */
static const struct story stories[] = {
    {"wake", DATAGRAM, JOINED, TWO(small_sender, small_receiver)},
    {"wake, events", DATAGRAM, JOINED, TWO(small_sender, waiting_receiver)},
    {"wake, relaxed", DATAGRAM, BUSY, TWO(small_sender, small_receiver)},
    {"wake, relaxed, events", DATAGRAM, BUSY, TWO(small_sender, waiting_receiver)},
    {"wake, after a spin", DATAGRAM, .spin = 2, JOINED, TWO(small_sender, small_receiver)},
    {"last words", DATAGRAM, JOINED, TWO(leaver, left_behind)},
    {"last words, relaxed", DATAGRAM, BUSY, TWO(leaver, left_behind)},
    {"last words, shut down, relaxed", DATAGRAM, BUSY, TWO(ender, left_behind)},
    {"last words, then anew", DATAGRAM, JOINED, TWO(beginner, left_behind)},
    {"last words, then anew, relaxed", DATAGRAM, BUSY, TWO(beginner, left_behind)},
    {"drain", DATAGRAM, JOINED, TWO(drainer, taker)},
    {"drain, and no more comes", DATAGRAM, JOINED, FIRST(drainer, hungry_taker)},
    {"drain, by a look", DATAGRAM, JOINED, FIRST(drainer, looking_taker)},
    {"drain, at the end", DATAGRAM, JOINED, TWO(last_drainer, hungry_taker)},
    {"space, few switches", DATAGRAM, .switches = 3, JOINED, TWO(sender, receiver)},
    {"begin, few switches", DATAGRAM, .switches = 3, APART, FIRST(client, server)},
    {"killed, few switches", DATAGRAM, .switches = 1, KILLED(1, begin_again), FIRST(client, server)},
    {"killed, few switches, announced", DATAGRAM, .switches = 1, KILLED(1, begin_again_announced),
     FIRST(client, server)},

    {"space", DATAGRAM, JOINED, TWO(sender, receiver)},
    {"space, stream", STREAM, JOINED, TWO(sender, receiver)},
    {"space, older session", DATAGRAM, .begin = begin_older, TWO(sender, receiver)},
    {"begin", DATAGRAM, APART, FIRST(client, server)},
    {"begin, the other way round", DATAGRAM, APART, SECOND(server, client)},
    {"begin, stream", STREAM, APART, FIRST(client, server)},
    {"killed", DATAGRAM, .switches = 3, KILLED(1, begin_again), FIRST(talker, listener)},
    {"killed, the other way round", DATAGRAM, .switches = 3, KILLED(1, begin_again), SECOND(listener, talker)},
    {"killed, announced", DATAGRAM, .switches = 3, KILLED(1, begin_again_announced), FIRST(client, server)},
    {"two killed", DATAGRAM, .switches = 1, KILLED(2, begin_again), FIRST(talker, listener)},
};

#define NUM_STORIES (sizeof(stories) / sizeof(stories[0]))
#define NUM_QUICK 18

/* test_model_channel [quick | STORY] */
int main(int argc, char **argv)
{
    world_stage(&stage, sizeof(stage));
    return explore_stories(stories, NUM_STORIES, NUM_QUICK, argc, argv);
}
