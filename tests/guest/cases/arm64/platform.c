/* SPDX-License-Identifier: BSD-2-Clause */
#include "../platform.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXIT_REGISTER 0x09010000 /* of the VMM: ends the VM with a status */
#define ECAM 0x10000000
#define PAGE 4096
#define PIN 0x3d

const bool unaligned_stores = false; /* device memory takes aligned ones only */

static int memory = -1; /* /dev/mem */

void platform_open(void)
{
    memory = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
    if (memory < 0)
        perror("/dev/mem");
}

/* The page that holds a guest physical address, or NULL. */
static volatile uint8_t *map_page(uint64_t address)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)(address & ~(PAGE - 1ULL)));

    if (page != MAP_FAILED)
        return page;
    perror("cannot map /dev/mem; configuration space needs iomem=relaxed");
    return NULL;
}

uint32_t pci_config_read(unsigned int bus, unsigned int dev, unsigned int fun, unsigned int offset)
{
    volatile uint8_t *page = map_page(ECAM + (bus << 20 | dev << 15 | fun << 12));
    uint32_t value = 0;

    if (page) {
        value = *(volatile uint32_t *)(page + offset);
        munmap((void *)page, PAGE);
    }
    return value;
}

/* An entry of the host bridge's property interrupt-map; big-endian. */
struct map_entry {
    uint32_t device[3];
    uint32_t pin;
    uint32_t controller;
    uint32_t controller_address[2];
    uint32_t kind;
    uint32_t number;
    uint32_t flags;
};

/* From the device tree, since Linux stores a number of its own to the interrupt line register. */
unsigned int pci_intx(unsigned int dev, unsigned int fun)
{
    unsigned int pin = pci_config_read(0, dev, fun, PIN & ~3U) >> 8 & 0xff;
    FILE *map = fopen("/proc/device-tree/pcie@10000000/interrupt-map", "r");
    unsigned int found = 0;
    struct map_entry entry;

    while (map && !found && fread(&entry, sizeof(entry), 1, map) == 1) {
        if (ntohl(entry.device[0]) == dev << 11 && ntohl(entry.pin) == pin)
            found = ntohl(entry.number) + 32;
    }
    if (map)
        (void)fclose(map);
    return found;
}

void platform_exit(int status)
{
    volatile uint8_t *page = map_page(EXIT_REGISTER);

    if (page)
        *(volatile uint32_t *)page = (uint32_t)status;
    exit(1);
}
