/* SPDX-License-Identifier: BSD-2-Clause */
/* The device as a VMM has it over vfio-user, and a program at the other end (docs/device.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "../device/stores.h"
#include "hub_fixture.h"
#include "vmm.h"

#define PATIENCE crossvm_deadline_after_ms(600000) /* only bounds a hang */

/* The BARs of connection "x": the two largest dataports have 64-bit ones. */
#define BAR_64K 1
#define BAR_12K 3
#define BAR_2M 4

/* BAR0 as the guest has it mapped: own page and state page. */
struct pages {
    uint8_t *address;
    size_t offset, size;
};

static struct pages map_pages(int vmm)
{
    struct pages pages;

    pages.address = vmm_map(vmm, 0, &pages.offset, &pages.size);
    assert_int_equal(pages.offset, CROSSVM_OWN_PAGE);
    assert_int_equal(pages.size, 2 * CROSSVM_PAGE_SIZE);
    return pages;
}

static uint64_t *in_pages(const struct pages *pages, size_t offset)
{
    return (uint64_t *)(pages->address + offset - pages->offset);
}

static uint64_t state64(const struct pages *pages, size_t reg)
{
    return __atomic_load_n(in_pages(pages, CROSSVM_STATE_PAGE + reg), __ATOMIC_ACQUIRE);
}

/* --- what there is --- */

static void identity(void **state)
{
    int vmm = vmm_start("x");
    static const struct {
        uint64_t size;
        uint32_t rights, bar;
    } dataports[] = {{0x10000, 3, BAR_64K}, {0x3000, 1, BAR_12K}, {0x200000, 3, BAR_2M}};

    (void)state;
    assert_int_equal(vmm_load(vmm, VMM_CONFIG, 0, 4), 0xa1111af4);
    assert_int_equal(vmm_load(vmm, VMM_CONFIG, 8, 4), 0x05000001);
    assert_int_equal(vmm_load(vmm, VMM_CONFIG, 0x34, 1), 0x40);
    assert_int_equal(vmm_load(vmm, VMM_CONFIG, 0x40, 2), 0x0005); /* MSI, and no other capability */
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_MAGIC), CROSSVM_MAGIC);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_VERSION), 0x00010002);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_FEATURES),
                     CROSSVM_FEATURE_OWN_PAGE | CROSSVM_FEATURE_STATE_PAGE | CROSSVM_FEATURE_DRIVER_PAGE);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_END), 0);
    assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_FULL_NAME, 8), 'x');
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_NUM_DATAPORTS), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_DATAPORT(i), 8), dataports[i].size);
        assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DATAPORT(i) + 8), dataports[i].rights);
        assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DATAPORT(i) + 12), dataports[i].bar);
    }
    close(vmm);
}

/* Sizes and kinds of all regions and interrupts; where a VMM asks with too little room, it hears how much is needed. */
static void regions(void **state)
{
    static const struct {
        uint64_t size;
        uint32_t flags, need;
    } expected[] = {
        {0x8000, 0xf, 64}, {0x10000, 0x7, 32}, {0, 0, 32},     {0x4000, 0x3, 32}, {0x200000, 0x7, 32},
        {0, 0, 32},        {0, 0, 32},         {256, 0x3, 32}, {0, 0, 32},
    };
    static const uint32_t irqs[] = {1, 1, 0, 1, 0};
    int vmm = vmm_start("x");
    struct vmm_reply reply;

    (void)state;
    for (uint32_t i = 0; i < 9; i++) {
        for (uint32_t argsz = 32; argsz <= 64; argsz += 32) {
            uint32_t question[8] = {argsz, 0, i}, words[4];
            uint64_t size;

            vmm_ask(vmm, VMM_GET_REGION_INFO, question, sizeof(question), &reply);
            assert_int_equal(reply.error, 0);
            memcpy(words, reply.body, sizeof(words));
            memcpy(&size, reply.body + 16, sizeof(size));
            assert_int_equal(words[0], expected[i].need);
            assert_int_equal(words[1], expected[i].flags);
            assert_int_equal(words[2], i);
            assert_int_equal(size, expected[i].size);
            assert_int_equal(reply.size, argsz < expected[i].need ? 32 : expected[i].need);
            assert_int_equal(reply.fd >= 0, expected[i].flags & 4 && argsz >= expected[i].need);
            if (reply.fd >= 0)
                close(reply.fd);
        }
    }
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t question[4] = {16, 0, i}, words[4];

        vmm_ask(vmm, VMM_GET_IRQ_INFO, question, sizeof(question), &reply);
        memcpy(words, reply.body, sizeof(words));
        assert_int_equal(words[3], irqs[i]);
    }
    close(vmm);
}

