/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define MEMORY_BYTES 4096
#define STACK_BYTES 8192
#define BUFFER 32
#define MAX_DEPTH 3000
#define VISITED_BITS 24

enum mood { READY, ASLEEP, NAPPING, FINISHED };

struct store {
    crossvm_private_word_t *word;
    uint32_t value;
    uint32_t number;
};

struct actor {
    crossvm_channel_t channel;
    jmp_buf place; /* where it stopped */
    bool begun;
    uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
    struct store buffer[BUFFER]; /* stores that are not visible yet, the oldest first */
    unsigned buffered;
    uint32_t stores;    /* how many there were */
    uint32_t nap_until; /* NAPPING: stores of the other end that must be visible when it ends */
    enum mood mood;
    bool event;          /* one came, and no wait has taken it yet */
    bool nap_over;       /* the wait ends because its time is over */
    bool told;           /* the peer was killed, and this end is to be told */
    uint8_t *stack_used; /* from here on, where it stopped */
};

/* Everything. */
static struct world {
    uint8_t memory[MEMORY_BYTES] __attribute__((aligned(64)));
    struct actor actor[2];
    int kills;
    int last;     /* end that went on last */
    int switches; /* how often the other may go on instead, though this one could */
    const char *failure;
} world;

static const struct story *story;
static ucontext_t explorer, beginning;
static jmp_buf explorer_place;
static int current = -1; /* whose turn it is; -1 outside of any */

static __attribute__((noinline)) void yield(void)
{
    struct actor *actor = &world.actor[current];

    actor->stack_used = __builtin_frame_address(0);
    /* Not swapcontext(), which asks the system for the signal mask each time. */
    if (_setjmp(actor->place) == 0)
        _longjmp(explorer_place, 1);
}

void world_fail(const char *reason)
{
    world.failure = reason;
    yield();
}

crossvm_channel_t *world_channel(int end)
{
    return &world.actor[end].channel;
}

/*
 * Memory
 */

static void make_visible(struct actor *actor)
{
    *actor->buffer[0].word = actor->buffer[0].value;
    actor->buffered--;
    memmove(actor->buffer, actor->buffer + 1, actor->buffered * sizeof(actor->buffer[0]));
}

static void drain(struct actor *actor)
{
    while (actor->buffered > 0)
        make_visible(actor);
}

/* Words whose order matters. Headers of datagrams are loaded after the index that covers them, and an end's parameters
 * after its acknowledgement, so more orders of these show nothing new. */
static bool is_watched(const crossvm_private_word_t *word)
{
    const size_t at = (size_t)((const uint8_t *)word - world.memory);

    return at < CROSSVM_CHANNEL_RINGS_AT && at % CROSSVM_CHANNEL_BLOCK_AT(1) >= CROSSVM_CHANNEL_GENERATION_AT;
}

uint32_t crossvm_private_load(const crossvm_private_word_t *word)
{
    struct actor *actor;
    uint32_t value;

    if (current < 0 || !is_watched(word))
        return *word;
    actor = &world.actor[current];
    if ((const crossvm_private_word_t *)actor->channel.peer <= word &&
        word < (const crossvm_private_word_t *)actor->channel.peer + CROSSVM_CHANNEL_BLOCK_AT(1) / 4)
        yield(); /* not for its own words: nobody else writes them */
    value = *word;
    for (unsigned i = 0; i < actor->buffered; i++)
        if (actor->buffer[i].word == word)
            value = actor->buffer[i].value;
    return value;
}

uint32_t crossvm_private_load_acquire(const crossvm_private_word_t *word)
{
    return crossvm_private_load(word);
}

void crossvm_private_store_release(crossvm_private_word_t *word, uint32_t value)
{
    struct actor *actor;

    if (current < 0 || !is_watched(word) || story->orderly) {
        if (current >= 0 && *word != value && is_watched(word))
            yield();
        *word = value;
        return;
    }
    actor = &world.actor[current];
    if (actor->buffered == BUFFER)
        make_visible(actor);
    actor->buffer[actor->buffered++] = (struct store){word, value, actor->stores++};
}

void crossvm_private_fence(void)
{
    if (current < 0 || world.actor[current].buffered == 0)
        return;
    yield();
    drain(&world.actor[current]);
}

/*
 * Bells
 */

static int emit(void *cookie)
{
    struct actor *actor = cookie;
    struct actor *other = &world.actor[actor == world.actor];

    if (current >= 0) {
        yield();
        drain(actor);
    }
    other->event = true;
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    struct actor *actor = cookie;
    struct actor *other = &world.actor[actor == world.actor];
    int result = 0;

    (void)deadline;
    yield();
    drain(actor);
    if (!actor->event) {
        actor->mood = limit_us > 0 ? NAPPING : ASLEEP;
        actor->nap_until = other->stores;
        actor->nap_over = false;
        yield();
        actor->mood = READY;
        if (actor->nap_over)
            result = -11; /* -EAGAIN */
    }
    if (result == 0)
        actor->event = false;
    if (actor->told) {
        actor->told = false;
        crossvm_channel_set_peer(&actor->channel, false);
        crossvm_channel_set_peer(&actor->channel, true); /* the successor */
    }
    return result;
}

