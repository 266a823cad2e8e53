/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An open end in a guest.
 *
 * With the extended block, the device's sequence counts the events, and an interrupt only ends a sleep: a wait compares
 * the sequence with what this handle has seen, and sleeps when they are equal. With the base block only, the driver
 * clears the count at each interrupt, so each interrupt means one event or more.
 */
#include "guest_end.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../common/error_reason.h"
#include "../common/peer_state.h"
#include "deadline.h"
#include "error.h"
#include "guest_device.h"

/* A peer that emits without end must not keep a call from returning. */
#define MOST_LOOKS 8

static struct guest_end *guest_of(struct crossvm_end *end)
{
    return (struct guest_end *)end;
}

/* --- waiting --- */

void cvm_guest_start(struct guest_end *guest)
{
    uint64_t sequence = registers_sequence(&guest->page);
    uint32_t unseen;

    guest->seen_register = registers_load32(&guest->page, CROSSVM_REG_SEEN);
    unseen = (uint32_t)sequence - guest->seen_register;
    /* The sequence has not reached SEEN: SEEN is of another sequence, see take_events(). */
    if (unseen > INT32_MAX || unseen > sequence)
        unseen = sequence > 0;
    guest->seen = sequence - unseen;
    guest->peer = registers_peer(&guest->page);
}

/*
 * Takes the events that are new. A sequence below what was seen is no count: another sequence has replaced it, or the
 * peer, which can write any PEER_SEQ, has written a wrong one. It counts as one event: one wake-up too many does no
 * harm, one too few may.
 *
 * @param odd set if it was no count
 */
static int take_events(struct guest_end *guest, bool *odd)
{
    uint64_t sequence = registers_sequence(&guest->page);
    uint64_t fresh = sequence - guest->seen;

    if (fresh > INT64_MAX) {
        guest->seen = sequence;
        *odd = true;
        return 1;
    }
    if (fresh > INT_MAX)
        fresh = INT_MAX;
    guest->seen += fresh;
    return (int)fresh;
}

static bool take_peer_change(struct guest_end *guest)
{
    uint64_t peer = registers_peer(&guest->page);
    bool changed = peer != guest->peer;

    guest->peer = peer;
    return changed;
}

/*
 * Whether there is no device behind the mapping any more. The crossvm driver then puts zeros there; without it loads
 * may give all ones. The magic is neither. Loading it may exit to the VMM: so only after something odd.
 */
static bool is_cut_off(const struct guest_end *guest)
{
    return registers_load32(&guest->page, CROSSVM_REG_MAGIC) != CROSSVM_MAGIC;
}

/* The same, where odd is a state of the peer that a VMM gives only if it tracks no peers. */
static bool is_gone(struct guest_end *guest)
{
    uint32_t state;

    if (__atomic_load_n(&guest->gone, __ATOMIC_RELAXED))
        return true;
    if (!guest->page.extended)
        return false;
    state = (uint32_t)registers_peer(&guest->page);
    if ((state != CROSSVM_PEER_UNKNOWN && state <= CROSSVM_PEER_READY) || !is_cut_off(guest))
        return false;
    __atomic_store_n(&guest->gone, true, __ATOMIC_RELAXED);
    return true;
}

/* Stores SEEN. The next program to open the end starts there, and the device takes back a pending interrupt. */
static void store_seen(struct guest_end *guest, uint64_t sequence)
{
    guest->seen_register = (uint32_t)sequence;
    registers_store32(&guest->page, CROSSVM_REG_SEEN, guest->seen_register);
}

static int device_is_gone(struct guest_end *guest)
{
    __atomic_store_n(&guest->gone, true, __ATOMIC_RELAXED);
    return cvm_fail(
        EPIPE,
        "the device of connection \"%s\" (%s) was removed, lost its driver, or has no interrupt; open it again "
        "when it is back",
        guest->end.name, guest->device.pci_address);
}

/*
 * Sleeps until the kernel has counted an interrupt since the last sleep, and takes that count. Returns 1, or 0 when the
 * time is over. A wait without end blocks in read(), and so needs a single system call.
 */
static int sleep_for_interrupt(struct guest_end *guest, deadline_t deadline)
{
    struct pollfd device = {.fd = guest->end.fd, .events = POLLIN};
    uint32_t interrupts;
    ssize_t length;

    if (deadline != DEADLINE_NEVER) {
        int ready = poll(&device, 1, deadline_poll_ms(deadline));

        if (ready < 0)
            return cvm_fail(errno, "waiting for connection \"%s\": %s", guest->end.name, error_reason(errno));
        if (ready == 0)
            return 0;
    }
    length = read(guest->end.fd, &interrupts, sizeof(interrupts));
    if (length == sizeof(interrupts))
        return 1;
    if (length < 0 && errno == EINTR)
        return cvm_fail(EINTR, "waiting for connection \"%s\": interrupted by a signal", guest->end.name);
    return device_is_gone(guest);
}

/*
 * uio_pci_generic: the kernel masked the interrupt when it counted it. This unmasks it, and must store SEEN before. The
 * store removes the cause of the interrupt, even if SEEN has that value already. With the cause still there, the device
 * would interrupt as soon as it is unmasked, again and again. An event that comes
 *  - before the load of the sequence: the caller compares again before it sleeps, and finds it;
 *  - between the load and the store: SEEN is not the device's sequence, so the cause stays, and the device interrupts
 * when it is unmasked. The caller's comparison finds the event before that;
 *  - between the store and the unmasking: the same, with a new cause;
 *  - after the unmasking: the device interrupts as usual.
 * So the kernel counts an interrupt for each event that the caller's comparison misses.
 */
