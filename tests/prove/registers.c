/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers of a device that says anything, and another thing each time: a program's copy of them has a name that ends,
 * an end that there is, and no more dataports than it has room for. A guest's stores to an event page change the page
 * and its state, and nothing behind them.
 *
 * Assumed: nothing of the device; a mapping of one page. No bounds.
 */
#include "prove.h"
#include "text.h"

/* A load of a register. */
static uint64_t load(const volatile void *at, size_t bytes);
#define __atomic_load_n(at, order) ((__typeof__(*(at)))load((at), sizeof(*(at))))

#include "../../src/lib/registers.c"
#undef __atomic_load_n

#include "../../src/vmm/event_page.c"

static uint8_t memory[CROSSVM_PAGE_SIZE] __attribute__((aligned(8)));

static uint64_t load(const volatile void *at, size_t bytes)
{
    prove(__CPROVER_same_object((const void *)at, memory) && __CPROVER_r_ok((const void *)at, bytes) &&
              __CPROVER_POINTER_OFFSET((const void *)at) % bytes == 0,
          "a register is loaded from inside, in one piece");
    return nondet_u64();
}

/* Of libcrossvm's other files, what is called */
void cvm_copy_text(char *to, size_t size, const char *text)
{
    size_t length = 0;

    for (; length + 1 < size && text[length]; length++)
        to[length] = text[length];
    to[length] = '\0';
}

void prove_describe(void)
{
    const struct registers page = {.base = memory, .map = memory, .size = sizeof(memory), .extended = nondet_bool()};
    struct device_description description;

    if (cvm_registers_describe(&page, &description))
        return;
    prove(description.num_dataports <= CROSSVM_MAX_DATAPORTS, "no more dataports than there is room for");
    prove(description.end <= 1, "an end that there is");
    prove(strnlen(description.name, sizeof(description.name)) < sizeof(description.name), "a name that ends");
    reached();
}

void prove_store(void)
{
    struct event_page page = {.memory = memory,
                              .extended = nondet_bool(),
                              .has_doorbell = nondet_bool(),
                              .events = nondet_u64(),
                              .driver = nondet_u32()};
    enum event_page_action action;

    assume(page.driver <= CROSSVM_DRIVER_OPEN);
    action = cvmm_event_page_store(&page, nondet_size(), nondet_size(), nondet_u64());
    prove(page.driver <= CROSSVM_DRIVER_OPEN, "a state of a driver that there is");
    prove(page.memory == memory, "the page stays where it is");
    prove(action != EVENT_PAGE_DOORBELL || page.has_doorbell, "a doorbell where there is one");
    reached();
}
