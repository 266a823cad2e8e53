/* SPDX-License-Identifier: BSD-2-Clause */
#include "outward.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/message.h"

#define MS 1000000
#define SILENCE_NS ((int64_t)5000 * MS) /* of a stream: then it is asked what it has */
#define FIRST_PAUSE_NS ((int64_t)20 * MS)
#define LONGEST_PAUSE_NS ((int64_t)2000 * MS)
#define HEADERS_BYTES 128 /* room for what is published with a datagram; the server counts it, too */
#define EXPECTED "Nats-Expected-Last-Sequence"

static struct flight *flight_at(const struct outward *outward, size_t i)
{
    return &outward->flights[(outward->first + i) % outward->config->window];
}

/* --- what the stream answers, in a thread of the library --- */

static void note_answer(struct outward *outward, uint64_t sequence, const char *reason)
{
    if (reason && !outward->failed)
        (void)snprintf(outward->reason, sizeof(outward->reason), "%s", reason);
    outward->failed = outward->failed || reason;
    if (!reason && sequence > outward->heard)
        outward->heard = sequence;
}

static void understand(struct outward *outward, natsMsg *message)
{
    json_t *answer = json_loadb(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message), 0, NULL);
    const json_t *error = json_object_get(answer, "error"), *sequence = json_object_get(answer, "seq");
    const char *stream = json_string_value(json_object_get(answer, "stream"));

    if (natsMsg_IsNoResponders(message))
        note_answer(outward, 0, "no stream takes this subject");
    else if (error || !json_is_integer(sequence))
        note_answer(outward, 0,
                    json_string_value(json_object_get(error, "description")) ?: "it answers with no number");
    else if (!stream || strcmp(stream, outward->config->send.stream) != 0)
        note_answer(outward, 0, "another stream has this subject");
    else
        note_answer(outward, (uint64_t)json_integer_value(sequence), NULL);
    json_decref(answer);
}

static void on_answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *closure)
{
    struct outward *outward = closure;
    const char *epoch = strrchr(natsMsg_GetSubject(message), '.');
    const uint64_t one = 1;
    bool wakes = false;

    (void)connection;
    (void)subscription;
    pthread_mutex_lock(&outward->lock);
    if (epoch && strtoul(epoch + 1, NULL, 10) == outward->epoch) {
        understand(outward, message);
        wakes = !outward->woken;
        outward->woken = true;
    }
    pthread_mutex_unlock(&outward->lock);
    natsMsg_Destroy(message);
    if (wakes)
        (void)!write(outward->server->wake, &one, sizeof(one));
}

/* --- the ring --- */

static void count_too_long(struct outward *outward, uint32_t length, uint64_t most)
{
    char sentence[256];

    outward->too_long++;
    (void)snprintf(sentence, sizeof(sentence),
                   "a datagram of %" PRIu32 " bytes is dropped: the server takes %" PRIu64
                   " (max_payload in its configuration)",
                   length, most);
    server_complain(sentence);
}

/* The sequence number up to which datagrams are on their way. */
static uint64_t newest(const struct outward *outward)
{
    return outward->count ? flight_at(outward, outward->count - 1)->sequence : outward->stored;
}

/* Reads further datagrams of the ring. */
static void read_ahead(struct outward *outward)
{
    /* Acquire: orders the load of PRODUCED before those of what it covers. Pairs with the release of the sender. */
    const uint32_t produced = __atomic_load_n(outward->produced, __ATOMIC_ACQUIRE);
    uint64_t sequence = newest(outward);

    while (outward->count < outward->config->window) {
        struct flight *flight = flight_at(outward, outward->count);

        const int found = ahead_next(&outward->ahead, produced, &flight->data, &flight->length);

        outward->broken = found < 0; /* the channel will say why, once it comes to it */
        if (found <= 0)
            break;
        flight->skipped = flight->length + HEADERS_BYTES > outward->most_bytes;
        if (flight->skipped)
            count_too_long(outward, flight->length, outward->most_bytes);
        flight->sequence = flight->skipped ? sequence : ++sequence;
        flight->after = outward->ahead.place;
        outward->count++;
    }
}

/* --- in step with the stream --- */

