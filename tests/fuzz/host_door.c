/* SPDX-License-Identifier: BSD-2-Clause */
/* Host programs at their door: more than it has room for, that ask anything, do not listen, and share what they got. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <crossvm/device.h>

#include "../../src/common/name.h"
#include "../../src/common/read_nowait.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/door.h"
#include "../../src/wire/hang_up.h"
#include "../../src/wire/wire.h"
#include "stage.h"

#define PROGRAMS (DOOR_MAX_CLIENTS + 4)

struct program {
    int socket; /* -1: none */
    bool owns;  /* it was told that it owns the end */
};

struct world {
    struct stage stage;
    struct program programs[PROGRAMS];
    struct program *program; /* the one that acts */
    int doorbells[2];        /* of the last owner: from and to the peer; -1: none */
};

static void leave(struct program *program)
{
    if (program->socket >= 0)
        close(program->socket);
    *program = (struct program){.socket = -1};
}

/* --- asking --- */

static void send_request(struct world *world, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    (void)enemy_send(world->program->socket, &request, sizeof(request), NULL, 0);
}

static void send_raw(struct world *world, struct input *input)
{
    uint8_t bytes[64];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes)), num_fds;

    input_bytes(input, bytes, n);
    num_fds = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    (void)enemy_send(world->program->socket, bytes, n, fds, num_fds);
}

/* --- listening --- */

static void take_doorbells(struct world *world, const int *fds, size_t n)
{
    for (size_t i = 0; i < 2; i++) {
        if (world->doorbells[i] >= 0)
            close(world->doorbells[i]);
        world->doorbells[i] = fds[i];
    }
    for (size_t i = 2; i < n; i++)
        close(fds[i]);
}

static void check_reply(const struct crossvm_wire_reply *reply)
{
    REQUIRE(name_is_valid(reply->name));
    REQUIRE(reply->status == 0 || reply->status == EBUSY);
    REQUIRE(strcmp(reply->vm, "") == 0);
    REQUIRE(reply->peer_end == 1);
    REQUIRE(reply->driver_state <= CROSSVM_DRIVER_OPEN);
    REQUIRE(reply->num_dataports == STAGE_DATAPORTS);
    REQUIRE(reply->dataports[1].rights == CROSSVM_RIGHT_READ);
}

static bool take_message(struct world *world)
{
    union {
        struct crossvm_wire_header header;
        struct crossvm_wire_driver driver;
        struct crossvm_wire_reply reply;
    } message = {0};
    int fds[CROSSVM_WIRE_MAX_FDS];
    size_t n;
    ssize_t length =
        cvm_descriptors_receive(world->program->socket, &message, sizeof(message), fds, CROSSVM_WIRE_MAX_FDS, &n);

    if (length <= 0) {
        if (length == 0)
            leave(world->program); /* it was dropped */
        return false;
    }
    REQUIRE(message.header.magic == CROSSVM_WIRE_MAGIC && message.header.version == CROSSVM_WIRE_VERSION);
    if (message.header.type == CROSSVM_WIRE_DRIVER) {
        REQUIRE(length == sizeof(message.driver) && n == 0);
        REQUIRE(message.driver.driver_state <= CROSSVM_DRIVER_OPEN);
        return true;
    }
    REQUIRE(length == sizeof(message.reply));
    check_reply(&message.reply);
    if (message.header.type == CROSSVM_WIRE_INFO || message.reply.status) {
        REQUIRE(n == 0);
        return true;
    }
    REQUIRE(message.header.type == CROSSVM_WIRE_ATTACH && n == CROSSVM_WIRE_FIXED_FDS + STAGE_DATAPORTS);
    take_doorbells(world, fds, n);
    world->program->owns = true;
    return true;
}

/* --- what an owner does, or a child of one --- */

static void use_doorbell(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);
    uint64_t count = input_number(input, 8);
    int doorbell = world->doorbells[what & 1u];

    if (doorbell < 0)
        return;
    if (what & 2u) {
        (void)read_nowait(doorbell, &count, sizeof(count));
    } else if (what & 4u) {
        (void)fcntl(doorbell, F_SETFL, what & 8u ? O_NONBLOCK : 0);
    } else if (fcntl(doorbell, F_GETFL) & O_NONBLOCK) {
        (void)!write(doorbell, &count, sizeof(count));
    }
}

/* --- all --- */

static void act(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);

    world->program = &world->programs[input_choice(input, PROGRAMS)];
    if (world->program->socket < 0)
        world->program->socket = stage_connect(&world->stage, SOCK_SEQPACKET);
    else
        switch (what & 0x7u) {
        case 0:
            send_request(world, CROSSVM_WIRE_ATTACH);
            break;
        case 1:
            send_request(world, CROSSVM_WIRE_INFO);
            break;
        case 2:
            send_raw(world, input);
            break;
        case 3:
            while (take_message(world))
                ;
            break;
        case 4:
            use_doorbell(world, input);
            break;
        case 5:
        case 6:
            /* Until the socket is full */
            for (unsigned int n = what >> 5 ? 1 : 32; n; n--)
                hub_end_set_state(world->stage.ends[1], (what >> 3 & 3u) % (CROSSVM_DRIVER_OPEN + 1));
            stage_act(&world->stage, input);
            break;
        default:
            leave(world->program);
            break;
        }
    if (!(what & 0x80u))
        stage_serve(&world->stage);
}

static void check(const struct world *world)
{
    const struct hub_end *end = world->stage.ends[0];
    int owners = 0;

    for (size_t i = 0; i < PROGRAMS; i++)
        owners += world->programs[i].owns && !has_hung_up(world->programs[i].socket); /* else it was dropped */
    REQUIRE(owners <= 1);
    REQUIRE(owners == 0 || end->occupant);
    REQUIRE(end->state == (end->occupant ? CROSSVM_DRIVER_OPEN : CROSSVM_DRIVER_NONE));
}

static void leave_all(void *who)
{
    struct world *world = who;

    for (size_t i = 0; i < PROGRAMS; i++)
        leave(&world->programs[i]);
    take_doorbells(world, (const int[]){-1, -1}, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world = {.doorbells = {-1, -1}};

    stage_open(&world.stage, CROSSVM_DOOR_HOST, &input);
    for (size_t i = 0; i < PROGRAMS; i++)
        world.programs[i].socket = -1;
    while (input.left) {
        act(&world, &input);
        check(&world);
    }
    stage_close(&world.stage, leave_all, &world);
    return 0;
}
