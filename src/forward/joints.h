/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joints: each joins a socket of this machine to a flow of the protocol. Frames go to and come from a channel, of which
 * nothing is known here.
 *
 * Sockets are watched by an epoll that tells of a change once, so that a socket costs no system call but its reads and
 * writes: joints that have something to send stand in a row, and take turns frame by frame.
 */
#pragma once

#include "local_socket.h"
#include "protocol.h"
#include "rules.h"

/** What an epoll tells to: the data of each of its events. */
struct watch {
    void (*ready)(struct watch *watch, uint32_t events);
};

struct joint {
    struct watch watch; /* of the socket, or of standard input */
    struct watch output_watch;
    struct joints *joints;
    struct local_socket socket;
    struct flow *flow;
    uint32_t window; /* of the memory of all */
    uint32_t failed; /* errno value when nothing can be written any more: what comes is dropped */
    bool in_row;
    struct joint *next_in_row;
    struct joint *before, *next; /* of all */
};

struct joints {
    struct protocol protocol;
    const struct rules *rules;
    const char *connection; /* its name, for messages */
    int epoll;
    uint64_t memory_left; /* that windows may be made of */
    uint32_t window;      /* the largest */
    struct joint *all;
    struct joint *first, *last; /* the row of those that may have something to send */
    struct joint *dead;         /* events of the same look may still name them */
    struct joint *standard;     /* standard input and output */
    bool standard_is_over;
    uint32_t standard_reason; /* ... why: 0, or an errno value */
    int64_t quiet_until_ns;   /* a complaint a second is enough */
};

struct joints_config {
    const struct rules *rules;
    const char *connection;
    int epoll;
    uint32_t sockets; /* that each end may have opened at once */
    uint64_t memory;  /* bytes that may be kept for slow sockets, in all */
    uint32_t window;  /* ... and for one */
};

/** False when there is no memory. */
bool joints_init(struct joints *joints, const struct joints_config *config);

void joints_free(struct joints *joints);

/** The session is over: resets all. */
void joints_end(struct joints *joints);

/** Frees those that are no more. No event of an earlier look at the epoll may be told after that. */
void joints_bury(struct joints *joints);

/** Whether there is room for another socket. */
bool joints_have_room(const struct joints *joints);

/** Opens a flow for a socket that was accepted, and takes its descriptor. Only if there is room. */
void joints_take_client(struct joints *joints, int fd, const struct rule_listen *listen);

/** Opens one for standard input and output, and takes their descriptors. Only if there is room. False after a message.
 */
bool joints_take_standard(struct joints *joints, struct local_socket *standard, const char *target);

/** Takes a frame of the peer. 0, or -EPROTO: protocol.reason says why. */
int joints_receive(struct joints *joints, const void *bytes, size_t length);

/** Says why a target could not be reached, or was lost. */
void joints_complain(const struct joints *joints, const char *target, uint32_t reason);

/** The most bytes that the next frame of DATA can have; 0 when no joint has something to send. */
size_t joints_next_length(struct joints *joints);

/**
 * Makes the next frame of DATA, if joints_next_length() said that there may be one.
 *
 * @param frame room for the header and so many bytes
 * @return its length; 0 when the socket had nothing to send
 */
size_t joints_make_data(struct joints *joints, void *frame, size_t size);
