/* SPDX-License-Identifier: BSD-2-Clause */
#include "uio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../harness/case.h"
#include "device.h"

int uio_number(const char *name)
{
    char path[128];
    DIR *directory;
    struct dirent *entry;
    int number = -1;

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/uio", device(name)->address);
    directory = opendir(path);
    while (directory && (entry = readdir(directory)))
        (void)sscanf(entry->d_name, "uio%d", &number);
    if (directory)
        closedir(directory);
    return number;
}

struct uio uio_open(const char *name)
{
    struct uio uio;
    char path[32];
    int number = uio_number(name);

    CHECK(number >= 0, "%s is no UIO device", name);
    (void)snprintf(path, sizeof(path), "/dev/uio%d", number);
    uio.fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(uio.fd >= 0, "%s: cannot open %s: %s", name, path, strerror(errno));
    uio.registers = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, 0);
    CHECK(uio.registers != MAP_FAILED, "%s: cannot map its event page: %s", name, strerror(errno));
    return uio;
}

void uio_close(struct uio *uio)
{
    munmap((void *)uio->registers, CROSSVM_PAGE_SIZE);
    close(uio->fd);
}

static bool is_readable(const struct uio *uio, int timeout_ms)
{
    struct pollfd waiting = {.fd = uio->fd, .events = POLLIN};

    return poll(&waiting, 1, timeout_ms) == 1;
}

bool uio_is_readable(const struct uio *uio)
{
    return is_readable(uio, 0);
}

bool uio_wait(struct uio *uio)
{
    uint32_t interrupts;

    return is_readable(uio, HANG_MS) && read(uio->fd, &interrupts, sizeof(interrupts)) == sizeof(interrupts);
}

uint32_t uio_reg(const struct uio *uio, size_t offset)
{
    return *(volatile uint32_t *)(uio->registers + offset);
}

void uio_emit(struct uio *uio)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* orders stores to dataports before the store to EMIT */
    *(volatile uint32_t *)(uio->registers + CROSSVM_REG_EMIT) = 1;
}