static void pause_after(struct outward *outward, const char *what)
{
    char sentence[512];

    (void)snprintf(sentence, sizeof(sentence), "stream %s does not take a datagram: %s; trying again",
                   outward->config->send.stream, what);
    server_complain(sentence);
    outward->pause_ns = outward->pause_ns ? outward->pause_ns * 2 : FIRST_PAUSE_NS;
    if (outward->pause_ns > LONGEST_PAUSE_NS)
        outward->pause_ns = LONGEST_PAUSE_NS;
    outward->again_ns = now_ns() + outward->pause_ns;
}

/* The first datagrams on their way are in the stream up to this sequence number. */
static void release(struct outward *outward, uint64_t sequence)
{
    while (outward->count > 0 && flight_at(outward, 0)->sequence <= sequence) {
        const struct flight *flight = flight_at(outward, 0);
        const void *data;

        outward->stored = flight->sequence;
        mark_taken(outward->mark, flight->after, flight->sequence);
        /* Only now: the other end may write over it. */
        if (outward->channel && crossvm_channel_peek(outward->channel, &data, CROSSVM_NOW) >= 0)
            (void)crossvm_channel_release(outward->channel, flight->length);
        if (!flight->skipped)
            outward->sent++;
        outward->first = (outward->first + 1) % outward->config->window;
        outward->count--;
        if (outward->published > 0)
            outward->published--;
        outward->pause_ns = 0;
        outward->heard_ns = now_ns();
    }
}

/* Whether the message with that number is this flight. */
static natsStatus is_in_stream(struct outward *outward, const struct flight *flight, bool *same)
{
    natsMsg *message = NULL;
    natsStatus status;

    *same = true;
    if (flight->skipped)
        return NATS_OK;
    status = js_GetMsg(&message, outward->server->streams, outward->config->send.stream, flight->sequence, NULL, NULL);
    if (status == NATS_NOT_FOUND)
        return NATS_OK; /* it is gone by now */
    if (status != NATS_OK)
        return status;
    *same = (size_t)natsMsg_GetDataLength(message) == flight->length &&
            memcmp(natsMsg_GetData(message), flight->data, flight->length) == 0;
    natsMsg_Destroy(message);
    return NATS_OK;
}

static int others_publish(const struct outward *outward)
{
    message(
        "somebody else publishes to stream %s, in which the order of datagrams is then not kept: give this bridge a "
        "stream of its own",
        outward->config->send.stream);
    return -1;
}

/* The stream's sequence numbers began anew. */
static void renumber(struct outward *outward, uint64_t last)
{
    message("stream %s has fewer messages than it acknowledged: was it made anew? Going on with what it does not have",
            outward->config->send.stream);
    for (size_t i = 0; i < outward->count; i++)
        flight_at(outward, i)->sequence = flight_at(outward, i)->sequence - outward->stored + last;
    outward->stored = last;
}

/* Whether the datagrams on their way are what the stream has up to that number: the first and the last of them. */
static natsStatus are_in_stream(struct outward *outward, uint64_t last, bool *same)
{
    natsStatus status = NATS_OK;

    *same = true;
    for (size_t i = 0; i < outward->count && status == NATS_OK && *same; i++) {
        const struct flight *flight = flight_at(outward, i);

        if (i == 0 || flight->sequence == last)
            status = is_in_stream(outward, flight, same);
    }
    return status;
}

static void fall_out_of_step(struct outward *outward, const char *reason)
{
    outward->in_step = false;
    pause_after(outward, reason);
}

/* Takes what the stream has as its last message for what was published, by this process or its predecessor. */
static int compare(struct outward *outward, uint64_t last)
{
    if (!outward->known) {
        outward->stored = last;
        outward->known = true;
        mark_taken(outward->mark, outward->ahead.place, last);
    }
    if (last < outward->stored)
        renumber(outward, last);
    while (outward->stored < last) {
        natsStatus status = NATS_OK;
        uint64_t known;
        bool same;

        if (newest(outward) < last && outward->produced)
            read_ahead(outward);
        known = newest(outward) < last ? newest(outward) : last;
        same = known != outward->stored;
        if (same)
            status = are_in_stream(outward, known, &same);
        if (!same)
            return others_publish(outward);
        if (status != NATS_OK) {
            fall_out_of_step(outward, server_reason(status));
            return 0;
        }
        release(outward, known);
    }
    return 0;
}

