/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting in a guest, against a device made of memory: the event page is anonymous memory, the kernel's count of
 * interrupts a pipe, and the configuration space a file. Real devices are tested in guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/lib/guest_end.h"

#define PAGE_BYTES (CROSSVM_DRIVER_PAGE + CROSSVM_PAGE_SIZE)
#define COMMAND_HIGH 5
#define INTX_DISABLE 0x04

struct device {
    struct guest_end *guest;
    uint8_t *page;
    int interrupts; /* writing end of the pipe */
    int config;
};

static void store32(struct device *device, size_t offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)(device->page + offset), value, __ATOMIC_SEQ_CST);
}

static void store64(struct device *device, size_t offset, uint64_t value)
{
    __atomic_store_n((uint64_t *)(device->page + offset), value, __ATOMIC_SEQ_CST);
}

static uint32_t load32(struct device *device, size_t offset)
{
    return __atomic_load_n((uint32_t *)(device->page + offset), __ATOMIC_SEQ_CST);
}

static void interrupt(struct device *device)
{
    const uint32_t count = 1;

    assert_int_equal(write(device->interrupts, &count, sizeof(count)), sizeof(count));
}

static uint64_t *sequence_at(const struct device *device, size_t offset)
{
    return (uint64_t *)(device->page + offset);
}

static void open_device(struct device *device, bool extended, bool generic)
{
    struct guest_end *guest = calloc(1, sizeof(*guest));
    int ends[2];

    assert_non_null(guest);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    device->guest = guest;
    device->interrupts = ends[1];
    device->config = memfd_create("config", MFD_CLOEXEC);
    assert_int_equal(ftruncate(device->config, 64), 0);
    device->page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(device->page != MAP_FAILED);

    strcpy(guest->end.name, "alpha");
    strcpy(guest->device.pci_address, "0000:00:03.0");
    guest->end.ops = extended ? &cvm_guest_extended_ops : &cvm_guest_base_ops;
    guest->end.fd = ends[0];
    guest->page = (struct registers){.base = device->page,
                                     .map = device->page,
                                     .size = PAGE_BYTES,
                                     .extended = extended,
                                     .peer_seq = extended ? sequence_at(device, CROSSVM_REG_PEER_SEQ) : NULL,
                                     .doorbell = (uint32_t *)(device->page + CROSSVM_REG_EMIT),
                                     .doorbell_value = 1,
                                     .driver = CROSSVM_REG_DRIVER};
    if (extended)
        store32(device, CROSSVM_REG_MAGIC, CROSSVM_MAGIC);
    guest->generic = generic;
    guest->intx.config = dup(device->config);
}

/* A device on which the guest counts its events. */
static void add_own_page(struct device *device)
{
    device->guest->page.own_seq = sequence_at(device, CROSSVM_REG_OWN_SEQ);
    device->guest->page.doorbell = (uint32_t *)(device->page + CROSSVM_REG_DOORBELL);
}

static void close_device(struct device *device)
{
    crossvm_close(&device->guest->end);
    close(device->interrupts);
    close(device->config);
}

/* A device with the extended block, whose registers hold these values when it is opened. */
static crossvm_end_t *start(struct device *device, uint64_t sequence, uint32_t seen)
{
    open_device(device, true, false);
    store64(device, CROSSVM_REG_EVENT_SEQ, sequence);
    store32(device, CROSSVM_REG_SEEN, seen);
    cvm_guest_start(device->guest);
    return &device->guest->end;
}

/* --- the sequence --- */

static void counts_what_was_not_seen(void **state)
{
    static const struct {
        uint64_t sequence;
        uint32_t seen;
        int events;
    } table[] = {
        {0, 0, 0},
        {5, 5, 0},
        {5, 2, 3},
        {0x100000002, 0xfffffffe, 4}, /* the lower half went round in between */
        {0x500000000, 0, 0},          /* only the upper half differs from a fresh device */
        {INT32_MAX, 0, INT_MAX},      /* as many as there can be */
        {3, 100, 1},                  /* SEEN of another sequence: told as one */
        {0, 100, 0},                  /* ... but not where there was never an event */
        {0x80000005, 4, 1},           /* too many to be true */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct device device;
        crossvm_end_t *end = start(&device, table[i].sequence, table[i].seen);

        assert_int_equal(crossvm_wait(end, CROSSVM_NOW), table[i].events);
        assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
        close_device(&device);
    }
}

