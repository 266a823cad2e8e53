/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The linker puts these in the place of the C library's (--wrap). One allocation of the process fails: the one whose
 * number CROSSVM_FAIL_ALLOCATION says, counted from 1. A line on standard error says that it did. A process that this
 * one starts by fork() goes on counting.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t n, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **text, const char *format, va_list values);
FILE *__real_open_memstream(char **text, size_t *length);
FILE *__real_fopen(const char *path, const char *mode);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t n, size_t size);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **text, const char *format, ...);
int __wrap_vasprintf(char **text, const char *format, va_list values);
FILE *__wrap_open_memstream(char **text, size_t *length);
FILE *__wrap_fopen(const char *path, const char *mode);

static unsigned long chosen;

__attribute__((constructor)) static void choose(void)
{
    const char *text = getenv("CROSSVM_FAIL_ALLOCATION");

    chosen = text ? strtoul(text, NULL, 10) : 0;
}

static bool fails(void)
{
    static const char said[] = "an allocation fails\n";
    static unsigned long count;

    if (__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) != chosen)
        return false;
    (void)!write(STDERR_FILENO, said, strlen(said));
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

void *__wrap_reallocarray(void *memory, size_t n, size_t size)
{
    return fails() ? NULL : __real_reallocarray(memory, n, size);
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __real_posix_memalign(memory, alignment, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

int __wrap_vasprintf(char **text, const char *format, va_list values)
{
    return fails() ? -1 : __real_vasprintf(text, format, values);
}

int __wrap_asprintf(char **text, const char *format, ...)
{
    va_list values;
    int length;

    va_start(values, format);
    length = __wrap_vasprintf(text, format, values);
    va_end(values);
    return length;
}

FILE *__wrap_open_memstream(char **text, size_t *length)
{
    return fails() ? NULL : __real_open_memstream(text, length);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return fails() ? NULL : __real_fopen(path, mode);
}
