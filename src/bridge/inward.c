/* SPDX-License-Identifier: BSD-2-Clause */
#include "inward.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../channel/internal.h"
#include "../common/clock.h"
#include "../common/message.h"

#define MS 1000000
#define HEARTBEAT_NS ((int64_t)1000 * MS)
#define SILENCE_NS (4 * HEARTBEAT_NS)
#define ACK_WAIT_NS ((int64_t)3600 * 1000 * MS) /* nothing is delivered again because the other end is slow */
#define FIRST_PAUSE_NS ((int64_t)20 * MS)
#define LONGEST_PAUSE_NS ((int64_t)2000 * MS)
#define SPARE 64 /* heartbeats, and what came late from an old consumer */
#define TURN 256
#define NAME_BYTES 160

static struct arrival *arrival_at(const struct inward *inward, size_t i)
{
    return &inward->arrivals[(inward->first + i) % inward->size];
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *closure)
{
    struct inward *inward = closure;

    (void)connection;
    (void)subscription;
    inbox_put(&inward->inbox, message);
}

/* --- arrivals --- */

static void forget_first(struct inward *inward)
{
    natsMsg_Destroy(arrival_at(inward, 0)->message);
    inward->first = (inward->first + 1) % inward->size;
    inward->count--;
    if (inward->put > 0)
        inward->put--;
}

/* All up to this message was taken: the consumer's acknowledgements are cumulative. */
static void acknowledge(struct inward *inward, const natsMsg *message)
{
    const char *reply = natsMsg_GetReply((natsMsg *)message);

    if (reply && *reply)
        (void)natsConnection_PublishString(inward->server->connection, reply, "+ACK");
}

/* Takes note of what the other end has taken. CONSUMED is the other end's: a wrong one can only claim that more of its
 * own messages were taken. */
static void collect(struct inward *inward)
{
    const crossvm_channel_t *channel = inward->channel;
    natsMsg *last = NULL;
    uint32_t consumed;

    if (inward->put == 0)
        return;
    /* Acquire: as the channel's own load of it. */
    consumed = __atomic_load_n(channel->send.peer_consumed, __ATOMIC_ACQUIRE);
    while (inward->put > 0 && (int32_t)(consumed - arrival_at(inward, 0)->index) >= 0) {
        struct arrival *arrival = arrival_at(inward, 0);

        natsMsg_Destroy(last);
        last = arrival->message;
        arrival->message = NULL;
        inward->taken = arrival->sequence;
        forget_first(inward);
    }
    if (last && inward->config->receive.stream)
        acknowledge(inward, last);
    natsMsg_Destroy(last);
}

/* --- the consumer --- */

static void pause_after(struct inward *inward, const char *what, const char *reason)
{
    char sentence[512];

    (void)snprintf(sentence, sizeof(sentence), "cannot %s stream %s: %s; trying again", what,
                   inward->config->receive.stream, reason);
    server_complain(sentence);
    inward->pause_ns = inward->pause_ns ? inward->pause_ns * 2 : FIRST_PAUSE_NS;
    if (inward->pause_ns > LONGEST_PAUSE_NS)
        inward->pause_ns = LONGEST_PAUSE_NS;
    inward->again_ns = now_ns() + inward->pause_ns;
}

static void consumer_name(const struct inward *inward, uint64_t number, char name[NAME_BYTES])
{
    (void)snprintf(name, NAME_BYTES, "%s-%" PRIu64, inward->config->consumer, number);
}

/* The number in the name of a consumer of this bridge; 0: it is none. */
static uint64_t number_of(const struct inward *inward, const char *name)
{
    const size_t length = strlen(inward->config->consumer);
    char *end;
    unsigned long long number;

    if (strncmp(name, inward->config->consumer, length) != 0 || name[length] != '-')
        return 0;
    number = strtoull(name + length + 1, &end, 10);
    return *end ? 0 : number;
}

