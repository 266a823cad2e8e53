/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Installing connections into a VM and removing them.
 *
 * The order of an installation matters, since libsel4vm cannot undo its last steps: checks, addresses, guest memory,
 * interrupt numbers, PCI functions, interrupt registration, event pages.
 */
#include <stdlib.h>
#include <string.h>

#include <sel4vm/guest_memory.h>
#include <utils/util.h>
#include <vspace/vspace.h>

#include "check.h"
#include "connection.h"
#include "install.h"
#include "pci_bus.h"

/* --- one connection's parts --- */

static void dataport_destroy(vm_t *vm, struct dataport *dataport)
{
    if (dataport->memory)
        (void)vm_free_reserved_memory(vm, dataport->memory);
    if (dataport->tail)
        (void)vm_free_reserved_memory(vm, dataport->tail);
    free(dataport->frames);
    *dataport = (struct dataport){0};
}

static void unlink_connection(crossvm_connection_t *c)
{
    crossvm_connection_t **link = &c->guest->connections;

    while (*link && *link != c)
        link = &(*link)->next;
    if (*link)
        *link = c->next;
}

/* Frees a connection, complete or not. */
static void connection_destroy(crossvm_connection_t *c)
{
    vm_t *vm = c->guest->vm;

    unlink_connection(c);
    if (c->msi_active) {
        c->msi_active = false; /* so that events which route_msi counts raise no interrupt */
        if (c->route_msi && c->peer_page.num_frames)
            (void)c->route_msi(c->cookie, NULL);
    }
    cvmm_irq_line_leave(c);
    if (c->pci)
        cvmm_pci_leave(c);
    if (c->frame) {
        c->frame->connection = NULL;
        cvmm_event_page_clear(&c->page);
    }
    dataport_destroy(vm, &c->peer_page);
    dataport_destroy(vm, &c->own_page);
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        dataport_destroy(vm, &c->dataports[i]);
    free(c);
}

static int dataport_copy(struct dataport *dataport, const seL4_CPtr *frames, size_t n, size_t frame_size_bits,
                         uint32_t rights)
{
    dataport->frames = calloc(n, sizeof(*frames));
    if (!dataport->frames)
        return -1;
    memcpy(dataport->frames, frames, n * sizeof(*frames));
    dataport->num_frames = n;
    dataport->frame_size_bits = frame_size_bits;
    dataport->rights = rights;
    dataport->size = n << frame_size_bits;
    return 0;
}

