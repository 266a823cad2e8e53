/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every order of the two ends' accesses, with store buffers, and with ends killed and started again at every step:
 * nobody sleeps for ever, and no byte of one session is seen in another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define FOREVER CROSSVM_FOREVER
#define MANY 100

/* Says for whom it is: the generations of both ends in the session in which it was sent. */
struct message {
    uint32_t from, to, number;
};

static bool send_number(crossvm_channel_t *channel, uint32_t number)
{
    struct message message;
    int error = crossvm_channel_connect(channel, FOREVER);

    if (error < 0)
        return false;
    message = (struct message){channel->generation, channel->peer_generation, number};
    return crossvm_channel_send(channel, &message, sizeof(message), FOREVER) == (ptrdiff_t)sizeof(message);
}

/* Receives a message; one that is not of this session, or out of order, is a failure. */
static bool recv_number(crossvm_channel_t *channel, uint32_t number)
{
    struct message message;
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
static bool client(int end, crossvm_channel_t *channel)
{
    (void)end;
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
static bool server(int end, crossvm_channel_t *channel)
{
    (void)end;
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        for (uint32_t number = 0; recv_number(channel, number) && send_number(channel, number);)
            number++;
    }
    return false;
}

/* Tries until one message was taken. */
static bool talker(int end, crossvm_channel_t *channel)
{
    (void)end;
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        if (send_number(channel, 0) && crossvm_channel_drain(channel, FOREVER) == 0)
            return true;
    }
    return false;
}

/* Takes messages for ever. */
static bool listener(int end, crossvm_channel_t *channel)
{
    (void)end;
    for (int i = 0; i < MANY; i++) {
        crossvm_channel_open(channel);
        for (uint32_t number = 0; recv_number(channel, number);)
            number++;
    }
    return false;
}

/* Sends three messages and waits until they are taken. */
static bool sender(int end, crossvm_channel_t *channel)
{
    uint8_t message[700];

    (void)end;
    for (uint8_t number = 0; number < 3; number++) {
        memset(message, number, sizeof(message));
        if (crossvm_channel_send(channel, message, sizeof(message), FOREVER) < 0)
            return false;
    }
    return crossvm_channel_drain(channel, FOREVER) == 0;
}

static bool receiver(int end, crossvm_channel_t *channel)
{
    uint8_t message[700];

    (void)end;
    for (int number = 0; number < 3; number++) {
        for (size_t got = 0; got < sizeof(message);) { /* a stream may come in pieces */
            ptrdiff_t length = crossvm_channel_recv(channel, message + got, sizeof(message) - got, FOREVER);

            if (length <= 0)
                return false;
            got += (size_t)length;
        }
        if (message[0] != number || message[699] != number)
            return false;
    }
    crossvm_channel_close(channel);
    return true;
}

/* Sends two small messages. No end waits after that, so only an event can wake the receiver. */
static bool small_sender(int end, crossvm_channel_t *channel)
{
    (void)end;
    return crossvm_channel_send(channel, "\1", 1, FOREVER) == 1 && crossvm_channel_send(channel, "\2", 1, FOREVER) == 1;
}

static bool small_receiver(int end, crossvm_channel_t *channel)
{
    char byte = 0;

    (void)end;
    return crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 1 &&
           crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 2;
}

/* Sends something and leaves. */
static bool leaver(int end, crossvm_channel_t *channel)
{
    const bool well = crossvm_channel_send(channel, "\1", 1, FOREVER) == 1;

    (void)end;
    crossvm_channel_close(channel);
    return well;
}

/* Must get what was sent, and then learn that this was all. */
static bool left_behind(int end, crossvm_channel_t *channel)
{
    char byte = 0;

    (void)end;
    return crossvm_channel_recv(channel, &byte, 1, FOREVER) == 1 && byte == 1 &&
           crossvm_channel_recv(channel, &byte, 1, FOREVER) == -32; /* -EPIPE */
}

