/* SPDX-License-Identifier: BSD-2-Clause */
#include "access.h"

#include <string.h>

#include "world_state.h"

/* A volatile access is made after it was announced. Then the stage has what it loads, or gets what it stores. Else the
 * stage has the last message of each word. */
static struct {
    const struct word *word;
    bool is_write;
    uint64_t last;
} announced;

void access_forget(void)
{
    announced.word = NULL;
}

static void stop_for(enum stop stop, unsigned int word, int order)
{
    struct actor *actor = &world.actor[current];

    actor->word = word;
    actor->order = order;
    actor->pick = 0;
    stop_here(stop);
}

static void store(unsigned int word, uint64_t value, int order)
{
    const unsigned int others = ~(1u << current);

    note_order(order);
    world.actor[current].pick = 0;
    /* An early store takes no choice away: whoever could load the message before it still can. That does not hold where
     * time passes, nor for the order of what is sequentially consistent. */
    if (known.words[word].writers & others ||
        (known.words[word].users & others && (world.kills > 0 || story->naps || order == __ATOMIC_SEQ_CST)))
        stop_for(STORES, word, order);
    memory_store(&world.memory, (unsigned int)current, word, value, order, world.actor[current].pick);
    if (world.actor[current].pick == 0)
        memcpy(known.words[word].address, &value, known.words[word].size);
}

void access_complete(void)
{
    const struct word *word = announced.word;
    uint64_t value;

    announced.word = NULL;
    if (!word)
        return;
    value = get(word->address, word->size);
    memcpy(word->address, &announced.last, word->size);
    if (announced.is_write)
        store((unsigned int)(word - known.words), value, __ATOMIC_RELAXED);
}

static uint64_t load(unsigned int word, int order)
{
    struct actor *actor = &world.actor[current];

    actor->pick = 0;
    if (known.words[word].writers & ~(1u << current) || order == __ATOMIC_SEQ_CST)
        stop_for(LOADS, word, order);
    return memory_load(&world.memory, (unsigned int)current, word, order, actor->pick);
}

static void check_data(const struct range *range, const volatile void *address, size_t size, bool is_write)
{
    const size_t at = (size_t)((const uint8_t *)address - range->from);
    const unsigned int grain = range->first + (unsigned int)(at / MEMORY_GRAIN);
    const unsigned int count = (unsigned int)((at + size + MEMORY_GRAIN - 1) / MEMORY_GRAIN - at / MEMORY_GRAIN);

    if (size == 0)
        return;
    if (!(is_write ? memory_write : memory_read)(&world.memory, (unsigned int)current, grain, count))
        world_fail(is_write ? "a store to data races with another access" : "a load of data races with a store");
}

uint64_t access_load(const volatile void *address, size_t size, int order)
{
    const struct range *range;

    access_complete();
    range = range_of(address);
    if (range && range->words)
        return load(word_of(range, address, size, false), order);
    if (range)
        check_data(range, address, size, false);
    return get((const void *)address, size);
}

void access_store(volatile void *address, size_t size, uint64_t value, int order)
{
    const struct range *range;
    unsigned int bell;

    access_complete();
    if (doorbell_of(address, &bell)) {
        world_emit(bell, __ATOMIC_RELAXED);
        return;
    }
    range = range_of(address);
    if (range && range->words) {
        store(word_of(range, address, size, true), value, order);
        return;
    }
    if (range)
        check_data(range, address, size, true);
    memcpy((void *)address, &value, size);
}

static uint64_t updated(enum update update, uint64_t value, uint64_t operand)
{
    switch (update) {
    case UPDATE_ADD:
        return value + operand;
    case UPDATE_AND:
        return value & operand;
    case UPDATE_OR:
        return value | operand;
    default:
        return operand;
    }
}

uint64_t access_update(volatile void *address, size_t size, enum update update, uint64_t operand, int order)
{
    const struct range *range;
    uint64_t before, after;
    struct actor *actor;
    unsigned int word;

    access_complete();
    range = range_of(address);
    if (!range || !range->words) {
        if (range)
            check_data(range, address, size, true);
        before = get((const void *)address, size);
        after = updated(update, before, operand);
        memcpy((void *)address, &after, size);
        return before;
    }
    word = word_of(range, address, size, true);
    note_order(order);
    actor = &world.actor[current];
    actor->pick = 0;
    if (known.words[word].users & ~(1u << current))
        stop_for(UPDATES, word, order);
    before = memory_updated(&world.memory, (unsigned int)current, word, order, actor->pick);
    after = updated(update, before, operand);
    memory_update(&world.memory, (unsigned int)current, word, after, order, actor->pick);
    if (actor->pick == 0)
        memcpy((void *)address, &after, size);
    return before;
}

void access_fence(int order)
{
    access_complete();
    if (current < 0)
        return;
    if (order == __ATOMIC_SEQ_CST)
        stop_here(FENCES);
    memory_fence(&world.memory, (unsigned int)current, order);
}

void access_plain(const volatile void *address, size_t size, bool is_write)
{
    const struct range *range;

    access_complete();
    range = range_of(address);
    if (range && range->words)
        world_fail("an access to a word that is not atomic");
    if (range)
        check_data(range, address, size, is_write);
}

void access_volatile(volatile void *address, size_t size, bool is_write)
{
    const struct range *range;
    unsigned int word;
    uint64_t value = 0;

    access_complete();
    range = range_of(address);
    if (!range || !range->words) {
        if (range)
            check_data(range, address, size, is_write);
        return;
    }
    word = word_of(range, address, size, is_write);
    if (!is_write)
        value = load(word, __ATOMIC_RELAXED);
    announced.word = &known.words[word];
    announced.is_write = is_write;
    announced.last = get(known.words[word].address, size);
    if (!is_write)
        memcpy(known.words[word].address, &value, size);
}
