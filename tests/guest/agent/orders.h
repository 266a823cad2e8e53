/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host tells the agent in a guest, in the dataport of its control connection: an order, followed by an event;
 * then the agent's answer, followed by an event. The agent has one worker at a time, a process of its own that can be
 * killed, with one end open.
 */
#pragma once

#include <stdint.h>

enum order_kind {
    /* The agent carries these out itself. */
    ORDER_START,    /* a new worker, which opens the connection */
    ORDER_KILL,     /* the worker, by SIGKILL */
    ORDER_END,      /* end the worker in good order */
    ORDER_SERVE,    /* the worker: answer each event for good, see struct served; the agent answers at once */
    ORDER_UNBIND,   /* take the connection's device from its driver */
    ORDER_BIND,     /* give the device that was last unbound back to the driver */
    ORDER_REBOOT,   /* the guest, which answers no more */
    ORDER_POWEROFF, /* the same */

    /* The worker carries these out, with its end. */
    ORDER_STATE,      /* tell the peer's */
    ORDER_AWAIT,      /* until the peer's state is number; then as ORDER_STATE */
    ORDER_SEND,       /* number events */
    ORDER_SEND_PLAIN, /* the same by plain stores to EMIT, as programs do that do not count */
    ORDER_RECEIVE,    /* exactly number events */
    ORDER_COUNT,      /* tell the sequence's low word */
    ORDER_PING,       /* number rounds: an event there, one back */
    ORDER_ECHO,       /* number rounds from the other end */
    ORDER_WRITE,      /* number to the first word of each dataport, whatever the rights */
    ORDER_READ,       /* the first words of dataports 0 and 1 */
    ORDER_GIVE,       /* number blocks of a stream */
    ORDER_TAKE,       /* number blocks from the other end */
};

struct order {
    uint32_t serial; /* another one for each order */
    uint32_t kind;
    uint32_t number;
    char connection[64]; /* of ORDER_START and ORDER_UNBIND */
};

struct answer {
    uint32_t done;       /* 1: as ordered; 0: it failed, and text says how */
    uint32_t number;     /* as the order has it: the peer's state, a sequence, the first word */
    uint32_t generation; /* of the peer, or the second word */
    uint32_t end;        /* which end the worker has */
    char text[256];
};

/* The dataport of a control connection. */
struct board {
    struct order order;
    struct answer answer;
    uint32_t
        taken; /* serial of the order that was begun last: the board outlives the guest, and with it its last order */
};

/* What ORDER_SERVE leaves at the start of dataport 0, before it answers an event. */
struct served {
    uint32_t events;          /* grows by one for each */
    uint32_t peer_state;      /* as the worker sees it */
    uint32_t peer_generation; /* the same */
};
