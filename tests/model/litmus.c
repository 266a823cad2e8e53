/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of the model itself: programs of a few accesses whose outcomes C11 tells. Each outcome that it allows must be
 * found, and no other, except for load buffering, which the model leaves out.
 */
#include <stdio.h>
#include <string.h>

#include "world.h"

#define RLX __ATOMIC_RELAXED
#define ACQ __ATOMIC_ACQUIRE
#define REL __ATOMIC_RELEASE
#define SC __ATOMIC_SEQ_CST

static struct stage {
    uint32_t x, y;
    uint64_t data;
    uint8_t r[4]; /* the outcome: what loads returned */
    int order[4]; /* of the program's accesses */
} stage;

#define LOAD(word, order) (uint8_t) __atomic_load_n(&stage.word, order)
#define STORE(word, value, order) __atomic_store_n(&stage.word, value, order)
#define ADD(word, value, order) (uint8_t) __atomic_fetch_add(&stage.word, value, order)
#define FENCE(order) __atomic_thread_fence(order)

#define THREAD(name, ...)                                                                                              \
    static bool name(unsigned int thread)                                                                              \
    {                                                                                                                  \
        (void)thread;                                                                                                  \
        __VA_ARGS__;                                                                                                   \
        return true;                                                                                                   \
    }

/* One stores two words, the other loads them in the other order. */
THREAD(mp_w, STORE(x, 1, RLX); STORE(y, 1, RLX))
THREAD(mp_w_rel, STORE(x, 1, RLX); STORE(y, 1, REL))
THREAD(mp_w_fence, STORE(x, 1, RLX); FENCE(REL); STORE(y, 1, RLX))
THREAD(mp_w_sc, STORE(x, 1, RLX); STORE(y, 1, SC))
THREAD(mp_r, stage.r[0] = LOAD(y, RLX); stage.r[1] = LOAD(x, RLX))
THREAD(mp_r_acq, stage.r[0] = LOAD(y, ACQ); stage.r[1] = LOAD(x, RLX))
THREAD(mp_r_fence, stage.r[0] = LOAD(y, RLX); FENCE(ACQ); stage.r[1] = LOAD(x, RLX))

/* Each stores one word and loads the other. */
THREAD(sb_0, STORE(x, 1, RLX); stage.r[0] = LOAD(y, RLX))
THREAD(sb_1, STORE(y, 1, RLX); stage.r[1] = LOAD(x, RLX))
THREAD(sb_0_ra, STORE(x, 1, REL); stage.r[0] = LOAD(y, ACQ))
THREAD(sb_1_ra, STORE(y, 1, REL); stage.r[1] = LOAD(x, ACQ))
THREAD(sb_0_fence, STORE(x, 1, RLX); FENCE(SC); stage.r[0] = LOAD(y, RLX))
THREAD(sb_1_fence, STORE(y, 1, RLX); FENCE(SC); stage.r[1] = LOAD(x, RLX))
THREAD(sb_1_half, STORE(y, 1, RLX); FENCE(__ATOMIC_ACQ_REL); stage.r[1] = LOAD(x, RLX))
THREAD(sb_0_sc, STORE(x, 1, SC); stage.r[0] = LOAD(y, SC))
THREAD(sb_1_sc, STORE(y, 1, SC); stage.r[1] = LOAD(x, SC))
THREAD(sb_0_add, (void)ADD(x, 1, SC); stage.r[0] = LOAD(y, SC))

/* Each loads one word and stores the other. */
THREAD(lb_0, stage.r[0] = LOAD(x, RLX); STORE(y, 1, RLX))
THREAD(lb_1, stage.r[1] = LOAD(y, RLX); STORE(x, 1, RLX))
THREAD(lb_1_acq, stage.r[1] = LOAD(y, ACQ); STORE(x, 1, RLX))
THREAD(lb_0_rel, stage.r[0] = LOAD(x, RLX); STORE(y, 1, REL))

