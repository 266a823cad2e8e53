/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of this project: the one place that says it. CMake, pkg-config, the tools and Python take it from here.
 *
 * A new major version may change the API and the ABI, and the shared library has another SONAME then.
 * docs/compatibility.md says what else may change, and when.
 */
#ifndef CROSSVM_VERSION_H
#define CROSSVM_VERSION_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CROSSVM_VERSION_MAJOR 1
#define CROSSVM_VERSION_MINOR 0
#define CROSSVM_VERSION_PATCH 0

/** The same as a text. */
#define CROSSVM_VERSION_STRING                                                                                         \
    CROSSVM_PRIVATE_TEXT(CROSSVM_VERSION_MAJOR)                                                                        \
    "." CROSSVM_PRIVATE_TEXT(CROSSVM_VERSION_MINOR) "." CROSSVM_PRIVATE_TEXT(CROSSVM_VERSION_PATCH)
#define CROSSVM_PRIVATE_TEXT(macro) CROSSVM_PRIVATE_TEXT_OF(macro)
#define CROSSVM_PRIVATE_TEXT_OF(text) #text

/** Versions as numbers, to be compared. */
#define CROSSVM_VERSION_NUMBER(major, minor, patch)                                                                    \
    ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))

/** The version of these headers. */
#define CROSSVM_VERSION CROSSVM_VERSION_NUMBER(CROSSVM_VERSION_MAJOR, CROSSVM_VERSION_MINOR, CROSSVM_VERSION_PATCH)

/**
 * The version of the libcrossvm that is in use, as a CROSSVM_VERSION_NUMBER(). For programs that load the library at
 * run time: its major version must be that of the headers (CROSSVM_VERSION), because inline functions know structures
 * of the library; and its minor version no lower, because an older library lacks functions. May be called from any
 * thread.
 */
uint32_t crossvm_version(void);

#ifdef __cplusplus
}
#endif
#endif
