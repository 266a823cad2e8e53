/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest driver believes of a device. The VMM is not trusted with the guest's memory, nor is the peer with a
 * region: a device that describes itself wrongly is refused, and leaves nothing mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device_fixture.h"

/* --- a function of its own --- */

static void an_honest_device_is_described(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_true(cv->extended);
    assert_int_equal(cv->end, 1);
    assert_int_equal(cv->num_dataports, 2);
    assert_string_equal(cv->uio.name, "honest");
    assert_string_equal(cv->uio.version, "1.2");
    assert_string_equal(cv->uio.mem[0].name, "event");
    assert_int_equal(cv->uio.mem[0].addr, (uintptr_t)devices[0].bars[0]);
    assert_int_equal(cv->uio.mem[0].size, CROSSVM_STATE_PAGE + CROSSVM_PAGE_SIZE); /* not the driver's page */
    assert_string_equal(cv->uio.mem[1].name, "dataport0");
    assert_int_equal(cv->uio.mem[1].addr, (uintptr_t)devices[0].bars[1]);
    assert_int_equal(cv->uio.mem[1].size, 0x1000);
    assert_int_equal(cv->uio.mem[2].addr, (uintptr_t)devices[0].bars[2]);
    assert_int_equal(cv->uio.mem[2].size, 0x8000);
    assert_int_equal(cv->uio.mem[3].size, 0);
    assert_ptr_equal(cv->peer_seq, devices[0].bars[0] + CROSSVM_REG_PEER_SEQ);
    assert_ptr_equal(cv->driver, devices[0].bars[0] + CROSSVM_REG_DRIVER_ALONE);
    assert_ptr_equal(cv->uio.open, crossvm_open);
    assert_ptr_equal(cv->uio.release, crossvm_release);
    assert_null(cv->uio.irqcontrol);
}

#define MANY 8 /* dataports: more than there can be */
#define SIZE_OF(i) (CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE)
#define BAR_OF(i) (CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_BAR)

static void no_size(void)
{
    put64(SIZE_OF(0), 0);
}

static void no_whole_page(void)
{
    put64(SIZE_OF(0), 0x1001);
}

static void more_than_its_bar(void)
{
    put64(SIZE_OF(1), BAR_BYTES + 0x1000);
}

static void more_than_any_bar(void)
{
    put64(SIZE_OF(1), UINT64_MAX - 0xfff);
}

static void registers_as_dataport(void)
{
    put32(BAR_OF(0), CROSSVM_BAR_EVENT);
}

static void a_bar_that_there_is_not(void)
{
    put32(BAR_OF(0), PCI_STD_NUM_BARS);
}

static void a_bar_far_away(void)
{
    put32(BAR_OF(0), UINT32_MAX);
}

static void one_bar_twice(void)
{
    put32(BAR_OF(0), 2);
}

static void a_bar_of_ports(void)
{
    devices[0].pci.resource[1].flags = 0x100;
}

static void a_bar_inside_a_page(void)
{
    devices[0].pci.resource[1].start += 0x800;
}

static void many_dataports(void)
{
    put32(CROSSVM_REG_NUM_DATAPORTS, CROSSVM_MAX_DATAPORTS + 1);
    for (unsigned int i = 0; i < MANY; i++) {
        set_bar(0, i < 5 ? i : 5, devices[0].bars[0], BAR_BYTES);
        put64(SIZE_OF(i), 0x1000);
        put32(BAR_OF(i), 1 + i);
    }
}

static void no_room_for_the_state_page(void)
{
    devices[0].pci.resource[0].end = devices[0].pci.resource[0].start + CROSSVM_STATE_PAGE - 1;
}

static void no_room_for_the_drivers_page(void)
{
    devices[0].pci.resource[0].end = devices[0].pci.resource[0].start + CROSSVM_DRIVER_PAGE - 1;
}

static void a_bar_without_address(void)
{
    devices[0].pci.resource[2] = (struct resource){.flags = 0};
}

