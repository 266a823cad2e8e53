/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses of the code in question, as instrumented.c finds them. Outside of a story they are ordinary ones. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What an update makes of a value. */
enum update { UPDATE_EXCHANGE, UPDATE_ADD, UPDATE_AND, UPDATE_OR };

bool access_is_watched(const volatile void *address);
uint64_t access_load(const volatile void *address, size_t size, int order);
void access_store(volatile void *address, size_t size, uint64_t value, int order);
uint64_t access_update(volatile void *address, size_t size, enum update update, uint64_t operand, int order);
void access_fence(int order);

/** An access that is not atomic, before it is made. */
void access_plain(const volatile void *address, size_t size, bool is_write);

/** A volatile access, before it is made: taken as a relaxed one. */
void access_volatile(volatile void *address, size_t size, bool is_write);
