/* SPDX-License-Identifier: BSD-2-Clause */
/* A program at a console that sends what waits at its last close(): whoever starts VMs does not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/run/console_socket.h"
#include "../wire/lingerer.h"

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int come(struct lingerer *brought)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    lingerer_make(brought);
    lingerer_send(brought, fd, "typed", 5);
    return fd;
}

static void what_waits(void **state)
{
    static struct console_socket console;
    struct lingerer brought[3];
    int clients[3];
    char bytes[16];

    (void)state;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/crossvm-console-%d", (int)getpid());
    assert_int_equal(console_socket_open(&console, address.sun_path), 0);
    /* With what is typed; a second program, which is turned away; and one that is there at the end */
    clients[0] = come(&brought[0]);
    assert_int_equal(console_socket_welcome(&console, 0), 0);
    clients[1] = come(&brought[1]);
    assert_int_equal(console_socket_welcome(&console, 0), 0);
    assert_int_equal(console_socket_take(&console, bytes, sizeof(bytes)), 0);
    assert_int_equal(recv(clients[0], bytes, sizeof(bytes), 0), 0);
    clients[2] = come(&brought[2]);
    assert_int_equal(console_socket_welcome(&console, 0), 0);
    console_socket_close(&console);
    for (int i = 0; i < 3; i++) {
        close(clients[i]);
        close(brought[i].receiver);
    }
}

/* A program that comes is shown the last of what was printed, and one that does not read holds up nobody. */
static void what_was_printed_before(void **state)
{
    static struct console_socket console;
    static char printed[3 * BACKLOG_BYTES], shown[BACKLOG_BYTES + 1];
    size_t used = 0;
    ssize_t length;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(printed); i++)
        printed[i] = (char)('a' + i % 23);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/crossvm-console-%d", (int)getpid());
    assert_int_equal(console_socket_open(&console, address.sun_path), 0);
    console_socket_put(&console, printed, 100);
    console_socket_put(&console, printed + 100, 2 * BACKLOG_BYTES); /* more than is kept */
    for (size_t i = 2 * BACKLOG_BYTES + 100; i + 7 < sizeof(printed); i += 7)
        console_socket_put(&console, printed + i, 7);
    assert_int_equal(console.used, BACKLOG_BYTES);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(console_socket_welcome(&console, 0), 0);
    while (used < sizeof(shown) && (length = recv(fd, shown + used, sizeof(shown) - used, MSG_DONTWAIT)) > 0)
        used += (size_t)length;
    assert_int_equal(used, BACKLOG_BYTES);
    assert_memory_equal(shown, printed + 2 * BACKLOG_BYTES + 100 + (BACKLOG_BYTES - 101) / 7 * 7 - BACKLOG_BYTES,
                        BACKLOG_BYTES);
    for (int i = 0; i < 1000; i++)
        console_socket_put(&console, printed, BACKLOG_BYTES);
    console_socket_close(&console);
    close(fd);
}

/* What another process serves, or a file that is no socket, is not taken away; what a dead process left is. */
static void a_path_that_is_taken(void **state)
{
    static const char turned_away[] = "another program has this console\r\n";
    static struct console_socket first, second;
    char said[64] = "", left[sizeof(address.sun_path) + 8];
    int fds[2];
    FILE *file;

    (void)state;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/crossvm-console-%d", (int)getpid());
    file = fopen(address.sun_path, "we");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(console_socket_open(&first, address.sun_path), -1);
    assert_int_equal(unlink(address.sun_path), 0);

    assert_int_equal(console_socket_open(&first, address.sun_path), 0);
    assert_int_equal(console_socket_open(&second, address.sun_path), -1);
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), 0);
    }
    for (int i = 0; i < 3; i++) /* the look of the second, which has gone, too */
        assert_int_equal(console_socket_welcome(&first, 0), 0);
    assert_int_equal(recv(fds[1], said, sizeof(said) - 1, 0), strlen(turned_away));
    assert_string_equal(said, turned_away);
    for (int i = 0; i < 2; i++)
        close(fds[i]);
    (void)snprintf(left, sizeof(left), "%s-left", address.sun_path);
    assert_int_equal(rename(address.sun_path, left), 0); /* so that closing leaves the file */
    console_socket_close(&first);
    assert_int_equal(rename(left, address.sun_path), 0);
    assert_int_equal(console_socket_open(&first, address.sun_path), 0);
    console_socket_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_waits), cmocka_unit_test(what_was_printed_before),
                                       cmocka_unit_test(a_path_that_is_taken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
