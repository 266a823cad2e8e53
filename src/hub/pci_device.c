/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/peer_state.h"
#include "../common/shared_event.h"
#include "../common/size.h"
#include "../wire/memory.h"

/* The most events that one look counts: beyond that the other end wrote nonsense, which tells as one event. */
#define MAX_EVENTS INT32_MAX

/* How long to look for a further event of the guest. */
#define LOOK_NS 50000

/* What of BAR0 is mapped into the guest. */
#define MAPPED_START CROSSVM_OWN_PAGE
#define MAPPED_END (CROSSVM_STATE_PAGE + CROSSVM_PAGE_SIZE)

static struct pci_device *device_of(struct hub_occupant *occupant)
{
    return (struct pci_device *)occupant;
}

static volatile uint64_t *own_seq(const struct pci_device *device)
{
    return (volatile uint64_t *)(device->bar0_memory + CROSSVM_REG_OWN_SEQ);
}

/* Events between two readings of a count that the other end may set as it likes. */
static uint64_t events_between(uint64_t before, uint64_t now)
{
    uint64_t events = now - before;

    return events <= MAX_EVENTS ? events : 1;
}

/* --- state page --- */

/* Relaxed: the fences at the end of cvmm_event_page_count() and cvmm_event_page_set_peer() order the peer's data before
 * what is shown after them. They pair with the acquires in src/lib/registers.h. */
static void show64(const struct pci_device *device, size_t reg)
{
    uint64_t value;

    memcpy(&value, device->registers + reg, sizeof(value));
    __atomic_store_n((volatile uint64_t *)(device->bar0_memory + CROSSVM_STATE_PAGE + reg), value, __ATOMIC_RELAXED);
}

static void show32(const struct pci_device *device, size_t reg)
{
    uint32_t value;

    memcpy(&value, device->registers + reg, sizeof(value));
    __atomic_store_n((volatile uint32_t *)(device->bar0_memory + CROSSVM_STATE_PAGE + reg), value, __ATOMIC_RELAXED);
}

/* Copies what changes to where the guest can load it without a trap. */
static void show(const struct pci_device *device)
{
    show64(device, CROSSVM_REG_EVENT_SEQ);
    show64(device, CROSSVM_REG_PEER);
    show32(device, CROSSVM_REG_STATUS);
}

static void set_awake(const struct pci_device *device, uint32_t awake)
{
    __atomic_store_n((volatile uint32_t *)(device->bar0_memory + CROSSVM_STATE_PAGE + CROSSVM_STATE_AWAKE), awake,
                     __ATOMIC_RELAXED);
}

/* --- interrupts --- */

void pci_device_set_irq(struct pci_device *device, enum pci_irq irq, int eventfd)
{
    pci_interrupts_set(&device->interrupts, irq, eventfd);
    hub_end_report(device->end, &(struct hub_report){.msi = pci_interrupts_use_msi(&device->interrupts)});
    /* A look that goes on finds what the guest has counted without a doorbell, and is the last one. */
    if (!pci_interrupts_use_msi(&device->interrupts))
        set_awake(device, 0);
}

/* --- from the peer --- */

static void count_events(struct pci_device *device)
{
    uint64_t now = hub_end_peer_count(device->end);
    uint64_t events = events_between(device->counted, now);

    device->counted = now;
    if (events == 0)
        return; /* without news there is no interrupt, which on a shared line nobody would claim */
    cvmm_event_page_count(&device->page, (uint32_t)events);
    show(device);
    pci_interrupts_raise(&device->interrupts);
}

static void woken(struct hub_occupant *occupant)
{
    count_events(device_of(occupant));
}

static void show_peer(struct pci_device *device)
{
    const struct hub_end *peer = device->end->peer;

    cvmm_event_page_set_peer(&device->page, peer_state_of(peer->state), peer->generation);
    show(device);
}

static void peer_changed(struct hub_occupant *occupant)
{
    struct pci_device *device = device_of(occupant);

    show_peer(device);
    /* A driver that says nothing may know nothing of peers, and would not claim the interrupt. */
    if (device->page.driver != CROSSVM_DRIVER_NONE)
        pci_interrupts_raise(&device->interrupts);
}

/* --- to the peer --- */

/*
 * Tells the peer of the events that the guest has counted: of so many at once as it can be signalled, for a program
 * learns their number from that; the others follow when the loop looks again. A doorbell without a new count is one
 * that a look has been ahead of; or two stores to OWN_SEQ, made by messages, were not one atomic addition: then it is
 * an event. Whether there were events.
 */