static void wrong_descriptions_are_refused(void **state)
{
    static const struct {
        void (*bend)(void);
        int error;
    } table[] = {
        {no_size, EINVAL},
        {no_whole_page, EINVAL},
        {more_than_its_bar, EINVAL},
        {more_than_any_bar, EINVAL},
        {registers_as_dataport, EINVAL},
        {a_bar_that_there_is_not, EINVAL},
        {a_bar_far_away, EINVAL},
        {one_bar_twice, EINVAL},
        {a_bar_of_ports, EINVAL},
        {a_bar_inside_a_page, EINVAL},
        {many_dataports, EINVAL},
        {no_room_for_the_state_page, EINVAL},
        {no_room_for_the_drivers_page, EINVAL},
        {a_bar_without_address, ENOSPC},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct crossvm_device *cv = honest(0);
        int error;

        table[i].bend();
        error = crossvm_describe(cv);
        if (error != -table[i].error)
            fail_msg("bend %zu: %d", i, error);
    }
}

/* A later major version, and no MAGIC. */
static void what_is_not_known_has_the_base_block(void **state)
{
    static const size_t registers[] = {CROSSVM_REG_MAGIC, CROSSVM_REG_VERSION};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct crossvm_device *cv = honest(0);

        put32(registers[i], 2 << 16);
        memset(devices[0].bars[0] + CROSSVM_REG_NAME, 'n', CROSSVM_NAME_BYTES); /* without an end */
        assert_int_equal(crossvm_describe(cv), 0);
        assert_false(cv->extended);
        assert_int_equal(strlen(cv->name), CROSSVM_NAME_BYTES);
        assert_string_equal(cv->uio.version, "base");
        assert_int_equal(cv->uio.mem[0].size, CROSSVM_PAGE_SIZE);
        assert_int_equal(cv->uio.mem[1].size, BAR_BYTES);
        assert_int_equal(cv->uio.mem[2].size, 0);
    }
}

static void names_can_name_a_file(void **state)
{
    static const char *const names[][2] = {
        {"a-b_c.9", "a-b_c.9"}, {"../etc", ".._etc"}, {"..", "connector"}, {".", "connector"},
        {"", "connector"},      {"a b\n", "a_b_"},    {"\xc3\xa4", "__"},
    };
    struct crossvm_device *cv;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cv = honest(0);
        memset(devices[0].bars[0] + CROSSVM_REG_FULL_NAME, 0, CROSSVM_FULL_NAME_BYTES);
        memcpy(devices[0].bars[0] + CROSSVM_REG_FULL_NAME, names[i][0], strlen(names[i][0]));
        assert_int_equal(crossvm_describe(cv), 0);
        assert_string_equal(cv->uio.name, names[i][1]);
    }
    cv = honest(0);
    memset(devices[0].bars[0] + CROSSVM_REG_FULL_NAME, 'n', CROSSVM_FULL_NAME_BYTES);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(strlen(cv->name), CROSSVM_FULL_NAME_BYTES - 1);
}

/* --- a region --- */

static void functions_of_others_are_left_as_they_were(void **state)
{
    struct pci_dev *pci = &devices[0].pci;

    (void)state;
    (void)honest_region(0);
    kernel_command = PCI_COMMAND_MASTER;
    assert_true(crossvm_is_region(pci));
    assert_int_equal(kernel_command, PCI_COMMAND_MASTER);
    assert_int_equal(kernel_mappings, 0);
    devices[0].bars[2][CROSSVM_REGION_MAGIC] ^= 1;
    assert_false(crossvm_is_region(pci));
    assert_int_equal(kernel_command, PCI_COMMAND_MASTER);
    assert_int_equal(kernel_mappings, 0);

    (void)honest_region(0);
    devices[0].bars[2][CROSSVM_REGION_VERSION + 2] = CROSSVM_REGION_VERSION_MAJOR + 1;
    assert_false(crossvm_is_region(pci));
    (void)honest_region(0);
    pci->resource[2].flags |= IORESOURCE_UNSET;
    assert_false(crossvm_is_region(pci));
    (void)honest_region(0);
    pci->resource[2].end = pci->resource[2].start + CROSSVM_REGION_DATAPORTS - 2;
    assert_false(crossvm_is_region(pci));
}

