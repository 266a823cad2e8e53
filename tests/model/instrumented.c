/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What code that is compiled with -fsanitize=thread calls: the sanitizer's own library is not linked. The compiler
 * inserts these calls after it has optimised, with the memory orders of the source.
 */
#include <string.h>

#include "access.h"
#include "seen.h"

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}

#define PLAIN(name, bytes, call, is_write)                                                                             \
    void __tsan_##name(void *address);                                                                                 \
    void __tsan_##name(void *address)                                                                                  \
    {                                                                                                                  \
        call(address, bytes, is_write);                                                                                \
    }

#define PLAIN_OF_SIZE(bytes)                                                                                           \
    PLAIN(read##bytes, bytes, access_plain, false)                                                                     \
    PLAIN(write##bytes, bytes, access_plain, true)                                                                     \
    PLAIN(unaligned_read##bytes, bytes, access_plain, false)                                                           \
    PLAIN(unaligned_write##bytes, bytes, access_plain, true)                                                           \
    PLAIN(volatile_read##bytes, bytes, access_volatile, false)                                                         \
    PLAIN(volatile_write##bytes, bytes, access_volatile, true)

PLAIN_OF_SIZE(1)
PLAIN_OF_SIZE(2)
PLAIN_OF_SIZE(4)
PLAIN_OF_SIZE(8)
PLAIN_OF_SIZE(16)

void __tsan_read_range(void *address, unsigned long bytes);
void __tsan_write_range(void *address, unsigned long bytes);

void __tsan_read_range(void *address, unsigned long bytes)
{
    access_plain(address, bytes, false);
}

void __tsan_write_range(void *address, unsigned long bytes)
{
    access_plain(address, bytes, true);
}

#define UPDATE(bits, name, update, operand)                                                                            \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *address, uint##bits##_t value, int order);    \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *address, uint##bits##_t value, int order)     \
    {                                                                                                                  \
        return (uint##bits##_t)access_update(address, sizeof(*address), update, (uint##bits##_t)(operand), order);     \
    }

#define ATOMIC_OF_SIZE(bits)                                                                                           \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int order);                      \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *address, int order)                       \
    {                                                                                                                  \
        return (uint##bits##_t)access_load(address, sizeof(*address), order);                                          \
    }                                                                                                                  \
                                                                                                                       \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int order);               \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *address, uint##bits##_t value, int order)                \
    {                                                                                                                  \
        access_store(address, sizeof(*address), value, order);                                                         \
    }                                                                                                                  \
                                                                                                                       \
    UPDATE(bits, exchange, UPDATE_EXCHANGE, value)                                                                     \
    UPDATE(bits, fetch_add, UPDATE_ADD, value)                                                                         \
    UPDATE(bits, fetch_sub, UPDATE_ADD, -value)                                                                        \
    UPDATE(bits, fetch_and, UPDATE_AND, value)                                                                         \
    UPDATE(bits, fetch_or, UPDATE_OR, value)

ATOMIC_OF_SIZE(8)
ATOMIC_OF_SIZE(16)
ATOMIC_OF_SIZE(32)
ATOMIC_OF_SIZE(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    access_fence(order);
}

/*
 * Copies: the compiler would make them of instructions that it does not instrument
 */

void *seen_copy(void *to, const void *from, size_t length)
{
    access_plain(from, length, false);
    access_plain(to, length, true);
    return memmove(to, from, length);
}

void *seen_set(void *to, int byte, size_t length)
{
    access_plain(to, length, true);
    return memset(to, byte, length);
}
