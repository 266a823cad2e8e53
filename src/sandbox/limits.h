/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of what a process can use up: descriptors, memory, the size of files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Instead of a number of descriptors: the limit stays. Linux takes it also as a limit of the descriptors that all
 * processes of a user have on their way in sockets. So a process that sends descriptors must not lower it: any program
 * of its user could keep it from sending.
 */
#define LIMITS_DESCRIPTORS_STAY SIZE_MAX

struct limits {
    size_t more_descriptors; /**< than are open now; or LIMITS_DESCRIPTORS_STAY */
    uint64_t more_memory;    /**< bytes of address space, beyond what is in use now */
    size_t more_threads;     /**< with stacks of the default size, which are not in more_memory */
    uint64_t file_bytes;     /**< of the largest file that it writes */
};

/**
 * Sets them. They cannot be raised again. Where standard output or error is a file, files may grow as before.
 *
 * @return 0, or -1 after a message
 */
int limits_set(const struct limits *limits);
