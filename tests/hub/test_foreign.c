/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors whose last close() waits for longer than anybody would: a hub serves on. The test steps the loop of the
 * hub, so a hub that waits is a test that hangs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/hub/connection.h"
#include "../../src/hub/door.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/foreign.h"
#include "../../src/wire/vfio_user.h"

#define LINGER_S 36000

static char folder[] = "/tmp/crossvm-foreign-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* --- what waits --- */

/* A TCP socket that waits at its last close() until the receiver, which takes nothing, is closed. */
struct lingerer {
    int sender, receiver;
};

static void make(struct lingerer *made)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    static const char bytes[65536];

    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    made->sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(made->sender, (struct sockaddr *)&at, sizeof(at)), 0);
    made->receiver = accept(listener, NULL, NULL);
    assert_true(made->receiver >= 0);
    close(listener);
    assert_int_equal(setsockopt(made->sender, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    while (send(made->sender, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
}

/* Sends it: then the receiver's queue has the last reference. */
static void send_and_close(struct lingerer *sent, int socket, const void *bytes, size_t size)
{
    assert_int_equal(cvm_descriptors_send(socket, bytes, size, &sent->sender, 1), 0);
    close(sent->sender);
}

/* --- a hub --- */

struct served {
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_door *door;
    int stop;
};

static void serve(struct served *served)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(hub_loop_run(served->loop, served->stop), 0);
}

static struct hub_door *open_door(struct served *served, enum crossvm_door door)
{
    struct hub_end *end = hub_connection_end(served->connection, 0);

    switch (door) {
    case CROSSVM_DOOR_HOST:
        return hub_door_host_open(served->loop, end, address.sun_path, "x");
    case CROSSVM_DOOR_CROSSVM_VM:
        return hub_door_vm_open(served->loop, end, address.sun_path);
    case CROSSVM_DOOR_VFIO_USER:
        return hub_door_vfio_user_open(served->loop, end, address.sun_path, false);
    default:
        return hub_door_ivshmem_open(served->loop, end, address.sun_path);
    }
}

static void start(struct served *served, enum crossvm_door door)
{
    const struct hub_connection_config config = {.name = "x", .ends = {{.door = door}, {.door = CROSSVM_DOOR_HOST}}};

    served->stop = eventfd(1, EFD_CLOEXEC);
    served->loop = hub_loop_create();
    served->connection = hub_connection_create(served->loop, &config);
    assert_non_null(served->connection);
    served->door = open_door(served, door);
    assert_non_null(served->door);
}

static void end(struct served *served)
{
    hub_door_close(served->door);
    hub_connection_destroy(served->connection);
    hub_loop_destroy(served->loop);
    close(served->stop);
}

static int come(enum crossvm_door door)
{
    bool stream = door == CROSSVM_DOOR_IVSHMEM || door == CROSSVM_DOOR_VFIO_USER;
    int fd = socket(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* --- cases --- */

static const enum crossvm_door doors[] = {CROSSVM_DOOR_HOST, CROSSVM_DOOR_CROSSVM_VM, CROSSVM_DOOR_VFIO_USER,
                                          CROSSVM_DOOR_IVSHMEM};

#define DOORS (sizeof(doors) / sizeof(doors[0]))

/* In a message that the hub receives */
static void comes_with_a_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOORS; i++) {
        struct lingerer lingerer;
        struct served served;
        int client;

        make(&lingerer);
        start(&served, doors[i]);
        client = come(doors[i]);
        send_and_close(&lingerer, client, "abcd", 4);
        serve(&served);
        close(client);
        serve(&served);
        end(&served);
        close(lingerer.receiver);
    }
}

/* Behind messages that end the client's stay, one of them empty: the hub receives it no more. */
static void comes_behind_others(void **state)
{
    static const char no_message[256] = "this is no message of any protocol that a hub speaks";

    (void)state;
    for (size_t i = 0; i < DOORS; i++) {
        struct lingerer lingerer;
        struct served served;
        int client;

        make(&lingerer);
        start(&served, doors[i]);
        client = come(doors[i]);
        assert_int_equal(send(client, no_message, 2, MSG_NOSIGNAL), 2);
        assert_int_equal(send(client, "", 0, MSG_NOSIGNAL), 0);
        assert_int_equal(send(client, no_message, sizeof(no_message), MSG_NOSIGNAL), sizeof(no_message));
        assert_int_equal(send(client, "", 0, MSG_NOSIGNAL), 0);
        send_and_close(&lingerer, client, no_message, sizeof(no_message));
        serve(&served);
        end(&served);
        close(client);
        close(lingerer.receiver);
    }
}

/* A client that is there while another one has the door's only place */
static void comes_to_a_door_that_is_taken(void **state)
{
    (void)state;
    for (size_t i = 1; i < DOORS; i++) {
        struct lingerer lingerer;
        struct served served;
        int first, second;

        make(&lingerer);
        start(&served, doors[i]);
        first = come(doors[i]);
        serve(&served);
        second = come(doors[i]);
        send_and_close(&lingerer, second, "abcd", 4);
        serve(&served);
        close(first);
        close(second);
        serve(&served);
        end(&served);
        close(lingerer.receiver);
    }
}

/* The one message of vfio-user that brings descriptors: SET_IRQS. It is the last of as many as a message carries here.
 */
static void comes_among_others_over_vfio_user(void **state)
{
    static const uint32_t message[] = {8u << 16, 36, 0, 0, 20, 0x24, 1, 0, 1};
    int fds[VFIO_USER_MAX_FDS + 1];
    struct lingerer lingerer;
    struct served served;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(fds))];
    } control = {.header = {CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {.iov_base = (void *)message, .iov_len = sizeof(message)};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room)};
    int client;

    (void)state;
    make(&lingerer);
    for (size_t i = 0; i < VFIO_USER_MAX_FDS; i++)
        fds[i] = eventfd(0, EFD_CLOEXEC);
    fds[VFIO_USER_MAX_FDS] = lingerer.sender;
    memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
    start(&served, CROSSVM_DOOR_VFIO_USER);
    client = come(CROSSVM_DOOR_VFIO_USER);
    assert_int_equal(sendmsg(client, &packet, MSG_NOSIGNAL), sizeof(message));
    for (size_t i = 0; i <= VFIO_USER_MAX_FDS; i++)
        close(fds[i]);
    serve(&served);
    close(client);
    serve(&served);
    end(&served);
    close(lingerer.receiver);
}

static void eventfds_are_told_from_others(void **state)
{
    int kinds[] = {memfd_create("anon_inode:[eventfd]", MFD_CLOEXEC), open("/dev/null", O_RDONLY | O_CLOEXEC),
                   socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int event = eventfd(0, EFD_CLOEXEC);

    (void)state;
    assert_true(foreign_is_eventfd(event));
    assert_false(foreign_is_eventfd(-1));
    for (size_t i = 0; i < 3; i++) {
        assert_false(foreign_is_eventfd(kinds[i]));
        close(kinds[i]);
    }
    close(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_with_a_message),          cmocka_unit_test(comes_behind_others),
        cmocka_unit_test(comes_to_a_door_that_is_taken), cmocka_unit_test(comes_among_others_over_vfio_user),
        cmocka_unit_test(eventfds_are_told_from_others),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.sock", folder);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
