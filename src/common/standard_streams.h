/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard input, output and error of our programs. */
#pragma once

#include <stdbool.h>

/**
 * Makes the three streams safe to use: the first call in main().
 *
 * Descriptors 0, 1 and 2 that are closed are opened, so that nothing else can get these numbers. A closed input is at
 * its end; writing to a closed output is an error. A write past the limit of a file's size is an error, too, instead of
 * a deadly signal.
 *
 * When the process ends, standard output is flushed. If something could not be written, a message says why, and the
 * exit status becomes error_status.
 */
void standard_streams_set_up(int error_status);

/** Flushes standard output. False after a message, which appears once only. */
bool standard_output_flush(void);

/** Says that a write to standard output failed, and why. For those that write to the descriptor themselves. */
void standard_output_failed(int error);
