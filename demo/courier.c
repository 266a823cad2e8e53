/* SPDX-License-Identifier: BSD-2-Clause */
#include "courier.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 8 /* a length of 4 bytes, 0 when the half is free, and padding */

static uint32_t load_length(const unsigned char *half)
{
    /* Orders the length before the bytes that it announces, or before their room is used again. */
    return __atomic_load_n((const uint32_t *)half, __ATOMIC_ACQUIRE);
}

static void store_length(unsigned char *half, uint32_t length)
{
    /* Orders the bytes before the length that announces them, or their copy before the room is free. */
    __atomic_store_n((uint32_t *)half, length, __ATOMIC_RELEASE);
}

int courier_open(struct courier *courier, const char *name, int first)
{
    crossvm_region_t region;

    if (crossvm_open(&courier->end, name)) {
        (void)fprintf(stderr, "%s\n", crossvm_strerror());
        return -1;
    }
    region = crossvm_dataport(courier->end, 0);
    if (region.size < 4096) {
        (void)fprintf(stderr, "connection %s has no dataport\n", name);
        crossvm_close(courier->end);
        return -1;
    }
    courier->out = (unsigned char *)region.address + (first ? 0 : region.size / 2);
    courier->in = (unsigned char *)region.address + (first ? region.size / 2 : 0);
    courier->room = region.size / 2 - HEADER;
    return 0;
}

void courier_close(struct courier *courier)
{
    crossvm_close(courier->end);
}

static int wait_for_event(struct courier *courier)
{
    int events = crossvm_wait(courier->end, -1);

    if (events < 0 && events != -EINTR) {
        (void)fprintf(stderr, "%s\n", crossvm_strerror());
        return -1;
    }
    return 0;
}

int courier_send(struct courier *courier, const void *message, size_t length)
{
    if (length == 0 || length > courier->room) {
        (void)fprintf(stderr, "a message of %zu bytes is not one of 1 to %zu\n", length, courier->room);
        return -1;
    }
    memcpy(courier->out + HEADER, message, length);
    store_length(courier->out, (uint32_t)length);
    if (crossvm_emit(courier->end))
        return -1;
    while (load_length(courier->out)) {
        if (wait_for_event(courier))
            return -1;
    }
    return 0;
}

bool courier_has_message(const struct courier *courier)
{
    return load_length(courier->in) != 0;
}

long courier_receive(struct courier *courier, void *message, size_t room)
{
    uint32_t length;

    while (!(length = load_length(courier->in))) {
        if (wait_for_event(courier))
            return -1;
    }
    if (length > room || length > courier->room) {
        (void)fprintf(stderr, "the other end announces %u bytes, more than it may\n", length);
        return -1;
    }
    memcpy(message, courier->in + HEADER, length);
    store_length(courier->in, 0);
    if (crossvm_emit(courier->end))
        return -1;
    return (long)length;
}

int courier_send_file(struct courier *courier, const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(courier->room);
    uint64_t size = 0;
    size_t n;
    int error = -1;

    if (!file || !bytes || fseek(file, 0, SEEK_END)) {
        (void)fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        goto cleanup;
    }
    size = (uint64_t)ftell(file);
    rewind(file);
    error = courier_send(courier, &size, sizeof(size));
    while (!error && (n = fread(bytes, 1, courier->room, file)) > 0)
        error = courier_send(courier, bytes, n);
cleanup:
    free(bytes);
    if (file)
        (void)fclose(file);
    return error;
}

int courier_receive_file(struct courier *courier, const char *path)
{
    FILE *file = fopen(path, "wb");
    unsigned char *bytes = malloc(courier->room);
    uint64_t left = 0;
    int error = -1;

    if (!file || !bytes) {
        (void)fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
        goto cleanup;
    }
    if (courier_receive(courier, &left, sizeof(left)) != sizeof(left))
        goto cleanup;
    while (left > 0) {
        long n = courier_receive(courier, bytes, courier->room);

        if (n <= 0 || (uint64_t)n > left || fwrite(bytes, 1, (size_t)n, file) != (size_t)n)
            goto cleanup;
        left -= (uint64_t)n;
    }
    error = 0;
cleanup:
    free(bytes);
    if (file && fclose(file))
        error = -1;
    return error;
}
