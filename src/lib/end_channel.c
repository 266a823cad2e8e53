/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels of an end: joins the channel's callbacks with the end's events and with the news of the peer. */
#include "end_channel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

/* Looks before a sleep. They take as long as a wake-up, tens of microseconds, so spinning at most doubles the cost. */
#define SPIN_LOOKS 1000

/*
 * How late news of the peer may be. News of another guest pass through two processes, which wait on a loaded machine.
 * On the host they are in the socket before the peer can do anything at its end, and are read when there are no events.
 */
#define LATE_IN_GUEST_NS 50000000
#define LATE_ON_HOST_NS 20000000

static struct end_channel *bound_of(const crossvm_channel_t *channel)
{
    return (struct end_channel *)channel;
}

/* --- the callbacks --- */

static int emit(void *cookie)
{
    struct end_channel *bound = cookie;

    return crossvm_emit(bound->end);
}

/*
 * The wake-ups that this thread knows of, kept for the channel that it waited on last. On another channel it knows of
 * none: then it looks once more at the channel before it waits.
 */
static uint32_t *known_wake_ups(const struct end_channel *bound, bool *is_known)
{
    static _Thread_local struct {
        uint64_t serial;
        uint32_t known;
    } last;

    *is_known = last.serial == bound->serial;
    last.serial = bound->serial;
    return &last.known;
}

/* The end's device or the hub is gone. A session may still hold data. Without one there is nothing to wait for. */
static int end_is_gone(struct end_channel *bound, uint32_t error)
{
    if (crossvm_channel_state(&bound->channel) != CROSSVM_CHANNEL_CONNECTED)
        return -(int)error;
    crossvm_channel_set_peer(&bound->channel, false);
    return 0;
}

static deadline_t sooner(deadline_t a, deadline_t b)
{
    return a < b ? a : b;
}

static int wait_for_event(void *cookie, crossvm_deadline_t until, uint32_t limit_us)
{
    struct end_channel *bound = cookie;
    const deadline_t deadline = until.ns;
    struct waiters *waiters = &bound->end->waiters;
    deadline_t limit = limit_us ? now_ns() + (int64_t)limit_us * 1000 : DEADLINE_NEVER;
    bool is_known;
    uint32_t *known = known_wake_ups(bound, &is_known);
    /* The channel has just looked, so a peer that emits without end does not prolong the call beyond its deadline. */
    const int look_again = deadline_is_over(deadline) ? -ETIMEDOUT : 0;
    uint32_t gone = __atomic_load_n(&waiters->gone, __ATOMIC_ACQUIRE);
    deadline_t again = cvm_peer_watch(&bound->watch, &bound->channel, bound->end);
    int result;

    if (gone)
        return end_is_gone(bound, gone);
    if (again == DEADLINE_NOW)
        return 0;
    if (!is_known) {
        *known = __atomic_load_n(&waiters->wake_ups, __ATOMIC_ACQUIRE);
        return look_again;
    }
    result = cvm_waiters_wait(bound->end, known, sooner(deadline, sooner(limit, again)));
    if (result == 0)
        return look_again;
    if (result == -EINTR)
        return result;
    if (result != -ETIMEDOUT)
        return end_is_gone(bound, (uint32_t)-result);
    if (deadline_is_over(deadline))
        return -ETIMEDOUT;
    return deadline_is_over(limit) ? -EAGAIN : 0;
}

/* --- creation --- */

static bool is_writable(const crossvm_dataport_t *dataport)
{
    return dataport->rights & CROSSVM_RIGHT_WRITE;
}

static int find_dataport(const crossvm_end_t *end, crossvm_dataport_t *dataport)
{
    for (size_t i = 0; i < end->num_dataports; i++) {
        *dataport = end->dataports[i];
        if (is_writable(dataport) && dataport->size >= CROSSVM_CHANNEL_MIN_SIZE)
            return 0;
    }
    return cvm_fail(ENOENT,
                    "connection \"%s\" has no dataport for a channel: give it one of at least %d bytes that both ends "
                    "may write",
                    end->name, CROSSVM_CHANNEL_MIN_SIZE);
}

static int take_dataport(const crossvm_end_t *end, unsigned int choice, crossvm_dataport_t *dataport)
{
    const unsigned int index = choice - CROSSVM_CHANNEL_DATAPORT(0);

    if (choice == 0)
        return find_dataport(end, dataport);
    if (index >= end->num_dataports)
        return cvm_fail(ENOENT, "connection \"%s\" has no dataport %u: it has %zu, counted from 0", end->name, index,
                        end->num_dataports);
    *dataport = end->dataports[index];
    if (!is_writable(dataport))
        return cvm_fail(EACCES,
                        "dataport %u of connection \"%s\" is read-only for this end: a channel needs one that "
                        "both ends may write",
                        index, end->name);
    return 0;
}

static int check_options(const crossvm_end_t *end, const crossvm_channel_options_t *options)
{
    if (options->mode > CROSSVM_CHANNEL_DATAGRAM)
        return cvm_fail(EINVAL, "a channel of connection \"%s\" is a stream (%d) or for datagrams (%d), not %u",
                        end->name, CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM, options->mode);
    if (options->end > CROSSVM_CHANNEL_END(1))
        return cvm_fail(EINVAL, "a channel of connection \"%s\" is end 0 or 1, not %u", end->name,
                        options->end - CROSSVM_CHANNEL_END(0));
    for (size_t i = 0; i < sizeof(options->reserved) / sizeof(options->reserved[0]); i++) {
        if (options->reserved[i])
            return cvm_fail(EINVAL,
                            "the options of a channel of connection \"%s\" have reserved members that are not 0: set "
                            "all that this version does not know to 0",
                            end->name);
    }
    return 0;
}

