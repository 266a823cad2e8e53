/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end that programs can take at the socket "x.0.sock" of the folder. A hub serves it in a thread of the test. Of its
 * two dataports, it may write the first only.
 *
 * Include after cmocka.h.
 */
#pragma once

void serve_end(void);

/** Ends it. */
void end_service(void);
