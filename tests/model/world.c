/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "world_state.h"

#define MAX_RANGES 8
#define RANGE_WORDS 8192

struct world world;
const struct story *story;
struct stage_memory stage_memory;
struct known known;
int current = -1;

static ucontext_t explorer, beginning;
static jmp_buf explorer_place;

__attribute__((noinline)) void stop_here(enum stop stop)
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

static struct range ranges[MAX_RANGES];
static unsigned int num_ranges, range_words, range_grains;
static uint8_t number_at[RANGE_WORDS]; /* of the word there one more than the number, or 0 */

void world_stage(void *memory, size_t bytes)
{
    stage_memory = (struct stage_memory){memory, bytes};
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

bool doorbell_of(const volatile void *address, unsigned int *bell)
{
    *bell = doorbell.bell;
    return current >= 0 && address == doorbell.word;
}

unsigned int num_grains(void)
{
    return range_grains;
}

void forget_known(void)
{
    memset(&known, 0, sizeof(known));
    memset(number_at, 0, sizeof(number_at));
}

const struct range *range_of(const volatile void *address)
{
    if (current < 0)
        return NULL;
    for (unsigned int i = 0; i < num_ranges; i++)
        if ((size_t)((const uint8_t *)address - ranges[i].from) < ranges[i].bytes)
            return &ranges[i];
    return NULL;
}

unsigned int word_of(const struct range *range, const volatile void *address, size_t size, bool is_write)
{
    const uint8_t *at = (const uint8_t *)address;
    uint8_t *number = &number_at[range->first + (unsigned int)(at - range->from) / 4];
    const unsigned int bit = 1u << current;
    struct word *word;

    if (*number == 0) {
        if (known.num_words == MEMORY_WORDS) {
            fprintf(stderr, "%s has more words than there is room for\n", story->name);
            exit(1);
        }
        known.words[known.num_words] = (struct word){.address = stage_memory.memory, .size = size};
        known.words[known.num_words].address += at - (const uint8_t *)stage_memory.memory;
        *number = (uint8_t)++known.num_words;
        known.learned = true;
    }
    word = &known.words[*number - 1];
    if (word->size != size)
        world_fail("accesses of different sizes to one word");
    if (!(word->users & bit) || (is_write && !(word->writers & bit)))
        known.learned = true;
    word->users |= bit;
    word->writers |= is_write ? bit : 0;
    if (known.learned)
        stop_here(ENDS);
    return *number - 1u;
}

void note_order(int order)
{
    if (known.relaxes || (order != __ATOMIC_RELAXED && order != __ATOMIC_ACQUIRE && order != __ATOMIC_CONSUME))
        return;
    known.relaxes = known.learned = true;
    stop_here(ENDS);
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
    access_complete();
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
    access_complete();
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
    access_complete();
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
void kill_thread(unsigned int thread)
{
    begin_life(thread);
    world.kills--;
    story->killed(thread);
}

void begin_world(void)
{
    memset(&world, 0, sizeof(world));
    memset(stage_memory.memory, 0, stage_memory.bytes);
    access_forget();
    doorbell.word = NULL;
    num_ranges = range_words = range_grains = 0;
    getcontext(&beginning); /* once: registers that differ at each beginning would make states differ */
    world.kills = story->kills;
    world.switches = story->switches;
    story->begin(story);
    memory_begin(&world.memory, story->threads, known.num_words);
    for (unsigned int i = 0; i < known.num_words; i++) {
        world.memory.messages[i].value = get(known.words[i].address, known.words[i].size);
        world.memory.users[i] = (uint8_t)known.words[i].users;
    }
    world.memory.relaxes = known.relaxes;
    for (unsigned int i = 0; i < story->threads; i++)
        begin_life(i);
}

void resume(unsigned int thread)
{
    struct actor *actor = &world.actor[thread];

    current = (int)thread;
    if (_setjmp(explorer_place) == 0) {
        if (actor->begun)
            _longjmp(actor->place, 1);
        actor->begun = true;
        beginning.uc_stack.ss_sp = actor->stack;
        beginning.uc_stack.ss_size = sizeof(actor->stack);
        makecontext(&beginning, (void (*)(void))live, 1, (int)thread);
        swapcontext(&explorer, &beginning);
    }
    current = -1;
}
