/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_end.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

int64_t process_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void process_link_init(struct process_link *link, size_t size)
{
    link->size = size;
    link->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (link->memory == MAP_FAILED)
        die("cannot map %zu bytes: %s", size, strerror(errno));
    for (int i = 0; i < 2; i++) {
        link->event[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (link->event[i] < 0)
            die("cannot make an eventfd: %s", strerror(errno));
    }
}

void process_link_destroy(struct process_link *link)
{
    munmap(link->memory, link->size);
    close(link->event[0]);
    close(link->event[1]);
}

static int emit(void *cookie)
{
    const struct process_end *end = cookie;
    const uint64_t one = 1;

    return write(end->link->event[1 - end->end], &one, sizeof(one)) == (ssize_t)sizeof(one) ? 0 : -errno;
}

/* How long to sleep for a deadline and a limit; NULL for any time. Sets by_limit when the limit comes first. */
static const struct timespec *sleep_time(crossvm_deadline_t deadline, uint32_t limit_us, struct timespec *time,
                                         bool *by_limit)
{
    int64_t left = INT64_MAX;

    *by_limit = false;
    if (!crossvm_deadline_is_forever(deadline)) {
        left = deadline.ns - process_clock();
        left = left > 0 ? left : 0;
    }
    if (limit_us > 0 && left > (int64_t)limit_us * 1000) {
        left = (int64_t)limit_us * 1000;
        *by_limit = true;
    }
    if (left == INT64_MAX)
        return NULL;
    time->tv_sec = left / 1000000000;
    time->tv_nsec = left % 1000000000;
    return time;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    struct process_end *end = cookie;
    struct pollfd files[2] = {{.fd = end->link->event[end->end], .events = POLLIN}, {.fd = end->peer}};
    struct timespec time;
    uint64_t events;
    bool by_limit;
    int result = ppoll(files, 2, sleep_time(deadline, limit_us, &time, &by_limit), NULL);

    if (result < 0)
        return -errno;
    if (result == 0)
        return by_limit ? -EAGAIN : -ETIMEDOUT;
    if (files[0].revents & POLLIN && read(files[0].fd, &events, sizeof(events)) < 0 && errno != EAGAIN)
        return -errno;
    if (files[1].revents & (POLLHUP | POLLERR)) {
        end->peer = -1; /* it would go on saying so */
        crossvm_channel_set_peer(&end->channel, false);
    }
    return 0;
}

void process_end_open(struct process_end *end, const struct process_link *link, unsigned number, unsigned mode,
                      unsigned spin, int peer)
{
    const crossvm_channel_config_t config = {
        .memory = link->memory,
        .size = link->size,
        .end = CROSSVM_CHANNEL_END(number),
        .mode = mode,
        .flags = CROSSVM_CHANNEL_RELAXED,
        .spin = spin,
        .emit = emit,
        .wait = wait_for_event,
        .cookie = end,
    };

    end->link = link;
    end->end = number;
    end->peer = peer;
    if (crossvm_channel_init(&end->channel, &config) < 0)
        die("a channel of %zu bytes is refused", link->size);
    crossvm_channel_open(&end->channel);
}
