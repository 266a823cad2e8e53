/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stand-in for the process of a VM: serves one connection's socket from a thread of the test.
 *
 * fake_vm_init() makes a VM that keeps to the protocol. A test bends what it likes in the public members, and starts
 * it. Functions that cannot do what they are for end the test.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../src/wire/wire.h"

enum fake_vm_manner {
    FAKE_VM_ANSWERS,
    FAKE_VM_IS_SILENT, /* takes the request and says nothing */
    FAKE_VM_HANGS_UP,  /* takes the request and closes the socket */
};

struct fake_vm {
    enum fake_vm_manner manner;
    struct crossvm_wire_reply reply; /* to ATTACH and, with its own type, to INFO */
    size_t reply_bytes;              /* how much of it is sent */
    int fds[16];                     /* closed at the end; -1: none */
    size_t num_fds;                  /* how many are sent with the reply to ATTACH */
    bool send_driver_first;          /* a driver message comes before the reply, with a descriptor */

    char path[256];
    uint64_t *peer_page;
    uint8_t *dataports[CROSSVM_MAX_DATAPORTS];

    /* Of the thread */
    pthread_t thread;
    bool running;
    int listener;
    int owner; /* socket of the program that attached, or -1 */
    int attaches;
    bool has_replied; /* to the first ATTACH */
    int stop;         /* eventfd that ends the thread */
};

/** A VM of the given name that serves DIRECTORY/NAME.sock, with a dataport of 64 KiB rw and one of 8 KiB ro. */
void fake_vm_init(struct fake_vm *vm, const char *directory, const char *name);
void fake_vm_start(struct fake_vm *vm);

/** The process ends: all sockets close. The file of the socket stays, as it does when a process is killed. */
void fake_vm_die(struct fake_vm *vm);

/** Gives everything back, and removes the socket. */
void fake_vm_free(struct fake_vm *vm);

/** The guest emits n events; they merge. */
void fake_vm_emit(const struct fake_vm *vm, uint64_t n);

/** Signals for the guest since the last call. */
uint64_t fake_vm_take_signals(const struct fake_vm *vm);

/** Sends bytes, and a descriptor unless it is -1, to the program that attached. */
void fake_vm_send(struct fake_vm *vm, const void *bytes, size_t length, int fd);
void fake_vm_send_driver(struct fake_vm *vm, uint32_t driver_state);

/** Waits until a program has attached and has read all that was sent to it. */
void fake_vm_await_taken(const struct fake_vm *vm);

/** A memfd of that size and those seals. */
int fake_vm_memfd(size_t size, int seals);

/** Puts another descriptor in place of one that the reply carries. */
void fake_vm_replace_fd(struct fake_vm *vm, size_t i, int fd);
