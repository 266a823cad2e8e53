/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The components of sel4/example as processes on Linux, at host programs' ends of connections: what a guest's programs
 * do to them can be tried with a program at the other end.
 *
 * usage: component echo ECHO TEXT | component samples SAMPLES | component camkes ECHO
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/component.h>
#include <crossvm/crossvm.h>

#include "echo.h"
#include "samples.h"

#define MAX_ENDS 2

static crossvm_end_t *ends[MAX_ENDS];
static size_t num_ends;

static _Noreturn void fail(void)
{
    (void)fprintf(stderr, "component: %s\n", crossvm_strerror());
    exit(1);
}

void seL4_Signal(seL4_CPtr notification)
{
    if (crossvm_emit(ends[notification]))
        fail();
}

void seL4_Wait(seL4_CPtr notification, seL4_Word *badge)
{
    struct pollfd wishes[MAX_ENDS];

    (void)notification;
    *badge = 0;
    while (!*badge) {
        for (size_t i = 0; i < num_ends; i++)
            wishes[i] = (struct pollfd){.fd = crossvm_fd(ends[i]), .events = POLLIN};
        (void)poll(wishes, num_ends, -1);
        for (size_t i = 0; i < num_ends; i++) {
            int events = crossvm_wait(ends[i], CROSSVM_NOW);

            if (events > 0)
                *badge |= (seL4_Word)1 << i;
        }
    }
}

/* The dataport of an end, which has the size that the component expects. */
static void *open_end(const char *name, size_t frames)
{
    crossvm_dataport_t dataport;

    if (crossvm_open(&ends[num_ends], name))
        fail();
    dataport = crossvm_dataport(ends[num_ends], 0);
    num_ends++;
    if (dataport.size == frames << FRAME_BITS)
        return dataport.address;
    (void)fprintf(stderr, "component: %s has a dataport of %zu bytes, not %zu\n", name, dataport.size,
                  frames << FRAME_BITS);
    exit(1);
}

static uint32_t measure(void)
{
    static uint32_t sample;

    return sample++;
}

static void emit(void)
{
    seL4_Signal(0);
}

/* Sends datagrams back, as docs/sel4.md shows it for CAmkES: emits by a function, since it has no capability. */
static _Noreturn void serve_as_of_camkes(const char *name)
{
    static crossvm_component_channel_t channel;
    static char message[65536];
    crossvm_component_t self = {.notification = 0};
    const crossvm_component_channel_config_t config = {
        .dataport = open_end(name, ECHO_FRAMES),
        .size = ECHO_FRAMES << FRAME_BITS,
        .mode = CROSSVM_CHANNEL_DATAGRAM,
        .emit_fn = emit,
        .emit = MAX_ENDS, /* no end: a signal of this one would be noticed */
        .badge = BADGE_GUEST_ECHO,
    };

    if (crossvm_component_channel_init(&channel, &self, &config))
        fail();
    for (;;) {
        ptrdiff_t length;

        crossvm_channel_open(&channel.channel);
        do {
            length = crossvm_channel_recv(&channel.channel, message, sizeof(message), CROSSVM_FOREVER);
            if (length >= 0)
                length = crossvm_channel_send(&channel.channel, message, (size_t)length, CROSSVM_FOREVER);
        } while (length >= 0);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "echo") == 0) {
        struct echo echo = {.vmm_echo = 0, .vmm_text = 1};

        echo.echo = open_end(argv[2], ECHO_FRAMES);
        echo.text = open_end(argv[3], TEXT_FRAMES);
        echo_serve(&echo);
    }
    if (argc == 3 && strcmp(argv[1], "samples") == 0) {
        struct samples samples = {.measure = measure};

        samples.dataport = open_end(argv[2], SAMPLES_FRAMES);
        samples_serve(&samples);
    }
    if (argc == 3 && strcmp(argv[1], "camkes") == 0)
        serve_as_of_camkes(argv[2]);
    (void)fprintf(stderr, "usage: component echo ECHO TEXT | component samples SAMPLES | component camkes ECHO\n");
    return 2;
}
