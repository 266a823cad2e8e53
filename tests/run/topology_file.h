/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of `crossvm run` share: a folder of their own with files, and the tool started in it.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <sys/types.h>

/** Path of the tool; main() sets it. */
extern const char *tool;

/** cmocka set-up and tear-down: the working directory is a new folder with files "kernel" and "initramfs" in it. */
int folder_set_up(void **state);
int folder_tear_down(void **state);

#define FOLDER_TEST(function) cmocka_unit_test_setup_teardown(function, folder_set_up, folder_tear_down)

/** Makes a file there. */
void file_write(const char *name, const char *text);

/** What is in a file there, good until the next call; "" when there is none. */
const char *file_read(const char *name);

/** Starts the tool with the arguments (ended by NULL); its output goes to the files "out" and "err". */
pid_t tool_start(const char *const *arguments);

/** Waits for its end: exit status, or 128 and the signal. */
int tool_finish(pid_t pid);

/** Both. */
int tool_run(const char *const *arguments);
#define RUN(...) tool_run((const char *const[]){__VA_ARGS__, NULL})

/** Runs a line of shell, in which "$0" is the tool; output and status as with RUN(). */
int shell_run(const char *line);

/** Waits until a file there has a text in it; fails after a minute. */
void file_await(const char *name, const char *text);
