/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "access.h"

#define STACK_BYTES 8192
#define MAX_DEPTH 3000
#define VISITED_AT_FIRST 0x10000 /* a power of two */
#define MAX_RANGES 8
#define RANGE_WORDS 8192

enum mood { READY, ASLEEP, NAPPING, FINISHED };

/* Why a thread has stopped: what it does next. */
enum stop { BEGINS, LOADS, STORES, UPDATES, FENCES, EMITS, WAITS, ENDS };

struct actor {
    jmp_buf place; /* where it stopped */
    uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
    uint8_t *stack_used; /* from here on, where it stopped */
    bool begun;
    enum mood mood;
    enum stop stop;
    unsigned int word, bell; /* of what it does next */
    int order;
    unsigned int pick; /* the explorer's choice for that */
    bool nap_over;     /* the sleep ends because its time is over */
};

/* Everything but the stage. */
static struct world {
    int kills;
    int last;            /* thread that went on last */
    int switches, stale; /* how often that may still happen */
    bool event[MEMORY_BELLS];
    const char *failure;
    struct memory memory;
    struct actor actor[MEMORY_THREADS]; /* copied as far as the story has threads */
} world;

static const struct story *story;
static void *stage;
static size_t stage_bytes;
static ucontext_t explorer, beginning;
static jmp_buf explorer_place;
static int current = -1; /* whose turn it is; -1 outside of any */

static __attribute__((noinline)) void stop_here(enum stop stop)
{
    struct actor *actor = &world.actor[current];

    actor->stop = stop;
    actor->stack_used = __builtin_frame_address(0);
    /* Not swapcontext(), which asks the system for the signal mask each time. */
    if (_setjmp(actor->place) == 0)
        _longjmp(explorer_place, 1);
}

void world_fail(const char *reason)
{
    world.failure = reason;
    stop_here(ENDS);
}

unsigned int world_thread(void)
{
    return (unsigned int)current;
}

/*
 * What is shared
 */

static struct range {
    const uint8_t *from;
    size_t bytes;
    bool words;
    unsigned int first; /* word or grain */
} ranges[MAX_RANGES];
static unsigned int num_ranges, range_words, range_grains;

/*
 * Words get a number when they are first accessed. What is known of them stays for all of the story: who accesses a
 * word that nobody else writes need not stop there. When the explorer learns more of that, it begins again.
 */
static uint8_t number_at[RANGE_WORDS]; /* one more than the number, or 0 */
static struct word {
    uint8_t *address;
    size_t size;
    unsigned int writers, users; /* bits */
} words[MEMORY_WORDS];
static unsigned int num_words;
static bool relaxes, learned; /* some stores are relaxed; that, or something of a word, is news */

void world_stage(void *memory, size_t bytes)
{
    stage = memory;
    stage_bytes = bytes;
}

static void share(const volatile void *from, size_t bytes, bool is_words, unsigned int first)
{
    if (num_ranges == MAX_RANGES || range_words > RANGE_WORDS || range_grains > MEMORY_GRAINS) {
        fprintf(stderr, "%s shares more than there is room for\n", story->name);
        exit(1);
    }
    ranges[num_ranges++] = (struct range){(const uint8_t *)from, bytes, is_words, first};
}

void world_share_words(const volatile void *from, size_t bytes)
{
    const unsigned int first = range_words;

    range_words += (unsigned int)(bytes / 4);
    share(from, bytes, true, first);
}

void world_share_data(const volatile void *from, size_t bytes)
{
    const unsigned int first = range_grains;

    range_grains += (unsigned int)(bytes / MEMORY_GRAIN);
    share(from, bytes, false, first);
}

static struct {
    const volatile void *word;
    unsigned int bell;
} doorbell;

void world_share_doorbell(const volatile void *word, unsigned int bell)
{
    doorbell.word = word;
    doorbell.bell = bell;
}

static const struct range *range_of(const volatile void *address)
{
    if (current < 0)
        return NULL;
    for (unsigned int i = 0; i < num_ranges; i++)
        if ((size_t)((const uint8_t *)address - ranges[i].from) < ranges[i].bytes)
            return &ranges[i];
    return NULL;
}

