/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of channels of programs share: a directory of sockets of their own, and in it a `crossvm pair` that offers
 * the ends of "link": link.0 and link.1, with a dataport of 64 KiB that both write, one that only end 0 writes, and one
 * of 4 KiB that both write.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <crossvm/end_channel.h>
#include <sys/types.h>

#define pair_case(function) cmocka_unit_test_setup_teardown(function, pair_set_up, pair_tear_down)

/** The tool's path: to be set before the first case. */
extern const char *pair_tool;

int pair_set_up(void **state);
int pair_tear_down(void **state);

/** Kills the server, as a crash would. */
void pair_kill_server(void);

/** Sends the server a signal: SIGSTOP or SIGCONT. */
void pair_signal_server(int number);

/** Starts the server again. */
void pair_start_server(void);

/** Its process. */
pid_t pair_server(void);

/** Opens an end, or fails the case. */
crossvm_end_t *pair_open(int end);

/** A channel of an end, with the defaults except for the mode. */
crossvm_channel_t *pair_channel(crossvm_end_t *end, unsigned int mode);

/** Both ends in a session: with the same mode in this process. */
struct both {
    crossvm_end_t *end[2];
    crossvm_channel_t *channel[2];
};

struct both pair_both(unsigned int mode);
void pair_close(struct both *both);

/** A new process that runs a function and ends; the caller reaps it. */
pid_t pair_fork(void (*run)(void *), void *argument);

/** Milliseconds of CLOCK_MONOTONIC. */
double pair_ms(void);
