/* SPDX-License-Identifier: BSD-2-Clause */
#include "bridge.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../channel/internal.h"
#include "../common/clock.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "heritage.h"
#include "inward.h"
#include "outward.h"

#define SECOND_NS ((int64_t)1000000000)
#define MOST_LOOKS 100
#define LOOK_MS 200 /* between looks at what changes without an event */

struct bridge {
    const struct bridge_config *config;
    crossvm_end_t *end;
    crossvm_channel_options_t options;
    crossvm_channel_t *channel;
    int stop, wake;
    crossvm_deadline_t deadline; /* of the first session */
    struct server server;
    struct outward outward;
    struct inward inward;
    struct heritage heritage;
    uint32_t purpose;
    unsigned int connects; /* that were told of */
    bool connected;
    bool in_session, end_of_sending, end_of_taking; /* the other end sends, or takes, nothing more */
    bool ending;                                    /* told to end, */
    bool gone;                                      /* ... or the connection is gone */
    bool finished;                                  /* all on its way has arrived */
    int64_t end_ns, report_ns;
    int status; /* of the process; negative: it goes on */
};

/* --- reports --- */

static void report(const struct bridge *bridge)
{
    const struct outward *out = &bridge->outward;
    const struct inward *in = &bridge->inward;

    message("sent %" PRIu64 ", received %" PRIu64 ", on their way %zu and %zu, dropped %" PRIu64 " and %" PRIu64
            ", published again %" PRIu64 ", duplicates %" PRIu64 ", too long %" PRIu64 " and %" PRIu64,
            out->sent, in->received, out->count, in->count, out->dropped, in->dropped, out->resent, in->duplicates,
            out->too_long, in->too_long);
}

static void report_when_due(struct bridge *bridge)
{
    if (bridge->config->report_seconds <= 0 || now_ns() < bridge->report_ns)
        return;
    if (bridge->report_ns)
        report(bridge);
    bridge->report_ns = now_ns() + (int64_t)(bridge->config->report_seconds * (double)SECOND_NS);
}

static void warn_of_sizes(const struct bridge *bridge)
{
    const size_t longest = crossvm_channel_max_message(bridge->channel);
    const int64_t most = natsConnection_GetMaxPayload(bridge->server.connection);

    if (bridge->config->send.subject && most > 0 && longest > (uint64_t)most)
        message("connection \"%s\" carries datagrams of up to %zu bytes, and the server takes %" PRId64
                " (max_payload): longer ones will be dropped",
                crossvm_name(bridge->end), longest, most);
}

/* Connects, or connects anew where the library has given up. 0, or -1 after a message. */
static int connect_again(struct bridge *bridge)
{
    outward_close(&bridge->outward);
    inward_unsubscribe(&bridge->inward);
    return server_connect(&bridge->server) || outward_subscribe(&bridge->outward) || inward_subscribe(&bridge->inward);
}

static void tell_of_server(struct bridge *bridge)
{
    const bool connected = atomic_load(&bridge->server.connected);
    const unsigned int connects = atomic_load(&bridge->server.connects);
    char url[256] = "";

    if (connected && connects != bridge->connects) {
        (void)natsConnection_GetConnectedUrl(bridge->server.connection, url, sizeof(url));
        message("connected to %s", url);
        if (bridge->channel)
            warn_of_sizes(bridge);
    } else if (!connected && bridge->connected) {
        message("the connection to the NATS server is lost: trying again");
    }
    bridge->connected = connected;
    bridge->connects = connects;
    if (server_is_due(&bridge->server) && connect_again(bridge))
        bridge->status = STATUS_ERROR;
}

/* --- signals --- */

/* Nothing more is taken; what is on its way has some time. */
static void begin_end(struct bridge *bridge)
{
    if (bridge->ending)
        return;
    bridge->ending = bridge->inward.ending = true;
    bridge->end_ns = now_ns() + (int64_t)(bridge->config->grace_seconds * (double)SECOND_NS);
}