/* The VMM places BARs: they keep what is written to them, and tell their size. */
static void bars_move(void **state)
{
    static const uint32_t masks[] = {0xffff8000, 0xffff0000, 0xffffffff, 0xffffc000, 0xffe00000, 0xffffffff},
                          flags[] = {0x8, 0xc, 0, 0x8, 0xc, 0};
    int vmm = vmm_start("x");

    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        vmm_store(vmm, VMM_CONFIG, 0x10 + 4 * i, 0xffffffff, 4);
        assert_int_equal(vmm_load(vmm, VMM_CONFIG, 0x10 + 4 * i, 4), masks[i] | flags[i]);
        vmm_store(vmm, VMM_CONFIG, 0x10 + 4 * i, 0xd1234567, 4);
        assert_int_equal(vmm_load(vmm, VMM_CONFIG, 0x10 + 4 * i, 4), (0xd1234567 & masks[i]) | flags[i]);
    }
    close(vmm);
}

/* --- stores --- */

static void assert_page(int vmm, const uint8_t expected[STORES_PAGE], size_t start, size_t end)
{
    for (size_t i = start & ~7UL; i < end && i < STORES_PAGE; i += sizeof(uint64_t)) {
        uint64_t word = vmm_load(vmm, 0, i, sizeof(word));

        assert_memory_equal(&word, expected + i, sizeof(word));
    }
}

static void every_width_offset_and_value(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x");
    uint8_t expected[STORES_PAGE];
    uint64_t emits = 0, heard = 0;
    struct store store;

    (void)state;
    for (size_t i = 0; i < sizeof(expected); i += sizeof(uint64_t)) {
        uint64_t word = vmm_load(vmm, 0, i, sizeof(word));

        memcpy(expected + i, &word, sizeof(word));
    }
    for (size_t i = 0; stores_get(i, &store); i++) {
        vmm_store(vmm, 0, store.offset, store.value, (uint32_t)store.width);
        emits += stores_emits(&store, true);
        stores_apply(&store, expected);
        assert_page(vmm, expected, store.offset, store.offset + store.width);
    }
    assert_page(vmm, expected, 0, STORES_PAGE);
    while (heard < emits) {
        int events = crossvm_wait(end, PATIENCE);

        assert_true(events >= 0);
        heard += (uint64_t)events;
    }
    assert_int_equal(heard, emits);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    close(vmm);
    crossvm_close(end);
}

/* What only the driver stores: once it has stored to its own page, the event page's register does nothing more. */
static void driver_page(void **state)
{
    int vmm = vmm_start("x");
    struct vmm_reply reply;

    (void)state;
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 1);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 1);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 2);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 2);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER_ALONE), 2);
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 0);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 2);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE + 4, 0);
    vmm_store(vmm, 0, CROSSVM_REG_DRIVER_ALONE, 0, 2);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 2);
    vmm_ask(vmm, VMM_RESET, NULL, 0, &reply);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 0);
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 1);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 1);
    close(vmm);
}

/* --- dataports --- */

