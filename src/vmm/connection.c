/* SPDX-License-Identifier: BSD-2-Clause */
#include "connection.h"

#include <string.h>

#include <sel4vm/guest_vcpu_fault.h>

/*
 * A connection becomes silent after this many interrupts during which the guest did not touch the device, while DRIVER
 * is 0: no driver may handle them, and Linux shuts a line down for all its users after 100,000 interrupts that no
 * driver claimed. A sign of life of the guest ends the silence.
 */
#define MAX_UNANSWERED 100

bool cvmm_connection_may_raise(const crossvm_connection_t *c)
{
    return c->intx_enabled && c->unanswered < MAX_UNANSWERED;
}

bool cvmm_connection_line_ended(crossvm_connection_t *c)
{
    /* A driver that acknowledged after the latest event has seen it. */
    bool seen = c->page.driver == CROSSVM_DRIVER_NONE && !c->config.pending;

    c->again = c->again && !seen && cvmm_connection_may_raise(c);
    return c->again;
}

void crossvm_count(crossvm_connection_t *c, uint32_t events)
{
    cvmm_event_page_count(&c->page, events);
}

void crossvm_interrupt(crossvm_connection_t *c)
{
    c->config.pending = true;
    if (cvmm_connection_may_raise(c)) {
        cvmm_connection_raise(c);
    } else if (c->msi_active) {
        c->injections++;
        /* Fails only if the guest programmed a message that goes nowhere. */
        (void)c->send_msi(c->guest->vm, &c->msi);
    }
}

void crossvm_consume_event(crossvm_connection_t *c)
{
    crossvm_count(c, 1);
    crossvm_interrupt(c);
}

void crossvm_set_peer_state(crossvm_connection_t *c, uint32_t state)
{
    bool came = state >= CROSSVM_PEER_PRESENT && state >= c->page.peer_state;
    uint32_t generation = c->page.peer_generation + came;

    if (state == c->page.peer_state && generation == c->page.peer_generation)
        return; /* an interrupt without news would be claimed by nobody */
    cvmm_event_page_set_peer(&c->page, state, generation);
    /* With DRIVER 0 the driver may know the base block only, and would not claim the interrupt. */
    if (c->page.driver != CROSSVM_DRIVER_NONE)
        crossvm_interrupt(c);
}

/* The guest did something that shows a driver at work: ends the silence, and raises the interrupt that it held back. */
static void sign_of_life(crossvm_connection_t *c)
{
    bool was_silenced = c->unanswered >= MAX_UNANSWERED;

    c->unanswered = 0;
    if (was_silenced && c->config.pending && cvmm_connection_may_raise(c))
        cvmm_connection_raise(c);
}

/* `call` is emit or emit_counted of the configuration. */
static void emit(const struct event_frame *frame, crossvm_connection_t *c, int (*call)(void *cookie))
{
    c->emits++;
    /* The call may have removed the connection; the frame stays. */
    if ((!call || call(c->cookie) < 0) && frame->connection == c)
        c->failed_emits++;
}

/* A store to another register than EMIT. False: it had no effect. */
static bool event_page_stored(const struct event_frame *frame, crossvm_connection_t *c, size_t offset, size_t length,
                              uint64_t value)
{
    switch (cvmm_event_page_store(&c->page, offset, length, value)) {
    case EVENT_PAGE_NOTHING:
        return false;
    case EVENT_PAGE_DOORBELL:
        emit(frame, c, c->emit_counted);
        break;
    case EVENT_PAGE_ACKNOWLEDGED:
        c->config.pending = false;
        sign_of_life(c);
        break;
    case EVENT_PAGE_DRIVER_CHANGED:
        sign_of_life(c);
        if (c->driver_changed)
            c->driver_changed(c->cookie, c->page.driver);
        break;
    }
    return true;
}

/* Only these stores have a value that matters. Others are not asked for it, since that costs time, and libsel4vm on x86
 * gives a wrong one for some instructions. */
static bool has_value(size_t offset, size_t length)
{
    return length == sizeof(uint32_t) &&
           (offset == CROSSVM_REG_COUNT || offset == CROSSVM_REG_SEEN || offset == CROSSVM_REG_DRIVER);
}

static __attribute__((noinline)) memory_fault_result_t other_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address,
                                                                   size_t length, const struct event_frame *frame)
{
    crossvm_connection_t *c = frame->connection;
    size_t offset = address - frame->address;

    /* A fault with an effect is a store, since the guest loads registers without a fault. */
    if (length && c &&
        event_page_stored(frame, c, offset, length,
                          has_value(offset, length) ? (uint32_t)get_vcpu_fault_data(vcpu) : 0))
        return FAULT_IGNORE;
    return cvmm_connection_void_fault(vm, vcpu, address, length, NULL);
}

