/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of VMM code: one line for each call, to standard error or to the sink of kvm_log_set_sink().
 *
 * The environment variable SEL4VM_LOG sets the lowest level that is shown: verbose, debug, info, warning (the default),
 * error, fatal or none.
 */
#pragma once

#include <stdlib.h>

#define ZF_LOG_VERBOSE 1
#define ZF_LOG_DEBUG 2
#define ZF_LOG_INFO 3
#define ZF_LOG_WARN 4
#define ZF_LOG_ERROR 5
#define ZF_LOG_FATAL 6

/** Writes a line. For the macros below. */
void kvm_log_write(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ZF_LOGV(...) kvm_log_write(ZF_LOG_VERBOSE, __VA_ARGS__)
#define ZF_LOGD(...) kvm_log_write(ZF_LOG_DEBUG, __VA_ARGS__)
#define ZF_LOGI(...) kvm_log_write(ZF_LOG_INFO, __VA_ARGS__)
#define ZF_LOGW(...) kvm_log_write(ZF_LOG_WARN, __VA_ARGS__)
#define ZF_LOGE(...) kvm_log_write(ZF_LOG_ERROR, __VA_ARGS__)
/** Ends the process. */
#define ZF_LOGF(...) (kvm_log_write(ZF_LOG_FATAL, __VA_ARGS__), abort())

#define ZF_LOGW_IF(condition, ...) ((condition) ? ZF_LOGW(__VA_ARGS__) : (void)0)
#define ZF_LOGE_IF(condition, ...) ((condition) ? ZF_LOGE(__VA_ARGS__) : (void)0)
#define ZF_LOGF_IF(condition, ...) ((condition) ? ZF_LOGF(__VA_ARGS__) : (void)0)
