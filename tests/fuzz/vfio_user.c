/* SPDX-License-Identifier: BSD-2-Clause */
/* VMMs at a door for vfio-user: messages in any order, cut anywhere, with any descriptors; VMMs that leave and come. */
#include "fuzz.h"

#include <sys/socket.h>

#include <crossvm/device.h>

#include "../../src/wire/descriptors.h"
#include "../../src/wire/vfio_user.h"
#include "stage.h"

#define VMMS 3
#define HEADER 16 /* bytes */

struct world {
    struct stage stage;
    int vmms[VMMS];    /* sockets; -1: none */
    int *vmm;          /* the one that acts */
    int memory;        /* that came with the last reply; or -1 */
    uint64_t may_emit; /* events that guests may have emitted by registers */
    bool lied;         /* a guest may have stored to memory in which it counts its events */
    uint8_t message[VFIO_USER_MAX_MESSAGE];
    size_t size;
};

static void come(struct world *world)
{
    *world->vmm = stage_connect(&world->stage, SOCK_STREAM);
}

/* The hub may have the socket itself, as a descriptor that was sent: closing it here might not be its end. */
static void leave(int *vmm)
{
    if (*vmm < 0)
        return;
    (void)shutdown(*vmm, SHUT_RDWR);
    close(*vmm);
    *vmm = -1;
}

/* --- messages --- */

static void put(struct world *world, const void *bytes, size_t n)
{
    memcpy(world->message + world->size, bytes, n);
    world->size += n;
}

static void put32(struct world *world, uint32_t value)
{
    put(world, &value, sizeof(value));
}

static void begin(struct world *world, uint16_t command, uint32_t flags)
{
    static const uint16_t id = 7;

    world->size = 0;
    put(world, &id, sizeof(id));
    put(world, &command, sizeof(command));
    put32(world, 0); /* the size */
    put32(world, flags);
    put32(world, 0);
}

