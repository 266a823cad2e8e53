/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events from end to end in a weak memory: the module's event page, crossvm-vm, the hub's device, and the library's
 * ends in a guest and on the host. No event may be lost, none may be told that was not sent, and the data that was
 * written before an event must be there with it, whether the guest was woken or looked by itself.
 *
 * Interrupts and stores to doorbells order nothing but what a fence before them has ordered. Whoever takes an interrupt
 * sees what was ordered before it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../src/common/shared_event.h"
#include "../../src/lib/guest_end.h"
#include "../../src/vmm/connection.h"
#include "../../src/vmm/event_page.h"
#include "events.h"
#include "world.h"

enum { TO_VMM, TO_GUEST, DOORBELL, TO_PEER }; /* bells */

#define EVENTS 2

static struct stage {
    _Alignas(64) uint64_t data[EVENTS]; /* a dataport: what belongs to each event */
    uint64_t count;                     /* PEER_SEQ of the guest, where the peer counts */
    uint64_t told;                      /* where the hub counts the guest's events for the peer */
    uint32_t doorbell;
    _Alignas(64) uint8_t bar0[CROSSVM_STATE_PAGE + CROSSVM_PAGE_SIZE]; /* as the guest maps it */
    struct event_page page;
    struct guest_end guest, other_guest;
    uint8_t host[HOST_END_BYTES] __attribute__((aligned(64)));
    struct pci_device device;
    struct hub_end ends[2];
    bool looking; /* the hub looks by itself */
    struct wiring wiring;
    crossvm_connection_t connection;
    struct guest vm;
    struct irq_line line;
    int64_t now_ns;
} stage;

/*
 * What is outside: descriptors and the clock
 */

ssize_t __wrap_read(int fd, void *to, size_t length);
ssize_t __wrap_write(int fd, const void *from, size_t length);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

/* UIO: ends when the kernel has counted an interrupt since the last read(). */
ssize_t __wrap_read(int fd, void *to, size_t length)
{
    static const uint32_t interrupts = 1;

    (void)world_wait((unsigned int)(fd - FD_OF_BELL(0)), false);
    memcpy(to, &interrupts, length);
    return (ssize_t)length;
}

/* An eventfd. A system call of which the kernel sees the end orders all that came before it. */
ssize_t __wrap_write(int fd, const void *from, size_t length)
{
    (void)from;
    world_emit((unsigned int)(fd - FD_OF_BELL(0)), __ATOMIC_RELEASE);
    return (ssize_t)length;
}

int __wrap_shared_event_signal(int fd, uint64_t events);
int __wrap_shared_event_signal(int fd, uint64_t events)
{
    (void)events;
    world_emit((unsigned int)(fd - FD_OF_BELL(0)), __ATOMIC_RELEASE);
    return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)fds;
    (void)count;
    (void)timeout_ms; /* only by calls that do not wait */
    return 0;
}

/* Each look at the clock takes as long as the hub looks by itself. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    stage.now_ns += 50000;
    *now = (struct timespec){.tv_nsec = stage.now_ns};
    return 0;
}

void __wrap_hub_look_start(struct hub_loop *loop, struct hub_look *look);
void __wrap_hub_look_start(struct hub_loop *loop, struct hub_look *look)
{
    (void)loop;
    (void)look;
    stage.looking = true;
}

struct hub_loop *__wrap_hub_end_loop(const struct hub_end *end);
struct hub_loop *__wrap_hub_end_loop(const struct hub_end *end)
{
    (void)end;
    return NULL;
}

/*
 * The peer
 */

/* What the peer writes for an event, and what must be there with it. */
static void write_data(unsigned int event)
{
    stage.data[event] = event + 1;
}

static void check_data(unsigned int event)
{
    if (stage.data[event] != event + 1)
        world_fail("an event without its data");
}

/* A component that notifies the VMM. */
static bool component(unsigned int thread)
{
    (void)thread;
    write_data(0);
    world_emit(TO_VMM, __ATOMIC_RELEASE);
    return true;
}

/* A host program. */
static bool host_program(unsigned int thread)
{
    struct crossvm_end *end = (struct crossvm_end *)(void *)stage.host;

    (void)thread;
    for (unsigned int i = 0; i < EVENTS; i++) {
        write_data(i);
        if (end->ops->emit(end) < 0)
            return false;
    }
    return true;
}

/* A guest that emits as the library does. */
static bool emitting_guest(unsigned int thread)
{
    struct crossvm_end *end = &stage.other_guest.end;

    (void)thread;
    for (unsigned int i = 0; i < EVENTS; i++) {
        write_data(i);
        if (end->ops->emit(end) < 0)
            return false;
    }
    return true;
}

