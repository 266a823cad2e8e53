/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Putting connections into a VM and taking them out.
 *
 * An installation goes from what cannot fail halfway to what libsel4vm cannot undo: checks, addresses, interrupt
 * numbers, guest memory, PCI functions, interrupt registration, event pages.
 */
#include <stdlib.h>
#include <string.h>

#include <sel4vm/guest_memory.h>

#include "check.h"
#include "connection.h"
#include "layout.h"
#include "pci_place.h"

#define ADDRESS_END ((uint64_t)1 << 32)
#define MAX_IRQ 255 /* the width of the interrupt line register */

/* An installation under way. */
struct install {
    const crossvm_bus_t *bus;
    const crossvm_config_t *configs;
    size_t n;
    struct guest *guest;
    crossvm_connection_t **connections;              /* n of them */
    int *irqs;                                       /* n of them */
    struct range (*bars)[1 + CROSSVM_MAX_DATAPORTS]; /* n of them */
};

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

/* Takes apart a connection in whatever state of construction. */
static void connection_destroy(crossvm_connection_t *c)
{
    vm_t *vm = c->guest->vm;

    unlink_connection(c);
    if (c->msi_active && c->route_msi && c->peer_page.num_frames)
        (void)c->route_msi(c->cookie, NULL);
    if (c->pci)
        pci_place_leave(c);
    if (c->frame) {
        c->frame->connection = NULL;
        event_page_clear(&c->page);
    }
    dataport_destroy(vm, &c->peer_page);
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
                                               const crossvm_config_t *config)
{
    crossvm_connection_t *c = calloc(1, sizeof(*c));
    int error = 0;

    if (!c)
        return NULL;
    c->guest = guest;
    memcpy(c->name, config->name, strlen(config->name));
    c->emit = config->emit;
    c->driver_changed = config->driver_changed;
    c->route_msi = config->route_msi;
    c->cookie = config->cookie;
    c->send_msi = config->base_block_only ? NULL : bus->send_msi;
    c->num_dataports = config->num_dataports;
    for (size_t i = 0; i < config->num_dataports && !error; i++) {
        const crossvm_dataport_t *given = &config->dataports[i];

        error = dataport_copy(&c->dataports[i], given->frames, given->num_frames, given->frame_size_bits,
                              given->guest_rights);
    }
    if (config->peer_page != seL4_CapNull && !error)
        error = dataport_copy(&c->peer_page, &config->peer_page, 1, 12, CROSSVM_RIGHT_READ);
    if (error) {
        connection_destroy(c);
        return NULL;
    }
    return c;
}

/* --- addresses --- */

/* Gives BAR0 the address of a spare event page if there is one that fits. */
static bool place_on_spare_frame(struct install *in, size_t i, const struct range *used, size_t num_used)
{
    struct range *bar = &in->bars[i][CROSSVM_BAR_EVENT];
    uint64_t end = in->bus->size ? (uint64_t)in->bus->base + in->bus->size : ADDRESS_END;

    for (struct event_frame *frame = in->guest->frames; frame; frame = frame->next) {
        bool taken = frame->connection || frame->address < in->bus->base || frame->address + bar->size > end ||
                     frame->address % bar->size != 0;

        for (size_t k = 0; k < num_used && !taken; k++)
            taken = frame->address < used[k].address + used[k].size && used[k].address < frame->address + bar->size;
        for (size_t k = 0; k < i && !taken; k++)
            taken = in->bars[k][CROSSVM_BAR_EVENT].address == frame->address;
        for (struct event_frame *other = in->guest->frames; other && !taken; other = other->next)
            taken = other != frame && other->address > frame->address && other->address < frame->address + bar->size;
        if (!taken) {
            bar->address = frame->address;
            return true;
        }
    }
    return false;
}

static size_t collect_used_bars(const struct guest *guest, struct range *used)
{
    size_t n = 0;

    for (const crossvm_connection_t *c = guest->connections; c; c = c->next) {
        for (size_t i = 0; i <= c->num_dataports; i++)
            used[n++] = (struct range){.address = c->config.bars[i].address, .size = c->config.bars[i].size};
    }
    return n;
}

static size_t count_list(const struct guest *guest)
{
    size_t n = 0;

    for (const crossvm_connection_t *c = guest->connections; c; c = c->next)
        n += 1 + c->num_dataports;
    for (const struct event_frame *frame = guest->frames; frame; frame = frame->next)
        n++;
    return n;
}

static void set_bar_sizes(struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        const crossvm_connection_t *c = in->connections[i];

        in->bars[i][CROSSVM_BAR_EVENT].size = c->peer_page.num_frames ? 2 * CROSSVM_PAGE_SIZE : CROSSVM_PAGE_SIZE;
        for (size_t k = 0; k < c->num_dataports; k++)
            in->bars[i][CROSSVM_BAR_DATAPORT + k].size = bar_size(c->dataports[k].size);
    }
}

