/* SPDX-License-Identifier: BSD-2-Clause */
#include "ports.h"

#include <stdlib.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm/arch/ioports.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../resource.h"
#include "power.h"

static const char *name_of(const vm_ioport_entry_t *entry)
{
    return entry->interface.desc ? entry->interface.desc : "a device";
}

static int by_start(const void *a, const void *b)
{
    const vm_ioport_entry_t *one = a, *other = b;

    return one->range.start - other->range.start;
}

static int add(vm_t *vm, const vm_ioport_entry_t *entry)
{
    vm_io_port_list_t *list = &vm->arch.ioport_list;
    vm_ioport_entry_t *grown;

    if (entry->range.end < entry->range.start || !entry->interface.port_in || !entry->interface.port_out) {
        ZF_LOGE("VM %s: ports 0x%x to 0x%x of %s: the range is empty, or a handler is missing", vm->vm_name,
                entry->range.start, entry->range.end, name_of(entry));
        return -1;
    }
    for (int i = 0; i < list->num_ioports; i++) {
        const vm_ioport_entry_t *other = &list->ioports[i];

        if (entry->range.start <= other->range.end && other->range.start <= entry->range.end) {
            ZF_LOGE("VM %s: ports 0x%x to 0x%x of %s overlap those of %s", vm->vm_name, entry->range.start,
                    entry->range.end, name_of(entry), name_of(other));
            return -1;
        }
    }
    grown = kvm_grow(list->ioports, (size_t)list->num_ioports + 1, sizeof(*grown));
    if (!grown) {
        ZF_LOGE("VM %s: no memory for the ports of %s", vm->vm_name, name_of(entry));
        return -1;
    }
    grown[list->num_ioports++] = *entry;
    list->ioports = grown;
    qsort(grown, (size_t)list->num_ioports, sizeof(*grown), by_start);
    return 0;
}

int vm_io_port_add_handler(vm_t *vm, vm_ioport_range_t ioport_range, vm_ioport_interface_t ioport_interface)
{
    vm_ioport_entry_t entry = {.range = ioport_range, .interface = ioport_interface};
    int error;

    kvm_vmm_lock();
    error = add(vm, &entry);
    kvm_vmm_unlock();
    return error;
}

int vm_register_unhandled_ioport_callback(vm_t *vm, unhandled_ioport_callback_fn ioport_callback, void *cookie)
{
    if (!vm || !ioport_callback) {
        ZF_LOGE("cannot register a handler for unclaimed ports: VM or handler is missing");
        return -1;
    }
    vm->arch.unhandled_ioport_callback = ioport_callback;
    vm->arch.unhandled_ioport_callback_cookie = cookie;
    return 0;
}

/* --- accesses --- */

static int by_port(const void *key, const void *element)
{
    const uint16_t *port = key;
    const vm_ioport_range_t *range = &((const vm_ioport_entry_t *)element)->range;

    return *port < range->start ? -1 : *port > range->end;
}

static const vm_ioport_entry_t *find(const vm_t *vm, uint16_t port)
{
    const vm_io_port_list_t *list = &vm->arch.ioport_list;

    return list->num_ioports ? bsearch(&port, list->ioports, (size_t)list->num_ioports, sizeof(*list->ioports), by_port)
                             : NULL;
}

static ioport_fault_result_t ask(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value)
{
    const struct vm_arch *arch = &vcpu->vm->arch;
    const vm_ioport_entry_t *entry = find(vcpu->vm, port);

    if (kvm_power_port(vcpu->vm, port, size, is_in, value))
        return IO_FAULT_HANDLED;
    /* No handler gets an access that reaches beyond its own ports, since it need not expect one. */
    if (entry && port + size - 1 <= entry->range.end) {
        const vm_ioport_interface_t *interface = &entry->interface;

        return is_in ? interface->port_in(vcpu, interface->cookie, port, size, value)
                     : interface->port_out(vcpu, interface->cookie, port, size, *value);
    }
    if (arch->unhandled_ioport_callback)
        return arch->unhandled_ioport_callback(vcpu, port, is_in, value, size, arch->unhandled_ioport_callback_cookie);
    return IO_FAULT_UNHANDLED;
}

void kvm_port_access(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value)
{
    ioport_fault_result_t result;

    kvm_vmm_lock();
    result = ask(vcpu, port, size, is_in, value);
    if (is_in && result != IO_FAULT_HANDLED)
        *value = UINT32_MAX; /* as on a bus where no device answers */
    if (result == IO_FAULT_ERROR) {
        ZF_LOGE("VM %s: cannot go on after an %s of %u bytes at port 0x%x", vcpu->vm->vm_name,
                is_in ? "input" : "output", size, port);
        kvm_vm_stop(vcpu->vm, KVM_VM_CRASHED);
    }
    kvm_vmm_unlock();
}

void kvm_test_port(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value)
{
    kvm_port_access(vcpu, port, size, is_in, value);
    if (is_in)
        *value &= (uint32_t)MASK(8 * size);
}