static int rearm(struct guest_end *guest)
{
    int error;

    store_seen(guest, registers_sequence(&guest->page));
    error = cvm_intx_unmask(&guest->intx);
    return error ? device_is_gone(guest) : 0;
}

static int wait_for_sequence(struct crossvm_end *end, deadline_t deadline)
{
    struct guest_end *guest = guest_of(end);

    /*
     * An event raises the sequence before its interrupt. If this comparison misses the event, the kernel counts the
     * interrupt after the last sleep, and the next sleep ends at once.
     */
    for (bool slept = false;; slept = true) {
        bool odd = false;
        int events = take_events(guest, &odd);
        /* A change of the peer is a return of its own, with 0, after the one with the events. */
        bool changed = !events && take_peer_change(guest);
        int woken;

        if ((odd || changed) && is_cut_off(guest))
            return device_is_gone(guest);
        if (events || changed)
            return events;
        /* Interrupts without events (of another program that has the device open, of a hostile peer) do not prolong the
         * wait. */
        if (slept && deadline_is_over(deadline))
            return 0;
        woken = sleep_for_interrupt(guest, deadline);
        if (woken <= 0)
            return woken;
        if (guest->generic) {
            int error = rearm(guest);

            if (error)
                return error;
        }
    }
}

static int wait_for_interrupt(struct crossvm_end *end, deadline_t deadline)
{
    struct guest_end *guest = guest_of(end);
    uint32_t unclaimed = guest->unclaimed;

    if (unclaimed) {
        guest->unclaimed = 0;
        return unclaimed > INT_MAX ? INT_MAX : (int)unclaimed;
    }
    return sleep_for_interrupt(guest, deadline);
}

/* Events are counted in memory. The look after the last of them takes the interrupts. */
static int guest_take(struct crossvm_end *end, uint64_t *peer)
{
    uint32_t state, generation;
    int result = 1;

    for (int looks = 0; result > 0 && looks < MOST_LOOKS; looks++)
        result = end->ops->wait(end, DEADLINE_NOW);
    state = end->ops->peer_state(end, &generation);
    *peer = (uint64_t)generation << 32 | state;
    return result < 0 ? result : 0;
}

/* --- the other calls --- */

static int cannot_emit(const struct guest_end *guest)
{
    return cvm_fail(EIO, "the device of connection \"%s\" (%s) was removed; open it again when it is back",
                    guest->end.name, guest->device.pci_address);
}

/* Has the driver store to a doorbell that this program may not map. */
static int signal_by_driver(const struct guest_end *guest)
{
    static const int32_t any = 1;

    return write(guest->end.fd, &any, sizeof(any)) == sizeof(any) ? 0 : cannot_emit(guest);
}

static int guest_emit(struct crossvm_end *end)
{
    struct guest_end *guest = guest_of(end);

    if (is_gone(guest))
        return cannot_emit(guest);
    if (guest->page.own_seq)
        registers_count_own(&guest->page);
    /*
     * Orders all loads and stores of dataports, and the store of OWN_SEQ, before the store to the doorbell. That store
     * leaves the guest, and the peer looks at the memory on another CPU. The interrupt pairs with it there.
     */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (guest->page.own_seq && registers_device_is_awake(&guest->page))
        return 0;
    if (!guest->page.doorbell)
        return signal_by_driver(guest);
    registers_store_word(guest->page.doorbell, guest->page.doorbell_value);
    return 0;
}

static uint32_t extended_peer_state(struct crossvm_end *end, uint32_t *generation)
{
    struct guest_end *guest = guest_of(end);
    uint64_t peer = registers_peer(&guest->page);

    *generation = (uint32_t)(peer >> 32);
    return is_gone(guest) ? CROSSVM_PEER_ABSENT : peer_state_told((uint32_t)peer);
}

static uint32_t base_peer_state(struct crossvm_end *end, uint32_t *generation)
{
    (void)end;
    *generation = 0;
    return CROSSVM_PEER_UNKNOWN;
}

static int guest_info(const struct crossvm_end *end, crossvm_end_info_t *info)
{
    const struct guest_end *guest = (const struct guest_end *)end;

    cvm_guest_describe(&guest->device, &guest->page, info);
    return 0;
}

static void guest_close(struct crossvm_end *end)
{
    struct guest_end *guest = guest_of(end);

    if (guest->page.extended && !guest->gone) {
        if (guest->seen_register != (uint32_t)guest->seen)
            store_seen(guest, guest->seen);
        if (guest->generic)
            registers_store32(&guest->page, guest->page.driver, CROSSVM_DRIVER_NONE);
    }
    cvm_guest_release(guest);
}

const struct end_ops cvm_guest_extended_ops = {
    .close = guest_close,
    .emit = guest_emit,
    .wait = wait_for_sequence,
    .take = guest_take,
    .peer_state = extended_peer_state,
    .info = guest_info,
};

const struct end_ops cvm_guest_base_ops = {
    .close = guest_close,
    .emit = guest_emit,
    .wait = wait_for_interrupt,
    .take = guest_take,
    .peer_state = base_peer_state,
    .info = guest_info,
};
