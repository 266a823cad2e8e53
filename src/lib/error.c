/* SPDX-License-Identifier: BSD-2-Clause */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../common/error_reason.h"
#include "end_channel.h"

static _Thread_local char sentence[SENTENCE_BYTES] = "no error";

/* The last error of a channel, if its sentence is not composed yet. */
static _Thread_local struct {
    int error; /* a positive errno value; 0: the sentence is that of the last error */
    crossvm_channel_state_t state;
    bool gone; /* the device or the hub */
    const char *reason;
    size_t max_message;
    char name[CROSSVM_FULL_NAME_BYTES];
} failure;

int cvm_fail(int error, const char *format, ...)
{
    va_list arguments;

    failure.error = 0;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return -error;
}

void cvm_channel_failed(void *cookie, int error)
{
    struct end_channel *bound = cookie;
    uint32_t known;

    /* Memory that is cut off from a device which was removed looks like a peer that breaks the protocol. */
    if (error == -EPROTO)
        (void)cvm_waiters_take(bound->end, &known);
    failure.error = -error;
    failure.state = crossvm_channel_state(&bound->channel);
    failure.gone = __atomic_load_n(&bound->end->waiters.gone, __ATOMIC_RELAXED) != 0;
    failure.reason = crossvm_channel_reason(&bound->channel);
    failure.max_message = crossvm_channel_max_message(&bound->channel);
    memcpy(failure.name, bound->end->name, sizeof(failure.name));
}

static void compose(void)
{
    const char *name = failure.name;

    if (failure.gone && (failure.error == EPIPE || failure.error == EPROTO)) {
        (void)cvm_fail(
            EPIPE,
            "connection \"%s\" has ended: its device, or the process that serves it, is gone; open it again when "
            "that is back",
            name);
        return;
    }
    switch (failure.error) {
    case EPIPE:
        (void)cvm_fail(EPIPE, "the other end of the channel on connection \"%s\" is gone, or closed it", name);
        break;
    case EPROTO:
        (void)cvm_fail(EPROTO, "the channel on connection \"%s\" is broken: %s", name,
                       failure.reason[0] ? failure.reason : "the other end does not keep to the protocol");
        break;
    case EAGAIN:
        (void)cvm_fail(EAGAIN, "the channel on connection \"%s\" is not ready, and the call was not to wait", name);
        break;
    case ETIMEDOUT:
        (void)cvm_fail(ETIMEDOUT, "the other end of the channel on connection \"%s\" %s in time", name,
                       failure.state == CROSSVM_CHANNEL_OPENING ? "did not come" : "did nothing");
        break;
    case EMSGSIZE:
        (void)cvm_fail(EMSGSIZE,
                       "a datagram does not fit the buffer, or the channel on connection \"%s\", which carries up to "
                       "%zu bytes",
                       name, failure.max_message);
        break;
    case ENOTCONN:
        (void)cvm_fail(ENOTCONN, "the channel on connection \"%s\" is closed; open it first", name);
        break;
    default:
        (void)cvm_fail(failure.error, "the channel on connection \"%s\": %s", name, error_reason(failure.error));
        break;
    }
}

const char *crossvm_strerror(void)
{
    if (failure.error)
        compose();
    return sentence;
}
