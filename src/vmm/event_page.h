/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event page: the registers that the guest sees in the first page of BAR0.
 *
 * The guest reads the page directly, so it always holds the present values; the guest's stores fault and come to
 * cvmm_event_page_store(). The page is an output only: what the device knows stands in struct event_page and is never
 * read back from memory. Only COUNT stands nowhere else: the guest may set it while another thread counts, and a copy
 * would have to be kept equal to it. No operating system and no libsel4vm here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

/** A dataport as the guest is told of it. */
struct event_page_dataport {
    uint64_t size; /**< bytes */
    uint32_t rights;
    uint32_t bar;
};

/** What the page tells and does not change. */
struct event_page_identity {
    const char *name; /**< valid, see name_is_valid() */
    uint32_t features;
    uint32_t end;
    size_t num_dataports;
    struct event_page_dataport dataports[CROSSVM_MAX_DATAPORTS];
    bool base_block_only; /**< nothing from 0x38 on */
};

/** State of one event page. */
struct event_page {
    volatile uint8_t *memory; /**< the VMM's mapping */
    bool extended;
    bool has_doorbell; /**< DOORBELL works */
    uint64_t events;
    uint32_t peer_state;
    uint32_t peer_generation;
    uint32_t status;
    uint32_t seen;
    uint32_t driver;
};

/** What a guest's store asks for beyond the new register value. */
enum event_page_action {
    EVENT_PAGE_NOTHING,
    EVENT_PAGE_DOORBELL,       /**< signal to the peer an event that is counted already */
    EVENT_PAGE_ACKNOWLEDGED,   /**< the guest took note of all events so far */
    EVENT_PAGE_DRIVER_CHANGED, /**< DRIVER has a new value, or another program came */
};

/** Fills a page of 4 KiB with power-on values. */
void cvmm_event_page_init(struct event_page *page, volatile void *memory, const struct event_page_identity *identity);

/** Zeroes the memory: no device is here any more. */
void cvmm_event_page_clear(struct event_page *page);

/** Shows a register. */
static inline void cvmm_event_page_put32(struct event_page *page, size_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page->memory + offset) = value;
}

/**
 * Shows a pair of registers.
 *
 * On a 64-bit machine this is one store, which the guest cannot see half done. On a 32-bit one the compiler makes two
 * of it; the specification tells drivers of such guests how to read.
 */
static inline void cvmm_event_page_put64(struct event_page *page, size_t offset, uint64_t value)
{
    *(volatile uint64_t *)(page->memory + offset) = value;
}

/** COUNT, for atomic operations only. */
static inline volatile uint32_t *cvmm_event_page_count_word(const struct event_page *page)
{
    return (volatile uint32_t *)(page->memory + CROSSVM_REG_COUNT);
}

/** Sets COUNT. */
static inline void cvmm_event_page_set_count(struct event_page *page, uint32_t count)
{
    __atomic_store_n(cvmm_event_page_count_word(page), count, __ATOMIC_SEQ_CST);
}

/** Part of cvmm_event_page_store(): the registers that not every event needs. */
enum event_page_action cvmm_event_page_store_rare(struct event_page *page, size_t offset, size_t length,
                                                  uint64_t value);

/**
 * Carries out a store of the guest (docs/device.md, section 4.3) to any register but EMIT, which has no state.
 *
 * @param offset from the start of BAR0, in bytes; any
 * @param length of the store in bytes; any
 * @param value  of the store, where length is at most 8
 */
static inline enum event_page_action cvmm_event_page_store(struct event_page *page, size_t offset, size_t length,
                                                           uint64_t value)
{
    if (offset == CROSSVM_REG_COUNT && length == sizeof(uint32_t)) {
        cvmm_event_page_set_count(page, (uint32_t)value);
        return EVENT_PAGE_ACKNOWLEDGED;
    }
    return cvmm_event_page_store_rare(page, offset, length, value);
}

/** Adds events of the peer to COUNT and EVENT_SEQ. */
static inline void cvmm_event_page_count(struct event_page *page, uint32_t events)
{
    /* Release orders the peer's data before COUNT, for a guest that looks there without an interrupt. */
    (void)__atomic_fetch_add(cvmm_event_page_count_word(page), events, __ATOMIC_RELEASE);
    page->events += events;
    if (page->extended)
        cvmm_event_page_put64(page, CROSSVM_REG_EVENT_SEQ, page->events);
    /* Orders the peer's data and the counters before the interrupt that the caller is about to raise. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/** Sets the peer's state and generation. */
void cvmm_event_page_set_peer(struct event_page *page, uint32_t state, uint32_t generation);

/** Sets STATUS. */
void cvmm_event_page_set_status(struct event_page *page, uint32_t status);

/** Sets DRIVER and SEEN back to power-on values. */
void cvmm_event_page_reset(struct event_page *page);