/* Two see two independent stores. */
THREAD(iriw_x, STORE(x, 1, RLX))
THREAD(iriw_y, STORE(y, 1, RLX))
THREAD(iriw_xy, stage.r[0] = LOAD(x, ACQ); stage.r[1] = LOAD(y, ACQ))
THREAD(iriw_yx, stage.r[2] = LOAD(y, ACQ); stage.r[3] = LOAD(x, ACQ))
THREAD(iriw_xy_fence, stage.r[0] = LOAD(x, RLX); FENCE(SC); stage.r[1] = LOAD(y, RLX))
THREAD(iriw_yx_fence, stage.r[2] = LOAD(y, RLX); FENCE(SC); stage.r[3] = LOAD(x, RLX))
THREAD(iriw_x_sc, STORE(x, 1, SC))
THREAD(iriw_y_sc, STORE(y, 1, SC))
THREAD(iriw_xy_sc, stage.r[0] = LOAD(x, SC); stage.r[1] = LOAD(y, SC))
THREAD(iriw_yx_sc, stage.r[2] = LOAD(y, SC); stage.r[3] = LOAD(x, SC))

/* Both store both words; the outcome is what is there at the end. */
THREAD(ww_0, STORE(x, 1, RLX); STORE(y, 2, RLX))
THREAD(ww_1, STORE(y, 1, RLX); STORE(x, 2, RLX))
THREAD(ww_0_rel, STORE(x, 1, REL); STORE(y, 2, REL))
THREAD(ww_1_rel, STORE(y, 1, REL); STORE(x, 2, REL))
THREAD(ww_0_fence, STORE(x, 1, RLX); FENCE(SC); STORE(y, 2, RLX))
THREAD(ww_1_fence, STORE(y, 1, RLX); FENCE(SC); STORE(x, 2, RLX))

/* One stores both, the other stores one and loads the other. */
THREAD(r_0, STORE(x, 1, RLX); FENCE(SC); STORE(y, 1, RLX))
THREAD(r_1, STORE(y, 2, RLX); FENCE(SC); stage.r[1] = LOAD(x, RLX))
THREAD(r_1_none, STORE(y, 2, RLX); stage.r[1] = LOAD(x, RLX))

/* One word */
THREAD(co_w, STORE(x, 1, RLX); STORE(x, 2, RLX))
THREAD(co_w1, STORE(x, 1, RLX))
THREAD(co_w2, STORE(x, 2, RLX))
THREAD(co_r01, stage.r[0] = LOAD(x, RLX); stage.r[1] = LOAD(x, RLX))
THREAD(co_r23, stage.r[2] = LOAD(x, RLX); stage.r[3] = LOAD(x, RLX))
THREAD(co_wr, STORE(x, 1, RLX); stage.r[0] = LOAD(x, RLX))
THREAD(add_0, stage.r[0] = ADD(x, 1, RLX))
THREAD(add_1, stage.r[1] = ADD(x, 1, RLX))
THREAD(add_w, STORE(x, 2, RLX))

/* By way of a third */
THREAD(wrc_mid, stage.r[0] = LOAD(x, RLX); STORE(y, 1, REL))
THREAD(wrc_mid_rlx, stage.r[0] = LOAD(x, RLX); STORE(y, 1, RLX))
THREAD(wrc_end, stage.r[1] = LOAD(y, ACQ); stage.r[2] = LOAD(x, RLX))

/* A release that others carry on */
THREAD(rs_w, STORE(x, 1, RLX); STORE(y, 1, REL))
THREAD(rs_add, (void)ADD(y, 1, RLX))
THREAD(rs_own, STORE(x, 1, RLX); STORE(y, 1, REL); STORE(y, 2, RLX))
THREAD(rs_r, stage.r[0] = LOAD(y, ACQ); stage.r[1] = LOAD(x, RLX))

/* Data */
THREAD(data_w_rel, stage.data = 1; STORE(y, 1, REL))
THREAD(data_w_rlx, stage.data = 1; STORE(y, 1, RLX))
THREAD(data_w_before, STORE(y, 1, REL); stage.data = 1)
THREAD(data_w_fence, stage.data = 1; FENCE(REL); STORE(y, 1, RLX))
THREAD(data_r_acq, stage.r[0] = LOAD(y, ACQ); if (stage.r[0]) stage.r[1] = (uint8_t)stage.data)
THREAD(data_r_rlx, stage.r[0] = LOAD(y, RLX); if (stage.r[0]) stage.r[1] = (uint8_t)stage.data)
THREAD(
    data_r_fence, stage.r[0] = LOAD(y, RLX); if (stage.r[0]) {
        FENCE(ACQ);
        stage.r[1] = (uint8_t)stage.data;
    })
