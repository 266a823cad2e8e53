/* SPDX-License-Identifier: BSD-2-Clause */
#include "end.h"

#include <errno.h>

#include "case.h"

crossvm_end_t *end_open(const char *name)
{
    crossvm_end_t *end;

    CHECK(crossvm_open(&end, name) == 0, "%s", crossvm_strerror());
    return end;
}

crossvm_end_t *end_open_fresh(const char *name)
{
    crossvm_end_t *end = end_open(name);

    while (crossvm_wait(end, CROSSVM_NOW) > 0)
        ;
    return end;
}

void end_emit(crossvm_end_t *end)
{
    CHECK(crossvm_emit(end) == 0, "%s", crossvm_strerror());
}

int end_wait(crossvm_end_t *end)
{
    crossvm_deadline_t deadline = crossvm_deadline_after_ms(HANG_MS);
    int events;

    do
        events = crossvm_wait(end, deadline);
    while (events == -EINTR);
    CHECK(events >= 0, "%s", crossvm_strerror());
    CHECK(events > 0 || now_ms() < deadline.ns / 1000000, "%s: no event and no change of the peer in %d s",
          crossvm_name(end), HANG_MS / 1000);
    return events;
}

int end_take(crossvm_end_t *end)
{
    int events;

    do
        events = end_wait(end);
    while (events == 0);
    return events;
}

void end_take_exactly(crossvm_end_t *end, uint64_t events)
{
    uint64_t taken = 0;

    while (taken < events)
        taken += (uint64_t)end_take(end);
    CHECK(taken == events, "%s: %llu events came, not %llu", crossvm_name(end), (unsigned long long)taken,
          (unsigned long long)events);
}

uint32_t end_wait_for_peer(crossvm_end_t *end, uint32_t state)
{
    int64_t deadline = now_ms() + HANG_MS;
    uint32_t generation;
    uint32_t is;

    while ((is = crossvm_peer_state(end, &generation)) != state) {
        CHECK(now_ms() < deadline, "%s: the peer's state is %u, not %u, after %d s", crossvm_name(end), is, state,
              HANG_MS / 1000);
        (void)end_wait(end);
    }
    return generation;
}

crossvm_end_info_t end_info(const crossvm_end_t *end)
{
    crossvm_end_info_t info;

    CHECK(crossvm_info(end, &info, sizeof(info)) == 0, "%s", crossvm_strerror());
    return info;
}
