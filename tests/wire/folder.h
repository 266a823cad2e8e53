/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of sockets share: a folder of their own, and programs of other users.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/** The folder's path. */
extern char folder[];

/** cmocka set-up and tear-down. The tear-down fails when something is left in the folder. */
int folder_set_up(void **state);
int folder_tear_down(void **state);

#define FOLDER_TEST(function) cmocka_unit_test_setup_teardown(function, folder_set_up, folder_tear_down)

/** The path of a file there, good until the next call but one. */
const char *folder_path(const char *file);

/** What is there; fails the case when nothing is. */
struct stat folder_stat(const char *file);

/** Connects to a socket there: the socket, or -1 with errno. */
int folder_connect(int type, const char *file);

/** A user and groups that are nobody's. */
#define STRANGER 54321u
#define STRANGERS 54322u
#define MEMBERS 54323u

/**
 * Runs a function in a process of the user STRANGER, whose group is STRANGERS.
 *
 * @param more a second group that the process is in; 0: none
 * @return what the function returned
 */
int as_stranger(int (*run)(void *), void *argument, gid_t more);

/** Ends the case as skipped when this process may not be another user. */
void require_root(void);

/** Standard error, caught from now on; and what was caught so far, which ends the catching. Good until the next call.
 */
void catch_messages(void);
const char *caught_messages(void);