static bool tell_peer(struct pci_device *device, bool doorbell)
{
    uint64_t now = __atomic_load_n(own_seq(device), __ATOMIC_ACQUIRE);
    uint64_t events = now - device->told;

    if (events > MAX_EVENTS) { /* a lie */
        events = 1;
        device->told = now;
    } else {
        if (events > SHARED_EVENT_MOST)
            events = SHARED_EVENT_MOST;
        device->told += events;
        if (events == 0 && doorbell && !device->looked)
            events = 1;
    }
    device->looked = !doorbell && (events > 0 || device->looked);
    if (events)
        hub_end_emit(device->end, events);
    return events > 0;
}

/*
 * Only with MSI: VMMs may take the mapping of OWN_SEQ away while they use INTx, and then two additions at once count
 * one. With a single CPU the guest could not run meanwhile.
 */
static bool may_be_awake(const struct pci_device *device)
{
    return device->has_cpus && pci_interrupts_use_msi(&device->interrupts);
}

/*
 * An emit costs the guest an exit, its VMM a message and this process a wake-up. So after one the device looks by
 * itself for the next for as long as that took, and the guest does without: AWAKE tells it.
 */
static bool look_again(struct hub_look *look)
{
    struct pci_device *device = (struct pci_device *)((char *)look - offsetof(struct pci_device, look));

    if (!tell_peer(device, false)) {
        if (now_ns() < device->look_until_ns)
            return true;
        set_awake(device, 0);
        /*
         * Orders AWAKE before the last look. Pairs with the fence between OWN_SEQ and AWAKE in a guest that emits:
         * either this look sees its count, or it sees that it has to ring.
         */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (!tell_peer(device, false))
            return false;
    }
    set_awake(device, may_be_awake(device));
    device->look_until_ns = now_ns() + LOOK_NS;
    return true;
}

/* The guest stored to its doorbell, and has to again unless it knows of AWAKE. */
static void doorbell_stored(struct pci_device *device, bool knows_awake)
{
    bool awake = knows_awake && may_be_awake(device);

    (void)tell_peer(device, true);
    if (!awake && device->told == *own_seq(device))
        return;
    if (awake)
        set_awake(device, 1);
    device->look_until_ns = awake ? now_ns() + LOOK_NS : 0;
    hub_look_start(hub_end_loop(device->end), &device->look);
}

/* --- the event page and its neighbours --- */

static void store_register(struct pci_device *device, size_t offset, size_t count, uint64_t value)
{
    switch (cvmm_event_page_store(&device->page, offset, count, value)) {
    case EVENT_PAGE_NOTHING:
        break;
    case EVENT_PAGE_DOORBELL:
        doorbell_stored(device, true);
        break;
    case EVENT_PAGE_ACKNOWLEDGED:
        device->config.pending = false;
        pci_interrupts_sign_of_life(&device->interrupts);
        show(device);
        break;
    case EVENT_PAGE_DRIVER_CHANGED:
        pci_interrupts_sign_of_life(&device->interrupts);
        hub_end_set_state(device->end, device->page.driver);
        break;
    }
}

static void store_event_page(struct pci_device *device, size_t offset, const uint8_t *data, size_t count)
{
    uint64_t value = 0;

    device->stores++;
    memcpy(&value, data, count < sizeof(value) ? count : sizeof(value));
    if (offset == CROSSVM_REG_EMIT) {
        (void)__atomic_fetch_add(own_seq(device), 1, __ATOMIC_SEQ_CST);
        doorbell_stored(device, false);
    } else if (offset != CROSSVM_REG_DRIVER || !device->driver_alone) {
        store_register(device, offset, count, value);
    }
}

static void store_driver(struct pci_device *device, const uint8_t *data, size_t count)
{
    uint32_t value;

    if (count != sizeof(value))
        return;
    memcpy(&value, data, sizeof(value));
    device->driver_alone = true;
    store_register(device, CROSSVM_REG_DRIVER, count, value);
}

/* How many of count bytes at offset are before the end. */
static size_t clip(uint64_t offset, size_t count, uint64_t end)
{
    if (offset >= end)
        return 0;
    return count < end - offset ? count : (size_t)(end - offset);
}

/* Bytes of what the guest has mapped, when its VMM accesses them by messages: words in one piece. */
static void copy(volatile uint8_t *to, const volatile uint8_t *from, size_t count)
{
    if (count == sizeof(uint64_t) && ((uintptr_t)to | (uintptr_t)from) % sizeof(uint64_t) == 0) {
        *(volatile uint64_t *)to = *(const volatile uint64_t *)from;
    } else if (count == sizeof(uint32_t) && ((uintptr_t)to | (uintptr_t)from) % sizeof(uint32_t) == 0) {
        *(volatile uint32_t *)to = *(const volatile uint32_t *)from;
    } else {
        for (size_t i = 0; i < count; i++)
            to[i] = from[i];
    }
}

