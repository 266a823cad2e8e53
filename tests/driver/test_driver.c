/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest driver's files, compiled with kernel.h for Linux. The VMM is not trusted with the guest's memory, nor is
 * the peer with a region: a device that describes itself wrongly is refused, and leaves nothing mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../linux/crossvm.h"

#include "../../src/vmm/event_page.h"

#define BAR_BYTES 0x8000
#define MANY 8

/* --- the kernel --- */

struct kernel_line kernel_line;
int kernel_mappings;
u16 kernel_command;

static struct {
    unsigned int notified;
    unsigned int stores;
    u32 last_value;
    const void *last_address;
    int intx_at_store; /* what INTx was at the last store; of the first device */
    bool no_memory;    /* for files */
    unsigned int files;
    int assignments_left; /* of resources that have room */
} seen;

static struct {
    struct crossvm_device device;
    struct pci_dev pci;
    struct event_page page;
    _Alignas(4096) uint8_t bars[3][BAR_BYTES];
} devices[2];

void kernel_store(u32 value, void *address)
{
    seen.stores++;
    seen.last_value = value;
    seen.last_address = address;
    seen.intx_at_store = devices[0].pci.intx;
    memcpy(address, &value, sizeof(value));
}

void uio_event_notify(struct uio_info *uio)
{
    (void)uio;
    seen.notified++;
}

int pci_assign_resource(struct pci_dev *pdev, int bar)
{
    if (seen.assignments_left-- <= 0)
        return -ENOSPC;
    pdev->resource[bar].parent = &pdev->resource[bar];
    return 0;
}

/* mappings.c, which needs a kernel */

int crossvm_mmap(struct uio_info *uio, struct vm_area_struct *vma)
{
    (void)uio;
    (void)vma;
    return 0;
}

int crossvm_add_file(struct crossvm_device *cv, struct inode *inode)
{
    (void)cv;
    (void)inode;
    seen.files += !seen.no_memory;
    return seen.no_memory ? -ENOMEM : 0;
}

void crossvm_remove_file(struct crossvm_device *cv, struct inode *inode)
{
    (void)cv;
    (void)inode;
    seen.files--;
}

/* --- a device --- */

static void set_bar(unsigned int number, unsigned int bar, void *memory, size_t size)
{
    resource_size_t start = (uintptr_t)memory;

    devices[number].pci.resource[bar] =
        (struct resource){.start = start, .end = start + size - 1, .flags = IORESOURCE_MEM};
}

static void put32(size_t offset, u32 value)
{
    memcpy(devices[0].bars[0] + offset, &value, sizeof(value));
}

static void put64(size_t offset, u64 value)
{
    memcpy(devices[0].bars[0] + offset, &value, sizeof(value));
}

/* A device that keeps to the specification: with two dataports, in BARs of 32 KiB, and all pages. */
static struct crossvm_device *honest(unsigned int number)
{
    const struct event_page_identity identity = {
        .name = "honest",
        .features = CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE | CROSSVM_FEATURE_STATE_PAGE |
                    CROSSVM_FEATURE_DRIVER_PAGE,
        .end = 1,
        .num_dataports = 2,
        .dataports = {{.size = 0x1000, .rights = CROSSVM_RIGHT_READ, .bar = 1},
                      {.size = 0x8000, .rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE, .bar = 2}},
    };

    memset(&devices[number], 0, sizeof(devices[number]));
    memset(&seen, 0, sizeof(seen));
    kernel_mappings = 0;
    cvmm_event_page_init(&devices[number].page, devices[number].bars[0], &identity);
    for (unsigned int bar = 0; bar < 3; bar++)
        set_bar(number, bar, devices[number].bars[bar], BAR_BYTES);
    devices[number].device.pdev = &devices[number].pci;
    devices[number].device.regs = devices[number].bars[0];
    return &devices[number].device;
}

/* --- what a device says of itself --- */

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

