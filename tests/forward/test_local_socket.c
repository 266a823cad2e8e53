/* SPDX-License-Identifier: BSD-2-Clause */
/* A socket that is forwarded, and whose program takes less than is written: it gets all of it, in order and whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/forward/local_socket.h"

static struct local_socket local;
static int program; /* the other side */

static void open_socket(int type)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    local_socket_init(&local, fds[0], AF_UNIX, type);
    program = fds[1];
}

static int tear_down(void **state)
{
    (void)state;
    local_socket_close(&local, false);
    return close(program);
}

/* Takes a packet out at the other side. */
static void expect_packet(const char *text)
{
    char packet[16];

    assert_int_equal(recv(program, packet, sizeof(packet), 0), strlen(text));
    assert_memory_equal(packet, text, strlen(text));
}

/* Among them one that is empty */
static void packets_wait_whole(void **state)
{
    static const char *const last[] = {"", "b", "", "the last"};
    size_t sent = 0;

    (void)state;
    open_socket(SOCK_SEQPACKET);
    while (local_socket_write(&local, "a", 1) == 1)
        sent++;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(local_socket_write(&local, last[i], strlen(last[i])), -EAGAIN);
    local_socket_end_output(&local);
    assert_false(local.output_ended);
    while (sent-- > 0)
        expect_packet("a");
    assert_int_equal(local_socket_flush(&local), 1);
    expect_packet("a"); /* the one that did not fit */
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(local_socket_flush(&local), strlen(last[i]));
        expect_packet(last[i]);
    }
    assert_false(local_socket_keeps(&local));
    assert_int_equal(recv(program, &sent, sizeof(sent), 0), -1); /* nothing more, and not the end */
    local_socket_end_output(&local);
    assert_int_equal(recv(program, &sent, sizeof(sent), 0), 0);
}

/* Bytes of a stream: what comes at the other side is to be what went in. */
static size_t written, taken;

static uint8_t byte_at(size_t place)
{
    return (uint8_t)(place % 251);
}

static ssize_t write_some(size_t length)
{
    uint8_t bytes[4000];

    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(written++);
    return local_socket_write(&local, bytes, length);
}

static void take_some(void)
{
    uint8_t bytes[2800];
    ssize_t length = recv(program, bytes, sizeof(bytes), 0);

    assert_true(length > 0);
    for (ssize_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], byte_at(taken++));
}

static void bytes_wait_in_order(void **state)
{
    (void)state;
    written = taken = 0;
    open_socket(SOCK_STREAM);
    while (write_some(4000) == 4000)
        ;
    for (int i = 0; i < 20; i++)
        assert_int_equal(write_some(4000), 0); /* not before what is kept */
    /* It gets as much as it takes: what is kept moves. */
    for (int i = 0; i < 1000; i++) {
        take_some();
        assert_int_equal(write_some(2800), 0);
        assert_true(local_socket_flush(&local) != 0);
    }
    while (taken < written) {
        (void)local_socket_flush(&local);
        take_some();
    }
    assert_false(local_socket_keeps(&local));
    assert_null(local.kept); /* only a slow program's takes memory */
}

static void an_empty_packet_is_not_the_end(void **state)
{
    char packet[16];
    bool at_end = true;

    (void)state;
    open_socket(SOCK_SEQPACKET);
    assert_int_equal(local_socket_read(&local, packet, sizeof(packet), &at_end), -EAGAIN);
    assert_false(at_end);
    assert_int_equal(send(program, "", 0, 0), 0);
    assert_int_equal(send(program, "ab", 2, 0), 2);
    assert_int_equal(shutdown(program, SHUT_WR), 0);
    assert_int_equal(local_socket_read(&local, packet, sizeof(packet), &at_end), 0);
    assert_false(at_end);
    assert_int_equal(local_socket_next_packet(&local), 2);
    assert_int_equal(local_socket_read(&local, packet, sizeof(packet), &at_end), 2);
    assert_false(at_end);
    assert_int_equal(local_socket_read(&local, packet, sizeof(packet), &at_end), 0);
    assert_true(at_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(packets_wait_whole, tear_down),
        cmocka_unit_test_teardown(bytes_wait_in_order, tear_down),
        cmocka_unit_test_teardown(an_empty_packet_is_not_the_end, tear_down),
    };

    return cmocka_run_group_tests_name("local_socket", tests, NULL, NULL);
}