/*
 * On a single CPU, a process that spins keeps the other end from running. A guest cannot know how many CPUs its host
 * has. But on a host with one, its store to the doorbell makes the peer run at once, and the answer is there when the
 * guest continues. So a guest spins, and then needs no event for the answer.
 */
static unsigned int usual_spin(const crossvm_end_t *end)
{
    return end->in_guest || sysconf(_SC_NPROCESSORS_ONLN) != 1 ? SPIN_LOOKS : 0;
}

/* Aligned as the channel's structure, which keeps words of different threads on different cache lines. */
static struct end_channel *allocate(void)
{
    static uint64_t serials;
    void *memory;
    struct end_channel *bound;

    if (posix_memalign(&memory, _Alignof(struct end_channel), sizeof(*bound)))
        return NULL;
    bound = memory;
    memset(bound, 0, sizeof(*bound));
    bound->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
    pthread_mutex_init(&bound->watch.lock, NULL);
    return bound;
}

int crossvm_channel_create(crossvm_channel_t **channel, crossvm_end_t *end, const crossvm_channel_options_t *options)
{
    static const crossvm_channel_options_t defaults = {0};
    crossvm_channel_config_t config = {
        .flags = CROSSVM_CHANNEL_RELAXED, .emit = emit, .wait = wait_for_event, .failed = cvm_channel_failed};
    crossvm_dataport_t dataport = {NULL, 0, 0};
    struct end_channel *bound;
    int error;

    *channel = NULL;
    if (!options)
        options = &defaults;
    error = check_options(end, options);
    if (!error)
        error = take_dataport(end, options->dataport, &dataport);
    if (error)
        return error;
    bound = allocate();
    if (!bound)
        return cvm_fail(ENOMEM, "no memory for a channel of connection \"%s\"", end->name);
    bound->end = end;

    config.memory = dataport.address;
    config.size = dataport.size;
    config.mode = options->mode;
    config.end = options->end ? options->end : CROSSVM_CHANNEL_END(end->number);
    config.spin = options->spin ? options->spin : usual_spin(end);
    config.cookie = bound;
    error = crossvm_channel_init(&bound->channel, &config);
    if (error) {
        crossvm_channel_destroy(&bound->channel);
        return cvm_fail(-error, "the dataport of connection \"%s\" (%zu bytes) cannot hold a channel", end->name,
                        dataport.size);
    }
    (void)cvm_waiters_look(end); /* while another thread leads, what it saw last must do */
    bound->watch.first = __atomic_load_n(&end->waiters.peer, __ATOMIC_RELAXED);
    bound->watch.late_ns = end->in_guest ? LATE_IN_GUEST_NS : LATE_ON_HOST_NS;
    crossvm_channel_open(&bound->channel);
    *channel = &bound->channel;
    return 0;
}

void crossvm_channel_destroy(crossvm_channel_t *channel)
{
    if (!channel)
        return;
    crossvm_channel_close(channel);
    pthread_mutex_destroy(&bound_of(channel)->watch.lock);
    free(bound_of(channel));
}

/* --- the other calls --- */

crossvm_end_t *crossvm_channel_get_end(const crossvm_channel_t *channel)
{
    return bound_of(channel)->end;
}

int crossvm_channel_fd(const crossvm_channel_t *channel)
{
    return crossvm_fd(bound_of(channel)->end);
}

/*
 * Asks for an event. The channel limits a sleep until no look of the peer at this end's wake word without a fence can
 * be under way any more (docs/channel.md, section 6). Time passes for that whether the caller sleeps or not.
 */
static unsigned int arm(struct end_channel *bound, unsigned int events, deadline_t *again)
{
    crossvm_channel_sleep_t sleep;
    unsigned int ready;

    if (bound->settles && deadline_is_over(bound->settles))
        crossvm_channel_slept(&bound->channel, &bound->sleep);
    ready = crossvm_channel_arm(&bound->channel, events, &sleep);
    if (ready || !sleep.limit_us)
        bound->settles = 0;
    else if (!bound->settles || sleep.number != bound->sleep.number)
        bound->settles = now_ns() + (int64_t)sleep.limit_us * 1000;
    bound->sleep = sleep;
    if (bound->settles)
        *again = sooner(*again, bound->settles);
    return ready;
}

int crossvm_channel_prepare(crossvm_channel_t *channel, unsigned int events, int *timeout_ms)
{
    struct end_channel *bound = bound_of(channel);
    uint32_t known = 0;
    int result = cvm_waiters_take(bound->end, &known);
    deadline_t again = cvm_peer_watch(&bound->watch, channel, bound->end);
    unsigned int ready;

    *timeout_ms = -1;
    if (result < 0) {
        result = end_is_gone(bound, (uint32_t)-result);
        if (result < 0) {
            cvm_channel_failed(bound, result);
            return result;
        }
    }
    ready = arm(bound, events, &again);
    if (ready == 0)
        *timeout_ms = deadline_poll_ms(again);
    return (int)ready;
}