static void dataports(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x");
    size_t offset, size;
    uint8_t *mapped = vmm_map(vmm, BAR_2M, &offset, &size);
    uint8_t *peers = crossvm_dataport(end, 2).address;

    (void)state;
    assert_int_equal(size, 0x200000);
    memcpy(mapped + 0x1ffff0, "guest", sizeof("guest"));
    assert_string_equal((char *)peers + 0x1ffff0, "guest");
    /* By messages, too, as a VMM does that has taken its mappings away for a while. */
    assert_int_equal(vmm_load(vmm, BAR_2M, 0x1ffff0, 4), 0x73657567);
    vmm_store(vmm, BAR_2M, 0x1ffff0, 'q', 1);
    assert_string_equal((char *)mapped + 0x1ffff0, "quest");

    /* Dataport 1 has 12 KiB, and the guest only reads it. */
    memcpy((char *)crossvm_dataport(end, 1).address + 0x2ff8, "program", sizeof("program"));
    assert_int_equal(vmm_load(vmm, BAR_12K, 0x2ff8, 8), 0x006d6172676f7270);
    vmm_store(vmm, BAR_12K, 0x2ff8, 'x', 1);
    assert_string_equal((char *)crossvm_dataport(end, 1).address + 0x2ff8, "program");
    assert_int_equal(vmm_load(vmm, BAR_12K, 0x2ffc, 8), 0x006d6172); /* across its end: zeros */
    assert_int_equal(vmm_load(vmm, BAR_12K, 0x3000, 4), 0);          /* behind it, in its BAR */
    munmap(mapped, size);
    close(vmm);
    crossvm_close(end);
}

static void accesses_outside_are_errors(void **state)
{
    static const struct {
        uint32_t region;
        uint64_t offset;
    } table[] = {{0, 0x7ffd},       {0, 0x8000}, {BAR_64K, 0x10000},       {2, 0}, {6, 0},
                 {VMM_CONFIG, 253}, {8, 0},      {BAR_64K, UINT64_MAX - 8}};
    int vmm = vmm_start("x");
    struct vmm_reply reply;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t access[3] = {table[i].offset, table[i].region | 4ULL << 32};

        vmm_ask(vmm, VMM_READ, access, 16, &reply);
        assert_int_equal(reply.error, EINVAL);
        vmm_ask(vmm, VMM_WRITE, access, 20, &reply);
        assert_int_equal(reply.error, EINVAL);
    }
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_MAGIC), CROSSVM_MAGIC); /* it works on */
    close(vmm);
}

/* --- events --- */

static void events_of_the_program(void **state)
{
    int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC);
    struct pages pages = map_pages(vmm);
    crossvm_end_t *end = hub_open("x");

    (void)state;
    vmm_set_command(vmm, VMM_MEMORY | VMM_MASTER);
    vmm_set_irq(vmm, 1, msi);
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(crossvm_emit(end), 0);
        (void)vmm_await_interrupt(msi);
        assert_int_equal(state64(&pages, CROSSVM_REG_EVENT_SEQ), i);
    }
    assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8), 1000);
    assert_int_equal(vmm_load32(vmm, CROSSVM_REG_COUNT), 1000);
    /* Without bus master there is no message, and the count goes on. */
    vmm_set_command(vmm, VMM_MEMORY);
    assert_int_equal(crossvm_emit(end), 0);
    while (state64(&pages, CROSSVM_REG_EVENT_SEQ) != 1001)
        (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    assert_int_equal(vmm_take_interrupts(msi), 0);
    munmap(pages.address, pages.size);
    close(msi);
    close(vmm);
    crossvm_close(end);
}

/* Events from before the VMM came, and between two VMMs, are told to the next. */
static void early_events(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm;

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(crossvm_emit(end), 0);
        assert_int_equal(crossvm_emit(end), 0);
        vmm = vmm_start("x");
        assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8), 2);
        close(vmm);
        while (crossvm_peer_state(end, NULL) != CROSSVM_PEER_ABSENT)
            (void)crossvm_wait(end, PATIENCE);
        vmm = vmm_start("x"); /* so the hub has seen that the other left */
        assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8), 0);
        close(vmm);
        vmm = vmm_start("x");
        close(vmm);
    }
    crossvm_close(end);
}

static void hear(crossvm_end_t *end, int events)
{
    for (int heard = 0; heard < events;) {
        int more = crossvm_wait(end, PATIENCE);

        assert_true(more >= 0);
        heard += more;
        assert_true(heard <= events);
    }
}

