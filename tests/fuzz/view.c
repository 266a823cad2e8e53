/* SPDX-License-Identifier: BSD-2-Clause */
/* Observers at a view: more than it has room for, that ask anything, and do not listen. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../src/common/name.h"
#include "../../src/hub/view.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/wire.h"
#include "folder.h"
#include "stage.h"

#define VIEWERS (HUB_VIEW_OBSERVERS + 2)

struct viewer {
    int socket; /* -1: none */
    bool has_memory;
};

struct world {
    struct stage stage;
    struct hub_view *view;
    struct viewer viewers[VIEWERS];
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void leave(struct viewer *viewer)
{
    if (viewer->socket >= 0)
        close(viewer->socket);
    *viewer = (struct viewer){.socket = -1};
}

static void come(struct viewer *viewer)
{
    viewer->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    REQUIRE(viewer->socket >= 0);
    if (connect(viewer->socket, (const struct sockaddr *)&address, sizeof(address)))
        leave(viewer); /* its queue is full */
}

static void ask(const struct viewer *viewer, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    (void)enemy_send(viewer->socket, &request, sizeof(request), NULL, 0);
}

static void send_raw(const struct viewer *viewer, struct input *input)
{
    uint8_t bytes[32];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes)), num_fds;

    input_bytes(input, bytes, n);
    num_fds = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    (void)enemy_send(viewer->socket, bytes, n, fds, num_fds);
}

static void check_message(const struct crossvm_wire_observed *told, const struct stage *stage)
{
    REQUIRE(told->header.magic == CROSSVM_WIRE_MAGIC && told->header.version == CROSSVM_WIRE_VERSION);
    REQUIRE(told->status == 0 && name_is_valid(told->name));
    REQUIRE(told->num_dataports == STAGE_DATAPORTS);
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(told->ends[i].driver_state <= CROSSVM_DRIVER_OPEN);
        REQUIRE(told->ends[i].door == stage->ends[i]->door);
        REQUIRE(told->ends[i].here <= 1 && told->ends[i].asked <= 1);
    }
}

static bool take_message(struct world *world, struct viewer *viewer)
{
    struct crossvm_wire_observed told;
    int fds[DESCRIPTORS_MAX];
    size_t n;
    ssize_t length = cvm_descriptors_receive(viewer->socket, &told, sizeof(told), fds, DESCRIPTORS_MAX, &n);

    if (length <= 0) {
        if (length == 0)
            leave(viewer); /* it was dropped */
        return false;
    }
    REQUIRE(length == sizeof(told));
    check_message(&told, &world->stage);
    if (told.header.type == CROSSVM_WIRE_INFO) {
        REQUIRE(n == 0);
        return true;
    }
    REQUIRE(told.header.type == CROSSVM_WIRE_OBSERVE && !viewer->has_memory);
    REQUIRE(n == CROSSVM_WIRE_OBSERVED_FIXED_FDS + STAGE_DATAPORTS);
    viewer->has_memory = true;
    for (size_t i = 0; i < n; i++) {
        REQUIRE((fcntl(fds[i], F_GETFL) & O_ACCMODE) == O_RDONLY);
        close(fds[i]);
    }
    return true;
}

static void act(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);
    struct viewer *viewer = &world->viewers[input_choice(input, VIEWERS)];

    if (viewer->socket < 0)
        come(viewer);
    else
        switch (what & 0x7u) {
        case 0:
            ask(viewer, CROSSVM_WIRE_OBSERVE);
            break;
        case 1:
            ask(viewer, CROSSVM_WIRE_INFO);
            break;
        case 2:
            send_raw(viewer, input);
            break;
        case 3:
            while (take_message(world, viewer))
                ;
            break;
        case 4:
        case 5:
            for (unsigned int n = what >> 5 ? 1 : 32; n; n--) /* until sockets are full */
                hub_end_set_state(world->stage.ends[1], (what >> 3 & 3u) % (CROSSVM_DRIVER_OPEN + 1));
            break;
        case 6:
            stage_act(&world->stage, input);
            break;
        default:
            leave(viewer);
            break;
        }
    if (!(what & 0x80u))
        stage_serve(&world->stage);
}

static void leave_all(void *who)
{
    struct world *world = who;

    for (size_t i = 0; i < VIEWERS; i++)
        leave(&world->viewers[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world;

    stage_open(&world.stage, CROSSVM_DOOR_HOST, &input);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path("x.view"));
    world.view = hub_view_open(world.stage.loop, world.stage.connection, address.sun_path);
    REQUIRE(world.view);
    for (size_t i = 0; i < VIEWERS; i++)
        world.viewers[i] = (struct viewer){.socket = -1};
    while (input.left)
        act(&world, &input);
    if (!world.stage.hub_goes_first) {
        leave_all(&world);
        stage_serve(&world.stage);
    }
    hub_view_close(world.view);
    stage_close(&world.stage, leave_all, &world);
    return 0;
}