static crossvm_connection_t *connection_create(struct guest *guest, const crossvm_bus_t *bus,
                                               const crossvm_connection_config_t *config)
{
    crossvm_connection_t *c = calloc(1, sizeof(*c));
    int error = 0;

    if (!c)
        return NULL;
    c->guest = guest;
    memcpy(c->name, config->name, strlen(config->name));
    c->emit = config->emit;
    c->emit_counted = config->emit_counted;
    c->driver_changed = config->driver_changed;
    c->route_msi = config->route_msi;
    c->cookie = config->cookie;
    c->send_msi = config->base_block_only ? NULL : bus->send_msi;
    c->num_dataports = config->num_dataports;
    for (size_t i = 0; i < config->num_dataports && !error; i++) {
        crossvm_dataport_config_t given = cvmm_dataport_config(&config->dataports[i]);

        error =
            dataport_copy(&c->dataports[i], given.frames, given.num_frames, given.frame_size_bits, given.guest_rights);
    }
    if (config->peer_page != seL4_CapNull && !error)
        error = dataport_copy(&c->peer_page, &config->peer_page, 1, 12, CROSSVM_RIGHT_READ);
    if (config->own_page != seL4_CapNull && !error)
        error = dataport_copy(&c->own_page, &config->own_page, 1, 12, CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
    if (error) {
        connection_destroy(c);
        return NULL;
    }
    return c;
}

/* --- guest memory --- */

static vm_frame_t dataport_frame(uintptr_t address, void *cookie)
{
    const struct dataport *dataport = cookie;
    size_t i = (address - dataport->address) >> dataport->frame_size_bits;
    vm_frame_t frame = {.cptr = seL4_CapNull, .rights = seL4_NoRights};

    if (i >= dataport->num_frames)
        return frame;
    frame.cptr = dataport->frames[i];
    frame.rights = dataport->rights & CROSSVM_RIGHT_WRITE ? seL4_AllRights : seL4_CanRead;
    frame.vaddr = dataport->address + (i << dataport->frame_size_bits);
    frame.size_bits = dataport->frame_size_bits;
    return frame;
}

/* Must follow a mapping that failed: libsel4vm leaves the frames that it mapped, and no others can be mapped there. */
static void unmap_frames(vm_t *vm, const struct dataport *dataport)
{
    vspace_t *vspace = &vm->mem.vm_vspace;

    for (size_t i = 0; i < dataport->num_frames; i++) {
        void *address = (void *)(dataport->address + (i << dataport->frame_size_bits));

        if (vspace_get_cap(vspace, address) != seL4_CapNull)
            vspace_unmap_pages(vspace, address, 1, dataport->frame_size_bits, VSPACE_PRESERVE);
    }
}

static int map_dataport(vm_t *vm, const char *name, struct dataport *dataport, uintptr_t address, size_t room)
{
    dataport->address = address;
    dataport->memory = vm_reserve_memory_at(vm, address, dataport->size, cvmm_connection_void_fault, NULL);
    if (!dataport->memory)
        return cvmm_install_error(name, "cannot reserve %zu bytes of guest memory at 0x%zx: taken, or no memory",
                                  dataport->size, (size_t)address);
    if (vm_map_reservation(vm, dataport->memory, dataport_frame, dataport)) {
        unmap_frames(vm, dataport);
        return cvmm_install_error(name,
                                  "cannot map %zu frames at guest address 0x%zx: are they valid and of 2^%zu bytes?",
                                  dataport->num_frames, (size_t)address, dataport->frame_size_bits);
    }
    if (room == dataport->size)
        return 0;
    dataport->tail =
        vm_reserve_memory_at(vm, address + dataport->size, room - dataport->size, cvmm_connection_void_fault, NULL);
    if (!dataport->tail)
        return cvmm_install_error(name, "cannot reserve %zu bytes of guest memory at 0x%zx: taken, or no memory",
                                  room - dataport->size, (size_t)(address + dataport->size));
    return 0;
}

static int map_memory(struct install *in, size_t i)
{
    crossvm_connection_t *c = in->connections[i];
    const struct range *bars = in->bars[i];

    if (c->peer_page.num_frames && map_dataport(in->bus->vm, c->name, &c->peer_page,
                                                bars[CROSSVM_BAR_EVENT].address + CROSSVM_PEER_PAGE, CROSSVM_PAGE_SIZE))
        return -1;
    if (c->own_page.num_frames &&
        map_dataport(in->bus->vm, c->name, &c->own_page, bars[CROSSVM_BAR_EVENT].address + CROSSVM_OWN_PAGE,
                     bars[CROSSVM_BAR_EVENT].size - CROSSVM_OWN_PAGE))
        return -1;
    for (size_t k = 0; k < c->num_dataports; k++) {
        const struct range *bar = &bars[CROSSVM_BAR_DATAPORT + k];

        if (map_dataport(in->bus->vm, c->name, &c->dataports[k], bar->address, bar->size))
            return -1;
    }
    return 0;
}

static int map_event_page(struct install *in, size_t i)
{
    crossvm_connection_t *c = in->connections[i];
    uintptr_t address = in->bars[i][CROSSVM_BAR_EVENT].address;
    struct event_page_identity identity = {
        .name = c->name,
        .features = (c->peer_page.num_frames ? CROSSVM_FEATURE_PEER_PAGE : 0) |
                    (c->own_page.num_frames ? CROSSVM_FEATURE_OWN_PAGE : 0),
        .end = in->configs[i].end,
        .num_dataports = c->num_dataports,
        .base_block_only = in->configs[i].base_block_only,
    };

    for (size_t k = 0; k < c->num_dataports; k++) {
        identity.dataports[k] = (struct event_page_dataport){
            .size = c->dataports[k].size,
            .rights = c->dataports[k].rights,
            .bar = (uint32_t)(CROSSVM_BAR_DATAPORT + k),
        };
    }
    c->frame = cvmm_event_frame_get(in->guest, address);
    if (!c->frame)
        return cvmm_install_error(c->name, "cannot make its event page at guest address 0x%zx: taken, or no memory",
                                  (size_t)address);
    cvmm_event_page_init(&c->page, c->frame->memory, &identity);
    c->frame->connection = c;
    return 0;
}

/* --- PCI --- */

static int enter_pci(struct install *in, size_t i)
{
    crossvm_connection_t *c = in->connections[i];
    struct config_space_bar bars[CONFIG_SPACE_BARS] = {{0}};
    uint8_t pin;

    for (size_t k = 0; k <= c->num_dataports; k++) {
        bars[k].address = (uint32_t)in->bars[i][k].address;
        bars[k].size = (uint32_t)in->bars[i][k].size;
    }
    if (cvmm_pci_enter(in->bus->pci, c, in->irqs[i], &pin))
        return cvmm_install_error(
            c->name, "the PCI bus is full: no function is free whose interrupt pins can carry interrupt %d",
            in->irqs[i]);
    cvmm_config_space_init(&c->config, bars, (uint8_t)in->irqs[i], pin, c->send_msi != NULL);
    cvmm_pci_update(c);
    return 0;
}

/* Must come before interrupt numbers are allocated, which cannot be returned. */
static int check_room_on_bus(const struct install *in)
{
    size_t room = cvmm_pci_room(in->bus->pci);

    if (room >= in->n)
        return 0;
    return cvmm_install_error(in->configs[room].name, "the PCI bus is full: %zu of %zu functions are free", room,
                              in->n);
}

static int connect_line(struct install *in, size_t i)
{
    crossvm_connection_t *c = in->connections[i];
    struct irq_line *line = cvmm_irq_line_get(in->guest, in->irqs[i]);

    if (!line)
        return cvmm_install_error(c->name, "no memory");
    if (cvmm_irq_line_register(line))
        return cvmm_install_error(c->name, "interrupt %d cannot be registered with the VM", in->irqs[i]);
    cvmm_irq_line_join(line, c);
    return 0;
}

/* --- all together --- */

static int build(struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        in->connections[i] = connection_create(in->guest, in->bus, &in->configs[i]);
        if (!in->connections[i])
            return cvmm_install_error(in->configs[i].name, "no memory");
    }
    if (cvmm_install_assign_bars(in))
        return -1;
    for (size_t i = 0; i < in->n; i++) {
        if (map_memory(in, i))
            return -1;
    }
    if (check_room_on_bus(in) || cvmm_install_choose_irqs(in))
        return -1;
    for (size_t i = 0; i < in->n; i++) {
        if (enter_pci(in, i))
            return -1;
    }
    for (size_t i = 0; i < in->n; i++) {
        if (connect_line(in, i))
            return -1;
    }
    for (size_t i = 0; i < in->n; i++) {
        if (map_event_page(in, i))
            return -1;
    }
    return 0;
}