static void events_of_the_guest(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x");
    struct pages pages = map_pages(vmm);

    (void)state;
    vmm_store(vmm, 0, CROSSVM_REG_EMIT, 0, 1);
    hear(end, 1);
    assert_int_equal(*in_pages(&pages, CROSSVM_REG_OWN_SEQ), 1);
    /* Counted first, and then signalled once: the program hears of all. */
    for (int events = 5; events < 50000; events *= 9) {
        (void)__atomic_fetch_add(in_pages(&pages, CROSSVM_REG_OWN_SEQ), (uint64_t)events, __ATOMIC_SEQ_CST);
        vmm_store32(vmm, CROSSVM_REG_DOORBELL, 1);
        hear(end, events);
    }
    /* A count that goes backwards or far away is a lie, and tells as one event. */
    __atomic_store_n(in_pages(&pages, CROSSVM_REG_OWN_SEQ), 3, __ATOMIC_SEQ_CST);
    vmm_store32(vmm, CROSSVM_REG_DOORBELL, 1);
    hear(end, 1);
    __atomic_store_n(in_pages(&pages, CROSSVM_REG_OWN_SEQ), UINT64_MAX / 2, __ATOMIC_SEQ_CST);
    vmm_store32(vmm, CROSSVM_REG_DOORBELL, 1);
    hear(end, 1);
    munmap(pages.address, pages.size);
    close(vmm);
    crossvm_close(end);
}

static uint32_t awake(const struct pages *pages)
{
    return __atomic_load_n((uint32_t *)in_pages(pages, CROSSVM_STATE_PAGE + CROSSVM_STATE_AWAKE), __ATOMIC_RELAXED);
}

/* As a guest that knows AWAKE emits. Whether it had to ring. */
static bool emit_unless_awake(int vmm, const struct pages *pages)
{
    bool asleep;

    (void)__atomic_fetch_add(in_pages(pages, CROSSVM_REG_OWN_SEQ), 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    asleep = !awake(pages);
    if (asleep)
        vmm_store32(vmm, CROSSVM_REG_DOORBELL, 1);
    return asleep;
}

/* While the device is awake nobody rings, and no event is lost at the moment when it stops to be; nor is one told
 * twice. */
static void events_without_a_doorbell(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC);
    struct pages pages = map_pages(vmm);
    const int rounds = 20000;
    int rings = 0;

    (void)state;
    vmm_set_irq(vmm, 1, msi);
    for (int i = 0; i < rounds; i++) {
        rings += emit_unless_awake(vmm, &pages);
        assert_int_equal(crossvm_wait(end, PATIENCE), 1);
        for (int k = 0; k < i % 100 * 100; k++) /* until about when it falls asleep */
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        assert_in_range(rings, 1, rounds - 1);
    else
        assert_int_equal(rings, rounds);
    /* A doorbell that comes after the device has seen the count is no event more. */
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        while (emit_unless_awake(vmm, &pages))
            hear(end, 1);
        hear(end, 1);
        vmm_store32(vmm, CROSSVM_REG_DOORBELL, 1);
        assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    }
    while (awake(&pages)) /* it falls asleep by itself */
        ;
    /* Never without MSI, nor after it is gone. */
    vmm_set_irq(vmm, 1, -1);
    assert_true(emit_unless_awake(vmm, &pages));
    hear(end, 1);
    assert_int_equal(awake(&pages), 0);
    munmap(pages.address, pages.size);
    close(msi);
    close(vmm);
    crossvm_close(end);
}

/* --- who is there --- */

static void await_peer(crossvm_end_t *end, uint32_t state, uint32_t generation)
{
    uint32_t now;

    while (crossvm_peer_state(end, &now) != state || now != generation)
        assert_true(crossvm_wait(end, PATIENCE) >= 0);
}

static void the_program_is_told_of_the_guest(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x");
    struct vmm_reply reply;

    (void)state;
    await_peer(end, CROSSVM_PEER_ABSENT, 0);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 1);
    await_peer(end, CROSSVM_PEER_PRESENT, 1);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 2);
    await_peer(end, CROSSVM_PEER_READY, 2);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 2); /* another program in the place of one that was killed */
    await_peer(end, CROSSVM_PEER_READY, 3);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 1);
    await_peer(end, CROSSVM_PEER_PRESENT, 3);
    vmm_ask(vmm, VMM_RESET, NULL, 0, &reply);
    await_peer(end, CROSSVM_PEER_ABSENT, 3);
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 2);
    await_peer(end, CROSSVM_PEER_READY, 4);
    close(vmm);
    await_peer(end, CROSSVM_PEER_ABSENT, 4);
    vmm = vmm_start("x");
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 1);
    await_peer(end, CROSSVM_PEER_PRESENT, 5);
    close(vmm);
    crossvm_close(end);
}

