/* SPDX-License-Identifier: BSD-2-Clause */
/* A program at a console that sends what waits at its last close(): whoever starts VMs does not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_waits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
