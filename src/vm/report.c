/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* False: the socket is full. A broken socket is no failure here, since its reader notices that. */
static bool send_news(const struct report *report, const struct wiring *wiring)
{
    struct crossvm_wire_driver news = wiring_news(wiring);

    return send(report->source->fd, &news, sizeof(news), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS);
}

void report_send(struct report *report, const struct wiring *wiring)
{
    if (report->late || send_news(report, wiring))
        return;
    report->late = true;
    loop_change(wiring->loop, report->source, EPOLLIN | EPOLLOUT);
}

void report_writable(struct report *report, const struct wiring *wiring)
{
    if (!report->late || !send_news(report, wiring))
        return;
    report->late = false;
    loop_change(wiring->loop, report->source, EPOLLIN);
}
