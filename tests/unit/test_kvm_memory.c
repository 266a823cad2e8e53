/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a VM of libsel4vm on Linux KVM: reservations and the accesses that reach them, frames, RAM.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/guest_memory_util.h>
#include <utils/util.h>

#include "kvm_fixture.h"

/* --- reservations --- */

static void reservations_refuse_what_is_malformed(void **state)
{
    struct access access = {0};

    (void)state;
    assert_null(vm_reserve_memory_at(&vm, WINDOW, 0, note_access, &access));
    assert_null(vm_reserve_memory_at(&vm, WINDOW + 1, 4096, note_access, &access));
    assert_null(vm_reserve_memory_at(&vm, WINDOW, 4095, note_access, &access));
    assert_null(vm_reserve_memory_at(&vm, WINDOW, 4096, NULL, NULL));
    assert_null(vm_reserve_memory_at(&vm, UINTPTR_MAX - 4095, 8192, note_access, &access));
    assert_int_equal(snapshot().reservations, 0);
    assert_int_equal(lines_logged, 5);
}

static void reservations_may_touch_but_not_overlap(void **state)
{
    static const struct {
        uintptr_t start;
        size_t pages;
        bool fits;
    } cases[] = {
        {0x10, 4, true},  {0x14, 1, true}, {0x0f, 1, true}, {0x10, 1, false}, {0x13, 1, false}, {0x0f, 2, false},
        {0x0e, 9, false}, {0x16, 1, true}, {0x15, 1, true}, {0x15, 2, false}, {0x0c, 3, true},  {0x0b, 2, false},
    };
    size_t fitted = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        vm_memory_reservation_t *reservation =
            vm_reserve_memory_at(&vm, cases[i].start << 12, cases[i].pages << 12, default_error_fault_callback, NULL);

        fitted += reservation != NULL;
        assert_int_equal(reservation != NULL, cases[i].fits);
    }
    assert_int_equal(snapshot().reservations, fitted);
}

static void a_freed_reservation_can_be_made_again(void **state)
{
    vm_memory_reservation_t *reservation = vm_reserve_memory_at(&vm, WINDOW, 8192, default_error_fault_callback, NULL);
    uintptr_t address;
    size_t size;

    (void)state;
    vm_get_reservation_memory_region(reservation, &address, &size);
    assert_int_equal(address, WINDOW);
    assert_int_equal(size, 8192);
    assert_int_equal(vm_free_reserved_memory(&vm, reservation), 0);
    assert_int_equal(vm_free_reserved_memory(&vm, reservation), -1);
    assert_int_equal(vm_free_reserved_memory(&vm, NULL), -1);
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW + 4096, 4096, default_error_fault_callback, NULL));
}

static void an_access_reaches_its_reservation(void **state)
{
    struct access first = {.answer = 0x11}, second = {.answer = 0x22};
    uint64_t value;

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &first));
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW + 4096, 4096, note_access, &second));
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4096, 4, true, 0, &value), FAULT_HANDLED);
    assert_int_equal(value, 0x22);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4092, 4, true, 0, &value), FAULT_HANDLED);
    assert_int_equal(value, 0x11);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 1);
}

static void stored_data_lies_low_and_masks_lie_as_in_the_word(void **state)
{
    static const struct {
        uintptr_t offset;
        size_t length;
        uint64_t stored, data, mask;
    } cases[] = {
        {0, 1, 0xffab, 0xab, 0xff},
        {1, 1, 0xab, 0xab, 0xff00},
        {3, 1, 0xab, 0xab, 0xff000000},
        {2, 2, 0xabcd, 0xabcd, 0xffff0000},
        {4, 4, 0x12345678, 0x12345678, 0xffffffff},
        {8, 8, 0x1122334455667788, 0x1122334455667788, UINT64_MAX},
        {12, 8, 0x1122334455667788, 0x1122334455667788, UINT64_MAX},
        {5, 7, 0x11223344556677, 0x11223344556677, 0x00ffffffffffffff},
    };
    struct access access = {0};

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(kvm_test_fault(vcpu, WINDOW + cases[i].offset, cases[i].length, false, cases[i].stored, NULL),
                         FAULT_HANDLED);
        assert_false(access.is_read);
        assert_int_equal(access.address, WINDOW + cases[i].offset);
        assert_int_equal(access.length, cases[i].length);
        assert_int_equal(access.size, cases[i].length);
        assert_int_equal(access.data, cases[i].data);
        assert_int_equal(access.mask, cases[i].mask);
    }
}

