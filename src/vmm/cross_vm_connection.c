/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short interface: a layer over crossvm/vmm.h.
 */
#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "connection.h"

#define DEFAULT_NAME "connector"
#define NO_CONSUME_ID ((seL4_Word)-1)
#define MAX_SIZE_BITS 64 /* a smaller value is a number of bits, another one a number of bytes */

/* Memory for the translation of a connection, until it is installed. */
struct translated {
    crossvm_dataport_config_t dataport;
    char name[CROSSVM_FULL_NAME_BYTES];
};

/* The cookie points to a function pointer, since a void pointer cannot hold one on every machine. */
static int emit_short(void *cookie)
{
    void (**emit)(void) = cookie;

    (*emit)();
    return 0;
}

static bool name_is_taken(const vm_t *vm, const crossvm_connection_config_t *configs, size_t n,
                          const crossvm_handle_t *connections, size_t num_connections, const char *name)
{
    if (crossvm_find(vm, name))
        return true;
    for (size_t i = 0; i < n; i++) {
        if (configs[i].name && strcmp(configs[i].name, name) == 0)
            return true;
    }
    for (size_t i = n; i < num_connections; i++) {
        if (connections[i].connection_name && strcmp(connections[i].connection_name, name) == 0)
            return true;
    }
    return false;
}

/* The default name, with a number if it is taken. */
static void make_name(const vm_t *vm, const crossvm_connection_config_t *configs, size_t n,
                      const crossvm_handle_t *connections, size_t num_connections, char *name)
{
    (void)snprintf(name, CROSSVM_FULL_NAME_BYTES, "%s", DEFAULT_NAME);
    for (unsigned int k = 2; name_is_taken(vm, configs, n, connections, num_connections, name); k++)
        (void)snprintf(name, CROSSVM_FULL_NAME_BYTES, "%s-%u", DEFAULT_NAME, k);
}

static int translate_dataport(const char *name, const crossvm_dataport_handle_t *handle,
                              crossvm_dataport_config_t *dataport)
{
    size_t frame_size;

    if (handle->num_frames <= 0)
        return cvmm_install_error(name, "a dataport of %d frames; give at least 1, or a NULL dataport",
                                  handle->num_frames);
    dataport->frames = handle->frames;
    dataport->num_frames = (size_t)handle->num_frames;
    if (handle->frame_size_bits < MAX_SIZE_BITS) {
        dataport->frame_size_bits = handle->frame_size_bits;
        return 0;
    }
    frame_size = handle->size / dataport->num_frames;
    if (frame_size * dataport->num_frames != handle->size || frame_size & (frame_size - 1))
        return cvmm_install_error(name, "%zu bytes are not %d frames of one power of two", handle->size,
                                  handle->num_frames);
    dataport->frame_size_bits = 0;
    while ((size_t)1 << dataport->frame_size_bits < frame_size)
        dataport->frame_size_bits++;
    return 0;
}

static int translate(const vm_t *vm, const crossvm_handle_t *connections, size_t n, size_t i,
                     crossvm_connection_config_t *configs, struct translated *room)
{
    const crossvm_handle_t *given = &connections[i];

    configs[i].name = given->connection_name;
    if (!given->connection_name) {
        make_name(vm, configs, i, connections, n, room[i].name);
        configs[i].name = room[i].name;
    }
    if (!given->dataport)
        return 0;
    configs[i].dataports = &room[i].dataport;
    configs[i].num_dataports = 1;
    return translate_dataport(configs[i].name, given->dataport, &room[i].dataport);
}

int cross_vm_connections_init_common(vm_t *vm, uintptr_t connection_base_addr, crossvm_handle_t *connections,
                                     int num_connections, vmm_pci_space_t *pci, alloc_free_interrupt_fn alloc_irq)
{
    crossvm_bus_t bus = {.vm = vm, .pci = pci, .base = connection_base_addr, .alloc_irq = alloc_irq};
    size_t n = num_connections > 0 ? (size_t)num_connections : 0;
    crossvm_connection_config_t *configs = NULL;
    crossvm_connection_t **handles = NULL;
    struct translated *room = NULL;
    int error = -1;

    if (cvmm_check_bus(&bus))
        return -1;
    if (num_connections <= 0)
        return cvmm_install_error(NULL, "cannot install %d connections: give at least 1", num_connections);
    if (!connections)
        return cvmm_install_error(NULL, "cannot install: no connections are given (NULL)");
    configs = calloc(n, sizeof(*configs));
    handles = calloc(n, sizeof(crossvm_connection_t *));
    room = calloc(n, sizeof(*room));
    if (!configs || !handles || !room) {
        cvmm_install_error(NULL, "cannot install %d connections: no memory", num_connections);
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) {
        if (translate(vm, connections, n, i, configs, room))
            goto cleanup;
    }

    error = crossvm_install(&bus, configs, n, handles);
    for (size_t i = 0; i < n && !error; i++) {
        crossvm_connection_t *c = handles[i];

        c->consume_id = connections[i].consume_id;
        c->has_consume_id = c->consume_id != NO_CONSUME_ID;
        c->short_emit = connections[i].emit_fn;
        if (c->short_emit) {
            c->emit = emit_short;
            c->cookie = &c->short_emit;
        }
    }
cleanup:
    free(configs);
    free(handles);
    free(room);
    return error;
}

static void consume(crossvm_connection_t *c, bool inject_irq)
{
    if (inject_irq)
        crossvm_consume_event(c);
    else
        crossvm_count(c, 1);
}

void consume_connection_event(vm_t *vm, seL4_Word event_id, bool inject_irq)
{
    const struct guest *guest = cvmm_guest_find(vm);
    crossvm_connection_t *connections = guest ? guest->connections : NULL;
    bool found = false;

    for (crossvm_connection_t *c = connections; c; c = c->next) {
        if (c->consume_id == event_id && c->has_consume_id) {
            consume(c, inject_irq);
            found = true;
        }
    }
    if (found)
        return;
    for (crossvm_connection_t *c = connections; c; c = c->next) {
        bool is_single_bit = c->has_consume_id && c->consume_id && !(c->consume_id & (c->consume_id - 1));

        if (is_single_bit && event_id & c->consume_id)
            consume(c, inject_irq);
    }
}
