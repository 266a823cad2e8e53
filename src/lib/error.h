/* SPDX-License-Identifier: BSD-2-Clause */
/* The sentence behind crossvm_strerror(). */
#pragma once

/**
 * Records a sentence about an error, for this thread.
 *
 * @param error  a positive errno value
 * @param format what the sentence says: which object, what is wrong with it, what helps
 * @return -error, so that a function can end with `return cvm_fail(ENOENT, ...)`
 */
int cvm_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