/* Sends the message in one or two pieces, descriptors with the first. */
static void send_message(struct world *world, size_t cut, int *fds, size_t n)
{
    uint32_t size = (uint32_t)world->size;

    memcpy(world->message + 4, &size, sizeof(size));
    if (cut == 0 || cut >= world->size)
        cut = world->size;
    if (!enemy_send(*world->vmm, world->message, cut, fds, n) || cut == world->size)
        return;
    stage_serve(&world->stage);
    (void)send(*world->vmm, world->message + cut, world->size - cut, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_version(struct world *world)
{
    static const char version[] = "\0\0\0\0{}";

    begin(world, VFIO_USER_VERSION, 0);
    put(world, version, sizeof(version));
    send_message(world, 0, NULL, 0);
}

/* A message whose header alone is as it should be. */
static void send_any(struct world *world, struct input *input)
{
    int fds[ENEMY_MOST_FDS];
    uint8_t command = input_byte(input), flags = input_byte(input), cut = input_byte(input), body[128];
    size_t n = input_choice(input, sizeof(body)), num_fds;

    input_bytes(input, body, n);
    num_fds = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    begin(world, command & 0x1f, flags);
    put(world, body, n);
    world->lied = true;
    send_message(world, cut, fds, num_fds);
}

/* A message that says no more than its command, and may want no reply; shared memory comes with a descriptor. */
static void send_plain(struct world *world, struct input *input)
{
    static const struct {
        uint16_t command;
        uint8_t words;
    } messages[] = {{VFIO_USER_RESET, 0}, {VFIO_USER_GET_INFO, 4}, {VFIO_USER_DMA_MAP, 8}, {VFIO_USER_DMA_UNMAP, 6}};
    uint8_t which = input_byte(input);
    int fds[ENEMY_MOST_FDS];

    begin(world, messages[which & 3u].command, which << 1 & 0x10u);
    for (uint8_t i = 0; i < messages[which & 3u].words; i++)
        put32(world, 0);
    send_message(world, 0, fds, which & 4u ? enemy_descriptors(input, fds, 1) : 0);
}

static void send_question(struct world *world, struct input *input)
{
    uint8_t which = input_byte(input);
    bool region = which & 0x80u;
    uint32_t room = input_byte(input);

    begin(world, region ? VFIO_USER_GET_REGION_INFO : VFIO_USER_GET_IRQ_INFO, 0);
    put32(world, room);
    put32(world, 0);
    put32(world, which & 0xfu);
    for (int i = 3; i < (region ? 8 : 4); i++)
        put32(world, 0);
    send_message(world, 0, NULL, 0);
}

static void send_irqs(struct world *world, struct input *input)
{
    uint8_t flags = input_byte(input), index = input_byte(input), value = input_byte(input);
    int fds[ENEMY_MOST_FDS];

    begin(world, VFIO_USER_SET_IRQS, 0);
    put32(world, 20);
    if (!(flags & 0x80u)) /* one kind of data, and one action */
        flags = (uint8_t)(1u << (flags & 3u) % 3 | 8u << (flags >> 2 & 3u) % 3);
    put32(world, flags & 0x3fu);
    put32(world, index & 7u);
    put32(world, index >> 6 & 1u);
    put32(world, !(index & 0x80u));                            /* the count */
    if ((flags & 2u && !(index & 0x80u)) != !!(index & 0x20u)) /* or a value too few, or too many */
        put(world, &value, 1);
    send_message(world, 0, fds, flags & 4u ? enemy_descriptors(input, fds, 1) : 0);
}

static bool is_count(uint32_t region, uint64_t offset)
{
    return region == CROSSVM_BAR_EVENT && offset >= CROSSVM_PAGE_SIZE;
}

static void send_access(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input), size = input_byte(input), data[VFIO_USER_MAX_TRANSFER];
    uint64_t offset = input_number(input, what & 0x40u ? 8 : 2);
    uint32_t region = what & 0xfu, count = what & 0x20u ? size * 17u : size & 0xfu;
    bool stores = what & 0x80u;

    if (count > VFIO_USER_MAX_TRANSFER)
        count = VFIO_USER_MAX_TRANSFER;
    begin(world, stores ? VFIO_USER_REGION_WRITE : VFIO_USER_REGION_READ, what & 0x10u);
    put(world, &offset, sizeof(offset));
    put32(world, region);
    put32(world, count);
    if (stores) {
        input_bytes(input, data, count);
        put(world, data, count);
        world->may_emit++;
        world->lied |= is_count(region, offset);
    }
    send_message(world, 0, NULL, 0);
}

/* A store to a register, as a guest's driver makes it, or its VMM for it; or of another size. */
static void send_register(struct world *world, struct input *input)
{
    static const uint16_t offsets[] = {
        CROSSVM_REG_EMIT,     CROSSVM_REG_COUNT,        CROSSVM_REG_SEEN,    CROSSVM_REG_DRIVER,
        CROSSVM_REG_DOORBELL, CROSSVM_REG_DRIVER_ALONE, CROSSVM_REG_OWN_SEQ, 0x04 /* COMMAND of configuration space */};
    static const uint8_t sizes[] = {4, 4, 4, 4, 8, 2, 1, 0};
    uint8_t what = input_byte(input);
    uint64_t value = what & 0x80u ? input_number(input, 8) : input_byte(input) & 7u, offset = offsets[what & 7u];
    uint32_t size = sizes[what >> 3 & 7u];

    begin(world, VFIO_USER_REGION_WRITE, 0);
    put(world, &offset, sizeof(offset));
    put32(world, (what & 7u) == 7 ? VFIO_USER_CONFIG : CROSSVM_BAR_EVENT);
    put32(world, size);
    put(world, &value, size);
    world->may_emit++;
    world->lied |= offset == CROSSVM_REG_OWN_SEQ;
    send_message(world, 0, NULL, 0);
}

static void send_raw(struct world *world, struct input *input)
{
    uint8_t bytes[255];
    size_t n = input_byte(input), num_fds;
    int fds[ENEMY_MOST_FDS];

    input_bytes(input, bytes, n);
    num_fds = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    world->lied = true;
    (void)enemy_send(*world->vmm, bytes, n, fds, num_fds);
}

/* Its own socket, which the hub then keeps: as an eventfd for INTx, MSI or unmasking. */
static void send_own_socket(struct world *world, struct input *input)
{
    uint8_t which = input_byte(input);
    int own = dup(*world->vmm);

    REQUIRE(own >= 0);
    begin(world, VFIO_USER_SET_IRQS, 0);
    put32(world, 20);
    put32(world, which & 2u ? 0x14 : 0x24);
    put32(world, which & 1u);
    put32(world, 0);
    put32(world, 1);
    send_message(world, 0, &own, 1);
}

/* The last message many times, until the hub takes no more: the replies may fill the socket. */
static void repeat(struct world *world, struct input *input)
{
    size_t n = input_byte(input);

    for (size_t i = 0; i < n && world->size >= HEADER; i++) {
        if (world->message[2] == VFIO_USER_REGION_WRITE)
            world->may_emit++;
        if (!enemy_send(*world->vmm, world->message, world->size, NULL, 0))
            return;
        stage_serve(&world->stage);
    }
}

/* --- replies --- */

static void take_memory(struct world *world, int fd)
{
    if (fd < 0)
        return;
    if (world->memory >= 0)
        close(world->memory);
    world->memory = fd;
}

/* Receives a reply in one piece: a hub sends it in one. */
static void check_reply(const uint8_t *reply, size_t size)
{
    uint32_t told, flags, error;

    memcpy(&told, reply + 4, sizeof(told));
    memcpy(&flags, reply + 8, sizeof(flags));
    memcpy(&error, reply + 12, sizeof(error));
    REQUIRE(told == size);
    REQUIRE((flags & ~0x20u) == 1);
    REQUIRE(!(flags & 0x20u) == !error);
    REQUIRE(!error || size == HEADER);
}

static bool take_reply(struct world *world)
{
    uint8_t reply[VFIO_USER_MAX_MESSAGE];
    int fd = -1;
    size_t n;
    uint32_t size;

    if (recv(*world->vmm, reply, HEADER, MSG_PEEK | MSG_DONTWAIT) != HEADER)
        return false;
    memcpy(&size, reply + 4, sizeof(size));
    REQUIRE(size >= HEADER && size <= sizeof(reply));
    REQUIRE(cvm_descriptors_receive(*world->vmm, reply, size, &fd, 1, &n) == (ssize_t)size);
    REQUIRE(n <= 1);
    check_reply(reply, size);
    take_memory(world, fd);
    return true;
}

static void take_replies(struct world *world)
{
    while (take_reply(world))
        ;
}

/* --- the guest --- */

/* Stores to what the VMM has mapped. */
static void store_mapped(struct world *world, struct input *input)
{
    uint64_t offset = input_number(input, 2) * 8 % 0x10000, value = input_number(input, 8);

    world->lied = true;
    if (world->memory >= 0)
        (void)!pwrite(world->memory, &value, sizeof(value), (off_t)offset);
}

/* --- all --- */

static void act(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input);

    world->vmm = &world->vmms[(what >> 4 & 0x3u) % VMMS];
    if (*world->vmm < 0)
        come(world);
    else
        switch (what & 0xfu) {
        case 0:
            send_version(world);
            break;
        case 1:
            send_plain(world, input);
            break;
        case 2:
            send_any(world, input);
            break;
        case 3:
            send_question(world, input);
            break;
        case 4:
        case 5:
            send_irqs(world, input);
            break;
        case 6:
        case 7:
            send_access(world, input);
            break;
        case 8:
            send_register(world, input);
            break;
        case 9:
            send_raw(world, input);
            break;
        case 10:
            send_own_socket(world, input);
            break;
        case 11:
            repeat(world, input);
            break;
        case 12:
            take_replies(world);
            break;
        case 13:
            store_mapped(world, input);
            break;
        case 14:
            stage_act(&world->stage, input);
            break;
        default:
            leave(world->vmm);
            break;
        }
    if (!(what & 0x80u))
        stage_serve(&world->stage);
}

static void check(struct world *world)
{
    uint64_t emitted = hub_end_peer_count(world->stage.ends[1]);

    /* A store emits one event at most. */
    REQUIRE(world->lied || emitted <= world->may_emit);
    REQUIRE(world->stage.ends[0]->state <= CROSSVM_DRIVER_OPEN);
    REQUIRE(world->stage.ends[0]->occupant || world->stage.ends[0]->state == CROSSVM_DRIVER_NONE);
}

static void leave_all(void *who)
{
    struct world *world = who;

    for (size_t i = 0; i < VMMS; i++)
        leave(&world->vmms[i]);
    if (world->memory >= 0)
        close(world->memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world = {.vmms = {-1, -1, -1}, .memory = -1};

    stage_open(&world.stage, CROSSVM_DOOR_VFIO_USER, &input);
    while (input.left) {
        act(&world, &input);
        check(&world);
    }
    stage_close(&world.stage, leave_all, &world);
    return 0;
}
