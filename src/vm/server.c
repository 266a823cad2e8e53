/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../host/wire.h"
#include "message.h"

#define MAX_CLIENTS 16 /* an end; more are turned away, so that nobody can use up our descriptors */

struct endpoint;

/* Something that epoll watches. */
struct source {
    enum { SOURCE_STOP, SOURCE_LISTENER, SOURCE_NOTIFY, SOURCE_CLIENT } kind;
    int fd;
    struct endpoint *endpoint;
};

/* A program at an end. */
struct client {
    struct source source; /* first, so that a client's source is the client */
    struct client *next;
};

/* An end and who is there. */
struct endpoint {
    struct server *server;
    struct host_end *end;
    struct source listener;
    struct source notify;
    struct sockaddr_un address;
    int lock; /* of DIR/NAME.lock, held while the socket is ours */
    bool bound;
    struct client *clients;
    size_t num_clients;
    struct client *owner;
    uint32_t generation;
    uint32_t driver_state;
};

struct server {
    const char *vm_name;
    struct endpoint *endpoints;
    size_t num_endpoints;
    int epoll;
    int spare; /* a descriptor to give up when there are no others */
    struct source stop;
    pthread_t thread;
    bool has_thread;
};

static int watch(struct server *server, struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, source->fd, &event);
}

/* --- replies --- */

static void describe(const struct endpoint *endpoint, uint16_t type, uint32_t status, struct crossvm_wire_reply *reply)
{
    const struct host_end *end = endpoint->end;
    crossvm_info_t info;
    kvm_vm_stats_t stats = {0};

    crossvm_get_info(end->connection, &info);
    (void)kvm_vm_get_stats(end->vm, &stats);
    *reply = (struct crossvm_wire_reply){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = type},
        .status = status,
        .driver_state = info.driver_state,
        .generation = endpoint->generation,
        .owned = endpoint->owner != NULL,
        .num_dataports = (uint32_t)end->option->num_dataports,
        .msi = info.msi_enabled,
        .peer_counts = info.peer_counts,
        .irq = info.irq,
        .vm_exits = stats.exits,
        .vm_user_exits = stats.user_exits,
    };
    memcpy(reply->name, info.name, sizeof(reply->name));
    (void)snprintf(reply->vm, sizeof(reply->vm), "%s", endpoint->server->vm_name);
    for (size_t i = 0; i < end->option->num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = end->dataports[i].size,
            .host_rights = end->dataports[i].host_rights,
            .guest_rights = end->dataports[i].guest_rights,
        };
    }
}

/* A descriptor of shared memory with the rights that the host has, for the caller to close; -1 on failure. */
static int open_memory(const struct host_memory *memory)
{
    char path[32];

    if (memory->host_rights & CROSSVM_RIGHT_WRITE)
        return fcntl(memory->memfd, F_DUPFD_CLOEXEC, 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory->memfd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int send_reply(int socket, const struct crossvm_wire_reply *reply, const int *fds, size_t num_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(CROSSVM_WIRE_MAX_FDS * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)reply, .iov_len = sizeof(*reply)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (num_fds) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, num_fds * sizeof(int));
    }
    return sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*reply) ? 0 : -1;
}

