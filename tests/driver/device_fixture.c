/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_fixture.h"

/* --- the kernel --- */

struct kernel_line kernel_line;
int kernel_mappings;
u16 kernel_command;

struct seen seen;
struct fixture_device devices[2];

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

void set_bar(unsigned int number, unsigned int bar, void *memory, size_t size)
{
    resource_size_t start = (uintptr_t)memory;

    devices[number].pci.resource[bar] =
        (struct resource){.start = start, .end = start + size - 1, .flags = IORESOURCE_MEM};
}

void put32(size_t offset, u32 value)
{
    memcpy(devices[0].bars[0] + offset, &value, sizeof(value));
}

void put64(size_t offset, u64 value)
{
    memcpy(devices[0].bars[0] + offset, &value, sizeof(value));
}

struct crossvm_device *honest(unsigned int number)
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

struct crossvm_device *honest_region(unsigned int end)
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