THREAD(data_r_then, (void)stage.data; stage.r[1] = (uint8_t)stage.data; STORE(x, 1, REL))
THREAD(data_r_then_rlx, stage.r[1] = (uint8_t)stage.data; STORE(x, 1, RLX))
THREAD(data_w_after, if (LOAD(x, ACQ)) stage.data = 1)

/* Events */
THREAD(event_w, stage.data = 1; world_emit(0, REL))
THREAD(event_w_rlx, stage.data = 1; world_emit(0, RLX))
THREAD(event_w_fence, stage.data = 1; FENCE(REL); world_emit(0, RLX))
THREAD(event_r, (void)world_wait(0, false); stage.r[0] = (uint8_t)stage.data)

/* Time: a sleeper that looks again after a nap, and one that stores and then looks without a fence */
THREAD(nap_sleeper, STORE(x, 1, RLX); FENCE(SC); stage.r[0] = LOAD(y, RLX); (void)world_wait(0, true);
       stage.r[2] = LOAD(y, RLX))
THREAD(nap_awake, STORE(x, 1, RLX); FENCE(SC); stage.r[0] = LOAD(y, RLX); stage.r[2] = LOAD(y, RLX))
THREAD(nap_other, STORE(y, 1, RLX); stage.r[1] = LOAD(x, RLX))

/* Volatile accesses are relaxed ones. */
THREAD(vol_w, *(volatile uint32_t *)&stage.x = 1; *(volatile uint32_t *)&stage.y = 1)
THREAD(vol_r, stage.r[0] = (uint8_t) * (volatile uint32_t *)&stage.y;
       stage.r[1] = (uint8_t) * (volatile uint32_t *)&stage.x)

/* What is found of a program: outcomes as numbers whose digits are what r has. */
static struct outcomes {
    bool found[10000];
} outcomes;

static unsigned int outcome(void)
{
    return stage.r[0] * 1000u + stage.r[1] * 100u + stage.r[2] * 10u + stage.r[3];
}

static void note(void)
{
    outcomes.found[outcome()] = true;
}

static void note_words(void)
{
    stage.r[0] = (uint8_t)stage.x;
    stage.r[1] = (uint8_t)stage.y;
    note();
}

static void note_y(void)
{
    stage.r[0] = (uint8_t)stage.y;
    note();
}

static void note_x(void)
{
    stage.r[2] = (uint8_t)stage.x;
    note();
}

static void begin(const struct story *story)
{
    (void)story;
    world_share_words(&stage.x, 8);
    world_share_data(&stage.data, 8);
}

#define END (-1)
#define RACE (-2) /* instead of outcomes: the program has a race of data */

struct litmus {
    const char *name;
    bool (*run[4])(unsigned int);
    int outcomes[20];
    void (*ended)(void); /* NULL: note() */
};

#define ALL_OF_TWO 0, 100, 1000, 1100, END

