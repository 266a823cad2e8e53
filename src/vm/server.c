/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"
#include "../wire/hang_up.h"
#include "report.h"

#define MAX_CLIENTS 16 /* an end; more are turned away, so that nobody can use up our descriptors */

struct endpoint;

/* A program at an end. */
struct client {
    struct source source; /* first, so that a client's source is the client */
    struct client *next;
    struct endpoint *endpoint;
    struct report report;
};

/* An end and who is there. */
struct endpoint {
    struct source listener; /* first, so that a listener's source is its endpoint */
    struct server *server;
    struct wiring *wiring;
    struct sockaddr_un address;
    int lock; /* of DIR/NAME.lock, held while the socket is ours */
    bool bound;
    struct client *clients;
    size_t num_clients;
    struct client *owner;
    uint32_t generation;
};

struct server {
    const char *vm_name;
    struct loop *loop;
    struct endpoint *endpoints;
    size_t num_endpoints;
    int spare; /* a descriptor to give up when there are no others */
};

/* --- replies --- */

static void describe(const struct endpoint *endpoint, uint16_t type, uint32_t status, struct crossvm_wire_reply *reply)
{
    const struct wiring *wiring = endpoint->wiring;
    crossvm_connection_info_t info;
    kvm_vm_stats_t stats = {0};

    crossvm_get_connection_info(wiring->connection, &info);
    (void)kvm_vm_get_stats(wiring->vm, &stats);
    *reply = (struct crossvm_wire_reply){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = type},
        .status = status,
        .driver_state = wiring->driver_state,
        .driver_generation = wiring->driver_generation,
        .generation = endpoint->generation,
        .owned = endpoint->owner != NULL,
        .num_dataports = (uint32_t)wiring->num_dataports,
        .msi = info.msi_enabled,
        .peer_counts = info.peer_counts,
        .irq = info.irq,
        .vm_exits = stats.exits,
        .vm_user_exits = stats.user_exits,
    };
    memcpy(reply->name, info.name, sizeof(reply->name));
    (void)snprintf(reply->vm, sizeof(reply->vm), "%s", endpoint->server->vm_name);
    for (size_t i = 0; i < wiring->num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = wiring->dataports[i].size,
            .host_rights = wiring->dataports[i].peer_rights,
            .guest_rights = wiring->dataports[i].guest_rights,
        };
    }
}

static int send_reply(int socket, const struct crossvm_wire_reply *reply, const int *fds, size_t num_fds)
{
    return descriptors_send(socket, reply, sizeof(*reply), fds, num_fds);
}

static int send_end(const struct endpoint *endpoint, int socket, const struct crossvm_wire_reply *reply)
{
    const struct wiring *wiring = endpoint->wiring;
    int fds[CROSSVM_WIRE_MAX_FDS];
    size_t opened = CROSSVM_WIRE_FIXED_FDS;
    int error = -1;

    fds[0] = wiring->peer_doorbell;
    fds[1] = wiring->guest_doorbell;
    fds[2] = wiring->peer_page.memfd;
    for (; opened < CROSSVM_WIRE_FIXED_FDS + wiring->num_dataports; opened++) {
        fds[opened] = shared_memory_open_for_peer(&wiring->dataports[opened - CROSSVM_WIRE_FIXED_FDS]);
        if (fds[opened] < 0)
            goto cleanup;
    }
    error = send_reply(socket, reply, fds, opened);
cleanup:
    for (size_t i = CROSSVM_WIRE_FIXED_FDS; i < opened; i++)
        close(fds[i]);
    return error;
}

/* --- clients --- */

static void drop(struct client *client)
{
    struct endpoint *endpoint = client->endpoint;
    struct client **link = &endpoint->clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    endpoint->num_clients--;
    close(client->source.fd);
    if (endpoint->owner == client) {
        endpoint->owner = NULL;
        crossvm_set_peer_state(endpoint->wiring->connection, CROSSVM_PEER_ABSENT);
    }
    free(client);
}

static int attach(struct client *client)
{
    struct endpoint *endpoint = client->endpoint;
    struct crossvm_wire_reply reply;

    /* The owner may have gone without our having come to its socket yet. */
    if (endpoint->owner && endpoint->owner != client && has_hung_up(endpoint->owner->source.fd))
        drop(endpoint->owner);
    if (endpoint->owner) {
        describe(endpoint, CROSSVM_WIRE_ATTACH, EBUSY, &reply);
        return send_reply(client->source.fd, &reply, NULL, 0);
    }
    endpoint->owner = client;
    endpoint->generation++;
    /* Before the reply: the guest knows that a program is there before that can ring. */
    crossvm_set_peer_state(endpoint->wiring->connection, CROSSVM_PEER_READY);
    describe(endpoint, CROSSVM_WIRE_ATTACH, 0, &reply);
    return send_end(endpoint, client->source.fd, &reply); /* a failure drops the client */
}

static int answer(struct client *client, const struct crossvm_wire_header *request, size_t length)
{
    struct crossvm_wire_reply reply;

    if (length < sizeof(*request) || request->magic != CROSSVM_WIRE_MAGIC || request->version != CROSSVM_WIRE_VERSION)
        return -1;
    switch (request->type) {
    case CROSSVM_WIRE_ATTACH:
        return attach(client);
    case CROSSVM_WIRE_INFO:
        describe(client->endpoint, CROSSVM_WIRE_INFO, 0, &reply);
        return send_reply(client->source.fd, &reply, NULL, 0);
    default:
        return -1;
    }
}

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve(struct source *source, uint32_t events)
{
    struct client *client = (struct client *)source;
    struct crossvm_wire_header request;
    ssize_t length;

    if (events & EPOLLOUT)
        report_writable(&client->report, client->endpoint->wiring);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = recv(client->source.fd, &request, sizeof(request), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0 || answer(client, &request, (size_t)length))
        drop(client);
}

