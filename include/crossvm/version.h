/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The version of this project: the one place that says it. CMake, pkg-config, the tools and Python take it from here.
 *
 * Before 1.0, a new minor version may change the API and the ABI, and the shared library has another SONAME then.
 * docs/compatibility.md says what else may change, and when.
 */
#ifndef CROSSVM_VERSION_H
#define CROSSVM_VERSION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CROSSVM_VERSION_MAJOR 0
#define CROSSVM_VERSION_MINOR 2
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
 * run time: major and minor version must be those of the headers (CROSSVM_VERSION), because inline functions know
 * structures of the library. May be called from any thread.
 */
uint32_t crossvm_version(void);

#ifdef __cplusplus
}
#endif
#endif