static const struct litmus litmus[] = {
    {"MP", .run = {mp_w, mp_r}, .outcomes = {ALL_OF_TWO}},
    {"MP, volatile", .run = {vol_w, vol_r}, .outcomes = {ALL_OF_TWO}},
    {"MP, release only", .run = {mp_w_rel, mp_r}, .outcomes = {ALL_OF_TWO}},
    {"MP, acquire only", .run = {mp_w, mp_r_acq}, .outcomes = {ALL_OF_TWO}},
    {"MP, release fence only", .run = {mp_w_fence, mp_r}, .outcomes = {ALL_OF_TWO}},
    {"MP, release and acquire", .run = {mp_w_rel, mp_r_acq}, .outcomes = {0, 100, 1100, END}},
    {"MP, release fence", .run = {mp_w_fence, mp_r_acq}, .outcomes = {0, 100, 1100, END}},
    {"MP, acquire fence", .run = {mp_w_rel, mp_r_fence}, .outcomes = {0, 100, 1100, END}},
    {"MP, two fences", .run = {mp_w_fence, mp_r_fence}, .outcomes = {0, 100, 1100, END}},
    {"MP, seq_cst and acquire", .run = {mp_w_sc, mp_r_acq}, .outcomes = {0, 100, 1100, END}},
    {"SB", .run = {sb_0, sb_1}, .outcomes = {ALL_OF_TWO}},
    {"SB, release and acquire", .run = {sb_0_ra, sb_1_ra}, .outcomes = {ALL_OF_TWO}},
    {"SB, one fence", .run = {sb_0_fence, sb_1}, .outcomes = {ALL_OF_TWO}},
    {"SB, one fence is acq_rel", .run = {sb_0_fence, sb_1_half}, .outcomes = {ALL_OF_TWO}},
    {"SB, two fences", .run = {sb_0_fence, sb_1_fence}, .outcomes = {100, 1000, 1100, END}},
    {"SB, seq_cst", .run = {sb_0_sc, sb_1_sc}, .outcomes = {100, 1000, 1100, END}},
    {"SB, seq_cst at one side", .run = {sb_0_sc, sb_1}, .outcomes = {ALL_OF_TWO}},
    {"SB, seq_cst and a fence", .run = {sb_0_sc, sb_1_fence}, .outcomes = {100, 1000, 1100, END}},
    {"SB, seq_cst update", .run = {sb_0_add, sb_1_sc}, .outcomes = {100, 1000, 1100, END}},
    {"LB: C11 allows 1 1, the model does not", .run = {lb_0, lb_1}, .outcomes = {0, 100, 1000, END}},
    {"LB, release and acquire", .run = {lb_0_rel, lb_1_acq}, .outcomes = {0, 100, 1000, END}},
    {"IRIW, acquire", .run = {iriw_x, iriw_y, iriw_xy, iriw_yx},
     .outcomes = {0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1010, 1011, 1100, 1101, 1110, 1111, END}},
    {"IRIW, two fences", .run = {iriw_x, iriw_y, iriw_xy_fence, iriw_yx_fence},
     .outcomes = {0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1011, 1100, 1101, 1110, 1111, END}},
    {"IRIW, one fence", .run = {iriw_x, iriw_y, iriw_xy_fence, iriw_yx},
     .outcomes = {0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1010, 1011, 1100, 1101, 1110, 1111, END}},
    {"IRIW, seq_cst", .run = {iriw_x_sc, iriw_y_sc, iriw_xy_sc, iriw_yx_sc},
     .outcomes = {0, 1, 10, 11, 100, 101, 110, 111, 1000, 1001, 1011, 1100, 1101, 1110, 1111, END}},
    {"2+2W", .run = {ww_0, ww_1}, .outcomes = {1100, 1200, 2100, 2200, END}, .ended = note_words},
    {"2+2W, release", .run = {ww_0_rel, ww_1_rel}, .outcomes = {1100, 1200, 2100, 2200, END}, .ended = note_words},
    {"2+2W, one fence", .run = {ww_0_fence, ww_1}, .outcomes = {1100, 1200, 2100, 2200, END}, .ended = note_words},
    {"2+2W, two fences", .run = {ww_0_fence, ww_1_fence}, .outcomes = {1200, 2100, 2200, END}, .ended = note_words},
    {"R, two fences", .run = {r_0, r_1}, .outcomes = {1000, 1100, 2100, END}, .ended = note_y},
    {"R, one fence", .run = {r_0, r_1_none}, .outcomes = {1000, 1100, 2000, 2100, END}, .ended = note_y},
    {"one word, two stores", .run = {co_w, co_r01}, .outcomes = {0, 100, 200, 1100, 1200, 2200, END}},
    {"one word, own store", .run = {co_wr, co_w2}, .outcomes = {1000, 2000, END}},
    {"one word, loads agree on its order", .run = {co_w1, co_w2, co_r01, co_r23}, .outcomes = {END}}, /* see agree() */
    {"updates", .run = {add_0, add_1}, .outcomes = {120, 1020, END}, .ended = note_x},
    {"updates and a store", .run = {add_0, add_w}, .outcomes = {20, 2030, END}, .ended = note_x},
    {"WRC", .run = {co_w1, wrc_mid, wrc_end}, .outcomes = {0, 10, 100, 110, 1000, 1010, 1110, END}},
    {"WRC, relaxed", .run = {co_w1, wrc_mid_rlx, wrc_end}, .outcomes = {0, 10, 100, 110, 1000, 1010, 1100, 1110, END}},
    {"release, carried on by an update", .run = {rs_w, rs_add, rs_r}, .outcomes = {0, 100, 1000, 1100, 2100, END}},
    {"release, not carried on by a store", .run = {rs_own, rs_r}, .outcomes = {0, 100, 1100, 2000, 2100, END}},
    {"data, release and acquire", .run = {data_w_rel, data_r_acq}, .outcomes = {0, 1100, END}},
    {"data, fences", .run = {data_w_fence, data_r_fence}, .outcomes = {0, 1100, END}},
    {"data, release only", .run = {data_w_rel, data_r_rlx}, .outcomes = {RACE}},
    {"data, acquire only", .run = {data_w_rlx, data_r_acq}, .outcomes = {RACE}},
    {"data, after the release", .run = {data_w_before, data_r_acq}, .outcomes = {RACE}},
    {"data, stored after it was loaded", .run = {data_r_then, data_w_after}, .outcomes = {0, END}},
    {"data, stored after a relaxed hint", .run = {data_r_then_rlx, data_w_after}, .outcomes = {RACE}},
    {"data, event", .run = {event_w, event_r}, .outcomes = {1000, END}},
    {"data, event after a fence", .run = {event_w_fence, event_r}, .outcomes = {1000, END}},
    {"data, event that orders nothing", .run = {event_w_rlx, event_r}, .outcomes = {RACE}},
    {"no time passes", .run = {nap_awake, nap_other}, .outcomes = {0, 10, 100, 110, 1010, 1110, END}},
    {"1 ms passes", .run = {nap_sleeper, nap_other}, .outcomes = {10, 100, 110, 1010, 1110, END}},
};

