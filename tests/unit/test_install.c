/* SPDX-License-Identifier: BSD-2-Clause */
/* Installations that work, beside and after others, and those that memory does not suffice for. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm/boot.h>

#define RW (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)

/* A configuration of zeros: 4 KiB frames that the guest reads and writes, no callbacks, end 0. */
static void zeros_are_defaults(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_config_t dataport = {.frames = frames_make(2, 12), .num_frames = 2};
    crossvm_connection_config_t config = {.name = "a", .dataports = &dataport, .num_dataports = 1};
    crossvm_connection_t *c;

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_DATAPORT(0) + CROSSVM_DATAPORT_SIZE), 2 << 12);
    assert_int_equal(page_word(c, CROSSVM_REG_DATAPORT(0) + CROSSVM_DATAPORT_RIGHTS), RW);
    assert_int_equal(page_word(c, CROSSVM_REG_END), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_FEATURES), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_MAGIC), CROSSVM_MAGIC);
}

static void an_interrupt_each_then_shared(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t configs[5] = {
        {.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}, {.name = "e"}};
    crossvm_connection_t *c[5];
    int irqs[5];

    irq_limit = FIRST_IRQ + 2;
    assert_int_equal(crossvm_install(&f->bus, configs, 5, c), 0);
    for (size_t i = 0; i < 5; i++) {
        crossvm_connection_info_t info;

        crossvm_get_connection_info(c[i], &info);
        irqs[i] = info.irq;
        assert_int_equal(guest_config_read(f, c[i], 0x3c, 1), info.irq);
        assert_int_equal(info.irq_shared, i != 2);
    }
    assert_int_equal(irqs[0], FIRST_IRQ);
    assert_int_equal(irqs[1], FIRST_IRQ + 1);
    assert_int_equal(irqs[2], FIRST_IRQ + 2);
    assert_int_equal(irqs[3], FIRST_IRQ);
    assert_int_equal(irqs[4], FIRST_IRQ + 1);
}

/* --- the bus --- */

static void a_hundred_connections(void **state)
{
    struct fixture *f = *state;
    static char names[100][8];
    static crossvm_connection_config_t configs[100];
    static crossvm_connection_t *c[100];
    unsigned char seen[32][8] = {{0}};
    const crossvm_connection_t *first = NULL;

    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "c%zu", i);
        configs[i] = (crossvm_connection_config_t){.name = names[i]};
    }
    assert_int_equal(crossvm_install(&f->bus, configs, 100, c), 0);
    for (size_t i = 0; i < 100; i++) {
        crossvm_connection_info_t info;

        crossvm_get_connection_info(c[i], &info);
        assert_false(seen[info.pci.dev][info.pci.fun]++);
        assert_int_equal(guest_config_read(f, c[i], 0, 4), 0xa1111af4);
    }
    /* A guest looks for functions 1 to 7 only if function 0 says so. */
    for (int dev = 1; dev < 32; dev++) {
        uint32_t header = 0;

        assert_non_null(f->pci->bus0[dev][0]);
        f->pci->bus0[dev][0]->ioread(f->pci->bus0[dev][0]->cookie, 0x0e, 1, &header);
        assert_int_equal(header, seen[dev][1] ? 0x80 : 0);
    }
    /* Functions of one device share a pin only if they have the same number. */
    for (size_t i = 0; i < 100; i++) {
        for (size_t j = 0; j < i; j++) {
            crossvm_connection_info_t a;
            crossvm_connection_info_t b;

            crossvm_get_connection_info(c[i], &a);
            crossvm_get_connection_info(c[j], &b);
            if (a.pci.dev == b.pci.dev && guest_config_read(f, c[i], 0x3d, 1) == guest_config_read(f, c[j], 0x3d, 1))
                assert_int_equal(a.irq, b.irq);
        }
    }
    /* Function 0 says so no more when the others have left. */
    for (size_t i = 0; i < 100; i++) {
        crossvm_connection_info_t info;

        crossvm_get_connection_info(c[i], &info);
        if (info.pci.dev == 1 && info.pci.fun == 0)
            first = c[i];
        if (info.pci.dev == 1 && info.pci.fun != 0) {
            assert_int_equal(guest_config_read(f, c[i], 0x0e, 1), 0x80);
            crossvm_remove(c[i]);
        }
    }
    assert_int_equal(guest_config_read(f, first, 0x0e, 1), 0);
}

/* --- memory --- */

