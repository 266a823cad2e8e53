/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest driver and a hostile device: BARs of any size, and registers that say anything, and something else at the
 * next load. The driver maps and accesses memory of the device only, offers programs nothing else and not its own page,
 * and gives back all that it took.
 */
#include "../../linux/crossvm.h"

#include "fuzz.h"

#define BAR_AT(bar) ((resource_size_t)((bar) + 1) << 40)
#define MOST_BYTES 0x8000 /* that the driver itself maps of a BAR */
#define MOST_LOADS 1000   /* by one call: more would be a call without end */

struct kernel_line kernel_line;

static uint8_t contents[PCI_STD_NUM_BARS][MOST_BYTES] __attribute__((aligned(8)));

static struct world {
    struct pci_dev pdev;
    struct input *input;
    uint8_t *bars[PCI_STD_NUM_BARS]; /* contents */
    struct crossvm_device *cv;
    unsigned int loads;
    int enabled, requested, mapped, registered; /* what the driver holds */
    u16 command;
    unsigned int fail_after; /* so many calls of Linux, one fails; 0: none does */
} world;

/* --- memory --- */

/* The content at an address of a BAR, all of which is the device's. */
static uint8_t *content(resource_size_t address, size_t size)
{
    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
        const struct resource *resource = &world.pdev.resource[bar];

        if (!(resource->flags & IORESOURCE_MEM) || address < resource->start || address > resource->end)
            continue;
        REQUIRE(size <= resource->end - address + 1 && address - resource->start + size <= MOST_BYTES);
        return world.bars[bar] + (address - resource->start);
    }
    REQUIRE(!"an address that is no BAR's");
    return NULL;
}

static bool may_fail(void)
{
    return world.fail_after && --world.fail_after == 0;
}

void *memremap(resource_size_t address, size_t size, int flags)
{
    (void)flags;
    if (size > MOST_BYTES || may_fail())
        return NULL;
    world.mapped++;
    return content(address, size);
}

void memunmap(void *memory)
{
    (void)memory;
    world.mapped--;
}

void memcpy_fromio(void *to, const void *from, size_t size)
{
    memory_changes(from, 1);
    memcpy(to, from, size);
}

/* A register, 4 bytes of it. */
static uint8_t *any_register(void)
{
    uint8_t page = input_last_byte(world.input) & 7;

    return world
               .bars[world.pdev.device == CROSSVM_IVSHMEM_PCI_DEVICE ? CROSSVM_IVSHMEM_BAR_REGION : CROSSVM_BAR_EVENT] +
           page * 0x1000u + 4u * (input_last_byte(world.input) & 0x7fu);
}

void memory_changes(const volatile void *at, size_t size)
{
    uint8_t what, more;

    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
        size_t offset = (size_t)((const volatile uint8_t *)at - world.bars[bar]);

        if ((uintptr_t)at < (uintptr_t)world.bars[bar] || offset >= MOST_BYTES)
            continue;
        REQUIRE(offset % size == 0 && world.loads++ < MOST_LOADS);
        what = input_last_byte(world.input);
        more = what >> 3;
        if ((what & 7) == 1)
            memset(world.bars[bar] + offset, more & 1 ? 0xff : 0, size);
        else if ((what & 7) == 2)
            world.bars[bar][offset + (more & (size - 1))] = input_last_byte(world.input);
        else if ((what & 7) == 3)
            memset(any_register(), more, 4);
        return;
    }
}

void kernel_store(u32 value, void *address)
{
    bool is_bars = false;

    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++)
        is_bars |=
            (uintptr_t)address >= (uintptr_t)world.bars[bar] && (uint8_t *)address - world.bars[bar] <= MOST_BYTES - 4;
    REQUIRE(is_bars);
    memcpy(address, &value, sizeof(value));
}

/* --- PCI --- */