static void loads_take_their_bytes_from_the_word(void **state)
{
    struct access access = {.answer = 0x8877665544332211};
    uint64_t value;

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    kvm_test_fault(vcpu, WINDOW + 1, 1, true, 0, &value);
    assert_int_equal(value, 0x22);
    kvm_test_fault(vcpu, WINDOW + 2, 2, true, 0, &value);
    assert_int_equal(value, 0x4433);
    kvm_test_fault(vcpu, WINDOW + 4, 4, true, 0, &value);
    assert_int_equal(value, 0x44332211);
    kvm_test_fault(vcpu, WINDOW + 8, 8, true, 0, &value);
    assert_int_equal(value, 0x8877665544332211);
}

static memory_fault_result_t note_unhandled(vm_t *its_vm, vm_vcpu_t *its_vcpu, uintptr_t address, size_t length,
                                            void *cookie)
{
    struct access *access = cookie;

    (void)its_vm;
    (void)its_vcpu;
    access->calls++;
    access->address = address;
    access->length = length;
    return access->result;
}

static void what_nobody_claims_reads_as_all_ones(void **state)
{
    struct access access = {.result = FAULT_UNHANDLED}, last_resort = {.result = FAULT_UNHANDLED};
    uint64_t value = 0;

    (void)state;
    assert_int_equal(kvm_test_fault(vcpu, WINDOW, 4, true, 0, &value), FAULT_UNHANDLED);
    assert_int_equal(value, UINT32_MAX);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW, 4, false, 1, NULL), FAULT_UNHANDLED);
    assert_int_equal(lines_logged, 0); /* the guest decides how many there are */

    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    vm_register_unhandled_mem_fault_callback(&vm, note_unhandled, &last_resort);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 8, 8, true, 0, &value), FAULT_UNHANDLED);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(access.calls, 1);
    assert_int_equal(last_resort.calls, 1);
    assert_int_equal(last_resort.address, WINDOW + 8);
}

static void an_error_is_logged_once(void **state)
{
    struct access access = {.result = FAULT_ERROR};

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    assert_int_equal(kvm_test_fault(vcpu, WINDOW, 4, false, 0, NULL), FAULT_ERROR);
    assert_int_equal(lines_logged, 1);
    assert_int_equal(access.calls, 1);
}

/* Such as an unaligned access on arm64. A guest may make one, and neither reservation gets it. */
static void an_access_across_the_end_is_nobodys(void **state)
{
    struct access first = {.answer = 0x11}, second = {.answer = 0x22};
    uint64_t value = 0;

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &first));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4092, 8, false, UINT64_MAX, NULL), FAULT_IGNORE);
        assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4095, 2, false, UINT64_MAX, NULL), FAULT_IGNORE);
        assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4092, 8, true, 0, &value), FAULT_IGNORE);
        assert_true(value == UINT64_MAX);
        if (i == 0)
            assert_non_null(vm_reserve_memory_at(&vm, WINDOW + 4096, 4096, note_access, &second));
    }
    assert_int_equal(first.calls + second.calls, 0);
    assert_int_equal(lines_logged, 0);
}

/* --- frames --- */

