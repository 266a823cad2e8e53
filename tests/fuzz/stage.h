/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hub's loop with one connection. The door under test is that of end 0; the stage itself has end 1, and checks what
 * it is told there. The target moves the loop and the clock.
 */
#pragma once

#include <stdbool.h>

#include "../../src/hub/connection.h"
#include "../../src/hub/door.h"
#include "clock.h"
#include "enemy.h"

#define STAGE_DATAPORTS 3

struct stage {
    struct hub_occupant peer; /* first; at end 1 */
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_end *ends[2];
    struct hub_door *door;
    struct sockaddr_un *address; /* of the door */
    int descriptors;             /* before all; with the door and nobody there */
    int idle_descriptors;
    int waiting;         /* sockets that the loop may not have seen yet */
    uint32_t generation; /* of end 0, as end 1 was told */
    bool leaps;          /* the door takes generations from its occupant */
    bool hub_goes_first; /* at the end */
    bool asked;          /* end 1 was asked for its report */
};

/**
 * Opens the door of a kind at end 0, in a folder of its own. Dataports: 64 KiB, 12 KiB that end 1 alone writes, 2 MiB;
 * with ivshmem both write all. The last byte of the input says who goes first.
 */
void stage_open(struct stage *stage, enum crossvm_door door, struct input *input);

/** A socket that is connected to the door, non-blocking; the loop has not seen it yet. */
int stage_connect(struct stage *stage, int type);

/** Serves what is there. */
void stage_serve(struct stage *stage);

/** What the peer at end 1 does, as an input chooses: comes and goes, emits, reports; or time passes. */
void stage_act(struct stage *stage, struct input *input);

/**
 * Ends a stage. Either all leave first, as leave_all() has them do, and the door has given back what came before it
 * closes; or the door closes while they are there.
 */
void stage_close(struct stage *stage, void (*leave_all)(void *who), void *who);
