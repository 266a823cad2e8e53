/* SPDX-License-Identifier: BSD-2-Clause */
/* VMMs with ivshmem-doorbell: what they send, and the region, which a guest writes as it likes. */
#include "fuzz.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <crossvm/device.h>

#include "../../src/common/read_nowait.h"
#include "../../src/wire/descriptors.h"
#include "stage.h"

#define VMMS 3
#define MESSAGES 6 /* that the hub sends to each */

/* What comes with them, in this order */
enum { REGION, TO_PEER, TO_HUB, FROM_PEER, GIVEN };

struct vmm {
    int socket;       /* -1: none */
    int given[GIVEN]; /* -1: not yet */
    int received;     /* messages */
};

struct world {
    struct stage stage;
    struct vmm vmms[VMMS];
    struct vmm *vmm; /* the one that acts */
};

static void come(struct world *world)
{
    *world->vmm = (struct vmm){.socket = stage_connect(&world->stage, SOCK_STREAM), .given = {-1, -1, -1, -1}};
}

static void leave(struct vmm *vmm)
{
    for (size_t i = 0; i < GIVEN; i++) {
        if (vmm->given[i] >= 0)
            close(vmm->given[i]);
        vmm->given[i] = -1;
    }
    if (vmm->socket >= 0)
        close(vmm->socket);
    vmm->socket = -1;
}

/* --- the socket --- */

static void send_raw(struct world *world, struct input *input)
{
    uint8_t bytes[32];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes)), num_fds;

    input_bytes(input, bytes, n);
    num_fds = n ? enemy_descriptors(input, fds, ENEMY_MOST_FDS) : 0; /* without a byte they would not be sent */
    (void)enemy_send(world->vmm->socket, bytes, n, fds, num_fds);
}

static bool take_message(struct world *world)
{
    static const int64_t numbers[MESSAGES] = {0, 0, -1, 1, CROSSVM_IVSHMEM_TO_HUB >> 16, 0};
    struct vmm *vmm = world->vmm;
    int64_t number;
    int fd;
    size_t n;
    ssize_t length = cvm_descriptors_receive(vmm->socket, &number, sizeof(number), &fd, 1, &n);

    if (length <= 0) {
        if (length == 0)
            leave(vmm);
        return false;
    }
    REQUIRE(length == sizeof(number) && vmm->received < MESSAGES);
    REQUIRE(number == numbers[vmm->received]);
    REQUIRE(n == (vmm->received >= 2));
    if (n)
        vmm->given[vmm->received - 2] = fd;
    vmm->received++;
    return true;
}

/* --- the guest --- */

static void store(const struct vmm *vmm, uint64_t offset, uint64_t value, size_t size)
{
    if (vmm->given[REGION] >= 0)
        (void)!pwrite(vmm->given[REGION], &value, size, (off_t)offset);
}

/* To the pages that the hub knows of. */
static void store_anything(struct world *world, struct input *input)
{
    uint64_t offset = input_number(input, 2) % CROSSVM_REGION_DATAPORTS;

    store(world->vmm, offset, input_number(input, 8), 8);
}

static void ring(const struct vmm *vmm, unsigned int doorbell, uint64_t count)
{
    if (vmm->given[doorbell] >= 0)
        (void)!write(vmm->given[doorbell], &count, sizeof(count)); /* the hub made them non-blocking */
}

static void store_driver(struct world *world, struct input *input)
{
    store(world->vmm, CROSSVM_REGION_DRIVER_PAGE(0), input_number(input, 4), 4);
    ring(world->vmm, TO_HUB, 1);
}

static void use_doorbell(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);
    uint64_t count = input_number(input, 8);
    unsigned int doorbell = TO_PEER + what % 3;

    if (what & 0x80u && world->vmm->given[doorbell] >= 0)
        (void)read_nowait(world->vmm->given[doorbell], &count, sizeof(count));
    else
        ring(world->vmm, doorbell, count);
}

/* --- all --- */

static void act(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);

    world->vmm = &world->vmms[(what >> 4 & 0x3u) % VMMS];
    if (world->vmm->socket < 0)
        come(world);
    else
        switch (what & 0x7u) {
        case 0:
            while (take_message(world))
                ;
            break;
        case 1:
            store_driver(world, input);
            break;
        case 2:
            store_anything(world, input);
            break;
        case 3:
            use_doorbell(world, input);
            break;
        case 4:
            send_raw(world, input);
            break;
        case 5:
            leave(world->vmm);
            break;
        default:
            stage_act(&world->stage, input);
            break;
        }
    if (!(what & 0x80u))
        stage_serve(&world->stage);
}

/* What the hub decides on is its own, whatever the region says. */
static void check(const struct world *world)
{
    const struct hub_end *end = world->stage.ends[0];
    const struct region *region = hub_end_region(end);
    struct stat status;

    REQUIRE(end->state <= CROSSVM_DRIVER_OPEN);
    REQUIRE(end->occupant || (end->state == CROSSVM_DRIVER_NONE && !end->report.msi));
    REQUIRE(end->report.msi == (end->state != CROSSVM_DRIVER_NONE));
    REQUIRE(fstat(region->memfd, &status) == 0 && status.st_size == 0x400000);
}

static void leave_all(void *who)
{
    struct world *world = who;

    for (size_t i = 0; i < VMMS; i++)
        leave(&world->vmms[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world = {0};

    stage_open(&world.stage, CROSSVM_DOOR_IVSHMEM, &input);
    for (size_t i = 0; i < VMMS; i++)
        world.vmms[i] = (struct vmm){.socket = -1, .given = {-1, -1, -1, -1}};
    while (input.left) {
        act(&world, &input);
        check(&world);
    }
    stage_close(&world.stage, leave_all, &world);
    return 0;
}