/* Of ports it gives a number, which the driver may not load from. */
void *pci_iomap(struct pci_dev *pdev, int bar, unsigned long most)
{
    if (!pci_resource_start(pdev, bar) || pci_resource_flags(pdev, bar) == 0)
        return NULL;
    if (pci_resource_flags(pdev, bar) & IORESOURCE_MEM)
        return memremap(pci_resource_start(pdev, bar), most, MEMREMAP_WB);
    world.mapped++;
    return (void *)0x10000; /* NOLINT(performance-no-int-to-ptr) */
}

void pci_iounmap(struct pci_dev *pdev, void *memory)
{
    (void)pdev;
    memunmap(memory);
}

/* Linux refuses BARs that have no place. */
static int enable(const struct pci_dev *pdev, unsigned long kinds)
{
    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
        const struct resource *resource = &pdev->resource[bar];

        if (resource->flags & kinds && (resource->flags & IORESOURCE_UNSET || !resource->parent))
            return -EINVAL;
    }
    if (may_fail())
        return -EINVAL;
    world.enabled++;
    world.command |= 2;
    return 0;
}

int pci_enable_device_mem(struct pci_dev *pdev)
{
    return enable(pdev, IORESOURCE_MEM);
}

int pci_enable_device(struct pci_dev *pdev)
{
    return enable(pdev, IORESOURCE_MEM | IORESOURCE_IO);
}

void pci_disable_device(struct pci_dev *pdev)
{
    (void)pdev;
    world.enabled--;
    world.command &= (u16)~4u;
}

int pci_request_regions(struct pci_dev *pdev, const char *name)
{
    (void)pdev;
    (void)name;
    if (may_fail())
        return -EBUSY;
    world.requested++;
    return 0;
}

void pci_release_regions(struct pci_dev *pdev)
{
    (void)pdev;
    world.requested--;
}

void pci_release_resource(struct pci_dev *pdev, int bar)
{
    pdev->resource[bar].parent = NULL;
}

int pci_assign_resource(struct pci_dev *pdev, int bar)
{
    if (may_fail())
        return -ENOSPC;
    pdev->resource[bar].parent = &pdev->resource[bar];
    return 0;
}

void pci_read_config_word(struct pci_dev *pdev, int where, u16 *value)
{
    (void)pdev;
    REQUIRE(where == PCI_COMMAND);
    *value = world.command;
}

void pci_write_config_word(struct pci_dev *pdev, int where, u16 value)
{
    (void)pdev;
    REQUIRE(where == PCI_COMMAND);
    world.command = value;
}

void *devm_kzalloc(struct device *dev, size_t size, int flags)
{
    (void)dev;
    (void)flags;
    world.cv = may_fail() ? NULL : calloc(1, size);
    return world.cv;
}

/* --- UIO, and what programs map: in the place of mappings.c and attributes.c --- */

/* Each map is memory of the device, whole pages, and none has a page that only the driver may store to. */
static void require_maps(const struct uio_info *uio)
{
    bool region = world.pdev.device == CROSSVM_IVSHMEM_PCI_DEVICE;

    REQUIRE(uio->name[0] && !strchr(uio->name, '/') && strcmp(uio->name, "..") != 0);
    for (int i = 0; i < MAX_UIO_MAPS && uio->mem[i].size; i++) {
        const struct uio_mem *mem = &uio->mem[i];
        const struct resource *resource = NULL;

        REQUIRE(PAGE_ALIGNED(mem->addr) && PAGE_ALIGNED(mem->size));
        for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
            if (world.pdev.resource[bar].flags & IORESOURCE_MEM && mem->addr >= world.pdev.resource[bar].start &&
                mem->addr <= world.pdev.resource[bar].end)
                resource = &world.pdev.resource[bar];
        }
        REQUIRE(resource && mem->size <= resource->end - mem->addr + 1);
        for (int other = 0; other < i; other++)
            REQUIRE(mem->addr >= uio->mem[other].addr + uio->mem[other].size ||
                    uio->mem[other].addr >= mem->addr + mem->size);
        if (!region && i == 0)
            REQUIRE(mem->addr == BAR_AT(CROSSVM_BAR_EVENT) && mem->size <= CROSSVM_DRIVER_PAGE);
        if (region && resource == &world.pdev.resource[CROSSVM_IVSHMEM_BAR_REGION])
            REQUIRE(i == 0 ? mem->addr - resource->start == CROSSVM_REGION_MAPPED(world.cv->end)
                           : mem->addr - resource->start >= CROSSVM_REGION_DATAPORTS);
    }
}

