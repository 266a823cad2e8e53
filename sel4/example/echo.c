/* SPDX-License-Identifier: BSD-2-Clause */
#include "echo.h"

#include <crossvm/component.h>
#include <errno.h>

#include "bench.h"

/* A channel with one program of the guest after the other. */
struct service {
    crossvm_component_channel_t channel;
    /** Sends the next message back. 0 or a negative errno value; -EAGAIN: not now. */
    int (*serve)(struct service *service);
    unsigned int awaited; /* what a message that could not be served waits for: CROSSVM_CHANNEL_IN or _OUT */
};

/* --- messages --- */

/*
 * Sends back what came, from where it lies in the ring: the content does not matter, so the guest may change it
 * meanwhile. Of a stream that is as much as there is space for.
 */
static int send_back(struct service *service, const void *data, ptrdiff_t length)
{
    crossvm_channel_t *channel = &service->channel.channel;

    service->awaited = CROSSVM_CHANNEL_OUT;
    length = crossvm_channel_send(channel, data, (size_t)length, CROSSVM_NOW);
    return length < 0 ? (int)length : crossvm_channel_release(channel, (size_t)length);
}

static ptrdiff_t look(struct service *service, const void **data)
{
    service->awaited = CROSSVM_CHANNEL_IN;
    return crossvm_channel_peek(&service->channel.channel, data, CROSSVM_NOW);
}

static int serve_datagram(struct service *service)
{
    const void *data;
    ptrdiff_t length = look(service, &data);

    if (length < 0)
        return (int)length;
    if (bench_is_order(data, (size_t)length))
        return bench_obey(&service->channel.channel);
    return send_back(service, data, length);
}

static int serve_bytes(struct service *service)
{
    const void *data;
    ptrdiff_t length = look(service, &data);

    if (length < 0)
        return (int)length;
    if (length)
        return send_back(service, data, length);
    crossvm_channel_close(&service->channel.channel); /* the guest's program has ended its direction */
    return -EPIPE;
}

/* --- services --- */

/* Goes on until there is nothing more to do for now, and has the guest signal when there is. */
static void go_on(struct service *service)
{
    crossvm_channel_t *channel = &service->channel.channel;

    for (;;) {
        crossvm_channel_sleep_t sleep;
        int error = crossvm_channel_connect(channel, CROSSVM_NOW);

        if (error == -EAGAIN)
            return; /* whoever connects signals */
        while (!error)
            error = service->serve(service);
        if (error != -EAGAIN)
            crossvm_channel_open(channel); /* for the next; what was sent before can still be received */
        else if (!crossvm_channel_arm(channel, service->awaited, &sleep))
            return;
    }
}

static void start(struct service *service, crossvm_component_t *self, const crossvm_component_channel_config_t *config,
                  int (*serve)(struct service *service))
{
    service->serve = serve;
    (void)crossvm_component_channel_init(&service->channel, self, config); /* fails if the dataport is not aligned */
    crossvm_channel_open(&service->channel.channel);
}

void echo_serve(const struct echo *echo)
{
    static struct service datagrams, bytes;
    crossvm_component_t self = {.notification = echo->notification};
    seL4_Word came = BADGE_GUEST_ECHO | BADGE_GUEST_TEXT; /* what was before this component is found by a first look */

    start(&datagrams, &self,
          &(crossvm_component_channel_config_t){
              .dataport = echo->echo,
              .size = ECHO_FRAMES << FRAME_BITS,
              .mode = CROSSVM_CHANNEL_DATAGRAM,
              .emit = echo->vmm_echo,
              .badge = BADGE_GUEST_ECHO,
          },
          serve_datagram);
    start(&bytes, &self,
          &(crossvm_component_channel_config_t){
              .dataport = echo->text,
              .size = TEXT_FRAMES << FRAME_BITS,
              .emit = echo->vmm_text,
              .badge = BADGE_GUEST_TEXT,
          },
          serve_bytes);
    for (;;) {
        if (came & BADGE_GUEST_ECHO)
            go_on(&datagrams);
        if (came & BADGE_GUEST_TEXT)
            go_on(&bytes);
        came = crossvm_component_wait(&self);
    }
}
