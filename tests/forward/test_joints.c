/* SPDX-License-Identifier: BSD-2-Clause */
/* Joints without a channel: frames of the peer are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/forward/joints.h"

#define SOCKETS 4
#define MEMORY 0x100000

/* In a process of its own, which ends with the line that failed. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            _exit(__LINE__ % 255 + 1);                                                                                 \
    } while (0)

static int from_peer(struct joints *joints, struct frame frame)
{
    _Alignas(8) uint8_t bytes[FRAME_CONTROL_BYTES];
    size_t length = frame_write(bytes, &frame);

    return joints_receive(joints, bytes, length);
}

static void write_all_due(struct joints *joints)
{
    _Alignas(8) uint8_t bytes[FRAME_CONTROL_BYTES];

    while (protocol_is_due(&joints->protocol))
        (void)protocol_write(&joints->protocol, bytes);
}

/* Standard input and output are a socket that the starting process has open, too. Then their joint is gone, and that
 * process goes on with the socket. */
static void share_standard(int other)
{
    static const struct rules rules;
    const struct joints_config config = {.rules = &rules,
                                         .connection = "link",
                                         .epoll = epoll_create1(EPOLL_CLOEXEC),
                                         .sockets = SOCKETS,
                                         .memory = MEMORY,
                                         .window = MEMORY};
    struct local_socket standard;
    struct epoll_event event;
    struct joints joints;

    REQUIRE(joints_init(&joints, &config) && local_socket_init_standard(&standard));
    protocol_start(&joints.protocol);
    REQUIRE(from_peer(&joints, (struct frame){.type = FRAME_HELLO, .major = FRAME_VERSION_MAJOR, .value = SOCKETS}) ==
            0);
    REQUIRE(joints_take_standard(&joints, &standard, "target"));
    write_all_due(&joints);
    REQUIRE(write(other, "input", 5) == 5 && epoll_wait(config.epoll, &event, 1, -1) == 1);
    REQUIRE(from_peer(&joints, (struct frame){.type = FRAME_CLOSE, .yours = true, .value = ECONNRESET}) == 0);
    REQUIRE(joints.standard_is_over);
    joints_bury(&joints);
    REQUIRE(shutdown(other, SHUT_RDWR) == 0 && epoll_wait(config.epoll, &event, 1, 0) == 0);
    joints_free(&joints);
    _exit(0);
}

static void nothing_is_told_of_a_joint_that_is_gone(void **state)
{
    int ends[2], status;
    pid_t child;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[0], STDIN_FILENO);
        (void)dup2(ends[0], STDOUT_FILENO);
        share_standard(ends[1]);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_told_of_a_joint_that_is_gone),
    };

    return cmocka_run_group_tests_name("joints", tests, NULL, NULL);
}
