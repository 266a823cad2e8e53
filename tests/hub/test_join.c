/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door for crossvm-vm: the test is the hub and both VMs' processes, which join, tell, end and join again. The VM's
 * half runs in a VM without KVM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../../src/hub/connection.h"
#include "../../src/hub/door.h"
#include "../../src/hub/view.h"
#include "../../src/vm/join.h"
#include "../../src/wire/descriptors.h"

#define DATA_SIZE 0x3000
#define HUGE_SIZE 0x200000

/* A VM at one end, up to its installed device. */
struct guest {
    vm_t vm;
    vmm_pci_space_t *pci;
    struct loop *loop;
    struct wiring wiring;
    struct join join;
    crossvm_connection_t *connection;
    uintptr_t registers;
};

static int alloc_irq(void)
{
    return kvm_irq_allocate();
}

static int send_msi(vm_t *vm, const crossvm_msi_t *msi)
{
    return kvm_msi_send(vm, msi->address, msi->data, msi->requester);
}

/* socket: from connect_to_hub() */
static void guest_start(struct guest *guest, int socket)
{
    crossvm_dataport_config_t dataports[CROSSVM_MAX_DATAPORTS];
    crossvm_connection_config_t config;
    crossvm_bus_t bus;
    crossvm_connection_info_t info;
    char where[16];

    (void)snprintf(where, sizeof(where), "%d", socket);
    memset(guest, 0, sizeof(*guest));
    (void)kvm_use_backend_none();
    assert_int_equal(vm_init(&guest->vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"), 0);
    assert_int_equal(vm_create_default_irq_controller(&guest->vm), 0);
    assert_non_null(vm_create_vcpu(&guest->vm, 0));
    assert_int_equal(vmm_pci_init(&guest->pci), 0);
    assert_int_equal(kvm_pci_attach(&guest->vm, guest->pci), 0);
    kvm_irq_allocator_use(&guest->vm);
    guest->loop = loop_create();
    assert_non_null(guest->loop);
    assert_int_equal(join_open(&guest->join, where, &guest->wiring, &guest->vm), 0);
    wiring_describe(&guest->wiring, &config, dataports);
    bus = (crossvm_bus_t){
        .vm = &guest->vm, .pci = guest->pci, .base = KVM_PCI_WINDOW_BASE, .alloc_irq = alloc_irq, .send_msi = send_msi};
    assert_int_equal(crossvm_install(&bus, &config, 1, &guest->connection), 0);
    assert_int_equal(wiring_attach(&guest->wiring, guest->connection, guest->loop), 0);
    assert_int_equal(join_start(&guest->join), 0);
    crossvm_get_connection_info(guest->connection, &info);
    guest->registers = info.bar_address[CROSSVM_BAR_EVENT];
}

/* The process ends. */
static void guest_end(struct guest *guest)
{
    join_close(&guest->join);
    wiring_destroy(&guest->wiring);
    crossvm_remove_all(&guest->vm);
    kvm_vm_destroy(&guest->vm);
    kvm_pci_free(guest->pci);
    loop_destroy(guest->loop);
}

static void store(struct guest *guest, size_t offset, uint32_t value)
{
    memory_fault_result_t result =
        kvm_test_fault(guest->vm.vcpus[BOOT_VCPU], guest->registers + offset, 4, false, value, NULL);

    assert_true(result == FAULT_HANDLED || result == FAULT_IGNORE);
}

static uint32_t load(const struct guest *guest, size_t offset)
{
    return crossvm_get_register(guest->connection, offset);
}

/* As the loop does it, for what its socket and its doorbell hold. */
static void guest_serve(struct guest *guest)
{
    char byte;

    while (recv(guest->join.source.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0)
        guest->join.source.handle(&guest->join.source, EPOLLIN);
    guest->wiring.guest_doorbell_source.handle(&guest->wiring.guest_doorbell_source, EPOLLIN);
}

struct pair {
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_door *doors[2];
    int stop; /* polls readable: the loop ends when it has served what was there before */
    struct guest a;
    struct guest b;
};

static char folder[] = "/tmp/crossvm-join-XXXXXX";

static const char *socket_path(int end)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%d.crossvm-vm", folder, end);
    return path;
}

/* What one turn sends, the next one receives. */
static void hub_serve_all(struct pair *pair)
{
    for (int i = 0; i < 4; i++)
        assert_int_equal(hub_loop_run(pair->loop, pair->stop), 0);
}

static void serve_all(struct pair *pair)
{
    hub_serve_all(pair);
    guest_serve(&pair->a);
    guest_serve(&pair->b);
}

/* A socket at which the hub has handed over an end, or closed. */
static int connect_to_hub(struct pair *pair, int end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path(end));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    hub_serve_all(pair);
    return fd;
}

static void pair_start(struct pair *pair, bool base_block_only)
{
    const struct hub_connection_config config = {
        .name = "link",
        .ends = {{.door = CROSSVM_DOOR_CROSSVM_VM}, {.door = CROSSVM_DOOR_CROSSVM_VM}},
        .dataports = {{.size = DATA_SIZE, .writer = base_block_only ? WRITER_BOTH : 1}},
        .num_dataports = 1,
        .base_block_only = base_block_only,
    };

    strcpy(folder, "/tmp/crossvm-join-XXXXXX");
    assert_non_null(mkdtemp(folder));
    pair->stop = eventfd(1, EFD_CLOEXEC);
    pair->loop = hub_loop_create();
    assert_non_null(pair->loop);
    pair->connection = hub_connection_create(pair->loop, &config);
    assert_non_null(pair->connection);
    for (unsigned int i = 0; i < 2; i++) {
        pair->doors[i] = hub_door_vm_open(pair->loop, hub_connection_end(pair->connection, i), socket_path((int)i));
        assert_non_null(pair->doors[i]);
    }
    guest_start(&pair->a, connect_to_hub(pair, 0));
    guest_start(&pair->b, connect_to_hub(pair, 1));
    serve_all(pair);
}

static void pair_end(struct pair *pair)
{
    guest_end(&pair->a);
    guest_end(&pair->b);
    hub_door_close(pair->doors[0]);
    hub_door_close(pair->doors[1]);
    hub_connection_destroy(pair->connection);
    hub_loop_destroy(pair->loop);
    close(pair->stop);
    assert_int_equal(rmdir(folder), 0);
}

/* The guest counts in its own page, then emits. */
static void guest_emit(struct guest *guest)
{
    (void)__atomic_fetch_add(guest->wiring.own_seq, 1, __ATOMIC_SEQ_CST);
    store(guest, CROSSVM_REG_DOORBELL, 1);
}

static void both_have_what_they_should(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    assert_int_equal(load(&pair.a, CROSSVM_REG_END), 0);
    assert_int_equal(load(&pair.b, CROSSVM_REG_END), 1);
    assert_int_equal(load(&pair.a, CROSSVM_REG_FEATURES), CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE);
    assert_int_equal(load(&pair.a, CROSSVM_REG_DATAPORT(0)), DATA_SIZE);
    assert_int_equal(load(&pair.a, CROSSVM_REG_DATAPORT(0) + CROSSVM_DATAPORT_RIGHTS), CROSSVM_RIGHT_READ);
    assert_int_equal(load(&pair.b, CROSSVM_REG_DATAPORT(0) + CROSSVM_DATAPORT_RIGHTS),
                     CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_ABSENT);
    pair_end(&pair);
}

/* A message at a view that is there. False: none is. */
static bool take_message(int viewer, struct crossvm_wire_observed *told)
{
    return recv(viewer, told, sizeof(*told), MSG_DONTWAIT) == (ssize_t)sizeof(*told);
}

/* The hub asks both VMs for their exits, answers at once, and tells whoever asked what they say: once. */
static void observers_hear_of_exits(void **state)
{
    const struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_INFO};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int viewer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct crossvm_wire_observed told;
    struct hub_view *view;
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/link.view", folder);
    view = hub_view_open(pair.loop, pair.connection, address.sun_path);
    assert_non_null(view);
    assert_int_equal(connect(viewer, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(viewer, &request, sizeof(request), 0), sizeof(request));
    hub_serve_all(&pair);
    assert_true(take_message(viewer, &told));
    assert_true(told.ends[0].asked && told.ends[1].asked);
    assert_false(take_message(viewer, &told));
    guest_serve(&pair.a);
    hub_serve_all(&pair);
    assert_true(take_message(viewer, &told));
    assert_true(!told.ends[0].asked && told.ends[1].asked);
    guest_serve(&pair.b);
    hub_serve_all(&pair);
    assert_true(take_message(viewer, &told));
    assert_true(!told.ends[0].asked && !told.ends[1].asked);
    assert_true(hub_end_ask(hub_connection_end(pair.connection, 0), NULL)); /* somebody else */
    serve_all(&pair);
    serve_all(&pair);
    assert_false(take_message(viewer, &told));
    close(viewer);
    hub_serve_all(&pair);
    hub_view_close(view);
    pair_end(&pair);
}

static void events_go_from_guest_to_guest(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    for (int i = 0; i < 3; i++)
        guest_emit(&pair.a);
    serve_all(&pair);
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 3);
    assert_int_equal(load(&pair.a, CROSSVM_REG_EVENT_SEQ), 0);
    guest_emit(&pair.b);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_EVENT_SEQ), 1);
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 3);
    pair_end(&pair);
}

