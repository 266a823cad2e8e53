/* SPDX-License-Identifier: BSD-2-Clause */
/* The explorer: depth first, never twice into the same state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world_state.h"

#define MAX_DEPTH 3000
#define VISITED_AT_FIRST 0x10000 /* a power of two */

enum choice { STEP, NAP_ENDS, KILL, NUM_CHOICES };

static const char learn_more[] = "begin again";
static bool quiet;
static uint64_t *visited; /* hashes of states, each at the first place from its own that was free */
static uint64_t visited_places, num_visited, num_ends;

static bool can_go_on(const struct actor *actor)
{
    return actor->mood == READY || ((actor->mood == ASLEEP || actor->mood == NAPPING) && world.event[actor->bell]);
}

/* Going on with this thread takes the turn from one that could go on. */
static bool is_switch(unsigned int thread)
{
    return story->switches > 0 && (int)thread != world.last && can_go_on(&world.actor[world.last]);
}

/* In how many ways a thread can go on. */
static unsigned int steps(unsigned int thread)
{
    const struct actor *actor = &world.actor[thread];
    unsigned int picks = 1;

    if (!can_go_on(actor) || (is_switch(thread) && world.switches == 0))
        return 0;
    if (actor->stop == LOADS)
        picks = memory_loads(&world.memory, thread, actor->word, actor->order);
    else if (actor->stop == STORES)
        picks = memory_stores(&world.memory, thread, actor->word, actor->order);
    else if (actor->stop == UPDATES)
        picks = memory_updates(&world.memory, thread, actor->word, actor->order);
    return picks;
}

static unsigned int ways(enum choice choice, unsigned int thread)
{
    const struct actor *actor = &world.actor[thread];

    switch (choice) {
    case STEP:
        return steps(thread);
    case NAP_ENDS:
        return actor->mood == NAPPING && !world.event[actor->bell];
    case KILL:
        return world.kills > 0 && actor->mood != FINISHED && story->run[thread];
    default:
        return 0;
    }
}

static void go(enum choice choice, unsigned int thread, unsigned int pick)
{
    if (choice == KILL) {
        kill_thread(thread);
        return;
    }
    if (choice == NAP_ENDS) {
        world.actor[thread].nap_over = true;
        memory_nap_ends(&world.memory, thread);
    }
    world.actor[thread].pick = pick;
    world.switches -= is_switch(thread);
    world.last = (int)thread;
    resume(thread);
}

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0xff51afd7ed558ccdu;
    *hash ^= *hash >> 32;
}

static void mix_bytes(uint64_t *hash, const void *bytes, size_t length)
{
    uint64_t word = 0;
    size_t at = 0;

    for (; at + 8 <= length; at += 8) {
        memcpy(&word, (const uint8_t *)bytes + at, 8);
        mix(hash, word);
    }
    if (at < length) {
        word = 0;
        memcpy(&word, (const uint8_t *)bytes + at, length - at);
        mix(hash, word);
    }
}

/* All that decides what can happen next. Left-overs on the stacks count, too: then a state is explored twice. */
static uint64_t state_of_world(void)
{
    const struct memory *memory = &world.memory;
    uint64_t hash = (uint64_t)world.kills + 1;

    if (story->switches > 0)
        mix(&hash, (uint64_t)world.last << 32 | (uint64_t)world.switches);
    mix_bytes(&hash, world.event, sizeof(world.event));
    mix_bytes(&hash, memory->views, sizeof(memory->views));
    mix_bytes(&hash, memory->gone, sizeof(memory->gone));
    mix_bytes(&hash, memory->count, known.num_words);
    mix_bytes(&hash, memory->grains, num_grains() * sizeof(memory->grains[0]));
    mix_bytes(&hash, memory->messages, memory->num_messages * sizeof(memory->messages[0]));
    mix_bytes(&hash, stage_memory.memory, stage_memory.bytes);
    for (unsigned int i = 0; i < story->threads; i++) {
        const struct actor *actor = &world.actor[i];

        mix(&hash, (uint64_t)actor->mood << 8 | (uint64_t)actor->stop);
        if (actor->mood == FINISHED)
            continue;
        mix_bytes(&hash, actor->place, sizeof(actor->place));
        mix_bytes(&hash, actor->stack_used, (size_t)(actor->stack + sizeof(actor->stack) - actor->stack_used));
        mix(&hash, (uint64_t)actor->word << 32 | (uint64_t)actor->bell << 16 | (uint64_t)actor->order);
    }
    return hash ? hash : 1;
}

static void make_places(uint64_t places)
{
    visited_places = places;
    visited = calloc(places, sizeof(*visited));
    if (visited)
        return;
    fprintf(stderr, "%s: more states than there is memory for: let it have fewer switches\n", story->name);
    exit(1);
}

/* Where a state is, or where it goes. */
static uint64_t *place_of(uint64_t state)
{
    uint64_t place = state & (visited_places - 1);

    while (visited[place] != 0 && visited[place] != state)
        place = (place + 1) & (visited_places - 1);
    return &visited[place];
}

