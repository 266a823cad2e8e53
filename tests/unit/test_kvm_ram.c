/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAM of a VM of libsel4vm on Linux KVM: registered, touched, allocated; and anonymous memory.
 */
#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/guest_memory_util.h>

#include "kvm_fixture.h"

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

static int count_calls(vm_t *its_vm, uintptr_t address, void *memory, size_t size, size_t offset, void *cookie)
{
    (void)its_vm;
    (void)address;
    (void)memory;
    (void)size;
    (void)offset;
    ++*(int *)cookie;
    return 0;
}

/* A guest's structure that crosses the end of RAM must not be half written. */
static void what_is_not_all_ram_is_not_touched(void **state)
{
    struct access access = {0};
    int calls = 0;

    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, RAM, RAM_SIZE, false), 0);
    assert_non_null(create_allocated_reservation_frame(&vm, WINDOW, seL4_CanRead, note_access, &access));
    assert_int_equal(vm_ram_touch(&vm, RAM + RAM_SIZE - 4096, 8192, count_calls, &calls), -1);
    assert_int_equal(vm_ram_touch(&vm, WINDOW, 4, count_calls, &calls), -1); /* a device's memory */
    assert_int_equal(calls, 0);
    assert_int_equal(vm_ram_touch(&vm, RAM + RAM_SIZE - 4096, 4096, count_calls, &calls), 0);
    assert_int_equal(calls, 1);
}

static void ram_that_is_refused_leaves_no_reservation(void **state)
{
    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, WINDOW, 4096, false), -1); /* where devices are */
    assert_int_equal(snapshot().reservations, 0);
    assert_int_equal(vm.mem.num_ram_regions, 0);
}

static int note_memory(vm_t *its_vm, uintptr_t address, void *memory, size_t size, size_t offset, void *cookie)
{
    (void)its_vm;
    (void)address;
    (void)size;
    (void)offset;
    *(uintptr_t *)cookie = (uintptr_t)memory;
    return 0;
}

/* Else no huge page of the guest can be one of the host's. */
static void ram_is_aligned_as_the_guest_sees_it(void **state)
{
    const uintptr_t start = RAM + (3 << 12);
    uintptr_t memory = 0;

    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, start, RAM_SIZE, false), 0);
    assert_int_equal(vm_ram_touch(&vm, start, 1, note_memory, &memory), 0);
    assert_int_equal(memory % (2u << 20), start % (2u << 20));
}

static void the_largest_free_region_is_found_among_several(void **state)
{
    uintptr_t address;
    size_t size;

    (void)state;
    assert_int_equal(vm_ram_find_largest_free_region(&vm, &address, &size), -1);
    assert_int_equal(vm_ram_register_at(&vm, RAM, RAM_SIZE, false), 0);
    vm_ram_mark_allocated(&vm, RAM + 0x1000, 0x1000);
    vm_ram_mark_allocated(&vm, RAM + RAM_SIZE - 0x2000, 0x1000);
    assert_int_equal(vm.mem.num_ram_regions, 5);
    assert_int_equal(vm_ram_find_largest_free_region(&vm, &address, &size), 0);
    assert_int_equal(address, RAM + 0x2000);
    assert_int_equal(size, RAM_SIZE - 0x4000);
}

/* Address 0 means that there is none. */
static void the_first_page_is_given_out_unless_its_address_is_0(void **state)
{
    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, RAM, RAM_SIZE, false), 0);
    assert_int_equal(vm_ram_allocate(&vm, 4096), RAM ? RAM : 4096);
}

static void parts_that_are_not_in_that_state_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(vm_ram_register_at(&vm, RAM, RAM_SIZE, false), 0);
    vm_ram_mark_allocated(&vm, RAM, 0x1000);
    assert_int_equal(vm.mem.num_ram_regions, 2);
    vm_ram_mark_allocated(&vm, RAM, 0x1000);
    vm_ram_mark_allocated(&vm, RAM + 0x2000, 0);
    vm_ram_mark_allocated(&vm, RAM + RAM_SIZE - 0x1000, 0x2000); /* beyond the end */
    vm_ram_free(&vm, RAM + 0x1000, 0x1000);
    assert_int_equal(vm.mem.num_ram_regions, 2);
}

static void anonymous_memory_is_given_out_once(void **state)
{
    uintptr_t first, second, ram;

    (void)state;
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0x100000, 0x4000), 0);
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0x103000, 0x4000), -1);
    assert_null(vm_reserve_memory_at(&vm, RAM + 0x102000, 4096, default_error_fault_callback, NULL));
    assert_null(vm_reserve_anon_memory(&vm, 4096, 0x3000, default_error_fault_callback, NULL, &ram)); /* no alignment */
    assert_null(vm_reserve_anon_memory(&vm, 4096, 4096, NULL, NULL, &ram));
    assert_non_null(vm_reserve_anon_memory(&vm, 1, 4096, default_error_fault_callback, NULL, &first));
    assert_non_null(vm_reserve_anon_memory(&vm, 4096, 0x2000, default_error_fault_callback, NULL, &second));
    assert_int_equal(first, RAM + 0x100000);
    assert_int_equal(second, RAM + 0x102000);
    ram = vm_ram_register(&vm, 4096);
    assert_int_equal(ram, RAM + 0x103000);
    assert_int_equal(vm_ram_register(&vm, 4096), 0);
}

static void anonymous_memory_does_not_overlap_a_reservation(void **state)
{
    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, RAM + 0x100000, 4096, default_error_fault_callback, NULL));
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0xff000, 0x2000), -1);
    assert_int_equal(vm_memory_make_anon(&vm, RAM + 0xff000, 0x1000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(ram_can_be_touched_and_allocated),
        IN_VM(what_is_not_all_ram_is_not_touched),
        IN_VM(ram_that_is_refused_leaves_no_reservation),
        IN_VM(ram_is_aligned_as_the_guest_sees_it),
        IN_VM(the_largest_free_region_is_found_among_several),
        IN_VM(the_first_page_is_given_out_unless_its_address_is_0),
        IN_VM(parts_that_are_not_in_that_state_change_nothing),
        IN_VM(anonymous_memory_is_given_out_once),
        IN_VM(anonymous_memory_does_not_overlap_a_reservation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
