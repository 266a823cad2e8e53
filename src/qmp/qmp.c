/* SPDX-License-Identifier: BSD-2-Clause */
#include "qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/descriptor.h"
#include "../common/error_reason.h"

#define READ_BYTES 0x10000

static int fail(struct qmp *qmp, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns -1. What QEMU said is shown on a terminal: without control characters. */
static int fail(struct qmp *qmp, const char *format, ...)
{
    va_list arguments;

    qmp->refused = false;
    va_start(arguments, format);
    (void)vsnprintf(qmp->error, sizeof(qmp->error), format, arguments);
    va_end(arguments);
    for (char *c = qmp->error; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    return -1;
}

static int no_memory(struct qmp *qmp)
{
    return fail(qmp, "no memory is left to talk to QEMU");
}

static int is_no_monitor(struct qmp *qmp, const char *what)
{
    return fail(qmp, "%s %s, so it is no QMP monitor; name the socket of QEMU's option -qmp", qmp->path, what);
}

/* --- bytes --- */

/*
 * 1 when the socket is ready, 0 when the time is over, -1 with an error. Past the deadline it is never ready: whoever
 * sends events without end could otherwise keep the caller for ever.
 */
static int wait_for(struct qmp *qmp, short events, int64_t until_ms)
{
    struct pollfd socket = {.fd = qmp->fd, .events = events};
    int ready = 0;

    do {
        int64_t now = now_ms();

        if (now >= qmp->deadline_ms)
            return 0;
        ready = poll(&socket, 1, poll_until_ms(earlier_ms(until_ms, qmp->deadline_ms), now));
    } while (ready < 0 && errno == EINTR);
    return ready < 0 ? fail(qmp, "cannot wait for QEMU at %s: %s", qmp->path, error_reason(errno)) : ready;
}

static int was_closed(struct qmp *qmp)
{
    return fail(qmp, "QEMU closed the monitor %s; it may have ended", qmp->path);
}

static int send_all(struct qmp *qmp, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = send(qmp->fd, bytes, length, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return was_closed(qmp);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
            continue;
        }
        switch (wait_for(qmp, POLLOUT, NEVER_MS)) {
        case 0:
            return fail(qmp, "QEMU takes no command at %s; it may be stopped or very busy", qmp->path);
        case -1:
            return -1;
        }
    }
    return 0;
}

/* Makes room for what comes next. */
static int grow(struct qmp *qmp)
{
    char *grown;

    if (qmp->size - qmp->used >= READ_BYTES)
        return 0;
    if (qmp->used >= QMP_MAX_LINE)
        return is_no_monitor(qmp, "sent a line without end");
    grown = realloc(qmp->buffer, qmp->used + 2 * READ_BYTES);
    if (!grown)
        return no_memory(qmp);
    qmp->buffer = grown;
    qmp->size = qmp->used + 2 * READ_BYTES;
    return 0;
}

/* 1 when more bytes are there, 0 when the time is over, -1 with an error */
static int receive_bytes(struct qmp *qmp, int64_t until_ms)
{
    int ready = wait_for(qmp, POLLIN, until_ms);
    ssize_t length;

    if (ready <= 0)
        return ready;
    if (grow(qmp))
        return -1;
    length = recv(qmp->fd, qmp->buffer + qmp->used, qmp->size - qmp->used, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (length <= 0)
        return was_closed(qmp);
    qmp->used += (size_t)length;
    return 1;
}

/* --- messages: an object a line --- */

/* 1 with an object, 0 when the time is over, -1 with an error */
static int receive(struct qmp *qmp, int64_t until_ms, json_t **object)
{
    size_t searched = 0;
    char *end;

    while (!(end = qmp->used ? memchr(qmp->buffer + searched, '\n', qmp->used - searched) : NULL)) {
        int more;

        searched = qmp->used;
        more = receive_bytes(qmp, until_ms);
        if (more <= 0)
            return more;
    }
    *object = json_loadb(qmp->buffer, (size_t)(end - qmp->buffer), 0, NULL);
    qmp->used -= (size_t)(end + 1 - qmp->buffer);
    memmove(qmp->buffer, end + 1, qmp->used);
    if (json_is_object(*object))
        return 1;
    json_decref(*object);
    return is_no_monitor(qmp, "sends what is no JSON object");
}

/* Whether the object is an event; then it is passed on. */
static bool pass_event(struct qmp *qmp, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "event"));
    const json_t *data = json_object_get(object, "data");

    if (name && qmp->event)
        qmp->event(qmp->context, name, json_is_object(data) ? data : NULL);
    return name != NULL;
}