/* A guest that knows no more than EMIT is counted for. */
static void plain_stores_are_counted(void **state)
{
    struct pair pair;

    (void)state;
    for (int base_block_only = 0; base_block_only < 2; base_block_only++) {
        pair_start(&pair, base_block_only);
        store(&pair.a, CROSSVM_REG_EMIT, 1);
        store(&pair.a, CROSSVM_REG_EMIT, 1);
        serve_all(&pair);
        assert_int_equal(load(&pair.b, CROSSVM_REG_COUNT), 2);
        pair_end(&pair);
    }
}

/* The other VM's process fills the count of what it shares, and makes it one to wait at. */
static void a_full_doorbell_stops_nobody(void **state)
{
    uint64_t count = UINT64_MAX - 1;
    struct pair pair;
    int doorbell;

    (void)state;
    for (int base_block_only = 0; base_block_only < 2; base_block_only++) {
        pair_start(&pair, base_block_only);
        doorbell = pair.b.wiring.guest_doorbell;
        assert_int_equal(write(doorbell, &count, sizeof(count)), sizeof(count));
        assert_int_equal(fcntl(doorbell, F_SETFL, 0), 0);
        for (int i = 0; i < 100; i++)
            store(&pair.a, CROSSVM_REG_EMIT, 1);
        serve_all(&pair);
        assert_int_equal(load(&pair.b, CROSSVM_REG_COUNT), 100);
        serve_all(&pair); /* nor does an empty one */
        pair_end(&pair);
    }
}