static void take_signal(struct bridge *bridge)
{
    struct signalfd_siginfo info;

    if (read(bridge->stop, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo == SIGUSR1) {
        report(bridge);
    } else if (bridge->ending) {
        bridge->status = STATUS_TIMEOUT; /* asked twice: at once */
    } else {
        begin_end(bridge);
    }
}

/* Sleeps until something happens, on the connection's descriptor if there is one. */
static void sleep_on(struct bridge *bridge, int fd, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = bridge->stop, .events = POLLIN}, {.fd = bridge->wake, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    uint64_t count;

    if (poll(fds, 3, timeout_ms) <= 0)
        return;
    if (fds[0].revents)
        take_signal(bridge);
    if (fds[1].revents)
        (void)!read(bridge->wake, &count, sizeof(count));
}

/* The sooner of two timeouts of poll(). */
static int sooner(int a, int b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

/* Whether the connection itself is gone, with its hub or device. A program at the other end may still take what is in
 * the memory that both have mapped. */
static bool is_gone(const struct bridge *bridge)
{
    struct pollfd ready = {.fd = crossvm_fd(bridge->end), .events = POLLIN};
    int looks = 0, result;

    /* Events and news of the peer may be in front of the end. */
    do
        result = crossvm_wait(bridge->end, CROSSVM_NOW);
    while (result >= 0 && ++looks < MOST_LOOKS && poll(&ready, 1, 0) == 1);
    return result < 0 && result != -EINTR;
}

/* --- what a predecessor left --- */

static bool goes_on(const struct bridge *bridge)
{
    return bridge->status < 0 && !bridge->ending;
}

/* Publishes what lies in the other end's ring, and what it still adds, until it has left. It may be long before a
 * program looks again; only then may the ring be made anew. */
static void publish_rest(struct bridge *bridge)
{
    struct outward *outward = &bridge->outward;
    bool gone = false, settled = false;
    struct ahead ahead;

    if (bridge->config->send.stream && heritage_ahead(&bridge->heritage, &ahead))
        outward_begin(outward, ahead, heritage_produced(&bridge->heritage), bridge->heritage.state.stored);
    while (goes_on(bridge)) {
        tell_of_server(bridge);
        settled = gone || heritage_is_settled(&bridge->heritage, true);
        if (outward_move(outward, true))
            bridge->status = STATUS_ERROR;
        if (settled && (outward_is_done(outward) || outward_is_stuck(outward)))
            break;
        sleep_on(bridge, crossvm_fd(bridge->end), sooner(outward_timeout_ms(outward), LOOK_MS));
        gone = is_gone(bridge);
    }
    outward->produced = NULL;
}

static void inherit(struct bridge *bridge)
{
    uint64_t left;

    if (!bridge->config->send.stream && !bridge->config->receive.stream)
        return; /* the newest counts */
    if (!heritage_claim(&bridge->heritage, bridge->purpose))
        return;
    publish_rest(bridge);
    if (!goes_on(bridge))
        return;
    left = heritage_count_left(&bridge->heritage);
    inward_inherit(&bridge->inward, bridge->heritage.state.given, left, ahead_longest(bridge->heritage.ring_bytes));
    if (bridge->outward.sent > 0 || left > 0)
        message("a bridge before this one has left %" PRIu64 " datagrams, which are published, and %" PRIu64
                " messages, which go to the other end again",
                bridge->outward.sent, left);
}

/* --- sessions --- */

static bool fail_channel(struct bridge *bridge)
{
    message("%s", crossvm_strerror());
    bridge->status = STATUS_ERROR;
    return false;
}

/* The channel is open, and the other end may begin a session once this end has looked at it. The ring is empty then:
 * what was put into the last one counts only as far as it was taken. */
static void begin_mark(struct bridge *bridge)
{
    mark_begin(bridge->heritage.mark, bridge->purpose, bridge->outward.known ? bridge->outward.stored : MARK_UNKNOWN,
               inward_taken(&bridge->inward));
}

static void begin_session(struct bridge *bridge)
{
    struct ahead ahead;

    bridge->in_session = true;
    bridge->end_of_sending = bridge->end_of_taking = false;
    bridge->deadline = CROSSVM_FOREVER;
    (void)ahead_begin(&ahead, bridge->heritage.rings[1 - bridge->heritage.number], bridge->heritage.ring_bytes,
                      (struct ahead_place){0});
    outward_begin(&bridge->outward, ahead, heritage_produced(&bridge->heritage),
                  bridge->outward.known ? bridge->outward.stored : MARK_UNKNOWN);
}

/* The session is over, and all that the other end sent is published. */
static void end_session(struct bridge *bridge)
{
    (void)inward_move(&bridge->inward, false);
    inward_put_back(&bridge->inward);
    bridge->outward.produced = NULL;
    bridge->in_session = false;
    crossvm_channel_open(bridge->channel);
    begin_mark(bridge);
}

/* Takes steps towards a session. False while there is none. */
static bool join(struct bridge *bridge)
{
    int error;

    if (bridge->in_session)
        return true;
    error = crossvm_channel_connect(bridge->channel, CROSSVM_NOW);
    if (error == -EAGAIN)
        return false;
    if (error == -EPROTO) {
        server_complain(crossvm_strerror());
        crossvm_channel_open(bridge->channel);
        begin_mark(bridge);
        return false;
    }
    if (error && error != -EPIPE)
        return fail_channel(bridge);
    begin_session(bridge);
    return true;
}

/* The connection is gone. What is on its way has some time, as at any end. */
static void leave(struct bridge *bridge)
{
    message("%s", crossvm_strerror());
    bridge->gone = true;
    begin_end(bridge);
    if (bridge->in_session)
        heritage_ask_to_leave(&bridge->heritage);
}

/* Whether the other end takes nothing more: it has left, or said so. */
static bool takes_nothing(const crossvm_channel_t *channel)
{
    return crossvm_channel_state(channel) != CROSSVM_CHANNEL_CONNECTED ||
           __atomic_load_n(channel->send.peer_stop, __ATOMIC_ACQUIRE) == channel->peer_generation;
}

/* What the channel itself says of the other end's sending, once nothing is on its way. */
static void look_for_end(struct bridge *bridge)
{
    const void *data;
    ptrdiff_t result;

    if (bridge->outward.count == 0 && !bridge->end_of_sending) {
        result = crossvm_channel_peek(bridge->channel, &data, CROSSVM_NOW);
        bridge->end_of_sending = result < 0 && result != -EAGAIN;
        if (result == -EPROTO)
            server_complain(crossvm_strerror());
    }
    bridge->end_of_taking = bridge->end_of_taking || takes_nothing(bridge->channel);
    if (!bridge->end_of_sending || !bridge->end_of_taking || bridge->gone)
        return;
    if (is_gone(bridge))
        leave(bridge);
    else
        end_session(bridge);
}

static void move(struct bridge *bridge)
{
    const bool more = goes_on(bridge);

    tell_of_server(bridge);
    report_when_due(bridge);
    bridge->outward.channel = bridge->inward.channel = join(bridge) ? bridge->channel : NULL;
    if (outward_move(&bridge->outward, bridge->in_session && (more || bridge->gone)))
        bridge->status = STATUS_ERROR;
    if (inward_move(&bridge->inward, more && bridge->in_session && !bridge->end_of_taking) < 0)
        bridge->end_of_taking = true;
    if (bridge->in_session)
        look_for_end(bridge);
}

/* --- sleeping --- */

/* Asks the other end for an event when it has taken half of what it has, or all if that is little. */
static void arm_taking(const struct bridge *bridge)
{
    crossvm_channel_t *channel = bridge->channel;
    const uint32_t sent = (uint32_t)(uintptr_t)channel->send.at + channel->send.bias;
    const uint32_t consumed = __atomic_load_n(channel->send.peer_consumed, __ATOMIC_ACQUIRE);
    const uint32_t want = consumed + (sent - consumed) / 2;

    cvm_channel_arm_space(channel, sent - want < channel->withhold ? sent : want);
}

static bool is_taken(const struct bridge *bridge)
{
    const struct inward *inward = &bridge->inward;

    return inward->put > 0 && (int32_t)(__atomic_load_n(bridge->channel->send.peer_consumed, __ATOMIC_ACQUIRE) -
                                        inward->arrivals[inward->first % inward->size].index) >= 0;
}

/* Without a session only the other end's coming counts. In one, what is on its way says when to look for more. */
static unsigned int events_wanted(const struct bridge *bridge)
{
    unsigned int events = 0;

    if (!bridge->in_session)
        return CROSSVM_CHANNEL_IN;
    if (outward_is_open(&bridge->outward) && !bridge->end_of_sending && goes_on(bridge))
        events |= CROSSVM_CHANNEL_IN;
    if (bridge->inward.full && !bridge->end_of_taking)
        events |= CROSSVM_CHANNEL_OUT;
    return events;
}

static void await(struct bridge *bridge)
{
    const unsigned int events = events_wanted(bridge);
    int timeout_ms = -1, ready = crossvm_channel_prepare(bridge->channel, events, &timeout_ms);

    /* The connection is gone; but maybe the other end came, and sent, just before. */
    if (ready < 0 && !bridge->gone && !bridge->in_session && !join(bridge) && is_gone(bridge))
        leave(bridge);
    if (ready < 0)
        ready = 0;
    if (ready == 0 && bridge->in_session && bridge->inward.put > 0 && !bridge->inward.full) {
        arm_taking(bridge);
        ready = is_taken(bridge);
    }
    timeout_ms = sooner(timeout_ms, outward_timeout_ms(&bridge->outward));
    timeout_ms = sooner(timeout_ms, inward_timeout_ms(&bridge->inward));
    if (bridge->ending || bridge->config->report_seconds > 0 || atomic_load(&bridge->server.closed))
        timeout_ms = sooner(timeout_ms, LOOK_MS);
    if (!crossvm_deadline_is_forever(bridge->deadline)) {
        timeout_ms = sooner(timeout_ms, LOOK_MS);
        if (now_ns() >= bridge->deadline.ns) {
            message("nobody came to the other end of connection \"%s\" in time", crossvm_name(bridge->end));
            bridge->status = STATUS_TIMEOUT;
        }
    }
    if (ready == 0)
        server_send(&bridge->server);
    sleep_on(bridge, crossvm_channel_fd(bridge->channel), ready ? 0 : timeout_ms);
}

/* --- the end --- */

/* The connection is gone, and the other end has left: what it did not take, it will not. */
static void settle(struct bridge *bridge)
{
    if (!bridge->gone || !bridge->in_session || !heritage_is_settled(&bridge->heritage, false))
        return;
    (void)inward_move(&bridge->inward, false);
    bridge->in_session = false;
    inward_put_back(&bridge->inward);
}

static bool has_sent_all(const struct bridge *bridge)
{
    return bridge->outward.count == 0 && !bridge->outward.has_kept;
}

static void end_when_finished(struct bridge *bridge)
{
    const int status = bridge->gone ? STATUS_ERROR : STATUS_OK;

    settle(bridge);
    if (!bridge->ending || bridge->status >= 0)
        return;
    /* A program learns late that the connection is gone: what it sends until then is read from the memory. */
    if (has_sent_all(bridge) && inward_is_done(&bridge->inward) && (!bridge->gone || !bridge->in_session)) {
        bridge->finished = true;
        bridge->status = status;
    } else if (now_ns() >= bridge->end_ns) {
        if (!has_sent_all(bridge) || !inward_is_done(&bridge->inward))
            message("ends with %zu datagrams that were not acknowledged, and %zu messages of which the stream does not "
                    "know that they were taken",
                    bridge->outward.count, inward_count_unknown(&bridge->inward));
        bridge->status = status ? status : STATUS_TIMEOUT;
    }
}

static void run(struct bridge *bridge)
{
    inherit(bridge);
    if (goes_on(bridge) && crossvm_channel_create(&bridge->channel, bridge->end, &bridge->options))
        (void)fail_channel(bridge);
    if (bridge->channel)
        begin_mark(bridge);
    while (bridge->channel && bridge->status < 0) {
        move(bridge);
        end_when_finished(bridge);
        if (bridge->status < 0)
            await(bridge);
    }
    if (bridge->status < 0)
        bridge->status = STATUS_OK; /* told to end before it began */
}

int bridge_run(struct bridge *bridge)
{
    if (server_open(&bridge->server, bridge->config, bridge->wake) ||
        outward_open(&bridge->outward, bridge->config, &bridge->server) ||
        inward_open(&bridge->inward, bridge->config, &bridge->server) || connect_again(bridge))
        return STATUS_ERROR;
    heritage_find(&bridge->heritage, bridge->end, bridge->options.dataport);
    bridge->outward.mark = bridge->inward.mark = bridge->heritage.mark;
    run(bridge);
    report(bridge);
    return bridge->status;
}

struct bridge *bridge_create(const struct bridge_config *config, crossvm_end_t *end,
                             const crossvm_channel_options_t *options, int stop, crossvm_deadline_t deadline)
{
    const char *const texts[] = {config->send.subject, config->send.stream, config->receive.subject,
                                 config->receive.stream, config->consumer};
    struct bridge *bridge = calloc(1, sizeof(*bridge));

    if (!bridge) {
        message("no memory for a bridge");
        return NULL;
    }
    bridge->config = config;
    bridge->end = end;
    bridge->options = *options;
    bridge->stop = stop;
    bridge->deadline = deadline;
    bridge->purpose = mark_purpose(texts, sizeof(texts) / sizeof(texts[0]));
    bridge->status = -1;
    bridge->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bridge->wake >= 0)
        return bridge;
    message("cannot make an eventfd: %s", error_reason(errno));
    free(bridge);
    return NULL;
}

void bridge_destroy(struct bridge *bridge)
{
    if (!bridge)
        return;
    crossvm_channel_destroy(bridge->channel);
    inward_close(&bridge->inward);
    outward_close(&bridge->outward);
    server_close(&bridge->server, bridge->finished);
    inward_free(&bridge->inward);
    outward_free(&bridge->outward);
    close(bridge->wake);
    free(bridge);
}
