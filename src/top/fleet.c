/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/descriptor.h"
#include "../common/message.h"
#include "../lib/guest_device.h"
#include "../wire/socket_directory.h"

static bool is_wanted(const struct fleet *fleet, const char *name)
{
    return !fleet->pattern || fnmatch(fleet->pattern, name, 0) == 0;
}

/* --- connections of hubs --- */

static bool ends_in(const char *file, const char *suffix)
{
    size_t length = strlen(file), tail = strlen(suffix);

    return length > tail && strcmp(file + length - tail, suffix) == 0;
}

/* Asked before one is observed: others are left in peace. */
static bool is_wanted_view(const struct fleet *fleet, const char *file)
{
    char name[NAME_MAX + 1];

    (void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(OBSERVED_SUFFIX)), file);
    return is_wanted(fleet, name);
}

static bool is_known(const struct fleet *fleet, const char *path)
{
    for (size_t i = 0; i < fleet->num_connections; i++) {
        if (strcmp(fleet->connections[i]->observed.path, path) == 0)
            return true;
    }
    return false;
}

/* 0, or -1 after a message. */
static int add(struct fleet *fleet, struct fleet_connection *connection)
{
    struct fleet_connection **all =
        reallocarray(fleet->connections, fleet->num_connections + 1, sizeof(*fleet->connections));

    if (!all) {
        message("no memory for a list of connections");
        return -1;
    }
    fleet->connections = all;
    all[fleet->num_connections++] = connection;
    return 0;
}

/* One that cannot be observed is left out, after a message the first time. 0, or -1 after a message. */
static int add_view(struct fleet *fleet, const char *path)
{
    struct fleet_connection *connection = calloc(1, sizeof(*connection));
    int error;

    if (!connection) {
        message("no memory for a connection");
        return -1;
    }
    error = observed_open(&connection->observed, path);
    if (error && error != -ENOENT && error != -ECONNREFUSED && !fleet->complained)
        message("%s", crossvm_strerror());
    if (!error && is_wanted(fleet, connection->observed.told.name) && add(fleet, connection) == 0)
        return 0;
    if (!error)
        observed_close(&connection->observed);
    free(connection);
    return 0;
}

/* 0, or -1 after a message. */
static int scan_directory(struct fleet *fleet, const char *path)
{
    const char *fault = cvm_socket_directory_fault(path, false);
    DIR *directory = fault ? NULL : descriptor_open_directory(path);
    size_t views = 0, sockets = 0;
    struct dirent *entry;
    int error = 0;

    if (fault && !fleet->complained)
        message("%s %s", path, fault);
    else if (!fault && !directory && errno != ENOENT && !fleet->complained)
        message("cannot look for connections in %s: %s", path, error_reason(errno));
    while (directory && !error && (entry = readdir(directory)) != NULL) {
        char socket[PATH_MAX];

        sockets += ends_in(entry->d_name, ".sock");
        if (!ends_in(entry->d_name, OBSERVED_SUFFIX) ||
            snprintf(socket, sizeof(socket), "%s/%s", path, entry->d_name) >= (int)sizeof(socket))
            continue;
        views++;
        if (is_wanted_view(fleet, entry->d_name) && !is_known(fleet, socket))
            error = add_view(fleet, socket);
    }
    if (directory)
        closedir(directory);
    if (sockets && !views && !fleet->complained)
        message("the connections in %s cannot be observed: their hubs are older than this crossvm; start them again "
                "with this release",
                path);
    return error;
}

static void remove_connection(struct fleet *fleet, size_t i)
{
    observed_close(&fleet->connections[i]->observed);
    free(fleet->connections[i]);
    fleet->connections[i] = fleet->connections[--fleet->num_connections];
}

/* --- devices of a guest --- */

static struct fleet_device *find_device(struct fleet_device *devices, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(devices[i].info.path, path) == 0)
            return &devices[i];
    }
    return NULL;
}

/* What is known of a device goes on, and its channels are looked for. */
static void carry_on(struct fleet *fleet, struct fleet_device *device)
{
    struct fleet_device *before = find_device(fleet->devices, fleet->num_devices, device->info.path);

    if (before) {
        device->before = before->before;
        device->now = before->now;
        device->channels = before->channels;
        before->channels = (struct device_channels){0};
    }
    if (device->channels.count > 0)
        return;
    if (device_channels_open(&device->channels, &device->info) == -EACCES && !fleet->complained_of_channels) {
        message("only root sees the channels of this guest's devices");
        fleet->complained_of_channels = true;
    }
    if (device->channels.count > 0) /* which are counted from now on */
        device->before = device->now = (struct fleet_counts){0};
}