static void commit(struct install *in, crossvm_connection_t **handles)
{
    crossvm_connection_t **end = &in->guest->connections;

    while (*end)
        end = &(*end)->next;
    for (size_t i = 0; i < in->n; i++) {
        *end = in->connections[i];
        end = &in->connections[i]->next;
        if (handles)
            handles[i] = in->connections[i];
    }
}

/* Says what the platform lacks. Once for each VM, since it is the same for all installations. */
static void tell_limits(struct guest *guest, const crossvm_bus_t *bus)
{
    if (guest->limits_told)
        return;
    guest->limits_told = true;
    if (!bus->send_msi)
        ZF_LOGW("crossvm: no send_msi is given for VM %s: its connections offer INTx only", bus->vm->vm_name);
    if (!cvmm_pci_routes_functions(bus->pci))
        ZF_LOGW("crossvm: the PCI bus of VM %s has one function a device: it has room for 31 connections at most",
                bus->vm->vm_name);
}

int crossvm_install(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n,
                    crossvm_connection_t **handles)
{
    struct install in = {.bus = bus, .configs = configs, .n = n};
    int error = -1;

    if (cvmm_check_bus(bus) || cvmm_check_configs(bus, configs, n))
        return -1;
    in.guest = cvmm_guest_get(bus->vm);
    in.connections = calloc(n, sizeof(*in.connections));
    in.irqs = calloc(n, sizeof(*in.irqs));
    in.bars = calloc(n, sizeof(*in.bars));
    if (!in.guest || !in.connections || !in.irqs || !in.bars) {
        cvmm_install_error(configs[0].name, "no memory");
        goto cleanup;
    }

    error = build(&in);
    if (!error) {
        commit(&in, handles);
        tell_limits(in.guest, bus);
    }
cleanup:
    if (error && in.irqs && in.guest)
        cvmm_install_keep_irqs(&in);
    if (error && in.connections) {
        for (size_t i = 0; i < n; i++) {
            if (in.connections[i])
                connection_destroy(in.connections[i]);
        }
    }
    if (in.guest)
        cvmm_guest_put(in.guest);
    free(in.connections);
    free(in.irqs);
    free(in.bars);
    return error;
}

void crossvm_remove(crossvm_connection_t *connection)
{
    if (connection)
        connection_destroy(connection);
}

void crossvm_remove_all(vm_t *vm)
{
    struct guest *guest = cvmm_guest_find(vm);

    if (!guest)
        return;
    while (guest->connections)
        connection_destroy(guest->connections);
    cvmm_guest_forget(guest);
}

void crossvm_reset_all(vm_t *vm)
{
    struct guest *guest = cvmm_guest_find(vm);

    if (!guest)
        return;
    for (crossvm_connection_t *c = guest->connections, *next; c; c = next) {
        bool driver_was_bound = c->page.driver != CROSSVM_DRIVER_NONE;

        cvmm_config_space_reset(&c->config);
        cvmm_connection_update_interrupts(c);
        cvmm_event_page_reset(&c->page);
        c->unanswered = 0;
        c->again = false;
        next = c->next; /* the call may remove this one */
        if (driver_was_bound && c->driver_changed)
            c->driver_changed(c->cookie, CROSSVM_DRIVER_NONE);
    }
    cvmm_irq_lines_reset(guest);
}