/* A program that is told of a guest's events by the hub. There may be more of these than the guest has sent: a doorbell
 * whose event was told with the one before counts, too. */
static bool told_program(unsigned int thread)
{
    uint64_t seen = 0;

    (void)thread;
    while (seen < EVENTS) {
        const uint64_t count = __atomic_load_n(&stage.told, __ATOMIC_ACQUIRE);

        for (; seen < count && seen < EVENTS; seen++)
            check_data((unsigned int)seen);
        if (seen < EVENTS)
            (void)world_wait(TO_PEER, false);
    }
    return true;
}

/* The same, by a look at any time. */
static bool looking_program(unsigned int thread)
{
    const uint64_t count = __atomic_load_n(&stage.told, __ATOMIC_ACQUIRE);

    (void)thread;
    for (unsigned int i = 0; i < count && i < EVENTS; i++)
        check_data(i);
    return true;
}

/*
 * The VMM
 */

/* Interrupts the guest: nothing but a fence orders what comes before. */
static void interrupt(void)
{
    world_emit(TO_GUEST, __ATOMIC_RELAXED);
}

/* Takes the event of a component. */
static bool module(unsigned int thread)
{
    (void)thread;
    (void)world_wait(TO_VMM, false);
    cvmm_event_page_count(&stage.page, 1);
    interrupt();
    return true;
}

/* Is the peer itself. */
static bool module_as_peer(unsigned int thread)
{
    (void)thread;
    for (unsigned int i = 0; i < EVENTS; i++) {
        write_data(i);
        cvmm_event_page_count(&stage.page, 1);
        interrupt();
    }
    return true;
}

/* Tells of the peer. */
static bool module_of_peer(unsigned int thread)
{
    (void)thread;
    cvmm_event_page_set_peer(&stage.page, CROSSVM_PEER_READY, 7);
    interrupt();
    return true;
}

/* The guest turns MSI off: EVENT_SEQ counts from now on, with what PEER_SEQ had. */
static bool module_that_counts_again(unsigned int thread)
{
    (void)thread;
    cvmm_event_page_count(&stage.page, EVENTS);
    cvmm_event_page_set_status(&stage.page, 0);
    return true;
}

/* The extended block appears in a page of a running guest. */
static bool module_that_installs(unsigned int thread)
{
    const struct event_page_identity identity = {.name = "model", .end = 1};

    (void)thread;
    cvmm_event_page_init(&stage.page, stage.bar0, &identity);
    return true;
}

/* crossvm-vm, while the guest has no MSI that KVM could send. */
static bool vm_to_guest(unsigned int thread)
{
    (void)thread;
    while (world_wait(TO_VMM, false))
        vm_wiring_relay(&stage.wiring);
    return false;
}

/* crossvm-vm, for a guest that stores to EMIT: the vCPU's own thread. */
static bool emitting_vm(unsigned int thread)
{
    (void)thread;
    for (unsigned int i = 0; i < EVENTS; i++) {
        write_data(i);
        vm_wiring_emit(&stage.wiring);
    }
    return true;
}

/* The hub, which is told of the peer's events and looks for those of the guest. */
static bool hub_to_guest(unsigned int thread)
{
    (void)thread;
    while (world_wait(TO_VMM, false))
        hub_device_wake(&stage.device);
    return false;
}

static bool hub_to_peer(unsigned int thread)
{
    (void)thread;
    while (world_wait(DOORBELL, false)) {
        hub_device_doorbell(&stage.device);
        while (stage.looking)
            stage.looking = stage.device.look.again(&stage.device.look);
    }
    return false;
}

/*
 * The guest
 */

/* Waits for events until all have come. */
static bool waiting_guest_for(unsigned int events)
{
    struct crossvm_end *end = &stage.guest.end;

    for (unsigned int seen = 0; seen < events;) {
        int result = end->ops->wait(end, DEADLINE_NEVER);

        if (result < 0 || seen + (unsigned int)result > events)
            world_fail("an event that nobody sent");
        for (int i = 0; i < result; i++)
            check_data(seen++);
    }
    return true;
}

static bool waiting_guest(unsigned int thread)
{
    (void)thread;
    return waiting_guest_for(EVENTS);
}

static bool guest_of_component(unsigned int thread)
{
    (void)thread;
    return waiting_guest_for(1);
}

/* Looks at any time, without an interrupt. */
static bool looking_guest(unsigned int thread)
{
    struct crossvm_end *end = &stage.guest.end;
    int result = end->ops->wait(end, DEADLINE_NOW);

    (void)thread;
    if (result < 0 || result > EVENTS)
        world_fail("an event that nobody sent");
    for (int i = 0; i < result; i++)
        check_data((unsigned int)i);
    return true;
}