static void the_guest_is_told_of_the_program(void **state)
{
    int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC);
    struct pages pages = map_pages(vmm);
    crossvm_end_t *end;

    (void)state;
    vmm_set_command(vmm, VMM_MASTER);
    vmm_set_irq(vmm, 1, msi);
    assert_int_equal(state64(&pages, CROSSVM_REG_PEER), CROSSVM_PEER_ABSENT);
    /* No interrupt for a driver that says nothing: it would not know whose it is. */
    end = hub_open("x");
    while (state64(&pages, CROSSVM_REG_PEER) != (CROSSVM_PEER_READY | 1ULL << 32))
        ;
    (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    assert_int_equal(vmm_take_interrupts(msi), 0);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 1);
    crossvm_close(end);
    (void)vmm_await_interrupt(msi);
    assert_int_equal(state64(&pages, CROSSVM_REG_PEER), CROSSVM_PEER_ABSENT | 1ULL << 32);
    end = hub_open("x");
    (void)vmm_await_interrupt(msi);
    assert_int_equal(state64(&pages, CROSSVM_REG_PEER), CROSSVM_PEER_READY | 2ULL << 32);
    assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_PEER, 8), CROSSVM_PEER_READY | 2ULL << 32);
    munmap(pages.address, pages.size);
    close(msi);
    close(vmm);
    crossvm_close(end);
}

/* What a guest has counted when its VMM dies is told, though nobody rang. */
static void last_events(void **state)
{
    crossvm_end_t *end = hub_open("x");

    (void)state;
    for (int events = 1; events < 10000; events *= 5) {
        int vmm = vmm_start("x"), heard = 0, told = events < 64 ? events : 64; /* as many as one look signals */
        struct pages pages = map_pages(vmm);

        (void)__atomic_fetch_add(in_pages(&pages, CROSSVM_REG_OWN_SEQ), (uint64_t)events, __ATOMIC_SEQ_CST);
        munmap(pages.address, pages.size);
        close(vmm);
        while (heard < told) {
            int n = crossvm_wait(end, PATIENCE);

            assert_true(n >= 0);
            heard += n;
        }
        assert_int_equal(heard, told);
    }
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    crossvm_close(end);
}

/* The program keeps its end and its memory while VMMs come and go. */
static void a_vmm_that_comes_again(void **state)
{
    crossvm_end_t *end = hub_open("x");
    uint64_t *memory = crossvm_dataport(end, 0).address;

    (void)state;
    for (uint64_t i = 1; i <= 100; i++) {
        int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC);
        size_t offset, size;
        uint64_t *guests = (uint64_t *)vmm_map(vmm, 1, &offset, &size);

        assert_int_equal(guests[0], i - 1); /* what the program and the VMM before left */
        guests[0] = i;
        assert_int_equal(memory[0], i);
        assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8), 0);
        assert_int_equal(vmm_load32(vmm, CROSSVM_REG_DRIVER), 0);
        vmm_set_command(vmm, VMM_MASTER);
        vmm_set_irq(vmm, 1, msi);
        vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 2);
        await_peer(end, CROSSVM_PEER_READY, (uint32_t)i);
        assert_int_equal(crossvm_emit(end), 0);
        (void)vmm_await_interrupt(msi);
        munmap(guests, size);
        close(msi);
        close(vmm);
    }
    crossvm_close(end);
}

static void a_second_vmm_is_turned_away(void **state)
{
    int first = vmm_start("x"), second;

    (void)state;
    hub_silence();
    second = vmm_connect("x");
    vmm_await_close(second);
    assert_int_equal(vmm_load32(first, CROSSVM_REG_MAGIC), CROSSVM_MAGIC);
    close(first);
}

/* A hub that ends: both ends hear that their peer is gone, a VMM has answers to all that it asked, and its socket ends.
 */
