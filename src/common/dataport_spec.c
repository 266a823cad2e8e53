/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataport_spec.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "size.h"

#define REASON_BYTES 128

static bool parse_writer(const char *text, const char *const ends[2], int *writer)
{
    if (strcmp(text, "both") == 0) {
        *writer = WRITER_BOTH;
        return true;
    }
    for (int end = 0; end < 2; end++) {
        if (strcmp(text, ends[end]) == 0) {
            *writer = end;
            return true;
        }
    }
    return false;
}

bool dataport_spec_parse(const char *text, const char *const ends[2], struct dataport_spec *dataport, char reason[128])
{
    const char *rest;

    dataport->writer = WRITER_BOTH;
    if (!size_parse(text, &rest, &dataport->size) || (*rest && *rest != ':'))
        snprintf(reason, REASON_BYTES, "is not SIZE[:WRITER], such as 64K or 2M:%s", ends[1]);
    else if (dataport->size == 0 || dataport->size % CROSSVM_PAGE_SIZE)
        snprintf(reason, REASON_BYTES, "is no multiple of 4 KiB");
    else if (*rest && !parse_writer(rest + 1, ends, &dataport->writer))
        snprintf(reason, REASON_BYTES, "names no writer: that is %s, %s or both", ends[0], ends[1]);
    else
        return true;
    return false;
}
