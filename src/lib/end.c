/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of the library: finds out which kind of end a name means, and passes calls on to it. */
#include "end.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/error_reason.h"
#include "../common/name.h"
#include "../wire/socket_directory.h"
#include "error.h"
#include "guest.h"
#include "guest_device.h"
#include "host.h"
#include "uio_device.h"

void cvm_copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);

    memcpy(to, from, length);
    memset(to + length, 0, size - length);
}

void cvm_unmap_dataports(struct crossvm_end *end)
{
    for (size_t i = 0; i < end->num_dataports; i++)
        munmap(end->dataports[i].address, end->dataports[i].size);
    end->num_dataports = 0;
}

/* Whether some directory has the socket of a name with that suffix. */
static bool has_socket(const char *name, const char *suffix)
{
    char directory[SOCKET_DIRECTORY_BYTES], path[SOCKET_PATH_BYTES];

    for (size_t i = 0; cvm_socket_directory(i, directory); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s%s.sock", directory, name, suffix);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* Neither a device nor a socket has that name. unreadable is NULL, or a device that may have it. */
static int no_such_connection(const char *name, const struct uio_device *unreadable)
{
    char address[UIO_PCI_ADDRESS_BYTES], first[SOCKET_DIRECTORY_BYTES], second[SOCKET_DIRECTORY_BYTES];
    bool two = cvm_socket_directory(1, second);

    if (unreadable)
        return cvm_fail(
            EACCES,
            "no connection \"%s\" that this user may look at; it may be %s (PCI device %s, driver %s), whose "
            "registers root may read",
            name, unreadable->node, unreadable->pci_address, unreadable->driver);
    if (cvm_uio_find_undriven(CROSSVM_PCI_DEVICE, address))
        return cvm_fail(ENODEV,
                        "no connection \"%s\" among the devices with a driver, but PCI device %s has none: load the "
                        "crossvm driver, or bind uio_pci_generic to it",
                        name, address);
    if (has_socket(name, ".0") && has_socket(name, ".1"))
        return cvm_fail(ENOENT, "connection \"%s\" has two ends on this machine: open \"%s.0\" or \"%s.1\"", name, name,
                        name);
    if (cvm_uio_find_undriven(CROSSVM_IVSHMEM_PCI_DEVICE, address))
        return cvm_fail(
            ENODEV,
            "no connection \"%s\" among the devices with a driver; PCI device %s, of ivshmem, has none: if it "
            "is the connection, load the crossvm driver",
            name, address);
    (void)cvm_socket_directory(0, first);
    return cvm_fail(
        ENOENT,
        "no connection \"%s\": neither a device of this machine nor a socket %s.sock in %s%s%s; `crossvm ls` lists "
        "what there is",
        name, name, first, two ? " or " : "", two ? second : "");
}

/*
 * Opens the socket of a name. If nobody listens at a socket, or this user may not open it, the next directory may still
 * have another. If it has not, that is the error.
 */
static int open_socket(struct crossvm_end **end, const char *name)
{
    char directory[SOCKET_DIRECTORY_BYTES], path[SOCKET_PATH_BYTES], sentence[SENTENCE_BYTES];
    int refused = -ENOENT;

    for (size_t i = 0; cvm_socket_directory(i, directory); i++) {
        int error;

        (void)snprintf(path, sizeof(path), "%s/%s.sock", directory, name);
        error = cvm_host_open(end, path);
        if (error != -ENOENT && error != -ECONNREFUSED && error != -EACCES)
            return error;
        if (error != -ENOENT && refused == -ENOENT) {
            refused = error;
            cvm_copy_text(sentence, sizeof(sentence), crossvm_strerror());
        }
    }
    return refused == -ENOENT ? refused : cvm_fail(-refused, "%s", sentence);
}

static int open_name(struct crossvm_end **end, const char *name)
{
    struct uio_device device;
    int found, error;

    if (!name_is_valid(name))
        return cvm_fail(EINVAL, "\"%s\" is no name of a connection: a name has " NAME_RULE, name);

    found = cvm_guest_find(name, &device);
    if (!found)
        return cvm_guest_open(end, &device);
    if (found != -ENOENT && found != -EACCES)
        return cvm_fail(-found, "cannot look for connection \"%s\" among the devices: %s", name, error_reason(-found));
    error = open_socket(end, name);
    return error == -ENOENT ? no_such_connection(name, found == -EACCES ? &device : NULL) : error;
}

static int open_path(struct crossvm_end **end, const char *path)
{
    struct uio_device device;
    struct stat status;

    if (stat(path, &status))
        return cvm_fail(errno, "no connection at %s: %s", path, error_reason(errno));
    if (S_ISSOCK(status.st_mode))
        return cvm_host_open(end, path);
    if (S_ISCHR(status.st_mode) && !cvm_uio_find(status.st_rdev, &device))
        return cvm_guest_open(end, &device);
    return cvm_fail(
        EINVAL, "%s is neither the UIO device of a connection nor a socket; `crossvm ls` lists what there is", path);
}

int crossvm_open(crossvm_end_t **end, const char *name)
{
    if (!end || !name)
        return cvm_fail(EINVAL, "crossvm_open() needs a place for the handle and a name");
    *end = NULL;
    return strchr(name, '/') ? open_path(end, name) : open_name(end, name);
}

void crossvm_close(crossvm_end_t *end)
{
    if (end)
        end->ops->close(end);
}

const char *crossvm_name(const crossvm_end_t *end)
{
    return end->name;
}

unsigned int crossvm_end_number(const crossvm_end_t *end)
{
    return end->number;
}

size_t crossvm_num_dataports(const crossvm_end_t *end)
{
    return end->num_dataports;
}

crossvm_dataport_t crossvm_dataport(const crossvm_end_t *end, size_t i)
{
    if (i >= end->num_dataports)
        return (crossvm_dataport_t){NULL, 0, 0};
    return end->dataports[i];
}

int crossvm_emit(crossvm_end_t *end)
{
    return end->ops->emit(end);
}

crossvm_deadline_t crossvm_deadline_after_ms(int64_t milliseconds)
{
    return CROSSVM_DEADLINE(deadline_in(milliseconds));
}

int crossvm_wait(crossvm_end_t *end, crossvm_deadline_t deadline)
{
    return end->ops->wait(end, deadline.ns);
}

int cvm_end_take(struct crossvm_end *end, uint64_t *peer)
{
    return end->ops->take(end, peer);
}

int crossvm_fd(const crossvm_end_t *end)
{
    return end->fd;
}

uint32_t crossvm_peer_state(const crossvm_end_t *end, uint32_t *generation)
{
    uint32_t unwanted;

    /* The handle is const for the caller only: an end on the host first takes the news from its socket. */
    return end->ops->peer_state((struct crossvm_end *)end, generation ? generation : &unwanted);
}

void cvm_give_info(crossvm_end_info_t *to, size_t size, const crossvm_end_info_t *info)
{
    memset(to, 0, size);
    memcpy(to, info, size < sizeof(*info) ? size : sizeof(*info));
}

int crossvm_info(const crossvm_end_t *end, crossvm_end_info_t *info, size_t size)
{
    crossvm_end_info_t all = {.end = end->number, .num_dataports = end->num_dataports};
    int error;

    cvm_copy_text(all.name, sizeof(all.name), end->name);
    for (size_t i = 0; i < end->num_dataports; i++) {
        all.dataports[i].size = end->dataports[i].size;
        all.dataports[i].rights = end->dataports[i].rights;
    }
    error = end->ops->info(end, &all);
    if (error)
        memset(&all, 0, sizeof(all));
    cvm_give_info(info, size, &all);
    return error;
}

uint32_t crossvm_version(void)
{
    return CROSSVM_VERSION;
}
