/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores of every form to the registers of the device "hostile", from user space. */
#include "registers.h"
#include "cases.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../device/stores.h"
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

void registers_expect(size_t offset, size_t width, uint64_t value)
{
    struct store made = {.offset = offset, .width = width, .value = value};

    emits += stores_emits(&made, false);
    stores_apply(&made, expected);
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

/* What one instruction stores within the page; the others would be another test's. */
static bool can_store(const struct store *made)
{
    return stores_is_natural(made) || (unaligned_stores && (made->width == 2 || made->width == 4 || made->width == 8) &&
                                       made->offset + made->width <= CROSSVM_PAGE_SIZE);
}

static void every_width_offset_and_value(void)
{
    volatile uint8_t *hostile = device("hostile")->registers;
    struct store made;

    registers_start();
    for (size_t i = 0; stores_get(i, &made); i++) {
        if (!can_store(&made))
            continue;
        store(hostile, made.offset, made.width, made.value);
        registers_expect(made.offset, made.width, made.value);
        registers_check(made.offset, made.width);
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
    RUN(every_width_offset_and_value);
    instruction_cases();
    RUN(a_storm_of_stores);
    store(device("hostile")->registers, CROSSVM_REG_DRIVER, 4, 0);
}
