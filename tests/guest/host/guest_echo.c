/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of the tests of host ends: answers each event of "echo" and "base" with one, adds 1 to the first word of
 * the dataport, and notes what it sees of the peer. An event on "control" carries a letter in the dataport.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "shared.h"

static crossvm_end_t *open_end(const char *name)
{
    crossvm_end_t *end = NULL;

    if (crossvm_open(&end, name))
        (void)printf("guest: %s\n", crossvm_strerror());
    return end;
}

static void answer(crossvm_end_t *end)
{
    volatile struct shared *shared = crossvm_dataport(end, 0).address;
    int events = crossvm_wait(end, CROSSVM_NOW);
    uint32_t generation = 0;

    shared->peer_state = crossvm_peer_state(end, &generation);
    shared->peer_generation = generation;
    for (; events > 0; events--) {
        shared->number++;
        (void)crossvm_emit(end);
    }
}

/* Stores to memory that only the host writes: nothing happens. */
static void try_to_write(crossvm_end_t *rights)
{
    volatile uint32_t *from_host = crossvm_dataport(rights, 0).address;
    volatile uint32_t *from_guest = crossvm_dataport(rights, 1).address;

    *from_guest = *from_host + 1;
    (void)crossvm_emit(rights);
}

static void tell_driver(const char *file, const char *address)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/crossvm/%s", file);
    fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, address, strlen(address)) < 0)
        (void)printf("guest: cannot write %s to %s\n", address, path);
    close(fd);
}

/* The driver leaves "idle" and comes back. */
static void rebind_idle(crossvm_end_t *control)
{
    crossvm_end_info_t *list = NULL;
    size_t n = 0;

    (void)crossvm_list(&list, &n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, "idle") != 0)
            continue;
        tell_driver("unbind", list[i].location);
        (void)crossvm_emit(control);
        while (crossvm_wait(control, CROSSVM_FOREVER) <= 0)
            ;
        tell_driver("bind", list[i].location);
    }
    (void)crossvm_emit(control);
}

int main(void)
{
    crossvm_end_t *echo = open_end("echo");
    crossvm_end_t *base = open_end("base");
    crossvm_end_t *rights = open_end("rights");
    crossvm_end_t *control = open_end("control");
    crossvm_end_t *early = open_end("early");
    struct pollfd waiting[3];
    volatile char *letter;

    if (!echo || !base || !rights || !control || !early)
        return 1;
    letter = crossvm_dataport(control, 0).address;
    waiting[0] = (struct pollfd){.fd = crossvm_fd(echo), .events = POLLIN};
    waiting[1] = (struct pollfd){.fd = crossvm_fd(base), .events = POLLIN};
    waiting[2] = (struct pollfd){.fd = crossvm_fd(control), .events = POLLIN};
    for (int i = 0; i < 3; i++)
        (void)crossvm_emit(early);
    (void)crossvm_emit(control);
    (void)printf("guest: ready\n");
    (void)fflush(stdout);
    while (*letter != 'q') {
        answer(echo);
        answer(base);
        if (crossvm_wait(control, CROSSVM_NOW) > 0 && *letter == 'r')
            try_to_write(rights);
        else if (*letter == 'b') {
            *letter = ' ';
            rebind_idle(control);
        }
        if (*letter != 'q')
            (void)poll(waiting, 3, 1000);
    }
    return 0;
}
