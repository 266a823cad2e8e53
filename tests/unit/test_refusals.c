/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Installations that must fail with -1, one line in the log that names the connection and the reason, and no change to
 * VM, PCI space and heap.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <sel4vmmplatsupport/guest_memory_util.h>

#define RW (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)

static void assert_refused(struct fixture *f, const crossvm_bus_t *bus, const crossvm_connection_config_t *configs,
                           size_t n, const char *name, const char *reason)
{
    crossvm_connection_t *handles[4] = {NULL};
    struct state before;

    log_take();
    state_take(f, &before);
    assert_int_equal(crossvm_install(bus, configs, n, handles), -1);
    state_assert_unchanged(f, &before);
    assert_int_equal(log_take(), 1);
    if (name && !strstr(log_last, name))
        fail_msg("\"%s\" does not name \"%s\"", log_last, name);
    if (!strstr(log_last, reason))
        fail_msg("\"%s\" does not say \"%s\"", log_last, reason);
}

static void one_refused(struct fixture *f, const crossvm_connection_config_t *config, const char *reason)
{
    assert_refused(f, &f->bus, config, 1, config->name, reason);
}

static void null_arguments(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a"};
    crossvm_bus_t bus;
    struct state before;

    state_take(f, &before);
    log_take();
    assert_int_equal(crossvm_install(NULL, &config, 1, NULL), -1);
    assert_int_equal(log_take(), 1);
    state_assert_unchanged(f, &before);
    bus = f->bus;
    bus.vm = NULL;
    assert_refused(f, &bus, &config, 1, NULL, "no VM");
    bus = f->bus;
    bus.pci = NULL;
    assert_refused(f, &bus, &config, 1, NULL, "no PCI space");
    bus = f->bus;
    bus.alloc_irq = NULL;
    assert_refused(f, &bus, &config, 1, NULL, "no alloc_irq");
    assert_refused(f, &f->bus, NULL, 1, NULL, "no connections");
    assert_refused(f, &f->bus, &config, 0, NULL, "0 connections");
    config.name = NULL;
    assert_refused(f, &f->bus, &config, 1, "connection 0", "no name");
    config = (crossvm_connection_config_t){.name = "a", .num_dataports = 1};
    one_refused(f, &config, "dataports is NULL");
}

static void bad_base_addresses(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a"};
    crossvm_bus_t bus = f->bus;

    bus.base = BASE + 1;
    assert_refused(f, &bus, &config, 1, NULL, "multiple of 4 KiB");
    bus.base = (uintptr_t)1 << 32;
    assert_refused(f, &bus, &config, 1, NULL, "below 4 GiB");
    bus.base = 0xfffff000;
    bus.size = 0x1000;
    assert_int_equal(crossvm_install(&bus, &config, 1, NULL), 0); /* the last page fits */
}

static void bad_names(void **state)
{
    static const char *const names[] = {
        "",         ".",
        "..",       "a/b",
        "a b",      "a\n",
        "\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123", /* 64 characters */
    };
    struct fixture *f = *state;
    crossvm_connection_config_t config = {0};
    crossvm_connection_config_t longest = {.name = "012345678901234567890123456789012345678901234567890123456789012"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        config.name = names[i];
        assert_refused(f, &f->bus, &config, 1, NULL, "1 to 63");
    }
    assert_int_equal(crossvm_install(&f->bus, &longest, 1, NULL), 0);
    assert_non_null(crossvm_find(&f->vm, longest.name));
}

static void duplicate_names(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t configs[] = {{.name = "a"}, {.name = "b"}, {.name = "a"}};

    assert_refused(f, &f->bus, configs, 3, "\"a\"", "twice");
    install_one(f, "b");
    assert_refused(f, &f->bus, configs, 2, "\"b\"", "already");
}

/* libsel4vm on seL4 leaves the frames that it mapped before a mapping failed; this stands in for it. */
static size_t left_mapped; /* pages from BASE on */
static size_t unmapped;

seL4_CPtr __wrap_vspace_get_cap(vspace_t *vspace, void *vaddr);
void __wrap_vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits, vka_t *free);

seL4_CPtr __wrap_vspace_get_cap(vspace_t *vspace, void *vaddr)
{
    (void)vspace;
    return ((uintptr_t)vaddr - BASE) / CROSSVM_PAGE_SIZE < left_mapped ? 1 : seL4_CapNull;
}

void __wrap_vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits, vka_t *free)
{
    (void)vspace;
    assert_int_equal((uintptr_t)vaddr, BASE + unmapped * CROSSVM_PAGE_SIZE);
    assert_int_equal(num_pages, 1);
    assert_int_equal(size_bits, 12);
    assert_ptr_equal(free, VSPACE_PRESERVE); /* the frames are the caller's */
    unmapped++;
}

static void a_mapping_that_fails_midway_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr frames[4];
    crossvm_dataport_config_t d = {.frames = frames, .num_frames = 4, .frame_size_bits = 12, .guest_rights = RW};
    crossvm_connection_config_t config = {.name = "a", .dataports = &d, .num_dataports = 1};

    memcpy(frames, frames_make(4, 12), sizeof(frames));
    frames[3] = 0x7fffffff;
    left_mapped = 3;
    unmapped = 0;
    one_refused(f, &config, "cannot map 4 frames");
    assert_int_equal(unmapped, 3);
    left_mapped = 0;
}