static void forget_devices(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->num_devices; i++)
        device_channels_close(&fleet->devices[i].channels);
    free(fleet->devices);
    fleet->devices = NULL;
    fleet->num_devices = 0;
}

static void find_devices(struct fleet *fleet)
{
    struct uio_device *found = NULL;
    struct fleet_device *devices;
    size_t count = 0, n = 0;

    (void)cvm_uio_list(&found, &count);
    devices = calloc(count ? count : 1, sizeof(*devices));
    for (size_t i = 0; devices && i < count; i++) {
        cvm_guest_look(&found[i], &devices[n].info);
        if (is_wanted(fleet, devices[n].info.name))
            carry_on(fleet, &devices[n++]);
    }
    free(found);
    forget_devices(fleet);
    fleet->devices = devices;
    fleet->num_devices = n;
}

/* --- all --- */

int fleet_scan(struct fleet *fleet)
{
    char directory[SOCKET_DIRECTORY_BYTES];
    int error = 0;

    for (size_t i = 0; !error && cvm_socket_directory(i, directory); i++)
        error = scan_directory(fleet, directory);
    fleet->complained = true;
    return error;
}

void fleet_hear(struct fleet *fleet)
{
    for (size_t i = fleet->num_connections; i-- > 0;) {
        if (!observed_hear(&fleet->connections[i]->observed))
            remove_connection(fleet, i);
    }
}

bool fleet_wait(struct fleet *fleet, int stop, int timeout_ms)
{
    struct pollfd *sockets = calloc(fleet->num_connections + 1, sizeof(*sockets));
    struct pollfd only = {.fd = stop, .events = POLLIN};
    bool stopped;

    if (!sockets) /* then nobody tells of changes */
        return poll(&only, 1, timeout_ms) <= 0;
    sockets[0] = only;
    for (size_t i = 0; i < fleet->num_connections; i++)
        sockets[i + 1] = (struct pollfd){.fd = fleet->connections[i]->observed.socket, .events = POLLIN};
    (void)poll(sockets, fleet->num_connections + 1, timeout_ms);
    stopped = sockets[0].revents != 0;
    free(sockets);
    fleet_hear(fleet);
    return !stopped;
}

void fleet_look(struct fleet *fleet, int64_t now_ns)
{
    for (size_t i = 0; i < fleet->num_connections; i++)
        observed_look(&fleet->connections[i]->observed, now_ns);
    for (size_t i = 0; i < fleet->num_devices; i++) {
        if (!device_channels_look(&fleet->devices[i].channels, now_ns))
            device_channels_close(&fleet->devices[i].channels);
    }
}

void fleet_ask(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->num_connections; i++)
        observed_ask(&fleet->connections[i]->observed);
    find_devices(fleet);
}

bool fleet_awaits_exits(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->num_connections; i++) {
        if (fleet->connections[i]->observed.awaits_exits)
            return true;
    }
    return false;
}

static void count_flows(struct fleet_counts *counts, const struct channel_watch *channels, size_t num_dataports)
{
    for (size_t i = 0; i < num_dataports; i++)
        memcpy(counts->flows[i], channels[i].flows, sizeof(counts->flows[i]));
}

static struct fleet_counts count(const struct observed *observed, int64_t now_ns)
{
    struct fleet_counts counts = {.ns = now_ns};

    for (unsigned int i = 0; i < 2; i++) {
        counts.events[i] = observed_events(observed, i);
        counts.exits[i] = observed->told.ends[i].vm_exits;
        counts.accesses[i] = observed->told.ends[i].accesses;
    }
    count_flows(&counts, observed->channels, observed->told.num_dataports);
    return counts;
}

static struct fleet_counts count_device(const struct fleet_device *device, int64_t now_ns)
{
    struct fleet_counts counts = {.ns = now_ns};

    counts.events[1 - device->info.end] = device->info.events;
    count_flows(&counts, device->channels.channels, device->channels.count);
    return counts;
}

void fleet_count(struct fleet *fleet, int64_t now_ns)
{
    for (size_t i = 0; i < fleet->num_connections; i++) {
        struct fleet_connection *connection = fleet->connections[i];

        connection->before = connection->now;
        connection->now = count(&connection->observed, now_ns);
    }
    for (size_t i = 0; i < fleet->num_devices; i++) {
        struct fleet_device *device = &fleet->devices[i];

        device->before = device->now;
        device->now = count_device(device, now_ns);
    }
}

void fleet_free(struct fleet *fleet)
{
    while (fleet->num_connections)
        remove_connection(fleet, 0);
    free(fleet->connections);
    forget_devices(fleet);
    *fleet = (struct fleet){0};
}
