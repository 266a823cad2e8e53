/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest driver's handlers of interrupts in a weak memory: no program that waits at the device may miss what came.
 * UIO is as the kernel has it: an event is counted and then wakes, and a program compares before it sleeps.
 */
#include "../../linux/crossvm.h"

#include "../../src/vmm/event_page.h"
#include "world.h"

enum { INTERRUPT, WAKE_UP }; /* bells */

static struct stage {
    _Alignas(64) uint8_t registers[CROSSVM_PAGE_SIZE];
    uint64_t data;
    uint32_t uio_events; /* that UIO has counted */
    struct event_page page;
    struct crossvm_device device;
    struct pci_dev pci;
} stage;

struct kernel_line kernel_line;

/* The vCPU's own thread carries out the store. */
void kernel_store(u32 value, void *address)
{
    (void)cvmm_event_page_store(&stage.page, (size_t)((uint8_t *)address - stage.registers), sizeof(value), value);
}

/*
 * The kernel adds one without an order. But what the handler of a line has loaded decides whether it adds, and memory
 * in which all CPUs see a store at once (x86, and Arm from version 8 on) makes a release of that; C11 knows neither.
 */
void uio_event_notify(struct uio_info *uio)
{
    if (uio->irq == UIO_IRQ_CUSTOM)
        (void)__atomic_fetch_add(&stage.uio_events, 1, __ATOMIC_RELEASE);
    else
        (void)__atomic_fetch_add(&stage.uio_events, 1, __ATOMIC_RELAXED);
    world_emit(WAKE_UP, __ATOMIC_RELEASE);
}

/* UIO's read(): until there are other events than those that are known. Leaving the kernel orders it before what the
 * program loads then. */
static void uio_read(uint32_t *known)
{
    for (;;) {
        uint32_t now;

        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        now = __atomic_load_n(&stage.uio_events, __ATOMIC_ACQUIRE);
        if (now != *known) {
            *known = now;
            return;
        }
        (void)world_wait(WAKE_UP, false);
    }
}

/* The VMM: an event, and an interrupt, which carries what the fence before it has ordered. */
static bool vmm(unsigned int thread)
{
    (void)thread;
    stage.data = 1;
    cvmm_event_page_count(&stage.page, 1);
    world_emit(INTERRUPT, __ATOMIC_RELAXED);
    return true;
}

/* The kernel, when an interrupt of the line comes. */
static bool line_handler(unsigned int thread)
{
    (void)thread;
    (void)world_wait(INTERRUPT, false);
    if (kernel_line.handler(1, kernel_line.argument) != IRQ_HANDLED)
        world_fail("an interrupt that no device claims");
    return true;
}

/* A program that waits for the interrupt. */
static bool woken_program(unsigned int thread)
{
    uint32_t known = 0;

    (void)thread;
    uio_read(&known);
    if (__atomic_load_n((const uint64_t *)(const void *)(stage.registers + CROSSVM_REG_EVENT_SEQ), __ATOMIC_ACQUIRE) !=
        1)
        world_fail("a program is woken for an event that it does not find");
    return stage.data == 1;
}

/* The kernel, when an interrupt of a device with the base block comes: as UIO handles it. */
static bool base_handler(unsigned int thread)
{
    struct uio_info *uio = &stage.device.uio;

    (void)thread;
    (void)world_wait(INTERRUPT, false);
    if (uio->handler(1, uio) == IRQ_HANDLED)
        uio_event_notify(uio);
    return true;
}

/* A program that opens a device with the base block, at any time, and waits for the event. */
static bool opening_program(unsigned int thread)
{
    uint32_t known = __atomic_load_n(&stage.uio_events, __ATOMIC_RELAXED);

    (void)thread;
    crossvm_notify_unseen(&stage.device);
    uio_read(&known);
    return stage.data == 1;
}

static void begin(bool extended)
{
    const struct event_page_identity identity = {.name = "model", .base_block_only = !extended};

    world_share_data(&stage.data, sizeof(stage.data));
    world_share_words(stage.registers, sizeof(stage.registers));
    world_share_words(&stage.uio_events, sizeof(stage.uio_events));
    world_share_words(&stage.device.unseen, sizeof(stage.device.unseen));
    cvmm_event_page_init(&stage.page, stage.registers, &identity);
    stage.device.pdev = &stage.pci;
    stage.device.regs = stage.registers;
    stage.device.extended = extended;
    (void)crossvm_alloc_irq(&stage.device);
}

/* The driver's list of lines is not on the stage: the device leaves it before it joins anew. */
static void begin_line(const struct story *story)
{
    static struct crossvm_device joined;

    (void)story;
    if (joined.line) {
        stage.device = joined;
        crossvm_leave_line(&stage.device);
    }
    begin(true);
    (void)crossvm_join_line(&stage.device);
    joined = stage.device;
}

static void begin_base(const struct story *story)
{
    (void)story;
    begin(false);
}

static const struct story stories[] = {
    {"line", .threads = 3, .begin = begin_line, .run = {vmm, line_handler, woken_program}},
    {"base block, open", .threads = 3, .begin = begin_base, .run = {vmm, base_handler, opening_program}},
};

#define NUM_STORIES (sizeof(stories) / sizeof(stories[0]))

/* test_model_driver [quick | STORY] */
int main(int argc, char **argv)
{
    world_stage(&stage, sizeof(stage));
    return explore_stories(stories, NUM_STORIES, NUM_STORIES, argc, argv);
}