/* The same with the base block alone. */
static bool looking_base_guest(unsigned int thread)
{
    const uint32_t count = registers_load32(&stage.guest.page, CROSSVM_REG_COUNT);

    (void)thread;
    for (unsigned int i = 0; i < count; i++)
        check_data(i);
    return true;
}

static bool guest_of_peer(unsigned int thread)
{
    struct crossvm_end *end = &stage.guest.end;
    uint32_t generation;

    (void)thread;
    if (end->ops->wait(end, DEADLINE_NEVER) != 0)
        world_fail("an event that nobody sent");
    return end->ops->peer_state(end, &generation) == CROSSVM_PEER_READY && generation == 7;
}

/* Has seen all events in PEER_SEQ. */
static bool guest_that_saw_all(unsigned int thread)
{
    struct crossvm_end *end = &stage.guest.end;

    (void)thread;
    if (end->ops->wait(end, DEADLINE_NOW) != 0)
        world_fail("an event that nobody sent");
    return true;
}

static bool guest_that_looks_for_a_device(unsigned int thread)
{
    (void)thread;
    return registers_load32(&stage.guest.page, CROSSVM_REG_MAGIC) != CROSSVM_MAGIC ||
           (registers_load32(&stage.guest.page, CROSSVM_REG_VERSION) == CROSSVM_DEVICE_VERSION &&
            registers_load32(&stage.guest.page, CROSSVM_REG_END) == 1);
}

/*
 * The stage
 */

static void make_guest(struct guest_end *guest, uint8_t *base, size_t state)
{
    guest->end.ops = &cvm_guest_extended_ops;
    guest->end.in_guest = true;
    guest->end.fd = FD_OF_BELL(TO_GUEST);
    guest->page = (struct registers){.base = base, .size = CROSSVM_PAGE_SIZE, .extended = true, .state = state};
}

static void begin_any(const struct story *story)
{
    (void)story;
    world_share_data(stage.data, sizeof(stage.data));
    world_share_words(&stage.count, sizeof(stage.count) + sizeof(stage.told));
    world_share_doorbell(&stage.doorbell, DOORBELL);
}

/* Registers in memory that the module writes. */
static void begin_module(const struct story *story)
{
    const struct event_page_identity identity = {.name = "model"};

    begin_any(story);
    world_share_words(stage.bar0, sizeof(stage.bar0));
    cvmm_event_page_init(&stage.page, stage.bar0, &identity);
    make_guest(&stage.guest, stage.bar0, 0);
    cvm_guest_start(&stage.guest);
}

/* What a guest loads of a page without a device. */
static void begin_nothing(const struct story *story)
{
    begin_any(story);
    world_share_words(stage.bar0 + CROSSVM_REG_MAGIC, 8);
    world_share_words(stage.bar0 + CROSSVM_REG_END, 4);
    make_guest(&stage.guest, stage.bar0, 0);
}

/* The peer counts in PEER_SEQ. */
static void begin_peer_counts(const struct story *story)
{
    begin_module(story);
    stage.guest.page.peer_seq = &stage.count;
    cvmm_event_page_set_status(&stage.page, CROSSVM_STATUS_PEER_COUNTS);
    host_end_make(stage.host, &stage.count, FD_OF_BELL(TO_GUEST));
    make_guest(&stage.other_guest, stage.bar0, 0);
    stage.other_guest.page.own_seq = &stage.count;
    stage.other_guest.page.doorbell = &stage.doorbell;
    world_share_doorbell(&stage.doorbell, TO_GUEST); /* KVM makes an interrupt of it */
}

static void begin_all_seen(const struct story *story)
{
    begin_peer_counts(story);
    stage.count = EVENTS;
    cvm_guest_start(&stage.guest);
    stage.guest.seen = EVENTS;
}

static int send_msi(vm_t *vm, const crossvm_msi_t *message)
{
    (void)vm;
    (void)message;
    interrupt();
    return 0;
}

/* crossvm-vm between a host program and a guest. */
static void begin_vm(const struct story *story)
{
    begin_module(story);
    host_end_make(stage.host, &stage.count, FD_OF_BELL(TO_VMM));
    wiring_init(&stage.wiring);
    stage.wiring.peer_seq = &stage.count;
    stage.wiring.connection = &stage.connection;
    stage.connection.page = stage.page;
    stage.connection.line = &stage.line;
    stage.connection.guest = &stage.vm;
    stage.connection.msi_active = true;
    stage.connection.send_msi = send_msi;
}