/* Out of descriptors: a program that stays in the queue would keep the thread busy for ever. */
static void turn_away(struct endpoint *endpoint)
{
    struct server *server = endpoint->server;

    close(server->spare);
    close(accept4(endpoint->listener.fd, NULL, NULL, SOCK_CLOEXEC));
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void welcome(struct source *source, uint32_t events)
{
    struct endpoint *endpoint = (struct endpoint *)source;
    int fd = accept4(endpoint->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *client;

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            turn_away(endpoint);
        return;
    }
    client = endpoint->num_clients < MAX_CLIENTS ? calloc(1, sizeof(*client)) : NULL;
    if (!client) {
        close(fd);
        return;
    }
    client->source = (struct source){.fd = fd, .handle = serve};
    client->report.source = &client->source;
    client->endpoint = endpoint;
    client->next = endpoint->clients;
    endpoint->clients = client;
    endpoint->num_clients++;
    if (loop_watch(endpoint->server->loop, &client->source, EPOLLIN))
        drop(client);
}

static void tell_driver(struct wiring *wiring)
{
    struct endpoint *endpoint = wiring->owner;

    if (endpoint->owner)
        report_send(&endpoint->owner->report, wiring);
}

/* --- sockets --- */

/*
 * Only one process serves a name. A lock tells a socket that a dead process left from one that is in use, which looking
 * at the socket cannot: its owner may be between bind() and listen().
 */
static int lock_name(struct endpoint *endpoint, const char *dir)
{
    const char *name = endpoint->wiring->name;
    char path[sizeof(endpoint->address.sun_path)];

    (void)snprintf(path, sizeof(path), "%s/%s.lock", dir, name); /* as long as that of the socket */
    endpoint->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (endpoint->lock < 0) {
        message("connection %s: cannot make %s: %s", name, path, strerror(errno));
        return -1;
    }
    if (flock(endpoint->lock, LOCK_EX | LOCK_NB)) {
        message("connection %s: another process serves %s; choose another name or --socket-dir", name,
                endpoint->address.sun_path);
        return -1;
    }
    return 0;
}

static int bind_endpoint(struct endpoint *endpoint, const char *dir)
{
    const char *name = endpoint->wiring->name;
    struct sockaddr_un *address = &endpoint->address;
    int length;

    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s.sock", dir, name);
    if (length < 0 || (size_t)length >= sizeof(address->sun_path)) {
        message("connection %s: the path %s/%s.sock is too long for a socket; choose a shorter --socket-dir", name, dir,
                name);
        return -1;
    }
    if (lock_name(endpoint, dir))
        return -1;
    (void)unlink(address->sun_path); /* what a dead process left */
    endpoint->listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->listener.fd < 0 || bind(endpoint->listener.fd, (struct sockaddr *)address, sizeof(*address)) ||
        listen(endpoint->listener.fd, MAX_CLIENTS)) {
        message("connection %s: cannot serve %s: %s", name, address->sun_path, strerror(errno));
        return -1;
    }
    endpoint->bound = true;
    (void)chmod(address->sun_path, S_IRUSR | S_IWUSR);
    return 0;
}

/* --- life --- */

static struct endpoint *add_endpoint(struct server *server, struct wiring *wiring)
{
    struct endpoint *endpoint = &server->endpoints[server->num_endpoints++];

    *endpoint = (struct endpoint){
        .listener = {.fd = -1, .handle = welcome},
        .server = server,
        .wiring = wiring,
        .lock = -1,
    };
    wiring->owner = endpoint;
    return endpoint;
}

struct server *server_create(const char *dir, const char *vm_name, struct loop *loop, struct wiring *const *wirings,
                             size_t n)
{
    struct server *server = calloc(1, sizeof(*server));
    struct endpoint *endpoints = calloc(n ? n : 1, sizeof(*endpoints));

    if (!server || !endpoints) {
        message("no memory for the server of %zu connections", n);
        free(server);
        free(endpoints);
        return NULL;
    }
    server->vm_name = vm_name;
    server->loop = loop;
    server->endpoints = endpoints;
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (n && mkdir(dir, S_IRWXU) && errno != EEXIST) {
        message("cannot make the directory %s for sockets: %s; choose another with --socket-dir", dir, strerror(errno));
        goto failed;
    }
    for (size_t i = 0; i < n; i++) {
        if (bind_endpoint(add_endpoint(server, wirings[i]), dir))
            goto failed;
    }
    return server;
failed:
    server_destroy(server);
    return NULL;
}

int server_start(struct server *server)
{
    for (size_t i = 0; i < server->num_endpoints; i++) {
        struct endpoint *endpoint = &server->endpoints[i];

        endpoint->wiring->driver_changed = tell_driver;
        if (loop_watch(server->loop, &endpoint->listener, EPOLLIN)) {
            message("cannot watch %s: %s", endpoint->address.sun_path, strerror(errno));
            return -1;
        }
    }
    return 0;
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->num_endpoints; i++) {
        struct endpoint *endpoint = &server->endpoints[i];

        endpoint->wiring->driver_changed = NULL;
        while (endpoint->clients)
            drop(endpoint->clients);
        if (endpoint->bound)
            unlink(endpoint->address.sun_path);
        if (endpoint->listener.fd >= 0)
            close(endpoint->listener.fd);
        if (endpoint->lock >= 0)
            close(endpoint->lock);
    }
    if (server->spare >= 0)
        close(server->spare);
    free(server->endpoints);
    free(server);
}
