/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <utils/zf_log.h>

#include <sel4vm_kvm.h>

#define LEVEL_ENVIRONMENT "SEL4VM_LOG"
#define LEVEL_NONE (ZF_LOG_FATAL + 1)

static const char *const level_names[] = {
    [ZF_LOG_VERBOSE] = "verbose", [ZF_LOG_DEBUG] = "debug", [ZF_LOG_INFO] = "info", [ZF_LOG_WARN] = "warning",
    [ZF_LOG_ERROR] = "error",     [ZF_LOG_FATAL] = "fatal", [LEVEL_NONE] = "none",
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the sink, so that it never runs after its reset */
static void (*log_sink)(int level, const char *line, void *cookie);
static void *log_cookie;

static int lowest_level;
static pthread_once_t level_once = PTHREAD_ONCE_INIT;

static void read_level(void)
{
    const char *wanted = getenv(LEVEL_ENVIRONMENT);

    lowest_level = ZF_LOG_WARN;
    for (int level = ZF_LOG_VERBOSE; wanted && level <= LEVEL_NONE; level++) {
        if (strcmp(wanted, level_names[level]) == 0)
            lowest_level = level;
    }
}

void kvm_log_set_sink(void (*sink)(int level, const char *line, void *cookie), void *cookie)
{
    pthread_mutex_lock(&mutex);
    log_sink = sink;
    log_cookie = cookie;
    pthread_mutex_unlock(&mutex);
}

void kvm_log_write(int level, const char *format, ...)
{
    char line[512];
    size_t length;
    va_list arguments;

    pthread_once(&level_once, read_level);
    if (level < lowest_level)
        return;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    length = strlen(line);
    while (length && line[length - 1] == '\n')
        line[--length] = '\0';

    pthread_mutex_lock(&mutex);
    if (log_sink)
        log_sink(level, line, log_cookie);
    else
        fprintf(stderr, "sel4vm: %s: %s\n", level_names[level], line);
    pthread_mutex_unlock(&mutex);
}
