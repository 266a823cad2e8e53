/* SPDX-License-Identifier: BSD-2-Clause */
#include "aml.h"

#include <string.h>

#define OP_ZERO 0x00
#define OP_ONE 0x01
#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_ROOT 0x5c
#define OP_EXTENDED 0x5b
#define OP_EXTENDED_DEVICE 0x82

#define LENGTH_BYTES 3 /* of each length that is written here, which has 20 bits */

/* Resource descriptors (section 6.4). */
#define RESOURCE_PORTS 0x47
#define RESOURCE_END 0x79
#define RESOURCE_DWORD_RANGE 0x87
#define RESOURCE_WORD_RANGE 0x88
#define RESOURCE_INTERRUPT 0x89
#define RANGE_MEMORY 0
#define RANGE_BUS_NUMBERS 2
#define RANGE_FIXED 0x0c /* both ends are fixed; the device passes the range on */
#define MEMORY_CACHEABLE_WRITABLE 0x03
#define PORTS_DECODE_16_BITS 0x01
#define INTERRUPT_CONSUMED_EDGE 0x03

static void put(struct aml *aml, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, aml->length++) {
        if (aml->length < aml->capacity)
            aml->bytes[aml->length] = (uint8_t)(value >> 8 * i);
    }
}

static void put_segment(struct aml *aml, const char *name)
{
    for (size_t i = 0; i < 4; i++)
        put(aml, (uint8_t)name[i], 1);
}

void kvm_aml_name(struct aml *aml, const char *name)
{
    put(aml, OP_NAME, 1);
    put_segment(aml, name);
}

void kvm_aml_integer(struct aml *aml, uint32_t value)
{
    if (value <= 1) {
        put(aml, value ? OP_ONE : OP_ZERO, 1);
    } else if (value <= UINT8_MAX) {
        put(aml, OP_BYTE, 1);
        put(aml, value, 1);
    } else if (value <= UINT16_MAX) {
        put(aml, OP_WORD, 1);
        put(aml, value, 2);
    } else {
        put(aml, OP_DWORD, 1);
        put(aml, value, 4);
    }
}

static uint32_t hex_digit(char c)
{
    return c <= '9' ? (uint32_t)(c - '0') : (uint32_t)(c - 'A' + 10);
}

/* Three letters of 5 bits and four hexadecimal digits, in big-endian order. */
void kvm_aml_eisa_id(struct aml *aml, const char *id)
{
    uint32_t value = 0;

    for (size_t i = 0; i < 3; i++)
        value = value << 5 | (uint32_t)(id[i] - '@');
    for (size_t i = 3; i < 7; i++)
        value = value << 4 | hex_digit(id[i]);
    put(aml, OP_DWORD, 1);
    put(aml, __builtin_bswap32(value), 4);
}

/* --- blocks --- */

/* Makes room for the length of a block, which includes itself. */
static size_t begin(struct aml *aml)
{
    size_t here = aml->length;

    put(aml, 0, LENGTH_BYTES);
    return here;
}

void kvm_aml_end(struct aml *aml, size_t begin)
{
    size_t length = aml->length - begin;

    if (aml->length > aml->capacity)
        return;
    aml->bytes[begin] = (uint8_t)((LENGTH_BYTES - 1) << 6 | (length & 0xf));
    aml->bytes[begin + 1] = (uint8_t)(length >> 4);
    aml->bytes[begin + 2] = (uint8_t)(length >> 12);
}

size_t kvm_aml_begin_scope(struct aml *aml, const char *root_name)
{
    size_t here;

    put(aml, OP_SCOPE, 1);
    here = begin(aml);
    put(aml, OP_ROOT, 1);
    put_segment(aml, root_name);
    return here;
}

size_t kvm_aml_begin_device(struct aml *aml, const char *name)
{
    size_t here;

    put(aml, OP_EXTENDED, 1);
    put(aml, OP_EXTENDED_DEVICE, 1);
    here = begin(aml);
    put_segment(aml, name);
    return here;
}

size_t kvm_aml_begin_package(struct aml *aml, uint8_t num_elements)
{
    size_t here;

    put(aml, OP_PACKAGE, 1);
    here = begin(aml);
    put(aml, num_elements, 1);
    return here;
}

/* --- resources: a buffer, whose size follows the block's length as a word --- */

#define BUFFER_SIZE_BYTES 3

size_t kvm_aml_begin_resources(struct aml *aml)
{
    size_t here;

    put(aml, OP_BUFFER, 1);
    here = begin(aml);
    put(aml, OP_WORD, 1);
    put(aml, 0, 2);
    return here;
}

void kvm_aml_end_resources(struct aml *aml, size_t begin)
{
    size_t start = begin + LENGTH_BYTES + BUFFER_SIZE_BYTES;

    put(aml, RESOURCE_END, 1);
    put(aml, 0, 1); /* no checksum */
    if (aml->length <= aml->capacity) {
        aml->bytes[start - 2] = (uint8_t)(aml->length - start);
        aml->bytes[start - 1] = (uint8_t)((aml->length - start) >> 8);
    }
    kvm_aml_end(aml, begin);
}

/* A range whose numbers have `width` bytes. Descriptors of both widths have the same fields. */
static void put_range(struct aml *aml, uint8_t kind, uint8_t kind_flags, uint32_t first, uint32_t last, size_t width)
{
    put(aml, kind, 1);
    put(aml, RANGE_FIXED, 1);
    put(aml, kind_flags, 1);
    put(aml, 0, width); /* granularity */
    put(aml, first, width);
    put(aml, last, width);
    put(aml, 0, width); /* translation */
    put(aml, last - first + 1, width);
}

void kvm_aml_resource_bus_numbers(struct aml *aml, uint16_t first, uint16_t last)
{
    put(aml, RESOURCE_WORD_RANGE, 1);
    put(aml, 3 + 5 * sizeof(uint16_t), 2);
    put_range(aml, RANGE_BUS_NUMBERS, 0, first, last, sizeof(uint16_t));
}

void kvm_aml_resource_memory_window(struct aml *aml, uint32_t first, uint32_t last)
{
    put(aml, RESOURCE_DWORD_RANGE, 1);
    put(aml, 3 + 5 * sizeof(uint32_t), 2);
    put_range(aml, RANGE_MEMORY, MEMORY_CACHEABLE_WRITABLE, first, last, sizeof(uint32_t));
}

void kvm_aml_resource_ports(struct aml *aml, uint16_t first, uint8_t num)
{
    put(aml, RESOURCE_PORTS, 1);
    put(aml, PORTS_DECODE_16_BITS, 1);
    put(aml, first, 2);
    put(aml, first, 2);
    put(aml, 1, 1); /* alignment */
    put(aml, num, 1);
}

void kvm_aml_resource_edge_interrupt(struct aml *aml, uint32_t number)
{
    put(aml, RESOURCE_INTERRUPT, 1);
    put(aml, 2 + sizeof(uint32_t), 2);
    put(aml, INTERRUPT_CONSUMED_EDGE, 1);
    put(aml, 1, 1); /* one number */
    put(aml, number, 4);
}

size_t kvm_aml_finish(const struct aml *aml)
{
    return aml->length <= aml->capacity ? aml->length : 0;
}
