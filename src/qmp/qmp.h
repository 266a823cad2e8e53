/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A QEMU that runs, and its monitor: a Unix socket at which QEMU takes commands in JSON (QMP), answers each, and tells
 * of events in between.
 *
 * The socket may be anybody's. So what comes is checked, is held only up to a limit, and cannot keep the caller past
 * the deadline. One thread uses a monitor.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_ERROR_BYTES 512
#define QMP_MAX_LINE 0x400000 /* bytes of one answer or event; those of large machines have some 100 KiB */

/** Is told of an event, while the calls below run. data is NULL or an object, which stays the monitor's. */
typedef void qmp_event_function(void *context, const char *event, const json_t *data);

struct qmp {
    const char *path;            /**< of the socket, which stays the caller's */
    qmp_event_function *event;   /**< NULL: nobody wants to know */
    void *context;               /**< for it */
    char version[32];            /**< of QEMU, as it greeted */
    bool refused;                /**< the last error is QEMU's answer to the command, and the monitor still works */
    char error[QMP_ERROR_BYTES]; /**< what went wrong last: the end of a sentence, mostly with a remedy */
    int fd;
    int64_t deadline_ms;
    char *buffer; /**< what came and is no whole line yet */
    size_t used, size;
    uint64_t requests; /**< so far; each has its number for an id */
};

/**
 * Connects to a monitor and greets it.
 *
 * @param path        of the socket; has to stay
 * @param deadline_ms when this and all later calls give up, by now_ms()
 * @return 0, or -1 with qmp->error. qmp_close() is needed after both
 */
int qmp_open(struct qmp *qmp, const char *path, int64_t deadline_ms);
void qmp_close(struct qmp *qmp);

/**
 * Executes a command and waits for its answer.
 *
 * @param arguments an object, whose reference this call takes over; NULL: none
 * @return what QEMU returned, for the caller to json_decref(); NULL with qmp->error
 */
json_t *qmp_execute(struct qmp *qmp, const char *command, json_t *arguments);

/**
 * Waits for an event and passes it on.
 *
 * @param until_ms gives up then, or at the deadline if that is earlier
 * @return 1 after an event, 0 when the time is over, -1 with qmp->error
 */
int qmp_wait(struct qmp *qmp, int64_t until_ms);