static void tells_no_more_than_an_int_holds(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    store64(&device, CROSSVM_REG_EVENT_SEQ, 2 * (uint64_t)INT_MAX + 3);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), INT_MAX);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), INT_MAX);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 3);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    close_device(&device);
}

static void follows_who_counts(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 4, 4);

    (void)state;
    store64(&device, CROSSVM_REG_PEER_SEQ, 4);
    store32(&device, CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    store64(&device, CROSSVM_REG_PEER_SEQ, 6);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 2);
    /* The device counts again, from where it was. */
    store32(&device, CROSSVM_REG_STATUS, 0);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    store64(&device, CROSSVM_REG_EVENT_SEQ, 5);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    close_device(&device);
}

/* A peer may write into its page what it likes: each lie is a wake-up, and waiting works on. */
static void survives_a_lying_peer(void **state)
{
    static const uint64_t lies[] = {UINT64_MAX, 1, UINT64_MAX / 2, 0, 1ULL << 63};
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    store32(&device, CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        store64(&device, CROSSVM_REG_PEER_SEQ, lies[i]);
        assert_true(crossvm_wait(end, CROSSVM_NOW) > 0);
    }
    close_device(&device);
}

static void without_peer_page_the_device_counts(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 7, 7);

    (void)state;
    device.guest->page.peer_seq = NULL;
    store32(&device, CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    store64(&device, CROSSVM_REG_EVENT_SEQ, 9);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 2);
    close_device(&device);
}

/* --- peer and interrupts --- */

static void tells_changes_of_the_peer(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);
    uint32_t generation;

    (void)state;
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_UNKNOWN);
    assert_int_equal(generation, 0);
    store64(&device, CROSSVM_REG_PEER, 3ULL << 32 | CROSSVM_PEER_PRESENT);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_PRESENT);
    assert_int_equal(generation, 3);
    /* A state that only a later device knows is that of a program. */
    store64(&device, CROSSVM_REG_PEER, 3ULL << 32 | (CROSSVM_PEER_READY + 1));
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_READY);
    assert_int_equal(generation, 3);
    store64(&device, CROSSVM_REG_PEER, 3ULL << 32 | CROSSVM_PEER_PRESENT);
    /* A peer that went and came is a change, though the state is the same. */
    store64(&device, CROSSVM_REG_PEER, 4ULL << 32 | CROSSVM_PEER_PRESENT);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    close_device(&device);
}

static void interrupts_without_events_end_no_wait_early(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    for (int i = 0; i < 5; i++)
        interrupt(&device);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(30)), 0);
    store64(&device, CROSSVM_REG_EVENT_SEQ, 1);
    interrupt(&device);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 1);
    close_device(&device);
}

static void a_storm_of_interrupts_ends_with_the_time(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);
    int storm = open("/dev/zero", O_RDONLY | O_CLOEXEC); /* always readable */

    (void)state;
    assert_true(storm >= 0);
    assert_true(dup2(storm, device.guest->end.fd) >= 0);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(20)), 0);
    close(storm);
    close_device(&device);
}

static void a_look_takes_the_interrupt_too(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);
    struct pollfd fd = {.fd = crossvm_fd(end), .events = POLLIN};

    (void)state;
    store64(&device, CROSSVM_REG_EVENT_SEQ, 1);
    interrupt(&device);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    assert_int_equal(poll(&fd, 1, 0), 1); /* once with no event behind it */
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    close_device(&device);
}

static void emit_stores(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_EMIT), 1);
    close_device(&device);
}