/* Removes all consumers of this bridge with lower numbers, and finds the highest number. */
static natsStatus look_for_consumers(struct inward *inward, bool remove)
{
    const char *stream = inward->config->receive.stream;
    jsCtx *streams = inward->server->streams;
    jsConsumerNamesList *names = NULL;
    uint64_t highest = inward->number;
    natsStatus status = js_ConsumerNames(&names, streams, stream, NULL, NULL);

    if (status == NATS_NOT_FOUND)
        return NATS_OK; /* there is none */
    for (int i = 0; status == NATS_OK && i < names->Count; i++) {
        const uint64_t number = number_of(inward, names->List[i]);

        if (number > highest)
            highest = number;
        if (remove && number && number < inward->number)
            (void)js_DeleteConsumer(streams, stream, names->List[i], NULL, NULL);
    }
    jsConsumerNamesList_Destroy(names);
    if (!remove)
        inward->number = highest;
    return status;
}

static natsStatus look_at_consumer(struct inward *inward, jsConsumerInfo **info)
{
    char name[NAME_BYTES];

    consumer_name(inward, inward->number, name);
    return js_GetConsumerInfo(info, inward->server->streams, inward->config->receive.stream, name, NULL, NULL);
}

/* Where a predecessor's consumer was. */
static natsStatus find_position(struct inward *inward)
{
    jsConsumerInfo *info = NULL;
    natsStatus status = look_for_consumers(inward, false);

    if (status == NATS_OK && inward->number > 0) {
        status = look_at_consumer(inward, &info);
        /* A server that was killed may have forgotten the last acknowledgements, and a consumer without any tells 0. */
        if (status == NATS_OK)
            inward->taken = info->AckFloor.Stream >= info->Config->OptStartSeq ? info->AckFloor.Stream
                                                                               : info->Config->OptStartSeq - 1;
        jsConsumerInfo_Destroy(info);
    }
    if (status != NATS_OK)
        return status;
    if (inward->number == 0) /* no message of this stream was given to anybody: the mark is about another one */
        inward->given = 0;
    if (inward->given < inward->taken)
        inward->given = inward->taken;
    inward->recovering = inward->given > inward->taken;
    inward->known = true;
    return NATS_OK;
}

/* The stream's sequence numbers began anew: what is known of them is of no use, and all of its messages are new. */
static void begin_anew(struct inward *inward)
{
    message("stream %s was made anew: going on with its first message", inward->config->receive.stream);
    for (size_t i = 0; i < inward->count; i++)
        arrival_at(inward, i)->sequence = 0;
    inward->taken = inward->given = 0;
    inward->recovering = false;
}

/* Looks whether the stream is still the same. A new one has no consumer of before. */
static natsStatus look_at_stream(struct inward *inward)
{
    jsStreamInfo *stream = NULL;
    jsConsumerInfo *consumer = NULL;
    natsStatus status = server_find_stream(inward->server, &inward->config->receive, &stream);
    int64_t made;

    if (status != NATS_OK)
        return status;
    made = stream->Created;
    jsStreamInfo_Destroy(stream);
    if (inward->known && made != inward->made) {
        status = look_at_consumer(inward, &consumer);
        jsConsumerInfo_Destroy(consumer);
        if (status == NATS_NOT_FOUND)
            begin_anew(inward);
        else if (status != NATS_OK)
            return status;
    }
    inward->made = made;
    return NATS_OK;
}

static natsStatus subscribe(struct inward *inward, const char *subject)
{
    natsStatus status;

    natsSubscription_Destroy(inward->subscription);
    inward->subscription = NULL;
    inbox_clear(&inward->inbox);
    (void)inbox_dropped(&inward->inbox);
    status = natsConnection_Subscribe(&inward->subscription, inward->server->connection, subject, on_message, inward);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(inward->subscription, -1, -1);
    return status;
}