/* One access reaches into one page: what a guest does is split there. */
static void load_bar0(struct pci_device *device, uint64_t offset, uint8_t *data, size_t count)
{
    if (offset < CROSSVM_PAGE_SIZE) {
        device->loads++;
        memcpy(data, device->registers + offset, clip(offset, count, CROSSVM_PAGE_SIZE));
    } else if (offset >= MAPPED_START && offset < MAPPED_END) {
        copy(data, device->bar0_memory + offset, clip(offset, count, MAPPED_END));
    } else if (offset == CROSSVM_REG_DRIVER_ALONE) {
        memcpy(data, device->registers + CROSSVM_REG_DRIVER, clip(0, count, sizeof(uint32_t)));
    }
}

static void store_bar0(struct pci_device *device, uint64_t offset, const uint8_t *data, size_t count)
{
    if (offset < CROSSVM_PAGE_SIZE)
        store_event_page(device, offset, data, count);
    else if (offset >= MAPPED_START && offset < MAPPED_END)
        copy(device->bar0_memory + offset, data, clip(offset, count, MAPPED_END));
    else if (offset == CROSSVM_REG_DRIVER_ALONE)
        store_driver(device, data, count);
}

/* --- dataports and configuration space --- */

static void load_dataport(const struct pci_device *device, size_t i, uint64_t offset, uint8_t *data, size_t count)
{
    struct hub_memory dataport = hub_end_dataport(device->end, i);

    (void)!pread(dataport.memfd, data, clip(offset, count, hub_end_dataport_size(device->end, i)),
                 (off_t)(dataport.offset + offset));
}

static void store_dataport(const struct pci_device *device, size_t i, uint64_t offset, const uint8_t *data,
                           size_t count)
{
    struct hub_memory dataport = hub_end_dataport(device->end, i);

    if (hub_end_rights(device->end, i) & CROSSVM_RIGHT_WRITE)
        (void)!pwrite(dataport.memfd, data, clip(offset, count, hub_end_dataport_size(device->end, i)),
                      (off_t)(dataport.offset + offset));
}

static void load_config(const struct pci_device *device, uint64_t offset, uint8_t *data, size_t count)
{
    size_t n = clip(offset, count, CONFIG_SPACE_BYTES);

    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)cvmm_config_space_read(&device->config, offset + i, 1);
}

static void store_config(struct pci_device *device, uint64_t offset, const uint8_t *data, size_t count)
{
    bool could_raise = cvmm_config_space_intx_enabled(&device->config);
    size_t n = clip(offset, count, CONFIG_SPACE_BYTES);

    for (size_t i = 0; i < n; i++)
        cvmm_config_space_write(&device->config, offset + i, 1, data[i]);
    pci_interrupts_sign_of_life(&device->interrupts);
    /* INTx is a level: what is pending shows as soon as the guest lets it. */
    if (!could_raise)
        pci_interrupts_show_pending(&device->interrupts);
}

/* --- accesses --- */

/* Number of the dataport that a region has; -1: none. */
static int dataport_in(const struct pci_device *device, int bar)
{
    return bar >= 0 && bar < CONFIG_SPACE_BARS ? device->bars.dataports[bar] : -1;
}

void pci_device_load(struct pci_device *device, int bar, uint64_t offset, uint8_t *data, size_t count)
{
    memset(data, 0, count);
    if (bar == PCI_DEVICE_CONFIG)
        load_config(device, offset, data, count);
    else if (bar == CROSSVM_BAR_EVENT)
        load_bar0(device, offset, data, count);
    else if (dataport_in(device, bar) >= 0)
        load_dataport(device, (size_t)dataport_in(device, bar), offset, data, count);
}

void pci_device_store(struct pci_device *device, int bar, uint64_t offset, const uint8_t *data, size_t count)
{
    if (bar == PCI_DEVICE_CONFIG)
        store_config(device, offset, data, count);
    else if (bar == CROSSVM_BAR_EVENT)
        store_bar0(device, offset, data, count);
    else if (dataport_in(device, bar) >= 0)
        store_dataport(device, (size_t)dataport_in(device, bar), offset, data, count);
}

struct pci_device_bar pci_device_bar(const struct pci_device *device, unsigned int bar)
{
    struct pci_device_bar description = {.size = device->bars.bars[bar].size, .memfd = -1};
    size_t i = (size_t)device->bars.dataports[bar];

    if (bar == CROSSVM_BAR_EVENT) {
        description.memfd = device->bar0;
        description.map_offset = MAPPED_START;
        description.map_size = MAPPED_END - MAPPED_START;
    } else if (device->bars.dataports[bar] >= 0 && hub_end_rights(device->end, i) & CROSSVM_RIGHT_WRITE) {
        /* A store to memory that is mapped without the right to write ends QEMU; what has none goes by messages. */
        description.memfd = hub_end_dataport(device->end, i).memfd;
        description.map_size = hub_end_dataport_size(device->end, i);
        description.file_offset = hub_end_dataport(device->end, i).offset;
    }
    return description;
}

