/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs at an end of a hub: how many, for how long, and which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"
#include "../../src/wire/door.h"
#include "../../src/wire/wire.h"
#include "folder.h"
#include "served_end.h"

#define PATIENCE_MS 600000 /* only bounds a hang */

static int come(void)
{
    int fd = folder_connect(SOCK_SEQPACKET, "x.0.sock");

    assert_true(fd >= 0);
    return fd;
}

/* The status of the reply to a request; -1 when the service closes instead. Runs in other users' processes, too. */
static int64_t ask(int fd, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    struct crossvm_wire_reply reply;

    if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) || poll(&waiting, 1, PATIENCE_MS) != 1 ||
        recv(fd, &reply, sizeof(reply), 0) != sizeof(reply) || reply.header.type != type)
        return -1;
    return reply.status;
}

/* Waits until the service closes a socket. */
static void await_close(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static bool is_closed(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};

    return poll(&waiting, 1, 0) == 1;
}

#define MANY (2 * DOOR_MAX_CLIENTS)

/* Silent programs keep nobody out of an end, neither its owner nor a program that asks. */
static void silent_ones_keep_nobody_out(void **state)
{
    (void)state;
    int silent[MANY], owner, next;

    serve_end();
    for (size_t i = 0; i < MANY; i++)
        silent[i] = come();
    owner = come();
    assert_int_equal(ask(owner, CROSSVM_WIRE_ATTACH), 0);
    for (size_t i = 0; i < MANY; i++)
        close(silent[i]);
    for (size_t i = 0; i < MANY; i++)
        silent[i] = come();
    next = come();
    assert_int_equal(ask(next, CROSSVM_WIRE_INFO), 0);
    assert_int_equal(ask(next, CROSSVM_WIRE_ATTACH), EBUSY);
    assert_false(is_closed(owner));
    /* Those that came first had to go: all but the owner, the one that asks, and the latest. */
    for (size_t i = 0; i < MANY - (DOOR_MAX_CLIENTS - 2); i++)
        await_close(silent[i]);
    assert_int_equal(ask(next, CROSSVM_WIRE_INFO), 0);
    for (size_t i = 0; i < MANY; i++)
        close(silent[i]);
    close(next);
    close(owner);
    end_service();
}

/* Also if nobody else comes. The owner may be silent for ever. */
static void silent_ones_go(void **state)
{
    (void)state;
    int silent, asking, owner;

    serve_end();
    owner = come();
    assert_int_equal(ask(owner, CROSSVM_WIRE_ATTACH), 0);
    silent = come();
    asking = come();
    assert_int_equal(ask(asking, CROSSVM_WIRE_INFO), 0);
    await_close(silent);
    await_close(asking);
    assert_false(is_closed(owner));
    assert_int_equal(ask(owner, CROSSVM_WIRE_INFO), 0);
    close(silent);
    close(asking);
    close(owner);
    end_service();
}

/* --- users --- */

static int ask_as_stranger(void *argument)
{
    int fd = folder_connect(SOCK_SEQPACKET, "x.0.sock");

    return fd < 0 ? errno : (int)ask(fd, (uint16_t) * (const int *)argument);
}

/* Other users get a refusal with its reason, and do not get the end. */
static void strangers_are_refused(void **state)
{
    (void)state;
    require_root();
    serve_end();
    for (int type = CROSSVM_WIRE_ATTACH; type <= CROSSVM_WIRE_INFO; type++) {
        int owner;

        assert_int_equal(chmod(folder_path("x.0.sock"), 0600), 0);
        assert_int_equal(as_stranger(ask_as_stranger, &type, 0), EACCES); /* the kernel's word */
        assert_int_equal(chmod(folder_path("x.0.sock"), 0666), 0);
        assert_int_equal(as_stranger(ask_as_stranger, &type, 0), EACCES); /* the service's */
        owner = come();
        assert_int_equal(ask(owner, CROSSVM_WIRE_ATTACH), 0);
        close(owner);
        assert_int_equal(chown(folder_path("x.0.sock"), (uid_t)-1, MEMBERS), 0);
        assert_int_equal(as_stranger(ask_as_stranger, &type, MEMBERS), 0);
    }
    end_service();
}

/* Takes end 0 and tries to get by another way at what it may only read. 0 when it cannot, else the line. */
static int write_as_stranger(void *argument)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_ATTACH};
    int fd = folder_connect(SOCK_SEQPACKET, "x.0.sock"), fds[CROSSVM_WIRE_MAX_FDS];
    struct crossvm_wire_reply reply;
    char path[32];
    size_t n = 0;

    (void)argument;
    if (fd < 0 || send(fd, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request))
        return __LINE__;
    while (cvm_descriptors_receive(fd, &reply, sizeof(reply), fds, CROSSVM_WIRE_MAX_FDS, &n) < 0) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};

        if (errno != EAGAIN || poll(&waiting, 1, PATIENCE_MS) != 1)
            return __LINE__;
    }
    if (reply.status || n != CROSSVM_WIRE_FIXED_FDS + 2)
        return __LINE__;
    if (mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, fds[CROSSVM_WIRE_FIXED_FDS], 0) == MAP_FAILED)
        return __LINE__; /* both write this one */
    if (mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, fds[CROSSVM_WIRE_FIXED_FDS + 1], 0) != MAP_FAILED)
        return __LINE__;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[CROSSVM_WIRE_FIXED_FDS + 1]);
    return open(path, O_RDWR) >= 0 || errno != EACCES || fchmod(fds[CROSSVM_WIRE_FIXED_FDS + 1], 0666) == 0 ? __LINE__
                                                                                                            : 0;
}

static void a_reader_cannot_make_itself_a_writer(void **state)
{
    (void)state;
    require_root();
    serve_end();
    assert_int_equal(chmod(folder_path("x.0.sock"), 0660), 0);
    assert_int_equal(chown(folder_path("x.0.sock"), (uid_t)-1, MEMBERS), 0);
    assert_int_equal(as_stranger(write_as_stranger, NULL, MEMBERS), 0);
    end_service();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(silent_ones_keep_nobody_out),
        FOLDER_TEST(silent_ones_go),
        FOLDER_TEST(strangers_are_refused),
        FOLDER_TEST(a_reader_cannot_make_itself_a_writer),
    };

    return cmocka_run_group_tests_name("served_ends", tests, NULL, NULL);
}