static int send_request(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_t *request =
        json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments", arguments, "id", (json_int_t)++qmp->requests);
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    int error = text ? send_all(qmp, text, strlen(text)) : no_memory(qmp);

    if (!error)
        error = send_all(qmp, "\n", 1);
    free(text);
    json_decref(request);
    return error;
}

/* What an answer returns, or NULL with the error in it. */
static json_t *take_answer(struct qmp *qmp, const char *command, const json_t *answer)
{
    json_t *value = json_object_get(answer, "return"), *id = json_object_get(answer, "id");
    const char *reason = json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));

    if (json_is_integer(id) && (uint64_t)json_integer_value(id) == qmp->requests) {
        if (value)
            return json_incref(value);
        if (reason) {
            (void)fail(qmp, "QEMU %s answers to %s: %.300s", qmp->version, command, reason);
            qmp->refused = true;
            return NULL;
        }
    }
    (void)is_no_monitor(qmp, "answers what nobody asked");
    return NULL;
}

json_t *qmp_execute(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_t *object, *value;

    if (send_request(qmp, command, arguments))
        return NULL;
    for (;;) {
        switch (receive(qmp, NEVER_MS, &object)) {
        case 0:
            (void)fail(qmp, "QEMU does not answer at %s; it may be stopped or very busy", qmp->path);
            return NULL;
        case -1:
            return NULL;
        }
        if (!pass_event(qmp, object))
            break;
        json_decref(object);
    }
    value = take_answer(qmp, command, object);
    json_decref(object);
    return value;
}

int qmp_wait(struct qmp *qmp, int64_t until_ms)
{
    json_t *object;
    int received = receive(qmp, until_ms, &object);
    bool is_event;

    if (received <= 0)
        return received;
    is_event = pass_event(qmp, object);
    json_decref(object);
    return is_event ? 1 : is_no_monitor(qmp, "answers what nobody asked");
}

/* --- life --- */

static int is_taken(struct qmp *qmp)
{
    return fail(qmp,
                "QEMU does not greet at %s: another program may have this monitor, which serves one at a time; end "
                "that program, or start QEMU with one more option -qmp",
                qmp->path);
}

static int connect_to(struct qmp *qmp)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(qmp->path) >= sizeof(address.sun_path))
        return fail(qmp, "%s is too long for the path of a socket; it may have %zu bytes", qmp->path,
                    sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, qmp->path, strlen(qmp->path));
    qmp->fd = descriptor_above_standard(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (qmp->fd < 0)
        return fail(qmp, "cannot make a socket: %s", error_reason(errno));
    if (connect(qmp->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    switch (errno) {
    case EAGAIN: /* others are waiting, too */
        return is_taken(qmp);
    case ENOENT:
        return fail(qmp, "there is no monitor %s; start QEMU with the option -qmp unix:%s,server=on,wait=off",
                    qmp->path, qmp->path);
    case ECONNREFUSED:
        return fail(qmp, "no QEMU serves the monitor %s; the one that did has ended", qmp->path);
    case EACCES:
        return fail(qmp, "this user may not use the monitor %s; only QEMU's own user and root may", qmp->path);
    case EPROTOTYPE:
        return is_no_monitor(qmp, "is a socket of another kind");
    default:
        return fail(qmp, "cannot connect to the monitor %s: %s", qmp->path, error_reason(errno));
    }
}

static int take_greeting(struct qmp *qmp)
{
    json_int_t major = 0, minor = 0, micro = 0;
    json_t *greeting;
    int error, received = receive(qmp, NEVER_MS, &greeting);

    if (received <= 0)
        return received ? -1 : is_taken(qmp);
    error = json_unpack(greeting, "{s:{s:{s:{s:I, s:I, s:I}}}}", "QMP", "version", "qemu", "major", &major, "minor",
                        &minor, "micro", &micro);
    json_decref(greeting);
    if (error)
        return is_no_monitor(qmp, "does not greet as QEMU does");
    (void)snprintf(qmp->version, sizeof(qmp->version), "%d.%d.%d", (int)major, (int)minor, (int)micro);
    return 0;
}

int qmp_open(struct qmp *qmp, const char *path, int64_t deadline_ms)
{
    json_t *value;

    *qmp = (struct qmp){.path = path, .fd = -1, .deadline_ms = deadline_ms};
    if (connect_to(qmp) || take_greeting(qmp))
        return -1;
    value = qmp_execute(qmp, "qmp_capabilities", NULL); /* QEMU takes no other command before */
    json_decref(value);
    return value ? 0 : -1;
}

void qmp_close(struct qmp *qmp)
{
    if (qmp->fd >= 0)
        close(qmp->fd);
    qmp->fd = -1;
    free(qmp->buffer);
    qmp->buffer = NULL;
}
