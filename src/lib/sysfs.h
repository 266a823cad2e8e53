/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes and links of sysfs. The path is a printf format with its arguments; functions set no sentence. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reads the first line of an attribute, cut to size. False when there is none to read. */
bool cvm_sysfs_text(char *text, size_t size, const char *path, ...) __attribute__((format(printf, 3, 4)));

/** Reads an attribute that is a number, decimal or with 0x. */
bool cvm_sysfs_number(uint64_t *number, const char *path, ...) __attribute__((format(printf, 2, 3)));

/** Last component of what a symbolic link points to. False when there is no link, or what it says does not fit. */
bool cvm_sysfs_link(char *text, size_t size, const char *path, ...) __attribute__((format(printf, 3, 4)));

bool cvm_sysfs_exists(const char *path, ...) __attribute__((format(printf, 1, 2)));