static void make_more_places(void)
{
    const uint64_t before = visited_places;
    uint64_t *const old = visited;

    make_places(2 * before);
    for (uint64_t i = 0; i < before; i++)
        if (old[i] != 0)
            *place_of(old[i]) = old[i];
    free(old);
}

/* Whether this state is new. */
static bool visit(void)
{
    uint64_t state;

    memory_tidy(&world.memory);
    if (story->forget)
        story->forget();
    state = state_of_world();
    if (*place_of(state) == state)
        return false;
    if (++num_visited > visited_places / 4 * 3)
        make_more_places();
    *place_of(state) = state;
    return true;
}

static const char *judge_the_end(void)
{
    for (unsigned int i = 0; i < story->threads; i++)
        if (world.actor[i].mood != FINISHED && !story->forever[i])
            return "all threads wait, or one waits for what never comes";
    if (story->ended)
        story->ended();
    return world.failure;
}

/* Copies of all that there is, one for each depth: kept, since new ones would take longer than the rest. */
static struct snapshot {
    void *world, *stage;
} snapshots[MAX_DEPTH + 1];

static size_t world_bytes(void)
{
    return offsetof(struct world, actor) + story->threads * sizeof(struct actor);
}

static void take_snapshot(struct snapshot *snapshot)
{
    if (!snapshot->world) {
        snapshot->world = malloc(sizeof(world));
        snapshot->stage = malloc(stage_memory.bytes);
        if (!snapshot->world || !snapshot->stage)
            abort();
    }
    memcpy(snapshot->world, &world, world_bytes());
    memcpy(snapshot->stage, stage_memory.memory, stage_memory.bytes);
}

static void go_back(const struct snapshot *snapshot)
{
    memcpy(&world, snapshot->world, world_bytes());
    memcpy(stage_memory.memory, snapshot->stage, stage_memory.bytes);
    access_forget();
}

static void print_choice(int depth, unsigned int thread, enum choice choice, unsigned int pick)
{
    static const char *const names[] = {"goes on",     "loads", "stores", "updates",
                                        "has a fence", "emits", "waits",  "ends"};
    const struct actor *actor = &world.actor[thread];

    fprintf(stderr, "  %3d: thread %u ", depth, thread);
    if (choice == KILL)
        fprintf(stderr, "is killed\n");
    else if (choice == NAP_ENDS)
        fprintf(stderr, "wakes from a nap\n");
    else if (actor->stop == LOADS || actor->stop == STORES || actor->stop == UPDATES)
        fprintf(stderr, "%s the word at %zx, %u before the last\n", names[actor->stop],
                (size_t)(known.words[actor->word].address - (uint8_t *)stage_memory.memory), pick);
    else
        fprintf(stderr, "%s\n", names[actor->stop]);
}

/* Returns the reason of a failure, or NULL. The choices that led there are printed. */
static const char *explore_from(int depth)
{
    const char *failure = NULL;
    bool any = false;

    if (known.learned)
        return learn_more;
    if (world.failure)
        return world.failure;
    if (!visit())
        return NULL;
    if (depth > MAX_DEPTH)
        return "this goes on and on";
    take_snapshot(&snapshots[depth]);
    for (unsigned int i = 0; i < story->threads * NUM_CHOICES && !failure; i++) {
        const enum choice choice = (enum choice)(i / story->threads);
        const unsigned int thread = i % story->threads, picks = ways(choice, thread);

        any = any || (picks > 0 && choice != KILL);
        for (unsigned int pick = 0; pick < picks && !failure; pick++) {
            go(choice, thread, pick);
            failure = explore_from(depth + 1);
            go_back(&snapshots[depth]);
            if (failure && failure != learn_more && !quiet)
                print_choice(depth, thread, choice, pick);
        }
    }
    if (!any && !failure) {
        num_ends++;
        failure = judge_the_end();
    }
    return failure;
}

static const char *explore_all(const struct story *what)
{
    const char *failure;

    story = what;
    forget_known();
    do {
        make_places(VISITED_AT_FIRST);
        known.learned = false;
        num_visited = num_ends = 0;
        begin_world();
        failure = explore_from(0);
        free(visited);
    } while (failure == learn_more);
    return !failure && num_ends == 0 ? "no order comes to an end" : failure;
}

const char *explore_quietly(const struct story *what)
{
    quiet = true;
    return explore_all(what);
}

bool explore(const struct story *what)
{
    const char *failure;

    quiet = false;
    failure = explore_all(what);
    printf("%-40s %9llu states, %6llu ways to end: %s\n", story->name, (unsigned long long)num_visited,
           (unsigned long long)num_ends, failure ? failure : "all well");
    fflush(stdout);
    return !failure;
}

int explore_stories(const struct story *stories, size_t count, size_t quick, int argc, char **argv)
{
    const bool is_quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    bool well = true, any = false;

    for (size_t i = 0; i < (is_quick ? quick : count); i++) {
        if (argc > 1 && !is_quick && strcmp(argv[1], stories[i].name) != 0)
            continue;
        well = explore(&stories[i]) && well;
        any = true;
    }
    if (!any)
        fprintf(stderr, "%s: there is no story \"%s\"\n", argv[0], argv[1]);
    return well && any ? 0 : 1;
}
