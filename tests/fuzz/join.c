/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that is no hub, at the socket that crossvm-vm joins: JOIN messages and news of any kind, with any
 * descriptors, and what a peer does to the memory and doorbells. The VM is one without KVM.
 */
#include "fuzz.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include <crossvm/device.h>

#include "../../src/common/name.h"
#include "../../src/common/shared_event.h"
#include "../../src/vm/join.h"
#include "../../src/wire/checks.h"
#include "../../src/wire/foreign.h"
#include "clock.h"
#include "enemy.h"

struct world {
    vm_t vm;
    vmm_pci_space_t *pci;
    struct loop *loop;
    struct wiring wiring;
    struct join join;
    crossvm_connection_t *connection;
    uintptr_t registers;
    vmm_pci_entry_t *function;
    int hub;      /* the process's side of the socket; -1: closed */
    int page;     /* of the peer, as the process sent it; -1: none */
    int doorbell; /* of the guest; -1: none */
};

/* --- the process --- */

/* A descriptor that a hub would give in this place; the process keeps those that it uses later. */
static int good_descriptor(struct world *world, size_t i)
{
    static const uint8_t kinds[] = {0 /* an eventfd */, 3, 9 /* 2 MiB, sealed */};
    struct input input = {i < 2 ? kinds : kinds + 1, 2};
    int fd = enemy_descriptor(&input);

    if (i == 1 && world->doorbell < 0)
        world->doorbell = dup(fd);
    if (i == 3 && world->page < 0)
        world->page = dup(fd);
    return fd;
}

/* Like a hub's, and then a few bytes changed. */
static void send_join(struct world *world, struct input *input)
{
    uint8_t what = input_byte(input), changes = input_choice(input, 4);
    struct crossvm_wire_join join = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_JOIN},
        .name = "x",
        .end = what >> 2 & 1u,
        .base_block_only = what >> 3 & 1u,
        .num_dataports = what & 3u,
        .peer_is_host = what >> 4 & 1u,
    };
    size_t size = sizeof(join) - (what & 0x80u ? input_byte(input) % sizeof(join) : 0u), n = 0;
    int fds[ENEMY_MOST_FDS];

    for (size_t i = 0; i < join.num_dataports; i++) {
        join.dataports[i].size = 0x1000u << input_choice(input, 12);
        join.dataports[i].offset = (uint64_t)input_byte(input) << 12;
        join.dataports[i].rights = CROSSVM_RIGHT_READ | (i & 1u ? 0 : CROSSVM_RIGHT_WRITE);
    }
    for (uint8_t i = 0; i < changes; i++) {
        size_t at = input_number(input, 2) % sizeof(join);

        ((uint8_t *)&join)[at] = input_byte(input);
    }
    if (what & 0x40u)
        n = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    else
        for (; n < CROSSVM_WIRE_JOIN_FIXED_FDS + (what & 3u); n++)
            fds[n] = what & 0x20u && input_byte(input) & 1u ? enemy_descriptor(input) : good_descriptor(world, n);
    (void)enemy_send(world->hub, &join, size, fds, n);
}

static void send_news(struct world *world, struct input *input)
{
    struct crossvm_wire_driver news = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER},
        .driver_state = input_byte(input),
        .generation = input_byte(input),
    };

    (void)enemy_send(world->hub, &news, sizeof(news), NULL, 0);
}

static void send_question(struct world *world)
{
    struct crossvm_wire_header question = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_INFO};

    (void)enemy_send(world->hub, &question, sizeof(question), NULL, 0);
}

static void send_raw(struct world *world, struct input *input)
{
    uint8_t bytes[64];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes));

    input_bytes(input, bytes, n);
    (void)enemy_send(world->hub, bytes, n, fds, enemy_descriptors(input, fds, ENEMY_MOST_FDS));
}

/* A hub that was slow takes all reports. */
static void take_reports(const struct world *world)
{
    struct crossvm_wire_report report;
    ssize_t length;

    while ((length = recv(world->hub, &report, sizeof(report), MSG_DONTWAIT)) >= 0) {
        if (length == 0)
            return; /* the VM has gone */
        REQUIRE(length == sizeof(report) && wire_header_is_of(&report.header, CROSSVM_WIRE_REPORT));
        REQUIRE(report.driver_state <= CROSSVM_DRIVER_OPEN);
    }
}

/* The peer counts as it likes, and signals. */
static void emit(const struct world *world, struct input *input)
{
    uint64_t count = input_number(input, 8);

    if (world->page >= 0)
        (void)!pwrite(world->page, &count, sizeof(count), 0);
    if (world->doorbell >= 0)
        (void)shared_event_signal(world->doorbell, 1);
}

/* --- the VM --- */

static int alloc_irq(void)
{
    return kvm_irq_allocate();
}

static int send_msi(vm_t *vm, const crossvm_msi_t *msi)
{
    return kvm_msi_send(vm, msi->address, msi->data, msi->requester);
}

static void make_vm(struct world *world)
{
    (void)kvm_use_backend_none();
    REQUIRE(vm_init(&world->vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "fuzz") == 0);
    REQUIRE(vm_create_default_irq_controller(&world->vm) == 0);
    REQUIRE(vm_create_vcpu(&world->vm, 0));
    REQUIRE(vmm_pci_init(&world->pci) == 0);
    REQUIRE(kvm_pci_attach(&world->vm, world->pci) == 0);
    kvm_irq_allocator_use(&world->vm);
    world->loop = loop_create();
    REQUIRE(world->loop);
}

