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

#include <errno.h>
#include <fcntl.h>
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
#include "../wire/lingerer.h"

static char folder[] = "/tmp/crossvm-foreign-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

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

static const char no_message[256] = "this is no message of any protocol that a hub speaks";

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

        lingerer_make(&lingerer);
        start(&served, doors[i]);
        client = come(doors[i]);
        lingerer_send(&lingerer, client, "abcd", 4);
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
    (void)state;
    for (size_t i = 0; i < DOORS; i++) {
        struct lingerer lingerer;
        struct served served;
        int client;

        lingerer_make(&lingerer);
        start(&served, doors[i]);
        client = come(doors[i]);
        assert_int_equal(send(client, no_message, 2, MSG_NOSIGNAL), 2);
        assert_int_equal(send(client, "", 0, MSG_NOSIGNAL), 0);
        assert_int_equal(send(client, no_message, sizeof(no_message), MSG_NOSIGNAL), sizeof(no_message));
        assert_int_equal(send(client, "", 0, MSG_NOSIGNAL), 0);
        lingerer_send(&lingerer, client, no_message, sizeof(no_message));
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

        lingerer_make(&lingerer);
        start(&served, doors[i]);
        first = come(doors[i]);
        serve(&served);
        second = come(doors[i]);
        lingerer_send(&lingerer, second, "abcd", 4);
        serve(&served);
        close(first);
        close(second);
        serve(&served);
        end(&served);
        close(lingerer.receiver);
    }
}

/* --- over vfio-user, whose messages bring descriptors --- */

static void send_with(int client, const void *bytes, size_t size, const int *fds, size_t n)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE((VFIO_USER_MAX_FDS + 1) * sizeof(int))];
    } control = {.header = {CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control};

    packet.msg_controllen = CMSG_SPACE(n * sizeof(int));
    memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
    assert_int_equal(sendmsg(client, &packet, MSG_NOSIGNAL), size);
}

/* A client that has told its version, and has the answer */
static int come_and_greet(struct served *served)
{
    static const uint32_t version[] = {1u << 16 | 1, 20, 0, 0, 0};
    int client = come(CROSSVM_DOOR_VFIO_USER);
    char answer[4096];

    assert_int_equal(send(client, version, sizeof(version), MSG_NOSIGNAL), sizeof(version));
    serve(served);
    assert_true(recv(client, answer, sizeof(answer), MSG_DONTWAIT) > 16);
    return client;
}

static bool has_answer(int client)
{
    uint32_t header[4];
    ssize_t length = recv(client, header, sizeof(header), MSG_DONTWAIT);

    assert_true(length == sizeof(header) || (length < 0 && errno == EAGAIN));
    return length > 0;
}

/* SET_IRQS takes eventfds: the first of what comes is something else, or the last of more than can come. */
static void comes_to_set_irqs(void **state)
{
    static const uint32_t message[] = {8u << 16, 36, 0, 0, 20, 0x24, 1, 0, 1};

    (void)state;
    for (size_t place = 0; place <= VFIO_USER_MAX_FDS; place += VFIO_USER_MAX_FDS) {
        int fds[VFIO_USER_MAX_FDS + 1], client;
        struct lingerer lingerer;
        struct served served;
        char rest[256];

        lingerer_make(&lingerer);
        for (size_t i = 0; i <= place; i++)
            fds[i] = i == place ? lingerer.sender : eventfd(0, EFD_CLOEXEC);
        start(&served, CROSSVM_DOOR_VFIO_USER);
        client = come_and_greet(&served);
        send_with(client, message, sizeof(message), fds, place + 1);
        for (size_t i = 0; i <= place; i++)
            close(fds[i]);
        serve(&served);
        assert_int_equal(recv(client, rest, sizeof(rest), MSG_DONTWAIT), 0); /* it was put out */
        close(client);
        serve(&served);
        end(&served);
        close(lingerer.receiver);
    }
}

/*
 * DMA_MAP takes what the guest's memory is of, so anything. A client whose descriptor waits has to wait, too: it cannot
 * make the hub hold more of them. It goes on when that one is closed.
 */
