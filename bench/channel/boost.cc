// SPDX-License-Identifier: BSD-2-Clause
// Boost's queue for one producer and one consumer.
#include <new>

#include <boost/lockfree/spsc_queue.hpp>

#include "rival.h"

namespace
{

using queue_t = boost::lockfree::spsc_queue<message, boost::lockfree::capacity<2048>>;

bool try_put(queue_t *queue, const message *one)
{
    return queue->push(*one);
}

bool try_get(queue_t *queue, message *one)
{
    return queue->pop(*one);
}

size_t put_some(queue_t *queue, const message *messages, size_t count)
{
    return queue->push(messages, count);
}

size_t get_some(queue_t *queue, message *messages, size_t count)
{
    return queue->pop(messages, count);
}

#include "loops.h"

void prepare(void *memory)
{
    new (memory) queue_t;
    new (static_cast<char *>(memory) + MEMORY_BYTES / 2) queue_t;
}

void *attach(void *memory, int end)
{
    static way ways[2];
    auto *one = static_cast<queue_t *>(memory);
    auto *other = reinterpret_cast<queue_t *>(static_cast<char *>(memory) + MEMORY_BYTES / 2);

    ways[end].out = end == 0 ? one : other;
    ways[end].in = end == 0 ? other : one;
    return &ways[end];
}

} // namespace

extern "C" const rival rival_boost = {
    "boost spsc_queue", false,       prepare, attach, nullptr, nullptr, put, get,
    put_batches,        get_batches, bounce,  ping,   nullptr, nullptr,
};