memory_fault_result_t cvmm_connection_event_page_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                       void *cookie)
{
    const struct event_frame *frame = cookie;
    crossvm_connection_t *c = frame->connection;

    /* The stores on the path of an event come first. A store to EMIT works alike whatever its width and value. */
    if (!length || !c)
        return other_fault(vm, vcpu, address, length, frame);
    if (address - frame->address == CROSSVM_REG_EMIT) {
        emit(frame, c, c->emit);
        return FAULT_IGNORE;
    }
    if (address - frame->address == CROSSVM_REG_COUNT && length == sizeof(uint32_t) && c->unanswered < MAX_UNANSWERED) {
        cvmm_event_page_set_count(&c->page, (uint32_t)get_vcpu_fault_data(vcpu));
        c->config.pending = false;
        c->unanswered = 0;
        return FAULT_IGNORE;
    }
    return other_fault(vm, vcpu, address, length, frame);
}

memory_fault_result_t cvmm_connection_void_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                 void *cookie)
{
    (void)vm;
    (void)address;
    (void)cookie;
    /*
     * Nothing may be asked about an access of length 0, and a load must not be advanced: libsel4vm would end the VMM.
     * It gives this length on Arm to a data abort without syndrome, such as a store of a pair or with write-back.
     * FAULT_IGNORE skips the instruction, which is right for a store of any kind.
     */
    if (length == 0 || !is_vcpu_read_fault(vcpu))
        return FAULT_IGNORE;
    set_vcpu_fault_data(vcpu, 0);
    advance_vcpu_fault(vcpu);
    return FAULT_HANDLED;
}

/* --- configuration space --- */

static void follow_msi(crossvm_connection_t *c)
{
    struct config_space_msi msi = {0};
    bool active = cvmm_config_space_msi_enabled(&c->config, &msi);
    bool peer_counts = false;

    if (active == c->msi_active && (!active || (msi.address == c->msi.address && msi.data == c->msi.data)))
        return;
    c->msi = (crossvm_msi_t){
        .address = msi.address,
        .data = msi.data,
        .requester = (uint32_t)(c->pci_address.bus << 8 | c->pci_address.dev << 3 | c->pci_address.fun),
    };
    c->msi_active = active;
    if (c->route_msi && c->peer_page.num_frames)
        peer_counts = c->route_msi(c->cookie, active ? &c->msi : NULL) && active;
    if (peer_counts != c->peer_counts) {
        c->peer_counts = peer_counts;
        cvmm_event_page_set_status(&c->page, peer_counts ? CROSSVM_STATUS_PEER_COUNTS : 0);
    }
}

void cvmm_connection_update_interrupts(crossvm_connection_t *c)
{
    c->intx_enabled = cvmm_config_space_intx_enabled(&c->config);
    follow_msi(c);
}

static int config_read(void *cookie, int offset, int size, uint32_t *result)
{
    const crossvm_connection_t *c = cookie;

    *result = offset < 0 || size < 0 ? 0 : cvmm_config_space_read(&c->config, (size_t)offset, (size_t)size);
    return 0;
}

static int config_write(void *cookie, int offset, int size, uint32_t value)
{
    crossvm_connection_t *c = cookie;
    bool could_raise = c->intx_enabled;

    if (offset < 0 || size < 0)
        return 0;
    cvmm_config_space_write(&c->config, (size_t)offset, (size_t)size, value);
    cvmm_connection_update_interrupts(c);
    sign_of_life(c);
    /* INTx is a level: an interrupt that is pending shows as soon as the guest enables it. */
    if (!could_raise && c->config.pending && cvmm_connection_may_raise(c))
        cvmm_connection_raise(c);
    return 0;
}

vmm_pci_entry_t cvmm_connection_pci_entry(crossvm_connection_t *c)
{
    return (vmm_pci_entry_t){.cookie = c, .ioread = config_read, .iowrite = config_write};
}

bool cvmm_connection_owns_entry(const vmm_pci_entry_t *entry)
{
    return entry->ioread == config_read;
}

/* --- what is known of a connection --- */

crossvm_connection_t *crossvm_find(const vm_t *vm, const char *name)
{
    const struct guest *guest = cvmm_guest_find(vm);
    crossvm_connection_t *c = guest ? guest->connections : NULL;

    while (c && (!name || strcmp(c->name, name) != 0))
        c = c->next;
    return c;
}

uint32_t crossvm_get_register(const crossvm_connection_t *c, size_t offset)
{
    return *(volatile const uint32_t *)(c->page.memory + offset);
}

void crossvm_get_connection_info(const crossvm_connection_t *c, crossvm_connection_info_t *info)
{
    *info = (crossvm_connection_info_t){
        .pci = c->pci_address,
        .irq = c->line->irq,
        .irq_shared = cvmm_irq_line_users(c->line) > 1,
        .msi_enabled = c->msi_active,
        .peer_counts = c->peer_counts,
        .num_dataports = c->num_dataports,
        .peer_state = c->page.peer_state,
        .peer_generation = c->page.peer_generation,
        .driver_state = c->page.driver,
        .emits = c->emits,
        .failed_emits = c->failed_emits,
        .events = c->page.events,
        .injections = c->injections,
    };
    memcpy(info->name, c->name, sizeof(info->name));
    for (size_t i = 0; i <= c->num_dataports; i++) {
        info->bar_address[i] = c->config.bars[i].address;
        info->bar_size[i] = c->config.bars[i].size;
    }
}