static void frames_of_one_memfd_share_a_slot(void **state)
{
    seL4_CPtr frames[4];
    vm_memory_reservation_t *reservation;
    int memfd;
    char *ours, *theirs;

    (void)state;
    assert_int_equal(kvm_frames_create("test", 4, seL4_PageBits, frames, &memfd), 0);
    assert_int_equal(fcntl(memfd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
    assert_int_equal(snapshot().frames, 4);
    ours = kvm_frames_map(frames, 4);
    theirs = mmap(NULL, 4 << 12, PROT_READ, MAP_SHARED, memfd, 0);
    assert_non_null(ours);
    memcpy(ours + (3 << 12), "there", sizeof("there"));
    assert_string_equal(theirs + (3 << 12), "there");

    reservation = vm_reserve_memory_at(&vm, WINDOW, 4 << 12, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, frames, 4, seL4_PageBits), 0);
    assert_int_equal(snapshot().memslots, 1);
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, frames, 4, seL4_PageBits), -1); /* twice */
    assert_int_equal(vm_free_reserved_memory(&vm, reservation), 0);
    assert_int_equal(snapshot().memslots, 0);

    munmap(theirs, 4 << 12);
    close(memfd);
    kvm_frames_unmap(ours, frames, 4);
    kvm_frames_free(frames, 4);
    assert_int_equal(snapshot().frames, 0);
    assert_null(kvm_frames_map(frames, 4)); /* they are gone */
}

static void frames_in_another_order_get_slots_of_their_own(void **state)
{
    seL4_CPtr frames[4], mixed[4];
    vm_memory_reservation_t *reservation;

    (void)state;
    assert_int_equal(kvm_frames_create("test", 4, seL4_PageBits, frames, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        mixed[i] = frames[i ^ 2]; /* 2 3 0 1 */
    assert_null(kvm_frames_map(mixed, 4));
    reservation = vm_reserve_memory_at(&vm, WINDOW, 4 << 12, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, mixed, 4, seL4_PageBits), 0);
    assert_int_equal(snapshot().memslots, 2);
    kvm_frames_free(frames, 4);
    assert_int_equal(snapshot().memslots, 2); /* the mapping stays without the frames */
}

struct page_rights {
    const seL4_CPtr *frames;
    const seL4_CapRights_t *rights;
};

static vm_frame_t frame_with_rights(uintptr_t address, void *cookie)
{
    const struct page_rights *pages = cookie;
    size_t i = (address - WINDOW) >> 12;

    return (vm_frame_t){
        .cptr = pages->frames[i], .rights = pages->rights[i], .vaddr = address, .size_bits = seL4_PageBits};
}

static void each_frame_has_its_rights(void **state)
{
    const seL4_CapRights_t rights[] = {seL4_AllRights, seL4_CanRead, seL4_CanRead, seL4_NoRights, seL4_AllRights};
    seL4_CPtr frames[5];
    struct page_rights pages = {.frames = frames, .rights = rights};
    vm_memory_reservation_t *reservation;

    (void)state;
    assert_int_equal(kvm_frames_create("test", 5, seL4_PageBits, frames, NULL), 0);
    reservation = vm_reserve_memory_at(&vm, WINDOW, 5 << 12, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation(&vm, reservation, frame_with_rights, &pages), 0);
    assert_int_equal(snapshot().memslots, 3); /* the page without rights has none */
    kvm_frames_free(frames, 5);
}

static void frames_that_do_not_fit_leave_nothing_mapped(void **state)
{
    seL4_CPtr small[4], large[1], holed[4];
    vm_memory_reservation_t *reservation, *unaligned;

    (void)state;
    assert_int_equal(kvm_frames_create("small", 4, seL4_PageBits, small, NULL), 0);
    assert_int_equal(kvm_frames_create("large", 1, seL4_LargePageBits, large, NULL), 0);
    memcpy(holed, small, sizeof(holed));
    holed[2] = seL4_CapNull;

    reservation = vm_reserve_memory_at(&vm, WINDOW, 4 << 12, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, small, 3, seL4_PageBits), -1);      /* too few */
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, holed, 4, seL4_PageBits), -1);      /* one missing */
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, small, 4, seL4_LargePageBits), -1); /* wrong size */
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, large, 1, seL4_LargePageBits), -1); /* too large */
    assert_int_equal(snapshot().memslots, 0);
    assert_int_equal(vm_map_reservation_frames(&vm, reservation, small, 4, seL4_PageBits), 0);

    unaligned = vm_reserve_memory_at(&vm, WINDOW + (1 << 20), 2 << 20, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation_frames(&vm, unaligned, large, 1, seL4_LargePageBits), -1);
    kvm_frames_free(small, 4);
    kvm_frames_free(large, 1);
}