/*
 * Lives
 */

static void live(int end)
{
    if (!story->run[end](end, &world.actor[end].channel))
        world.failure = "an end did not end well";
    yield(); /* its last stores may take their time */
    drain(&world.actor[end]);
    world.actor[end].mood = FINISHED;
    for (;;)
        yield();
}

static void begin_life(int end)
{
    struct actor *actor = &world.actor[end];

    actor->begun = false;
    memset(actor->place, 0, sizeof(actor->place));
    memset(actor->stack, 0, sizeof(actor->stack));
    actor->stack_used = actor->stack + sizeof(actor->stack);
    actor->mood = READY;
    actor->told = false;
}

static void initialise(int end)
{
    const crossvm_channel_config_t config = {
        .memory = world.memory,
        .size = story->size,
        .end = CROSSVM_CHANNEL_END((unsigned int)end),
        .mode = story->mode,
        .flags = story->flags,
        .emit = emit,
        .wait = wait_for_event,
        .cookie = &world.actor[end],
    };

    if (crossvm_channel_init(&world.actor[end].channel, &config) < 0)
        abort();
}

/* The stores that the processor has executed become visible. An event for the dead end is one for its successor. */
static void kill_actor(int end)
{
    struct actor *other = &world.actor[1 - end];

    drain(&world.actor[end]);
    initialise(end);
    begin_life(end);
    world.kills--;
    if (story->announced && other->mood != FINISHED) {
        other->told = true;
        other->event = true;
    }
}

static void begin_world(void)
{
    memset(&world, 0, sizeof(world));
    world.kills = story->kills;
    world.switches = story->switches;
    for (int end = 0; end < 2; end++)
        initialise(end);
    if (story->start_joined) {
        for (int end = 0; end < 2; end++)
            crossvm_channel_open(&world.actor[end].channel);
        for (int i = 0; i < 4; i++)
            (void)crossvm_channel_connect(&world.actor[i % 2].channel, CROSSVM_NOW);
        world.actor[0].event = world.actor[1].event = false;
    }
    if (story->prepare)
        story->prepare();
    for (int end = 0; end < 2; end++)
        begin_life(end);
}

/*
 * The explorer: depth first, never twice into the same state
 */

enum choice { STEP, SHOW, NAP_ENDS, KILL, NUM_CHOICES };

static uint64_t *visited;
static uint64_t num_visited, num_ends;

static bool can_go_on(const struct actor *actor)
{
    return actor->mood == READY || ((actor->mood == ASLEEP || actor->mood == NAPPING) && actor->event);
}

/* Going on with this end takes the turn from one that could go on. */
static bool is_switch(int end)
{
    return story->switches > 0 && end != world.last && can_go_on(&world.actor[world.last]);
}

static bool may(enum choice choice, int end)
{
    const struct actor *actor = &world.actor[end], *other = &world.actor[1 - end];

    switch (choice) {
    case STEP:
        return can_go_on(actor) && (!is_switch(end) || world.switches > 0);
    case SHOW:
        return actor->buffered > 0;
    case NAP_ENDS:
        /* Stores become visible within the nap: that is what its length is for. */
        return actor->mood == NAPPING && !actor->event &&
               (other->buffered == 0 || (int32_t)(other->buffer[0].number - actor->nap_until) >= 0);
    case KILL:
        return world.kills > 0 && actor->mood != FINISHED;
    default:
        return false;
    }
}

static void resume(int end)
{
    struct actor *actor = &world.actor[end];

    if (actor->begun)
        _longjmp(actor->place, 1);
    actor->begun = true;
    getcontext(&beginning);
    beginning.uc_stack.ss_sp = actor->stack;
    beginning.uc_stack.ss_size = sizeof(actor->stack);
    makecontext(&beginning, (void (*)(void))live, 1, end);
    swapcontext(&explorer, &beginning);
}

static void go(enum choice choice, int end)
{
    switch (choice) {
    case SHOW:
        make_visible(&world.actor[end]);
        return;
    case KILL:
        kill_actor(end);
        return;
    case NAP_ENDS:
        world.actor[end].nap_over = true;
        break;
    default:
        break;
    }
    world.switches -= is_switch(end);
    world.last = end;
    current = end;
    if (_setjmp(explorer_place) == 0)
        resume(end);
    current = -1;
}

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0xff51afd7ed558ccdu;
    *hash ^= *hash >> 32;
}

static void mix_bytes(uint64_t *hash, const void *bytes, size_t length)
{
    uint64_t word;

    for (size_t at = 0; at + 8 <= length; at += 8) {
        memcpy(&word, (const uint8_t *)bytes + at, 8);
        mix(hash, word);
    }
}

