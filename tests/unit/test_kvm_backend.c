/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsel4vm on Linux KVM without KVM behind it: what it keeps for a VM, and what it does when there is no memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm/guest_vcpu_fault.h>
#include <sel4vmmplatsupport/guest_memory_util.h>

#include <pci/helper.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <utils/util.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#define RAM_SIZE (2u << 20)
#define WINDOW KVM_PCI_WINDOW_BASE

static vm_t vm;
static vm_vcpu_t *vcpu;
static int lines_logged;

static void count_lines(int level, const char *line, void *cookie)
{
    (void)level;
    (void)line;
    (void)cookie;
    lines_logged++;
}

static int create_vm(void **state)
{
    (void)state;
    lines_logged = 0;
    kvm_log_set_sink(count_lines, NULL);
    if (vm_init(&vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"))
        return -1;
    vcpu = vm_create_vcpu(&vm, 0);
    return vcpu ? 0 : -1;
}

static int destroy_vm(void **state)
{
    (void)state;
    kvm_vm_destroy(&vm);
    kvm_log_set_sink(NULL, NULL);
    return 0;
}

static kvm_test_snapshot_t snapshot(void)
{
    kvm_test_snapshot_t now;

    kvm_test_snapshot(&vm, &now);
    return now;
}

/* --- memory --- */

struct access {
    int calls;
    uintptr_t address;
    size_t size, length;
    bool is_read;
    uint64_t data, mask;
    uint64_t answer;
    memory_fault_result_t result;
};

static memory_fault_result_t note_access(vm_t *its_vm, vm_vcpu_t *its_vcpu, uintptr_t address, size_t length,
                                         void *cookie)
{
    struct access *access = cookie;

    assert_ptr_equal(its_vm, &vm);
    access->calls++;
    access->address = address;
    access->length = length;
    access->size = get_vcpu_fault_size(its_vcpu);
    access->is_read = is_vcpu_read_fault(its_vcpu);
    access->data = get_vcpu_fault_data(its_vcpu);
    access->mask = get_vcpu_fault_data_mask(its_vcpu);
    assert_int_equal(get_vcpu_fault_address(its_vcpu), address);
    if (access->is_read)
        set_vcpu_fault_data(its_vcpu, access->answer);
    advance_vcpu_fault(its_vcpu);
    return access->result;
}

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
    assert_int_equal(lines_logged, 0); /* a guest could do it without end */

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
    assert_int_equal(kvm_test_fault(vcpu, WINDOW + 4094, 4, false, 0, NULL), FAULT_ERROR); /* beyond its end */
    assert_int_equal(access.calls, 1);
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
    assert_int_equal(snapshot().memslots, 2); /* the mapping does not need them */
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

static int add_up(vm_t *its_vm, uintptr_t address, void *memory, size_t size, size_t offset, void *cookie)
{
    size_t *sum = cookie;

    (void)its_vm;
    (void)memory;
    assert_int_equal(address, 4000 + offset);
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
    assert_int_equal(vm_ram_register_at(&vm, 0, RAM_SIZE, false), 0);
    assert_int_equal(vm_ram_register_at(&vm, RAM_SIZE - 4096, 4096, false), -1);
    assert_int_equal(vm_ram_register_at(&vm, WINDOW - 4096, 8192, false), -1); /* where devices are */
    assert_int_equal(vm.mem.num_ram_regions, 1);

    assert_int_equal(vm_ram_touch(&vm, 5000, sizeof(text), vm_guest_ram_write_callback, text), 0);
    assert_int_equal(vm_ram_touch(&vm, 5000, sizeof(text), vm_guest_ram_read_callback, back), 0);
    assert_string_equal(back, text);
    assert_int_equal(vm_ram_touch(&vm, 4000, 10000, add_up, &sum), 0);
    assert_int_equal(sum, 10000);
    assert_int_equal(vm_ram_touch(&vm, RAM_SIZE - 1, 2, vm_guest_ram_read_callback, back), -1);

    vm_ram_mark_allocated(&vm, 0, 0x100000);
    assert_int_equal(vm.mem.num_ram_regions, 2);
    address = vm_ram_allocate(&vm, 0x1000);
    assert_int_equal(address, 0x100000);
    assert_int_equal(vm_ram_find_largest_free_region(&vm, &address, &size), 0);
    assert_int_equal(address, 0x101000);
    vm_ram_free(&vm, 0, 0x101000);
    assert_int_equal(vm.mem.num_ram_regions, 1);
    assert_int_equal(vm_ram_allocate(&vm, RAM_SIZE + 1), 0);
}

static void anonymous_memory_is_given_out_once(void **state)
{
    uintptr_t first, second, ram;

    (void)state;
    assert_int_equal(vm_memory_make_anon(&vm, 0x100000, 0x4000), 0);
    assert_int_equal(vm_memory_make_anon(&vm, 0x103000, 0x4000), -1);
    assert_null(vm_reserve_memory_at(&vm, 0x102000, 4096, default_error_fault_callback, NULL));
    assert_non_null(vm_reserve_anon_memory(&vm, 1, 4096, default_error_fault_callback, NULL, &first));
    assert_non_null(vm_reserve_anon_memory(&vm, 4096, 0x2000, default_error_fault_callback, NULL, &second));
    assert_int_equal(first, 0x100000);
    assert_int_equal(second, 0x102000);
    ram = vm_ram_register(&vm, 4096);
    assert_int_equal(ram, 0x103000);
    assert_int_equal(vm_ram_register(&vm, 4096), 0);
}

/* --- interrupts --- */

static void count_end(vm_vcpu_t *its_vcpu, int irq, void *cookie)
{
    (void)irq;
    assert_ptr_equal(its_vcpu, vcpu);
    ++*(int *)cookie;
}

static void an_injection_while_pending_is_dropped(void **state)
{
    int ends = 0;

    (void)state;
    assert_int_equal(vm_inject_irq(vcpu, 16), -1);
    assert_int_equal(vm_register_irq(vcpu, 16, count_end, &ends), 0);
    assert_int_equal(vm_inject_irq(vcpu, 16), 0);
    assert_int_equal(vm_inject_irq(vcpu, 16), 0);
    assert_true(kvm_test_irq_pending(&vm, 16));
    assert_int_equal(kvm_test_irq_eoi(&vm, 16), 0);
    assert_int_equal(ends, 1);
    assert_false(kvm_test_irq_pending(&vm, 16));
    assert_int_equal(kvm_test_irq_eoi(&vm, 16), -1);
}

static void inject_again(vm_vcpu_t *its_vcpu, int irq, void *cookie)
{
    int *left = cookie;

    if ((*left)-- > 0)
        assert_int_equal(vm_inject_irq(its_vcpu, irq), 0);
}

static void an_end_may_inject_the_next(void **state)
{
    int left = 1;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, 5, inject_again, &left), 0);
    assert_int_equal(vm_inject_irq(vcpu, 5), 0);
    assert_int_equal(kvm_test_irq_eoi(&vm, 5), 0);
    assert_true(kvm_test_irq_pending(&vm, 5));
    assert_int_equal(kvm_test_irq_eoi(&vm, 5), 0);
    assert_false(kvm_test_irq_pending(&vm, 5));
}