/* Whether the guest sees an interrupt pending. */
static bool is_pending(const struct guest *guest)
{
    crossvm_connection_info_t info;
    const vmm_pci_entry_t *function;
    uint32_t status = 0;

    crossvm_get_connection_info(guest->connection, &info);
    function = guest->pci->bus0[info.pci.dev][info.pci.fun];
    assert_int_equal(function->ioread(function->cookie, 0x06, 2, &status), 0);
    return status & 0x8;
}

/* A store to configuration space. */
static void configure(const struct guest *guest, int offset, int size, uint32_t value)
{
    crossvm_connection_info_t info;
    const vmm_pci_entry_t *function;

    crossvm_get_connection_info(guest->connection, &info);
    function = guest->pci->bus0[info.pci.dev][info.pci.fun];
    assert_int_equal(function->iowrite(function->cookie, offset, size, value), 0);
}

/* On a shared line nobody would claim it. */
static void without_news_there_is_no_interrupt(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    serve_all(&pair);
    assert_false(is_pending(&pair.b));
    guest_emit(&pair.a);
    serve_all(&pair);
    assert_true(is_pending(&pair.b));
    pair_end(&pair);
}

static void without_its_hub_nobody_is_there(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);
    hub_door_close(pair.doors[0]);
    pair.a.join.source.handle(&pair.a.join.source, EPOLLIN);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_ABSENT);
    pair.doors[0] = hub_door_vm_open(pair.loop, hub_connection_end(pair.connection, 0), socket_path(0));
    assert_non_null(pair.doors[0]);
    pair_end(&pair);
}

/* One that was given by its number is no more than what it is for. */
static void programs_do_not_inherit_the_socket(void **state)
{
    struct pair pair;
    int socket;

    (void)state;
    pair_start(&pair, false);
    guest_end(&pair.b);
    hub_serve_all(&pair);
    socket = connect_to_hub(&pair, 1);
    assert_int_equal(fcntl(socket, F_SETFD, 0), 0);
    guest_start(&pair.b, socket);
    assert_int_equal(pair.b.join.source.fd, socket);
    assert_int_equal(fcntl(socket, F_GETFD), FD_CLOEXEC);
    pair_end(&pair);
}

