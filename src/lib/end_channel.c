/* SPDX-License-Identifier: BSD-2-Clause */
/* Channels of an end: binds the channel's callbacks to the end's doorbells and to what is known of the peer. */
#include "end_channel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

/* Looks before a sleep: as many as a wake-up takes, tens of microseconds, so that spinning at most doubles the cost. */
#define SPIN_LOOKS 1000

/*
 * How late news may be. Those of another guest go through two processes, and a loaded machine makes these wait. On the
 * host they are in the socket before a program can do anything at its end, and are read when there are no events to
 * take.
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
 * The rings of the bell that this thread knows of, kept for the channel that it waited on last. On another channel it
 * knows of none: then it looks once in vain, and waits when it comes again.
 */
static uint32_t *known_rings(const struct end_channel *bound, bool *known)
{
    static _Thread_local struct {
        uint64_t serial;
        uint32_t rung;
    } last;

    *known = last.serial == bound->serial;
    last.serial = bound->serial;
    return &last.rung;
}

/* The end's device or the VM's process is gone. A session may still hold data; without one there is nothing to wait
 * for.
 */
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
    deadline_t limit = limit_us ? deadline_clock() + (int64_t)limit_us * 1000 : DEADLINE_NEVER;
    bool known;
    uint32_t *rung = known_rings(bound, &known);
    /* The channel has just looked, so a bell that rings on and on is no reason to go on beyond the deadline. */
    const int look_again = deadline_is_over(deadline) ? -ETIMEDOUT : 0;
    uint32_t gone = __atomic_load_n(&waiters->gone, __ATOMIC_ACQUIRE);
    deadline_t again = cvm_peer_watch(&bound->watch, &bound->channel, bound->end);
    int result;

    if (gone)
        return end_is_gone(bound, gone);
    if (again == DEADLINE_NOW)
        return 0;
    if (!known) {
        *rung = __atomic_load_n(&waiters->rung, __ATOMIC_ACQUIRE);
        return look_again;
    }
    result = cvm_waiters_wait(bound->end, rung, sooner(deadline, sooner(limit, again)));
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
 * Where there is a single CPU, a process that spins keeps the other end from running. A guest cannot know how many
 * there are for the VM and the peer; but where there is one, its store to the doorbell makes the peer run at once, and
 * the answer is there when the guest goes on: so it looks, and neither end needs another bell.
 */
static unsigned int usual_spin(const crossvm_end_t *end)
{
    return end->in_guest || sysconf(_SC_NPROCESSORS_ONLN) != 1 ? SPIN_LOOKS : 0;
}

/* Aligned as the channel's structure is: it keeps what two threads use on cache lines apart. */
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
    (void)cvm_waiters_look(end); /* where another thread keeps us from it, the last look must do */
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
        bound->settles = deadline_clock() + (int64_t)sleep.limit_us * 1000;
    bound->sleep = sleep;
    if (bound->settles)
        *again = sooner(*again, bound->settles);
    return ready;
}

int crossvm_channel_prepare(crossvm_channel_t *channel, unsigned int events, int *timeout_ms)
{
    struct end_channel *bound = bound_of(channel);
    uint32_t rung = 0;
    int result = cvm_waiters_take(bound->end, &rung);
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