static void a_disabled_interrupt_refuses_injection(void **state)
{
    int ends = 0;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, 16, count_end, &ends), 0);
    assert_int_equal(kvm_test_irq_enable(&vm, 16, false), 0);
    assert_int_equal(vm_inject_irq(vcpu, 16), -1);
    assert_false(kvm_test_irq_pending(&vm, 16));
    assert_int_equal(kvm_test_irq_enable(&vm, 16, true), 0);
    assert_int_equal(ends, 1);
    assert_int_equal(vm_inject_irq(vcpu, 16), 0);
    assert_int_equal(kvm_test_irq_enable(&vm, 17, true), -1);
}

static void registering_again_replaces_the_acknowledgement(void **state)
{
    int first = 0, second = 0;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, 16, count_end, &first), 0);
    assert_int_equal(vm_register_irq(vcpu, 16, count_end, &second), 0);
    assert_int_equal(snapshot().irqs, 1);
    vm_inject_irq(vcpu, 16);
    kvm_test_irq_eoi(&vm, 16);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    for (int irq = -1; irq <= 24; irq += irq == 0 ? 24 : 1) /* -1, 0, 24 */
        assert_int_equal(vm_register_irq(vcpu, irq, count_end, &first), -1);
}

static void numbers_are_given_out_once(void **state)
{
    uint32_t given = 0;
    int irq;

    (void)state;
    assert_int_equal(kvm_irq_allocate(), -1); /* for which VM? */
    kvm_irq_allocator_use(&vm);
    while ((irq = kvm_irq_allocate()) >= 0) {
        assert_in_range(irq, 1, 23);
        assert_false(given & 1u << irq);
        given |= 1u << irq;
    }
    assert_int_equal(__builtin_popcount(given), 12);
    assert_false(given & (1u << 2 | 1u << 4 | 1u << 8)); /* cascade, console, clock */
}