static void the_hub_ends(void **state)
{
    static const uint64_t load[2] = {CROSSVM_REG_PEER, 8ULL << 32};
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC);
    struct pages pages = map_pages(vmm);
    struct vmm_reply reply;
    uint64_t peer;
    char byte;

    (void)state;
    vmm_set_command(vmm, VMM_MASTER);
    vmm_set_irq(vmm, 1, msi);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 2);
    await_peer(end, CROSSVM_PEER_READY, 1);
    assert_int_equal(vmm_take_interrupts(msi), 0);
    hub_stop();
    for (int i = 0; i < 10; i++)
        assert_true(vmm_send(vmm, VMM_READ, 0, load, sizeof(load), NULL, 0));
    assert_int_equal(send(vmm, load, 5, MSG_NOSIGNAL), 5); /* the begin of another one */
    hub_end();
    (void)vmm_await_interrupt(msi);
    assert_int_equal(state64(&pages, CROSSVM_REG_PEER), CROSSVM_PEER_ABSENT | 1ULL << 32);
    for (int i = 0; i < 10; i++) {
        assert_true(vmm_receive(vmm, VMM_READ, &reply));
        assert_int_equal(reply.error, 0);
        memcpy(&peer, reply.body + 16, sizeof(peer));
        assert_int_equal(peer, CROSSVM_PEER_ABSENT | 1ULL << 32);
    }
    assert_int_equal(recv(vmm, &byte, 1, 0), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    munmap(pages.address, pages.size);
    close(msi);
    close(vmm);
    crossvm_close(end);
}

/* The host sees by which interrupt the guest hears, and that a VMM is there. */
static void the_host_is_told_of_the_vmm(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x"), interrupt = eventfd(0, EFD_CLOEXEC);
    crossvm_end_info_t info;

    (void)state;
    for (unsigned int msi = 0; msi < 2; msi++) {
        vmm_set_irq(vmm, 1, msi ? interrupt : -1);
        assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
        assert_int_equal(info.msi, msi);
        assert_int_equal(info.peer_door, CROSSVM_DOOR_VFIO_USER);
        assert_int_equal(info.peer_here, 1);
    }
    close(vmm);
    close(interrupt);
    do
        assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
    while (info.peer_here); /* the hub comes to it */
    assert_int_equal(info.msi, 0);
    crossvm_close(end);
}

/* A guest writes over its view of the device, and has the true one again when a VMM comes. */
static void a_guest_spoils_its_own_view_only(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x");
    struct pages pages = map_pages(vmm);

    (void)state;
    memset(pages.address, 0xff, pages.size);
    assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_PEER, 8), CROSSVM_PEER_READY | 1ULL << 32);
    crossvm_emit(end);
    vmm_await_event(vmm, 1);
    assert_int_equal(state64(&pages, CROSSVM_REG_EVENT_SEQ), 1);
    memset(pages.address, 0xff, pages.size);
    munmap(pages.address, pages.size);
    close(vmm);
    vmm = vmm_start("x");
    pages = map_pages(vmm);
    assert_int_equal(state64(&pages, CROSSVM_REG_EVENT_SEQ), 0);
    assert_int_equal(state64(&pages, CROSSVM_REG_PEER), CROSSVM_PEER_READY | 1ULL << 32);
    munmap(pages.address, pages.size);
    close(vmm);
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(identity),
        HUB_TEST(regions),
        HUB_TEST(bars_move),
        HUB_TEST(every_width_offset_and_value),
        HUB_TEST(driver_page),
        HUB_TEST(dataports),
        HUB_TEST(accesses_outside_are_errors),
        HUB_TEST(events_of_the_program),
        HUB_TEST(early_events),
        HUB_TEST(events_of_the_guest),
        HUB_TEST(events_without_a_doorbell),
        HUB_TEST(the_program_is_told_of_the_guest),
        HUB_TEST(the_guest_is_told_of_the_program),
        HUB_TEST(last_events),
        HUB_TEST(a_vmm_that_comes_again),
        HUB_TEST(a_second_vmm_is_turned_away),
        HUB_TEST(the_hub_ends),
        HUB_TEST(the_host_is_told_of_the_vmm),
        HUB_TEST(a_guest_spoils_its_own_view_only),
    };

    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
