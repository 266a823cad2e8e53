/* SPDX-License-Identifier: BSD-2-Clause */
#include "words.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void join_texts(char *to, size_t size, const char *const *texts)
{
    size_t used = 0;

    to[0] = '\0';
    for (; *texts && used < size; texts++)
        used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "", *texts);
}

#define MAX_WORD 31

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: letters to insert, delete or replace. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MAX_WORD + 1];
    size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *most_like(const char *text, const char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (; *candidates; candidates++) {
        size_t d;

        if (strlen(*candidates) > MAX_WORD)
            continue;
        d = distance(text, *candidates);
        if (d < best_distance) {
            best_distance = d;
            best = *candidates;
        }
    }
    /* With more than a third of it changed, a word is another one. */
    return best && 3 * best_distance <= strlen(best) + 1 ? best : NULL;
}
