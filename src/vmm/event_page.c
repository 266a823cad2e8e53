/* SPDX-License-Identifier: BSD-2-Clause */
#include "event_page.h"

#include <stdatomic.h>
#include <string.h>

static void put32(struct event_page *page, size_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page->memory + offset) = value;
}

/*
 * On a 64-bit machine this is one store, which the guest cannot see half done. On a 32-bit one the compiler makes two
 * of it; the specification tells drivers of such guests how to read.
 */
static void put64(struct event_page *page, size_t offset, uint64_t value)
{
    *(volatile uint64_t *)(page->memory + offset) = value;
}

/* Shows COUNT. Who changed it last has shown it last, since each looks again afterwards. */
static void show_count(struct event_page *page)
{
    uint32_t shown;

    do {
        shown = __atomic_load_n(&page->count, __ATOMIC_SEQ_CST);
        put32(page, CROSSVM_REG_COUNT, shown);
    } while (shown != __atomic_load_n(&page->count, __ATOMIC_SEQ_CST));
}

/* Whole words, since byte stores would be slow or worse where the page is mapped as device memory. */
static void put_text(struct event_page *page, size_t offset, size_t bytes, const char *text)
{
    char padded[CROSSVM_FULL_NAME_BYTES] = {0};
    size_t length = strlen(text);

    memcpy(padded, text, length < bytes ? length : bytes - 1); /* always leaves a NUL */
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, padded + i, sizeof(word));
        put32(page, offset + i, word);
    }
}

void event_page_clear(struct event_page *page)
{
    for (size_t offset = 0; offset < CROSSVM_PAGE_SIZE; offset += sizeof(uint32_t))
        put32(page, offset, 0);
}

void event_page_init(struct event_page *page, volatile void *memory, const struct event_page_identity *identity)
{
    *page = (struct event_page){.memory = memory, .extended = !identity->base_block_only};

    event_page_clear(page);
    put_text(page, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, identity->name);
    if (!page->extended)
        return;

    put_text(page, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, identity->name);
    put32(page, CROSSVM_REG_VERSION, CROSSVM_VERSION);
    put32(page, CROSSVM_REG_FEATURES, identity->features);
    put32(page, CROSSVM_REG_NUM_DATAPORTS, (uint32_t)identity->num_dataports);
    for (size_t i = 0; i < identity->num_dataports; i++) {
        const struct event_page_dataport *dataport = &identity->dataports[i];
        size_t entry = CROSSVM_REG_DATAPORT(i);

        put64(page, entry + CROSSVM_DATAPORT_SIZE, dataport->size);
        put32(page, entry + CROSSVM_DATAPORT_RIGHTS, dataport->rights);
        put32(page, entry + CROSSVM_DATAPORT_BAR, dataport->bar);
    }
    /* Orders the block before the word that declares it valid, for a guest that is running already. */
    atomic_thread_fence(memory_order_release);
    put32(page, CROSSVM_REG_MAGIC, CROSSVM_MAGIC);
}

enum event_page_action event_page_store(struct event_page *page, size_t offset, size_t length, uint64_t value)
{
    if (offset == CROSSVM_REG_EMIT)
        return EVENT_PAGE_EMIT;
    if (length != sizeof(uint32_t))
        return EVENT_PAGE_NOTHING;

    switch (offset) {
    case CROSSVM_REG_COUNT:
        __atomic_store_n(&page->count, (uint32_t)value, __ATOMIC_SEQ_CST);
        show_count(page);
        return EVENT_PAGE_ACKNOWLEDGED;

    case CROSSVM_REG_SEEN:
        if (!page->extended)
            return EVENT_PAGE_NOTHING;
        page->seen = (uint32_t)value;
        put32(page, CROSSVM_REG_SEEN, page->seen);
        return page->seen == (uint32_t)page->events ? EVENT_PAGE_ACKNOWLEDGED : EVENT_PAGE_NOTHING;

    case CROSSVM_REG_DRIVER:
        if (!page->extended || value > CROSSVM_DRIVER_BOUND || value == page->driver)
            return EVENT_PAGE_NOTHING;
        page->driver = (uint32_t)value;
        put32(page, CROSSVM_REG_DRIVER, page->driver);
        return EVENT_PAGE_DRIVER_CHANGED;

    default:
        return EVENT_PAGE_NOTHING;
    }
}

void event_page_count(struct event_page *page, uint32_t events)
{
    (void)__atomic_fetch_add(&page->count, events, __ATOMIC_SEQ_CST);
    show_count(page);
    page->events += events;
    if (page->extended)
        put64(page, CROSSVM_REG_EVENT_SEQ, page->events);
    /* Orders the peer's data and the counters before the interrupt that the caller is about to raise. */
    atomic_thread_fence(memory_order_seq_cst);
}

void event_page_set_peer(struct event_page *page, uint32_t state, uint32_t generation)
{
    union {
        uint32_t word[2];
        uint64_t both;
    } peer = {.word = {state, generation}}; /* in memory order, whatever the byte order */

    page->peer_state = state;
    page->peer_generation = generation;
    if (page->extended)
        put64(page, CROSSVM_REG_PEER, peer.both);
    /* Orders the new state before the interrupt that tells of it. */
    atomic_thread_fence(memory_order_seq_cst);
}

void event_page_set_status(struct event_page *page, uint32_t status)
{
    page->status = status;
    if (page->extended)
        put32(page, CROSSVM_REG_STATUS, status);
}

void event_page_reset(struct event_page *page)
{
    page->seen = 0;
    page->driver = CROSSVM_DRIVER_NONE;
    if (!page->extended)
        return;
    put32(page, CROSSVM_REG_SEEN, page->seen);
    put32(page, CROSSVM_REG_DRIVER, page->driver);
}