static void comes_to_dma_map(void **state)
{
    static const uint32_t map[] = {2u << 16 | 2, 48, 0, 0, 32, 3, 0, 0, 0, 0, 4096, 0},
                          reset[] = {13u << 16 | 3, 16, 0, 0};
    struct lingerer lingerer;
    struct served served;
    int client;

    (void)state;
    lingerer_make(&lingerer);
    start(&served, CROSSVM_DOOR_VFIO_USER);
    client = come_and_greet(&served);
    send_with(client, map, sizeof(map), &lingerer.sender, 1);
    close(lingerer.sender);
    serve(&served);
    assert_true(has_answer(client));
    assert_int_equal(send(client, reset, sizeof(reset), MSG_NOSIGNAL), sizeof(reset));
    serve(&served);
    assert_false(has_answer(client));
    close(lingerer.receiver);
    while (!has_answer(client))
        serve(&served);
    close(client);
    serve(&served);
    end(&served);
}

/* What another client has sent, which was turned away, holds nobody up who is there. */
static void comes_beside_a_vmm(void **state)
{
    static const uint32_t map[] = {2u << 16 | 2, 48, 0, 0, 32, 3, 0, 0, 0, 0, 4096, 0};
    int memory = memfd_create("memory", MFD_CLOEXEC), client, other;
    struct lingerer lingerer;
    struct served served;

    (void)state;
    lingerer_make(&lingerer);
    start(&served, CROSSVM_DOOR_VFIO_USER);
    client = come_and_greet(&served);
    other = come(CROSSVM_DOOR_VFIO_USER);
    lingerer_send(&lingerer, other, no_message, sizeof(no_message));
    serve(&served);
    for (int i = 0; i < 2; i++) {
        send_with(client, map, sizeof(map), &memory, 1);
        serve(&served);
        assert_true(has_answer(client));
    }
    close(memory);
    close(other);
    close(client);
    serve(&served);
    end(&served);
    close(lingerer.receiver);
}

/* Nobody is let in meanwhile: not even one after the other can make the hub hold more and more. */
static void keeps_the_door_shut(void **state)
{
    (void)state;
    for (size_t i = 0; i < DOORS; i++) {
        struct lingerer lingerer;
        struct served served;
        int first, second;
        char byte;

        lingerer_make(&lingerer);
        start(&served, doors[i]);
        first = come(doors[i]);
        lingerer_send(&lingerer, first, no_message, sizeof(no_message));
        serve(&served);
        second = come(doors[i]);
        assert_int_equal(shutdown(second, SHUT_WR), 0);
        serve(&served);
        /* Whoever is let in hears something, or the end. */
        assert_int_equal(recv(second, &byte, 1, MSG_DONTWAIT), -1);
        close(lingerer.receiver);
        while (recv(second, &byte, 1, MSG_DONTWAIT) < 0)
            serve(&served);
        close(first);
        close(second);
        serve(&served);
        end(&served);
    }
}

/* Neither when they are kept nor while they are looked at. */
static void programs_do_not_inherit_what_comes(void **state)
{
    int ends[2], fds[FOREIGN_MAX_FDS], events[FOREIGN_MAX_FDS];
    char bytes[4];
    size_t n;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < FOREIGN_MAX_FDS; i++)
        events[i] = eventfd(0, EFD_CLOEXEC);
    send_with(ends[0], "abc", sizeof(bytes), events, FOREIGN_MAX_FDS);
    assert_int_equal(foreign_receive(ends[1], bytes, sizeof(bytes), fds, FOREIGN_MAX_FDS, &n), sizeof(bytes));
    assert_int_equal(n, FOREIGN_MAX_FDS);
    for (size_t i = 0; i < FOREIGN_MAX_FDS; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
        close(events[i]);
    }
    close(ends[0]);
    close(ends[1]);
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
        cmocka_unit_test(eventfds_are_told_from_others), /* before those that hang without that */
        cmocka_unit_test(programs_do_not_inherit_what_comes),
        cmocka_unit_test(comes_with_a_message),
        cmocka_unit_test(comes_behind_others),
        cmocka_unit_test(comes_to_a_door_that_is_taken),
        cmocka_unit_test(comes_to_set_irqs),
        cmocka_unit_test(comes_to_dma_map),
        cmocka_unit_test(comes_beside_a_vmm),
        cmocka_unit_test(keeps_the_door_shut),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.sock", folder);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)rmdir(folder);
    return failed;
}
