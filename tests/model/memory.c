/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_CONSUME || order == __ATOMIC_ACQ_REL ||
           order == __ATOMIC_SEQ_CST;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void raise(uint8_t *known, uint8_t to)
{
    if (*known < to)
        *known = to;
}

static void join_words(struct view *view, const struct view *with)
{
    for (unsigned int i = 0; i < MEMORY_WORDS; i++)
        raise(&view->at[i], with->at[i]);
}

static void join(struct view *view, const struct view *with)
{
    join_words(view, with);
    for (unsigned int i = 0; i < MEMORY_THREADS; i++)
        raise(&view->releases[i], with->releases[i]);
}

void memory_begin(struct memory *memory, unsigned int threads, unsigned int words)
{
    memset(memory, 0, sizeof(*memory));
    memory->num_threads = (uint8_t)threads;
    memory->num_words = (uint8_t)words;
    memory->num_messages = words;
    for (unsigned int i = 0; i < words; i++) {
        memory->count[i] = 1;
        memory->first[i] = (uint8_t)i;
    }
    /* Accesses are in the release that follows those that are known. */
    for (unsigned int i = 0; i < threads; i++)
        memory->views[VIEW_CURRENT + i].releases[i] = memory->views[VIEW_ACQUIRED + i].releases[i] = 1;
}

/* What a thread publishes from here on is another release. */
static void count_release(struct memory *memory, unsigned int thread)
{
    const uint8_t releases = ++memory->views[VIEW_CURRENT + thread].releases[thread];

    memory->views[VIEW_ACQUIRED + thread].releases[thread] = releases;
}

/* The first message that a load may return, or after which a store may go. */
static unsigned int least(const struct memory *memory, unsigned int thread, unsigned int word, int order)
{
    unsigned int at = memory->views[VIEW_CURRENT + thread].at[word];

    if (at < memory->views[VIEW_FLOOR + thread].at[word])
        at = memory->views[VIEW_FLOOR + thread].at[word];
    if (order == __ATOMIC_SEQ_CST && at < memory->views[VIEW_FENCES].at[word])
        at = memory->views[VIEW_FENCES].at[word];
    return at;
}

static struct message *message_at(struct memory *memory, unsigned int word, unsigned int at)
{
    return &memory->messages[memory->first[word] + at];
}

/*
 * Loads
 */

unsigned int memory_loads(const struct memory *memory, unsigned int thread, unsigned int word, int order)
{
    return memory->count[word] - least(memory, thread, word, order);
}

/* Learns of a message. */
static void learn(struct memory *memory, unsigned int thread, unsigned int word, unsigned int at, int order)
{
    struct view *current = &memory->views[VIEW_CURRENT + thread], *acquired = &memory->views[VIEW_ACQUIRED + thread];
    const struct view *view = &message_at(memory, word, at)->view;

    raise(&current->at[word], (uint8_t)at);
    raise(&acquired->at[word], (uint8_t)at);
    join(acquired, view);
    if (acquires(order))
        join(current, view);
    if (order == __ATOMIC_SEQ_CST)
        raise(&memory->views[VIEW_FENCES].at[word], (uint8_t)at);
}

uint64_t memory_load(struct memory *memory, unsigned int thread, unsigned int word, int order, unsigned int pick)
{
    const unsigned int at = memory->count[word] - 1u - pick;

    learn(memory, thread, word, at, order);
    return message_at(memory, word, at)->value;
}

/*
 * Stores
 */

static bool may_follow(const struct memory *memory, unsigned int word, unsigned int at)
{
    return at + 1u == memory->count[word] || !memory->messages[memory->first[word] + at + 1u].updates;
}

unsigned int memory_stores(const struct memory *memory, unsigned int thread, unsigned int word, int order)
{
    unsigned int places = 0;

    for (unsigned int at = least(memory, thread, word, order); at < memory->count[word]; at++)
        places += may_follow(memory, word, at);
    return places;
}

/* The message behind which a store goes. */
static unsigned int place(const struct memory *memory, unsigned int word, unsigned int pick)
{
    unsigned int at = memory->count[word] - 1u;

    for (;; at--) {
        if (!may_follow(memory, word, at))
            continue;
        if (pick-- == 0)
            return at;
    }
}

/* Makes room for a message. Those that were there keep their places in all views. */
static struct message *insert(struct memory *memory, unsigned int word, unsigned int at)
{
    struct message *message = message_at(memory, word, at);