/* crossvm-vm of one guest, and PEER_SEQ of the other. */
static void begin_two_vms(const struct story *story)
{
    begin_peer_counts(story);
    wiring_init(&stage.wiring);
    stage.wiring.own_seq = &stage.count;
    stage.wiring.peer_doorbell = FD_OF_BELL(TO_GUEST);
}

/* The hub's device: the guest loads from its state page, and counts in its own page. */
static void begin_hub(const struct story *story)
{
    begin_module(story);
    for (unsigned int i = 0; i < 2; i++) {
        stage.ends[i].number = i;
        stage.ends[i].peer = &stage.ends[1 - i];
    }
    stage.ends[0].count = &stage.told;  /* the guest's end */
    stage.ends[1].count = &stage.count; /* the peer's */
    stage.ends[1].doorbell.fd = FD_OF_BELL(TO_PEER);
    hub_device_make(&stage.device, &stage.ends[0], stage.bar0, FD_OF_BELL(TO_GUEST));
    host_end_make(stage.host, &stage.count, FD_OF_BELL(TO_VMM));
    make_guest(&stage.guest, stage.bar0, CROSSVM_STATE_PAGE);
    cvm_guest_start(&stage.guest);
    make_guest(&stage.other_guest, stage.bar0, CROSSVM_STATE_PAGE);
    stage.other_guest.page.own_seq = (volatile uint64_t *)(void *)(stage.bar0 + CROSSVM_REG_OWN_SEQ);
    stage.other_guest.page.doorbell = &stage.doorbell;
}

static const struct story stories[] = {
    {"module", .threads = 2, .begin = begin_module, .run = {module_as_peer, waiting_guest}},
    {"module, component", .threads = 3, .begin = begin_module, .run = {component, module, guest_of_component}},
    {"module, look", .threads = 2, .begin = begin_module, .run = {module_as_peer, looking_guest}},
    {"module, component, look", .threads = 3, .begin = begin_module, .run = {component, module, looking_guest}},
    {"module, base block, look", .threads = 2, .begin = begin_module, .run = {module_as_peer, looking_base_guest}},
    {"module, peer", .threads = 2, .begin = begin_module, .run = {module_of_peer, guest_of_peer}},
    {"module, counts again", .threads = 2, .begin = begin_all_seen,
     .run = {module_that_counts_again, guest_that_saw_all}},
    {"module, installed", .threads = 2, .begin = begin_nothing,
     .run = {module_that_installs, guest_that_looks_for_a_device}},
    {"host to guest", .threads = 2, .begin = begin_peer_counts, .run = {host_program, waiting_guest}},
    {"host to guest, look", .threads = 2, .begin = begin_peer_counts, .run = {host_program, looking_guest}},
    {"guest to guest", .threads = 2, .begin = begin_peer_counts, .run = {emitting_guest, waiting_guest}},
    {"guest to guest, look", .threads = 2, .begin = begin_peer_counts, .run = {emitting_guest, looking_guest}},
    {"host to VM to guest", .threads = 3, .begin = begin_vm, .run = {host_program, vm_to_guest, waiting_guest},
     .forever = {false, true, false}},
    {"host to VM to guest, look", .threads = 3, .begin = begin_vm, .run = {host_program, vm_to_guest, looking_guest},
     .forever = {false, true, false}},
    {"VM to guest", .threads = 2, .begin = begin_two_vms, .run = {emitting_vm, waiting_guest}},
    {"VM to guest, look", .threads = 2, .begin = begin_two_vms, .run = {emitting_vm, looking_guest}},
    {"host to hub to guest", .threads = 3, .begin = begin_hub, .run = {host_program, hub_to_guest, waiting_guest},
     .forever = {false, true, false}},
    {"host to hub to guest, look", .threads = 3, .begin = begin_hub, .run = {host_program, hub_to_guest, looking_guest},
     .forever = {false, true, false}},
    {"guest to hub to host", .threads = 3, .begin = begin_hub, .run = {emitting_guest, hub_to_peer, told_program},
     .forever = {false, true, false}},
    {"guest to hub to host, look", .threads = 3, .begin = begin_hub,
     .run = {emitting_guest, hub_to_peer, looking_program}, .forever = {false, true, false}},
};

#define NUM_STORIES (sizeof(stories) / sizeof(stories[0]))

/* test_model_events [quick | STORY] */
int main(int argc, char **argv)
{
    world_stage(&stage, sizeof(stage));
    return explore_stories(stories, NUM_STORIES, NUM_STORIES, argc, argv);
}
