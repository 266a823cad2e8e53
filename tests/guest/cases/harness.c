/* SPDX-License-Identifier: BSD-2-Clause */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PCI_DEVICES "/sys/bus/pci/devices"

int failed_cases;
char scenario[32];
bool has_msi;
struct device devices[MAX_DEVICES];
size_t num_devices;
volatile struct control *control;

static jmp_buf end_of_case;
static char reason[512];
static volatile uint8_t *control_registers;

/* --- cases --- */

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    longjmp(end_of_case, 1);
}

void run_case(const char *name, void (*function)(void))
{
    if (setjmp(end_of_case) == 0) {
        function();
        (void)printf("case %s/%s: ok\n", scenario, name);
    } else {
        (void)printf("case %s/%s: FAILED: %s\n", scenario, name, reason);
        failed_cases++;
    }
    (void)fflush(stdout);
}

/* --- files --- */

const char *read_text(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(text);
}

int kernel_log_count(const char *text)
{
    static char log[1 << 18];
    int n = klogctl(3, log, sizeof(log) - 1);
    int count = 0;

    log[n > 0 ? n : 0] = '\0';
    for (const char *p = log; (p = strstr(p, text)); p += strlen(text))
        count++;
    return count;
}

/* --- PCI --- */

static bool is_connection(const char *address)
{
    char path[320];

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/vendor", address);
    if (strtoul(read_text(path), NULL, 16) != CROSSVM_PCI_VENDOR)
        return false;
    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/device", address);
    return strtoul(read_text(path), NULL, 16) == CROSSVM_PCI_DEVICE;
}

volatile uint8_t *map_bar(const struct device *device, int bar, size_t size)
{
    char path[128];
    void *memory;
    int fd;

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%d", device->address, bar);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0, "%s: cannot open %s: %s", device->name, path, strerror(errno));
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CHECK(memory != MAP_FAILED, "%s: cannot map %zu bytes of %s: %s", device->name, size, path, strerror(errno));
    return memory;
}

static bool is_known(const char *address)
{
    for (size_t i = 0; i < num_devices; i++) {
        if (strcmp(devices[i].address, address) == 0)
            return true;
    }
    return false;
}

void find_devices(void)
{
    DIR *directory = opendir(PCI_DEVICES);
    struct dirent *entry;

    CHECK(directory, "no %s", PCI_DEVICES);
    while ((entry = readdir(directory))) {
        struct device *found = &devices[num_devices];
        size_t offset = CROSSVM_REG_FULL_NAME;

        if (entry->d_name[0] == '.' || is_known(entry->d_name) || !is_connection(entry->d_name))
            continue;
        CHECK(num_devices < MAX_DEVICES, "more than %d devices", MAX_DEVICES);
        (void)snprintf(found->address, sizeof(found->address), "%.15s", entry->d_name);
        found->registers = map_bar(found, 0, CROSSVM_PAGE_SIZE);
        if (reg32(found, CROSSVM_REG_MAGIC) != CROSSVM_MAGIC)
            offset = CROSSVM_REG_NAME;
        for (size_t i = 0; i + 1 < sizeof(found->name) && found->registers[offset + i]; i++)
            found->name[i] = (char)found->registers[offset + i];
        num_devices++;
    }
    closedir(directory);
}

struct device *device(const char *name)
{
    for (size_t i = 0; i < num_devices; i++) {
        if (strcmp(devices[i].name, name) == 0)
            return &devices[i];
    }
    fail("no device is called %s", name);
}

uint32_t reg32(const struct device *device, size_t offset)
{
    struct uio uio;
    uint32_t value;

    if (device->registers)
        return *(volatile uint32_t *)(device->registers + offset);
    uio = uio_open(device->name);
    value = uio_reg(&uio, offset);
    uio_close(&uio);
    return value;
}

uint64_t reg64(const struct device *device, size_t offset)
{
    return reg32(device, offset) | (uint64_t)reg32(device, offset + 4) << 32;
}

void store(volatile uint8_t *registers, size_t offset, size_t width, uint64_t value)
{
    volatile uint8_t *address = registers + offset;

    switch (width) {
    case 1:
        *address = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)address = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)address = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)address = value;
        break;
    }
}

