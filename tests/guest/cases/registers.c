/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores of every form to the registers of the device "hostile", from user space. */
#include "cases.h"
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t expected[CROSSVM_PAGE_SIZE];
static uint64_t emits;

static void start(void)
{
    struct device *d = device("hostile");

    for (size_t i = 0; i < sizeof(expected); i++)
        expected[i] = d->registers[i];
    emits = info("hostile").emits;
}

static void check_page(size_t offset, size_t width)
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

static void store(size_t offset, size_t width, uint64_t value)
{
    volatile uint8_t *address = device("hostile")->registers + offset;

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

/* What docs/device.md, section 4.3 says, in the test's own words. */
static void expect(size_t offset, size_t width, uint64_t value)
{
    uint32_t word = (uint32_t)value;

    if (offset == 0)
        emits++;
    if (width == 4 && (offset == 0x04 || offset == 0x54 || (offset == 0x58 && word <= 1)))
        memcpy(expected + offset, &word, sizeof(word));
}

static void every_width_alignment_and_offset(void)
{
    start();
    for (size_t width = 1; width <= 8; width *= 2) {
        for (size_t offset = 0; offset + width <= CROSSVM_PAGE_SIZE; offset++) {
            store(offset, width, ~0ULL);
            expect(offset, width, ~0ULL);
            check_page(offset, width);
        }
    }
    CHECK(info("hostile").emits == emits, "%llu events, not %llu", (unsigned long long)info("hostile").emits,
          (unsigned long long)emits);
}

static void every_value_of_a_word(void)
{
    start();
    for (unsigned int bit = 0; bit <= 32; bit++) {
        uint32_t value = bit < 32 ? 1U << bit : 0;

        for (size_t offset = 0; offset < 0x100; offset += 4) {
            store(offset, 4, value);
            expect(offset, 4, value);
        }
        check_page(0, 4);
    }
    CHECK(info("hostile").emits == emits, "%llu events, not %llu", (unsigned long long)info("hostile").emits,
          (unsigned long long)emits);
}

static void string_and_locked_instructions(void)
{
    volatile uint8_t *page = device("hostile")->registers;
    static const uint8_t source[256];
    const void *from = source;
    void *to = (void *)page;
    size_t n = sizeof(source);
    uint32_t one = 1;

    start();
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
    expect(0, 1, 0);
    check_page(0, 1);
    to = (void *)page;
    n = 64;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0) : "memory");
    for (size_t offset = 0; offset < 256; offset += 4)
        expect(offset, 4, 0);
    check_page(0, 4);
    __asm__ volatile("lock addl %1, %0" : "+m"(*(volatile uint32_t *)(page + CROSSVM_REG_COUNT)) : "r"(one));
    expect(CROSSVM_REG_COUNT, 4, 1);
    __asm__ volatile("xchgl %1, %0" : "+m"(*(volatile uint32_t *)(page + CROSSVM_REG_MAGIC)), "+r"(one));
    check_page(CROSSVM_REG_MAGIC, 4);
    __asm__ volatile("movups %%xmm0, %0" : "=m"(*(volatile uint64_t(*)[2])(page + CROSSVM_REG_NAME)));
    check_page(CROSSVM_REG_NAME, 16);
    CHECK(info("hostile").emits == emits, "%llu events, not %llu", (unsigned long long)info("hostile").emits,
          (unsigned long long)emits);
}

/* What KVM cannot emulate may end the program, but neither the guest nor the VMM. */
static void vector_stores_harm_only_their_author(void)
{
    int status = 0;
    pid_t child;

    start();
    child = fork();
    if (child == 0) {
        __asm__ volatile("vmovups %%ymm0, %0"
                         : "=m"(*(volatile uint64_t(*)[4])(device("hostile")->registers + CROSSVM_REG_NAME)));
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "no child");
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGBUS, "the child ended with %d",
          status);
    check_page(CROSSVM_REG_NAME, 32);
    do_command(CONTROL_PING, "", 1, 0);
}

static void a_storm_of_stores(void)
{
    start();
    for (int i = 0; i < 20000; i++)
        store((size_t)i * 52 % CROSSVM_PAGE_SIZE & ~3U, 4, 0x55555555);
    do_command(CONTROL_LOG, "", 0, 0);
    CHECK(control->out[0] == 0, "the module logged %llu lines", (unsigned long long)control->out[0]);
}

void register_cases(void)
{
    RUN(every_width_alignment_and_offset);
    RUN(every_value_of_a_word);
    RUN(string_and_locked_instructions);
    RUN(vector_stores_harm_only_their_author);
    RUN(a_storm_of_stores);
    store(CROSSVM_REG_DRIVER, 4, 0);
}
