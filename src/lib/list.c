/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ends of this machine: devices, then sockets.
 *
 * An error, such as a directory that this user may not read, does not keep the rest from being listed. The first error
 * is the result of the call: a list without it would say that there are no other connections.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/descriptor.h"
#include "../common/error_reason.h"
#include "../common/name.h"
#include "end.h"
#include "error.h"
#include "guest_device.h"
#include "host.h"

#define SOCKET_SUFFIX ".sock"

struct list {
    crossvm_end_info_t *ends;
    size_t count;
    int error; /* the first, negative */
    char sentence[SENTENCE_BYTES];
};

/* Keeps an error, with the sentence that was recorded last, if it is the first. */
static void keep_error(struct list *list, int error)
{
    if (list->error)
        return;
    list->error = error;
    cvm_copy_text(list->sentence, sizeof(list->sentence), crossvm_strerror());
}

/* Adds an end. */
static void add(struct list *list, const crossvm_end_info_t *info)
{
    crossvm_end_info_t *ends = reallocarray(list->ends, list->count + 1, sizeof(*ends));

    if (!ends) {
        keep_error(list, cvm_fail(ENOMEM, "no memory for the list of connections"));
        return;
    }
    list->ends = ends;
    ends[list->count++] = *info;
}

static void add_devices(struct list *list)
{
    struct uio_device *devices;
    crossvm_end_info_t info;
    size_t count;
    int error = cvm_uio_list(&devices, &count);

    if (error)
        keep_error(list, cvm_fail(-error, "cannot look for devices in /sys/class/uio: %s", error_reason(-error)));
    for (size_t i = 0; i < count; i++) {
        cvm_guest_look(&devices[i], &info);
        add(list, &info);
    }
    free(devices);
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
 * Adds a socket. A socket that nobody listens at is left out: a process that has ended left it there. An end whose
 * process does not let this user in, or does not answer, is listed with its error.
 */
static void add_socket(struct list *list, const char *directory, const char *name)
{
    char path[SOCKET_PATH_BYTES];
    crossvm_end_info_t info;
    int error;

    (void)snprintf(path, sizeof(path), "%s/%s" SOCKET_SUFFIX, directory, name);
    error = cvm_host_look(path, &info);
    if (error == -ENOENT || error == -ECONNREFUSED)
        return;
    if (error)
        cvm_copy_text(info.name, sizeof(info.name), name);
    if (descriptors_are_lacking(-error) || error == -ENOMEM)
        keep_error(list, error); /* of this process, not of that end */
    add(list, &info);
}

static void add_sockets_of(struct list *list, const char *path)
{
    const char *fault = cvm_socket_directory_fault(path, false);
    DIR *directory = fault ? NULL : descriptor_open_directory(path);
    char name[CROSSVM_FULL_NAME_BYTES];
    struct dirent *entry;

    if (fault)
        keep_error(list, cvm_fail(EPERM, "%s %s", path, fault));
    else if (!directory && errno != ENOENT) /* no server has made it */
        keep_error(list, cvm_fail(errno, "cannot look for sockets in %s: %s", path, error_reason(errno)));
    while (directory && (entry = readdir(directory)) != NULL) {
        if (parse_socket_name(entry->d_name, name))
            add_socket(list, path, name);
    }
    if (directory)
        closedir(directory);
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
    char directory[SOCKET_DIRECTORY_BYTES];
    struct list all = {0};

    add_devices(&all);
    for (size_t i = 0; cvm_socket_directory(i, directory); i++)
        add_sockets_of(&all, directory);
    if (all.ends)
        qsort(all.ends, all.count, sizeof(*all.ends), compare);
    *list = give(&all, size);
    *count = *list ? all.count : 0;
    if (all.count && !*list)
        keep_error(&all, cvm_fail(ENOMEM, "no memory for the list of connections"));
    free(all.ends);
    return all.error ? cvm_fail(-all.error, "%s", all.sentence) : 0;
}

void crossvm_list_free(crossvm_end_info_t *list)
{
    free(list);
}