static void bad_dataports(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr some[4] = {1, 2, 3, 4};
    seL4_CPtr with_null[2] = {1, seL4_CapNull}, null_first[2] = {seL4_CapNull, 1};
    crossvm_dataport_config_t d[5];
    crossvm_connection_config_t config = {.name = "a", .dataports = d, .num_dataports = 1};

    memcpy(some, frames_make(4, 12), sizeof(some));
    with_null[0] = some[0];
    d[0] = (crossvm_dataport_config_t){.frames = NULL, .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "no frames");
    d[0] = (crossvm_dataport_config_t){.frames = some, .num_frames = 0, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "0 frames");
    d[0] = (crossvm_dataport_config_t){.frames = some, .num_frames = 1, .frame_size_bits = 11, .guest_rights = RW};
    one_refused(f, &config, "not of 4 KiB to 1 GiB");
    for (size_t bits = 31; bits < 70; bits++) {
        d[0] =
            (crossvm_dataport_config_t){.frames = some, .num_frames = 1, .frame_size_bits = bits, .guest_rights = RW};
        one_refused(f, &config, "not of 4 KiB to 1 GiB");
    }
    d[0] =
        (crossvm_dataport_config_t){.frames = some, .num_frames = SIZE_MAX, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "exceed 2 GiB");
    d[0] = (crossvm_dataport_config_t){
        .frames = some, .num_frames = ((size_t)1 << 19) + 1, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "exceed 2 GiB");
    d[0] = (crossvm_dataport_config_t){.frames = with_null, .num_frames = 2, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "frame 1 is a null capability");
    d[0] =
        (crossvm_dataport_config_t){.frames = null_first, .num_frames = 2, .frame_size_bits = 12, .guest_rights = RW};
    one_refused(f, &config, "frame 0 is a null capability");
    d[0] = (crossvm_dataport_config_t){
        .frames = some, .num_frames = 4, .frame_size_bits = 12, .guest_rights = CROSSVM_RIGHT_WRITE};
    one_refused(f, &config, "rights");
    d[0] = (crossvm_dataport_config_t){.frames = some, .num_frames = 4, .guest_rights = 4};
    one_refused(f, &config, "rights");
    d[0] = (crossvm_dataport_config_t){.frames = some, .num_frames = 1, .frame_size_bits = 21, .guest_rights = RW};
    one_refused(f, &config, "cannot map"); /* frames of another size */
    config.num_dataports = 5;
    one_refused(f, &config, "more than the 4");
}

static void bad_ends(void **state)
{
    struct fixture *f = *state;
    const seL4_CPtr *frames = frames_make(2, 12);
    crossvm_connection_config_t third = {.name = "a", .end = 2};
    crossvm_connection_config_t lone = {.name = "a", .own_page = frames[0]};
    crossvm_connection_config_t mute = {.name = "a", .peer_page = frames[0], .own_page = frames[1]};
    crossvm_connection_config_t base = {.name = "a", .own_page = frames[0], .base_block_only = true};

    one_refused(f, &third, "end 2");
    one_refused(f, &lone, "peer page");
    one_refused(f, &mute, "emit_counted");
    one_refused(f, &base, "base block");
}

/* The second connection fails when the first is half done. */
static void failure_midway_undoes_all(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr *frames = frames_make(2, 12);
    crossvm_dataport_config_t good = {.frames = frames, .num_frames = 2, .frame_size_bits = 12, .guest_rights = RW};
    crossvm_dataport_config_t bad = {.frames = frames, .num_frames = 1, .frame_size_bits = 21, .guest_rights = RW};
    crossvm_connection_config_t configs[] = {{.name = "good", .dataports = &good, .num_dataports = 1},
                                             {.name = "bad", .dataports = &bad, .num_dataports = 1}};

    assert_refused(f, &f->bus, configs, 2, "\"bad\"", "cannot map");
    assert_null(crossvm_find(&f->vm, "good"));
}

static memory_fault_result_t somebody_elses(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t addr, size_t len, void *cookie)
{
    (void)vm;
    (void)vcpu;
    (void)addr;
    (void)len;
    (void)cookie;
    return FAULT_IGNORE;
}

/* libsel4vm on seL4 frees memory that is not its own when the address is taken: so nobody may ask it for that. */
void *__real_create_allocated_reservation_frame(vm_t *vm, uintptr_t addr, seL4_CapRights_t rights,
                                                memory_fault_callback_fn callback, void *cookie);
void *__wrap_create_allocated_reservation_frame(vm_t *vm, uintptr_t addr, seL4_CapRights_t rights,
                                                memory_fault_callback_fn callback, void *cookie);