static void a_region_is_described(void **state)
{
    (void)state;
    for (unsigned int end = 0; end < 2; end++) {
        struct crossvm_device *cv = honest_region(end);
        uint8_t *region = devices[0].bars[2];

        assert_int_equal(crossvm_map_region(cv), 0);
        assert_int_equal(kernel_mappings, 2);
        assert_int_equal(crossvm_describe(cv), 0);
        assert_int_equal(cv->end, end);
        assert_string_equal(cv->uio.mem[0].name, end ? "end1" : "end0");
        assert_int_equal(cv->uio.mem[0].addr, (uintptr_t)region + CROSSVM_REGION_MAPPED(end));
        assert_int_equal(cv->uio.mem[0].size, CROSSVM_REGION_MAPPED_BYTES);
        assert_int_equal(cv->uio.mem[1].addr, (uintptr_t)region + CROSSVM_REGION_DATAPORTS);
        assert_string_equal(cv->uio.mem[2].name, "doorbell");
        assert_int_equal(cv->uio.mem[2].memtype, UIO_MEM_PHYS);
        assert_ptr_equal(cv->peer_seq, region + CROSSVM_REGION_COUNT_PAGE(1 - end));
        assert_ptr_equal(cv->driver, region + CROSSVM_REGION_DRIVER_PAGE(end));
        assert_ptr_equal(cv->uio.irqcontrol, crossvm_emit);

        assert_int_equal(cv->uio.irqcontrol(&cv->uio, 1), 0);
        assert_int_equal(seen.last_value, CROSSVM_IVSHMEM_TO_END(1 - end));
        assert_ptr_equal(seen.last_address, devices[0].bars[0] + CROSSVM_IVSHMEM_DOORBELL);
        crossvm_unmap_region(cv);
        assert_int_equal(kernel_mappings, 0);
    }
}

