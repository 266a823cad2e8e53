/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O ports of an x86 guest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>
#include <simple/simple.h>

typedef struct vm vm_t;
typedef struct vm_vcpu vm_vcpu_t;

typedef enum ioport_fault_result {
    IO_FAULT_HANDLED,
    IO_FAULT_UNHANDLED, /**< a load gives all ones, a store does nothing */
    IO_FAULT_ERROR      /**< the VM ends as crashed */
} ioport_fault_result_t;

/** Loads size (1, 2 or 4) bytes from a port into *result. */
typedef ioport_fault_result_t (*vm_ioport_in_fn)(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                                 unsigned int *result);

/** Stores size (1, 2 or 4) bytes to a port. */
typedef ioport_fault_result_t (*vm_ioport_out_fn)(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no,
                                                  unsigned int size, unsigned int value);

/** Handles accesses to ports without a handler. */
typedef ioport_fault_result_t (*unhandled_ioport_callback_fn)(vm_vcpu_t *vcpu, unsigned int port_no, bool is_in,
                                                              unsigned int *value, size_t size, void *cookie);

/** Ports from start to end, both inclusive. */
typedef struct vm_ioport_range {
    uint16_t start;
    uint16_t end;
} vm_ioport_range_t;

typedef struct vm_ioport_interface {
    void *cookie;
    vm_ioport_in_fn port_in;
    vm_ioport_out_fn port_out;
    const char *desc; /**< for messages */
} vm_ioport_interface_t;

typedef struct vm_ioport_entry {
    vm_ioport_range_t range;
    vm_ioport_interface_t interface;
} vm_ioport_entry_t;

typedef struct vm_io_list {
    int num_ioports;
    vm_ioport_entry_t *ioports; /**< in ascending order */
} vm_io_port_list_t;

/** Registers handlers for a range of ports. Returns 0, or -1 if the range is empty or overlaps another. */
int vm_io_port_add_handler(vm_t *vm, vm_ioport_range_t ioport_range, vm_ioport_interface_t ioport_interface);

/** Sets the handler for all other ports. Returns 0, or -1 for a null argument. */
int vm_register_unhandled_ioport_callback(vm_t *vm, unhandled_ioport_callback_fn ioport_callback, void *cookie);