/* Between guests nobody else counts. */
static void emit_counts_in_the_own_page(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    add_own_page(&device);
    store64(&device, CROSSVM_REG_OWN_SEQ, 0xffffffff);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_DOORBELL), 1);
    assert_int_equal(load32(&device, CROSSVM_REG_EMIT), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_OWN_SEQ), 1);
    assert_int_equal(load32(&device, CROSSVM_REG_OWN_SEQ + 4), 1);
    close_device(&device);
}

/* Where there is a state page, nothing else is loaded for an event; and while the device is awake nothing is stored. */
static void state_page(void **state)
{
    struct device device;
    crossvm_end_t *end;

    (void)state;
    open_device(&device, true, false);
    add_own_page(&device);
    device.guest->page.peer_seq = NULL;
    device.guest->page.state = CROSSVM_STATE_PAGE;
    store64(&device, CROSSVM_STATE_PAGE + CROSSVM_REG_EVENT_SEQ, 2);
    store64(&device, CROSSVM_STATE_PAGE + CROSSVM_REG_PEER, CROSSVM_PEER_READY | 7ULL << 32);
    cvm_guest_start(device.guest);
    end = &device.guest->end;
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 2);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_READY);
    /* What would be loaded of the event page: events, another peer, a peer that counts. */
    store64(&device, CROSSVM_REG_EVENT_SEQ, 1000);
    store64(&device, CROSSVM_REG_PEER, CROSSVM_PEER_ABSENT);
    store32(&device, CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_READY);

    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_DOORBELL), 1);
    store32(&device, CROSSVM_REG_DOORBELL, 0);
    store32(&device, CROSSVM_STATE_PAGE + CROSSVM_STATE_AWAKE, 1);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_DOORBELL), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_OWN_SEQ), 2);
    store32(&device, CROSSVM_STATE_PAGE + CROSSVM_STATE_AWAKE, 0);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_DOORBELL), 1);
    close_device(&device);
}

/* Over ivshmem the doorbell is elsewhere, and takes the number of the peer; or the driver stores there. */
static void doorbell_elsewhere(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);
    int node = device.guest->end.fd, written = memfd_create("written", MFD_CLOEXEC);
    uint32_t doorbell = 0;

    (void)state;
    add_own_page(&device);
    device.guest->page.doorbell = &doorbell;
    device.guest->page.doorbell_value = CROSSVM_IVSHMEM_TO_END(1);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(doorbell, 0x10000);
    device.guest->page.doorbell = NULL;
    device.guest->end.fd = written;
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(lseek(written, 0, SEEK_END), sizeof(int32_t));
    assert_int_equal(load32(&device, CROSSVM_REG_OWN_SEQ), 2);
    device.guest->end.fd = node; /* of which the write() fails, as of a device that was removed */
    assert_int_equal(crossvm_emit(end), -EIO);
    close(written);
    close_device(&device);
}

static void removed_device(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);

    (void)state;
    close(device.interrupts);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPIPE);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(10)), -EPIPE);
    assert_int_equal(crossvm_emit(end), -EIO);
    assert_int_equal(load32(&device, CROSSVM_REG_EMIT), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    device.interrupts = dup(0);
    close_device(&device);
}

/* --- SEEN and DRIVER at the end --- */

/* Closes the end and shows what it left in the registers. */
static void close_and_look(struct device *device, uint32_t *seen, uint32_t *driver)
{
    uint8_t *kept = device->page;

    /* The end unmaps its page: let it have another mapping of the same memory. */
    device->guest->page.map = mremap(kept, 0, PAGE_BYTES, MREMAP_MAYMOVE);
    assert_true(device->guest->page.map != MAP_FAILED);
    device->guest->page.base = device->guest->page.map;
    close_device(device);
    *seen = load32(device, CROSSVM_REG_SEEN);
    *driver = load32(device, CROSSVM_REG_DRIVER);
    munmap(kept, PAGE_BYTES);
}

