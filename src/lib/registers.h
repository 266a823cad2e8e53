/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a device, mapped into this process.
 *
 * The VMM can change them at any time, and in the peer page the peer can. Neither is trusted: a value that decides
 * something is loaded once, and checked before use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

#include "uio_device.h"

/* Registers are little-endian, as all of PCI. So are all machines that this library is compiled for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian machines need swaps in this file");

struct registers {
    uint8_t *base;               /* the event page */
    uint8_t *map;                /* what is mapped: the event page and others */
    size_t size;                 /* of that, in bytes: one page to five */
    bool extended;               /* the extended block is there, in a version that this library knows */
    volatile uint64_t *peer_seq; /* PEER_SEQ; NULL: there is none */
    volatile uint64_t *own_seq;  /* OWN_SEQ, where this end counts its events; NULL: the device counts */
    volatile uint32_t *doorbell; /* NULL: a write() to the device signals the peer */
    uint32_t doorbell_value;
    void *doorbell_page; /* that was mapped for it; NULL: it lies elsewhere */
    size_t state;        /* page where EVENT_SEQ, PEER and STATUS are loaded: the state page, else the event page, 0 */
    size_t driver;       /* register where DRIVER is stored */
};

/** A private copy of what a device says about itself. */
struct device_description {
    char name[CROSSVM_FULL_NAME_BYTES]; /* "" when it is malformed or missing */
    uint32_t version;                   /* 0 without extended block */
    unsigned int end;                   /* 0 or 1; 0 without extended block */
    size_t num_dataports;               /* 0 without extended block */
    struct {
        uint64_t size;
        uint32_t rights;
        uint32_t bar;
    } dataports[CROSSVM_MAX_DATAPORTS];
};

/**
 * Maps the registers and finds out which blocks there are.
 *
 * @param fd   of device->node
 * @param prot PROT_READ, or that and PROT_WRITE
 * @return 0, -ENXIO when the device is gone, or another negative errno value
 */
int cvm_registers_map(struct registers *page, const struct uio_device *device, int fd, int prot);
void cvm_registers_unmap(struct registers *page);

/** Makes that copy. Returns 0, or -EPROTO when it claims more dataports than there can be. */
int cvm_registers_describe(const struct registers *page, struct device_description *description);

/*
 * Loads are acquires: they order the load of a sequence before later loads of dataports. Pairs with the peer's release,
 * or fence, before it raises the sequence.
 */
static inline uint32_t registers_load32(const struct registers *page, size_t offset)
{
    return __atomic_load_n((volatile uint32_t *)(page->base + offset), __ATOMIC_ACQUIRE);
}

static inline uint64_t registers_load_sequence(const volatile uint64_t *sequence)
{
#if UINTPTR_MAX > UINT32_MAX
    return __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
#else
    const volatile uint32_t *half = (const volatile uint32_t *)sequence;
    uint32_t low, high, before;

    do { /* the halves belong together if the upper one did not change in between */
        before = __atomic_load_n(&half[1], __ATOMIC_ACQUIRE);
        low = __atomic_load_n(&half[0], __ATOMIC_ACQUIRE);
        high = __atomic_load_n(&half[1], __ATOMIC_ACQUIRE);
    } while (high != before);
    return (uint64_t)high << 32 | low;
#endif
}

static inline uint64_t registers_load64(const struct registers *page, size_t offset)
{
    return registers_load_sequence((volatile uint64_t *)(page->base + offset));
}

/** A store of exactly 32 bits from a register of the CPU: some VMMs on x86 cannot decode a store of a constant. */
static inline void registers_store_word(volatile uint32_t *word, uint32_t value)
{
    __asm__("" : "+r"(value)); /* hides the value from the compiler */
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void registers_store32(const struct registers *page, size_t offset, uint32_t value)
{
    registers_store_word((volatile uint32_t *)(page->base + offset), value);
}

/** Events of the peer so far. While the VM runs, the counter may change from the device's to the peer's and back.
 * Extended block only. */
static inline uint64_t registers_sequence(const struct registers *page)
{
    bool peer_counts = registers_load32(page, page->state + CROSSVM_REG_STATUS) & CROSSVM_STATUS_PEER_COUNTS;

    if (peer_counts && page->peer_seq)
        return registers_load_sequence(page->peer_seq);
    return registers_load64(page, page->state + CROSSVM_REG_EVENT_SEQ);
}

/**
 * Counts an event of this end: a peer in another VM learns of the number only here. Sequentially consistent: orders all
 * earlier accesses before the store of OWN_SEQ. Pairs with the acquire of a peer that polls it.
 */
static inline void registers_count_own(const struct registers *page)
{
    (void)__atomic_fetch_add(page->own_seq, 1, __ATOMIC_SEQ_CST);
}

/**
 * Whether the device looks at the count of this end by itself, so that nothing needs to be stored to DOORBELL. After
 * registers_count_own() and a full fence: either this load sees that the device stopped looking, or its last look,
 * which comes after it stopped, sees the count.
 */
static inline bool registers_device_is_awake(const struct registers *page)
{
    return page->state && registers_load32(page, page->state + CROSSVM_STATE_AWAKE);
}

/** PEER_STATE in the lower half, PEER_GENERATION in the upper one. Extended block only. */
static inline uint64_t registers_peer(const struct registers *page)
{
    return registers_load64(page, page->state + CROSSVM_REG_PEER);
}
