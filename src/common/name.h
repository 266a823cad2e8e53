/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of connections and VMs. They become names of files, so they may not lead elsewhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <crossvm/device.h>

/* For messages: "... is no name: a name has " NAME_RULE. */
#define NAME_RULE "1 to 63 of the characters A-Z a-z 0-9 . _ - and is not . or .."

/** Whether a text of up to CROSSVM_FULL_NAME_BYTES with its NUL is a name. Inline: the freestanding module has it, too.
 */
static inline bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strnlen(name, CROSSVM_FULL_NAME_BYTES);

    return length > 0 && length < CROSSVM_FULL_NAME_BYTES && strspn(name, allowed) == length &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
