/* SPDX-License-Identifier: BSD-2-Clause */
/* What Linux finds on the bus, before any driver. */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../harness/case.h"
#include "device.h"
#include "platform.h"
#include "system.h"
#include "vmm.h"

static void all_connections_are_there(void)
{
    static const char *const names[] = {
        CONTROL_NAME, "shared-a",   "shared-b", "unbound",     "base",      "generic",
        "early",      "size-4k",    "size-12k", "size-4k-64k", "size-2m",   "size-64m",
        "size-four",  "event-only", "hostile",  "msi-echo",    "early-msi", "rebind",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)device(names[i]);
    CHECK(num_devices == sizeof(names) / sizeof(names[0]) + 1, "%zu devices", num_devices);
}

static void name_of_63_characters(void)
{
    struct device *d = device("a-name-of-63-characters-which-is-as-long-as-a-name-can-be-00000");

    CHECK(d->registers[CROSSVM_REG_NAME + 47] == 0, "the short name has no NUL");
    CHECK(memcmp((const void *)(d->registers + CROSSVM_REG_NAME), d->name, 47) == 0, "the short name is another");
}

static void bars_are_where_the_vmm_put_them(void)
{
    for (size_t i = 0; i < num_devices; i++) {
        struct control_info vmm = info(devices[i].name);
        char path[128];
        const char *line;

        (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", devices[i].address);
        line = read_text(path);
        for (int bar = 0; bar <= 6; bar++) {
            unsigned long long start = 0;
            unsigned long long end = 0;
            unsigned long long want = bar <= (int)vmm.num_dataports ? vmm.bar_address[bar] : 0;
            unsigned long long size = bar <= (int)vmm.num_dataports ? vmm.bar_size[bar] : 0;

            CHECK(sscanf(line, "%llx %llx", &start, &end) == 2, "no resource %d", bar);
            /* Resource 6 is the expansion ROM: regression, a phantom one of 2 KiB. */
            CHECK(start == want && (!size || end == start + size - 1), "%s: BAR %d is %llx-%llx, not %llx of %llx",
                  devices[i].name, bar, start, end, want, size);
            line = strchr(line, '\n') + 1;
        }
    }
    CHECK(kernel_log_count("can't claim BAR") == 0, "Linux could not claim a BAR");
    CHECK(kernel_log_count(": assigned [mem") == 0, "Linux moved a BAR");
}

static void identity(void)
{
    struct control_info vmm = info("shared-a");
    unsigned int dev = vmm.pci >> 3;
    uint32_t msi = pci_config_read(0, info("msi-echo").pci >> 3, 0, 0x40);

    CHECK(pci_config_read(0, dev, 0, 0x00) == 0xa1111af4, "vendor and device");
    CHECK(pci_config_read(0, dev, 0, 0x08) == 0x05000001, "class and revision");
    CHECK(pci_intx(dev, 0) == vmm.irq, "INTx goes to %u, not %u", pci_intx(dev, 0), vmm.irq);
    CHECK(pci_config_read(0, dev, 0, 0x34) == 0x50, "MSI on a bus without");
    CHECK((pci_config_read(0, dev, 0, 0x50) & 0xff) == 0x14, "no Enhanced Allocation");
    CHECK((msi & 0xffff) == (has_msi ? 0x5005 : 0), "0x40 reads %x", msi);
}

/* Regression: reads of missing devices gave 0, which is a vendor. */
static void missing_devices_read_ones(void)
{
    CHECK(pci_config_read(0, 31, 7, 0) == 0xffffffff, "function 7 of device 31");
    CHECK(pci_config_read(0, 1, 5, 0) == 0xffffffff, "function 5 of device 1");
    CHECK(pci_config_read(1, 0, 0, 0) == 0xffffffff, "bus 1");
    CHECK(pci_config_read(255, 31, 7, 0xfc) == 0xffffffff, "bus 255");
}

/* The VMM sees what the guest stores at the start, middle and end of a dataport. Behind its end the BAR reads 0. */
static void check_dataport(const char *name, unsigned int dataport, uint64_t size, uint64_t bar_size, bool writable)
{
    struct device *d = device(name);
    volatile uint8_t *memory = map_bar(d, 1 + (int)dataport, bar_size);
    size_t entry = CROSSVM_REG_DATAPORT(dataport);
    uint64_t offsets[] = {0, size / 2, size - 8};

    CHECK(reg64(d, entry + CROSSVM_DATAPORT_SIZE) == size, "%s: size register %llx", name,
          (unsigned long long)reg64(d, entry));
    CHECK(reg32(d, entry + CROSSVM_DATAPORT_RIGHTS) == (writable ? 3 : 1), "%s: rights register", name);
    for (size_t i = 0; i < 3; i++) {
        uint64_t written = 0x1122334455667788ULL + offsets[i];
        uint64_t seen = 0;

        *(volatile uint64_t *)(memory + offsets[i]) = written;
        peek(name, dataport, offsets[i], &seen, sizeof(seen));
        CHECK(seen == (writable ? written : 0), "%s: the VMM sees %llx at %llx", name, (unsigned long long)seen,
              (unsigned long long)offsets[i]);
        CHECK(*(volatile uint64_t *)(memory + offsets[i]) == seen, "%s: the guest sees something else", name);
    }
    for (uint64_t offset = size; offset < bar_size; offset += 4096) {
        *(volatile uint32_t *)(memory + offset) = 0xffffffff;
        CHECK(*(volatile uint32_t *)(memory + offset) == 0, "%s: memory behind its end", name);
    }
    munmap((void *)memory, bar_size);
}

static void dataports_keep_their_size(void)
{
    check_dataport("size-4k", 0, 4 << 10, 4 << 10, true);
    check_dataport("size-12k", 0, 12 << 10, 16 << 10, true);
    check_dataport("size-4k-64k", 0, 4 << 10, 4 << 10, true);
    check_dataport("size-4k-64k", 1, 64 << 10, 64 << 10, true);
    check_dataport("size-2m", 0, 2 << 20, 2 << 20, true);
    check_dataport("size-64m", 0, 64 << 20, 64 << 20, true);
    CHECK(reg32(device("event-only"), CROSSVM_REG_NUM_DATAPORTS) == 0, "event-only has a dataport");
}

static void read_only_dataports_ignore_stores(void)
{
    check_dataport("size-four", 0, 4 << 10, 4 << 10, false);
    check_dataport("size-four", 1, 12 << 10, 16 << 10, true);
    check_dataport("size-four", 2, 64 << 10, 64 << 10, false);
    check_dataport("size-four", 3, 2 << 20, 2 << 20, true);
}

void pci_cases(void)
{
    RUN(all_connections_are_there);
    RUN(name_of_63_characters);
    RUN(identity);
    RUN(bars_are_where_the_vmm_put_them);
    RUN(missing_devices_read_ones);
    RUN(dataports_keep_their_size);
    RUN(read_only_dataports_ignore_stores);
}
