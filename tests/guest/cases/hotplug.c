/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that go and come while the guest runs. */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "device.h"
#include "system.h"
#include "uio.h"
#include "vmm.h"

static void rescan(void)
{
    CHECK(write_text("/sys/bus/pci/rescan", "1"), "cannot rescan the bus");
}

static void remove_from_linux(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", device(name)->address);
    CHECK(write_text(path, "1"), "cannot remove %s", name);
    device(name)->name[0] = '\0'; /* forget it */
}

static void use_once(const char *name)
{
    crossvm_end_t *end = end_open_fresh(name);

    do_command(CONTROL_EMIT, name, 1, 0);
    end_take_exactly(end, 1);
    crossvm_close(end);
}

static void a_later_install_appears(void)
{
    do_command(CONTROL_INSTALL, "later", 16384, 0);
    rescan();
    use_once("later");
    use_once("shared-a"); /* the first ones are as they were */
    use_once("msi-echo");
}

static void removal_and_install_again(void)
{
    char bdf[32];

    for (int i = 0; i < 20; i++) {
        const char *name = i % 2 ? "again-2" : "again-1";
        uint64_t size = i % 2 ? 65536 : 4096;

        do_command(CONTROL_INSTALL, name, size, 0);
        (void)snprintf(bdf, sizeof(bdf), "0000:00:%02x.%d", info(name).pci >> 3, info(name).pci & 7);
        rescan();
        use_once(name);
        {
            char path[128];

            (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", bdf);
            CHECK(write_text(path, "1"), "cannot remove %s", bdf);
        }
        do_command(CONTROL_REMOVE, name, 0, 0);
    }
    rescan();
    use_once("shared-a");
}

static unsigned long address_of_event_page(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/class/uio/uio%d/maps/map0/addr", uio_number(name));
    return strtoul(read_text(path), NULL, 0);
}

/* What is at an address that no driver has. */
static volatile uint8_t *map_address(unsigned long address)
{
    int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
    void *memory = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)address);

    CHECK(memory != MAP_FAILED, "cannot map %#lx of /dev/mem: %s", address, strerror(errno));
    close(fd);
    return memory;
}

/* A guest that goes on to use a device that was taken away. */
static void a_removed_device_is_inert(void)
{
    unsigned long address = address_of_event_page("size-4k");
    struct uio uio = uio_open("size-4k");
    volatile uint8_t *registers;

    remove_from_linux("size-4k");
    registers = map_address(address);
    do_command(CONTROL_REMOVE, "size-4k", 0, 0);
    for (size_t offset = 0; offset < CROSSVM_PAGE_SIZE; offset += 4)
        store(registers, offset, 4, 1);
    for (size_t offset = 0; offset < CROSSVM_PAGE_SIZE; offset += 4)
        CHECK(*(volatile uint32_t *)(registers + offset) == 0, "0x%zx is not 0", offset);
    do_command(CONTROL_PING, "", 1, 0);
    CHECK(munmap((void *)registers, CROSSVM_PAGE_SIZE) == 0, "cannot unmap");
    /* What a program has mapped is memory of its own by now. */
    for (size_t offset = 0; offset < CROSSVM_PAGE_SIZE; offset += 4) {
        CHECK(*(volatile uint32_t *)(uio.registers + offset) == 0, "a cut off mapping has something at 0x%zx", offset);
        store(uio.registers, offset, 4, 1);
        CHECK(*(volatile uint32_t *)(uio.registers + offset) == 1, "a cut off mapping loses stores");
    }
    uio_close(&uio);
}

static void refused_install_changes_nothing(void)
{
    uint64_t lines = log_lines();

    CHECK(command(CONTROL_INSTALL, "shared-a", 4096, 0) == -1, "a second shared-a");
    CHECK(command(CONTROL_INSTALL, "bad/name", 4096, 0) == -1, "a name with a slash");
    rescan();
    use_once("shared-a");
    lines = log_lines() - lines;
    CHECK(lines == 2, "%llu lines in the log for 2 refusals", (unsigned long long)lines);
}

void hotplug_cases(void)
{
    RUN(a_later_install_appears);
    RUN(removal_and_install_again);
    RUN(a_removed_device_is_inert);
    RUN(refused_install_changes_nothing);
}
