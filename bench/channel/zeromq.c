/* SPDX-License-Identifier: BSD-2-Clause */
/* ZeroMQ's pair of sockets, over a Unix socket. A thread of its own moves the messages. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#include "rival.h"

typedef struct queue {
    void *context, *socket;
} queue_t;

static char address[64];

static bool check(int bytes)
{
    if (bytes != sizeof(struct message))
        die("ZeroMQ refuses: %s", zmq_strerror(errno));
    return true;
}

/* These wait: who spins would take the CPU from the thread. */
static bool try_put(queue_t *queue, const struct message *message)
{
    return check(zmq_send(queue->socket, message, sizeof(*message), 0));
}

static bool try_get(queue_t *queue, struct message *message)
{
    return check(zmq_recv(queue->socket, message, sizeof(*message), 0));
}

#define WITHOUT_BATCHES
#include "loops.h"

static void prepare(void *memory)
{
    static int number;

    (void)memory;
    (void)snprintf(address, sizeof(address), "ipc://@crossvm-bench-%d-%d", (int)getpid(), number++);
}

static void *attach(void *memory, int end)
{
    static struct way ways[2];
    static queue_t queues[2];
    queue_t *queue = &queues[end];

    (void)memory;
    queue->context = zmq_ctx_new();
    queue->socket = zmq_socket(queue->context, ZMQ_PAIR);
    if (end == 0 ? zmq_bind(queue->socket, address) : zmq_connect(queue->socket, address))
        die("ZeroMQ does not open %s: %s", address, zmq_strerror(errno));
    ways[end].out = ways[end].in = queue;
    return &ways[end];
}

/* Waits until the thread has sent what it was given. */
static void leave(void *argument)
{
    const queue_t *queue = ((struct way *)argument)->out;

    zmq_close(queue->socket);
    zmq_ctx_term(queue->context);
}

const struct rival rival_zeromq = {
    .name = "ZeroMQ",
    .is_slow = true,
    .prepare = prepare,
    .attach = attach,
    .leave = leave,
    .put = put,
    .get = get,
    .bounce = bounce,
    .ping = ping,
};
