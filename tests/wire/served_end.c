/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/hub/hub.h"
#include "folder.h"
#include "served_end.h"

static struct hub *hub;

void serve_end(void)
{
    const struct hub_connection_config config = {
        .name = "x",
        .ends = {{.door = CROSSVM_DOOR_HOST, .name = "x.0"}, {.door = CROSSVM_DOOR_HOST, .name = "x.1"}},
        .dataports = {{.size = 0x2000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = 1}},
        .num_dataports = 2,
    };

    hub = hub_create(folder, false);
    assert_non_null(hub);
    assert_int_equal(hub_add(hub, &config), 0);
    assert_int_equal(hub_start(hub, NULL), 0);
}

void end_service(void)
{
    hub_destroy(hub);
}