static int place_bars(struct install *in)
{
    uint64_t end = in->bus->size ? (uint64_t)in->bus->base + in->bus->size : ADDRESS_END;
    size_t num_used;
    size_t num_requests = 0;
    struct range *used = calloc(count_list(in->guest) + in->n, sizeof(*used));
    struct range **requests = calloc(in->n * (1 + CROSSVM_MAX_DATAPORTS), sizeof(struct range *));
    int error = -1;

    if (!used || !requests) {
        install_error(in->configs[0].name, "no memory to lay out BARs");
        goto cleanup;
    }
    if (end > ADDRESS_END)
        end = ADDRESS_END;
    set_bar_sizes(in);
    num_used = collect_used_bars(in->guest, used);
    for (size_t i = 0; i < in->n; i++) {
        if (!place_on_spare_frame(in, i, used, num_used))
            requests[num_requests++] = &in->bars[i][CROSSVM_BAR_EVENT];
        for (size_t k = 0; k < in->connections[i]->num_dataports; k++)
            requests[num_requests++] = &in->bars[i][CROSSVM_BAR_DATAPORT + k];
    }
    /* Spare event pages are in the way of all others, and so are the second pages of BARs that were placed on one. */
    for (const struct event_frame *frame = in->guest->frames; frame; frame = frame->next)
        used[num_used++] = (struct range){.address = frame->address, .size = CROSSVM_PAGE_SIZE};
    for (size_t i = 0; i < in->n; i++) {
        if (in->bars[i][CROSSVM_BAR_EVENT].address)
            used[num_used++] = in->bars[i][CROSSVM_BAR_EVENT];
    }

    error = layout_place(in->bus->base, end, used, num_used, requests, num_requests);
    if (error)
        install_error(in->configs[0].name,
                      "the BARs of %zu connections do not fit between 0x%zx and 0x%zx; give a larger "
                      "range of free guest physical addresses",
                      in->n, (size_t)in->bus->base, (size_t)(end - 1));
cleanup:
    free(used);
    free(requests);
    return error;
}

/* --- interrupt numbers --- */

static bool number_is_among(const int *irqs, size_t n, int irq)
{
    for (size_t i = 0; i < n; i++) {
        if (irqs[i] == irq)
            return true;
    }
    return false;
}

/* The k-th line that the VM has already, in whatever use: 0 when there is none. */
static int existing_irq(const struct guest *guest, size_t k)
{
    size_t n = 0;
    const struct line *line;

    for (line = guest->lines; line; line = line->next)
        n++;
    if (n == 0)
        return 0;
    line = guest->lines;
    for (k %= n; k > 0; k--)
        line = line->next;
    return line->irq;
}

/* A number that was allocated earlier and that nobody uses: 0 when there is none. */
static int spare_irq(const struct guest *guest, const int *irqs, size_t n)
{
    for (const struct line *line = guest->lines; line; line = line->next) {
        if (line_users(line) == 0 && !number_is_among(irqs, n, line->irq))
            return line->irq;
    }
    return 0;
}

/* One number for each connection while there are any; then the connections share. */
static int choose_irqs(struct install *in)
{
    bool exhausted = false;
    size_t own = 0;

    for (size_t i = 0; i < in->n; i++) {
        int irq = spare_irq(in->guest, in->irqs, i);

        if (!irq && !exhausted) {
            irq = in->bus->alloc_irq();
            exhausted = irq < 0;
            if (!exhausted && (irq < 1 || irq > MAX_IRQ))
                return install_error(in->configs[i].name,
                                     "alloc_irq gave interrupt %d; the PCI interrupt line register carries 1 to %d",
                                     irq, MAX_IRQ);
        }
        if (irq > 0 && !exhausted)
            own = i + 1;
        else if (irq <= 0 && own)
            irq = in->irqs[i % own];
        else if (irq <= 0)
            irq = existing_irq(in->guest, i);
        if (irq <= 0)
            return install_error(in->configs[i].name, "alloc_irq gave no interrupt number, and there is none to share");
        in->irqs[i] = irq;
    }
    return 0;
}

/* Numbers cannot be given back either: a failed installation leaves them to the next. */
static void keep_irqs(const struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        if (in->irqs[i])
            (void)line_get(in->guest, in->irqs[i]);
    }
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