static bool is_expected(const struct litmus *test, int found)
{
    for (const int *it = test->outcomes; *it >= 0; it++)
        if (*it == found)
            return true;
    return false;
}

/* Two threads that load one word twice: not both orders of its stores at once. */
static bool agree(void)
{
    for (unsigned int i = 0; i < 10000; i++)
        if (outcomes.found[i] && (i == 1221 || i == 2112))
            return false;
    return outcomes.found[1212] && outcomes.found[2121] && outcomes.found[1200] && outcomes.found[21];
}

static bool check(const struct litmus *test)
{
    struct story story = {.name = test->name, .begin = begin, .ended = test->ended ? test->ended : note};
    const char *failure;
    bool well = true;

    memcpy(story.run, test->run, sizeof(story.run));
    while (story.threads < 4 && story.run[story.threads])
        story.threads++;
    story.naps = test->run[0] == nap_sleeper;
    memset(&outcomes, 0, sizeof(outcomes));
    failure = explore_quietly(&story);
    if (test->outcomes[0] == RACE) {
        if (failure && strstr(failure, "race"))
            return true;
        fprintf(stderr, "%s: the race was not found\n", test->name);
        return false;
    }
    if (failure) {
        fprintf(stderr, "%s: %s\n", test->name, failure);
        return false;
    }
    if (test->outcomes[0] == END)
        return agree();
    for (int i = 0; i < 10000; i++) {
        if (outcomes.found[i] == is_expected(test, i))
            continue;
        fprintf(stderr, "%s: outcome %04d %s\n", test->name, i,
                outcomes.found[i] ? "is not possible, and was found" : "is possible, and was not found");
        well = false;
    }
    return well;
}

int main(void)
{
    int failed = 0;

    world_stage(&stage, sizeof(stage));
    for (size_t i = 0; i < sizeof(litmus) / sizeof(litmus[0]); i++)
        failed += !check(&litmus[i]);
    printf("%zu programs of a few accesses, %d of them with other outcomes than in C11\n",
           sizeof(litmus) / sizeof(litmus[0]), failed);
    return failed > 0;
}
