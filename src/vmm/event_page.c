/* SPDX-License-Identifier: BSD-2-Clause */
#include "event_page.h"

#include <string.h>

/* Stores whole words, since a guest may load while the page is filled. */
static void put_text(struct event_page *page, size_t offset, size_t bytes, const char *text)
{
    char padded[CROSSVM_FULL_NAME_BYTES] = {0};
    size_t length = strlen(text);

    memcpy(padded, text, length < bytes ? length : bytes - 1); /* always leaves a NUL */
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, padded + i, sizeof(word));
        cvmm_event_page_put32(page, offset + i, word);
    }
}

void cvmm_event_page_clear(struct event_page *page)
{
    for (size_t offset = 0; offset < CROSSVM_PAGE_SIZE; offset += sizeof(uint32_t))
        cvmm_event_page_put32(page, offset, 0);
}

void cvmm_event_page_init(struct event_page *page, volatile void *memory, const struct event_page_identity *identity)
{
    *page = (struct event_page){
        .memory = memory,
        .extended = !identity->base_block_only,
        .has_doorbell = !identity->base_block_only && identity->features & CROSSVM_FEATURE_OWN_PAGE,
    };

    cvmm_event_page_clear(page);
    put_text(page, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, identity->name);
    if (!page->extended)
        return;

    put_text(page, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, identity->name);
    cvmm_event_page_put32(page, CROSSVM_REG_VERSION, CROSSVM_DEVICE_VERSION);
    cvmm_event_page_put32(page, CROSSVM_REG_FEATURES, identity->features);
    cvmm_event_page_put32(page, CROSSVM_REG_NUM_DATAPORTS, (uint32_t)identity->num_dataports);
    cvmm_event_page_put32(page, CROSSVM_REG_END, identity->end);
    for (size_t i = 0; i < identity->num_dataports; i++) {
        const struct event_page_dataport *dataport = &identity->dataports[i];
        size_t entry = CROSSVM_REG_DATAPORT(i);

        cvmm_event_page_put64(page, entry + CROSSVM_DATAPORT_SIZE, dataport->size);
        cvmm_event_page_put32(page, entry + CROSSVM_DATAPORT_RIGHTS, dataport->rights);
        cvmm_event_page_put32(page, entry + CROSSVM_DATAPORT_BAR, dataport->bar);
    }
    /* Orders the extended block before MAGIC, which declares it valid. Pairs with a running guest's load of MAGIC
     * before its loads of the block. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    cvmm_event_page_put32(page, CROSSVM_REG_MAGIC, CROSSVM_MAGIC);
}

enum event_page_action cvmm_event_page_store_rare(struct event_page *page, size_t offset, size_t length, uint64_t value)
{
    if (offset == CROSSVM_REG_DOORBELL && page->has_doorbell)
        return EVENT_PAGE_DOORBELL;
    if (length != sizeof(uint32_t))
        return EVENT_PAGE_NOTHING;

    switch (offset) {
    case CROSSVM_REG_SEEN:
        if (!page->extended)
            return EVENT_PAGE_NOTHING;
        page->seen = (uint32_t)value;
        cvmm_event_page_put32(page, CROSSVM_REG_SEEN, page->seen);
        return page->seen == (uint32_t)page->events ? EVENT_PAGE_ACKNOWLEDGED : EVENT_PAGE_NOTHING;

    case CROSSVM_REG_DRIVER:
        if (!page->extended || value > CROSSVM_DRIVER_OPEN)
            return EVENT_PAGE_NOTHING;
        /* OPEN again is a change: another program came, and the one before could not say that it left. */
        if (value == page->driver && value != CROSSVM_DRIVER_OPEN)
            return EVENT_PAGE_NOTHING;
        page->driver = (uint32_t)value;
        cvmm_event_page_put32(page, CROSSVM_REG_DRIVER, page->driver);
        return EVENT_PAGE_DRIVER_CHANGED;

    default:
        return EVENT_PAGE_NOTHING;
    }
}

void cvmm_event_page_set_peer(struct event_page *page, uint32_t state, uint32_t generation)
{
    union {
        uint32_t word[2];
        uint64_t both;
    } peer = {.word = {state, generation}}; /* in memory order, whatever the byte order */

    page->peer_state = state;
    page->peer_generation = generation;
    if (page->extended)
        cvmm_event_page_put64(page, CROSSVM_REG_PEER, peer.both);
    /* Orders the new state before the interrupt that the caller raises next. Pairs with the guest's load of the state
     * in its interrupt handler. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void cvmm_event_page_set_status(struct event_page *page, uint32_t status)
{
    page->status = status;
    if (page->extended)
        cvmm_event_page_put32(page, CROSSVM_REG_STATUS, status);
}

void cvmm_event_page_reset(struct event_page *page)
{
    page->seen = 0;
    page->driver = CROSSVM_DRIVER_NONE;
    if (!page->extended)
        return;
    cvmm_event_page_put32(page, CROSSVM_REG_SEEN, page->seen);
    cvmm_event_page_put32(page, CROSSVM_REG_DRIVER, page->driver);
}
