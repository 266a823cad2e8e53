/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs in a guest: makes each store of the table that an instruction makes in one piece, to the first device of a
 * connection, which no driver may have. Prints how many of them are events for the peer. Ends with 1 after a sentence
 * about the first store that did something else than it should.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "stores.h"

#define DEVICES "/sys/bus/pci/devices"
#define CHECK_ALL_EVERY 1024

static volatile uint8_t *page;
static uint8_t expected[STORES_PAGE];

static bool is_connection(const char *address)
{
    char path[512], vendor[8] = "", device[8] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), DEVICES "/%s/vendor", address);
    file = fopen(path, "re");
    if (file) {
        (void)!fgets(vendor, 7, file);
        fclose(file);
    }
    (void)snprintf(path, sizeof(path), DEVICES "/%s/device", address);
    file = fopen(path, "re");
    if (file) {
        (void)!fgets(device, 7, file);
        fclose(file);
    }
    return strtoul(vendor, NULL, 16) == CROSSVM_PCI_VENDOR && strtoul(device, NULL, 16) == CROSSVM_PCI_DEVICE;
}

static bool enable(const char *address)
{
    char path[512];
    int fd;
    bool done;

    (void)snprintf(path, sizeof(path), DEVICES "/%s/enable", address);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    done = fd >= 0 && write(fd, "1", 1) == 1;
    if (fd >= 0)
        close(fd);
    return done;
}

static bool map_registers(void)
{
    DIR *devices = opendir(DEVICES);
    const struct dirent *entry;
    char path[512];
    void *address;
    int fd;

    while (devices && (entry = readdir(devices))) {
        if (!is_connection(entry->d_name) || !enable(entry->d_name))
            continue;
        (void)snprintf(path, sizeof(path), DEVICES "/%s/resource0", entry->d_name);
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
            continue;
        address = mmap(NULL, STORES_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED)
            continue;
        page = address;
        return true;
    }
    return false;
}

static void make(const struct store *store)
{
    volatile uint8_t *to = page + store->offset;

    switch (store->width) {
    case 1:
        *to = (uint8_t)store->value;
        break;
    case 2:
        *(volatile uint16_t *)to = (uint16_t)store->value;
        break;
    case 4:
        *(volatile uint32_t *)to = (uint32_t)store->value;
        break;
    default:
        *(volatile uint64_t *)to = store->value;
        break;
    }
}

static void check(const struct store *store, size_t start, size_t end)
{
    for (size_t i = start & ~7UL; i < end; i += 8) {
        uint64_t is = *(volatile uint64_t *)(page + i), should;

        memcpy(&should, expected + i, sizeof(should));
        if (is == should)
            continue;
        printf("after a store of %zu bytes %#llx at %#zx, %#zx has %#llx instead of %#llx\n", store->width,
               (unsigned long long)store->value, store->offset, i, (unsigned long long)is, (unsigned long long)should);
        exit(1);
    }
}

int main(void)
{
    unsigned long stores = 0, emits = 0;
    struct store store = {0};

    if (!map_registers()) {
        printf("the registers of a connection cannot be mapped\n");
        return 1;
    }
    for (size_t i = 0; i < STORES_PAGE; i += 8) {
        uint64_t word = *(volatile uint64_t *)(page + i);

        memcpy(expected + i, &word, sizeof(word));
    }
    for (size_t i = 0; stores_get(i, &store); i++) {
        if (!stores_is_natural(&store))
            continue;
        make(&store);
        stores_apply(&store, expected);
        emits += stores_emits(&store, true);
        check(&store, store.offset, store.offset + store.width);
        if (stores++ % CHECK_ALL_EVERY == 0)
            check(&store, 0, STORES_PAGE);
    }
    check(&store, 0, STORES_PAGE);
    printf("%lu stores, %lu events\n", stores, emits);
    return 0;
}
