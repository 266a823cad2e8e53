/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the person who runs the program.
 */
#pragma once

/** Prints "crossvm-vm: ..." and a newline on standard error. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);
