/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge_bench DIRECTION WAY PLACE COUNT: sends or receives that many messages of 64 bytes, as fast as it can, for
 * bench/bridge/compare. DIRECTION is send or receive. WAY is channel, and PLACE an end of a connection; or core or
 * jetstream, and PLACE the URL of a server of NATS. Prints when the first message was sent or received, and when the
 * last one, in nanoseconds of the monotonic clock. "make stream URL REPLICAS" makes the stream of these messages.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/end_channel.h>
#include <nats/nats.h>

#include "../../src/common/clock.h"

#define MESSAGE_BYTES 64
#define SUBJECT "bench"
#define STREAM "BENCH"
#define IN_FLIGHT 4000 /* the most that are published and not acknowledged */
#define FETCHED 500    /* messages that a consumer asks for at once */
#define PATIENCE_MS 60000

struct run {
    const char *place;
    uint64_t count;
    int64_t first_ns, last_ns;
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "bridge_bench: cannot %s: %s\n", what, why);
    exit(1);
}

/* --- a channel --- */

static crossvm_channel_t *open_channel(const char *name)
{
    const crossvm_channel_options_t options = {.mode = CROSSVM_CHANNEL_DATAGRAM};
    crossvm_channel_t *channel;
    crossvm_end_t *end;

    if (crossvm_open(&end, name) || crossvm_channel_create(&channel, end, &options))
        fail("open an end", crossvm_strerror());
    return channel;
}

static void send_to_channel(struct run *run)
{
    crossvm_channel_t *channel = open_channel(run->place);
    char message[MESSAGE_BYTES] = {0};

    for (uint64_t i = 0; i < run->count; i++) {
        if (crossvm_channel_send(channel, message, sizeof(message), CROSSVM_FOREVER) < 0)
            fail("send", crossvm_strerror());
        if (i == 0)
            run->first_ns = now_ns();
    }
    /* The bridge has everything then. */
    if (crossvm_channel_drain(channel, CROSSVM_FOREVER))
        fail("send to the end", crossvm_strerror());
}

static void receive_from_channel(struct run *run)
{
    crossvm_channel_t *channel = open_channel(run->place);
    char message[MESSAGE_BYTES];

    for (uint64_t i = 0; i < run->count; i++) {
        if (crossvm_channel_recv(channel, message, sizeof(message), CROSSVM_FOREVER) != MESSAGE_BYTES)
            fail("receive", crossvm_strerror());
        if (i == 0)
            run->first_ns = now_ns();
    }
}

/* --- NATS --- */

static void check(natsStatus status, const char *what)
{
    if (status != NATS_OK)
        fail(what, natsStatus_GetText(status));
}

static natsConnection *connect_to(const char *url)
{
    natsConnection *connection;

    check(natsConnection_ConnectTo(&connection, url), "connect");
    return connection;
}

static void send_core(struct run *run)
{
    natsConnection *connection = connect_to(run->place);
    const char message[MESSAGE_BYTES] = {0};

    run->first_ns = now_ns();
    for (uint64_t i = 0; i < run->count; i++)
        check(natsConnection_Publish(connection, SUBJECT, message, sizeof(message)), "publish");
    check(natsConnection_FlushTimeout(connection, PATIENCE_MS), "publish to the end");
}

static jsCtx *jetstream_of(natsConnection *connection)
{
    jsOptions options;
    jsCtx *jetstream;

    check(jsOptions_Init(&options), "use JetStream");
    options.PublishAsync.MaxPending = IN_FLIGHT;
    options.PublishAsync.StallWait = PATIENCE_MS;
    check(natsConnection_JetStream(&jetstream, connection, &options), "use JetStream");
    return jetstream;
}

/* With IDs, as whoever wants no message twice. */
static void send_jetstream(struct run *run)
{
    jsCtx *jetstream = jetstream_of(connect_to(run->place));
    const char message[MESSAGE_BYTES] = {0};

    run->first_ns = now_ns();
    for (uint64_t i = 0; i < run->count; i++) {
        char id[24];
        jsPubOptions options = {.MsgId = id};

        (void)snprintf(id, sizeof(id), "%" PRIu64, i);
        check(js_PublishAsync(jetstream, SUBJECT, message, sizeof(message), &options), "publish");
    }
    check(js_PublishAsyncComplete(jetstream, NULL), "publish to the end");
}

/* Acknowledges each message by itself, as whoever wants none to be lost. */
static void receive_jetstream(struct run *run)
{
    jsCtx *jetstream = jetstream_of(connect_to(run->place));
    natsSubscription *subscription;
    uint64_t received = 0;

    check(js_PullSubscribe(&subscription, jetstream, SUBJECT, "bench", NULL, NULL, NULL), "subscribe");
    while (received < run->count) {
        natsMsgList list;

        check(natsSubscription_Fetch(&list, subscription, FETCHED, PATIENCE_MS, NULL), "fetch");
        if (received == 0)
            run->first_ns = now_ns();
        for (int i = 0; i < list.Count; i++)
            check(natsMsg_Ack(list.Msgs[i], NULL), "acknowledge");
        received += (uint64_t)list.Count;
        natsMsgList_Destroy(&list);
    }
}

/* Makes the stream anew: empty, without a consumer. */
static void make_stream(struct run *run)
{
    jsCtx *jetstream = jetstream_of(connect_to(run->place));
    const char *subject = SUBJECT;
    jsStreamConfig config;

    (void)js_DeleteStream(jetstream, STREAM, NULL, NULL);
    check(jsStreamConfig_Init(&config), "make a stream");
    config.Name = STREAM;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.Replicas = (int64_t)run->count;
    check(js_AddStream(NULL, jetstream, &config, NULL, NULL), "make a stream");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *direction, *way;
        void (*run)(struct run *run);
    } runs[] = {
        {"send", "channel", send_to_channel},        {"send", "core", send_core},
        {"send", "jetstream", send_jetstream},       {"receive", "channel", receive_from_channel},
        {"receive", "jetstream", receive_jetstream}, {"make", "stream", make_stream},
    };
    struct run run;

    if (argc == 5) {
        run = (struct run){.place = argv[3], .count = strtoull(argv[4], NULL, 10)};
        for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
            if (strcmp(argv[1], runs[i].direction) != 0 || strcmp(argv[2], runs[i].way) != 0)
                continue;
            runs[i].run(&run);
            run.last_ns = now_ns();
            printf("%" PRId64 " %" PRId64 "\n", run.first_ns, run.last_ns);
            return 0;
        }
    }
    fprintf(stderr, "usage: bridge_bench send|receive channel|core|jetstream PLACE COUNT\n");
    return 2;
}
