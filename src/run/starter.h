/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The starter: a process beside the runner that does for it what a confined process cannot. It starts the programs of
 * VMs, signals them, and opens the files of consoles. It has read the same topology, takes orders that name a VM by its
 * index, and never sees a byte of a guest or of a client. So it can keep the rights that the runner gives up.
 *
 * It ends with the runner, and then the kernel ends the VMs (SIGTERM).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "topology.h"
#include "vm_command.h"

/** The runner's side. */
struct starter {
    pid_t pid;  /**< 0: none */
    int orders; /**< a socket; -1: none */
    int ends;   /**< a pipe that tells which VMs ended, non-blocking; -1: none */
};

#define STARTER_NONE ((struct starter){.orders = -1, .ends = -1})

/** Descriptors that it takes in the runner: both of the above. */
#define STARTER_DESCRIPTORS 2

/**
 * Starts the starter, of which a process has one at most. To be called while the process has one thread, and rights.
 *
 * @return 0, or -1 after a message. starter_end() frees it in any case.
 */
int starter_create(struct starter *starter, const struct topology *topology, const struct vm_command_options *options);

/** Waits for its end, which the end of the runner's side brings. All VMs that run get SIGTERM. */
void starter_end(struct starter *starter);

/*
 * Orders. Each waits for the starter, which waits for no VM. They return a negative errno value when they fail; -EPIPE
 * is the starter's end.
 */

/**
 * Starts a VM that does not run.
 *
 * @param output its standard output; stays the caller's
 * @param input  whether that is its standard input, too; else it gets none
 * @param error  its standard error; stays the caller's
 */
int starter_start(struct starter *starter, size_t vm, int output, bool input, int error);

/** Sends a signal to a VM: SIGTERM or SIGKILL. One that does not run is left out. */
int starter_signal(struct starter *starter, size_t vm, int number);

/** Opens the file of a VM's console (console_path_open()). Returns a descriptor. */
int starter_open_console(struct starter *starter, size_t vm, bool anew);

/** Renames it, and makes another (console_path_rotate()). Returns a descriptor. */
int starter_rotate_console(struct starter *starter, size_t vm);

/**
 * Takes the next end of a VM.
 *
 * @param status as wait() gave it
 * @return 1; 0 if there is none now; -1 when there will be no more: the starter has ended
 */
int starter_take_end(const struct starter *starter, size_t *vm, int *status);
