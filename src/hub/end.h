/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end of a connection, as doors see it. A door takes an end for somebody (a program, a VMM): its occupant. It says
 * what the occupant is at, emits for it, and is told of the peer. Doors know nothing of each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/crossvm.h>

#include "../common/dataport_spec.h"
#include "loop.h"
#include "region.h"

struct hub_connection;

/** Memory of a connection. Several may be of one memfd. */
struct hub_memory {
    int memfd;       /**< the connection's; -1: none */
    uint64_t offset; /**< where it begins in there, in bytes: a multiple of the page size */
    int read_only;   /**< a descriptor of it for reading only; the connection's, too */
};

/** What a door wants to hear while it has an end. */
struct hub_occupant {
    /** The state or the generation of the peer is another than before. */
    void (*peer_changed)(struct hub_occupant *occupant);
    /** The peer emitted; hub_end_peer_count() may tell how often. NULL: the occupant waits at the doorbell itself. */
    void (*woken)(struct hub_occupant *occupant);
    /** Asks the occupant for its report: hub_end_report() is to bring it. NULL: the report is always fresh. */
    void (*ask)(struct hub_occupant *occupant);
    /** How many loads and stores of the guest came to the door. NULL: none do. */
    uint64_t (*accesses)(const struct hub_occupant *occupant);
};

/** A door that asks for the report of who has the other end. */
struct hub_asker {
    void (*answered)(struct hub_asker *asker);
};

/** Hears of both ends of a connection. */
struct hub_observer {
    /** Somebody came, left, or is at something else. */
    void (*changed)(struct hub_observer *observer);
    /** The occupant of an end has reported. */
    void (*reported)(struct hub_observer *observer, unsigned int end);
};

/** What an occupant that runs a VM says of it. */
struct hub_report {
    bool msi;               /**< the guest uses MSI */
    uint64_t vm_exits;      /**< exits of the VM to the kernel since it started; 0 where nobody counts */
    uint64_t vm_user_exits; /**< of these, on to crossvm-vm */
};

/** One of the two ends. Doors read it and change it by the functions below. */
struct hub_end {
    struct hub_connection *connection;
    struct hub_end *peer;
    unsigned int number;           /**< 0 or 1 */
    enum crossvm_door door;        /**< by which it is taken */
    char vm[64];                   /**< name of the VM that takes it; "": none, or unknown */
    struct hub_source doorbell;    /**< fd: an eventfd that the peer's events signal */
    struct hub_memory page;        /**< in which the occupant counts the events that it emits */
    volatile uint64_t *count;      /**< the first word of that page */
    struct hub_occupant *occupant; /**< NULL: none */
    uint32_t state;                /**< CROSSVM_DRIVER_*: who is here */
    uint32_t generation;           /**< counts the times that a driver or program came */
    struct hub_report report;      /**< of the occupant */
    struct hub_asker *asker;       /**< waits for the next one; or NULL */
};

/** Name of the connection. */
const char *hub_end_name(const struct hub_end *end);

/** The loop that serves it. */
struct hub_loop *hub_end_loop(const struct hub_end *end);

size_t hub_end_num_dataports(const struct hub_end *end);

/** CROSSVM_RIGHT_* of the end to a dataport. */
uint32_t hub_end_rights(const struct hub_end *end, size_t dataport);

/** Size of a dataport in bytes. */
uint64_t hub_end_dataport_size(const struct hub_end *end, size_t dataport);

/** The region that all memory of the connection lies in; NULL: each has a memfd of its own. */
const struct region *hub_end_region(const struct hub_end *end);

/** Memory of a dataport. */
struct hub_memory hub_end_dataport(const struct hub_end *end, size_t dataport);

/** A descriptor of it with no more rights than the end has, to be handed over; it stays the connection's. */
int hub_end_dataport_fd(const struct hub_end *end, size_t dataport);

/**
 * Takes an end for an occupant. Events that nobody has taken yet wake it.
 *
 * @return 0, -EBUSY if it has another occupant, or another negative errno value
 */
int hub_end_take(struct hub_end *end, struct hub_occupant *occupant);

/** The occupant is gone: the peer is told. */
void hub_end_leave(struct hub_end *end);

/** Says who is there, CROSSVM_DRIVER_*. A state that is not lower than the one before is somebody who came. */
void hub_end_set_state(struct hub_end *end, uint32_t state);

/** The same from an occupant that counts how many came since it said so before. */
void hub_end_set_state_after(struct hub_end *end, uint32_t state, uint32_t came);

/** Takes a report of the occupant, and answers who asked. */
void hub_end_report(struct hub_end *end, const struct hub_report *report);

/**
 * Asks the occupant of an end for its report.
 *
 * @param asker is called once, when the report comes or the occupant leaves; until then it must stay, or be taken back
 *              by hub_end_ask_no_more(). NULL: nobody is called but the connection's observer
 * @return false when end->report is fresh, and the asker is not called
 */
bool hub_end_ask(struct hub_end *end, struct hub_asker *asker);
void hub_end_ask_no_more(struct hub_end *end);

/** Whether the connection offers its guests registers 0x00 to 0x37 only. */
bool hub_end_base_block_only(const struct hub_end *end);

/** Counts events of the occupant, if it has not counted them itself, and wakes the peer. */
void hub_end_emit(struct hub_end *end, uint64_t events);

/**
 * Events of the peer so far, modulo 2^64, as it counts them. Relaxed: who tells the occupant of them has a fence before
 * that, which orders the peer's data, too (cvmm_event_page_count()).
 */
static inline uint64_t hub_end_peer_count(const struct hub_end *end)
{
    return __atomic_load_n(end->peer->count, __ATOMIC_RELAXED);
}
