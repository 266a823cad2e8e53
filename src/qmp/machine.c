/* SPDX-License-Identifier: BSD-2-Clause */
#include "machine.h"

#include <stdio.h>
#include <string.h>

#define NAMED_DEVICES "/machine/peripheral" /* what has an identifier, in QEMU's tree of objects */
#define MAX_BRIDGES 32                      /* one below the other */

/* The properties of an object, children too: objects with a name and a type each. NULL with qmp->error. */
static json_t *list(struct qmp *qmp, const char *path)
{
    return qmp_execute(qmp, "qom-list", json_pack("{s:s}", "path", path));
}

/* Whether a list has a property with a type, or with any; the type of a child is child<TYPE>. */
static bool has(const json_t *properties, const char *name, const char *type)
{
    const json_t *property;
    size_t i;

    json_array_foreach(properties, i, property)
    {
        const char *found = json_string_value(json_object_get(property, "name"));
        const char *of_type = json_string_value(json_object_get(property, "type"));

        if (found && of_type && strcmp(found, name) == 0 && (!type || strcmp(of_type, type) == 0))
            return true;
    }
    return false;
}

int machine_has_device(struct qmp *qmp, const char *id, const char *model)
{
    json_t *devices = list(qmp, NAMED_DEVICES);
    char type[MACHINE_ID_BYTES];
    int found;

    (void)snprintf(type, sizeof(type), "child<%s>", model ? model : "");
    found = devices ? has(devices, id, model ? type : NULL) : -1;
    json_decref(devices);
    return found;
}

int machine_has_kvm(struct qmp *qmp)
{
    json_t *value = qmp_execute(qmp, "query-kvm", NULL);
    int enabled = value ? json_is_true(json_object_get(value, "enabled")) : -1;

    json_decref(value);
    return enabled;
}

/* --- ports --- */

/* Whether devices can be plugged into a port now. 1, 0 or -1 */
static int allows_hotplug(struct qmp *qmp, const char *path, const json_t *properties)
{
    json_t *value;
    int allowed;

    if (!has(properties, "hotplug", "bool"))
        return 1; /* kinds of ports that always do */
    value = qmp_execute(qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", "hotplug"));
    allowed = value ? json_is_true(value) : -1;
    json_decref(value);
    return allowed;
}

/* Devices on a bus are links of it, child[N]. 1, 0 or -1 */
static int is_empty(struct qmp *qmp, const char *path)
{
    json_t *properties = list(qmp, path);
    const json_t *property;
    int empty = properties ? 1 : -1;
    size_t i;

    json_array_foreach(properties, i, property)
    {
        const char *name = json_string_value(json_object_get(property, "name"));

        if (name && strncmp(name, "child[", strlen("child[")) == 0)
            empty = 0;
    }
    json_decref(properties);
    return empty;
}

/* A port has a number for its slot and a bus of its own, which is called as the port. 1, 0 or -1 */
static int is_free_port(struct qmp *qmp, const char *id)
{
    char path[sizeof(NAMED_DEVICES) + 2 * MACHINE_ID_BYTES];
    json_t *properties;
    int free;

    (void)snprintf(path, sizeof(path), NAMED_DEVICES "/%s", id);
    properties = list(qmp, path);
    if (!properties)
        return qmp->refused ? 0 : -1; /* it was taken out meanwhile */
    free = has(properties, "chassis", NULL) && has(properties, "slot", NULL) && has(properties, id, "child<PCIE>");
    if (free > 0)
        free = allows_hotplug(qmp, path, properties);
    json_decref(properties);
    if (free > 0) {
        (void)snprintf(path, sizeof(path), NAMED_DEVICES "/%s/%s", id, id);
        free = is_empty(qmp, path);
    }
    return free;
}

int machine_find_free_port(struct qmp *qmp, char port[MACHINE_ID_BYTES])
{
    json_t *devices = list(qmp, NAMED_DEVICES);
    const json_t *device;
    int found = devices ? 0 : -1;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        const char *id = json_string_value(json_object_get(device, "name"));

        if (!id || strlen(id) >= MACHINE_ID_BYTES || strcmp(id, "type") == 0)
            continue;
        found = is_free_port(qmp, id);
        if (found) {
            (void)snprintf(port, MACHINE_ID_BYTES, "%s", id);
            break;
        }
    }
    json_decref(devices);
    return found;
}

/* --- the guest --- */

/*
 * Whether all BARs have addresses at which the guest finds them: a driver lets the device answer there. A guest without
 * room for a large one gives addresses to the others.
 */
static bool has_addresses(const json_t *device)
{
    const json_t *regions = json_object_get(device, "regions"), *region;
    size_t i;

    json_array_foreach(regions, i, region)
    {
        if (json_integer_value(json_object_get(region, "address")) == -1)
            return false;
    }
    return json_array_size(regions) > 0;
}

/* Looks among the devices of a bus, and behind its bridges. */
static bool is_enabled(const json_t *devices, const char *id, int depth)
{
    const json_t *device;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        const char *found = json_string_value(json_object_get(device, "qdev_id"));
        const json_t *behind = json_object_get(json_object_get(device, "pci_bridge"), "devices");

        if (found && strcmp(found, id) == 0)
            return has_addresses(device);
        if (depth && is_enabled(behind, id, depth - 1))
            return true;
    }
    return false;
}

int machine_device_is_enabled(struct qmp *qmp, const char *id)
{
    json_t *buses = qmp_execute(qmp, "query-pci", NULL);
    const json_t *bus;
    int enabled = buses ? 0 : -1;
    size_t i;

    json_array_foreach(buses, i, bus)
    {
        if (is_enabled(json_object_get(bus, "devices"), id, MAX_BRIDGES))
            enabled = 1;
    }
    json_decref(buses);
    return enabled;
}
