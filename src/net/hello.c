/* SPDX-License-Identifier: BSD-2-Clause */
#include "hello.h"

#include <endian.h>
#include <string.h>

#define MAGIC 0x544e5643u /* "CVNT" */
#define VERSION 0x00010000u
#define MAJOR(version) ((version) >> 16)

/* The words, in their order. */
enum { WORD_MAGIC, WORD_VERSION, WORD_LAYER, WORD_MTU, WORD_OFFLOADS, WORD_RESERVED, NUM_WORDS };

_Static_assert(NUM_WORDS * sizeof(uint32_t) == NET_HELLO_BYTES, "a hello is its words");

void net_hello_put(uint8_t bytes[NET_HELLO_BYTES], const struct net_hello *hello)
{
    const uint32_t words[NUM_WORDS] = {
        [WORD_MAGIC] = htole32(MAGIC),
        [WORD_VERSION] = htole32(VERSION),
        [WORD_LAYER] = htole32(hello->layer),
        [WORD_MTU] = htole32(hello->mtu),
        [WORD_OFFLOADS] = htole32(hello->offloads),
    };

    memcpy(bytes, words, sizeof(words));
}

const char *net_hello_get(struct net_hello *hello, const uint8_t *bytes, size_t length)
{
    uint32_t words[NUM_WORDS];

    if (length < sizeof(words)) /* a later minor version may say more */
        return "sent no greeting: is it `crossvm net`?";
    memcpy(words, bytes, sizeof(words));
    for (size_t i = 0; i < NUM_WORDS; i++)
        words[i] = le32toh(words[i]);
    if (words[WORD_MAGIC] != MAGIC)
        return "sent no greeting: is it `crossvm net`?";
    if (MAJOR(words[WORD_VERSION]) != MAJOR(VERSION))
        return "speaks another version: use the same release at both ends";
    if (words[WORD_LAYER] != NET_ETHERNET && words[WORD_LAYER] != NET_IP)
        return "has an interface of a kind that is not known here: use the same release at both ends";
    *hello = (struct net_hello){.layer = words[WORD_LAYER], .mtu = words[WORD_MTU], .offloads = words[WORD_OFFLOADS]};
    return NULL;
}