/* Makes the next consumer, which begins after what was taken. */
static natsStatus add_consumer(struct inward *inward)
{
    const struct bridge_config *config = inward->config;
    char name[NAME_BYTES];
    jsConsumerConfig wanted;
    natsInbox *inbox = NULL;
    natsStatus status = natsInbox_Create(&inbox);

    if (status == NATS_OK)
        status = subscribe(inward, inbox);
    consumer_name(inward, inward->number + 1, name);
    (void)jsConsumerConfig_Init(&wanted);
    wanted.Durable = name;
    wanted.Description = config->client;
    wanted.DeliverSubject = inbox;
    wanted.DeliverPolicy = js_DeliverByStartSequence;
    wanted.OptStartSeq = inward->taken + 1;
    wanted.AckPolicy = js_AckAll;
    wanted.AckWait = ACK_WAIT_NS;
    wanted.FilterSubject = config->receive.subject;
    /* A predecessor may have had a larger window, and what it left is decided once all of it has come. */
    inward->window = config->window;
    if (inward->recovering && inward->given - inward->taken > inward->window)
        inward->window = inward->given - inward->taken < BRIDGE_MOST_WINDOW
                             ? (unsigned int)(inward->given - inward->taken)
                             : BRIDGE_MOST_WINDOW;
    wanted.MaxAckPending = inward->window;
    wanted.Heartbeat = HEARTBEAT_NS;
    if (status == NATS_OK)
        status = js_AddConsumer(NULL, inward->server->streams, config->receive.stream, &wanted, NULL, NULL);
    natsInbox_Destroy(inbox);
    return status;
}

/* Lets the stream send all that comes after what was taken. */
static void get_in_step(struct inward *inward)
{
    natsStatus status = look_at_stream(inward);

    inward->connects = atomic_load(&inward->server->connects);
    if (status == NATS_OK && !inward->known)
        status = find_position(inward);
    if (status == NATS_OK)
        status = add_consumer(inward);
    if (status != NATS_OK) {
        if (inward->known)
            (void)look_for_consumers(inward, false); /* another bridge may have made that one */
        pause_after(inward, "receive from", server_reason(status));
        return;
    }
    inward->number++;
    inward->noted = inward->taken; /* it begins behind that */
    inward->next = 1;
    inward->in_step = true;
    inward->heard_ns = now_ns();
    inward->pause_ns = 0;
    (void)look_for_consumers(inward, true);
}

/* --- messages --- */

/* What a predecessor had put into its ring, and the other end took, is not put again: of what fitted, all but the last
 * `left`. */
static void end_recovery(struct inward *inward)
{
    size_t before = 0;

    inward->recovering = false;
    while (before < inward->count && arrival_at(inward, before)->sequence <= inward->given)
        before++;
    for (uint64_t left = inward->left; left > 0 && before > 0; before--)
        left -= (size_t)natsMsg_GetDataLength(arrival_at(inward, before - 1)->message) <= inward->longest;
    for (; before > 0; before--) {
        inward->taken = arrival_at(inward, 0)->sequence;
        if (before == 1)
            acknowledge(inward, arrival_at(inward, 0)->message);
        forget_first(inward);
    }
    if (inward->window > inward->config->window)
        inward->in_step = false; /* the next consumer has no more on its way than it may */
}

static void add(struct inward *inward, natsMsg *message, uint64_t sequence)
{
    if (inward->recovering && sequence > inward->given)
        end_recovery(inward);
    if (inward->count == inward->size) { /* more than was asked for */
        natsMsg_Destroy(message);
        inward->in_step = false;
        return;
    }
    *arrival_at(inward, inward->count) = (struct arrival){.message = message, .sequence = sequence};
    inward->count++;
    if (inward->recovering && sequence == inward->given)
        end_recovery(inward);
}

/* A message of a stream that is known: its new envelope is what can be acknowledged from now on. */
static void renew(struct inward *inward, natsMsg *message, uint64_t sequence)
{
    for (size_t i = 0; i < inward->count; i++) {
        struct arrival *arrival = arrival_at(inward, i);

        if (arrival->sequence == sequence) {
            natsMsg_Destroy(arrival->message);
            arrival->message = message;
            return;
        }
    }
    inward->duplicates++;
    if (sequence <= inward->taken)
        acknowledge(inward, message);
    natsMsg_Destroy(message);
}

