/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end that programs can take at the socket "x.0.sock" of the folder: of `crossvm pair`, and of a VM's process, whose
 * VM has no KVM here. Both run in a thread of the test.
 *
 * Include after cmocka.h.
 */
#pragma once

/** Each way to serve one. */
enum served_by { BY_PAIR, BY_VM, SERVED_BY };

void serve_end(enum served_by way);

/** Ends it. */
void end_service(void);