/* Asks the stream what it has. What is published from now on follows that. */
static int get_in_step(struct outward *outward)
{
    jsStreamInfo *info = NULL;
    natsStatus status;
    uint64_t last;

    pthread_mutex_lock(&outward->lock);
    outward->epoch++;
    outward->failed = false;
    outward->heard = 0;
    pthread_mutex_unlock(&outward->lock);
    outward->connects = atomic_load(&outward->server->connects);
    outward->resent += outward->published;
    outward->published = 0;
    status = server_find_stream(outward->server, &outward->config->send, &info);
    if (status != NATS_OK) {
        pause_after(outward, server_reason(status));
        return 0;
    }
    last = info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    outward->most_bytes = (uint64_t)natsConnection_GetMaxPayload(outward->server->connection);
    outward->in_step = true;
    outward->heard_ns = now_ns();
    return compare(outward, last);
}

/* --- publishing --- */

static natsStatus publish(struct outward *outward, const struct flight *flight)
{
    const struct bridge_config *config = outward->config;
    char reply[96], expected[24];
    natsMsg *message = NULL;
    natsStatus status;

    (void)snprintf(reply, sizeof(reply), "%s.%u", outward->inbox, outward->epoch);
    (void)snprintf(expected, sizeof(expected), "%" PRIu64, flight->sequence - 1);
    status = natsMsg_Create(&message, config->send.subject, reply, (const char *)flight->data, (int)flight->length);
    if (status == NATS_OK)
        status = natsMsgHeader_Set(message, EXPECTED, expected);
    if (status == NATS_OK)
        status = natsConnection_PublishMsg(outward->server->connection, message);
    natsMsg_Destroy(message);
    outward->server->unsent = true;
    return status;
}

/* Publishes those on their way that were not, since the stream was asked last. */
static void publish_all(struct outward *outward)
{
    if (outward->published == 0)
        outward->heard_ns = now_ns();
    for (; outward->published < outward->count; outward->published++) {
        const struct flight *flight = flight_at(outward, outward->published);
        natsStatus status = flight->skipped ? NATS_OK : publish(outward, flight);

        if (status != NATS_OK) {
            fall_out_of_step(outward, server_reason(status));
            return;
        }
    }
}

/* What the library has heard. */
static void take_answers(struct outward *outward)
{
    char reason[sizeof(outward->reason)];
    uint64_t heard;
    bool failed;

    pthread_mutex_lock(&outward->lock);
    heard = outward->heard;
    failed = outward->failed;
    memcpy(reason, outward->reason, sizeof(reason));
    outward->woken = false;
    pthread_mutex_unlock(&outward->lock);
    release(outward, heard);
    if (failed && outward->in_step)
        fall_out_of_step(outward, reason);
}

static int move_to_stream(struct outward *outward, bool more)
{
    take_answers(outward);
    if (outward->connects != atomic_load(&outward->server->connects))
        outward->in_step = false;
    if (outward->published > 0 && now_ns() - outward->heard_ns > SILENCE_NS)
        outward->in_step = false;
    if (!atomic_load(&outward->server->connected) || now_ns() < outward->again_ns)
        return 0;
    if (!outward->in_step && get_in_step(outward))
        return -1;
    if (!outward->in_step)
        return 0;
    if (more && outward->produced)
        read_ahead(outward);
    release(outward, outward->stored); /* those that are skipped */
    publish_all(outward);
    return 0;
}

/* --- core NATS --- */

/* Keeps a datagram until the server is back, in place of the one before. */
static void keep(struct outward *outward, const void *data, size_t length)
{
    outward->dropped += outward->has_kept;
    if (length > outward->kept_size) {
        uint8_t *larger = realloc(outward->kept, length);

        outward->has_kept = larger != NULL;
        if (!larger) {
            outward->dropped++;
            return;
        }
        outward->kept = larger;
        outward->kept_size = length;
    }
    memcpy(outward->kept, data, length);
    outward->kept_length = length;
    outward->has_kept = true;
}

