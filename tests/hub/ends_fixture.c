/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/hub/door.h"

#include "ends_fixture.h"

static const struct hub_connection_config mixed = {
    .name = "link",
    .ends = {[VM] = {.door = CROSSVM_DOOR_CROSSVM_VM, .vm = "alpha"}, [PROGRAM] = {.door = CROSSVM_DOOR_HOST}},
    .dataports = {{.size = 0x1000, .writer = VM},
                  {.size = 0x2000, .writer = PROGRAM},
                  {.size = 0x3000, .writer = WRITER_BOTH}},
    .num_dataports = 3,
};

/* VMMs that others have made */
static const struct hub_connection_config stock = {
    .name = "link",
    .ends = {{.door = CROSSVM_DOOR_VFIO_USER}, {.door = CROSSVM_DOOR_IVSHMEM}},
    .dataports = {{.size = 0x3000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = WRITER_BOTH}},
    .num_dataports = 2,
};

struct ends_fixture hub;

static const char *path_of(int end)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%d", hub.folder, end);
    return path;
}

static struct hub_door *open_door(enum crossvm_door door, int end)
{
    struct hub_end *opened = hub_connection_end(hub.connection, (unsigned int)end);

    switch (door) {
    case CROSSVM_DOOR_HOST:
        return hub_door_host_open(hub.loop, opened, path_of(end), "link.1");
    case CROSSVM_DOOR_CROSSVM_VM:
        return hub_door_vm_open(hub.loop, opened, path_of(end));
    case CROSSVM_DOOR_VFIO_USER:
        return hub_door_vfio_user_open(hub.loop, opened, path_of(end), false);
    default:
        return hub_door_ivshmem_open(hub.loop, opened, path_of(end));
    }
}

static void serve_connection(const struct hub_connection_config *config)
{
    strcpy(hub.folder, "/tmp/crossvm-ends-XXXXXX");
    assert_non_null(mkdtemp(hub.folder));
    hub.stop = eventfd(1, EFD_CLOEXEC);
    hub.loop = hub_loop_create();
    hub.connection = hub_connection_create(hub.loop, config);
    assert_non_null(hub.connection);
    for (int end = 0; end < 2; end++) {
        hub.doors[end] = open_door(config->ends[end].door, end);
        assert_non_null(hub.doors[end]);
    }
}

int ends_set_up(void **state)
{
    (void)state;
    serve_connection(&mixed);
    return 0;
}

int ends_set_up_stock(void **state)
{
    (void)state;
    serve_connection(&stock);
    return 0;
}

int ends_tear_down(void **state)
{
    (void)state;
    hub_door_close(hub.doors[0]);
    hub_door_close(hub.doors[1]);
    hub_connection_destroy(hub.connection);
    hub_loop_destroy(hub.loop);
    close(hub.stop);
    assert_int_equal(rmdir(hub.folder), 0);
    return 0;
}

void serve(void)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(hub_loop_run(hub.loop, hub.stop), 0);
}

int come_by(int type, int end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of(end));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int come(int end)
{
    return come_by(SOCK_SEQPACKET, end);
}

void ask(int fd, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

int receive(int fd, void *message, size_t size)
{
    ssize_t length = recv(fd, message, size, MSG_DONTWAIT);

    if (length < 0 && errno == EAGAIN)
        return 0;
    return length > 0 ? ((struct crossvm_wire_header *)message)->type : -1;
}

int attach(struct crossvm_wire_reply *reply)
{
    int fd = come(PROGRAM);

    serve();
    ask(fd, CROSSVM_WIRE_ATTACH);
    serve();
    assert_int_equal(receive(fd, reply, sizeof(*reply)), CROSSVM_WIRE_ATTACH);
    return fd;
}

int join(struct crossvm_wire_join *message)
{
    int fd = come(VM);

    serve();
    assert_int_equal(receive(fd, message, sizeof(*message)), CROSSVM_WIRE_JOIN);
    return fd;
}

void report(int vm, uint32_t driver_state, uint32_t generation)
{
    struct crossvm_wire_report message = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_REPORT},
        .driver_state = driver_state,
        .generation = generation,
        .vm_exits = 7,
    };

    assert_int_equal(send(vm, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
}

int take_news(int fd, struct crossvm_wire_driver *last)
{
    struct crossvm_wire_driver news;
    int n = 0;

    while (receive(fd, &news, sizeof(news)) == CROSSVM_WIRE_DRIVER) {
        *last = news;
        n++;
    }
    return n;
}

bool is_closed(int fd)
{
    char bytes[256];
    ssize_t length;

    do
        length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    while (length > 0);
    return length == 0;
}
