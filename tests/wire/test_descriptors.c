/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages with descriptors: what becomes of each descriptor, whatever came and whatever was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"

#define MOST_DESCRIPTORS 1024 /* numbers that a test looks at */

static int here, there; /* two ends of a socket */
static int event;       /* what is sent */

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return -1;
    here = ends[0];
    there = ends[1];
    event = eventfd(0, EFD_CLOEXEC);
    return event < 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(here);
    close(there);
    close(event);
    return 0;
}

static unsigned int count_open(void)
{
    unsigned int count = 0;

    for (int fd = 0; fd < MOST_DESCRIPTORS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Sends so many, also more than cvm_descriptors_send() would. */
static void send_events(size_t n)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(2 * DESCRIPTORS_MAX * sizeof(int))];
    } control = {0};
    struct iovec part = {"x", 1};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};

    control.header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &event, sizeof(event));
    assert_int_equal(sendmsg(here, &packet, 0), 1);
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

static void they_are_not_inherited(void **state)
{
    int fds[DESCRIPTORS_MAX], events[DESCRIPTORS_MAX];
    char byte;
    size_t n;

    (void)state;
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
        events[i] = event;
    for (size_t sent = 0; sent <= DESCRIPTORS_MAX; sent++) {
        assert_int_equal(cvm_descriptors_send(here, "x", 1, events, sent), 0);
        assert_int_equal(cvm_descriptors_receive(there, &byte, 1, fds, DESCRIPTORS_MAX, &n), 1);
        assert_int_equal(n, sent);
        for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
            assert_int_equal(fcntl(fds[i], F_GETFD), i < sent ? FD_CLOEXEC : -1);
        close_all(fds, DESCRIPTORS_MAX);
    }
    assert_int_equal(cvm_descriptors_send(here, "x", 1, events, DESCRIPTORS_MAX + 1), -1);
    assert_int_equal(errno, EINVAL);
}

static void those_without_room_are_closed(void **state)
{
    unsigned int before = count_open();
    char byte;
    size_t n;

    (void)state;
    for (size_t sent = 0; sent <= DESCRIPTORS_MAX; sent++) {
        int fds[2];

        send_events(sent);
        assert_int_equal(cvm_descriptors_receive(there, &byte, 1, fds, 2, &n), 1);
        assert_int_equal(n, sent);
        assert_int_equal(count_open(), before + (sent < 2 ? sent : 2));
        close_all(fds, 2);
    }
}

/* The kernel drops what the receiver could not count. Then it is known only that they were more than it may be sent. */
static void more_than_can_be_sent_are_not_counted(void **state)
{
    unsigned int before = count_open();
    int fds[DESCRIPTORS_MAX];
    char byte;
    size_t n;

    (void)state;
    send_events(2 * DESCRIPTORS_MAX);
    assert_int_equal(cvm_descriptors_receive(there, &byte, 1, fds, DESCRIPTORS_MAX, &n), 1);
    assert_true(n > DESCRIPTORS_MAX);
    close_all(fds, DESCRIPTORS_MAX);
    assert_int_equal(count_open(), before);
}

/* A process with no number left gets a part of them, or none. That is an error: else it would take what came for all.
 */
static void those_without_a_number_are_missed(void **state)
{
    struct rlimit usual, limit;
    char byte;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    limit = usual;
    for (size_t numbers = 0; numbers < 4; numbers++) {
        unsigned int before = count_open();
        int fds[DESCRIPTORS_MAX], next = dup(event), error;
        ssize_t length;
        size_t n = 77;

        close(next); /* the lowest free number; those above it are free, too */
        send_events(4);
        limit.rlim_cur = (rlim_t)next + numbers;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        length = cvm_descriptors_receive(there, &byte, 1, fds, DESCRIPTORS_MAX, &n);
        error = errno;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        assert_int_equal(length, -1);
        assert_int_equal(error, EMFILE);
        assert_int_equal(n, 0);
        close_all(fds, DESCRIPTORS_MAX);
        assert_int_equal(count_open(), before);
    }
}

static void none_is_a_standard_stream(void **state)
{
    int fds[2], output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10), input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    char byte;
    size_t n;

    (void)state;
    send_events(2);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    (void)cvm_descriptors_receive(there, &byte, 1, fds, 2, &n);
    dup2(output, STDOUT_FILENO);
    dup2(input, STDIN_FILENO);
    close(output);
    close(input);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(fds[i] > STDERR_FILENO);
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    }
    close_all(fds, 2);
}

/* Of a socket that would. */
static void nothing_waits(void **state)
{
    static const char message[1000];
    int fd;
    char byte;
    size_t n;

    (void)state;
    assert_int_equal(cvm_descriptors_receive(there, &byte, 1, &fd, 1, &n), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fd, -1);
    while (cvm_descriptors_send(here, message, sizeof(message), NULL, 0) == 0)
        ;
    assert_int_equal(errno, EAGAIN);
}

/* A stream without anybody would raise a signal, which ends a program. */
static void nobody_is_an_error(void **state)
{
    static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, ends), 0);
        close(ends[1]);
        assert_int_equal(cvm_descriptors_send(ends[0], "x", 1, NULL, 0), -1);
        assert_int_equal(errno, EPIPE);
        close(ends[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_not_inherited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_without_room_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_can_be_sent_are_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_without_a_number_are_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_is_a_standard_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
