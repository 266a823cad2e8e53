/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/message.h"
#include "reach.h"

#define FIRST_DELAY_MS 50
#define LONGEST_DELAY_MS 5000
#define CONNECT_MS 2000
#define REQUEST_MS 5000
#define SEND_MS 1
#define PING_MS 10000 /* twice without an answer: the connection is dead */
#define PENDING_BYTES (8 << 20)
#define MOST_MISUNDERSTANDINGS 3
#define QUIET_NS ((int64_t)1000000000) /* between two complaints of a kind */

/* --- complaints --- */

/* A server can have a complaint about each datagram. Threads of the library complain, too. */
static void say_seldom(_Atomic int64_t *again_ns, const char *before, const char *sentence)
{
    const int64_t now = now_ns();
    int64_t again = atomic_load(again_ns);

    if (now >= again && atomic_compare_exchange_strong(again_ns, &again, now + QUIET_NS))
        message("%s%s", before, sentence);
}

static _Atomic int64_t complain_again_ns;

void server_complain(const char *sentence)
{
    say_seldom(&complain_again_ns, "", sentence);
}

/* --- what the library tells, in threads of its own --- */

static void wake(struct server *server)
{
    const uint64_t one = 1;

    (void)!write(server->wake, &one, sizeof(one));
}

static void on_connected(natsConnection *connection, void *closure)
{
    struct server *server = closure;

    (void)connection;
    atomic_store(&server->connected, true);
    atomic_fetch_add(&server->connects, 1);
    wake(server);
}

static void on_disconnected(natsConnection *connection, void *closure)
{
    struct server *server = closure;

    (void)connection;
    atomic_store(&server->connected, false);
    wake(server);
}

static void on_closed(natsConnection *connection, void *closure)
{
    struct server *server = closure;

    (void)connection;
    atomic_store(&server->connected, false);
    atomic_store(&server->closed, true);
    wake(server);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    static _Atomic int64_t again_ns;
    const char *text = NULL;

    (void)subscription;
    (void)closure;
    if (status == NATS_SLOW_CONSUMER)
        return;                                           /* counted by the inbox */
    (void)natsConnection_GetLastError(connection, &text); /* its value is the error's, too */
    say_seldom(&again_ns, "the NATS server says: ", text && *text ? text : natsStatus_GetText(status));
}

/* Doubles up to a limit, with up to a half more at random, so that the clients of a server do not come all at once. */
static int64_t delay_ms(natsConnection *connection, int attempts, void *closure)
{
    int64_t delay = FIRST_DELAY_MS;

    (void)connection;
    (void)closure;
    for (int i = 0; i < attempts && delay < LONGEST_DELAY_MS; i++)
        delay *= 2;
    if (delay > LONGEST_DELAY_MS)
        delay = LONGEST_DELAY_MS;
    return delay + (now_ns() / 1000) % (delay / 2);
}

/* --- credentials --- */

static natsStatus give_token(char **token, char **error, void *closure)
{
    const struct bridge_config *config = closure;

    (void)error;
    *token = strdup(config->token);
    return *token ? NATS_OK : NATS_NO_MEMORY;
}

static natsStatus sign(char **error, unsigned char **signature, int *length, const char *nonce, void *closure)
{
    const struct bridge_config *config = closure;

    (void)error;
    return nats_Sign(config->seed, nonce, signature, length);
}

static natsStatus set_identity(natsOptions *options, const struct bridge_config *config)
{
    natsStatus status = NATS_OK;

    if (config->tls)
        status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK && config->authorities)
        status = natsOptions_SetCATrustedCertificates(options, config->authorities);
    if (status == NATS_OK && config->certificate)
        status = natsOptions_SetCertificatesChain(options, config->certificate, config->key);
    if (status == NATS_OK && config->user)
        status = natsOptions_SetUserInfo(options, config->user, config->password ? config->password : "");
    if (status == NATS_OK && config->token)
        status = natsOptions_SetUserCredentialsCallbacks(options, give_token, (void *)config, sign, (void *)config);
    return status;
}

/* --- life --- */

/* What the library says, without where in its sources that is: a place in brackets. */
static const char *last_error(natsStatus status)
{
    const char *text = nats_GetLastError(NULL), *behind = text ? strstr(text, "): ") : NULL;

    if (!text || !*text)
        return natsStatus_GetText(status);
    return *text == '(' && behind ? behind + 3 : text;
}

const char *server_reason(natsStatus status)
{
    static char reason[256];

    if (status == NATS_NOT_FOUND)
        return "it does not exist: make it, or give --create";
    if (status == NATS_NO_RESPONDERS)
        return "the server has no JetStream: start it with -js, or give no stream";
    if (status != NATS_NO_MEMORY && status != NATS_SYS_ERROR)
        return last_error(status);
    (void)snprintf(reason, sizeof(reason), "%s; free some memory, or raise the limits with `ulimit -n` and `ulimit -u`",
                   last_error(status));
    return reason;
}

static natsStatus set_options(struct server *server)
{
    const struct bridge_config *config = server->config;
    natsOptions *options = server->options;
    natsStatus status = natsOptions_SetServers(options, (const char **)config->servers, (int)config->num_servers);

    if (status == NATS_OK)
        status = natsOptions_SetName(options, config->client);
    if (status == NATS_OK)
        status = set_identity(options, config);
    if (status == NATS_OK)
        status = natsOptions_SetTimeout(options, CONNECT_MS);
    if (status == NATS_OK)
        status = natsOptions_SetPingInterval(options, PING_MS);
    if (status == NATS_OK)
        status = natsOptions_SetMaxReconnect(options, -1);
    if (status == NATS_OK)
        status = natsOptions_SetCustomReconnectDelay(options, delay_ms, NULL);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectBufSize(options, PENDING_BYTES);
    if (status == NATS_OK)
        status = natsOptions_SetDisconnectedCB(options, on_disconnected, server);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectedCB(options, on_connected, server);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, on_closed, server);
    if (status == NATS_OK)
        status = natsOptions_SetErrorHandler(options, on_error, server);
    return status;
}

