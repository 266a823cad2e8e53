/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection between two guests, each with a VMM of its own: what one of the VMMs does. Both run this code.
 *
 * The VMMs share the dataport's frames, which both guests map, and a page of news, which no guest maps. Each has a
 * notification, and the other's with two badges: one for events, one for news. An event passes both VMMs: the guest's
 * store, a signal, an interrupt. News say whether a guest's driver and programs are there.
 */
#pragma once

#include <stdint.h>

#include <crossvm/vmm.h>

/** Badges with which the other VMM signals this one, high for the reason that protocol.h gives. */
#define BADGE_JOIN_EVENT ((seL4_Word)1 << 20)
#define BADGE_JOIN_NEWS ((seL4_Word)1 << 21)

/** The page that the VMMs share. Each writes its own half: aligned, so that no cache line is of both. */
struct join_news {
    struct {
        /** CROSSVM_DRIVER_* of the guest in the low two bits; above, how often a driver or program came. */
        uint32_t word;
    } __attribute__((aligned(64))) of_end[2];
};

struct join {
    uint32_t end;                     /**< 0 or 1: which of the two this VMM is */
    struct join_news *news;           /**< the shared page, mapped cacheable; zero before the first VMM starts */
    seL4_CPtr other_event;            /**< the other VMM's notification, with BADGE_JOIN_EVENT */
    seL4_CPtr other_news;             /**< the other VMM's notification, with BADGE_JOIN_NEWS */
    crossvm_connection_t *connection; /**< private */
    uint32_t heard;                   /**< private: the other's word that the guest was told of */
};

/**
 * Installs the connection.
 *
 * @param join     with all members set that are not private; outlives the connection
 * @param bus      as of crossvm_install()
 * @param name     of the connection in this guest
 * @param dataport copies of the capabilities to the shared frames, in the same order in both VMMs
 * @return 0 or -1; the log says why
 */
int join_install(struct join *join, const crossvm_bus_t *bus, const char *name,
                 const crossvm_dataport_config_t *dataport);

/** What this VMM does when its notification is signalled. Other bits of the badge are not looked at. */
void join_notified(struct join *join, seL4_Word badge);

/**
 * The guest has ended, or is about to be started again: its peer learns that nobody is there. Whoever ends a VMM that
 * cannot call this any more stores 0 in that VMM's word, and signals the other VMM's news.
 */
void join_guest_ended(struct join *join);
