/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of a guest, as its Linux shows them: /sys and /dev are folders of the test, where the linker puts what
 * the library opens there (--wrap). Real devices are tested in guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <crossvm/crossvm.h>
#include <crossvm/device.h>

#include "../tool/lib_fixture.h"

#define COMMAND_HIGH 5 /* in the configuration space */
#define INTX_DISABLE 0x04

/* --- what is opened --- */

static char root[64];
static unsigned int opened_nodes; /* devices that were opened: a bit for each number */

/* Where a path is in truth. */
static const char *place_of(const char *path, char place[512])
{
    if (strncmp(path, "/sys/", 5) != 0 && strncmp(path, "/dev/", 5) != 0)
        return path;
    assert_in_range(snprintf(place, 512, "%s%s", root, path), 1, 511);
    return place;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_readlink(const char *path, char *target, size_t size);
ssize_t __wrap_readlink(const char *path, char *target, size_t size);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_stat(const char *path, struct stat *status);
int __wrap_stat(const char *path, struct stat *status);

int __wrap_open(const char *path, int flags, ...)
{
    unsigned int number;
    char place[512];
    mode_t mode = 0;

    if (flags & O_CREAT) {
        va_list arguments;

        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (sscanf(path, "/dev/uio%u", &number) == 1)
        opened_nodes |= 1u << number;
    return __real_open(place_of(path, place), flags, mode);
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size)
{
    char place[512];

    return __real_readlink(place_of(path, place), target, size);
}

int __wrap_access(const char *path, int mode)
{
    char place[512];

    return __real_access(place_of(path, place), mode);
}

int __wrap_stat(const char *path, struct stat *status)
{
    char place[512];

    return __real_stat(place_of(path, place), status);
}

/* --- making devices --- */

/* A file of some bytes, in folders that are made for it. */
static void put_bytes(const char *path, const void *bytes, size_t length)
{
    char place[512];
    FILE *file;

    (void)place_of(path, place);
    for (char *slash = place + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        (void)mkdir(place, 0700); /* unless it is there */
        *slash = '/';
    }
    file = fopen(place, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
    char place[512];

    assert_int_equal(symlink(target, place_of(path, place)), 0);
}

/* Paths of a file of a PCI function, and of its UIO device. Each is good until the next call. */
static const char *in_function(unsigned int number, const char *file)
{
    static char path[128];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/0000:00:%02u.0/%s", number, file);
    return path;
}

static const char *in_uio(unsigned int number, const char *file)
{
    static char path[128];

    snprintf(path, sizeof(path), "/sys/class/uio/uio%u/%s", number, file);
    return path;
}

/* A PCI function that a driver made the UIO device of the same number. label is what the driver calls it. */
static void make_device(unsigned int number, uint32_t id, const char *driver, const char *label)
{
    char text[64];

    snprintf(text, sizeof(text), "0x%04x\n", id >> 16);
    put(in_function(number, "vendor"), text);
    snprintf(text, sizeof(text), "0x%04x\n", id & 0xffff);
    put(in_function(number, "device"), text);
    snprintf(text, sizeof(text), "../../drivers/%s", driver);
    put_link(in_function(number, "driver"), text);

    put(in_uio(number, "name"), label);
    put(in_uio(number, "version"), "1.0\n");
    snprintf(text, sizeof(text), "../../../bus/pci/devices/0000:00:%02u.0", number);
    put_link(in_uio(number, "device"), text);
    put(in_uio(number, "maps/map0/size"), "0x1000\n");
    put(in_uio(number, "maps/map0/offset"), "0x0\n");
}

#define CONNECTION (CROSSVM_PCI_VENDOR << 16 | CROSSVM_PCI_DEVICE)
#define IVSHMEM (CROSSVM_PCI_VENDOR << 16 | CROSSVM_IVSHMEM_PCI_DEVICE)

static int set_up(void **state)
{
    strcpy(root, "/tmp/crossvm-devices-XXXXXX");
    opened_nodes = 0;
    return mkdtemp(root) ? lib_fixture_set_up(state) : -1;
}

static int forget(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    return nftw(root, forget, 8, FTW_DEPTH | FTW_PHYS) || lib_fixture_tear_down(state);
}

#define device_case(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* --- looking --- */

static void memory_of_ivshmem_is_a_connection_if_our_driver_took_it(void **state)
{
    crossvm_end_info_t *list;
    size_t count;

    (void)state;
    make_device(1, CONNECTION, "uio_pci_generic", "uio_pci_generic");
    make_device(2, IVSHMEM, "uio_pci_generic", "uio_pci_generic");
    make_device(3, IVSHMEM, "crossvm", "memory");
    make_device(4, CROSSVM_PCI_VENDOR << 16 | 0x1000, "uio_pci_generic", "uio_pci_generic");
    make_device(5, 0x8086u << 16 | CROSSVM_PCI_DEVICE, "uio_pci_generic", "uio_pci_generic");
    make_device(6, CONNECTION, "crossvm", "own");
    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "memory");
    assert_string_equal(list[0].location, "0000:00:03.0");
    assert_string_equal(list[1].name, "own");
    assert_string_equal(list[1].location, "0000:00:06.0");
    assert_string_equal(list[2].name, "uio1");
    assert_string_equal(list[2].location, "0000:00:01.0");
    crossvm_list_free(list);
}

/* The crossvm driver reports a program that opens the device to the other end. */
static void a_look_leaves_the_device_to_its_program(void **state)
{
    static const uint8_t registers[CROSSVM_PAGE_SIZE];
    crossvm_end_info_t *list;
    size_t count;

    (void)state;
    make_device(1, CONNECTION, "crossvm", "own");
    make_device(2, CONNECTION, "base_driver", "base");
    put_bytes("/dev/uio1", registers, sizeof(registers));
    put_bytes("/dev/uio2", registers, sizeof(registers));
    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(opened_nodes, 1u << 2);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "base");
    assert_int_equal(list[0].via, CROSSVM_VIA_BASE_BLOCK);
    assert_string_equal(list[1].name, "own");
    assert_int_equal(list[1].via, CROSSVM_VIA_DRIVER);
    crossvm_list_free(list);
}

/* --- opening --- */

static void store32(uint8_t *page, size_t offset, uint32_t value)
{
    memcpy(page + offset, &value, sizeof(value));
}

static uint8_t command_high(void)
{
    char place[512];
    FILE *file = fopen(place_of(in_function(1, "config"), place), "r");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, COMMAND_HIGH, SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fclose(file), 0);
    return (uint8_t)byte;
}

