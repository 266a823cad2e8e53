/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes and offsets in messages between processes: what passes the checks can be mapped, and no sum of it overflows.
 * Sizes that people write do not overflow either.
 *
 * Assumed: nothing; of strtoull(), what POSIX says. Bounds: none for messages; sizes as text of at most 7 characters.
 */
#define __NO_CTYPE /* isdigit() is a function, which CBMC knows */
#include <string.h>

#include "prove.h"

#include "../../src/common/dataport_spec.h"
#include "../../src/common/size.c"
#include "../../src/wire/checks.h"

void prove_dataport(void)
{
    struct crossvm_wire_dataport dataport;

    if (!wire_dataport_is_valid(&dataport))
        return;
    prove(dataport.size > 0 && dataport.size % CROSSVM_PAGE_SIZE == 0, "whole pages");
    prove(dataport.offset % CROSSVM_PAGE_SIZE == 0, "a page's begin");
    prove(dataport.offset + dataport.size >= dataport.size, "no overflow");
    prove(dataport.offset + dataport.size <= (uint64_t)INT64_MAX, "an offset of a file");
    prove(dataport.rights & CROSSVM_RIGHT_READ && dataport.rights <= (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE),
          "rights that there are");
    reached();
}

void prove_bar_bytes(void)
{
    uint64_t size = nondet_u64(), bytes;

    assume(size <= (uint64_t)1 << 62);
    bytes = bar_bytes(size);
    prove(bytes >= size && bytes >= CROSSVM_PAGE_SIZE, "a BAR has room");
    prove((bytes & (bytes - 1)) == 0, "a power of two");
    prove(bytes == CROSSVM_PAGE_SIZE || bytes / 2 < size, "no larger than it must be");
    reached();
}

static uint64_t said; /* by the digits */

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    size_t digits = 0;

    (void)base;
    while (isdigit((unsigned char)text[digits]))
        digits++;
    *end = (char *)text + digits;
    if (nondet_bool())
        errno = ERANGE;
    said = nondet_u64();
    return said;
}

void prove_size(void)
{
    char text[8];
    const char *rest = NULL;
    uint64_t bytes;

    text[7] = '\0';
    if (!size_parse(text, &rest, &bytes))
        return;
    prove(__CPROVER_same_object(rest, text) && __CPROVER_POINTER_OFFSET(rest) <= 7, "what follows is of the text");
    prove(bytes == said || bytes >> 10 == said || bytes >> 20 == said || bytes >> 30 == said, "no bit is lost");
    reached();
}