    if (memory->num_messages == MEMORY_MESSAGES) {
        fprintf(stderr, "more than %d messages can be read: make MEMORY_MESSAGES larger\n", MEMORY_MESSAGES);
        exit(1);
    }
    memmove(message + 1, message,
            (size_t)(&memory->messages[memory->num_messages] - message) * sizeof(memory->messages[0]));
    memset(message, 0, sizeof(*message));
    memory->num_messages++;
    for (unsigned int i = word + 1; i < memory->num_words; i++)
        memory->first[i]++;
    if (at < memory->count[word]) {
        for (unsigned int i = 0; i < NUM_VIEWS; i++)
            memory->views[i].at[word] += memory->views[i].at[word] >= at;
        for (unsigned int i = 0; i < memory->num_messages; i++)
            memory->messages[i].view.at[word] += memory->messages[i].view.at[word] >= at;
    }
    memory->count[word]++;
    return message;
}

/* Stores a message that goes to a place. `carried`: a view that it carries on, or NULL. */
static void put(struct memory *memory, unsigned int thread, unsigned int word, unsigned int at, uint64_t value,
                int order, const struct view *carried)
{
    struct view *current = &memory->views[VIEW_CURRENT + thread];
    struct message *message = insert(memory, word, at);

    current->at[word] = (uint8_t)at;
    memory->views[VIEW_ACQUIRED + thread].at[word] = (uint8_t)at;
    message->value = value;
    message->view = releases(order) ? *current : memory->views[VIEW_RELEASED + thread];
    message->view.at[word] = (uint8_t)at;
    if (carried)
        join(&message->view, carried);
    if (releases(order))
        count_release(memory, thread);
    if (order == __ATOMIC_SEQ_CST)
        memory->views[VIEW_FENCES].at[word] = (uint8_t)at;
}

void memory_store(struct memory *memory, unsigned int thread, unsigned int word, uint64_t value, int order,
                  unsigned int pick)
{
    put(memory, thread, word, place(memory, word, pick) + 1, value, order, NULL);
}

/*
 * Read-modify-writes: they replace a message that nothing has replaced in this way
 */

unsigned int memory_updates(const struct memory *memory, unsigned int thread, unsigned int word, int order)
{
    return memory_stores(memory, thread, word, order);
}

uint64_t memory_updated(const struct memory *memory, unsigned int thread, unsigned int word, int order,
                        unsigned int pick)
{
    (void)thread;
    (void)order;
    return memory->messages[memory->first[word] + place(memory, word, pick)].value;
}

void memory_update(struct memory *memory, unsigned int thread, unsigned int word, uint64_t value, int order,
                   unsigned int pick)
{
    const unsigned int at = place(memory, word, pick);
    struct view carried;

    learn(memory, thread, word, at, order);
    carried = message_at(memory, word, at)->view; /* a release that is loaded goes on through updates */
    put(memory, thread, word, at + 1, value, order, &carried);
    message_at(memory, word, at + 1)->updates = true;
}

/*
 * Fences
 */

void memory_fence(struct memory *memory, unsigned int thread, int order)
{
    struct view *current = &memory->views[VIEW_CURRENT + thread], *acquired = &memory->views[VIEW_ACQUIRED + thread];
    struct view *fences = &memory->views[VIEW_FENCES];

    if (acquires(order))
        *current = *acquired;
    if (order == __ATOMIC_SEQ_CST) {
        /* Words only: that one fence comes after the other is no happens-before. */
        join_words(current, fences);
        join_words(fences, current);
        *acquired = *current;
    }
    if (releases(order)) {
        if (memory->relaxes)
            memory->views[VIEW_RELEASED + thread] = *current;
        count_release(memory, thread);
    }
}

/*
 * Data
 */

bool memory_read(struct memory *memory, unsigned int thread, unsigned int grain, unsigned int count)
{
    const uint8_t *known = memory->views[VIEW_CURRENT + thread].releases;
    bool well = true;

    for (; count > 0; count--, grain++) {
        struct grain *it = &memory->grains[grain];

        well = well && it->write <= known[it->writer];
        it->reads[thread] = known[thread];
    }
    return well;
}

bool memory_write(struct memory *memory, unsigned int thread, unsigned int grain, unsigned int count)
{
    const uint8_t *known = memory->views[VIEW_CURRENT + thread].releases;
    bool well = true;

    for (; count > 0; count--, grain++) {
        struct grain *it = &memory->grains[grain];

        well = well && it->write <= known[it->writer];
        for (unsigned int i = 0; i < memory->num_threads; i++)
            well = well && it->reads[i] <= known[i];
        it->writer = (uint8_t)thread;
        it->write = known[thread];
    }
    return well;
}

/*
 * Events and time
 */

void memory_emit(struct memory *memory, unsigned int thread, unsigned int bell, int order)
{
    join(&memory->views[VIEW_BELL + bell], &memory->views[(releases(order) ? VIEW_CURRENT : VIEW_RELEASED) + thread]);
    if (releases(order))
        count_release(memory, thread);
}