/* With MSI, KVM has the doorbell, and the guest looks at the peer's count by itself. Without it, it is told of all. */
static void what_came_while_kvm_had_the_doorbell_counts(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    configure(&pair.b, 0x04, 2, 0x6); /* memory, bus master */
    configure(&pair.b, 0x44, 4, 0xfee00000);
    configure(&pair.b, 0x4c, 2, 0x31);
    configure(&pair.b, 0x42, 2, 0x1);
    assert_int_equal(load(&pair.b, CROSSVM_REG_STATUS), CROSSVM_STATUS_PEER_COUNTS);
    assert_non_null(pair.b.wiring.irqfd);
    guest_emit(&pair.a);
    guest_emit(&pair.a);
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 0);

    configure(&pair.b, 0x42, 2, 0x0);
    assert_int_equal(load(&pair.b, CROSSVM_REG_STATUS), 0);
    assert_null(pair.b.wiring.irqfd);
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 2);

    /* From now on, the VM's process is told, and nobody else. */
    assert_int_equal(loop_start(pair.b.loop, NULL), 0);
    guest_emit(&pair.a);
    while (load(&pair.b, CROSSVM_REG_EVENT_SEQ) != 3)
        sched_yield();
    loop_stop(pair.b.loop);
    pair_end(&pair);
}

static void each_is_told_of_the_other(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    store(&pair.a, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_BOUND);
    serve_all(&pair);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_PRESENT);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_GENERATION), 1);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_ABSENT);

    store(&pair.a, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_GENERATION), 2);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);

    store(&pair.a, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_BOUND);
    serve_all(&pair);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_PRESENT);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_GENERATION), 2);
    pair_end(&pair);
}

/* One VM's process ends and comes again: the other misses it, keeps what they share, and finds the new one new. */
static void a_vm_that_comes_again(void **state)
{
    struct pair pair;
    uint32_t generation;

    (void)state;
    pair_start(&pair, false);
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    store(&pair.a, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    generation = load(&pair.a, CROSSVM_REG_PEER_GENERATION);
    guest_emit(&pair.a);

    guest_end(&pair.b);
    hub_serve_all(&pair);
    guest_serve(&pair.a);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_ABSENT);
    guest_emit(&pair.a); /* stops nobody */

    guest_start(&pair.b, connect_to_hub(&pair, 1));
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 2); /* before anything is served */
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_GENERATION), generation + 1);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY); /* of one that was there before */
    assert_int_equal(load(&pair.b, CROSSVM_REG_EVENT_SEQ), 2);                   /* as after a reboot, it is told all */
    guest_emit(&pair.b);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_EVENT_SEQ), 1);

    /* A program that comes where one is said to be is another one. */
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_GENERATION), generation + 2);
    pair_end(&pair);
}

/* A guest that changes its driver's state without end, towards a VM whose process does not read: the last state counts.
 */
static void a_flood_of_messages_ends_with_the_last(void **state)
{
    struct pair pair;

    (void)state;
    pair_start(&pair, false);
    for (int i = 0; i < 5000; i++) {
        store(&pair.a, CROSSVM_REG_DRIVER, i % 2 ? CROSSVM_DRIVER_BOUND : CROSSVM_DRIVER_NONE);
        if (i % 16 == 0)
            hub_serve_all(&pair);
    }
    store(&pair.a, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    assert_true(pair.a.join.late);
    /* Now the hub comes to it, then both processes. */
    for (int i = 0; i < 3; i++) {
        hub_serve_all(&pair);
        pair.a.join.source.handle(&pair.a.join.source, EPOLLOUT);
        guest_serve(&pair.b);
    }
    serve_all(&pair);
    assert_false(pair.a.join.late);
    assert_int_equal(load(&pair.b, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);
    pair_end(&pair);
}

static int make_socket(int *other)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *other = pair[1];
    return pair[0];
}

/* The hub leaves out what was true in between when a socket is full. */
static void messages_left_out_are_a_new_peer(void **state)
{
    struct crossvm_wire_driver state_of_b = {.header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}};
    struct pair pair;
    uint32_t generation;
    int hub, instead;

    (void)state;
    pair_start(&pair, false);
    store(&pair.b, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    serve_all(&pair);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_READY);
    generation = load(&pair.a, CROSSVM_REG_PEER_GENERATION);

    /* Its driver left, and came again. */
    state_of_b.driver_state = CROSSVM_DRIVER_BOUND;
    state_of_b.generation = pair.a.join.told.generation + 1;
    hub = pair.a.join.source.fd;
    pair.a.join.source.fd = make_socket(&instead);
    assert_int_equal(send(instead, &state_of_b, sizeof(state_of_b), 0), sizeof(state_of_b));
    guest_serve(&pair.a);
    close(pair.a.join.source.fd);
    close(instead);
    pair.a.join.source.fd = hub;
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_PRESENT);
    assert_int_equal(load(&pair.a, CROSSVM_REG_PEER_GENERATION), generation + 1);
    pair_end(&pair);
}