/* --- doorbells and messages --- */

static void a_doorbell_takes_stores_of_any_width(void **state)
{
    struct access access = {0};
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    eventfd_t rings;

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    assert_int_equal(kvm_ioeventfd_assign(&vm, WINDOW, bell), 0);
    assert_int_equal(kvm_ioeventfd_assign(&vm, WINDOW, bell), -EEXIST);
    for (size_t length = 1; length <= 8; length *= 2)
        assert_int_equal(kvm_test_fault(vcpu, WINDOW, length, false, 0, NULL), FAULT_HANDLED);
    assert_int_equal(eventfd_read(bell, &rings), 0);
    assert_int_equal(rings, 4);
    assert_int_equal(access.calls, 0);

    assert_int_equal(kvm_ioeventfd_deassign(&vm, WINDOW, bell), 0);
    assert_int_equal(kvm_ioeventfd_deassign(&vm, WINDOW, bell), -ENOENT);
    kvm_test_fault(vcpu, WINDOW, 4, false, 0, NULL);
    assert_int_equal(access.calls, 1);
    close(bell);
}

static void message_eventfds_come_and_go(void **state)
{
    int bell = eventfd(0, EFD_CLOEXEC);
    kvm_irqfd_t *first, *second;

    (void)state;
    assert_int_equal(kvm_irqfd_create(&vm, bell, 0xfee00000, 0x41, 8, &first), 0);
    assert_int_equal(kvm_irqfd_create(&vm, bell, 0xfee00000, 0x42, 16, &second), 0);
    assert_int_equal(snapshot().irqfds, 2);
    assert_int_equal(kvm_irqfd_update(first, 0xfee01000, 0x43, 8), 0);
    kvm_irqfd_destroy(first);
    kvm_irqfd_destroy(NULL);
    assert_int_equal(snapshot().irqfds, 1); /* the other goes with the VM */
    assert_int_equal(kvm_irqfd_create(&vm, -1, 0xfee00000, 0x41, 8, &first), -EBADF);
    assert_int_equal(kvm_msi_send(&vm, 0xfee00000, 0x41, 8), 0);
    assert_int_equal(snapshot().msis, 1);
    close(bell);
}

/* --- PCI --- */

static uint32_t port_in(uint16_t port, unsigned int size)
{
    uint32_t value;

    kvm_test_port(vcpu, port, size, true, &value);
    return value;
}

static void port_out(uint16_t port, unsigned int size, uint32_t value)
{
    kvm_test_port(vcpu, port, size, false, &value);
}

static uint32_t config_address(unsigned int dev, unsigned int fun, unsigned int reg)
{
    return 1u << 31 | dev << 11 | fun << 8 | reg;
}

static vmm_pci_device_def_t *add_header(vmm_pci_space_t *pci, uint16_t device_id, vmm_pci_address_t *address)
{
    vmm_pci_device_def_t *header = calloc(1, sizeof(*header));
    vmm_pci_entry_t entry = {.cookie = header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};

    header->vendor_id = 0x1af4;
    header->device_id = device_id;
    header->header_type = PCI_HEADER_TYPE_MULTI_FUNCTION;
    assert_int_equal(vmm_pci_add_entry(pci, entry, address), 0);
    return header;
}

