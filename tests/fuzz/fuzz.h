/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fuzz targets share. A target is a file with LLVMFuzzerTestOneInput(): it reads an input as a list of things that
 * an enemy does, does them, and checks what must hold with REQUIRE(). The same input always does the same.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the process when something does not hold. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(STDERR_FILENO, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/** What is left of an input. Where nothing is left, zeros are read. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline void input_bytes(struct input *input, void *to, size_t n)
{
    size_t there = n < input->left ? n : input->left;

    memset(to, 0, n);
    if (there)
        memcpy(to, input->at, there);
    input->at += there;
    input->left -= there;
}

static inline uint8_t input_byte(struct input *input)
{
    uint8_t byte;

    input_bytes(input, &byte, sizeof(byte));
    return byte;
}

/** From the end of the input: for what happens beside what the start of the input says. */
static inline uint8_t input_last_byte(struct input *input)
{
    return input->left ? input->at[--input->left] : 0;
}

/** A number of so many bytes, at most 8. */
static inline uint64_t input_number(struct input *input, size_t bytes)
{
    uint64_t number = 0;

    input_bytes(input, &number, bytes);
    return number;
}

/** Below n, at most 256. */
static inline unsigned int input_choice(struct input *input, unsigned int n)
{
    return input_byte(input) % n;
}

/**
 * Messages to people are formatted and dropped from now on: most inputs cause some. Sanitizers and REQUIRE() write to
 * the descriptor, and are heard.
 */
static inline void drop_messages(void)
{
    stderr = fopen("/dev/null", "we");
    REQUIRE(stderr);
}
