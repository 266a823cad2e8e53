/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the host tells a guest in the tests of peers, in the dataport of its control connection: an order, followed by
 * an event; then the guest's answer, followed by an event.
 */
#pragma once

#include <stdint.h>

enum order_kind {
    ORDER_START,    /* a worker, which opens the connection and carries out what follows */
    ORDER_KILL,     /* the worker, by SIGKILL */
    ORDER_END,      /* end the worker in good order */
    ORDER_STATE,    /* of the peer */
    ORDER_AWAIT,    /* until the peer's state is number; then as ORDER_STATE */
    ORDER_SEND,     /* number events */
    ORDER_SEND_OLD, /* the same by plain stores to EMIT, as programs do that know no more */
    ORDER_RECEIVE,  /* until number events came, and for a moment more */
    ORDER_PING,     /* number rounds: an event there, one back */
    ORDER_ECHO,     /* number rounds from the other side */
    ORDER_WRITE,    /* number to the first word of dataport 0, and to dataport 1 */
    ORDER_READ,     /* these words */
    ORDER_GIVE,     /* number blocks of a stream */
    ORDER_TAKE,     /* number blocks from the other side */
    ORDER_REBOOT,   /* of the guest, which answers no more */
};

struct order {
    uint32_t kind;
    uint32_t number;
    char connection[64]; /* of ORDER_START */
};

struct answer {
    uint32_t done; /* 1: as ordered; 0: it failed, and text says how */
    uint32_t number;
    uint32_t generation;
    uint32_t end;
    char text[256];
};

/* The dataport. */
struct board {
    struct order order;
    struct answer answer;
};

#define PATIENCE_MS 60000