/* Memory is there where the device was: no event, no peer, and nothing more to wait for. */
static void what_is_cut_off(void **state)
{
    static const struct {
        uint8_t byte;      /* that all loads give */
        uint64_t sequence; /* before */
        uint32_t peer_state;
    } table[] = {
        {0x00, 7, CROSSVM_PEER_READY}, {0x00, 0, CROSSVM_PEER_READY},   {0xff, 7, CROSSVM_PEER_READY},
        {0xff, 0, CROSSVM_PEER_READY}, {0xff, 0, CROSSVM_PEER_UNKNOWN}, {0x00, 7, CROSSVM_PEER_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < 4 * sizeof(table) / sizeof(table[0]); i++) {
        struct device device;
        crossvm_end_t *end;
        uint32_t generation;

        open_device(&device, true, false);
        store64(&device, CROSSVM_REG_EVENT_SEQ, table[i / 4].sequence);
        store32(&device, CROSSVM_REG_SEEN, (uint32_t)table[i / 4].sequence);
        store64(&device, CROSSVM_REG_PEER, 1ULL << 32 | table[i / 4].peer_state);
        cvm_guest_start(device.guest);
        end = &device.guest->end;
        assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
        assert_int_equal(crossvm_emit(end), 0);
        memset(device.page, table[i / 4].byte, PAGE_BYTES);
        switch (i % 4) {
        case 0:
            assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPIPE);
            break;
        case 1:
            assert_int_equal(crossvm_wait(end, CROSSVM_NOW), -EPIPE);
            break;
        case 2:
            assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_ABSENT);
            break;
        default:
            break;
        }
        assert_int_equal(crossvm_emit(end), -EIO);
        assert_non_null(strstr(crossvm_strerror(), "was removed"));
        assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_ABSENT);
        close_device(&device);
    }
}

static void close_leaves_what_was_seen(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0x700000005, 3);
    uint32_t seen, driver;

    (void)state;
    store32(&device, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_BOUND);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 2);
    store64(&device, CROSSVM_REG_EVENT_SEQ, 0x700000009); /* not waited for: the next opener's */
    close_and_look(&device, &seen, &driver);
    assert_int_equal(seen, 5);
    assert_int_equal(driver, CROSSVM_DRIVER_BOUND); /* the kernel's driver is still there */
}

static void close_ends_the_generic_driver(void **state)
{
    struct device device;
    uint32_t seen, driver;

    (void)state;
    open_device(&device, true, true);
    store32(&device, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_BOUND);
    cvm_guest_start(device.guest);
    close_and_look(&device, &seen, &driver);
    assert_int_equal(seen, 0);
    assert_int_equal(driver, CROSSVM_DRIVER_NONE);
}

/* A device that interrupted for a change of the peer has its cause taken away by SEEN, even by the same one. */
static void generic_driver_always_stores_seen(void **state)
{
    const uint32_t not_seen = 77;
    struct device device;
    crossvm_end_t *end;

    (void)state;
    open_device(&device, true, true);
    end = &device.guest->end;
    cvm_guest_start(device.guest);
    store32(&device, CROSSVM_REG_SEEN, not_seen); /* shows whether there is a store */
    store64(&device, CROSSVM_REG_PEER, 1ULL << 32 | CROSSVM_PEER_PRESENT);
    interrupt(&device);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_SEEN), not_seen);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(load32(&device, CROSSVM_REG_SEEN), 0);
    close_device(&device);
}

/* --- base block --- */

static void each_interrupt_is_an_event(void **state)
{
    struct device device;
    crossvm_end_t *end;

    (void)state;
    open_device(&device, false, false);
    end = &device.guest->end;
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(10)), 0);
    interrupt(&device);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 1);
    interrupt(&device);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_UNKNOWN);

    device.guest->unclaimed = 2; /* found when opening */
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 2);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    close_device(&device);
}

/* --- races --- */

#define EVENTS 50000

static void set_masked(struct device *device, bool masked)
{
    const uint8_t command = masked ? INTX_DISABLE : 0;

    assert_int_equal(pwrite(device->config, &command, 1, COMMAND_HIGH), 1);
}

static bool is_masked(struct device *device)
{
    uint8_t command;

    assert_int_equal(pread(device->config, &command, 1, COMMAND_HIGH), 1);
    return command & INTX_DISABLE;
}

/*
 * The device and the kernel's part of uio_pci_generic: while SEEN is behind, and the line is not masked, the line
 * interrupts; the kernel masks it and counts. Ends when all events are seen.
 */