static void imported_memory_must_be_sealed_and_large_enough(void **state)
{
    int memfd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    seL4_CPtr frames[2];

    (void)state;
    assert_int_equal(ftruncate(memfd, 3 << 12), 0);
    assert_int_equal(kvm_frames_import(memfd, 0, 1, seL4_PageBits, frames), -EPERM);
    assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(kvm_frames_import(memfd, 0, 4, seL4_PageBits, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 2 << 12, 2, seL4_PageBits, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 1, 1, seL4_PageBits, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 0, 1, 13, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 0, 0, seL4_PageBits, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 1 << 12, 2, seL4_PageBits, frames), 0);
    close(memfd);
    kvm_frames_free(frames, 2);
    assert_int_equal(snapshot().frames, 0);
}

/* The seal does not keep another process from punching a hole there, and an access to a hole ends the process. */
static void memory_of_huge_pages_is_not_imported(void **state)
{
    int memfd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC | MFD_HUGETLB);
    seL4_CPtr frame;

    (void)state;
    if (memfd < 0)
        skip(); /* this kernel has no huge pages, so nobody can pass any */
    assert_int_equal(ftruncate(memfd, 2 << 20), 0);
    assert_int_equal(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_int_equal(kvm_frames_import(memfd, 0, 1, seL4_LargePageBits, &frame), -EPERM);
    close(memfd);
}

static void an_allocated_frame_is_the_guests_and_ours(void **state)
{
    struct access access = {0};
    uint32_t *registers = create_allocated_reservation_frame(&vm, WINDOW, seL4_CanRead, note_access, &access);

    (void)state;
    assert_non_null(registers);
    registers[1023] = 1;
    assert_int_equal(snapshot().reservations, 1);
    assert_int_equal(snapshot().memslots, 1);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4, 4, false, 7, NULL), FAULT_HANDLED);
    assert_int_equal(access.data, 7);
    assert_null(create_allocated_reservation_frame(&vm, WINDOW, seL4_CanRead, note_access, &access));
    assert_int_equal(snapshot().frames, 1);
}

static memory_fault_result_t map_and_restart(vm_t *its_vm, vm_vcpu_t *its_vcpu, uintptr_t address, size_t length,
                                             void *cookie)
{
    vm_memory_reservation_t **reservation = cookie;

    (void)its_vcpu;
    (void)address;
    (void)length;
    assert_int_equal(map_frame_alloc_reservation(its_vm, *reservation), 0);
    return FAULT_RESTART;
}

static void an_access_is_done_again_on_memory_mapped_meanwhile(void **state)
{
    vm_memory_reservation_t *reservation;
    uint64_t value;

    (void)state;
    reservation = vm_reserve_memory_at(&vm, WINDOW, 4096, map_and_restart, &reservation);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4, 4, true, 0, &value), FAULT_RESTART);
    assert_int_equal(value, 0);
    assert_int_equal(snapshot().memslots, 1);
}

/* --- RAM --- */

#define RAM KVM_RAM_BASE

static int add_up(vm_t *its_vm, uintptr_t address, void *memory, size_t size, size_t offset, void *cookie)
{
    size_t *sum = cookie;

    (void)its_vm;
    (void)memory;
    assert_int_equal(address, RAM + 4000 + offset);
    assert_true(size <= 4096);
    assert_int_equal(*sum, offset);
    *sum += size;
    return 0;
}