static unsigned int word_of(const struct range *range, const volatile void *address, size_t size, bool is_write)
{
    const uint8_t *at = (const uint8_t *)address;
    uint8_t *number = &number_at[range->first + (unsigned int)(at - range->from) / 4];
    const unsigned int bit = 1u << current;
    struct word *word;

    if (*number == 0) {
        if (num_words == MEMORY_WORDS) {
            fprintf(stderr, "%s has more words than there is room for\n", story->name);
            exit(1);
        }
        words[num_words] = (struct word){.address = stage, .size = size};
        words[num_words].address += at - (const uint8_t *)stage;
        *number = (uint8_t)++num_words;
        learned = true;
    }
    word = &words[*number - 1];
    if (word->size != size)
        world_fail("accesses of different sizes to one word");
    if (!(word->users & bit) || (is_write && !(word->writers & bit)))
        learned = true;
    word->users |= bit;
    word->writers |= is_write ? bit : 0;
    if (learned)
        stop_here(ENDS);
    return *number - 1u;
}

/* Notes the order of a store, or of an event. */
static void note_order(int order)
{
    if (relaxes || (order != __ATOMIC_RELAXED && order != __ATOMIC_ACQUIRE && order != __ATOMIC_CONSUME))
        return;
    relaxes = learned = true;
    stop_here(ENDS);
}

static uint64_t get(const void *address, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, address, size); /* little-endian, as all machines on which this runs */
    return value;
}

/*
 * Accesses
 */

/* A volatile access is made after it was announced. Then the stage has what it loads, or gets what it stores. Else the
 * stage has the last message of each word. */
static struct {
    const struct word *word;
    bool is_write;
    uint64_t last;
} announced;

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
    /* A store earlier than it need be leaves each choice, for who could load the message before it still can: except
     * where time passes, and in the order of what is sequentially consistent. */
    if (words[word].writers & others ||
        (words[word].users & others && (world.kills > 0 || story->naps || order == __ATOMIC_SEQ_CST)))
        stop_for(STORES, word, order);
    memory_store(&world.memory, (unsigned int)current, word, value, order, world.actor[current].pick);
    if (world.actor[current].pick == 0)
        memcpy(words[word].address, &value, words[word].size);
}

/* Before anything else happens: a volatile access that was announced has been made by now. */
static void complete_announced(void)
{
    const struct word *word = announced.word;
    uint64_t value;

    announced.word = NULL;
    if (!word)
        return;
    value = get(word->address, word->size);
    memcpy(word->address, &announced.last, word->size);
    if (announced.is_write)
        store((unsigned int)(word - words), value, __ATOMIC_RELAXED);
}

