/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the person who runs a program. */
#pragma once

#include "error_reason.h"

/** Prints one line on standard error: the program's name, a colon and the sentence. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