/* A message without content by which the server tells that it has nothing, and how far it is. Those of the stream,
 * whose publisher chose the headers, want an answer. */
static bool take_heartbeat(struct inward *inward, natsMsg *message)
{
    const char *status = NULL, *delivered = NULL;

    if (natsMsg_GetReply(message) || natsMsg_GetDataLength(message) > 0 ||
        natsMsgHeader_Get(message, "Status", &status) != NATS_OK || !status || strcmp(status, "100") != 0)
        return false;
    if (natsMsgHeader_Get(message, "Nats-Last-Consumer", &delivered) == NATS_OK && delivered &&
        strtoull(delivered, NULL, 10) >= inward->next)
        inward->in_step = false; /* something was lost on its way */
    else if (inward->recovering && inward->count < inward->window)
        end_recovery(inward); /* the rest of it is no longer in the stream */
    natsMsg_Destroy(message);
    return true;
}

static void take_message(struct inward *inward, natsMsg *message)
{
    const uint64_t last = inward->count ? arrival_at(inward, inward->count - 1)->sequence : inward->taken;
    jsMsgMetaData *about = NULL;
    char name[NAME_BYTES];
    uint64_t sequence;
    bool ours, fits;

    inward->heard_ns = now_ns();
    if (take_heartbeat(inward, message))
        return;
    if (!inward->in_step || natsMsg_GetMetaData(&about, message) != NATS_OK) {
        natsMsg_Destroy(message);
        return;
    }
    sequence = about->Sequence.Stream;
    consumer_name(inward, inward->number, name);
    ours = about->Consumer && strcmp(about->Consumer, name) == 0; /* and not one of before */
    fits = about->Sequence.Consumer == inward->next && about->NumDelivered == 1;
    jsMsgMetaData_Destroy(about);
    if (!ours || !fits) {
        if (ours)
            inward->in_step = false; /* something was lost on its way */
        natsMsg_Destroy(message);
        return;
    }
    inward->next++;
    if (sequence > last)
        add(inward, message, sequence);
    else
        renew(inward, message, sequence);
}

/* Puts a message into the ring. 0, or a negative errno value. */
static int put(struct inward *inward, struct arrival *arrival)
{
    crossvm_channel_t *channel = inward->channel;
    const size_t length = (size_t)natsMsg_GetDataLength(arrival->message);
    char sentence[256];
    void *room;
    ptrdiff_t result;

    if (length > crossvm_channel_max_message(channel)) {
        inward->too_long++;
        (void)snprintf(
            sentence, sizeof(sentence),
            "a message of %zu bytes is dropped: the channel takes %zu; give the connection a larger dataport", length,
            crossvm_channel_max_message(channel));
        server_complain(sentence);
    } else {
        result = crossvm_channel_reserve(channel, &room, length, CROSSVM_NOW);
        if (result < 0)
            return (int)result;
        if (length > 0)
            memcpy(room, natsMsg_GetData(arrival->message), length);
        (void)crossvm_channel_commit_more(channel, length);
        inward->received++;
    }
    arrival->index = (uint32_t)(uintptr_t)channel->send.at + channel->send.bias;
    inward->given = arrival->sequence;
    /* Before PRODUCED says so: whoever comes after this process finds the one or the other. */
    mark_given(inward->mark, arrival->index, arrival->sequence);
    crossvm_channel_flush(channel);
    return 0;
}

static int put_all(struct inward *inward)
{
    inward->full = false;
    for (size_t i = 0; i < TURN && inward->put < inward->count && !inward->recovering; i++) {
        int error = put(inward, arrival_at(inward, inward->put));

        if (error) {
            inward->full = error == -EAGAIN;
            return inward->full ? 0 : error;
        }
        inward->put++;
    }
    return 0;
}

/* --- both kinds --- */