void memory_take(struct memory *memory, unsigned int thread, unsigned int bell)
{
    join(&memory->views[VIEW_CURRENT + thread], &memory->views[VIEW_BELL + bell]);
    join(&memory->views[VIEW_ACQUIRED + thread], &memory->views[VIEW_BELL + bell]);
    memset(&memory->views[VIEW_BELL + bell], 0, sizeof(struct view));
}

/* What there is now. */
static struct view all_of(const struct memory *memory)
{
    struct view view = {{0}, {0}};

    for (unsigned int i = 0; i < memory->num_words; i++)
        view.at[i] = (uint8_t)(memory->count[i] - 1u);
    return view;
}

void memory_nap(struct memory *memory, unsigned int thread)
{
    memory->views[VIEW_MARKS + thread] = all_of(memory);
}

void memory_nap_ends(struct memory *memory, unsigned int thread)
{
    const struct view all = all_of(memory);

    for (unsigned int i = 0; i < memory->num_threads; i++)
        join_words(&memory->views[VIEW_FLOOR + i], &memory->views[VIEW_MARKS + thread]);
    join_words(&memory->views[VIEW_FLOOR + thread], &all);
    memset(&memory->views[VIEW_MARKS + thread], 0, sizeof(struct view));
}

void memory_end(struct memory *memory, unsigned int thread)
{
    memory->gone[thread] = true;
    for (unsigned int i = 0; i < VIEW_BELL; i += MEMORY_THREADS)
        memset(&memory->views[i + thread], 0, sizeof(struct view));
}

/*
 * Tidying
 */

/* Forgets the messages before the first that somebody can still read. */
static void forget_messages(struct memory *memory)
{
    uint8_t from[MEMORY_WORDS] = {0};
    unsigned int kept = 0;

    for (unsigned int word = 0; word < memory->num_words; word++) {
        const unsigned int first = memory->first[word];
        unsigned int at = memory->count[word] - 1u;

        for (unsigned int i = 0; i < memory->num_threads; i++)
            if (!memory->gone[i] && memory->users[word] & 1u << i && at > least(memory, i, word, __ATOMIC_RELAXED))
                at = least(memory, i, word, __ATOMIC_RELAXED);
        from[word] = (uint8_t)at;
        memmove(&memory->messages[kept], &memory->messages[first + at],
                (memory->count[word] - at) * sizeof(memory->messages[0]));
        memory->first[word] = (uint8_t)kept;
        memory->messages[kept].updates = false;
        memory->count[word] -= (uint8_t)at;
        kept += memory->count[word];
    }
    memory->num_messages = kept;
    for (unsigned int i = 0; i < NUM_VIEWS; i++)
        for (unsigned int word = 0; word < MEMORY_WORDS; word++)
            memory->views[i].at[word] -=
                memory->views[i].at[word] < from[word] ? memory->views[i].at[word] : from[word];
    for (unsigned int i = 0; i < kept; i++) {
        struct view *view = &memory->messages[i].view;

        for (unsigned int word = 0; word < MEMORY_WORDS; word++)
            view->at[word] -= view->at[word] < from[word] ? view->at[word] : from[word];
    }
}

/* Only comparisons of these counts matter. So each becomes its rank among those that views have; what all threads know
 * already is 0. */
static void count_anew(struct memory *memory, unsigned int thread)
{
    uint8_t ranks[256] = {0}, base = UINT8_MAX, rank = 0;
    bool used[256] = {false};

    for (unsigned int i = 0; i < memory->num_threads; i++)
        if (!memory->gone[i] && base > memory->views[VIEW_CURRENT + i].releases[thread])
            base = memory->views[VIEW_CURRENT + i].releases[thread];
    for (unsigned int i = 0; i < NUM_VIEWS; i++)
        used[memory->views[i].releases[thread]] = true;
    for (unsigned int i = 0; i < memory->num_messages; i++)
        used[memory->messages[i].view.releases[thread]] = true;
    for (unsigned int i = base + 1u; i < 256; i++) {
        ranks[i] = rank + 1; /* of the least that is used and not less */
        rank += used[i];
    }
    for (unsigned int i = 0; i < NUM_VIEWS; i++)
        memory->views[i].releases[thread] = ranks[memory->views[i].releases[thread]];
    for (unsigned int i = 0; i < memory->num_messages; i++)
        memory->messages[i].view.releases[thread] = ranks[memory->messages[i].view.releases[thread]];
    for (struct grain *grain = memory->grains; grain < memory->grains + MEMORY_GRAINS; grain++) {
        grain->reads[thread] = ranks[grain->reads[thread]];
        if (grain->writer == thread)
            grain->write = ranks[grain->write];
    }
}

void memory_tidy(struct memory *memory)
{
    forget_messages(memory);
    for (unsigned int i = 0; i < memory->num_threads; i++)
        count_anew(memory, i);
}
