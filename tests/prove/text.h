/* SPDX-License-Identifier: BSD-2-Clause */
/* What CBMC does not know of the C library's functions of texts. */
#pragma once

#include <string.h>

#include <crossvm/device.h>

#include "prove.h"

size_t strnlen(const char *text, size_t most)
{
    size_t length = 0;

    while (length < most && text[length])
        length++;
    return length;
}

size_t strspn(const char *text, const char *allowed)
{
    size_t length = nondet_size();

    (void)allowed;
    assume(length <= strnlen(text, CROSSVM_FULL_NAME_BYTES + 1));
    return length;
}
