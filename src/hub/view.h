/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A view of a connection: a socket through which observers see who is at its ends, and get its memory for reading only.
 * An observer takes no end, so it is no door.
 */
#pragma once

#include "connection.h"
#include "loop.h"

/** Observers at once. For a further one, the one that came or asked longest ago has to go. */
#define HUB_VIEW_OBSERVERS 4

struct hub_view;

/**
 * Opens a view for those who may take an end. They speak src/wire/wire.h.
 *
 * @param connection has to outlive the view, and gets no other observer
 * @param path       of the socket
 * @return NULL after a message
 */
struct hub_view *hub_view_open(struct hub_loop *loop, struct hub_connection *connection, const char *path);

/** Nobody is told anything any more. NULL is allowed. */
void hub_view_close(struct hub_view *view);