/* Installs while the n-th allocation fails. If the installation works, it is undone. */
static bool install_fails(struct fixture *f, const crossvm_connection_config_t *configs, int (*fail_after)(int), int n)
{
    int result;

    irq_next = FIRST_IRQ;
    log_take();
    fail_after(n);
    result = crossvm_install(&f->bus, configs, 2, NULL);
    if (fail_after(0) > 0) /* fewer than n allocations */
        assert_int_equal(result, 0);
    if (result == 0) {
        crossvm_remove(crossvm_find(&f->vm, "a"));
        crossvm_remove(crossvm_find(&f->vm, "b"));
        return false;
    }
    assert_int_equal(log_take(), 1);
    assert_true(strstr(log_last, "\"a\"") || strstr(log_last, "\"b\""));
    assert_null(crossvm_find(&f->vm, "a"));
    assert_null(crossvm_find(&f->vm, "b"));
    assert_null(f->pci->bus0[1][0]);
    return true;
}

/*
 * Every allocation fails in turn. What libsel4vm cannot take back (event pages, interrupts) may stay with the module,
 * but it is used again: repeated failures leak nothing more.
 */
static void no_memory_at_any_point(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr *frames = frames_make(5, 12);
    crossvm_dataport_config_t d[] = {{.frames = frames, .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW},
                                     {.frames = frames + 1, .num_frames = 3, .frame_size_bits = 12, .guest_rights = 1}};
    crossvm_connection_config_t configs[] = {{.name = "a", .dataports = d, .num_dataports = 2},
                                             {.name = "b", .dataports = d, .num_dataports = 1, .peer_page = frames[4]}};
    int failures = 0;

    for (int kind = 0; kind < 2; kind++) {
        int (*fail_after)(int) = kind ? kvm_test_fail_after : calloc_fail_after;

        for (int n = 1; install_fails(f, configs, fail_after, n); n++) {
            struct state before;

            failures++;
            for (int again = 0; again < 4; again++)
                (void)install_fails(f, configs, fail_after, n);
            state_take(f, &before);
            for (int again = 0; again < 4; again++)
                (void)install_fails(f, configs, fail_after, n);
            state_assert_unchanged(f, &before);
            fixture_vm_destroy(f);
            fixture_vm_create(f);
        }
    }
    assert_true(failures > 20);
}

/* --- several installs --- */

static void a_second_install_keeps_the_first(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *a = install_one(f, "a");
    crossvm_connection_t *b = install_one(f, "b");

    guest_enable(f, a);
    crossvm_consume_event(a);
    crossvm_consume_event(b);
    crossvm_consume_event(b);
    assert_int_equal(page_word(a, CROSSVM_REG_COUNT), 1);
    assert_int_equal(page_word(b, CROSSVM_REG_COUNT), 2);
    assert_true(bar(a, 0) != bar(b, 0) && bar(a, 1) != bar(b, 1));
}

static void two_vms(void **state)
{
    struct fixture *f = *state;
    struct fixture *other = malloc(sizeof(*other));
    crossvm_connection_t *a;
    crossvm_connection_t *b;

    assert_non_null(other);
    fixture_vm_create(other);
    a = install_one(f, "same");
    b = install_one(other, "same");
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(crossvm_find(&f->vm, "same"), a);
    assert_ptr_equal(crossvm_find(&other->vm, "same"), b);
    guest_enable(f, a);
    guest_enable(other, b);
    crossvm_consume_event(b);
    assert_int_equal(page_word(a, CROSSVM_REG_COUNT), 0);
    assert_int_equal(page_word(b, CROSSVM_REG_COUNT), 1);
    fixture_vm_destroy(other);
    free(other);
    crossvm_consume_event(a);
    assert_int_equal(page_word(a, CROSSVM_REG_COUNT), 1);
}

static void remove_and_install_again(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_config_t d = {
        .frames = frames_make(1, 12), .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW};
    crossvm_connection_config_t config = {.name = "a", .dataports = &d, .num_dataports = 1};
    struct state first;

    for (int i = 0; i < 100; i++) {
        crossvm_connection_t *c;

        assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
        assert_int_equal(page_word(c, CROSSVM_REG_COUNT), 0);
        crossvm_count(c, 1);
        crossvm_remove(c);
        if (i == 0) /* the module keeps one event page and one interrupt */
            state_take(f, &first);
    }
    state_assert_unchanged(f, &first);
}

static void a_removed_event_page_is_inert(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_one(f, "a");
    uintptr_t event = bar(c, 0);

    crossvm_remove(c);
    assert_null(crossvm_find(&f->vm, "a"));
    guest_store(f, event, 4, 1);
    guest_store(f, event + CROSSVM_REG_COUNT, 4, 1);
    assert_null(f->pci->bus0[1][0]);
}

/* --- BARs --- */

