/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cases of a scenario: each has a name and gives one verdict. One scenario a program, one thread.
 */
#pragma once

#include <stdint.h>

/*
 * Bounds what would hang, and nothing else: no case passes or fails by how long something takes. Long enough for a busy
 * machine that emulates another.
 */
#define HANG_MS 1200000

/** Names the scenario; first of all. The name must stay valid. */
void cases_start(const char *name);

/** Runs a case and prints its verdict: "case SCENARIO/NAME: ok", or FAILED and the reason. */
void run_case(const char *name, void (*function)(void));
#define RUN(function) run_case(#function, function)

/** How many cases have failed. */
int cases_failed(void);

/** Prints that the scenario came to its end, with how many failures. The program's exit status. */
int cases_end(void);

/**
 * Calls a function that may fail().
 *
 * @return NULL, or the reason, valid until the next failure
 */
const char *attempt(void (*function)(void *), void *argument);

/** Ends the case, or the attempt, with a reason. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail(__VA_ARGS__);                                                                                         \
    } while (0)

/** Milliseconds of a clock that only goes forward. */
int64_t now_ms(void);