static void configuration_ports_take_all_widths(void **state)
{
    vmm_pci_space_t *pci;
    vmm_pci_address_t address;
    vmm_pci_device_def_t *header;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), -EEXIST);
    header = add_header(pci, 0xa111, &address);
    assert_int_equal(address.dev, 1);

    port_out(0xcf8, 4, config_address(1, 0, 0) | 3);
    assert_int_equal(port_in(0xcf8, 4), config_address(1, 0, 0));
    assert_int_equal(port_in(0xcfb, 1), 0x80);
    assert_int_equal(port_in(0xcfc, 4), 0xa1111af4);
    assert_int_equal(port_in(0xcfc, 2), 0x1af4);
    assert_int_equal(port_in(0xcfe, 2), 0xa111);
    assert_int_equal(port_in(0xcff, 1), 0xa1);
    assert_int_equal(port_in(0xcff, 4), UINT32_MAX); /* beyond the port */

    port_out(0xcf8, 4, config_address(1, 0, PCI_COMMAND));
    port_out(0xcfc, 2, PCI_COMMAND_MEMORY);
    port_out(0xcfe, 1, 0x12);
    assert_int_equal(header->command, PCI_COMMAND_MEMORY);
    assert_int_equal(header->status, 0x12);

    port_out(0xcf8, 1, 0x55); /* narrow stores are not for it */
    assert_int_equal(port_in(0xcf8, 4), config_address(1, 0, PCI_COMMAND));
    port_out(0xcf8, 4, config_address(1, 0, 0) & ~(1u << 31)); /* disabled */
    assert_int_equal(port_in(0xcfc, 4), UINT32_MAX);
    kvm_pci_free(pci);
    free(header);
}

static void absent_functions_read_as_all_ones(void **state)
{
    vmm_pci_space_t *pci;
    vmm_pci_entry_t *function;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    port_out(0xcf8, 4, config_address(0, 0, PCI_CACHE_LINE_SIZE));
    assert_int_equal(port_in(0xcfe, 1), PCI_HEADER_TYPE_MULTI_FUNCTION);
    port_out(0xcf8, 4, config_address(31, 7, 0));
    assert_int_equal(port_in(0xcfc, 4), UINT32_MAX);
    assert_int_equal(port_in(0xcfc, 2), UINT16_MAX);
    port_out(0xcfc, 4, 0); /* does nothing */
    port_out(0xcf8, 4, config_address(0, 0, 0) | 1 << 16);
    assert_int_equal(port_in(0xcfc, 4), UINT32_MAX);

    /* Functions other than 0 are reached. */
    function = malloc(sizeof(*function));
    *function = *pci->bus0[0][0];
    pci->bus0[0][3] = function;
    port_out(0xcf8, 4, config_address(0, 3, 0));
    assert_int_equal(port_in(0xcfc, 4), 0x00425e14);
    kvm_pci_free(pci);
}

static void a_full_bus_refuses_the_next_device(void **state)
{
    vmm_pci_device_def_t header = {0};
    vmm_pci_entry_t entry = {
        .cookie = &header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_entry_ignore_write};
    vmm_pci_space_t *pci;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    for (int i = 1; i < 32; i++)
        assert_int_equal(vmm_pci_add_entry(pci, entry, NULL), 0);
    assert_int_equal(vmm_pci_add_entry(pci, entry, NULL), -1);
    kvm_pci_free(pci);
}

static uint32_t config_read(const vmm_pci_entry_t *entry, int offset, int size)
{
    uint32_t value;

    assert_int_equal(entry->ioread(entry->cookie, offset, size, &value), 0);
    return value;
}

