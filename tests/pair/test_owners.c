/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owns an end of a `crossvm pair`. The tool's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/wire/wire.h"
#include "pair_fixture.h"

static int connect_to_end(int end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/link.%d.sock", getenv("CROSSVM_DIR"), end);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void ask(int fd, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

/* The status of the reply; descriptors that come along are dropped. */
static uint32_t hear(int fd)
{
    struct crossvm_wire_reply reply;

    do
        assert_true(recv(fd, &reply, sizeof(reply), 0) >= (ssize_t)sizeof(struct crossvm_wire_driver));
    while (reply.header.type == CROSSVM_WIRE_DRIVER);
    return reply.status;
}

/*
 * The next program comes before the server has seen that the owner is gone. The owner left a message unread, or a
 * request without an answer.
 */
static void an_end_is_free_when_its_owner_is_gone(void **state)
{
    (void)state;
    for (int request = 0; request < 2; request++) {
        int next = connect_to_end(0); /* served before the owner, since it came first */
        int owner;

        ask(next, CROSSVM_WIRE_INFO);
        assert_int_equal(hear(next), 0);
        owner = connect_to_end(0);
        ask(owner, CROSSVM_WIRE_ATTACH);
        assert_int_equal(hear(owner), 0);
        crossvm_close(pair_open(1)); /* a message to the owner */

        pair_signal_server(SIGSTOP);
        if (request)
            ask(owner, CROSSVM_WIRE_INFO);
        close(owner);
        ask(next, CROSSVM_WIRE_ATTACH);
        pair_signal_server(SIGCONT);
        assert_int_equal(hear(next), 0);
        close(next);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(an_end_is_free_when_its_owner_is_gone),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_owners TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests_name("owners", tests, NULL, NULL);
}
