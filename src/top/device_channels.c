/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_channels.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int map(struct device_channels *device, const char *node, size_t size)
{
    size_t i = device->count;
    char file[PATH_MAX];
    void *memory;
    int fd, error;

    (void)snprintf(file, sizeof(file), "/sys/class/uio/%s/device/crossvm/dataport%zu", node, i);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    error = memory == MAP_FAILED ? -errno : 0;
    close(fd);
    if (error)
        return error;
    device->memory[i] = memory;
    device->sizes[i] = size;
    channel_watch_begin(&device->channels[i], memory, size);
    device->count++;
    return 0;
}

int device_channels_open(struct device_channels *device, const crossvm_end_info_t *info)
{
    const char *slash = strrchr(info->path, '/');
    int error = 0;

    *device = (struct device_channels){0};
    for (size_t i = 0; i < info->num_dataports && !error; i++)
        error = map(device, slash ? slash + 1 : info->path, info->dataports[i].size);
    if (error)
        device_channels_close(device);
    return error;
}

void device_channels_close(struct device_channels *device)
{
    for (size_t i = 0; i < device->count; i++)
        munmap((void *)device->memory[i], device->sizes[i]);
    *device = (struct device_channels){0};
}

/* --- looking: a device may go at any moment, and then an access to its memory is SIGBUS --- */

static sigjmp_buf gone;

static void leave(int signal)
{
    (void)signal;
    siglongjmp(gone, 1);
}

bool device_channels_look(struct device_channels *device, int64_t now_ns)
{
    const struct sigaction action = {.sa_handler = leave, .sa_flags = SA_NODEFER}; /* leaves no signal blocked */
    struct sigaction before;
    bool there = false;

    sigaction(SIGBUS, &action, &before);
    if (sigsetjmp(gone, 0) == 0) {
        for (size_t i = 0; i < device->count; i++)
            channel_watch_look(&device->channels[i], now_ns);
        there = true;
    }
    sigaction(SIGBUS, &before, NULL);
    return there;
}