/* --- life --- */

static int choose_bars(struct pci_device *device, const struct hub_end *end)
{
    uint64_t sizes[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports = hub_end_num_dataports(end);
    char size[SIZE_TEXT_BYTES];
    int misfit;

    for (size_t i = 0; i < num_dataports; i++)
        sizes[i] = hub_end_dataport_size(end, i);
    misfit = pci_bars_choose(&device->bars, sizes, num_dataports);
    if (misfit < 0)
        return 0;
    message("connection \"%s\": dataport %d has %s, but of %zu dataports a PCI function can have only the largest %d "
            "above 2 GiB: use fewer or smaller dataports",
            hub_end_name(end), misfit, size_format(size, sizes[misfit]), num_dataports, PCI_BARS_WIDE(num_dataports));
    return -1;
}

static uint64_t accesses(const struct hub_occupant *occupant)
{
    const struct pci_device *device = (const struct pci_device *)occupant;

    return device->loads + device->stores;
}

int pci_device_init(struct pci_device *device, struct hub_end *end)
{
    *device = (struct pci_device){.end = end, .bar0 = -1, .has_cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1};
    pci_interrupts_init(&device->interrupts, hub_end_loop(end), &device->config, &device->page);
    device->look.again = look_again;
    device->occupant = (struct hub_occupant){.peer_changed = peer_changed, .woken = woken, .accesses = accesses};
    if (choose_bars(device, end))
        return -1;
    device->bar0 = memory_create(hub_end_name(end), PCI_BARS_EVENT_BYTES, F_SEAL_SEAL);
    if (device->bar0 >= 0)
        device->bar0_memory = memory_map(device->bar0, 0, PCI_BARS_EVENT_BYTES);
    if (device->bar0_memory)
        return 0;
    message("connection \"%s\": cannot make the registers of its device: %s", hub_end_name(end), error_reason(errno));
    return -1;
}

void pci_device_destroy(struct pci_device *device)
{
    pci_device_power_off(device);
    if (device->bar0_memory)
        munmap(device->bar0_memory, PCI_BARS_EVENT_BYTES);
    if (device->bar0 >= 0)
        close(device->bar0);
    device->bar0_memory = NULL;
    device->bar0 = -1;
}

static void init_registers(struct pci_device *device)
{
    const struct hub_end *end = device->end;
    struct event_page_identity identity = {
        .name = hub_end_name(end),
        .features = CROSSVM_FEATURE_OWN_PAGE | CROSSVM_FEATURE_STATE_PAGE | CROSSVM_FEATURE_DRIVER_PAGE,
        .end = end->number,
        .num_dataports = hub_end_num_dataports(end),
    };

    for (size_t i = 0; i < identity.num_dataports; i++) {
        identity.dataports[i] = (struct event_page_dataport){
            .size = hub_end_dataport_size(end, i),
            .rights = hub_end_rights(end, i),
        };
    }
    for (uint32_t bar = 0; bar < CONFIG_SPACE_BARS; bar++) {
        if (device->bars.dataports[bar] >= 0)
            identity.dataports[device->bars.dataports[bar]].bar = bar;
    }
    memset(device->bar0_memory + CROSSVM_STATE_PAGE, 0, CROSSVM_PAGE_SIZE);
    cvmm_event_page_init(&device->page, device->registers, &identity);
    cvmm_config_space_init_movable(&device->config, device->bars.bars);
    pci_interrupts_reset(&device->interrupts);
    device->loads = device->stores = 0;
    device->driver_alone = device->looked = false;
}

int pci_device_power_on(struct pci_device *device)
{
    int error;

    init_registers(device);
    device->told = *own_seq(device);
    error = hub_end_take(device->end, &device->occupant);
    if (error)
        return error;
    show_peer(device);
    count_events(device);
    return 0;
}

/* A guest that ended may have counted events of which no look or doorbell has told yet: the peer hears of all at once.
 */
static void tell_last(struct pci_device *device)
{
    uint64_t events = events_between(device->told, *own_seq(device));

    if (events)
        hub_end_emit(device->end, events);
}

void pci_device_power_off(struct pci_device *device)
{
    for (size_t i = 0; i < PCI_IRQS; i++)
        pci_interrupts_set(&device->interrupts, (enum pci_irq)i, -1);
    if (device->end->occupant != &device->occupant)
        return;
    hub_look_stop(&device->look);
    set_awake(device, 0);
    tell_last(device);
    hub_end_leave(device->end);
}

void pci_device_reset(struct pci_device *device)
{
    cvmm_config_space_reset(&device->config);
    cvmm_event_page_reset(&device->page);
    pci_interrupts_reset(&device->interrupts);
    device->driver_alone = false;
    show(device);
    hub_end_set_state(device->end, CROSSVM_DRIVER_NONE);
}