/* Waits for events instead of in a call. */
static bool waiting_receiver(int end, crossvm_channel_t *channel)
{
    char byte = 0;

    (void)end;
    for (char number = 1; number <= 2; number++) {
        if (crossvm_channel_wait(channel, CROSSVM_CHANNEL_IN, FOREVER) != CROSSVM_CHANNEL_IN)
            return false;
        if (crossvm_channel_recv(channel, &byte, 1, CROSSVM_NOW) != 1 || byte != number)
            return false;
    }
    return true;
}

/* The receiver was busy: the sender looks at its wake word without a fence. */
static void busy(void)
{
    crossvm_channel_t *channel = world_channel(1);

    channel->recv.relaxed = true;
    crossvm_private_store_release(channel->recv.wake, channel->recv.epoch);
}

#define DATAGRAM .size = 4096, .mode = CROSSVM_CHANNEL_DATAGRAM
#define STREAM .size = 4096, .mode = CROSSVM_CHANNEL_STREAM

/* The first of these are quick: they stop an end at few places, but at all of these. */
static const struct story stories[] = {
    {"wake", DATAGRAM, .start_joined = true, .run = {small_sender, small_receiver}},
    {"wake, events", DATAGRAM, .start_joined = true, .run = {small_sender, waiting_receiver}},
    {"wake, relaxed", DATAGRAM, .flags = CROSSVM_CHANNEL_RELAXED, .start_joined = true, .prepare = busy,
     .run = {small_sender, small_receiver}},
    {"wake, relaxed, events", DATAGRAM, .flags = CROSSVM_CHANNEL_RELAXED, .start_joined = true, .prepare = busy,
     .run = {small_sender, waiting_receiver}},
    {"last words", DATAGRAM, .start_joined = true, .run = {leaver, left_behind}},
    {"space, few switches", DATAGRAM, .switches = 3, .start_joined = true, .run = {sender, receiver}},
    {"begin, few switches", DATAGRAM, .switches = 3, .run = {client, server}, .forever = {false, true}},
    {"killed, few switches", DATAGRAM, .kills = 1, .orderly = true, .switches = 1, .run = {client, server},
     .forever = {false, true}},
    {"killed, few switches, announced", DATAGRAM, .kills = 1, .orderly = true, .switches = 1, .announced = true,
     .run = {client, server}, .forever = {false, true}},

    {"space", DATAGRAM, .start_joined = true, .run = {sender, receiver}},
    {"space, stream", STREAM, .start_joined = true, .run = {sender, receiver}},
    {"begin", DATAGRAM, .run = {client, server}, .forever = {false, true}},
    {"begin, the other way round", DATAGRAM, .run = {server, client}, .forever = {true, false}},
    {"begin, stream", STREAM, .run = {client, server}, .forever = {false, true}},
    {"killed", DATAGRAM, .kills = 1, .orderly = true, .switches = 3, .run = {talker, listener},
     .forever = {false, true}},
    {"killed, the other way round", DATAGRAM, .kills = 1, .orderly = true, .switches = 3, .run = {listener, talker},
     .forever = {true, false}},
    {"killed, announced", DATAGRAM, .kills = 1, .orderly = true, .switches = 3, .announced = true,
     .run = {client, server}, .forever = {false, true}},
    {"two killed", DATAGRAM, .kills = 2, .orderly = true, .switches = 2, .run = {talker, listener},
     .forever = {false, true}},
};

#define NUM_STORIES (sizeof(stories) / sizeof(stories[0]))
#define NUM_QUICK 9

/* test_channel_explore [quick | STORY] */
int main(int argc, char **argv)
{
    const bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    bool well = true, any = false;

    for (size_t i = 0; i < (quick ? NUM_QUICK : NUM_STORIES); i++) {
        if (argc > 1 && !quick && strcmp(argv[1], stories[i].name) != 0)
            continue;
        well = explore(&stories[i]) && well;
        any = true;
    }
    if (!any)
        fprintf(stderr, "there is no story of that name\n");
    return well && any ? 0 : 1;
}