int uio_register_device(struct device *parent, struct uio_info *uio)
{
    (void)parent;
    if (may_fail())
        return -ENOMEM;
    require_maps(uio);
    world.registered++;
    return 0;
}

void uio_unregister_device(struct uio_info *uio)
{
    (void)uio;
    world.registered--;
}

void uio_event_notify(struct uio_info *uio)
{
    REQUIRE(uio == &world.cv->uio && world.registered);
}

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
    return may_fail() ? -ENOMEM : 0;
}

void crossvm_remove_file(struct crossvm_device *cv, struct inode *inode)
{
    (void)cv;
    (void)inode;
}

void crossvm_cut_off(struct crossvm_device *cv)
{
    (void)cv;
    REQUIRE(!world.registered);
}

int crossvm_set_memory_types(struct crossvm_device *cv)
{
    (void)cv;
    return may_fail() ? -ENOMEM : 0;
}

void crossvm_unset_memory_types(struct crossvm_device *cv)
{
    (void)cv;
}

const struct attribute_group *crossvm_groups[1];

/* --- the device --- */

static void put(int bar, size_t offset, uint64_t value, size_t size)
{
    REQUIRE(offset + size <= MOST_BYTES);
    memcpy(world.bars[bar] + offset, &value, size);
}

static void describe_registers(int bar, size_t page, struct input *input)
{
    static const uint64_t sizes[] = {0x1000, 0x2000, 0x8000, 0, 0x1001, 0x9000, UINT64_MAX & ~0xfffull, 1ull << 63};
    uint8_t what = input_byte(input);
    uint64_t offset = CROSSVM_REGION_DATAPORTS;

    memcpy(world.bars[bar] + page + CROSSVM_REG_FULL_NAME, what & 1 ? "../x" : "alpha", 5);
    put(bar, page + CROSSVM_REG_MAGIC, what & 2 ? 0 : CROSSVM_MAGIC, 4);
    put(bar, page + CROSSVM_REG_VERSION, what & 4 ? 0x20000 : CROSSVM_DEVICE_VERSION, 4);
    put(bar, page + CROSSVM_REG_FEATURES, what >> 4, 4);
    put(bar, page + CROSSVM_REG_NUM_DATAPORTS, input_choice(input, 6), 4);
    put(bar, page + CROSSVM_REG_END, what >> 3 & 1, 4);
    for (unsigned int i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        uint8_t port = input_byte(input);

        put(bar, page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE, sizes[port & 7], 8);
        put(bar, page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_RIGHTS, port >> 3 & 7, 4);
        put(bar, page + CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_BAR, port & 0x80 ? port >> 3 & 7 : 1 + i, 4);
        offset = port & 0x40 ? sizes[port >> 3 & 7] : offset;
        put(bar, page + CROSSVM_REG_DATAPORT_OFFSET(i), offset, 8);
        offset += sizes[port & 7];
    }
}

