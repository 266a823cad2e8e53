/* SPDX-License-Identifier: BSD-2-Clause */
/* The helpers of seL4's libutils that VMM code uses. */
#pragma once

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <utils/zf_log.h>

#define BIT(n) (1ul << (n))
/** The n low bits set; n may be the width of a word. */
#define MASK(n) ((n) >= 8 * sizeof(unsigned long) ? ~0ul : BIT(n) - 1ul)

#define IS_POWER_OF_2(x) ((x) != 0 && ((x) & ((x)-1)) == 0)
#define IS_ALIGNED(n, bits) (((n)&MASK(bits)) == 0)
#define ROUND_DOWN(n, unit) ((n) - (n) % (unit))
#define ROUND_UP(n, unit) ROUND_DOWN((n) + (unit)-1, unit)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define LOG_BASE_2(n) (8 * sizeof(unsigned long) - 1 - (size_t)__builtin_clzl(n))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PAGE_BITS_4K 12
#define PAGE_BITS_2M 21
#define SIZE_BITS_TO_BYTES(size_bits) BIT(size_bits)
#define BYTES_TO_SIZE_BITS(bytes) LOG_BASE_2(bytes)
#define PAGE_SIZE_4K BIT(PAGE_BITS_4K)
#define PAGE_SIZE_2M BIT(PAGE_BITS_2M)
#define PAGE_ALIGN_4K(address) ((address) & ~(PAGE_SIZE_4K - 1))
#define IS_ALIGNED_4K(address) IS_ALIGNED(address, PAGE_BITS_4K)

#define PACKED __attribute__((__packed__))
#define UNUSED __attribute__((__unused__))
#define NORETURN __attribute__((__noreturn__))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
