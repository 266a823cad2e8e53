/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event page: the registers that the guest sees in the first page of BAR0.
 *
 * The guest loads from the page directly, so the page always holds the present values. The guest's stores fault, and
 * the fault handler calls cvmm_event_page_store(). The device keeps its state in struct event_page and does not read it
 * back from the page. The exception is COUNT, which is only in the page: the guest may set it while another thread
 * counts, and a copy could not be kept equal. This file needs neither an operating system nor libsel4vm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

/** A dataport, as the registers describe it. */
struct event_page_dataport {
    uint64_t size; /**< bytes */
    uint32_t rights;
    uint32_t bar;
};

/** What the page tells and never changes. */
struct event_page_identity {
    const char *name; /**< valid, see name_is_valid() */
    uint32_t features;
    uint32_t end;
    size_t num_dataports;
    struct event_page_dataport dataports[CROSSVM_MAX_DATAPORTS];
    bool base_block_only; /**< registers from 0x38 on are 0 */
};

/** State of one event page. */
struct event_page {
    volatile uint8_t *memory; /**< the VMM's mapping */
    bool extended;            /**< the extended block is there */
    bool has_doorbell;        /**< DOORBELL works */
    uint64_t events;
    uint32_t peer_state;
    uint32_t peer_generation;
    uint32_t status;
    uint32_t seen;
    uint32_t driver;
};

/** What the device must do for a guest's store, besides showing the new value. */
enum event_page_action {
    EVENT_PAGE_NOTHING,
    EVENT_PAGE_DOORBELL,       /**< signal the peer an event that the guest has counted */
    EVENT_PAGE_ACKNOWLEDGED,   /**< the guest has seen all events so far */
    EVENT_PAGE_DRIVER_CHANGED, /**< DRIVER has a new value, or another program came */
};

/** Fills a page of 4 KiB with power-on values. */
void cvmm_event_page_init(struct event_page *page, volatile void *memory, const struct event_page_identity *identity);

/** Fills the page with zeros, as for an address without a device. */
void cvmm_event_page_clear(struct event_page *page);

/** Shows a register. */
static inline void cvmm_event_page_put32(struct event_page *page, size_t offset, uint32_t value)
{
    *(volatile uint32_t *)(page->memory + offset) = value;
}

/**
 * Stores a register of 8 bytes, or two of 4.
 *
 * Release: orders what came before, the peer's stores to dataports too, before the register. Pairs with a guest's
 * acquire of it without an interrupt between: a guest that was woken for one event may find the next one here.
 *
 * On a 64-bit machine this is one store, so the guest never sees one half new and one half old. On a 32-bit machine the
 * compiler makes two stores of it; docs/device.md, section 4.2 tells drivers how to load.
 */
static inline void cvmm_event_page_store64(volatile uint8_t *memory, size_t offset, uint64_t value)
{
#if UINTPTR_MAX > UINT32_MAX
    __atomic_store_n((volatile uint64_t *)(memory + offset), value, __ATOMIC_RELEASE);
#else
    __atomic_thread_fence(__ATOMIC_RELEASE);
    *(volatile uint64_t *)(memory + offset) = value;
#endif
}

/** Shows a register of 8 bytes, or two of 4. */
static inline void cvmm_event_page_put64(struct event_page *page, size_t offset, uint64_t value)
{
    cvmm_event_page_store64(page->memory, offset, value);
}

/** COUNT. Only for atomic operations. */
static inline volatile uint32_t *cvmm_event_page_count_word(const struct event_page *page)
{
    return (volatile uint32_t *)(page->memory + CROSSVM_REG_COUNT);
}

/** Sets COUNT. Relaxed: the exit that brought the guest's store has ordered it already. */
static inline void cvmm_event_page_set_count(struct event_page *page, uint32_t count)
{
    __atomic_store_n(cvmm_event_page_count_word(page), count, __ATOMIC_RELAXED);
}

/** Part of cvmm_event_page_store(): the registers that are not on the path of each event. */
enum event_page_action cvmm_event_page_store_rare(struct event_page *page, size_t offset, size_t length,
                                                  uint64_t value);

/**
 * Carries out a store of the guest (docs/device.md, section 4.3). Not for EMIT, which has no state.
 *
 * @param offset in bytes from the start of BAR0; any value
 * @param length of the store in bytes; any value
 * @param value  of the store, if it has at most 8 bytes
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
    volatile uint8_t *const memory = page->memory; /* loaded once; after a barrier the compiler would load it anew */

    /* Orders the peer's stores to dataports before COUNT. Pairs with a guest's load of COUNT before its loads of
     * dataports, without an interrupt between. */
    (void)__atomic_fetch_add((volatile uint32_t *)(memory + CROSSVM_REG_COUNT), events, __ATOMIC_RELEASE);
    page->events += events;
    if (page->extended)
        cvmm_event_page_store64(memory, CROSSVM_REG_EVENT_SEQ, page->events);
    /* Orders the peer's data, COUNT and EVENT_SEQ before the interrupt that the caller raises next. Pairs with the
     * guest's load of the counters in its interrupt handler. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/** Sets the peer's state and generation. */
void cvmm_event_page_set_peer(struct event_page *page, uint32_t state, uint32_t generation);

/** Sets STATUS. */
void cvmm_event_page_set_status(struct event_page *page, uint32_t status);

/** Sets DRIVER and SEEN back to power-on values. */
void cvmm_event_page_reset(struct event_page *page);
