/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of an ivshmem device with nothing but a ring in it, the one of bench/channel/plain.c. Debian's kernel has
 * no driver that could give its interrupts to a program, so both ends look until something is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../channel/rival.h"
#include "rivals.h"

#define DEVICES "/sys/bus/pci/devices/*"
#define IVSHMEM_ID 0x11101af4 /* as its configuration space has it: vendor and device */
#define HOST_FILE "/dev/shm/crossvm-bench-ivshmem"
#define RING_MESSAGES (10 * MESSAGES) /* many times what the ring holds: what is in it at the start hardly counts */
#define TAIL 4096                     /* at its end: what the ends tell each other before and after */

/* Whether a device of sysfs is an ivshmem */
static int is_ivshmem(const char *device)
{
    char path[256];
    uint32_t id = 0;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/config", device);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, &id, sizeof(id)) != sizeof(id))
        id = 0;
    close(fd);
    return id == IVSHMEM_ID;
}

static void *map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *memory = MAP_FAILED;

    if (fd >= 0)
        memory = mmap(NULL, MEMORY_BYTES + TAIL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail("map %s: %s", path, strerror(errno));
    close(fd);
    return memory;
}

static void *map_device(void)
{
    char path[256] = "";
    glob_t devices;

    if (glob(DEVICES, 0, NULL, &devices))
        fail("find " DEVICES);
    for (size_t i = 0; i < devices.gl_pathc && !path[0]; i++)
        if (is_ivshmem(devices.gl_pathv[i]))
            (void)snprintf(path, sizeof(path), "%s/resource2_wc", devices.gl_pathv[i]);
    globfree(&devices);
    if (!path[0])
        fail("find an ivshmem device");
    return map(path);
}

static void look_away(uint64_t number)
{
    (void)number;
}

/* In the tail: the guest is there. */
static uint32_t *presence(void *memory)
{
    return (uint32_t *)(void *)((char *)memory + MEMORY_BYTES);
}

void ring_serve(void)
{
    void *memory = map_device();
    void *way = rival_plain.attach(memory, 0);

    __atomic_store_n(presence(memory), 1, __ATOMIC_RELEASE);
    for (;;) {
        rival_plain.bounce(way, ROUNDS);
        rival_plain.get(way, RING_MESSAGES, look_away);
        rival_plain.bounce(way, 2);
        rival_plain.put(way, RING_MESSAGES);
    }
}

void ring_measure(void)
{
    void *memory = map(HOST_FILE);
    void *way = rival_plain.attach(memory, 1);

    /* The guest boots meanwhile. The memory is new, so the ring is empty. */
    while (!__atomic_load_n(presence(memory), __ATOMIC_ACQUIRE))
        (void)usleep(10000);
    for (int repetition = 0; repetition < REPETITIONS; repetition++) {
        int64_t start;

        round_trips_clear();
        for (uint64_t number = 0; number < ROUNDS; number++) {
            start = now_ns();
            rival_plain.ping(way, number);
            round_trip_add(now_ns() - start);
        }
        round_trips_print(MESSAGE_BYTES);
        start = now_ns();
        rival_plain.put(way, RING_MESSAGES);
        rival_plain.ping(way, 0);
        print_cost("to_guest", MESSAGE_BYTES, (double)(now_ns() - start) / RING_MESSAGES);
        rival_plain.ping(way, 0); /* the guest begins after this one */
        start = now_ns();
        rival_plain.get(way, RING_MESSAGES, look_away);
        print_cost("from_guest", MESSAGE_BYTES, (double)(now_ns() - start) / RING_MESSAGES);
    }
}
