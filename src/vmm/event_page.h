/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event page: the registers that the guest sees in the first page of BAR0.
 *
 * The guest reads the page directly, so it always holds the present values; the guest's stores fault and come to
 * event_page_store(). The page is an output only: what the device knows stands in struct event_page and is never read
 * back from memory. No operating system and no libsel4vm here.
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
    const char *name; /**< valid, see name_is_valid() in install.c */
    uint32_t features;
    size_t num_dataports;
    struct event_page_dataport dataports[CROSSVM_MAX_DATAPORTS];
    bool base_block_only; /**< nothing from 0x38 on */
};

/** State of one event page. */
struct event_page {
    volatile uint8_t *memory; /**< the VMM's mapping, possibly uncached: aligned accesses only */
    bool extended;
    uint32_t count; /**< atomic: the guest may set it while another thread counts */
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
    EVENT_PAGE_EMIT,           /**< send an event to the peer */
    EVENT_PAGE_ACKNOWLEDGED,   /**< the guest took note of all events so far */
    EVENT_PAGE_DRIVER_CHANGED, /**< DRIVER has a new value */
};

/** Fills a page of 4 KiB with power-on values. */
void event_page_init(struct event_page *page, volatile void *memory, const struct event_page_identity *identity);

/** Zeroes the memory: no device is here any more. */
void event_page_clear(struct event_page *page);

/**
 * Carries out a store of the guest (docs/device.md, section 4.3).
 *
 * @param offset from the start of BAR0, in bytes; any
 * @param length of the store in bytes; any
 * @param value  of the store, where length is at most 8
 */
enum event_page_action event_page_store(struct event_page *page, size_t offset, size_t length, uint64_t value);

/** Adds events of the peer to COUNT and EVENT_SEQ. */
void event_page_count(struct event_page *page, uint32_t events);

/** Sets the peer's state and generation. */
void event_page_set_peer(struct event_page *page, uint32_t state, uint32_t generation);

/** Sets STATUS. */
void event_page_set_status(struct event_page *page, uint32_t status);

/** Sets DRIVER and SEEN back to power-on values. */
void event_page_reset(struct event_page *page);
