/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a VM of libsel4vm on Linux KVM: reservations and the accesses that reach them, and frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_memory_helpers.h>
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
    assert_int_equal(fcntl(memfd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(fcntl(memfd, F_GETFD), FD_CLOEXEC);
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

static vm_frame_t frame_for_the_next_page(uintptr_t address, void *cookie)
{
    const seL4_CPtr *frame = cookie;

    return (vm_frame_t){.cptr = *frame, .rights = seL4_AllRights, .vaddr = address + 4096, .size_bits = seL4_PageBits};
}

static void a_frame_that_is_meant_for_another_address_is_refused(void **state)
{
    vm_memory_reservation_t *reservation = vm_reserve_memory_at(&vm, WINDOW, 4096, default_error_fault_callback, NULL);
    seL4_CPtr frame;

    (void)state;
    assert_int_equal(kvm_frames_create("test", 1, seL4_PageBits, &frame, NULL), 0);
    assert_int_equal(vm_map_reservation(&vm, reservation, frame_for_the_next_page, &frame), -1);
    assert_int_equal(snapshot().memslots, 0);
    kvm_frames_free(&frame, 1);
}

/* The first two have slots by the time the third is looked at. */
static void frames_before_one_that_is_refused_are_unmapped(void **state)
{
    const seL4_CapRights_t rights[] = {seL4_AllRights, seL4_CanRead, seL4_AllRights};
    seL4_CPtr frames[3];
    struct page_rights pages = {.frames = frames, .rights = rights};
    vm_memory_reservation_t *reservation =
        vm_reserve_memory_at(&vm, WINDOW, 3 << 12, default_error_fault_callback, NULL);

    (void)state;
    assert_int_equal(kvm_frames_create("test", 2, seL4_PageBits, frames, NULL), 0);
    frames[2] = seL4_CapNull;
    assert_int_equal(vm_map_reservation(&vm, reservation, frame_with_rights, &pages), -1);
    assert_int_equal(snapshot().memslots, 0);
    kvm_frames_free(frames, 2);
}

/* As many as a VM without KVM has, and one more. The same frame again does not follow itself in its memfd. */
static void numbers_of_slots_are_used_once(void **state)
{
    enum { SLOTS = 4096 };
    vm_memory_reservation_t *all, *more;
    seL4_CPtr frame, frames[SLOTS];

    (void)state;
    assert_int_equal(kvm_frames_create("test", 1, seL4_PageBits, &frame, NULL), 0);
    for (size_t i = 0; i < SLOTS; i++)
        frames[i] = frame;
    all = vm_reserve_memory_at(&vm, WINDOW, SLOTS << 12, default_error_fault_callback, NULL);
    more = vm_reserve_memory_at(&vm, WINDOW + (SLOTS << 12), 4096, default_error_fault_callback, NULL);
    assert_int_equal(vm_map_reservation_frames(&vm, all, frames, SLOTS, seL4_PageBits), 0);
    assert_int_equal(snapshot().memslots, SLOTS);
    assert_int_equal(vm_map_reservation_frames(&vm, more, frames, 1, seL4_PageBits), -1);
    assert_int_equal(vm_free_reserved_memory(&vm, all), 0);
    assert_int_equal(vm_map_reservation_frames(&vm, more, frames, 1, seL4_PageBits), 0);
    kvm_frames_free(&frame, 1);
}

/* Whether this process has a memfd of a name mapped. */
static bool is_mapped(const char *memfd)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    bool found = false;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        found = found || strstr(line, memfd);
    fclose(maps);
    return found;
}

static void what_a_vm_has_mapped_goes_with_it(void **state)
{
    struct access access = {0};
    vm_t other;

    (void)state;
    assert_int_equal(vm_init(&other, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "other"), 0);
    assert_non_null(create_allocated_reservation_frame(&other, WINDOW, seL4_CanRead, note_access, &access));
    assert_true(is_mapped("memfd:guest-frame"));
    kvm_vm_destroy(&other);
    assert_false(is_mapped("memfd:guest-frame"));
    assert_int_equal(snapshot().frames, 0);
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
    assert_int_equal(kvm_frames_import(memfd, -4096, 1, seL4_PageBits, frames), -EINVAL);
    assert_int_equal(kvm_frames_import(memfd, 0, (size_t)1 << 52, seL4_PageBits, frames), -EINVAL); /* 2^64 bytes */
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
    assert_int_equal(map_frame_alloc_reservation(&vm, reservation), -1); /* these frames stay */
    assert_int_equal(snapshot().memslots, 1);
}

/* As of a handler that has mapped memory for the whole of what was asked for. */
static void what_is_done_again_stays_within_its_memory(void **state)
{
    const seL4_CapRights_t rights[] = {seL4_CanRead, seL4_NoRights};
    seL4_CPtr frames[2];
    struct page_rights pages = {.frames = frames, .rights = rights};
    struct access access = {.result = FAULT_RESTART};
    vm_memory_reservation_t *reservation;
    uint64_t value;
    uint8_t *memory;

    (void)state;
    assert_int_equal(kvm_frames_create("test", 2, seL4_PageBits, frames, NULL), 0);
    memory = kvm_frames_map(frames, 2);
    assert_non_null(memory);
    reservation = vm_reserve_memory_at(&vm, WINDOW, 2 << 12, note_access, &access);
    assert_int_equal(vm_map_reservation(&vm, reservation, frame_with_rights, &pages), 0);
    memory[4] = 0x11;
    memory[5] = 0x22;
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 5, 1, true, 0, &value), FAULT_RESTART);
    assert_int_equal(value, 0x22);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 5, 1, false, 0x33, NULL), FAULT_ERROR); /* it may only be read */
    assert_int_equal(memory[5], 0x22);
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4092, 8, true, 0, &value), FAULT_ERROR); /* across its end */
    assert_int_equal(lines_logged, 4);
    kvm_frames_unmap(memory, frames, 2);
    kvm_frames_free(frames, 2);
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
        IN_VM(a_frame_that_is_meant_for_another_address_is_refused),
        IN_VM(frames_before_one_that_is_refused_are_unmapped),
        IN_VM(numbers_of_slots_are_used_once),
        IN_VM(what_a_vm_has_mapped_goes_with_it),
        IN_VM(imported_memory_must_be_sealed_and_large_enough),
        IN_VM(memory_of_huge_pages_is_not_imported),
        IN_VM(an_allocated_frame_is_the_guests_and_ours),
        IN_VM(an_access_is_done_again_on_memory_mapped_meanwhile),
        IN_VM(what_is_done_again_stays_within_its_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
