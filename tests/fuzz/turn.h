/* SPDX-License-Identifier: BSD-2-Clause */
/* A turn of a hub's loop: whatever is ready when it begins is served, each source once. */
#pragma once

#include <stdbool.h>

#include "../../src/hub/loop.h"

/** Whether there was anything to serve. */
bool turn_run(struct hub_loop *loop);
