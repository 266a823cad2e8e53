/* SPDX-License-Identifier: BSD-2-Clause */
/* Included before each file that is compiled for the model: copies become calls, so that none is left out. */
#pragma once

#include <stddef.h>
#include <string.h>

void *seen_copy(void *to, const void *from, size_t length);
void *seen_set(void *to, int byte, size_t length);

#if !defined(__SANITIZE_THREAD__) && defined(__has_feature) /* gcc has both from 14 on */
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ /* as gcc has it */
#endif
#endif

#ifdef __SANITIZE_THREAD__
#undef memcpy
#undef memmove
#undef memset
#define memcpy seen_copy
#define memmove seen_copy
#define memset seen_set
#define __builtin_memcpy seen_copy
#define __builtin_memset seen_set
#endif
