/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that is traced while it starts: which system calls it makes, or what it does when one of them fails.
 * Threads are numbered as they are made, and the calls of each as they are made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TRACEE_CALLS 1024 /* the most that a program may make while it starts */

/** A system call of a start. */
struct tracee_call {
    unsigned int thread;
    unsigned int number;   /**< among the thread's */
    long call;             /**< SYS_* */
    unsigned long request; /**< its second argument: of an ioctl, what is wanted */
};

/** What a program did. */
struct tracee {
    struct tracee_call calls[TRACEE_CALLS]; /**< of its start; after one that failed, no more are noted */
    size_t num_calls;
    int status; /**< of waitpid() */
    bool made;  /**< the call that was to fail did */
    char output[4096];
    char errors[16384];
};

/**
 * Runs a program to its end.
 *
 * @param tracee what it did
 * @param argv   the program and its arguments
 * @param fails  the call that is to fail; NULL: none
 * @param error  with what, an errno value
 *
 * Fails the case where that is not possible. Other children of this process that end meanwhile are reaped.
 */
void tracee_run(struct tracee *tracee, char *const *argv, const struct tracee_call *fails, int error);
