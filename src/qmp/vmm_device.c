/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm_device.h"

#include <stdio.h>
#include <string.h>

#include "../common/message.h"

#define VECTORS 1 /* that the device can interrupt the guest with */

void vmm_device_id(const struct vmm_socket *socket, char id[VMM_DEVICE_ID_BYTES])
{
    (void)snprintf(id, VMM_DEVICE_ID_BYTES, VMM_DEVICE_ID_PREFIX "%s%s%.1s", socket->name, socket->is_of_vm ? "" : ".",
                   socket->is_of_vm ? "" : socket->chosen);
}

const char *vmm_device_model(const struct vmm_socket *socket)
{
    return socket->door == CROSSVM_DOOR_IVSHMEM ? "ivshmem-doorbell" : "vfio-user-pci";
}

bool vmm_device_can_have(const char *path)
{
    json_t *text = json_string(path);

    json_decref(text);
    return text != NULL;
}

json_t *vmm_device_arguments(const struct vmm_socket *socket, const char *bus)
{
    char id[VMM_DEVICE_ID_BYTES];

    vmm_device_id(socket, id);
    if (socket->door == CROSSVM_DOOR_IVSHMEM)
        return json_pack("{s:s, s:s, s:s*, s:s, s:i}", "driver", vmm_device_model(socket), "id", id, "bus", bus,
                         "chardev", id, "vectors", VECTORS);
    return json_pack("{s:s, s:s, s:s*, s:{s:s, s:s}}", "driver", vmm_device_model(socket), "id", id, "bus", bus,
                     "socket", "type", "unix", "path", socket->path);
}

json_t *vmm_device_chardev_arguments(const struct vmm_socket *socket)
{
    char id[VMM_DEVICE_ID_BYTES];

    vmm_device_id(socket, id);
    return json_pack("{s:s, s:{s:s, s:{s:{s:s, s:{s:s}}, s:b}}}", "id", id, "backend", "type", "socket", "data", "addr",
                     "type", "unix", "data", "path", socket->path, "server", 0);
}

/* Passes on what was printed. */
static char *finish(FILE *out, char **text)
{
    if (out && fclose(out) == 0)
        return *text;
    message("no memory for an argument");
    return NULL;
}

char *vmm_device_text(const struct vmm_socket *socket)
{
    char id[VMM_DEVICE_ID_BYTES], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    vmm_device_id(socket, id);
    if (out && socket->door == CROSSVM_DOOR_IVSHMEM) {
        fprintf(out, "%s,id=%s,vectors=%d,chardev=%s", vmm_device_model(socket), id, VECTORS, id);
    } else if (out) {
        json_t *arguments = vmm_device_arguments(socket, NULL);

        json_dumpf(arguments, out, JSON_COMPACT);
        json_decref(arguments);
    }
    return finish(out, &text);
}

char *vmm_device_chardev_text(const struct vmm_socket *socket)
{
    char id[VMM_DEVICE_ID_BYTES], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    vmm_device_id(socket, id);
    if (out) {
        fprintf(out, "socket,id=%s,path=", id);
        for (const char *c = socket->path; *c; c++) {
            if (*c == ',') /* one comma would end the value */
                fputc(',', out);
            fputc(*c, out);
        }
    }
    return finish(out, &text);
}
