/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores of every form to the registers of the device "hostile", from user space. */
#include "registers.h"
#include "cases.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../harness/case.h"
#include "device.h"
#include "platform.h"
#include "vmm.h"

static uint8_t expected[CROSSVM_PAGE_SIZE];
static uint64_t emits;

void registers_start(void)
{
    struct device *d = device("hostile");

    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = d->registers[i];
    emits = info("hostile").emits;
}

void registers_check(size_t offset, size_t width)
{
    struct device *d = device("hostile");

    for (size_t i = 0; i < sizeof(expected); i += 8) {
        uint64_t want;
        uint64_t is = *(volatile uint64_t *)(d->registers + i);

        memcpy(&want, expected + i, sizeof(want));
        CHECK(is == want, "a store of %zu bytes at 0x%zx made 0x%zx read %llx, not %llx", width, offset, i,
              (unsigned long long)is, (unsigned long long)want);
    }
}

/* What docs/device.md, section 4.3 says, in the test's own words. */
void registers_expect(size_t offset, size_t width, uint64_t value)
{
    uint32_t word = (uint32_t)value;

    if (offset == 0)
        emits++;
    if (width == 4 && (offset == 0x04 || offset == 0x54 || (offset == 0x58 && word <= 2)))
        memcpy(expected + offset, &word, sizeof(word));
}

void registers_check_emits(void)
{
    uint64_t seen = info("hostile").emits;

    CHECK(seen == emits, "%llu events, not %llu", (unsigned long long)seen, (unsigned long long)emits);
}

int registers_store_in_child(void (*attempt)(volatile uint8_t *registers))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        attempt(device("hostile")->registers);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
    registers_check(0, 0);
    do_command(CONTROL_PING, "", 1, 0);
    return status;
}

static void every_width_alignment_and_offset(void)
{
    volatile uint8_t *hostile = device("hostile")->registers;

    registers_start();
    for (size_t width = 1; width <= 8; width *= 2) {
        for (size_t offset = 0; offset + width <= CROSSVM_PAGE_SIZE; offset += unaligned_stores ? 1 : width) {
            store(hostile, offset, width, ~0ULL);
            registers_expect(offset, width, ~0ULL);
            registers_check(offset, width);
        }
    }
    registers_check_emits();
}

static void every_value_of_a_word(void)
{
    volatile uint8_t *hostile = device("hostile")->registers;

    registers_start();
    for (unsigned int bit = 0; bit <= 32; bit++) {
        uint32_t value = bit < 32 ? 1U << bit : 0;

        for (size_t offset = 0; offset < 0x100; offset += 4) {
            store(hostile, offset, 4, value);
            registers_expect(offset, 4, value);
        }
        registers_check(0, 4);
    }
    registers_check_emits();
}

static void a_storm_of_stores(void)
{
    volatile uint8_t *hostile = device("hostile")->registers;
    uint64_t lines = log_lines();

    registers_start();
    for (int i = 0; i < 20000; i++)
        store(hostile, (size_t)i * 52 % CROSSVM_PAGE_SIZE & ~3U, 4, 0x55555555);
    lines = log_lines() - lines;
    CHECK(lines == 0, "the module logged %llu lines", (unsigned long long)lines);
}

void register_cases(void)
{
    RUN(every_width_alignment_and_offset);
    RUN(every_value_of_a_word);
    instruction_cases();
    RUN(a_storm_of_stores);
    store(device("hostile")->registers, CROSSVM_REG_DRIVER, 4, 0);
}