static void plug(struct input *input)
{
    static const resource_size_t sizes[] = {0x1000, 0x2000, 0x8000, 0x10000, 1ull << 32, 1ull << 39, 0x100, 0};
    static const unsigned long kinds[] = {IORESOURCE_MEM, IORESOURCE_IO, 0, IORESOURCE_MEM | IORESOURCE_UNSET};
    uint8_t what = input_byte(input), end = what >> 1 & 1;
    struct pci_dev *pdev = &world.pdev;

    pdev->device = what & 1 ? CROSSVM_IVSHMEM_PCI_DEVICE : CROSSVM_PCI_DEVICE;
    pdev->msi_offered = what & 1 ? PCI_IRQ_MSIX : what & 8 ? PCI_IRQ_MSI : 0;
    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
        uint8_t size = input_byte(input);
        struct resource *resource = &pdev->resource[bar];

        if (!sizes[size & 7])
            continue;
        resource->flags = kinds[size >> 6];
        resource->start = BAR_AT(bar) + (size & 0x20 ? 0x800 : 0);
        resource->end = resource->start + sizes[size & 7] - 1;
        resource->parent = size & 0x10 ? NULL : resource;
    }
    if (what & 1) {
        put(CROSSVM_IVSHMEM_BAR_REGION, CROSSVM_REGION_MAGIC, what & 0x10 ? 0 : CROSSVM_REGION_MAGIC_VALUE, 8);
        put(CROSSVM_IVSHMEM_BAR_REGION, CROSSVM_REGION_VERSION, CROSSVM_REGION_VERSION_VALUE, 4);
        put(CROSSVM_IVSHMEM_BAR_DOORBELL, CROSSVM_IVSHMEM_POSITION, what & 0x20 ? what : end, 4);
        describe_registers(CROSSVM_IVSHMEM_BAR_REGION, CROSSVM_REGION_EVENT_PAGE(end), input);
    } else {
        describe_registers(CROSSVM_BAR_EVENT, 0, input);
    }
}

/* --- what programs and interrupts do --- */

static void use(uint8_t what, unsigned int *openers)
{
    struct uio_info *uio = &world.cv->uio;
    const struct dev_pm_ops *pm = kernel_driver->driver.pm;

    switch (what & 7) {
    case 0:
        if (uio->open(uio, NULL) == 0)
            ++*openers;
        break;
    case 1:
        if (*openers) {
            (void)uio->release(uio, NULL);
            --*openers;
        }
        break;
    case 2:
    case 3:
        if (uio->irq == UIO_IRQ_CUSTOM)
            (void)kernel_line.handler(1, kernel_line.argument);
        else if (uio->handler(1, uio) == IRQ_HANDLED)
            uio_event_notify(uio);
        break;
    case 4:
        if (uio->irqcontrol)
            (void)uio->irqcontrol(uio, 1);
        break;
    case 5:
        (void)pm->suspend(&world.pdev.dev);
        (void)pm->resume(&world.pdev.dev);
        break;
    case 6:
        (void)pm->poweroff(&world.pdev.dev);
        (void)pm->restore(&world.pdev.dev);
        break;
    default:
        memset(any_register(), what, 4);
        break;
    }
}

static void live(struct input *input)
{
    unsigned int openers = 0;

    while (input->left) {
        uint8_t what = input_byte(input);

        world.loads = 0;
        world.fail_after = what >> 7;
        use(what, &openers);
    }
    world.loads = 0;
    kernel_driver->remove(&world.pdev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};

    memset(&world, 0, sizeof(world));
    world.input = &input;
    for (int bar = 0; bar < PCI_STD_NUM_BARS; bar++)
        world.bars[bar] = contents[bar];
    memset(contents[CROSSVM_BAR_EVENT], 0, MOST_BYTES);
    memset(contents[CROSSVM_IVSHMEM_BAR_REGION], 0, MOST_BYTES); /* the others decide nothing */
    plug(&input);
    world.fail_after = input_choice(&input, 64);
    if (kernel_driver->probe(&world.pdev, NULL) == 0) {
        REQUIRE(world.registered && world.cv);
        live(&input);
    }
    REQUIRE(!world.enabled && !world.requested && !world.mapped && !world.registered);
    free(world.cv);
    return 0;
}