/* The region is bars[2], the doorbell bars[0]. An event page as in honest(), and its dataports behind the front. */
static struct crossvm_device *honest_region(unsigned int end)
{
    struct crossvm_device *cv = honest(0);
    uint8_t *region = devices[0].bars[2];
    const struct event_page_identity identity = {
        .name = "region",
        .features = CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE,
        .end = end,
        .num_dataports = 1,
        .dataports = {{.size = 0x1000, .rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE, .bar = 2}},
    };
    const u64 magic = CROSSVM_REGION_MAGIC_VALUE, offset = CROSSVM_REGION_DATAPORTS;
    const u32 version = CROSSVM_REGION_VERSION_VALUE;

    cvmm_event_page_init(&devices[0].page, region + CROSSVM_REGION_EVENT_PAGE(end), &identity);
    memcpy(region + CROSSVM_REGION_EVENT_PAGE(end) + CROSSVM_REG_DATAPORT_OFFSET(0), &offset, sizeof(offset));
    memcpy(region + CROSSVM_REGION_MAGIC, &magic, sizeof(magic));
    memcpy(region + CROSSVM_REGION_VERSION, &version, sizeof(version));
    put32(CROSSVM_IVSHMEM_POSITION, end);
    kernel_command = 0;
    return cv;
}

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

/* --- interrupts --- */

static void each_kind_of_device_has_its_interrupt(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    devices[0].pci.intx = 1;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_true(cv->msi);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_HANDLED);
    assert_int_equal(cv->uio.irq_flags, 0);

    cv = honest(0);
    devices[0].pci.intx = 1;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_false(cv->msi);
    assert_int_equal(cv->uio.irq, UIO_IRQ_CUSTOM); /* a line of ours */
    assert_int_equal(devices[0].pci.intx, 0);      /* until it is live */

    cv = honest(0);
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    put32(CROSSVM_REG_MAGIC, 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_false(cv->msi);
    assert_int_equal(cv->uio.irq_flags, IRQF_SHARED);

    cv = honest_region(0);
    assert_int_equal(crossvm_map_region(cv), 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), -ENOSPC); /* INTx is none of ivshmem's */
    devices[0].pci.msi_offered = PCI_IRQ_MSIX;
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_true(cv->msi);
}

static void the_peers_count_is_the_sequence_where_it_counts(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    put64(CROSSVM_REG_EVENT_SEQ, 7);
    put64(CROSSVM_REG_PEER_SEQ, 9);
    assert_int_equal(crossvm_sequence(cv), 7);
    put32(CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(crossvm_sequence(cv), 9);
    cv->msi = false;
    assert_int_equal(crossvm_sequence(cv), 7);

    put32(CROSSVM_REG_SEEN, 7);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 0);
    put32(CROSSVM_REG_SEEN, 6);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 1);
}

static void an_interrupt_of_the_base_block_is_acknowledged(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    put32(CROSSVM_REG_MAGIC, 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_NONE); /* another driver's */
    assert_int_equal(seen.stores, 0);
    put32(CROSSVM_REG_COUNT, 3);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_HANDLED);
    assert_ptr_equal(seen.last_address, devices[0].bars[0] + CROSSVM_REG_COUNT);
    assert_int_equal(seen.last_value, 0);
    /* Whoever opens it later is told, once. */
    crossvm_notify_unseen(cv);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 1);
}