static int map_dataport(vm_t *vm, const char *name, struct dataport *dataport, uintptr_t address, size_t room)
{
    dataport->address = address;
    dataport->memory = vm_reserve_memory_at(vm, address, dataport->size, connection_void_fault, NULL);
    if (!dataport->memory)
        return install_error(name, "cannot reserve %zu bytes of guest memory at 0x%zx: taken, or no memory",
                             dataport->size, (size_t)address);
    if (vm_map_reservation(vm, dataport->memory, dataport_frame, dataport))
        return install_error(name, "cannot map %zu frames at guest address 0x%zx: are they valid and of 2^%zu bytes?",
                             dataport->num_frames, (size_t)address, dataport->frame_size_bits);
    if (room == dataport->size)
        return 0;
    dataport->tail =
        vm_reserve_memory_at(vm, address + dataport->size, room - dataport->size, connection_void_fault, NULL);
    if (!dataport->tail)
        return install_error(name, "cannot reserve %zu bytes of guest memory at 0x%zx: taken, or no memory",
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
        .features = c->peer_page.num_frames ? CROSSVM_FEATURE_PEER_PAGE : 0,
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
    c->frame = event_frame_find(in->guest, address);
    if (!c->frame)
        c->frame = event_frame_create(in->guest, address);
    if (!c->frame)
        return install_error(c->name, "cannot make its event page at guest address 0x%zx: taken, or no memory",
                             (size_t)address);
    event_page_init(&c->page, c->frame->memory, &identity);
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
    if (pci_place_enter(in->bus->pci, c, in->irqs[i], &pin))
        return install_error(c->name,
                             "the PCI bus is full: no function is free whose interrupt pins can carry interrupt %d",
                             in->irqs[i]);
    config_space_init(&c->config, bars, (uint8_t)in->irqs[i], pin, c->send_msi != NULL);
    pci_place_update(c);
    return 0;
}

/* Before interrupt numbers are spent. */
static int check_room_on_bus(const struct install *in)
{
    size_t room = pci_place_room(in->bus->pci);

    if (room >= in->n)
        return 0;
    return install_error(in->configs[room].name, "the PCI bus is full: %zu of %zu functions are free", room, in->n);
}

static int connect_line(struct install *in, size_t i)
{
    crossvm_connection_t *c = in->connections[i];

    c->line = line_get(in->guest, in->irqs[i]);
    if (!c->line)
        return install_error(c->name, "no memory");
    if (line_register(c->line))
        return install_error(c->name, "interrupt %d cannot be registered with the VM", in->irqs[i]);
    return 0;
}

/* --- all together --- */

static int build(struct install *in)
{
    for (size_t i = 0; i < in->n; i++) {
        in->connections[i] = connection_create(in->guest, in->bus, &in->configs[i]);
        if (!in->connections[i])
            return install_error(in->configs[i].name, "no memory");
    }
    if (place_bars(in))
        return -1;
    for (size_t i = 0; i < in->n; i++) {
        if (map_memory(in, i))
            return -1;
    }
    if (check_room_on_bus(in) || choose_irqs(in))
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

int crossvm_install(const crossvm_bus_t *bus, const crossvm_config_t *configs, size_t n, crossvm_connection_t **handles)
{
    struct install in = {.bus = bus, .configs = configs, .n = n};
    int error = -1;

    if (check_bus(bus) || check_configs(bus, configs, n))
        return -1;
    in.guest = guest_get(bus->vm);
    in.connections = calloc(n, sizeof(*in.connections));
    in.irqs = calloc(n, sizeof(*in.irqs));
    in.bars = calloc(n, sizeof(*in.bars));
    if (!in.guest || !in.connections || !in.irqs || !in.bars) {
        install_error(configs[0].name, "no memory");
        goto cleanup;
    }

    error = build(&in);
    if (!error)
        commit(&in, handles);
cleanup:
    if (error && in.irqs && in.guest)
        keep_irqs(&in);
    if (error && in.connections) {
        for (size_t i = 0; i < n; i++) {
            if (in.connections[i])
                connection_destroy(in.connections[i]);
        }
    }
    if (in.guest)
        guest_put(in.guest);
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
    struct guest *guest = guest_find(vm);

    if (!guest)
        return;
    while (guest->connections)
        connection_destroy(guest->connections);
    guest_forget(guest);
}

void crossvm_reset_all(vm_t *vm)
{
    struct guest *guest = guest_find(vm);

    if (!guest)
        return;
    for (crossvm_connection_t *c = guest->connections; c; c = c->next) {
        bool driver_was_bound = c->page.driver != CROSSVM_DRIVER_NONE;

        config_space_reset(&c->config);
        connection_update_msi(c);
        event_page_reset(&c->page);
        c->unanswered = 0;
        c->raised = false;
        c->again = false;
        if (driver_was_bound && c->driver_changed)
            c->driver_changed(c->cookie, CROSSVM_DRIVER_NONE);
    }
    for (struct line *line = guest->lines; line; line = line->next)
        line->in_service = false;
}
