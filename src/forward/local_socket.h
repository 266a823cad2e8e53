/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket of this machine that is forwarded, or standard input and output in place of one. No call of it waits. What
 * the socket does not take at once is kept, and the window of its flow bounds that.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct local_socket {
    int in, out;       /**< one descriptor of a socket, two of standard input and output; -1: closed */
    bool is_socket;    /* takes flags with each call */
    bool packets;      /**< keeps them whole */
    bool tcp;          /* can be reset */
    bool connecting;   /**< what is written is kept until it is not */
    bool readable;     /**< a read may find something */
    bool hung_up;      /**< ... its end, at the latest */
    bool end_wanted;   /* nothing more is to be written than what is kept */
    bool output_ended; /**< ... and that is written */
    uint8_t *kept;     /* from start to end; before each packet its length */
    size_t start, end, capacity;
};

/** Takes a descriptor over that does not block. */
void local_socket_init(struct local_socket *socket, int fd, int family, int type);

/** Opens standard input and output anew, with flags of their own. False after a message. */
bool local_socket_init_standard(struct local_socket *socket);

/**
 * Reads what there is, or one packet.
 *
 * @param size   of a packet at least local_socket_next_packet(): what does not fit is lost
 * @param at_end receives whether nothing more will come; the result is 0 then
 * @return how much; -EAGAIN when there is nothing, or another negative errno value
 */
ssize_t local_socket_read(struct local_socket *socket, void *to, size_t size, bool *at_end);

/** Length of the packet that comes next; errors as of local_socket_read(). */
ssize_t local_socket_next_packet(struct local_socket *socket);

/**
 * Writes bytes, or a packet, and keeps what is not taken at once.
 *
 * @return bytes that were taken at once: of a packet all or -EAGAIN; another negative errno value when the socket is of
 * no use any more; -ENOMEM
 */
ssize_t local_socket_write(struct local_socket *socket, const void *bytes, size_t length);

/** Whether something is kept. */
static inline bool local_socket_keeps(const struct local_socket *socket)
{
    return socket->start != socket->end;
}

/**
 * Writes of what is kept what the socket takes at once: of packets, one.
 *
 * @return bytes that were taken; -EAGAIN, or another negative errno value
 */
ssize_t local_socket_flush(struct local_socket *socket);

/** Ends what is written, once nothing is kept. */
void local_socket_end_output(struct local_socket *socket);

/** Closes it. A TCP socket that is reset tells the program at its other side of an error. */
void local_socket_close(struct local_socket *socket, bool reset);