static void devices_of_a_line_are_told_apart(void **state)
{
    struct crossvm_device *first, *second;

    (void)state;
    (void)honest(1);
    first = honest(0);
    second = &devices[1].device;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_describe(&devices[i].device), 0);
        assert_int_equal(crossvm_alloc_irq(&devices[i].device), 0);
        assert_int_equal(crossvm_join_line(&devices[i].device), 0);
    }
    assert_ptr_equal(first->line, second->line);
    (void)kernel_line.handler(1, kernel_line.argument); /* the state of before */
    seen.notified = 0;
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    cvmm_event_page_count(&devices[1].page, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_HANDLED);
    assert_int_equal(seen.notified, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    cvmm_event_page_set_peer(&devices[0].page, CROSSVM_PEER_READY, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_HANDLED);
    assert_int_equal(seen.notified, 2);

    crossvm_leave_line(first);
    cvmm_event_page_set_peer(&devices[0].page, CROSSVM_PEER_ABSENT, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    crossvm_leave_line(second); /* frees the line: the leak sanitizer looks */
    assert_null(second->line);
}

/* --- programs --- */

static struct crossvm_device *live(void)
{
    struct crossvm_device *cv = honest(0);

    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    crossvm_go_live(cv, true);
    return cv;
}

/* A store exits to the VMM. */
static void programs_are_told_of_by_as_few_stores_as_can_be(void **state)
{
    struct crossvm_device *cv = live();

    (void)state;
    assert_int_equal(seen.stores, 1);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
    assert_ptr_equal(seen.last_address, devices[0].bars[0] + CROSSVM_REG_DRIVER_ALONE);
    assert_int_equal(seen.intx_at_store, 0); /* DRIVER comes first: else the device stops raising them */
    assert_int_equal(devices[0].pci.intx, 1);
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_OPEN);
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 2);
    assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 2);
    assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 3);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
    assert_int_equal(seen.files, 0);
    crossvm_go_quiet(cv);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_NONE);
    assert_int_equal(devices[0].pci.intx, 0);
    assert_int_equal(seen.intx_at_store, 0); /* and goes last */
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 4); /* not while it is quiet */
    crossvm_go_live(cv, true);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_OPEN);
}

static void an_open_without_memory_is_none(void **state)
{
    struct crossvm_device *cv = live();

    (void)state;
    seen.no_memory = true;
    assert_int_equal(crossvm_open(&cv->uio, NULL), -ENOMEM);
    assert_int_equal(cv->openers, 0);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
}

/* OPEN over OPEN would say that another program came. After a hibernation, one may have. */
static void sleep_tells_of_nobody_anew(void **state)
{
    struct crossvm_device *cv = live();
    unsigned int stores;

    (void)state;
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    stores = seen.stores;
    crossvm_enable_intx(cv, false);
    seen.notified = 0;
    crossvm_go_live(cv, false);
    assert_int_equal(seen.stores, stores);
    assert_int_equal(devices[0].pci.intx, 1);
    assert_int_equal(seen.notified, 1); /* for what came meanwhile */
    crossvm_go_live(cv, true);
    assert_int_equal(seen.stores, stores + 1);
}

/* The hub may look only after several stores: so the word counts who came. */
static void the_hub_learns_of_each_that_came(void **state)
{
    struct crossvm_device *cv = honest_region(1);
    const uint8_t *doorbell = devices[0].bars[0] + CROSSVM_IVSHMEM_DOORBELL;
    u32 word;

    (void)state;
    assert_int_equal(crossvm_map_region(cv), 0);
    devices[0].pci.msi_offered = PCI_IRQ_MSIX;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    crossvm_go_live(cv, true);
    word = readl(cv->driver);
    assert_int_equal(word, CROSSVM_DRIVER_BOUND + CROSSVM_REGION_DRIVER_CAME);
    assert_ptr_equal(seen.last_address, doorbell); /* the word is there before the signal */
    assert_int_equal(seen.last_value, CROSSVM_IVSHMEM_TO_HUB);
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
        assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    }
    word = readl(cv->driver);
    assert_int_equal(word, CROSSVM_DRIVER_BOUND + 3 * CROSSVM_REGION_DRIVER_CAME); /* who goes, does not count */
    crossvm_go_live(cv, false);
    assert_int_equal(readl(cv->driver), word);
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
        cmocka_unit_test(a_region_without_its_parts_is_refused),
        cmocka_unit_test(a_doorbell_gets_a_page_or_keeps_its_place),
        cmocka_unit_test(each_kind_of_device_has_its_interrupt),
        cmocka_unit_test(the_peers_count_is_the_sequence_where_it_counts),
        cmocka_unit_test(an_interrupt_of_the_base_block_is_acknowledged),
        cmocka_unit_test(devices_of_a_line_are_told_apart),
        cmocka_unit_test(programs_are_told_of_by_as_few_stores_as_can_be),
        cmocka_unit_test(an_open_without_memory_is_none),
        cmocka_unit_test(sleep_tells_of_nobody_anew),
        cmocka_unit_test(the_hub_learns_of_each_that_came),
    };

    return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
