/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hub in a thread of the test, with a folder of its own. Connection "x" has dataports of 64 KiB that both ends write,
 * of 12 KiB that only end 1 writes, and of 2 MiB that both write; connection "y" one of 4 KiB. A VMM takes end 0 of
 * each at the socket x.vfio or y.vfio, a program end 1. Connection "s" has dataports of 64 KiB and 2 MiB, and a VMM
 * takes end 0 at s.0.ivshmem; of connection "t", VMMs take both ends, at t.0.ivshmem and t.1.ivshmem.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <crossvm/crossvm.h>

#define HUB_TEST(function) cmocka_unit_test_setup_teardown(function, hub_set_up, hub_tear_down)

/** cmocka set-up and tear-down; the tear-down fails when the hub kept a descriptor or left something in the folder. */
int hub_set_up(void **state);
int hub_tear_down(void **state);

/** The hub's thread ends; what the hub has stays. */
void hub_stop(void);

/** The hub ends, as its programs do it. hub_tear_down() does what is not done. */
void hub_end(void);

/** The path of a file in the folder, good until the next call but one. */
const char *hub_path(const char *file);

/** Connects to a socket in the folder, of a type such as SOCK_STREAM. */
int hub_connect(const char *file, int type);

/** Opens the program's end of a connection. */
crossvm_end_t *hub_open(const char *name);

/** Descriptors that this process has. */
int hub_count_descriptors(void);

/** Waits until the hub waits, too: one that something keeps busy never does. */
void hub_await_rest(void);

/** Messages of the hub are dropped from now on until the end of the case. */
void hub_silence(void);
