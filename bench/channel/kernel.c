/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel offers: a pipe, and Unix sockets. Both ends spin, as the others do. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rival.h"

/* The two descriptors of a direction. */
typedef struct queue {
    int write_end, read_end;
} queue_t;

static queue_t queues[2];

static size_t transferred(ssize_t bytes)
{
    if (bytes < 0 && errno != EAGAIN)
        die("the kernel refuses: %s", strerror(errno));
    if (bytes > 0 && (size_t)bytes % sizeof(struct message) != 0)
        die("a part of a message");
    return bytes > 0 ? (size_t)bytes / sizeof(struct message) : 0;
}

static size_t put_some(queue_t *queue, const struct message *messages, size_t count)
{
    return transferred(write(queue->write_end, messages, count * sizeof(*messages)));
}

static size_t get_some(queue_t *queue, struct message *messages, size_t count)
{
    return transferred(read(queue->read_end, messages, count * sizeof(*messages)));
}

static bool try_put(queue_t *queue, const struct message *message)
{
    return put_some(queue, message, 1) == 1;
}

static bool try_get(queue_t *queue, struct message *message)
{
    return get_some(queue, message, 1) == 1;
}

#include "loops.h"

static void close_all(void)
{
    for (int i = 0; i < 2 && queues[0].write_end > 0; i++) {
        close(queues[i].write_end);
        close(queues[i].read_end);
    }
}

static void prepare_pipe(void *memory)
{
    (void)memory;
    close_all();
    for (int i = 0; i < 2; i++) {
        int ends[2];

        if (pipe2(ends, O_NONBLOCK) < 0)
            die("cannot make a pipe: %s", strerror(errno));
        queues[i] = (queue_t){.write_end = ends[1], .read_end = ends[0]};
    }
}

static void prepare_sockets(int type)
{
    close_all();
    for (int i = 0; i < 2; i++) {
        int ends[2];

        if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) < 0)
            die("cannot make sockets: %s", strerror(errno));
        queues[i] = (queue_t){.write_end = ends[1], .read_end = ends[0]};
    }
}

static void prepare_stream(void *memory)
{
    (void)memory;
    prepare_sockets(SOCK_STREAM);
}

static void prepare_packets(void *memory)
{
    (void)memory;
    prepare_sockets(SOCK_SEQPACKET);
}

static void *attach(void *memory, int end)
{
    static struct way ways[2];
    struct way *way = &ways[end];

    (void)memory;
    way->out = &queues[end];
    way->in = &queues[1 - end];
    return way;
}

const struct rival rival_pipe = {
    .name = "pipe",
    .is_slow = true,
    .prepare = prepare_pipe,
    .attach = attach,
    .put = put,
    .get = get,
    .put_batches = put_batches,
    .get_batches = get_batches,
    .bounce = bounce,
    .ping = ping,
};
const struct rival rival_stream_socket = {
    .name = "Unix stream socket",
    .is_slow = true,
    .prepare = prepare_stream,
    .attach = attach,
    .put = put,
    .get = get,
    .put_batches = put_batches,
    .get_batches = get_batches,
    .bounce = bounce,
    .ping = ping,
};
const struct rival rival_packet_socket = {
    .name = "Unix packet socket",
    .is_slow = true,
    .prepare = prepare_packets,
    .attach = attach,
    .put = put,
    .get = get,
    .bounce = bounce,
    .ping = ping,
};
