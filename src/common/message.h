/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the person who runs a program. */
#pragma once

/** Prints one line on standard error: the program's name, a colon and the sentence. */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What an errno value means, with a remedy where there is a usual one: the end of a sentence. */
const char *error_reason(int error);
