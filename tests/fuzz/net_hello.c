/* SPDX-License-Identifier: BSD-2-Clause */
/* Greetings of whoever is at the other end of `crossvm net`, against docs/net.md. */
#include "fuzz.h"

#include <stdbool.h>

#include "../../src/net/hello.h"

static uint32_t word(const uint8_t *bytes, size_t i)
{
    bytes += 4 * i;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Of version 1, with a layer that there is; a later minor version may say more. */
static bool is_hello(const uint8_t *bytes, size_t size)
{
    return size >= 24 && memcmp(bytes, "CVNT", 4) == 0 && word(bytes, 1) >> 16 == 1 &&
           (word(bytes, 2) == 1 || word(bytes, 2) == 2);
}

/* What is written of it is read as the same. */
static void check_written(const struct net_hello *hello)
{
    uint8_t bytes[NET_HELLO_BYTES];
    struct net_hello again;

    net_hello_put(bytes, hello);
    REQUIRE(word(bytes, 1) == 0x00010000 && word(bytes, 5) == 0);
    REQUIRE(net_hello_get(&again, bytes, sizeof(bytes)) == NULL);
    REQUIRE(again.layer == hello->layer && again.mtu == hello->mtu && again.offloads == hello->offloads);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_hello hello;
    const char *fault = net_hello_get(&hello, data, size);

    REQUIRE(!fault == is_hello(data, size));
    if (fault) {
        REQUIRE(fault[0]); /* in words */
        return 0;
    }
    REQUIRE(hello.layer == word(data, 2) && hello.mtu == word(data, 3) && hello.offloads == word(data, 4));
    check_written(&hello);
    return 0;
}