/* What is no JOIN message is refused, and leaves nothing behind. */
static void wrong_messages_are_refused(void **state)
{
    enum {
        WRONG_VERSION,
        NO_NAME,
        BAD_END,
        BAD_PAGE,
        BAD_OFFSET,
        MANY_DATAPORTS,
        BAD_SIZE,
        BAD_RIGHTS,
        PATH_AS_NAME,
        FEW_DESCRIPTORS,
        SMALL_MEMORY,
        NOT_SEALED,
        HUGE_PAGES,
        SHORT,
        NUM
    };
    int sealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int loose = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int huge = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | 21u << 26 /* MFD_HUGE_2MB */);
    int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vm_t vm;

    (void)state;
    (void)kvm_use_backend_none();
    assert_int_equal(vm_init(&vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"), 0);
    assert_int_equal(ftruncate(sealed, 0x1000), 0);
    assert_int_equal(ftruncate(loose, 0x1000), 0);
    if (huge < 0)
        print_message("this kernel has no huge pages to refuse\n");
    else
        assert_int_equal(ftruncate(huge, HUGE_SIZE), 0); /* takes no page yet */
    assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(huge < 0 ? 0 : fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    for (int wrong = 0; wrong < NUM; wrong++) {
        struct crossvm_wire_join join = {
            .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_JOIN},
            .name = "x",
            .num_dataports = 1,
            .dataports = {{.size = wrong == SMALL_MEMORY ? 0x2000
                                   : wrong == BAD_SIZE   ? 100
                                   : wrong == HUGE_PAGES ? HUGE_SIZE
                                                         : 0x1000,
                           .rights = wrong == BAD_RIGHTS ? CROSSVM_RIGHT_WRITE : CROSSVM_RIGHT_READ}},
        };
        int dataport = wrong == NOT_SEALED ? loose : wrong == HUGE_PAGES && huge >= 0 ? huge : sealed;
        int fds[] = {doorbell, doorbell, sealed, sealed, dataport};
        struct wiring wiring = {0};
        struct join joined;
        char where[16];
        int other;
        int socket = make_socket(&other);

        join.header.version = wrong == WRONG_VERSION ? 1 : join.header.version;
        join.end = wrong == BAD_END ? 2 : 0;
        join.own_page_offset = wrong == BAD_PAGE ? 8 : 0;
        join.dataports[0].offset = wrong == BAD_OFFSET ? UINT64_MAX - 0xfff : 0;
        join.num_dataports = wrong == MANY_DATAPORTS ? 5 : 1;
        if (wrong == NO_NAME)
            memset(join.name, 'x', sizeof(join.name));
        if (wrong == PATH_AS_NAME)
            memcpy(join.name, "../x", sizeof("../x"));
        assert_int_equal(
            cvm_descriptors_send(other, &join, sizeof(join) - (wrong == SHORT), fds, wrong == FEW_DESCRIPTORS ? 4 : 5),
            0);
        (void)snprintf(where, sizeof(where), "%d", socket);
        assert_int_equal(join_open(&joined, where, &wiring, &vm), -1);
        join_close(&joined);
        wiring_destroy(&wiring);
        assert_true(fcntl(0, F_GETFD) >= 0); /* what is not the wiring's, it does not close */
        close(other);
    }
    close(sealed);
    close(loose);
    close(huge);
    close(doorbell);
    kvm_vm_destroy(&vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_have_what_they_should),
        cmocka_unit_test(observers_hear_of_exits),
        cmocka_unit_test(events_go_from_guest_to_guest),
        cmocka_unit_test(plain_stores_are_counted),
        cmocka_unit_test(without_news_there_is_no_interrupt),
        cmocka_unit_test(without_its_hub_nobody_is_there),
        cmocka_unit_test(programs_do_not_inherit_the_socket),
        cmocka_unit_test(what_came_while_kvm_had_the_doorbell_counts),
        cmocka_unit_test(each_is_told_of_the_other),
        cmocka_unit_test(a_full_doorbell_stops_nobody),
        cmocka_unit_test(a_vm_that_comes_again),
        cmocka_unit_test(a_flood_of_messages_ends_with_the_last),
        cmocka_unit_test(messages_left_out_are_a_new_peer),
        cmocka_unit_test(wrong_messages_are_refused),
    };

    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
