/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts on a model of libsel4vm's virtual GIC on Arm. It has four list registers and a queue for the interrupts
 * that do not fit, and it calls an acknowledgement before it gives the free register to the queue. An interrupt that is
 * injected in an acknowledgement while others are queued can be lost for good, so the module must not do that.
 */
#include "fixture.h"

#include <stdlib.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>

#include "../../src/vmm/connection.h"

#define LIST_REGISTERS 4
#define QUEUE 64
#define NUMBERS 64 /* of interrupts in the model */

/* Interrupts of other devices, such as a timer, which come at any time. */
#define FOREIGN 2
#define FIRST_FOREIGN 0

struct vgic {
    struct {
        irq_ack_fn_t ack;
        void *cookie;
        bool pending;
    } irq[NUMBERS];
    int list[LIST_REGISTERS]; /* the interrupt's number, or -1 */
    int queue[QUEUE];
    unsigned int head, tail;
};

static struct vgic vgic;

static int dequeue(void)
{
    return vgic.head == vgic.tail ? -1 : vgic.queue[vgic.head++ % QUEUE];
}

static int free_register(void)
{
    for (int i = 0; i < LIST_REGISTERS; i++) {
        if (vgic.list[i] < 0)
            return i;
    }
    return -1;
}

int __wrap_vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack, void *cookie);
int __wrap_vm_inject_irq(vm_vcpu_t *vcpu, int irq);

int __wrap_vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack, void *cookie)
{
    (void)vcpu;
    assert_true(irq >= 0 && irq < NUMBERS);
    assert_null(vgic.irq[irq].ack); /* libsel4vm on Arm registers a number once, and refuses it later */
    vgic.irq[irq].ack = ack;
    vgic.irq[irq].cookie = cookie;
    return 0;
}

int __wrap_vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
    int at;

    (void)vcpu;
    if (vgic.irq[irq].pending)
        return 0;
    vgic.irq[irq].pending = true;
    assert_true(vgic.tail - vgic.head < QUEUE);
    vgic.queue[vgic.tail++ % QUEUE] = irq;
    at = free_register();
    if (at >= 0)
        vgic.list[at] = dequeue();
    return 0;
}

/* The guest ends the interrupt in that list register. */
static void end(struct fixture *f, int at)
{
    int irq = vgic.list[at], next;

    vgic.list[at] = -1;
    vgic.irq[irq].pending = false;
    if (vgic.irq[irq].ack)
        vgic.irq[irq].ack(f->vm.vcpus[BOOT_VCPU], irq, vgic.irq[irq].cookie);
    next = dequeue();
    if (next >= 0)
        vgic.list[at] = next; /* overwrites what the acknowledgement put there */
}

static void reset(void)
{
    vgic = (struct vgic){.head = 0};
    for (int i = 0; i < LIST_REGISTERS; i++)
        vgic.list[i] = -1;
}

/* A connection whose driver is bound, and the EVENT_SEQ that it saw last. */
struct bound {
    crossvm_connection_t *connection;
    uint32_t seen;
};

#define MOST 8

static void bind(struct fixture *f, struct bound *bound, int i)
{
    const char name[] = {(char)('a' + i), '\0'};
    crossvm_connection_config_t config = {.name = name};

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &bound->connection), 0);
    bound->seen = 0;
    guest_enable(f, bound->connection);
    guest_store(f, bar(bound->connection, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_BOUND);
}

static void handle(struct bound *bounds, int n, int irq)
{
    for (int i = 0; i < n; i++) {
        if (bounds[i].connection->line->irq == irq)
            bounds[i].seen = page_word(bounds[i].connection, CROSSVM_REG_EVENT_SEQ);
    }
}

/* A random one of the list registers that hold an interrupt; -1: none does. */
static int some_register(void)
{
    int start = rand() % LIST_REGISTERS;

    for (int i = 0; i < LIST_REGISTERS; i++) {
        int at = (start + i) % LIST_REGISTERS;

        if (vgic.list[at] >= 0)
            return at;
    }
    return -1;
}

/* Random events, some of them between a driver's look and the end of its interrupt; then no more. */
static void play(struct fixture *f, struct bound *bounds, int n, int foreign)
{
    for (int step = 0; step < 40 || some_register() >= 0; step++) {
        int at = some_register();

        assert_true(step < 1000);
        if (step < 40 && rand() % 2)
            crossvm_consume_event(bounds[rand() % n].connection);
        if (step < 40 && foreign && rand() % 4 == 0)
            (void)vm_inject_irq(f->vm.vcpus[BOOT_VCPU], FIRST_FOREIGN + rand() % foreign);
        if (at < 0 || rand() % 2)
            continue;
        handle(bounds, n, vgic.list[at]);
        if (step < 40 && rand() % 2)
            crossvm_consume_event(bounds[rand() % n].connection);
        end(f, at);
    }
    for (int i = 0; i < n; i++)
        assert_int_equal(bounds[i].seen, page_word(bounds[i].connection, CROSSVM_REG_EVENT_SEQ));
    for (int irq = 0; irq < NUMBERS; irq++)
        assert_false(vgic.irq[irq].pending);
}

static void no_number_is_lost(void **state)
{
    struct fixture *f = *state;
    struct bound bounds[MOST];

    srand(5);
    reset();
    for (int n = 1; n <= MOST; n++) {
        bind(f, &bounds[n - 1], n - 1);
        for (int round = 0; round < 2000; round++)
            play(f, bounds, n, round % 2 ? FOREIGN : 0);
    }
}

/* A line that an acknowledgement deferred to the end of another line is raised even if that end never comes. */
static void a_line_that_never_ends_holds_up_nobody(void **state)
{
    struct fixture *f = *state;
    struct bound bounds[2];

    reset();
    bind(f, &bounds[0], 0);
    bind(f, &bounds[1], 1);
    crossvm_consume_event(bounds[0].connection); /* never ended */
    crossvm_consume_event(bounds[1].connection);
    crossvm_consume_event(bounds[1].connection);
    handle(bounds, 2, vgic.list[1]);
    crossvm_consume_event(bounds[1].connection);
    end(f, 1);
    crossvm_consume_event(bounds[0].connection);
    assert_int_equal(vgic.list[1], bounds[1].connection->line->irq);
}

/* libsel4vm has one acknowledgement for a number, and refuses it a second time: see __wrap_vm_register_irq(). */
static void a_shared_line_is_registered_once(void **state)
{
    struct fixture *f = *state;
    struct bound bounds[3];

    reset();
    irq_limit = FIRST_IRQ;
    for (int i = 0; i < 3; i++)
        bind(f, &bounds[i], i);
    assert_ptr_equal(bounds[0].connection->line, bounds[2].connection->line);
    crossvm_consume_event(bounds[2].connection);
    handle(bounds, 3, FIRST_IRQ);
    assert_int_equal(bounds[2].seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(no_number_is_lost),
        FIXTURE_TEST(a_line_that_never_ends_holds_up_nobody),
        FIXTURE_TEST(a_shared_line_is_registered_once),
    };

    return cmocka_run_group_tests_name("list registers", tests, NULL, NULL);
}
