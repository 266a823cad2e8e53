/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program says when it makes a system call that its filter forbids: "crossvm-vm: the thread vcpu made the system
 * call openat (257), ...". Then it is dead (SIGSYS).
 */
#pragma once

/** Makes ready to say it. To be called before the first filter_enter(). Returns 0, or -1 after a message. */
int violation_prepare(void);

/** Lets the calling thread say it, by this name. The string has to outlive it, and all threads that it starts. */
void violation_expect(const char *name);