void *__wrap_create_allocated_reservation_frame(vm_t *vm, uintptr_t addr, seL4_CapRights_t rights,
                                                memory_fault_callback_fn callback, void *cookie)
{
    int left = kvm_test_fail_after(0), callocs_left = calloc_fail_after(0);
    vm_memory_reservation_t *probe = vm_reserve_memory_at(vm, addr, CROSSVM_PAGE_SIZE, somebody_elses, NULL);

    assert_non_null(probe);
    assert_int_equal(vm_free_reserved_memory(vm, probe), 0);
    (void)kvm_test_fail_after(left);
    (void)calloc_fail_after(callocs_left);
    return __real_create_allocated_reservation_frame(vm, addr, rights, callback, cookie);
}

static void taken_memory(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_config_t d = {
        .frames = frames_make(1, 12), .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW};
    crossvm_connection_config_t config = {.name = "a", .dataports = &d, .num_dataports = 1};
    vm_memory_reservation_t *theirs;

    theirs = vm_reserve_memory_at(&f->vm, BASE + 0x1000, 0x1000, somebody_elses, NULL);
    one_refused(f, &config, "taken");
    assert_int_equal(vm_free_reserved_memory(&f->vm, theirs), 0);
    theirs = vm_reserve_memory_at(&f->vm, BASE, 0x1000, somebody_elses, NULL); /* the event page's, which comes last */
    assert_int_equal(crossvm_install(&f->bus, &config, 1, NULL), -1);
    assert_non_null(strstr(log_last, "event page"));
    assert_int_equal(vm_free_reserved_memory(&f->vm, theirs), 0);
    assert_int_equal(crossvm_install(&f->bus, &config, 1, NULL), 0);
}

static void no_room(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_config_t d = {
        .frames = frames_make(1, 12), .num_frames = 1, .frame_size_bits = 12, .guest_rights = RW};
    crossvm_connection_config_t config = {.name = "a", .dataports = &d, .num_dataports = 1};
    crossvm_bus_t bus = f->bus;

    bus.size = 0x1000;
    assert_refused(f, &bus, &config, 1, "\"a\"", "do not fit");
    bus.size = 0x2000;
    assert_int_equal(crossvm_install(&bus, &config, 1, NULL), 0);
}

static void a_full_bus(void **state)
{
    struct fixture *f = *state;
    char names[32][8];
    crossvm_connection_config_t configs[32];
    crossvm_connection_t *c[32];
    vmm_pci_device_def_t *bridge = f->pci->bus0[0][0]->cookie;
    uint8_t header_type = bridge->header_type;

    for (size_t i = 0; i < 32; i++) {
        snprintf(names[i], sizeof(names[i]), "c%zu", i);
        configs[i] = (crossvm_connection_config_t){.name = names[i]};
    }
    bridge->header_type = 0; /* as with libsel4vm on seL4, which routes function 0 only */
    assert_refused(f, &f->bus, configs, 32, "\"c31\"", "bus is full");
    log_take();
    assert_int_equal(crossvm_install(&f->bus, configs, 31, c), 0);
    assert_int_equal(log_take(), 1);
    assert_non_null(strstr(log_last, "31 connections"));
    assert_refused(f, &f->bus, &configs[31], 1, "\"c31\"", "bus is full");
    bridge->header_type = header_type;
}

/* --- interrupt numbers --- */

static int irq_given;

static int irq_fixed(void)
{
    return irq_given;
}

static void bad_interrupt_numbers(void **state)
{
    static const int numbers[] = {256, 432, 0, 100000};
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a"};
    crossvm_bus_t bus = f->bus;

    bus.alloc_irq = irq_fixed;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        irq_given = numbers[i];
        assert_refused(f, &bus, &config, 1, "\"a\"", "carries 1 to 255");
    }
    irq_given = -1;
    assert_refused(f, &bus, &config, 1, "\"a\"", "no interrupt number");
}

/* A number that fits the register but that the VM refuses fails once, and is not used again. */
#define REFUSED_IRQ (KVM_FIRST_IRQ > 1 ? KVM_FIRST_IRQ - 1 : KVM_LAST_IRQ + 1)

static void an_interrupt_that_the_vm_refuses(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a"};
    crossvm_bus_t bus = f->bus;

    bus.alloc_irq = irq_fixed;
    irq_given = REFUSED_IRQ;
    assert_int_equal(crossvm_install(&bus, &config, 1, NULL), -1);
    assert_non_null(strstr(log_last, "cannot be registered"));
    irq_given = FIRST_IRQ;
    assert_int_equal(crossvm_install(&bus, &config, 1, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(null_arguments),
        FIXTURE_TEST(bad_base_addresses),
        FIXTURE_TEST(bad_names),
        FIXTURE_TEST(duplicate_names),
        FIXTURE_TEST(a_mapping_that_fails_midway_leaves_nothing),
        FIXTURE_TEST(bad_dataports),
        FIXTURE_TEST(bad_ends),
        FIXTURE_TEST(failure_midway_undoes_all),
        FIXTURE_TEST(taken_memory),
        FIXTURE_TEST(no_room),
        FIXTURE_TEST(a_full_bus),
        FIXTURE_TEST(bad_interrupt_numbers),
        FIXTURE_TEST(an_interrupt_that_the_vm_refuses),
    };

    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