static int send_end(struct endpoint *endpoint, int socket, const struct crossvm_wire_reply *reply)
{
    struct host_end *end = endpoint->end;
    size_t num_dataports = end->option->num_dataports;
    int fds[CROSSVM_WIRE_MAX_FDS];
    size_t opened = CROSSVM_WIRE_FIXED_FDS;
    int error = -1;

    fds[0] = end->emit;
    fds[1] = end->notify;
    fds[2] = end->peer_page.memfd;
    for (; opened < CROSSVM_WIRE_FIXED_FDS + num_dataports; opened++) {
        fds[opened] = open_memory(&end->dataports[opened - CROSSVM_WIRE_FIXED_FDS]);
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
    struct endpoint *endpoint = client->source.endpoint;
    struct client **link = &endpoint->clients;

    while (*link != client)
        link = &(*link)->next;
    *link = client->next;
    endpoint->num_clients--;
    close(client->source.fd);
    if (endpoint->owner == client) {
        endpoint->owner = NULL;
        crossvm_set_peer_state(endpoint->end->connection, CROSSVM_PEER_ABSENT);
    }
    free(client);
}

/* The owner may have gone without our having come to its socket yet. */
static bool has_hung_up(const struct client *client)
{
    char byte;

    return recv(client->source.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int attach(struct client *client)
{
    struct endpoint *endpoint = client->source.endpoint;
    struct crossvm_wire_reply reply;

    if (endpoint->owner && endpoint->owner != client && has_hung_up(endpoint->owner))
        drop(endpoint->owner);
    if (endpoint->owner) {
        describe(endpoint, CROSSVM_WIRE_ATTACH, EBUSY, &reply);
        return send_reply(client->source.fd, &reply, NULL, 0);
    }
    endpoint->owner = client;
    endpoint->generation++;
    describe(endpoint, CROSSVM_WIRE_ATTACH, 0, &reply);
    if (send_end(endpoint, client->source.fd, &reply)) {
        endpoint->owner = NULL;
        return -1;
    }
    crossvm_set_peer_state(endpoint->end->connection, CROSSVM_PEER_PRESENT);
    return 0;
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
        describe(client->source.endpoint, CROSSVM_WIRE_INFO, 0, &reply);
        return send_reply(client->source.fd, &reply, NULL, 0);
    default:
        return -1;
    }
}

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve(struct client *client)
{
    struct crossvm_wire_header request;
    ssize_t length = recv(client->source.fd, &request, sizeof(request), MSG_DONTWAIT);

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

static void welcome(struct endpoint *endpoint)
{
    int fd = accept4(endpoint->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct client *client;

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
    client->source = (struct source){.kind = SOURCE_CLIENT, .fd = fd, .endpoint = endpoint};
    client->next = endpoint->clients;
    endpoint->clients = client;
    endpoint->num_clients++;
    if (watch(endpoint->server, &client->source))
        drop(client);
}

static void tell_driver(struct host_end *end, uint32_t state)
{
    struct endpoint *endpoint = end->owner;
    struct crossvm_wire_driver packet = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = state,
    };

    if (endpoint->owner)
        (void)send(endpoint->owner->source.fd, &packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- the thread --- */

static void *run(void *argument)
{
    struct server *server = argument;

    for (;;) {
        struct epoll_event event;
        struct source *source;

        /* One at a time: handling it may free the source of the next. */
        if (epoll_wait(server->epoll, &event, 1, -1) != 1)
            continue;
        source = event.data.ptr;
        if (source->kind == SOURCE_STOP)
            return NULL;
        kvm_vmm_lock();
        if (source->kind == SOURCE_LISTENER)
            welcome(source->endpoint);
        else if (source->kind == SOURCE_NOTIFY)
            host_end_relay(source->endpoint->end);
        else
            serve((struct client *)source);
        kvm_vmm_unlock();
    }
}

/* --- sockets --- */

/*
 * Only one process serves a name. A lock tells a socket that a dead process left from one that is in use, which looking
 * at the socket cannot: its owner may be between bind() and listen().
 */
static int lock_name(struct endpoint *endpoint, const char *dir)
{
    const char *name = endpoint->end->option->name;
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
    const char *name = endpoint->end->option->name;
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

struct server *server_create(const char *dir, const char *vm_name, struct host_end *ends, size_t n)
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
    server->endpoints = endpoints;
    server->num_endpoints = n;
    for (size_t i = 0; i < n; i++) {
        endpoints[i].server = server;
        endpoints[i].end = &ends[i];
        endpoints[i].lock = -1;
        endpoints[i].listener = (struct source){.kind = SOURCE_LISTENER, .fd = -1, .endpoint = &endpoints[i]};
        endpoints[i].notify = (struct source){.kind = SOURCE_NOTIFY, .fd = ends[i].notify, .endpoint = &endpoints[i]};
    }
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->stop = (struct source){.kind = SOURCE_STOP, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (server->epoll < 0 || server->stop.fd < 0 || watch(server, &server->stop)) {
        message("cannot watch sockets: %s", strerror(errno));
        goto failed;
    }
    if (n && mkdir(dir, S_IRWXU) && errno != EEXIST) {
        message("cannot make the directory %s for sockets: %s; choose another with --socket-dir", dir, strerror(errno));
        goto failed;
    }
    for (size_t i = 0; i < n; i++) {
        if (bind_endpoint(&endpoints[i], dir))
            goto failed;
    }
    return server;
failed:
    server_destroy(server);
    return NULL;
}

int server_start(struct server *server, crossvm_connection_t *const *connections)
{
    for (size_t i = 0; i < server->num_endpoints; i++) {
        struct endpoint *endpoint = &server->endpoints[i];

        endpoint->end->owner = endpoint;
        endpoint->end->driver_changed = tell_driver;
        if (host_end_attach(endpoint->end, connections[i], server->epoll, &endpoint->notify))
            return -1;
        if (watch(server, &endpoint->listener)) {
            message("cannot watch %s: %s", endpoint->address.sun_path, strerror(errno));
            return -1;
        }
    }
    if (pthread_create(&server->thread, NULL, run, server)) {
        message("cannot start the server's thread: %s", strerror(errno));
        return -1;
    }
    server->has_thread = true;
    return 0;
}

static void stop(struct server *server)
{
    uint64_t one = 1;

    if (!server->has_thread)
        return;
    while (write(server->stop.fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(server->thread, NULL);
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    stop(server);
    kvm_vmm_lock();
    for (size_t i = 0; i < server->num_endpoints; i++) {
        struct endpoint *endpoint = &server->endpoints[i];

        endpoint->end->epoll = -1;
        endpoint->end->driver_changed = NULL;
        while (endpoint->clients)
            drop(endpoint->clients);
        if (endpoint->bound)
            unlink(endpoint->address.sun_path);
        if (endpoint->listener.fd >= 0)
            close(endpoint->listener.fd);
        if (endpoint->lock >= 0)
            close(endpoint->lock);
    }
    kvm_vmm_unlock();
    if (server->epoll >= 0)
        close(server->epoll);
    if (server->stop.fd >= 0)
        close(server->stop.fd);
    if (server->spare >= 0)
        close(server->spare);
    free(server->endpoints);
    free(server);
}
