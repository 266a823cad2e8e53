/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that boots within a millisecond: what Linux does with a connection, without Linux. It tells each connection
 * that a driver is there. Where one is called "echo" it answers each event of that, until the VM is ended. Otherwise it
 * emits one event at each, says "up" and ends the VM with TINY_STATUS.
 */
#include <stdint.h>

#include <crossvm/device.h>
#include <sel4vm_kvm_arch.h>

#include "tiny_guest.h"

#define PCI_ID 0x00
#define PCI_COMMAND 0x04
#define PCI_BAR0 0x10
#define PCI_COMMAND_MEMORY 0x2
#define FUNCTIONS 64 /* of the first eight devices */

/* --- the machine: kvm/src/x86 and kvm/src/arm64 --- */

#ifdef __x86_64__
#define PCI_ADDRESS_PORT 0xcf8
#define PCI_DATA_PORT 0xcfc
#define CONSOLE_PORT 0x3f8

/* Entered in 64-bit mode, with the first 4 GiB mapped as they are. */
__asm__(".pushsection .start, \"ax\"\n"
        ".globl _start\n"
        "_start: lea tiny_stack_end(%rip), %rsp\n"
        "call tiny_main\n"
        ".popsection\n");

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint32_t config_load(uint32_t function, uint32_t offset)
{
    uint32_t value;

    out32(PCI_ADDRESS_PORT, 0x80000000u | function << 8 | offset);
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)PCI_DATA_PORT));
    return value;
}

static void config_store(uint32_t function, uint32_t offset, uint32_t value)
{
    out32(PCI_ADDRESS_PORT, 0x80000000u | function << 8 | offset);
    out32(PCI_DATA_PORT, value);
}

static void print(uint8_t byte)
{
    out8(CONSOLE_PORT, byte);
}

static void end(uint8_t status)
{
    out8(KVM_EXIT_PORT, status);
}
#else
#define ECAM 0x10000000ul
#define CONSOLE 0x09000000ul

/* The header of an Image (Documentation/arch/arm64/booting.rst of Linux), whose first word is a branch. The MMU is off.
 */
__asm__(".pushsection .start, \"ax\"\n"
        ".globl _start\n"
        "_start: b 1f\n"
        ".word 0\n"
        ".quad 0\n"               /* text_offset */
        ".quad tiny_image_size\n" /* with the stack */
        ".quad 0x2\n"             /* little-endian, pages of 4 KiB */
        ".quad 0, 0, 0\n"
        ".ascii \"ARM\\x64\"\n"
        ".word 0\n"
        "1: adr x0, tiny_stack_end\n"
        "mov sp, x0\n"
        "bl tiny_main\n"
        ".popsection\n");

static volatile uint32_t *config_register(uint32_t function, uint32_t offset)
{
    return (volatile uint32_t *)(ECAM + ((uintptr_t)function << 12) + offset);
}

static uint32_t config_load(uint32_t function, uint32_t offset)
{
    return *config_register(function, offset);
}

static void config_store(uint32_t function, uint32_t offset, uint32_t value)
{
    *config_register(function, offset) = value;
}

static void print(uint8_t byte)
{
    *(volatile uint8_t *)CONSOLE = byte;
}

static void end(uint8_t status)
{
    *(volatile uint32_t *)KVM_EXIT_REGISTER = status;
}
#endif

/* --- connections --- */

static volatile uint32_t *event_register(uintptr_t page, uintptr_t offset)
{
    return (volatile uint32_t *)(page + offset);
}

/* The event page of a function; 0: it is no connection. */
static uintptr_t find_event_page(uint32_t function)
{
    uintptr_t page;

    if (config_load(function, PCI_ID) != (CROSSVM_PCI_VENDOR | (uint32_t)CROSSVM_PCI_DEVICE << 16))
        return 0;
    config_store(function, PCI_COMMAND, PCI_COMMAND_MEMORY);
    page = config_load(function, PCI_BAR0) & ~0xful;
    return *event_register(page, CROSSVM_REG_MAGIC) == CROSSVM_MAGIC ? page : 0;
}

/* Does not sleep: without an interrupt controller nothing would wake it. */
static void echo(uintptr_t page)
{
    uint32_t seen = 0;

    for (;;) {
        if (*event_register(page, CROSSVM_REG_EVENT_SEQ) == seen)
            continue;
        seen++;
        *event_register(page, CROSSVM_REG_EMIT) = 1;
    }
}

__attribute__((noreturn)) void tiny_main(void);

void tiny_main(void)
{
    for (uint32_t function = 0; function < FUNCTIONS; function++) {
        uintptr_t page = find_event_page(function);

        if (!page)
            continue;
        *event_register(page, CROSSVM_REG_DRIVER) = CROSSVM_DRIVER_BOUND;
        if (*event_register(page, CROSSVM_REG_FULL_NAME) == TINY_ECHO)
            echo(page);
        *event_register(page, CROSSVM_REG_EMIT) = 1;
    }
    for (const char *text = TINY_SAYS; *text; text++)
        print((uint8_t)*text);
    for (;;)
        end(TINY_STATUS);
}