/* --- the VMM --- */

void control_open(void)
{
    struct device *found = device(CONTROL_NAME);

    control_registers = found->registers;
    control = (volatile struct control *)map_bar(found, 1, CROSSVM_PAGE_SIZE);
    do_command(CONTROL_PING, "", 41, 0);
    CHECK(control->out[0] == 42, "the VMM does not answer commands");
}

static void set_name(const char *name)
{
    for (size_t i = 0; i < sizeof(control->name); i++) {
        control->name[i] = *name;
        if (*name)
            name++;
    }
}

int command(enum control_op op, const char *name, uint64_t a, uint64_t b)
{
    control->op = op;
    control->result = -1000;
    control->args[0] = a;
    control->args[1] = b;
    set_name(name);
    /* Orders the command before the store that makes the VMM read it. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *(volatile uint32_t *)(control_registers + CROSSVM_REG_EMIT) = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return control->result;
}

void do_command(enum control_op op, const char *name, uint64_t a, uint64_t b)
{
    int result = command(op, name, a, b);

    CHECK(result == 0, "the VMM refuses command %d on \"%s\": %d", op, name, result);
}

uint64_t log_lines(void)
{
    do_command(CONTROL_LOG, "", 0, 0);
    return control->out[0];
}

struct control_info info(const char *name)
{
    struct control_info copy;

    do_command(CONTROL_INFO, name, 0, 0);
    memcpy(&copy, (const void *)control->bytes, sizeof(copy));
    return copy;
}

void peek(const char *name, unsigned int dataport, uint64_t offset, void *bytes, size_t n)
{
    control->args[2] = n;
    do_command(CONTROL_PEEK, name, dataport, offset);
    memcpy(bytes, (const void *)control->bytes, n);
}

void wait_for_flood(void)
{
    do {
        usleep(2000);
        do_command(CONTROL_FLOOD_DONE, "", 0, 0);
    } while (!control->out[0]);
}

/* --- drivers --- */

void load_module(const char *path, const char *parameters)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long result;

    CHECK(fd >= 0, "no module %s", path);
    result = syscall(SYS_finit_module, fd, parameters, 0);
    close(fd);
    CHECK(result == 0 || errno == EEXIST, "cannot load %s: %s", path, strerror(errno));
}

void load_driver(void)
{
    struct uio uio;

    load_module("/lib/modules/crossvm.ko", "");
    for (size_t i = 0; i < num_devices; i++)
        devices[i].registers = NULL;
    uio = uio_open(CONTROL_NAME); /* stays open */
    control_registers = uio.registers;
    control = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, getpagesize());
    CHECK(control != MAP_FAILED, "cannot map the control dataport: %s", strerror(errno));
    do_command(CONTROL_PING, "", 41, 0);
    CHECK(control->out[0] == 42, "the VMM does not answer commands through the driver");
}

static void tell_driver(const char *driver, const char *file, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, file);
    CHECK(write_text(path, device(name)->address), "cannot write %s to %s: %s", device(name)->address, path,
          strerror(errno));
}

void bind_driver(const char *driver, const char *name)
{
    tell_driver(driver, "bind", name);
}

void unbind_driver(const char *driver, const char *name)
{
    tell_driver(driver, "unbind", name);
}

void override_driver(const char *driver, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", device(name)->address);
    CHECK(write_text(path, *driver ? driver : "\n"), "cannot write %s: %s", path, strerror(errno));
}

int uio_number(const char *name)
{
    char path[128];
    DIR *directory;
    struct dirent *entry;
    int number = -1;

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/uio", device(name)->address);
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

bool uio_wait(struct uio *uio, int timeout_ms)
{
    struct pollfd waiting = {.fd = uio->fd, .events = POLLIN};
    uint32_t interrupts;

    return poll(&waiting, 1, timeout_ms) == 1 && read(uio->fd, &interrupts, sizeof(interrupts)) == sizeof(interrupts);
}

uint32_t uio_reg(const struct uio *uio, size_t offset)
{
    return *(volatile uint32_t *)(uio->registers + offset);
}

void uio_emit(struct uio *uio)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* orders the message before the bell */
    *(volatile uint32_t *)(uio->registers + CROSSVM_REG_EMIT) = 1;
}
