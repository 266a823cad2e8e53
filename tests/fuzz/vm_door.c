/* SPDX-License-Identifier: BSD-2-Clause */
/* crossvm-vm at its door: any reports, or something else. */
#include "fuzz.h"

#include <sys/socket.h>

#include <crossvm/device.h>

#include "../../src/wire/descriptors.h"
#include "../../src/wire/wire.h"
#include "stage.h"

#define VMS 3

struct world {
    struct hub_asker asker; /* first */
    struct stage stage;
    int vms[VMS]; /* sockets; -1: none */
    int *vm;      /* the one that acts */
    bool waits;   /* for an answer */
};

static void answered(struct hub_asker *asker)
{
    struct world *world = (struct world *)asker;

    REQUIRE(world->waits);
    world->waits = false;
}

static void ask(struct world *world)
{
    bool waits = hub_end_ask(world->stage.ends[0], &world->asker);

    REQUIRE(waits == (world->stage.ends[0]->occupant != NULL));
    world->waits = waits;
}

static void leave(int *vm)
{
    if (*vm >= 0)
        close(*vm);
    *vm = -1;
}

/* --- what it sends --- */

static void send_report(struct world *world, struct input *input)
{
    struct crossvm_wire_report report = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_REPORT},
        .driver_state = (uint32_t)input_number(input, 1) & 3u,
        .generation = (uint32_t)input_number(input, 4),
        .msi = input_byte(input),
        .vm_exits = input_number(input, 8),
    };
    size_t size = input_byte(input) ? sizeof(report) : sizeof(report) - 1;

    (void)enemy_send(*world->vm, &report, size, NULL, 0);
}

static void send_raw(struct world *world, struct input *input)
{
    uint8_t bytes[128];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes)), num_fds;

    input_bytes(input, bytes, n);
    num_fds = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    (void)enemy_send(*world->vm, bytes, n, fds, num_fds);
}

/* --- what it receives --- */

static bool take_message(struct world *world)
{
    union {
        struct crossvm_wire_header header;
        struct crossvm_wire_driver driver;
        struct crossvm_wire_join join;
    } message = {0};
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS];
    size_t n;
    ssize_t length = cvm_descriptors_receive(*world->vm, &message, sizeof(message), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &n);

    if (length <= 0) {
        if (length == 0)
            leave(world->vm);
        return false;
    }
    REQUIRE(message.header.magic == CROSSVM_WIRE_MAGIC && message.header.version == CROSSVM_WIRE_VERSION);
    switch (message.header.type) {
    case CROSSVM_WIRE_JOIN:
        REQUIRE(length == sizeof(message.join) && n == CROSSVM_WIRE_JOIN_FIXED_FDS + STAGE_DATAPORTS);
        break;
    case CROSSVM_WIRE_DRIVER:
        REQUIRE(length == sizeof(message.driver) && n == 0 && message.driver.driver_state <= CROSSVM_DRIVER_OPEN);
        break;
    default:
        REQUIRE(message.header.type == CROSSVM_WIRE_INFO && length == sizeof(message.header) && n == 0);
        break;
    }
    while (n)
        close(fds[--n]);
    return true;
}

/* --- all --- */

static void act(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);

    world->vm = &world->vms[(what >> 4 & 0x3u) % VMS];
    if (*world->vm < 0)
        *world->vm = stage_connect(&world->stage, SOCK_SEQPACKET);
    else
        switch (what & 0xfu) {
        case 0:
        case 1:
        case 2:
            send_report(world, input);
            break;
        case 3:
            send_raw(world, input);
            break;
        case 4:
            while (take_message(world))
                ;
            break;
        case 5:
            ask(world);
            break;
        case 6:
            /* Until the socket is full */
            for (unsigned int n = 32; n; n--)
                hub_end_set_state(world->stage.ends[1], CROSSVM_DRIVER_BOUND);
            ask(world);
            break;
        case 7:
            leave(world->vm);
            break;
        default:
            stage_act(&world->stage, input);
            break;
        }
    if (!(what & 0x80u))
        stage_serve(&world->stage);
}

static void check(const struct world *world)
{
    const struct hub_end *end = world->stage.ends[0];

    REQUIRE(end->state <= CROSSVM_DRIVER_OPEN);
    REQUIRE(end->occupant || (end->state == CROSSVM_DRIVER_NONE && !end->report.msi && !end->report.vm_exits));
    REQUIRE(end->occupant || !world->waits);
}

static void leave_all(void *who)
{
    struct world *world = who;

    for (size_t i = 0; i < VMS; i++)
        leave(&world->vms[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world = {.asker.answered = answered, .vms = {-1, -1, -1}};

    stage_open(&world.stage, CROSSVM_DOOR_CROSSVM_VM, &input);
    while (input.left) {
        act(&world, &input);
        check(&world);
    }
    stage_close(&world.stage, leave_all, &world);
    REQUIRE(!world.waits);
    return 0;
}
