/* SPDX-License-Identifier: BSD-2-Clause */
/* The ends of this machine: devices, then sockets. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/name.h"
#include "end.h"
#include "error.h"
#include "guest_device.h"
#include "host.h"

#define SOCKET_SUFFIX ".sock"

struct list {
    crossvm_end_info_t *ends;
    size_t count;
};

/* Makes room for one more end, and gives it; NULL without memory. */
static crossvm_end_info_t *grow(struct list *list)
{
    crossvm_end_info_t *ends = reallocarray(list->ends, list->count + 1, sizeof(*ends));

    if (!ends)
        return NULL;
    list->ends = ends;
    return &ends[list->count++];
}

static int add_devices(struct list *list)
{
    struct uio_device *devices;
    size_t count;
    int error = cvm_uio_list(&devices, &count);

    for (size_t i = 0; i < count && !error; i++) {
        crossvm_end_info_t *info = grow(list);

        if (info)
            cvm_guest_look(&devices[i], info);
        else
            error = -ENOMEM;
    }
    free(devices);
    return error;
}

/* Cuts the suffix off the file name of a socket. False for any other file. */
static bool parse_socket_name(const char *file, char name[CROSSVM_FULL_NAME_BYTES])
{
    size_t length = strlen(file), suffix = strlen(SOCKET_SUFFIX);

    if (length <= suffix || length - suffix >= CROSSVM_FULL_NAME_BYTES ||
        strcmp(file + length - suffix, SOCKET_SUFFIX) != 0)
        return false;
    memcpy(name, file, length - suffix);
    name[length - suffix] = '\0';
    return name_is_valid(name);
}

/*
 * Adds a socket. One that nobody listens at was left by a process that ended, and is no end; one that does not let this
 * user in, or does not answer, is listed with what its file says.
 */
static int add_socket(struct list *list, const char *name)
{
    crossvm_end_info_t info, *added;
    char *path = cvm_host_path(name);
    int error;

    if (!path)
        return -ENOMEM;
    error = cvm_host_look(path, &info);
    free(path);
    if (error == -ENOENT || error == -ECONNREFUSED)
        return 0;
    if (error) {
        cvm_copy_text(info.name, sizeof(info.name), name);
        info.owner = -1;
    }
    added = grow(list);
    if (!added)
        return -ENOMEM;
    *added = info;
    return 0;
}

static int add_sockets(struct list *list)
{
    DIR *directory = opendir(cvm_host_directory());
    char name[CROSSVM_FULL_NAME_BYTES];
    struct dirent *entry;
    int error = 0;

    if (!directory)
        return 0; /* no VM runs here, or none that is for this user */
    while (!error && (entry = readdir(directory)) != NULL) {
        if (parse_socket_name(entry->d_name, name))
            error = add_socket(list, name);
    }
    closedir(directory);
    return error;
}

/* Devices before sockets, and each by name; equal names by path. */
static int compare(const void *a, const void *b)
{
    const crossvm_end_info_t *left = a, *right = b;
    int order = (left->via == CROSSVM_VIA_SOCKET) - (right->via == CROSSVM_VIA_SOCKET);

    if (!order)
        order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->path, right->path);
}

/* Copies a list into one whose entries have the caller's size. NULL without memory, or for an empty list. */
static crossvm_end_info_t *give(const struct list *all, size_t size)
{
    char *entries = all->count ? calloc(all->count, size) : NULL;

    for (size_t i = 0; entries && i < all->count; i++)
        cvm_give_info((crossvm_end_info_t *)(void *)(entries + i * size), size, &all->ends[i]);
    return (crossvm_end_info_t *)(void *)entries;
}

int crossvm_list(crossvm_end_info_t **list, size_t *count, size_t size)
{
    struct list all = {0};
    int error = add_devices(&all);

    if (!error)
        error = add_sockets(&all);
    if (all.ends)
        qsort(all.ends, all.count, sizeof(*all.ends), compare);
    *list = error ? NULL : give(&all, size);
    if (!error && all.count && !*list)
        error = -ENOMEM;
    *count = *list ? all.count : 0;
    free(all.ends);
    return error ? cvm_fail(-error, "no memory for the list of connections") : 0;
}

void crossvm_list_free(crossvm_end_info_t *list)
{
    free(list);
}