int server_open(struct server *server, const struct bridge_config *config, int wake)
{
    natsStatus status = natsOptions_Create(&server->options);

    server->config = config;
    server->wake = wake;
    if (status == NATS_OK)
        status = set_options(server);
    if (status == NATS_OK)
        return 0;
    message("cannot prepare a connection to the NATS server %s: %s", config->servers[0], server_reason(status));
    return -1;
}

/* Whether another attempt is of no use. A handshake also fails while a server goes down, so one that makes no sense is
 * tried again: a few times, and for ever if it has worked. */
static bool is_final(const struct server *server, natsStatus status)
{
    switch (status) {
    case NATS_OK:
    case NATS_IO_ERROR:
    case NATS_TIMEOUT:
    case NATS_NO_SERVER:
    case NATS_CONNECTION_CLOSED:
    case NATS_CONNECTION_DISCONNECTED:
    case NATS_STALE_CONNECTION:
        return false;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
        return true;
    default:
        return atomic_load(&server->connects) == 0 && server->misunderstandings >= MOST_MISUNDERSTANDINGS;
    }
}

static void drop_connection(struct server *server)
{
    jsCtx_Destroy(server->streams);
    natsConnection_Destroy(server->connection);
    server->streams = NULL;
    server->connection = NULL;
}

static natsStatus last_status(struct server *server)
{
    const char *text = NULL;

    return server->connection ? natsConnection_GetLastError(server->connection, &text) : NATS_OK;
}

static int refuse(const struct server *server, natsStatus status)
{
    if (status == NATS_NO_MEMORY || status == NATS_SYS_ERROR)
        message("the NATS library cannot connect to %s: %s", server->config->servers[0], server_reason(status));
    else
        message("the NATS server %s does not take this client: %s", server->config->servers[0], server_reason(status));
    return -1;
}

static void complain_of_absence(const struct server *server, natsStatus status)
{
    const struct bridge_config *config = server->config;
    const char *reason = NULL;
    char sentence[400];

    if (now_ns() < atomic_load(&complain_again_ns))
        return;
    if (status == NATS_NO_SERVER)
        reason = reach_reason(config->servers[0], config->ports[0]);
    (void)snprintf(sentence, sizeof(sentence), "no NATS server answers yet (%s: %s): trying again until one does",
                   config->servers[0], reason ?: server_reason(status));
    server_complain(sentence);
}

/* The library does not go on by itself until it was connected once. */
int server_connect(struct server *server)
{
    natsStatus status = last_status(server);
    jsOptions streams;

    drop_connection(server);
    if (is_final(server, status))
        return refuse(server, status);
    atomic_store(&server->closed, false);
    status = natsConnection_Connect(&server->connection, server->options);
    server->misunderstandings = status == NATS_OK || status == NATS_NO_SERVER ? 0 : server->misunderstandings + 1;
    if (is_final(server, status))
        return refuse(server, status);
    (void)jsOptions_Init(&streams);
    streams.Wait = REQUEST_MS;
    if (status == NATS_OK)
        status = natsConnection_JetStream(&server->streams, server->connection, &streams);
    if (status == NATS_OK) {
        server->attempts = 0;
        on_connected(server->connection, server);
        return 0;
    }
    complain_of_absence(server, status);
    drop_connection(server);
    server->again_ns = now_ns() + delay_ms(NULL, server->attempts++, NULL) * 1000000;
    atomic_store(&server->closed, true);
    return 0;
}

bool server_is_due(const struct server *server)
{
    return atomic_load(&server->closed) && now_ns() >= server->again_ns;
}

natsStatus server_find_stream(struct server *server, const struct bridge_path *path, jsStreamInfo **info)
{
    jsStreamConfig wanted;
    natsStatus status = js_GetStreamInfo(info, server->streams, path->stream, NULL, NULL);

    if (status != NATS_NOT_FOUND || !server->config->creates)
        return status;
    (void)jsStreamConfig_Init(&wanted);
    wanted.Name = path->stream;
    wanted.Subjects = (const char **)&path->subject;
    wanted.SubjectsLen = 1;
    wanted.Storage = js_FileStorage;
    wanted.Discard = js_DiscardNew; /* a full stream holds the other end up; it loses nothing */
    wanted.Replicas = server->config->replicas;
    return js_AddStream(info, server->streams, &wanted, NULL, NULL);
}

void server_send(struct server *server)
{
    if (!server->unsent)
        return;
    server->unsent = false;
    /* It sends first, and then waits for an answer, which does not matter. */
    if (atomic_load(&server->connected))
        (void)natsConnection_FlushTimeout(server->connection, SEND_MS);
}

void server_close(struct server *server, bool waits)
{
    if (server->connection) {
        if (waits && atomic_load(&server->connected))
            (void)natsConnection_FlushTimeout(server->connection, REQUEST_MS);
        natsConnection_Close(server->connection);
    }
    drop_connection(server);
    natsOptions_Destroy(server->options);
    nats_CloseAndWait(REQUEST_MS);
}
