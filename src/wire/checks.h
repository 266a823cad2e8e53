/* SPDX-License-Identifier: BSD-2-Clause */
/* What every receiver of the messages of wire.h has to check. */
#pragma once

#include <stdbool.h>

#include "wire.h"

/** Whether a message is of this protocol and version. */
static inline bool wire_header_is_known(const struct crossvm_wire_header *header)
{
    return header->magic == CROSSVM_WIRE_MAGIC && header->version == CROSSVM_WIRE_VERSION;
}

/** Whether it is one of a type, too. */
static inline bool wire_header_is_of(const struct crossvm_wire_header *header, enum crossvm_wire_type type)
{
    return wire_header_is_known(header) && header->type == type;
}

/** Whether so many bytes can lie at that offset of a memfd, and be mapped. */
static inline bool wire_range_is_valid(uint64_t offset, uint64_t size)
{
    return size <= PTRDIFF_MAX && offset % CROSSVM_PAGE_SIZE == 0 && offset <= PTRDIFF_MAX - size;
}

static inline bool wire_dataport_is_valid(const struct crossvm_wire_dataport *dataport)
{
    return dataport->size != 0 && dataport->size % CROSSVM_PAGE_SIZE == 0 &&
           wire_range_is_valid(dataport->offset, dataport->size) &&
           (dataport->rights == CROSSVM_RIGHT_READ || dataport->rights == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE));
}
