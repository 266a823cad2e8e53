/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams: end 0 asks for products of two numbers, end 1 answers. All numbers are little-endian, on any machine. */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>

#include "example.h"

struct request {
    uint32_t a;
    uint32_t b;
};

struct answer {
    uint64_t product;
};

static void ask(crossvm_channel_t *channel)
{
    for (uint32_t i = 1; i <= 5; i++) {
        const struct request request = {i * 1000003, i + 7};
        struct answer answer;

        check(crossvm_channel_send(channel, &request, sizeof(request), FOREVER));
        check(crossvm_channel_recv(channel, &answer, sizeof(answer), FOREVER));
        printf("%" PRIu32 " * %" PRIu32 " = %" PRIu64 "\n", request.a, request.b, answer.product);
    }
}

static void answer_all(crossvm_channel_t *channel)
{
    unsigned int answered = 0;

    for (;;) {
        struct request request; /* a copy: what is checked stays as it is */
        struct answer answer;
        ptrdiff_t length = crossvm_channel_recv(channel, &request, sizeof(request), FOREVER);

        if (length == -EPIPE) /* nobody will ask any more */
            break;
        if (check(length) != sizeof(request)) {
            fprintf(stderr, "a request has %zu bytes, not %td\n", sizeof(request), length);
            exit(1);
        }
        answer.product = (uint64_t)request.a * request.b;
        check(crossvm_channel_send(channel, &answer, sizeof(answer), FOREVER));
        answered++;
    }
    printf("%u requests answered\n", answered);
}

int main(int argc, char **argv)
{
    crossvm_end_t *end = open_end(argc, argv);
    crossvm_channel_t *channel = open_channel(end, CROSSVM_CHANNEL_DATAGRAM);

    if (crossvm_end_number(end) == 0)
        ask(channel);
    else
        answer_all(channel);
    close_all(channel, end);
    return 0;
}