static void layers_emulate_bars_interrupt_and_capabilities(void **state)
{
    vmm_pci_device_def_t header = {.vendor_id = 0x1af4, .interrupt_pin = 1};
    vmm_pci_bar_t bars[] = {{PREFETCH_MEM, WINDOW, 12}, {NON_PREFETCH_MEM, WINDOW + 0x100000, 20}};
    uint8_t caps[] = {0x40, 0x50}, hidden_start[] = {0x60}, hidden_end[] = {0x6f};
    vmm_pci_entry_t entry = {.cookie = &header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};
    vmm_pci_address_t address;
    vmm_pci_space_t *pci;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    entry = vmm_pci_create_bar_emulation(entry, 2, bars);
    entry = vmm_pci_create_irq_emulation(entry, 17);
    entry = vmm_pci_create_cap_emulation(entry, 2, caps, 1, hidden_start, hidden_end);
    assert_int_equal(vmm_pci_add_entry(pci, entry, &address), 0);

    assert_int_equal(config_read(&entry, PCI_VENDOR_ID, 2), 0x1af4);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0, 4), WINDOW | PCI_BASE_ADDRESS_MEM_PREFETCH);
    for (int bar = 0; bar < 3; bar++)
        entry.iowrite(entry.cookie, PCI_BASE_ADDRESS_0 + 4 * bar, 4, UINT32_MAX);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0, 4), 0xfffff008);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_1, 4), 0xfff00000);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_1 + 2, 1), 0xf0);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_2, 4), 0);

    entry.iowrite(entry.cookie, PCI_INTERRUPT_LINE, 1, 3);
    assert_int_equal(config_read(&entry, PCI_INTERRUPT_LINE, 4), 1 << 8 | 17);
    assert_int_equal(config_read(&entry, PCI_COMMAND, 4) >> 16, PCI_STATUS_CAP_LIST);
    assert_int_equal(config_read(&entry, PCI_CAPABILITY_LIST, 1), 0x40);
    assert_int_equal(config_read(&entry, 0x41, 1), 0x50);
    assert_int_equal(config_read(&entry, 0x64, 4), 0);
    kvm_pci_free(pci);
}

/* --- the console --- */

static void the_serial_port_answers_a_driver_that_probes(void **state)
{
    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, -1), 0);
    assert_int_equal(kvm_console_create(&vm, -1, -1), -EEXIST);

    port_out(0x3f9, 1, 0xff);
    assert_int_equal(port_in(0x3f9, 1), 0x0f);
    port_out(0x3f9, 1, 0);
    port_out(0x3fc, 1, 0x1a); /* loopback, RTS and OUT2 */
    assert_int_equal(port_in(0x3fe, 1) & 0xf0, 0x90);
    port_out(0x3f8, 1, 'x');
    assert_int_equal(port_in(0x3fd, 1), 0x61);
    assert_int_equal(port_in(0x3f8, 1), 'x');
    assert_int_equal(port_in(0x3fd, 1), 0x60);
    port_out(0x3fc, 1, 0x08);
    port_out(0x3fa, 1, 0x01);
    assert_int_equal(port_in(0x3fa, 1), 0xc1);

    port_out(0x3fb, 1, 0x83); /* divisor */
    port_out(0x3f8, 2, 0x0001);
    assert_int_equal(port_in(0x3f8, 2), 0x0001);
    port_out(0x3fb, 1, 0x03);

    port_out(0x3f9, 1, 0x02); /* ready to send: an interrupt at once */
    assert_true(kvm_test_irq_pending(&vm, 4));
    assert_int_equal(port_in(0x3fa, 1), 0xc2);
    assert_false(kvm_test_irq_pending(&vm, 4));
    port_out(0x3f8, 1, 'y');
    assert_true(kvm_test_irq_pending(&vm, 4));
    assert_int_equal(port_in(0x3ff, 4), UINT32_MAX); /* beyond its end nobody answers */
}

/* --- no memory --- */