static void take_newest(struct inward *inward)
{
    natsMsg *message;

    while (inward->count < inward->size && (message = inbox_take(&inward->inbox))) {
        if (!inward->channel) {
            inward->dropped++;
            natsMsg_Destroy(message);
            continue;
        }
        *arrival_at(inward, inward->count++) = (struct arrival){.message = message};
    }
    inward->dropped += inbox_dropped(&inward->inbox);
}

static void take_from_stream(struct inward *inward)
{
    natsMsg *message;

    if (inward->connects != atomic_load(&inward->server->connects) || now_ns() - inward->heard_ns > SILENCE_NS)
        inward->in_step = false;
    /* A server that is killed forgets acknowledgements of the last seconds. So the last consumer begins behind what was
     * taken. */
    if (inward->ending && inward->put == 0 && inward->noted < inward->taken)
        inward->in_step = false;
    if (!inward->in_step && atomic_load(&inward->server->connected) && now_ns() >= inward->again_ns)
        get_in_step(inward);
    while ((message = inbox_take(&inward->inbox)))
        take_message(inward, message);
    if (inbox_dropped(&inward->inbox) > 0)
        inward->in_step = false;
}

int inward_open(struct inward *inward, const struct bridge_config *config, struct server *server)
{
    inward->config = config;
    inward->server = server;
    inward->size = (config->receive.stream ? BRIDGE_MOST_WINDOW : config->window) + SPARE;
    if (!config->receive.subject)
        return 0;
    inward->arrivals = calloc(inward->size, sizeof(*inward->arrivals));
    if (inward->arrivals && inbox_init(&inward->inbox, inward->size, server->wake))
        return 0;
    message("no memory for %zu messages on their way", inward->size);
    return -1;
}

int inward_subscribe(struct inward *inward)
{
    const struct bridge_path *path = &inward->config->receive;
    natsStatus status;

    inward->in_step = false;
    if (!path->subject || path->stream || !inward->server->connection)
        return 0;
    status = subscribe(inward, path->subject);
    if (status == NATS_OK)
        return 0;
    message("cannot subscribe to %s: %s", path->subject, server_reason(status));
    return -1;
}

void inward_inherit(struct inward *inward, uint64_t given, uint64_t left, size_t longest)
{
    inward->given = given;
    inward->left = left;
    inward->longest = longest;
}

void inward_put_back(struct inward *inward)
{
    /* Of a stream, what the program at the other end had not taken comes first. Else the newest counts. */
    while (!inward->config->receive.stream && inward->put > 0) {
        inward->dropped++;
        forget_first(inward);
    }
    inward->put = 0;
    inward->full = false;
}

int inward_move(struct inward *inward, bool more)
{
    if (!inward->config->receive.subject)
        return 0;
    if (inward->channel)
        collect(inward);
    if (inward->config->receive.stream)
        take_from_stream(inward);
    else
        take_newest(inward);
    return more && inward->channel ? put_all(inward) : 0;
}

uint64_t inward_taken(const struct inward *inward)
{
    return inward->known && !inward->recovering ? inward->taken : 0;
}

bool inward_is_done(const struct inward *inward)
{
    return inward->put == 0 &&
           (!inward->config->receive.stream || !inward->known || (inward->in_step && inward->noted >= inward->taken));
}

size_t inward_count_unknown(const struct inward *inward)
{
    return inward->put + (size_t)(inward->taken - (inward->noted < inward->taken ? inward->noted : inward->taken));
}

int inward_timeout_ms(const struct inward *inward)
{
    if (!inward->config->receive.stream)
        return -1;
    return inward->in_step ? (int)(HEARTBEAT_NS / MS) : 100;
}

void inward_unsubscribe(struct inward *inward)
{
    natsSubscription_Destroy(inward->subscription);
    inward->subscription = NULL;
}

void inward_close(struct inward *inward)
{
    inward_unsubscribe(inward);
    inbox_close(&inward->inbox);
    while (inward->count > 0)
        forget_first(inward);
}

void inward_free(struct inward *inward)
{
    inbox_free(&inward->inbox);
    free(inward->arrivals);
}
