/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests in the guest: cases with names, the command channel to the VMM, and the devices as PCI and as UIO.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

#include "../control.h"

/* --- cases --- */

/* Runs one case and prints "case SCENARIO/NAME: ok", or FAILED and the reason. */
void run_case(const char *name, void (*function)(void));
#define RUN(function) run_case(#function, function)

/* Ends the case with a reason. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail(__VA_ARGS__);                                                                                         \
    } while (0)

/* The last run's number of failed cases. */
extern int failed_cases;
extern char scenario[32];

/* Whether the VMM's platform has MSI. */
extern bool has_msi;

/* --- devices as PCI functions --- */

#define MAX_DEVICES 160

struct device {
    char address[16]; /* 0000:00:01.0 */
    char name[CROSSVM_FULL_NAME_BYTES];
    volatile uint8_t *registers; /* BAR0 through sysfs, until a driver takes the device; then NULL */
};

extern struct device devices[MAX_DEVICES];
extern size_t num_devices;

/* Looks at all functions of the PCI bus that are connections. */
void find_devices(void);
struct device *device(const char *name); /* fails the case when there is none */
/* Registers, through sysfs or through the driver. */
uint32_t reg32(const struct device *device, size_t offset);
uint64_t reg64(const struct device *device, size_t offset);
/*
 * A store of 1, 2, 4 or 8 bytes, by an instruction that does nothing else. In a loop of its own the compiler may take
 * one that moves on the address too, and such a store to registers is an error on arm64.
 */
void store(volatile uint8_t *registers, size_t offset, size_t width, uint64_t value);
/* Maps BAR i of a device through sysfs; to be unmapped with munmap(). */
volatile uint8_t *map_bar(const struct device *device, int bar, size_t size);

/* --- the VMM --- */

extern volatile struct control *control;

void control_open(void);
/* A command with up to two arguments; the result. */
int command(enum control_op op, const char *name, uint64_t a, uint64_t b);
/* A command that must give 0. */
void do_command(enum control_op op, const char *name, uint64_t a, uint64_t b);
struct control_info info(const char *name);
void peek(const char *name, unsigned int dataport, uint64_t offset, void *bytes, size_t n);
void wait_for_flood(void);
/* Lines that the module has written to the VMM's log so far. */
uint64_t log_lines(void);

/* --- drivers --- */

void load_module(const char *path, const char *parameters);
/* Loads the driver, and goes over from sysfs, whose mappings Linux revokes then, to the driver's. */
void load_driver(void);
void bind_driver(const char *driver, const char *name);
void unbind_driver(const char *driver, const char *name);
/* Gives a device to a driver of another kind, by driver_override. */
void override_driver(const char *driver, const char *name);

/* Reads a small file; "" when it is not there. */
const char *read_text(const char *path);
/* Writes a string to a file; false when that fails. */
bool write_text(const char *path, const char *text);

/* Number N of /dev/uioN for a connection, or -1. */
int uio_number(const char *name);

/* An open UIO device with its event page. */
struct uio {
    int fd;
    volatile uint8_t *registers;
};

struct uio uio_open(const char *name);
void uio_close(struct uio *uio);
/* Waits for a wake-up; false when none came in time. */
bool uio_wait(struct uio *uio, int timeout_ms);
uint32_t uio_reg(const struct uio *uio, size_t offset);
void uio_emit(struct uio *uio);

/* Lines of the kernel's log with that text. */
int kernel_log_count(const char *text);