static uint64_t load(unsigned int word, int order)
{
    struct actor *actor = &world.actor[current];

    actor->pick = 0;
    if (words[word].writers & ~(1u << current) || order == __ATOMIC_SEQ_CST)
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

    complete_announced();
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

    complete_announced();
    if (current >= 0 && address == doorbell.word) {
        world_emit(doorbell.bell, __ATOMIC_RELAXED);
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

    complete_announced();
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
    if (words[word].users & ~(1u << current))
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
    complete_announced();
    if (current < 0)
        return;
    if (order == __ATOMIC_SEQ_CST)
        stop_here(FENCES);
    memory_fence(&world.memory, (unsigned int)current, order);
}

void access_plain(const volatile void *address, size_t size, bool is_write)
{
    const struct range *range;

    complete_announced();
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

    complete_announced();
    range = range_of(address);
    if (!range || !range->words) {
        if (range)
            check_data(range, address, size, is_write);
        return;
    }
    word = word_of(range, address, size, is_write);
    if (!is_write)
        value = load(word, __ATOMIC_RELAXED);
    announced.word = &words[word];
    announced.is_write = is_write;
    announced.last = get(words[word].address, size);
    if (!is_write)
        memcpy(words[word].address, &value, size);
}

/*
 * Events
 */

void world_add_event(unsigned int bell)
{
    world.event[bell] = true;
}

void world_forget_event(unsigned int bell)
{
    world.event[bell] = false;
}

bool world_has_ended(unsigned int thread)
{
    return world.actor[thread].mood == FINISHED;
}

void world_emit(unsigned int bell, int order)
{
    complete_announced();
    if (current >= 0) {
        world.actor[current].bell = bell;
        note_order(order);
        stop_here(EMITS);
        memory_emit(&world.memory, (unsigned int)current, bell, order);
    }
    world.event[bell] = true;
}

bool world_take(unsigned int bell)
{
    complete_announced();
    if (current < 0)
        return false;
    world.actor[current].bell = bell;
    stop_here(WAITS);
    if (!world.event[bell])
        return false;
    world.event[bell] = false;
    memory_take(&world.memory, (unsigned int)current, bell);
    return true;
}

bool world_wait(unsigned int bell, bool nap)
{
    struct actor *actor = &world.actor[current];

    if (world_take(bell))
        return true;
    actor->mood = nap ? NAPPING : ASLEEP;
    actor->nap_over = false;
    if (nap)
        memory_nap(&world.memory, (unsigned int)current);
    stop_here(WAITS);
    actor->mood = READY;
    if (actor->nap_over) {
        actor->nap_over = false;
        return false;
    }
    world.event[bell] = false;
    memory_take(&world.memory, (unsigned int)current, bell);
    return true;
}

/*
 * Lives
 */

static void live(int thread)
{
    if (!story->run[thread]((unsigned int)thread))
        world.failure = "a thread did not end well";
    complete_announced();
    world.actor[thread].mood = FINISHED;
    memory_end(&world.memory, (unsigned int)thread);
    for (;;)
        stop_here(ENDS);
}

static void begin_life(unsigned int thread)
{
    struct actor *actor = &world.actor[thread];

    memset(actor, 0, sizeof(*actor));
    actor->stack_used = actor->stack + sizeof(actor->stack);
}

/* Its successor knows all that it did: processes come and go by the kernel. */
static void kill_thread(unsigned int thread)
{
    begin_life(thread);
    world.kills--;
    story->killed(thread);
}

static void begin_world(void)
{
    memset(&world, 0, sizeof(world));
    memset(stage, 0, stage_bytes);
    announced.word = NULL;
    doorbell.word = NULL;
    num_ranges = range_words = range_grains = 0;
    world.kills = story->kills;
    world.switches = story->switches;
    world.stale = story->stale;
    story->begin(story);
    memory_begin(&world.memory, story->threads, num_words);
    for (unsigned int i = 0; i < num_words; i++) {
        world.memory.messages[i].value = get(words[i].address, words[i].size);
        world.memory.users[i] = (uint8_t)words[i].users;
    }
    world.memory.relaxes = relaxes;
    for (unsigned int i = 0; i < story->threads; i++)
        begin_life(i);
}

/*
 * The explorer: depth first, never twice into the same state
 */

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
    return story->stale && world.stale == 0 ? 1 : picks;
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

static void resume(unsigned int thread)
{
    struct actor *actor = &world.actor[thread];

    if (actor->begun)
        _longjmp(actor->place, 1);
    actor->begun = true;
    beginning.uc_stack.ss_sp = actor->stack;
    beginning.uc_stack.ss_size = sizeof(actor->stack);
    makecontext(&beginning, (void (*)(void))live, 1, (int)thread);
    swapcontext(&explorer, &beginning);
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
    world.stale -= pick > 0 && story->stale > 0;
    world.switches -= is_switch(thread);
    world.last = (int)thread;
    current = (int)thread;
    if (_setjmp(explorer_place) == 0)
        resume(thread);
    current = -1;
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

    mix(&hash, (uint64_t)world.last << 32 | (uint64_t)world.switches << 16 | (uint64_t)world.stale);
    mix_bytes(&hash, world.event, sizeof(world.event));
    mix_bytes(&hash, memory->views, sizeof(memory->views));
    mix_bytes(&hash, memory->gone, sizeof(memory->gone));
    mix_bytes(&hash, memory->count, num_words);
    mix_bytes(&hash, memory->grains, range_grains * sizeof(memory->grains[0]));
    mix_bytes(&hash, memory->messages, memory->num_messages * sizeof(memory->messages[0]));
    mix_bytes(&hash, stage, stage_bytes);
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
        snapshot->stage = malloc(stage_bytes);
        if (!snapshot->world || !snapshot->stage)
            abort();
    }
    memcpy(snapshot->world, &world, world_bytes());
    memcpy(snapshot->stage, stage, stage_bytes);
}

static void go_back(const struct snapshot *snapshot)
{
    memcpy(&world, snapshot->world, world_bytes());
    memcpy(stage, snapshot->stage, stage_bytes);
    announced.word = NULL;
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
                (size_t)(words[actor->word].address - (uint8_t *)stage), pick);
    else
        fprintf(stderr, "%s\n", names[actor->stop]);
}

/* Returns the reason of a failure, or NULL. The choices that led there are printed. */
static const char *explore_from(int depth)
{
    const char *failure = NULL;
    bool any = false;

    if (learned)
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
    getcontext(&beginning); /* once: registers that differ at each beginning would make states differ */
    num_words = 0;
    relaxes = false;
    memset(number_at, 0, sizeof(number_at));
    do {
        make_places(VISITED_AT_FIRST);
        learned = false;
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
