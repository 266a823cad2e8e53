/* SPDX-License-Identifier: BSD-2-Clause */
/* What stores to the registers of the device "hostile" must do and what they must leave alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Takes the registers as they are for what is expected. */
void registers_start(void);

/* Notes what a store of so many bytes must do. */
void registers_expect(size_t offset, size_t width, uint64_t value);

/* Fails the case unless all registers are as expected, after a store of so many bytes. */
void registers_check(size_t offset, size_t width);

/* Fails the case unless the VMM has seen as many events as are expected. */
void registers_check_emits(void);

/* Makes a store in a child process; returns the child's wait status. The registers must be as expected after it, and
 * the VMM must answer. */
int registers_store_in_child(void (*attempt)(volatile uint8_t *registers));