static void ram_can_be_touched_and_allocated(void **state)
{
    char text[] = "text", back[sizeof(text)] = "";
    uintptr_t address;
    size_t size, sum = 0;

    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, RAM, RAM_SIZE, false), 0);
    assert_int_equal(vm_ram_register_at(&vm, RAM + RAM_SIZE - 4096, 4096, false), -1);
    assert_int_equal(vm_ram_register_at(&vm, WINDOW - 4096, 8192, false), -1); /* where devices are */
    assert_int_equal(vm.mem.num_ram_regions, 1);

    assert_int_equal(vm_ram_touch(&vm, RAM + 5000, sizeof(text), vm_guest_ram_write_callback, text), 0);
    assert_int_equal(vm_ram_touch(&vm, RAM + 5000, sizeof(text), vm_guest_ram_read_callback, back), 0);
    assert_string_equal(back, text);
    assert_int_equal(vm_ram_touch(&vm, RAM + 4000, 10000, add_up, &sum), 0);
    assert_int_equal(sum, 10000);
    assert_int_equal(vm_ram_touch(&vm, RAM + RAM_SIZE - 1, 2, vm_guest_ram_read_callback, back), -1);

    vm_ram_mark_allocated(&vm, RAM, 0x100000);
    assert_int_equal(vm.mem.num_ram_regions, 2);
    address = vm_ram_allocate(&vm, 0x1000);
    assert_int_equal(address, RAM + 0x100000);
    assert_int_equal(vm_ram_find_largest_free_region(&vm, &address, &size), 0);
    assert_int_equal(address, RAM + 0x101000);
    vm_ram_free(&vm, RAM, 0x101000);
    assert_int_equal(vm.mem.num_ram_regions, 1);
    assert_int_equal(vm_ram_allocate(&vm, RAM_SIZE + 1), 0);
}

static void anonymous_memory_is_given_out_once(void **state)
{
    uintptr_t first, second, ram;

    (void)state;
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0x100000, 0x4000), 0);
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0x103000, 0x4000), -1);
    assert_null(vm_reserve_memory_at(&vm, RAM + 0x102000, 4096, default_error_fault_callback, NULL));
    assert_non_null(vm_reserve_anon_memory(&vm, 1, 4096, default_error_fault_callback, NULL, &first));
    assert_non_null(vm_reserve_anon_memory(&vm, 4096, 0x2000, default_error_fault_callback, NULL, &second));
    assert_int_equal(first, RAM + 0x100000);
    assert_int_equal(second, RAM + 0x102000);
    ram = vm_ram_register(&vm, 4096);
    assert_int_equal(ram, RAM + 0x103000);
    assert_int_equal(vm_ram_register(&vm, 4096), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(reservations_refuse_what_is_malformed),
        IN_VM(reservations_may_touch_but_not_overlap),
        IN_VM(a_freed_reservation_can_be_made_again),
        IN_VM(an_access_reaches_its_reservation),
        IN_VM(stored_data_lies_low_and_masks_lie_as_in_the_word),
        IN_VM(loads_take_their_bytes_from_the_word),
        IN_VM(what_nobody_claims_reads_as_all_ones),
        IN_VM(an_error_is_logged_once),
        IN_VM(an_access_across_the_end_is_nobodys),
        IN_VM(frames_of_one_memfd_share_a_slot),
        IN_VM(frames_in_another_order_get_slots_of_their_own),
        IN_VM(each_frame_has_its_rights),
        IN_VM(frames_that_do_not_fit_leave_nothing_mapped),
        IN_VM(imported_memory_must_be_sealed_and_large_enough),
        IN_VM(memory_of_huge_pages_is_not_imported),
        IN_VM(an_allocated_frame_is_the_guests_and_ours),
        IN_VM(an_access_is_done_again_on_memory_mapped_meanwhile),
        IN_VM(ram_can_be_touched_and_allocated),
        IN_VM(anonymous_memory_is_given_out_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
