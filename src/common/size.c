/* SPDX-License-Identifier: BSD-2-Clause */
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char suffixes[] = "KMG"; /* each 1024 times the one before */

/* Whether the text ends where the caller allows it to end. */
static bool ends_well(const char *end, const char **rest)
{
    if (rest)
        *rest = end;
    return rest || *end == '\0';
}

bool number_parse(const char *text, const char **rest, uint64_t *number)
{
    char *end;

    if (!isdigit((unsigned char)*text)) /* strtoull() would take a sign and spaces */
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && ends_well(end, rest);
}

bool size_parse(const char *text, const char **rest, uint64_t *bytes)
{
    const char *end, *suffix;

    if (!number_parse(text, &end, bytes))
        return false;
    suffix = *end ? strchr(suffixes, toupper((unsigned char)*end)) : NULL;
    if (suffix) {
        unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

        if (*bytes > UINT64_MAX >> shift)
            return false;
        *bytes <<= shift;
        end++;
        if (strncasecmp(end, "iB", 2) == 0)
            end += 2;
    }
    return ends_well(end, rest);
}

const char *size_format(char buffer[SIZE_TEXT_BYTES], uint64_t bytes)
{
    size_t shifts = 0;

    while (shifts < strlen(suffixes) && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        shifts++;
    }
    snprintf(buffer, SIZE_TEXT_BYTES, "%" PRIu64 "%.1s", bytes, shifts ? &suffixes[shifts - 1] : "");
    return buffer;
}
