/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores that the processor does not describe to a hypervisor: of several registers, of vectors, exclusive ones, those
 * that change their address register, and whole cache lines. The program that makes one gets SIGBUS; the rest of the
 * guest and the VMM are not affected.
 */
#include "../../harness/case.h"
#include "../cases.h"
#include "../device.h"
#include "../platform.h"
#include "../registers.h"
#include "../vmm.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static void store_pair(volatile uint8_t *registers)
{
    __asm__ volatile("stp xzr, xzr, [%0]" : : "r"(registers + CROSSVM_REG_NAME) : "memory");
}

static void store_pair_of_words_at_emit(volatile uint8_t *registers)
{
    __asm__ volatile("stp wzr, wzr, [%0]" : : "r"(registers + CROSSVM_REG_EMIT) : "memory");
}

static void store_post_index(volatile uint8_t *registers)
{
    volatile uint8_t *at = registers + CROSSVM_REG_EMIT;

    __asm__ volatile("str wzr, [%0], #4" : "+r"(at) : : "memory");
}

static void store_pre_index(volatile uint8_t *registers)
{
    volatile uint8_t *at = registers;

    __asm__ volatile("str wzr, [%0, #4]!" : "+r"(at) : : "memory");
}

static void store_vector(volatile uint8_t *registers)
{
    __asm__ volatile("str q0, [%0]" : : "r"(registers + CROSSVM_REG_NAME) : "memory");
}

static void store_vectors(volatile uint8_t *registers)
{
    __asm__ volatile("st1 {v0.16b - v3.16b}, [%0]" : : "r"(registers) : "memory");
}

static void store_exclusive(volatile uint8_t *registers)
{
    uint32_t value;
    uint32_t failed;

    __asm__ volatile("1: ldxr %w0, [%2]\n\t"
                     "stxr %w1, %w0, [%2]\n\t"
                     "cbnz %w1, 1b"
                     : "=&r"(value), "=&r"(failed)
                     : "r"(registers + CROSSVM_REG_COUNT)
                     : "memory");
}

static void zero_cache_line(volatile uint8_t *registers)
{
    __asm__ volatile("dc zva, %0" : : "r"(registers) : "memory");
}

static void check_sigbus(const char *what, void (*attempt)(volatile uint8_t *registers))
{
    int status = registers_store_in_child(attempt);

    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "%s: the program ended with %d", what, status);
    registers_check_emits();
}

static void vector_stores_harm_only_their_author(void)
{
    registers_start();
    check_sigbus("str q", store_vector);
    check_sigbus("st1", store_vectors);
}

static void pair_and_writeback_stores_harm_only_their_author(void)
{
    registers_start();
    check_sigbus("stp x", store_pair);
    check_sigbus("stp w", store_pair_of_words_at_emit);
    check_sigbus("str post-index", store_post_index);
    check_sigbus("str pre-index", store_pre_index);
}

static void exclusive_and_line_stores_harm_only_their_author(void)
{
    registers_start();
    check_sigbus("stxr", store_exclusive);
    check_sigbus("dc zva", zero_cache_line);
}

/* A hundred of them, while another connection is at work. The module logs none. */
static void a_storm_of_them_disturbs_nobody(void)
{
    uint64_t lines = log_lines();

    registers_start();
    do_command(CONTROL_FLOOD, "shared-a", 1000, 0);
    for (int i = 0; i < 100; i++)
        check_sigbus("stp x", store_pair);
    wait_for_flood();
    lines = log_lines() - lines;
    CHECK(lines == 0, "the module logged %llu lines", (unsigned long long)lines);
}

void instruction_cases(void)
{
    RUN(vector_stores_harm_only_their_author);
    RUN(pair_and_writeback_stores_harm_only_their_author);
    RUN(exclusive_and_line_stores_harm_only_their_author);
    RUN(a_storm_of_them_disturbs_nobody);
}