static bool publish_newest(struct outward *outward, const void *data, size_t length)
{
    if (!atomic_load(&outward->server->connected))
        return false;
    outward->most_bytes = (uint64_t)natsConnection_GetMaxPayload(outward->server->connection);
    if (length > outward->most_bytes) {
        count_too_long(outward, (uint32_t)length, outward->most_bytes);
        return true;
    }
    if (natsConnection_Publish(outward->server->connection, outward->config->send.subject, data, (int)length) !=
        NATS_OK)
        return false;
    outward->server->unsent = true;
    outward->sent++;
    return true;
}

static void move_newest(struct outward *outward)
{
    const void *data;
    ptrdiff_t length;

    for (unsigned int i = 0; i < outward->config->window; i++) {
        length = crossvm_channel_peek(outward->channel, &data, CROSSVM_NOW);
        if (length < 0)
            break;
        if (!outward->config->send.subject)
            outward->dropped++;
        else if (!publish_newest(outward, data, (size_t)length))
            keep(outward, data, (size_t)length);
        (void)crossvm_channel_release(outward->channel, (size_t)length);
    }
}

/* --- both --- */

int outward_open(struct outward *outward, const struct bridge_config *config, struct server *server)
{
    natsInbox *inbox = NULL;

    outward->config = config;
    outward->server = server;
    pthread_mutex_init(&outward->lock, NULL);
    if (!config->send.stream)
        return 0;
    outward->flights = calloc(config->window, sizeof(*outward->flights));
    if (!outward->flights || natsInbox_Create(&inbox) != NATS_OK) {
        message("no memory for %u datagrams on their way: give a smaller --window", config->window);
        return -1;
    }
    (void)snprintf(outward->inbox, sizeof(outward->inbox), "%s", inbox);
    natsInbox_Destroy(inbox);
    return 0;
}

int outward_subscribe(struct outward *outward)
{
    char wildcard[80];
    natsStatus status;

    if (!outward->config->send.stream || !outward->server->connection)
        return 0;
    (void)snprintf(wildcard, sizeof(wildcard), "%s.*", outward->inbox);
    outward->in_step = false;
    status = natsConnection_Subscribe(&outward->answers, outward->server->connection, wildcard, on_answer, outward);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(outward->answers, -1, -1);
    if (status == NATS_OK)
        return 0;
    message("cannot hear what stream %s answers: %s", outward->config->send.stream, server_reason(status));
    return -1;
}

void outward_begin(struct outward *outward, struct ahead ahead, const uint32_t *produced, uint64_t stored)
{
    outward->ahead = ahead;
    outward->produced = produced;
    outward->broken = false;
    if (stored != MARK_UNKNOWN) {
        outward->stored = stored;
        outward->known = true;
    }
}

int outward_move(struct outward *outward, bool more)
{
    if (outward->config->send.stream)
        return move_to_stream(outward, more);
    if (outward->has_kept && publish_newest(outward, outward->kept, outward->kept_length))
        outward->has_kept = false;
    if (more && outward->channel)
        move_newest(outward);
    return 0;
}

bool outward_is_done(const struct outward *outward)
{
    if (!outward->config->send.stream)
        return !outward->has_kept;
    if (outward->count > 0)
        return false;
    return !outward->produced ||
           (outward->known && __atomic_load_n(outward->produced, __ATOMIC_ACQUIRE) == outward->ahead.place.index);
}

bool outward_is_stuck(const struct outward *outward)
{
    return outward->broken && outward->count == 0;
}

bool outward_is_open(const struct outward *outward)
{
    return !outward->config->send.stream || (outward->count == 0 && outward->in_step && !outward->broken);
}

int outward_timeout_ms(const struct outward *outward)
{
    const int64_t now = now_ns();

    if (outward->again_ns > now)
        return (int)((outward->again_ns - now) / MS) + 1;
    return outward->count > 0 ? 1000 : -1;
}

void outward_close(struct outward *outward)
{
    natsSubscription_Destroy(outward->answers);
    outward->answers = NULL;
}

void outward_free(struct outward *outward)
{
    free(outward->flights);
    free(outward->kept);
}
