/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lingerer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"

#define LINGER_S 36000

void lingerer_make(struct lingerer *made)
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

void lingerer_send(struct lingerer *sent, int socket, const void *bytes, size_t size)
{
    assert_int_equal(cvm_descriptors_send(socket, bytes, size, &sent->sender, 1), 0);
    close(sent->sender);
}