static void everything_once(void)
{
    struct access access = {0};
    seL4_CPtr frames[3] = {0};
    vmm_pci_space_t *pci = NULL;
    kvm_irqfd_t *irqfd;
    int bell = eventfd(0, EFD_CLOEXEC);
    int memfd = -1;
    vm_memory_reservation_t *reservation;
    kvm_test_snapshot_t before, after;
    vm_t other;

    if (vm_init(&other, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "other")) {
        close(bell);
        return;
    }
    if (!vm_create_vcpu(&other, 0) || vm_ram_register_at(&other, 0, RAM_SIZE, false) || vmm_pci_init(&pci) ||
        kvm_pci_attach(&other, pci) || kvm_console_create(&other, -1, -1))
        goto done;

    kvm_test_snapshot(&other, &before);
    if (!create_allocated_reservation_frame(&other, WINDOW, seL4_CanRead, note_access, &access)) {
        kvm_test_snapshot(&other, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        goto done;
    }
    if (kvm_frames_create("test", 3, seL4_PageBits, frames, &memfd)) {
        frames[0] = seL4_CapNull;
        goto done;
    }
    reservation = vm_reserve_memory_at(&other, WINDOW + 0x4000, 3 << 12, note_access, &access);
    if (!reservation)
        goto done;
    kvm_test_snapshot(&other, &before);
    if (vm_map_reservation_frames(&other, reservation, (seL4_CPtr[]){frames[2], frames[1], frames[0]}, 3,
                                  seL4_PageBits)) {
        kvm_test_snapshot(&other, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        goto done;
    }
    if (vm_register_irq(other.vcpus[BOOT_VCPU], 16, count_end, NULL) || kvm_ioeventfd_assign(&other, WINDOW, bell) ||
        kvm_irqfd_create(&other, bell, 0xfee00000, 0x41, 8, &irqfd))
        goto done;

done:
    close(bell);
    if (memfd >= 0)
        close(memfd);
    if (frames[0])
        kvm_frames_free(frames, 3);
    kvm_vm_destroy(&other);
    kvm_pci_free(pci);
}

static size_t open_descriptors(void)
{
    size_t open = 0;

    for (int fd = 0; fd < 1024; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    return open;
}

static void every_lack_of_memory_is_survived(void **state)
{
    size_t before = open_descriptors();
    int n = 0;

    (void)state;
    do {
        kvm_test_fail_after(++n);
        everything_once();
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(snapshot().frames, 0);
    } while (kvm_test_fail_after(0) == 0); /* until there is no n-th to fail */
    assert_true(n > 30);
}

static void a_vm_without_kvm_does_not_run(void **state)
{
    (void)state;
    assert_int_equal(vcpu_start(vcpu), 0);
    assert_int_equal(vm_run(&vm), -1);
    assert_int_equal(kvm_vm_exit_status(&vm), -1);
    kvm_vm_stop(&vm, 3);
    kvm_vm_stop(&vm, 4);
    assert_int_equal(kvm_vm_exit_status(&vm), 3);
}

#define IN_VM(test) cmocka_unit_test_setup_teardown(test, create_vm, destroy_vm)

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
        IN_VM(frames_of_one_memfd_share_a_slot),
        IN_VM(frames_in_another_order_get_slots_of_their_own),
        IN_VM(each_frame_has_its_rights),
        IN_VM(frames_that_do_not_fit_leave_nothing_mapped),
        IN_VM(imported_memory_must_be_sealed_and_large_enough),
        IN_VM(an_allocated_frame_is_the_guests_and_ours),
        IN_VM(an_access_is_done_again_on_memory_mapped_meanwhile),
        IN_VM(ram_can_be_touched_and_allocated),
        IN_VM(anonymous_memory_is_given_out_once),
        IN_VM(an_injection_while_pending_is_dropped),
        IN_VM(an_end_may_inject_the_next),
        IN_VM(a_disabled_interrupt_refuses_injection),
        IN_VM(registering_again_replaces_the_acknowledgement),
        IN_VM(numbers_are_given_out_once),
        IN_VM(a_doorbell_takes_stores_of_any_width),
        IN_VM(message_eventfds_come_and_go),
        IN_VM(configuration_ports_take_all_widths),
        IN_VM(absent_functions_read_as_all_ones),
        IN_VM(a_full_bus_refuses_the_next_device),
        IN_VM(layers_emulate_bars_interrupt_and_capabilities),
        IN_VM(the_serial_port_answers_a_driver_that_probes),
        IN_VM(every_lack_of_memory_is_survived),
        IN_VM(a_vm_without_kvm_does_not_run),
    };

    kvm_use_backend_none();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