static void sizes_are_exact_and_tails_inert(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr *small = frames_make(3, 12);
    crossvm_dataport_config_t d[] = {
        {.frames = small, .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW},
        {.frames = small, .num_frames = 3, .frame_size_bits = 12, .guest_rights = RW},
        {.frames = frames_make(32, 21), .num_frames = 32, .frame_size_bits = 21, .guest_rights = RW},
        {.frames = frames_make(16, 12), .num_frames = 16, .frame_size_bits = 12, .guest_rights = RW}};
    crossvm_connection_config_t config = {.name = "a", .dataports = d, .num_dataports = 4};
    crossvm_connection_t *c;
    crossvm_connection_info_t info;
    uint64_t value = 1;

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    crossvm_get_connection_info(c, &info);
    for (unsigned int i = 0; i <= 4; i++)
        assert_int_equal(info.bar_address[i] % info.bar_size[i], 0);
    assert_int_equal(info.bar_size[2], 0x4000);
    assert_int_equal(info.bar_size[3], 64 << 20);
    assert_int_equal(page_word(c, 0xc0), 0x1000);
    assert_int_equal(page_word(c, 0xd0), 0x3000);
    assert_int_equal(page_word(c, 0xe0), 64 << 20);
    assert_int_equal(page_word(c, 0xf0), 0x10000);
    /* The fourth page of the 12 KiB dataport's BAR. */
    guest_store(f, info.bar_address[2] + 0x3000, 4, 0xffffffff);
    assert_int_equal(kvm_test_fault(f->vm.vcpus[BOOT_VCPU], info.bar_address[2] + 0x3ffc, 4, true, 0, &value),
                     FAULT_HANDLED);
    assert_int_equal(value, 0);
}

/* How often this process has a memfd of that name mapped for writing, and how often in all. */
static void count_mappings(const char *memfd, int *writable, int *all)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], rights[8];

    assert_non_null(maps);
    *writable = *all = 0;
    while (fgets(line, sizeof(line), maps)) {
        if (!strstr(line, memfd) || sscanf(line, "%*s %7s", rights) != 1)
            continue;
        ++*all;
        *writable += rights[1] == 'w';
    }
    fclose(maps);
}

static int ignore_events(void *cookie)
{
    (void)cookie;
    return 0;
}

/* A guest's memory is mapped with its rights: else it would be this process that lets it write. */
static void memory_is_mapped_with_the_guests_rights(void **state)
{
    static const char *const names[] = {"to-read", "to-write", "of-the-peer", "of-the-guest"};
    static const int expected[] = {0, 1, 0, 1};
    struct fixture *f = *state;
    seL4_CPtr frames[4];
    crossvm_dataport_config_t d[] = {{.frames = &frames[0], .num_frames = 1, .guest_rights = CROSSVM_RIGHT_READ},
                                     {.frames = &frames[1], .num_frames = 1, .guest_rights = RW}};
    crossvm_connection_config_t config = {
        .name = "a", .dataports = d, .num_dataports = 2, .emit_counted = ignore_events};

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(kvm_frames_create(names[i], 1, 12, &frames[i], NULL), 0);
    config.peer_page = frames[2];
    config.own_page = frames[3];
    assert_int_equal(crossvm_install(&f->bus, &config, 1, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        int writable, all;

        count_mappings(names[i], &writable, &all);
        assert_int_equal(all, 1);
        assert_int_equal(writable, expected[i]);
    }
    kvm_frames_free(frames, 4);
}

static void stores_to_read_only_memory_vanish(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_config_t d = {
        .frames = frames_make(1, 12), .num_frames = 1, .frame_size_bits = 12, .guest_rights = CROSSVM_RIGHT_READ};
    crossvm_connection_config_t config = {
        .name = "a", .dataports = &d, .num_dataports = 1, .peer_page = frames_make(1, 12)[0]};
    crossvm_connection_t *c;

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    guest_store(f, bar(c, 1), 8, ~0ULL);
    guest_store(f, bar(c, 0) + CROSSVM_PEER_PAGE, 8, ~0ULL);
    assert_int_equal(page_word(c, CROSSVM_REG_FEATURES), CROSSVM_FEATURE_PEER_PAGE);
    assert_int_equal(page_word(c, 0xc8), CROSSVM_RIGHT_READ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(zeros_are_defaults),
        FIXTURE_TEST(an_interrupt_each_then_shared),
        FIXTURE_TEST(a_hundred_connections),
        FIXTURE_TEST(no_memory_at_any_point),
        FIXTURE_TEST(a_second_install_keeps_the_first),
        FIXTURE_TEST(two_vms),
        FIXTURE_TEST(remove_and_install_again),
        FIXTURE_TEST(a_removed_event_page_is_inert),
        FIXTURE_TEST(sizes_are_exact_and_tails_inert),
        FIXTURE_TEST(memory_is_mapped_with_the_guests_rights),
        FIXTURE_TEST(stores_to_read_only_memory_vanish),
    };

    return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
