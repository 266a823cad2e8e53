/* SPDX-License-Identifier: BSD-2-Clause */
#include "entrance.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/message.h"

/* After a message that clients can cause. */
#define SILENCE_MS 1000

/* --- messages --- */

const char *hub_entrance_path(const struct hub_entrance *entrance)
{
    return entrance->door.listener.address.sun_path;
}

/* A pipe or terminal that polls writable has room for a message. One that nobody reads any more is an error, too. */
static void say(const struct hub_entrance *entrance, const char *format, va_list arguments)
{
    struct pollfd output = {.fd = STDERR_FILENO, .events = POLLOUT};
    char text[1024];

    if (poll(&output, 1, 0) != 1 || output.revents != POLLOUT)
        return;
    (void)vsnprintf(text, sizeof(text), format, arguments);
    message("connection \"%s\": %s", entrance->name, text);
}

void hub_entrance_say(const struct hub_entrance *entrance, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(entrance, format, arguments);
    va_end(arguments);
}

void hub_entrance_complain(struct hub_entrance *entrance, const char *format, ...)
{
    int64_t now = now_ms();
    va_list arguments;

    if (now - entrance->complained_ms < SILENCE_MS)
        return;
    entrance->complained_ms = now;
    va_start(arguments, format);
    say(entrance, format, arguments);
    va_end(arguments);
}

/* --- who comes --- */

/* Clients that come wait in the queue of the socket while it is not watched. */
static void watch(struct hub_entrance *entrance)
{
    bool open = entrance->pause.due_ms == NEVER_MS && !foreign_closer_is_busy(entrance->closer);

    hub_loop_change(entrance->loop, &entrance->source, open ? EPOLLIN : 0);
}

static void came(struct hub_source *source, uint32_t events)
{
    struct hub_entrance *entrance = (struct hub_entrance *)source;
    int64_t now = now_ms(), paused;
    int fd = listener_accept(&entrance->door.listener, now);

    (void)events;
    if (fd >= 0) {
        entrance->welcome(entrance, fd);
        return;
    }
    if (errno != EAGAIN)
        hub_entrance_complain(entrance, "cannot accept anybody for now: %s", error_reason(errno));
    paused = listener_due_ms(&entrance->door.listener, now);
    if (paused == NEVER_MS)
        return;
    /* It would poll readable all the while. */
    hub_timer_set(entrance->loop, &entrance->pause, paused);
    watch(entrance);
}

static void pause_ended(struct hub_timer *timer, int64_t now)
{
    struct hub_entrance *entrance = (struct hub_entrance *)((char *)timer - offsetof(struct hub_entrance, pause));

    (void)now;
    watch(entrance);
}

static bool is_still_closing(struct hub_look *look)
{
    struct hub_entrance *entrance = (struct hub_entrance *)((char *)look - offsetof(struct hub_entrance, closed));

    if (foreign_closer_is_busy(entrance->closer))
        return true;
    watch(entrance);
    if (entrance->all_is_closed)
        entrance->all_is_closed(entrance);
    return false;
}

/* Whether nothing is left to be closed. Else nobody is let in until then. */
static bool is_all_closed(struct hub_entrance *entrance)
{
    if (!foreign_closer_is_busy(entrance->closer))
        return true;
    watch(entrance);
    hub_look_when_rung(entrance->loop, &entrance->closed);
    return false;
}

void hub_entrance_hang_up(struct hub_entrance *entrance, int fd)
{
    foreign_hang_up(entrance->closer, fd);
    (void)is_all_closed(entrance);
}

bool hub_entrance_dispose(struct hub_entrance *entrance, int fd)
{
    return foreign_close(entrance->closer, fd) || is_all_closed(entrance);
}

/* --- life --- */

int hub_entrance_open(struct hub_entrance *entrance, struct hub_loop *loop, int type, const char *path,
                      const char *name, void (*welcome)(struct hub_entrance *, int))
{
    *entrance = HUB_ENTRANCE_CLOSED;
    if (door_open_at(&entrance->door, type, path, name))
        return -1;
    entrance->source = (struct hub_source){.fd = entrance->door.listener.fd, .handle = came};
    entrance->pause = HUB_TIMER(pause_ended);
    entrance->loop = loop;
    entrance->name = name;
    entrance->welcome = welcome;
    entrance->complained_ms = now_ms() - SILENCE_MS;
    entrance->closed = (struct hub_look){.again = is_still_closing};
    entrance->closer = foreign_closer_create(hub_loop_bell(loop));
    if (entrance->closer && hub_loop_watch(loop, &entrance->source, EPOLLIN) == 0)
        return 0;
    message("connection \"%s\": cannot watch %s: %s", name, path, error_reason(errno));
    hub_entrance_close(entrance);
    return -1;
}

bool hub_entrance_admits(const struct hub_entrance *entrance, int fd)
{
    return listener_admits(&entrance->door.listener, fd);
}

void hub_entrance_cannot_hand_over(struct hub_entrance *entrance, int error)
{
    if (error != -EPIPE)
        hub_entrance_complain(entrance, "cannot hand its end over to a VMM: %s", error_reason(-error));
}

bool hub_entrance_lets_in(struct hub_entrance *entrance, int fd, bool taken)
{
    bool admitted = hub_entrance_admits(entrance, fd);

    if (admitted && !taken)
        return true;
    if (admitted)
        hub_entrance_complain(entrance,
                              "a second VMM came to %s and was turned away: give each a connection of its own",
                              hub_entrance_path(entrance));
    hub_entrance_hang_up(entrance, fd);
    return false;
}

void hub_entrance_close(struct hub_entrance *entrance)
{
    hub_timer_stop(&entrance->pause);
    hub_look_stop(&entrance->closed);
    foreign_closer_free(entrance->closer);
    door_close(&entrance->door);
    *entrance = HUB_ENTRANCE_CLOSED; /* a door whose entrance could not be opened closes it once more */
}