static void destroy_vm(struct world *world)
{
    join_close(&world->join);
    wiring_destroy(&world->wiring);
    crossvm_remove_all(&world->vm);
    kvm_vm_destroy(&world->vm);
    kvm_pci_free(world->pci);
    loop_destroy(world->loop);
}

/* As main() does it. False: the connection was refused, which ends the process. */
static bool join(struct world *world, int socket)
{
    crossvm_dataport_config_t dataports[CROSSVM_MAX_DATAPORTS];
    crossvm_connection_config_t config;
    crossvm_bus_t bus = {
        .vm = &world->vm, .pci = world->pci, .base = KVM_PCI_WINDOW_BASE, .alloc_irq = alloc_irq, .send_msi = send_msi};
    crossvm_connection_info_t info;
    char where[16];

    (void)snprintf(where, sizeof(where), "%d", socket);
    if (join_open(&world->join, where, &world->wiring, &world->vm))
        return false;
    REQUIRE(name_is_valid(world->wiring.name));
    wiring_describe(&world->wiring, &config, dataports);
    if (crossvm_install(&bus, &config, 1, &world->connection))
        return false;
    if (wiring_attach(&world->wiring, world->connection, world->loop))
        return false;
    REQUIRE(join_start(&world->join) == 0);
    crossvm_get_connection_info(world->connection, &info);
    world->registers = info.bar_address[CROSSVM_BAR_EVENT];
    world->function = find_device(world->pci, info.pci);
    REQUIRE(world->function);
    return true;
}

/* As the loop does it, for what the socket and the doorbell hold. */
static void serve(struct world *world)
{
    struct pollfd socket = {.fd = world->join.source.fd};

    while (world->wiring.driver_changed) { /* or the hub was lost */
        socket.events = world->join.late ? POLLIN | POLLOUT : POLLIN;
        if (poll(&socket, 1, 0) != 1)
            break;
        world->join.source.handle(&world->join.source, (uint32_t)socket.revents);
    }
    world->wiring.guest_doorbell_source.handle(&world->wiring.guest_doorbell_source, EPOLLIN);
}

/* A VM without KVM signals doorbells by write(). KVM itself takes eventfds only, and never waits. */
static bool takes_signals(int doorbell)
{
    struct pollfd room = {.fd = doorbell, .events = POLLOUT};

    return foreign_is_eventfd(doorbell) && poll(&room, 1, 0) == 1;
}

/* The guest stores to a register: one of those that do something, or any. */
static void store(struct world *world, struct input *input)
{
    static const uint16_t registers[] = {CROSSVM_REG_EMIT, CROSSVM_REG_COUNT, CROSSVM_REG_SEEN, CROSSVM_REG_DRIVER,
                                         CROSSVM_REG_DOORBELL};
    uint8_t what = input_byte(input);
    size_t offset = what & 0x80u ? registers[what % 5] : input_number(input, 1) * 4;
    uint32_t value = what & 0x40u ? (uint32_t)input_number(input, 4) : input_byte(input) & 3u;

    if (!takes_signals(world->wiring.peer_doorbell))
        return;
    (void)kvm_test_fault(world->vm.vcpus[BOOT_VCPU], world->registers + offset, 4, false, value, NULL);
}

/* It enables its device, INTx or messages, or writes anything. */
static void config_write(struct world *world, struct input *input)
{
    static const uint8_t offsets[] = {0x04 /* COMMAND */, 0x42 /* control of MSI */, 0x44 /* its address */};
    uint8_t what = input_byte(input);
    int offset = what & 0x80u ? input_byte(input) : offsets[what % 3];

    REQUIRE(world->function->iowrite(world->function->cookie, offset, 1 << (what >> 2) % 3, input_byte(input)) == 0);
}

/* --- all --- */

static void act(struct world *world, struct input *input)
{
    switch (input_choice(input, 9)) {
    case 0:
        send_news(world, input);
        break;
    case 1:
        send_question(world);
        break;
    case 2:
        send_raw(world, input);
        break;
    case 3:
        emit(world, input);
        break;
    case 4:
        store(world, input);
        break;
    case 5:
        send_join(world, input); /* a second one */
        break;
    case 6:
        (void)shutdown(world->hub, SHUT_WR);
        break;
    case 7:
        take_reports(world);
        break;
    default:
        config_write(world, input);
        break;
    }
    serve(world);
    REQUIRE(crossvm_get_register(world->connection, CROSSVM_REG_PEER_STATE) <= CROSSVM_PEER_READY);
}

static void begin(struct world *world, struct input *input)
{
    switch (input_choice(input, 16)) {
    case 0:
        send_raw(world, input);
        break;
    case 14:
        (void)shutdown(world->hub, SHUT_WR);
        break;
    case 15: /* nothing at all */
        break;
    default:
        send_join(world, input);
        break;
    }
}

static void prepare(void)
{
    static bool prepared;

    if (!prepared)
        drop_messages();
    prepared = true;
    REQUIRE(shared_event_prepare() == 0);
    clock_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct world world = {.page = -1, .doorbell = -1};
    static const int few = 4608; /* bytes: the socket is soon full of reports */
    int ends[2], descriptors;

    prepare();
    descriptors = count_descriptors();
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    REQUIRE(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)) == 0);
    world.hub = ends[0];
    make_vm(&world);
    begin(&world, &input);
    if (join(&world, ends[1])) {
        while (input.left)
            act(&world, &input);
    }
    destroy_vm(&world);
    close(world.hub);
    if (world.page >= 0)
        close(world.page);
    if (world.doorbell >= 0)
        close(world.doorbell);
    REQUIRE(count_descriptors() == descriptors);
    return 0;
}
