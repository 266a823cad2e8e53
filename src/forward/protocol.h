/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of a forwarding, without sockets and without a channel: frames of the peer come in and are checked, and
 * what they ask for goes out as one event each; what is to be sent is asked for. It never allocates after
 * protocol_init(), and needs no more memory whatever the peer does.
 *
 * A flow is one socket that is forwarded, as the protocol sees it. The end that opened it chose its number. Each end
 * says CLOSE of it once, as the last of all; the flow is over when both have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* What a packet costs of a window beyond its bytes, since whoever keeps it has to keep its length, too. */
#define FLOW_PACKET_COST 64

enum flow_state {
    FLOW_FREE,
    FLOW_OPENING, /* this end has opened it, and the peer has not answered */
    FLOW_ASKED,   /* the peer has opened it, and this end has not answered */
    FLOW_OPEN,
};

/** To be read by the owner of the protocol, and changed by the calls below only, except `owner`. */
struct flow {
    void *owner; /**< what the owner keeps for it; NULL in a new one */
    uint32_t number;
    bool ours;     /**< this end has opened it */
    uint8_t state; /**< enum flow_state */
    uint8_t kind;  /**< enum frame_kind */
    bool ending;   /**< this end sends nothing more but CLOSE */
    bool ended;    /**< the peer neither */
    bool closing;  /**< this end has said CLOSE, or is about to */
    bool closed;   /**< the peer has */
    uint8_t due;   /**< frames that are to be sent, a bit for each type */
    bool queued;
    struct flow *next;    /* of those with frames that are due */
    const char *target;   /**< of an own one */
    uint32_t reason;      /* for CLOSE */
    uint32_t window;      /**< what this end has granted */
    uint32_t promised;    /* bytes that the peer may still send */
    uint32_t taken;       /* bytes that the owner has taken, and the peer was not told of */
    uint32_t peer_window; /**< what the peer has granted at first */
    uint32_t credit;      /* bytes that this end may still send */
};

struct protocol {
    struct flow *flows;     /* of this end, then of the peer */
    uint32_t limit;         /* sockets that each end may have opened at once, as this end allows */
    uint32_t peer_limit;    /* as the peer allows, or 0 before its HELLO */
    uint32_t early;         /* bytes of a stream that this end takes before it has accepted it */
    uint32_t peer_early;    /* ... and that the peer takes, or 0 before its HELLO */
    uint32_t *free_numbers; /* of this end: a stack */
    uint32_t num_free;
    uint32_t num_ours;         /* flows that this end has opened */
    bool greeted;              /* this end has sent its HELLO */
    bool ready;                /* the peer, too */
    struct flow *first, *last; /* with frames that are due */
    const char *reason;
};

enum protocol_event_type {
    PROTOCOL_NOTHING,
    PROTOCOL_READY,    /**< the peer is there: sockets can be opened */
    PROTOCOL_OPENED,   /**< the peer opens a flow: answer by protocol_accept() or protocol_close() */
    PROTOCOL_ACCEPTED, /**< ... has accepted one */
    PROTOCOL_DATA,     /**< ... sends bytes: tell protocol_take() when they are out of this process */
    PROTOCOL_CREDIT,   /**< ... takes more */
    PROTOCOL_ENDED,    /**< ... sends nothing more */
    PROTOCOL_CLOSED,   /**< ... is done with a flow; if this end is not, it has to call protocol_close() */
};

struct protocol_event {
    enum protocol_event_type type;
    struct flow *flow;
    const char *target; /**< OPENED: valid until the next event */
    const void *bytes;  /**< DATA: in memory that may still change */
    size_t length;
    uint32_t reason; /**< CLOSED: 0, or an errno value */
    struct frame frame;
};

/**
 * @param limit sockets that each end may have opened at once, up to FRAME_MAX_SOCKETS
 * @param early bytes of a stream that its owner keeps before it has accepted it
 * @return false when there is no memory
 */
bool protocol_init(struct protocol *protocol, uint32_t limit, uint32_t early);

void protocol_free(struct protocol *protocol);

/** Begins a session: no flow is left, and a HELLO is due. */
void protocol_start(struct protocol *protocol);

/**
 * Takes a frame of the peer.
 *
 * @return 0, or -EPROTO when the peer breaks the protocol: then the session is over, and protocol->reason says why
 */
int protocol_receive(struct protocol *protocol, const void *bytes, size_t length, struct protocol_event *event);

/** Whether another flow can be opened. */
bool protocol_can_open(const struct protocol *protocol);

/**
 * Opens a flow. Only when protocol_can_open().
 *
 * @param target its name, which has to outlive the flow
 * @param window bytes that the peer may send before the owner has taken any
 */
struct flow *protocol_open(struct protocol *protocol, enum frame_kind kind, const char *target, uint32_t window);

/** Accepts a flow that the peer has opened. The window is at least what the owner keeps early. */
void protocol_accept(struct protocol *protocol, struct flow *flow, uint32_t window);

/** Bytes that may be sent in the next DATA; of packets, the longest. Negative: none may be sent now. */
static inline int64_t flow_room(const struct flow *flow)
{
    if ((flow->state != FLOW_OPEN && flow->state != FLOW_OPENING) || flow->ending || flow->closing)
        return -1;
    if (flow->kind == FRAME_SEQPACKET)
        return (int64_t)flow->credit - FLOW_PACKET_COST;
    return flow->credit ? (int64_t)flow->credit : -1;
}

/** The longest packet that may ever be sent: its cost is at most half of the window, since the peer need not tell of
 * less that it has taken. */
static inline int64_t flow_longest_packet(const struct flow *flow)
{
    return (int64_t)flow->peer_window / 2 - FLOW_PACKET_COST;
}

/** Writes the header of DATA with so many bytes, at most flow_room(). Only when nothing is due: that comes before. */
void protocol_write_data(struct flow *flow, void *header, size_t length);

/** Says that so many bytes of DATA are taken; of packets, each by itself. Only of a flow that is accepted. */
void protocol_take(struct protocol *protocol, struct flow *flow, size_t length);

/** Ends the sending direction. */
void protocol_end(struct protocol *protocol, struct flow *flow);

/**
 * Says that this end is done with a flow, and forgets its owner. Nothing more is told of it.
 *
 * @param reason 0 when both directions have ended; else an errno value
 */
void protocol_close(struct protocol *protocol, struct flow *flow, uint32_t reason);

/** Whether protocol_write() would write something. */
bool protocol_is_due(const struct protocol *protocol);

/**
 * Writes the next frame that is due; there has to be one.
 *
 * @param bytes room for FRAME_CONTROL_BYTES, aligned to 8
 * @return its length
 */
size_t protocol_write(struct protocol *protocol, void *bytes);
