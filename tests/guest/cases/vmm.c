/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../harness/case.h"
#include "device.h"
#include "uio.h"

bool has_msi;
volatile struct control *control;

static volatile uint8_t *control_registers;

static void check_answer(void)
{
    do_command(CONTROL_PING, "", 41, 0);
    CHECK(control->out[0] == 42, "the VMM does not answer commands");
}

void control_open(void)
{
    struct device *found = device(CONTROL_NAME);

    control_registers = found->registers;
    control = (volatile struct control *)map_bar(found, 1, CROSSVM_PAGE_SIZE);
    check_answer();
}

void control_open_through_driver(void)
{
    struct uio uio = uio_open(CONTROL_NAME); /* stays open */

    control_registers = uio.registers;
    control = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, getpagesize());
    CHECK(control != MAP_FAILED, "cannot map the control dataport: %s", strerror(errno));
    check_answer();
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