static void *run_generic_device(void *argument)
{
    struct device *device = argument;
    uint32_t sequence = 0;
    unsigned int seed = 1;

    while (sequence < EVENTS || load32(device, CROSSVM_REG_SEEN) != EVENTS) {
        if (sequence < EVENTS && rand_r(&seed) % 3 == 0)
            store64(device, CROSSVM_REG_EVENT_SEQ, ++sequence);
        if (load32(device, CROSSVM_REG_SEEN) != sequence && !is_masked(device)) {
            set_masked(device, true);
            interrupt(device);
        }
    }
    return NULL;
}

/* A lost event would hang. */
static void generic_driver_loses_nothing(void **state)
{
    struct device device;
    pthread_t thread;
    int64_t events = 0;

    (void)state;
    open_device(&device, true, true);
    cvm_guest_start(device.guest);
    assert_int_equal(pthread_create(&thread, NULL, run_generic_device, &device), 0);
    while (events < EVENTS) {
        int fresh = crossvm_wait(&device.guest->end, CROSSVM_FOREVER);

        assert_true(fresh > 0);
        events += fresh;
    }
    assert_int_equal(events, EVENTS);
    /* What is seen but not yet stored is what the next wait stores. */
    while (load32(&device, CROSSVM_REG_SEEN) != EVENTS)
        assert_int_equal(crossvm_wait(&device.guest->end, crossvm_deadline_after_ms(10)), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(crossvm_wait(&device.guest->end, CROSSVM_NOW), 0);
    assert_false(is_masked(&device));
    close_device(&device);
}

static void *run_device(void *argument)
{
    struct device *device = argument;
    unsigned int seed = 1;
    uint64_t sequence = 0;

    while (sequence < EVENTS) {
        sequence += 1 + (uint64_t)(rand_r(&seed) % 2); /* interrupts merge */
        if (sequence > EVENTS)
            sequence = EVENTS;
        store64(device, CROSSVM_REG_EVENT_SEQ, sequence);
        interrupt(device);
    }
    return NULL;
}

static void driver_loses_nothing(void **state)
{
    struct device device;
    crossvm_end_t *end = start(&device, 0, 0);
    pthread_t thread;
    int64_t events = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_device, &device), 0);
    while (events < EVENTS) {
        int fresh = crossvm_wait(end, CROSSVM_FOREVER);

        assert_true(fresh > 0);
        events += fresh;
    }
    assert_int_equal(events, EVENTS);
    /* Interrupts of events that are told already still lie in the pipe, which the device must not find full. */
    while (pthread_tryjoin_np(thread, NULL) != 0)
        assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(1)), 0);
    close_device(&device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_was_not_seen),
        cmocka_unit_test(tells_no_more_than_an_int_holds),
        cmocka_unit_test(follows_who_counts),
        cmocka_unit_test(survives_a_lying_peer),
        cmocka_unit_test(without_peer_page_the_device_counts),
        cmocka_unit_test(tells_changes_of_the_peer),
        cmocka_unit_test(interrupts_without_events_end_no_wait_early),
        cmocka_unit_test(a_storm_of_interrupts_ends_with_the_time),
        cmocka_unit_test(a_look_takes_the_interrupt_too),
        cmocka_unit_test(emit_stores),
        cmocka_unit_test(emit_counts_in_the_own_page),
        cmocka_unit_test(state_page),
        cmocka_unit_test(doorbell_elsewhere),
        cmocka_unit_test(removed_device),
        cmocka_unit_test(what_is_cut_off),
        cmocka_unit_test(close_leaves_what_was_seen),
        cmocka_unit_test(close_ends_the_generic_driver),
        cmocka_unit_test(generic_driver_always_stores_seen),
        cmocka_unit_test(each_interrupt_is_an_event),
        cmocka_unit_test(generic_driver_loses_nothing),
        cmocka_unit_test(driver_loses_nothing),
    };

    return cmocka_run_group_tests_name("libcrossvm: guest end", tests, NULL, NULL);
}