static void wrong_parts_of_a_region_are_refused(void **state)
{
    static const struct {
        u64 size, offset;
    } parts[] = {
        {0, 0x7000},
        {0x800, 0x7000},
        {0x1000, 0x7800},
        {0x1000, 0x6000},    /* over the driver page of end 1 */
        {0x1000, BAR_BYTES}, /* behind the end */
        {0x2000, 0x7000},    /* beyond it */
        {0x1000, UINT64_MAX - 0xfff},
        {UINT64_MAX - 0xfff, 0x7000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct crossvm_device *cv = honest_region(0);
        uint8_t *page = devices[0].bars[2] + CROSSVM_REGION_EVENT_PAGE(0);

        memcpy(page + SIZE_OF(0), &parts[i].size, sizeof(u64));
        memcpy(page + CROSSVM_REG_DATAPORT_OFFSET(0), &parts[i].offset, sizeof(u64));
        assert_int_equal(crossvm_map_region(cv), 0);
        if (crossvm_describe(cv) != -EINVAL)
            fail_msg("part %zu is taken", i);
    }
}

/* Two dataports at one place, of a region that has room for both. */
static void parts_of_a_region_do_not_overlap(void **state)
{
    struct crossvm_device *cv = honest_region(0);
    uint8_t *page = devices[0].bars[2] + CROSSVM_REGION_EVENT_PAGE(0);
    const u64 size = 0x1000;
    u64 offset = CROSSVM_REGION_DATAPORTS;

    (void)state;
    devices[0].pci.resource[2].end += 0x8000;
    page[CROSSVM_REG_NUM_DATAPORTS] = 2;
    memcpy(page + SIZE_OF(1), &size, sizeof(size));
    memcpy(page + CROSSVM_REG_DATAPORT_OFFSET(1), &offset, sizeof(offset));
    assert_int_equal(crossvm_map_region(cv), 0);
    assert_int_equal(crossvm_describe(cv), -EINVAL);
    offset += size;
    memcpy(page + CROSSVM_REG_DATAPORT_OFFSET(1), &offset, sizeof(offset));
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(cv->uio.mem[2].addr, cv->uio.mem[1].addr + size);
}

/* UIO has as many maps: programs then have the driver signal. */
static void with_all_dataports_there_is_no_map_of_the_doorbell(void **state)
{
    struct crossvm_device *cv = honest_region(0);
    uint8_t *page = devices[0].bars[2] + CROSSVM_REGION_EVENT_PAGE(0);
    const u64 size = 0x1000;

    (void)state;
    devices[0].pci.resource[2].end += 0x8000;
    page[CROSSVM_REG_NUM_DATAPORTS] = CROSSVM_MAX_DATAPORTS;
    for (unsigned int i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        u64 offset = CROSSVM_REGION_DATAPORTS + i * size;

        memcpy(page + SIZE_OF(i), &size, sizeof(size));
        memcpy(page + CROSSVM_REG_DATAPORT_OFFSET(i), &offset, sizeof(offset));
    }
    assert_int_equal(crossvm_map_region(cv), 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_string_equal(cv->uio.mem[4].name, "dataport3");
    assert_ptr_equal(cv->uio.irqcontrol, crossvm_emit);
}

static void a_region_without_its_parts_is_refused(void **state)
{
    struct crossvm_device *cv = honest_region(0);

    (void)state;
    put32(CROSSVM_IVSHMEM_POSITION, 2); /* another server's number of a VM */
    assert_int_equal(crossvm_map_region(cv), -EINVAL);
    assert_int_equal(kernel_mappings, 0);
    cv = honest_region(0);
    devices[0].pci.resource[0].end = devices[0].pci.resource[0].start + CROSSVM_IVSHMEM_DOORBELL + 2;
    assert_int_equal(crossvm_map_region(cv), -EINVAL);
    assert_int_equal(kernel_mappings, 0);
    cv = honest_region(0);
    devices[0].bars[2][CROSSVM_REGION_EVENT_PAGE(0) + CROSSVM_REG_MAGIC] ^= 1;
    assert_int_equal(crossvm_map_region(cv), 0);
    assert_int_equal(crossvm_describe(cv), -EINVAL);
}

static void a_doorbell_gets_a_page_or_keeps_its_place(void **state)
{
    struct resource *bar = &devices[0].pci.resource[CROSSVM_IVSHMEM_BAR_DOORBELL];

    (void)state;
    for (int room = 0; room < 2; room++) {
        (void)honest_region(0);
        bar->end = bar->start + 0xff;
        bar->parent = bar;
        seen.assignments_left = room;
        crossvm_move_doorbell(&devices[0].pci);
        assert_int_equal(resource_size(bar), room ? PAGE_SIZE : 0x100);
    }
    (void)honest_region(0);
    bar->end = bar->start + 0xff; /* without an address, it is left alone */
    seen.assignments_left = 1;
    crossvm_move_doorbell(&devices[0].pci);
    assert_int_equal(seen.assignments_left, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_device_is_described),
        cmocka_unit_test(wrong_descriptions_are_refused),
        cmocka_unit_test(what_is_not_known_has_the_base_block),
        cmocka_unit_test(names_can_name_a_file),
        cmocka_unit_test(functions_of_others_are_left_as_they_were),
        cmocka_unit_test(a_region_is_described),
        cmocka_unit_test(wrong_parts_of_a_region_are_refused),
        cmocka_unit_test(parts_of_a_region_do_not_overlap),
        cmocka_unit_test(with_all_dataports_there_is_no_map_of_the_doorbell),
        cmocka_unit_test(a_region_without_its_parts_is_refused),
        cmocka_unit_test(a_doorbell_gets_a_page_or_keeps_its_place),
    };

    return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
