/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores that one instruction makes several of, that load as well, or that are wider than a register. */
#include "../../harness/case.h"
#include "../device.h"
#include "../platform.h"
#include "../registers.h"

#include <signal.h>
#include <sys/wait.h>

static void string_and_locked_instructions(void)
{
    volatile uint8_t *page = device("hostile")->registers;
    static const uint8_t source[256];
    const void *from = source;
    void *to = (void *)page;
    size_t n = sizeof(source);
    uint32_t one = 1;

    registers_start();
    __asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
    registers_expect(0, 1, 0);
    registers_check(0, 1);
    to = (void *)page;
    n = 64;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0) : "memory");
    for (size_t offset = 0; offset < 256; offset += 4)
        registers_expect(offset, 4, 0);
    registers_check(0, 4);
    __asm__ volatile("lock addl %1, %0" : "+m"(*(volatile uint32_t *)(page + CROSSVM_REG_COUNT)) : "r"(one));
    registers_expect(CROSSVM_REG_COUNT, 4, 1);
    __asm__ volatile("xchgl %1, %0" : "+m"(*(volatile uint32_t *)(page + CROSSVM_REG_MAGIC)), "+r"(one));
    registers_check(CROSSVM_REG_MAGIC, 4);
    __asm__ volatile("movups %%xmm0, %0" : "=m"(*(volatile uint64_t(*)[2])(page + CROSSVM_REG_NAME)));
    registers_check(CROSSVM_REG_NAME, 16);
    registers_check_emits();
}

static void store_vector(volatile uint8_t *registers)
{
    __asm__ volatile("vmovups %%ymm0, %0" : "=m"(*(volatile uint64_t(*)[4])(registers + CROSSVM_REG_NAME)));
}

/* What KVM cannot emulate may end the program, but neither the guest nor the VMM. */
static void vector_stores_harm_only_their_author(void)
{
    int status;

    registers_start();
    status = registers_store_in_child(store_vector);
    CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGBUS, "the child ended with %d",
          status);
}

void instruction_cases(void)
{
    RUN(string_and_locked_instructions);
    RUN(vector_stores_harm_only_their_author);
}