/* A program was killed between an interrupt, at which uio_pci_generic masked it, and its next wait. */
static void the_next_program_gets_interrupts_again(void **state)
{
    uint8_t config[64] = {[COMMAND_HIGH] = 0x01 | INTX_DISABLE}, registers[CROSSVM_PAGE_SIZE] = {0};
    crossvm_end_t *end;

    (void)state;
    make_device(1, CONNECTION, "uio_pci_generic", "uio_pci_generic");
    store32(registers, CROSSVM_REG_MAGIC, CROSSVM_MAGIC);
    store32(registers, CROSSVM_REG_VERSION, CROSSVM_DEVICE_VERSION_MAJOR << 16);
    memcpy(registers + CROSSVM_REG_FULL_NAME, "generic", sizeof("generic"));
    put_bytes(in_function(1, "resource0"), registers, sizeof(registers));
    put_bytes(in_function(1, "config"), config, sizeof(config));
    put("/dev/uio1", "");
    assert_int_equal(crossvm_open(&end, "generic"), 0);
    assert_int_equal(command_high(), 0x01); /* and the other bits stay as they are */
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        device_case(memory_of_ivshmem_is_a_connection_if_our_driver_took_it),
        device_case(a_look_leaves_the_device_to_its_program),
        device_case(the_next_program_gets_interrupts_again),
    };

    return cmocka_run_group_tests_name("libcrossvm: devices", tests, NULL, NULL);
}
