/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hibernation, by the kernel's interface for programs (/dev/snapshot): this program makes an image of the guest's
 * memory, has the VMM put the devices back to what they are at power-on, as a VM's new process would find them, and has
 * the kernel go on from the image.
 */
#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/suspend_ioctls.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../harness/case.h"
#include "device.h"
#include "system.h"
#include "uio.h"
#include "vmm.h"

#define MAX_IMAGE ((size_t)256 << 20)

static int snapshot_open(int flags)
{
    int fd = open("/dev/snapshot", flags | O_CLOEXEC);

    CHECK(fd >= 0, "cannot open /dev/snapshot: %s", strerror(errno));
    CHECK(ioctl(fd, SNAPSHOT_FREEZE, 0) == 0, "processes cannot be frozen: %s", strerror(errno));
    return fd;
}

static void snapshot_close(int fd)
{
    CHECK(ioctl(fd, SNAPSHOT_UNFREEZE, 0) == 0, "processes cannot be thawed: %s", strerror(errno));
    close(fd);
}

static size_t read_image(int fd, unsigned char *image)
{
    size_t size = 0;
    ssize_t n;

    while ((n = read(fd, image + size, (size_t)getpagesize())) > 0)
        size += (size_t)n;
    CHECK(n == 0 && size > 0, "the image cannot be read: %s", strerror(errno));
    return size;
}

static void write_image(int fd, const unsigned char *image, size_t size)
{
    size_t page = (size_t)getpagesize();

    for (size_t written = 0; written < size; written += page)
        CHECK(write(fd, image + written, page) == (ssize_t)page, "the image cannot be loaded: %s", strerror(errno));
}

/*
 * Makes an image, calls while_off and goes on from the image: this process, too, is then as it was when the image was
 * made, and only what the VMM holds shows what happened since.
 */
static void hibernate(void (*while_off)(void))
{
    unsigned char *image =
        mmap(NULL, MAX_IMAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int fd = snapshot_open(O_RDONLY);
    int made = 0;
    size_t size;

    CHECK(image != MAP_FAILED, "no memory");
    (void)ioctl(fd, SNAPSHOT_PREF_IMAGE_SIZE, 1UL); /* as small as it can be */
    CHECK(ioctl(fd, SNAPSHOT_CREATE_IMAGE, &made) == 0, "no image can be made: %s", strerror(errno));
    if (!made) { /* this is the image that goes on */
        snapshot_close(fd);
        munmap(image, MAX_IMAGE);
        return;
    }
    size = read_image(fd, image);
    snapshot_close(fd);
    while_off();
    fd = open("/dev/snapshot", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0, "cannot open /dev/snapshot: %s", strerror(errno));
    write_image(fd, image, size);
    CHECK(ioctl(fd, SNAPSHOT_FREEZE, 0) == 0, "processes cannot be frozen: %s", strerror(errno));
    (void)ioctl(fd, SNAPSHOT_ATOMIC_RESTORE, 0);
    fail("the kernel does not go on from the image: %s", strerror(errno));
}

/* "rebind" has an MSI, "shared-a" an INTx: both are open while the guest is off, and the other devices are not. */
static uint64_t changes;

static void lose_all_that_devices_hold(void)
{
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_OPEN, "DRIVER is %u when the image is made",
          info("rebind").driver_state);
    CHECK(info("rebind").driver_changes == changes, "the image tells the peer of a program that comes or goes");
    do_command(CONTROL_RESET, "", 0, 0);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_NONE && !info("rebind").msi_enabled, "no reset");
    do_command(CONTROL_EMIT, "rebind", 1, 0);
    do_command(CONTROL_EMIT, "shared-a", 1, 0);
}

static void hibernation_keeps_programs_and_events(void)
{
    struct uio msi = uio_open("rebind");
    struct uio intx = uio_open("shared-a");

    changes = info("rebind").driver_changes;
    hibernate(lose_all_that_devices_hold);
    for (size_t i = 0; i < num_devices; i++) {
        const char *name = devices[i].name;
        bool open = strcmp(name, "rebind") == 0 || strcmp(name, "shared-a") == 0 || strcmp(name, CONTROL_NAME) == 0;
        uint32_t state = open ? CROSSVM_DRIVER_OPEN : CROSSVM_DRIVER_BOUND;

        if (strcmp(name, "base") != 0)
            CHECK(info(name).driver_state == state, "%s: DRIVER is %u, not %u", name, info(name).driver_state, state);
    }
    CHECK(info("rebind").msi_enabled == has_msi, "the MSI is not back");
    CHECK(info("rebind").driver_changes == changes + 2, "%llu changes of the driver, not 2",
          (unsigned long long)(info("rebind").driver_changes - changes));
    CHECK(uio_wait(&msi), "the event with an MSI wakes no program");
    CHECK(uio_wait(&intx), "the event with an INTx wakes no program");
    uio_close(&msi);
    uio_close(&intx);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "a program stays when it is gone");
    CHECK(kernel_log_count("nobody cared") == 0, "Linux disabled the shared interrupt");
}

static void lose_nothing(void)
{
}

/* The guest that loads the image may have had programs of its own, so the VMM hears of those in the image in any case.
 */
static void hibernation_tells_of_programs_anew(void)
{
    struct uio uio = uio_open("rebind");

    changes = info("rebind").driver_changes;
    hibernate(lose_nothing);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_OPEN, "DRIVER is %u", info("rebind").driver_state);
    CHECK(info("rebind").driver_changes == changes + 1, "%llu changes of the driver, not 1",
          (unsigned long long)(info("rebind").driver_changes - changes));
    uio_close(&uio);
}

void hibernation_cases(void)
{
    RUN(hibernation_keeps_programs_and_events);
    RUN(hibernation_tells_of_programs_anew);
}
