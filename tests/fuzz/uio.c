/* SPDX-License-Identifier: BSD-2-Clause */
#include "uio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../src/lib/intx.h"
#include "../../src/lib/sysfs.h"
#include "folder.h"
#include "fuzz.h"

#define ROOM (2 * UIO_MOST_BYTES) /* for a map, and for what nobody may touch */

struct uio uio;

static int files[UIO_MAPS];
static uint8_t *contents[UIO_MAPS]; /* of the files */
static uint8_t *rooms;              /* where the library gets its mappings */
static bool was_mapped[UIO_MAPS];
static int fifo = -1; /* the device's node */
static char node[32];

static void prepare(void)
{
    if (rooms)
        return;
    rooms = mmap(NULL, UIO_MAPS * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(rooms != MAP_FAILED);
    for (int i = 0; i < UIO_MAPS; i++) {
        files[i] = memfd_create("map", MFD_CLOEXEC);
        REQUIRE(files[i] >= 0 && ftruncate(files[i], UIO_MOST_BYTES) == 0);
        contents[i] = mmap(NULL, UIO_MOST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, files[i], 0);
        REQUIRE(contents[i] != MAP_FAILED);
    }
    (void)snprintf(node, sizeof(node), "%s", folder_path("uio"));
    REQUIRE(mkfifo(node, 0600) == 0);
    fifo = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(fifo >= 0);
}

void uio_describe(struct uio_device *device, const char *driver)
{
    prepare();
    *device = (struct uio_device){.number = 1, .pci_address = "0000:00:01.0", .label = "label", .version = "1.2"};
    (void)snprintf(device->node, sizeof(device->node), "%s", node);
    (void)snprintf(device->driver, sizeof(device->driver), "%s", driver);
}

uint8_t *uio_memory(unsigned int map, size_t offset)
{
    return offset < uio.sizes[map] && offset < UIO_MOST_BYTES ? contents[map] + offset : NULL;
}

int uio_find(const volatile void *at, size_t *offset)
{
    size_t place = (size_t)((const volatile uint8_t *)at - rooms);

    if ((uintptr_t)at < (uintptr_t)rooms || place >= UIO_MAPS * ROOM)
        return -1;
    *offset = place % ROOM;
    return (int)(place / ROOM);
}

void uio_interrupt(void)
{
    static const uint32_t count = 1;

    (void)!write(fifo, &count, sizeof(count));
}

bool uio_is_mapped(void)
{
    unsigned char there;
    bool mapped = false;

    for (size_t i = 0; i < UIO_MAPS; i++)
        mapped |= was_mapped[i] && mincore(rooms + i * ROOM, 1, &there) == 0;
    return mapped;
}

void uio_reset(void)
{
    uint32_t words[64];

    REQUIRE(mmap(rooms, UIO_MAPS * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == rooms);
    while (read(fifo, words, sizeof(words)) > 0)
        ;
    memset(contents[CROSSVM_BAR_EVENT], 0, UIO_MOST_BYTES); /* the others decide nothing */
    memset(was_mapped, 0, sizeof(was_mapped));
}

/* --- uio_device.h --- */

int cvm_uio_list(struct uio_device **list, size_t *count)
{
    *list = NULL;
    *count = 0;
    return 0;
}

int cvm_uio_find(dev_t device_node, struct uio_device *device)
{
    (void)device_node;
    (void)device;
    return -ENOENT;
}

bool cvm_uio_find_undriven(unsigned int function, char address[UIO_PCI_ADDRESS_BYTES])
{
    (void)function;
    (void)address;
    return false;
}

bool cvm_uio_is_own(const struct uio_device *device)
{
    return strcmp(device->driver, "crossvm") == 0;
}

bool cvm_uio_is_generic(const struct uio_device *device)
{
    return strcmp(device->driver, "uio_pci_generic") == 0;
}

bool cvm_uio_has_msi(const struct uio_device *device)
{
    (void)device;
    return true;
}

int cvm_uio_find_map(const struct uio_device *device, const char *name)
{
    for (int i = 0; cvm_uio_is_own(device) && i < UIO_MAPS; i++) {
        if (uio.names[i] && strcmp(uio.names[i], name) == 0)
            return i;
    }
    return -1;
}

size_t cvm_uio_bar_size(const struct uio_device *device, unsigned int bar)
{
    if (bar >= UIO_MAPS || (cvm_uio_is_own(device) && uio.names[bar] && strcmp(uio.names[bar], "doorbell") == 0))
        return 0;
    return uio.sizes[bar];
}

int cvm_uio_map(const struct uio_device *device, int fd, unsigned int bar, size_t size, int prot, void **address)
{
    uint8_t *room = rooms + (size_t)bar * ROOM;

    (void)device;
    (void)fd;
    REQUIRE(size && bar < UIO_MAPS && size <= uio.sizes[bar]);
    if (uio.fails || size > UIO_MOST_BYTES) {
        uio.fails = false;
        return -ENOMEM;
    }
    REQUIRE(mmap(room, size, prot, MAP_SHARED | MAP_FIXED, files[bar], 0) == room);
    was_mapped[bar] = true;
    *address = room;
    return 0;
}

/* --- sysfs.h, of which a look at the device needs this --- */

bool cvm_sysfs_number(uint64_t *number, const char *path, ...)
{
    (void)path;
    *number = 1;
    return true;
}

/* --- intx.h --- */

int cvm_intx_open(struct intx *intx, const struct uio_device *device)
{
    (void)device;
    intx->config = 0;
    return 0;
}

void cvm_intx_close(struct intx *intx)
{
    intx->config = -1;
}

int cvm_intx_unmask(const struct intx *intx)
{
    REQUIRE(intx->config == 0);
    return 0;
}