/* Counts are there to be read by people, or decide how long to spin, which nobody does here. */
static void forget_counts(crossvm_channel_t *channel)
{
    channel->send.failed_spins = channel->recv.failed_spins = channel->failed_spins = 0;
    channel->send.emits = channel->send.waits = channel->recv.emits = channel->recv.waits = 0;
    channel->waits = channel->sessions = 0;
}

/* All that decides what can happen next. Left-overs on the stacks count, too: then a state is explored twice. */
static uint64_t state_of_world(void)
{
    uint64_t hash = (uint64_t)world.kills + 1;

    mix(&hash, (uint64_t)world.last << 32 | (uint64_t)world.switches);
    mix_bytes(&hash, world.memory, CROSSVM_CHANNEL_RINGS_AT + 64);
    for (int end = 0; end < 2; end++) {
        struct actor *actor = &world.actor[end];

        forget_counts(&actor->channel);
        mix_bytes(&hash, &actor->channel, sizeof(actor->channel));
        mix_bytes(&hash, actor->place, sizeof(actor->place));
        mix_bytes(&hash, actor->stack_used, (size_t)(actor->stack + sizeof(actor->stack) - actor->stack_used));
        mix(&hash, (uint64_t)actor->mood << 8 | (uint64_t)actor->event << 1 | actor->told);
        for (unsigned i = 0; i < actor->buffered; i++)
            mix(&hash, (uint64_t)(uintptr_t)actor->buffer[i].word << 32 ^ actor->buffer[i].value);
        if (actor->mood == NAPPING) /* how many of the other's stores the nap is to outlast */
            for (unsigned i = 0; i < world.actor[1 - end].buffered; i++)
                mix(&hash, (int32_t)(world.actor[1 - end].buffer[i].number - actor->nap_until) < 0);
        mix(&hash, actor->buffered);
    }
    return hash ? hash : 1;
}

/* Whether this state is new. */
static bool visit(void)
{
    const uint64_t mask = (1u << VISITED_BITS) - 1, state = state_of_world();
    uint64_t slot = state & mask;

    while (visited[slot] != 0) {
        if (visited[slot] == state)
            return false;
        slot = (slot + 1) & mask;
    }
    if (++num_visited > mask / 4 * 3) {
        fprintf(stderr, "%s: more states than there is memory for\n", story->name);
        exit(1);
    }
    visited[slot] = state;
    return true;
}

static const char *judge_the_end(void)
{
    for (int end = 0; end < 2; end++)
        if (world.actor[end].mood != FINISHED && !story->forever[end])
            return "both ends wait, or one waits for an end that is over";
    return NULL;
}

/* Stores that change nothing are visible as soon as they are the oldest. */
static void show_what_changes_nothing(void)
{
    for (int end = 0; end < 2; end++) {
        struct actor *actor = &world.actor[end];

        while (actor->buffered > 0 && *actor->buffer[0].word == actor->buffer[0].value)
            make_visible(actor);
    }
}

/* Returns the reason of a failure, or NULL. The choices that led there are printed. */
static const char *explore_from(int depth)
{
    static const char *const names[] = {"goes on", "shows a store", "wakes from a nap", "is killed"};
    static struct world *snapshots[MAX_DEPTH + 1]; /* kept: a new one each time would take longer than the rest */
    struct world *before;
    const char *failure = NULL;
    bool any = false;

    if (world.failure)
        return world.failure;
    show_what_changes_nothing();
    if (!visit())
        return NULL;
    if (depth > MAX_DEPTH)
        return "this goes on and on";
    if (!snapshots[depth])
        snapshots[depth] = malloc(sizeof(world));
    before = snapshots[depth];
    if (!before)
        abort();
    memcpy(before, &world, sizeof(world));
    for (int i = 0; i < 2 * NUM_CHOICES && !failure; i++) {
        const enum choice choice = (enum choice)(i / 2);

        if (!may(choice, i % 2))
            continue;
        any = any || choice != KILL;
        go(choice, i % 2);
        failure = explore_from(depth + 1);
        if (failure)
            fprintf(stderr, "  %3d: end %d %s\n", depth, i % 2, names[choice]);
        memcpy(&world, before, sizeof(world));
    }
    if (!any && !failure) {
        num_ends++;
        failure = judge_the_end();
    }
    return failure;
}

bool explore(const struct story *what)
{
    const char *failure;

    story = what;
    visited = calloc(1u << VISITED_BITS, sizeof(*visited));
    if (!visited)
        abort();
    num_visited = num_ends = 0;
    begin_world();
    failure = explore_from(0);
    if (!failure && num_ends == 0)
        failure = "no order comes to an end";
    printf("%-40s %9llu states, %6llu ways to end: %s\n", story->name, (unsigned long long)num_visited,
           (unsigned long long)num_ends, failure ? failure : "all well");
    fflush(stdout);
    free(visited);
    return !failure;
}
