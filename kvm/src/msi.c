/* SPDX-License-Identifier: BSD-2-Clause */
#include "msi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm_test.h>

#include "arch.h"
#include "resource.h"
#include "vm.h"

struct kvm_irqfd_route {
    struct kvm_irqfd_route *next;
    vm_t *vm;
    int eventfd;  /**< a duplicate, so that unwiring works after the caller has closed the original */
    uint32_t gsi; /**< KVM's number for the message */
    uint64_t address;
    uint32_t data;
    uint32_t requester;
};

bool kvm_msi_available(const vm_t *vm)
{
    return kvm_arch_has_msi(vm);
}

int kvm_msi_send(vm_t *vm, uint64_t address, uint32_t data, uint32_t requester)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
        .flags = ARCH_MSI_FLAGS,
        .devid = requester,
    };

    kvm_vmm_lock();
    kvm_vm_of(vm)->msis.sent++;
    kvm_vmm_unlock();
    if (kvm_vm_is_hollow(vm))
        return 0;
    return ioctl(kvm_vm_of(vm)->fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}

/* --- the routing table --- */

static void route_fill(struct kvm_irq_routing_entry *entry, const kvm_irqfd_t *irqfd)
{
    *entry = (struct kvm_irq_routing_entry){
        .gsi = irqfd->gsi,
        .type = KVM_IRQ_ROUTING_MSI,
        .flags = ARCH_MSI_FLAGS,
        .u.msi = {.address_lo = (uint32_t)irqfd->address,
                  .address_hi = (uint32_t)(irqfd->address >> 32),
                  .data = irqfd->data,
                  .devid = irqfd->requester},
    };
}

/* Gives KVM the table of all interrupt numbers, once KVM takes it. */
static int route(vm_t *vm)
{
    const struct kvm_msis *msis = &kvm_vm_of(vm)->msis;
    size_t num = ARCH_FIXED_ROUTES + msis->num;
    struct kvm_irq_routing *table;
    int error = 0;

    if (kvm_vm_is_hollow(vm) || !msis->ready)
        return 0;
    table = kvm_alloc(1, sizeof(*table) + num * sizeof(table->entries[0]));
    if (!table)
        return -ENOMEM;
    table->nr = (uint32_t)num;
    kvm_arch_fixed_routes(table->entries);
    num = ARCH_FIXED_ROUTES;
    for (const kvm_irqfd_t *irqfd = msis->first; irqfd; irqfd = irqfd->next)
        route_fill(&table->entries[num++], irqfd);
    if (ioctl(kvm_vm_of(vm)->fd, KVM_SET_GSI_ROUTING, table))
        error = -errno;
    free(table);
    return error;
}

/* --- eventfds --- */

static uint32_t free_gsi(const struct kvm_msis *msis)
{
    uint32_t gsi = ARCH_FIRST_MSI_GSI;
    const kvm_irqfd_t *irqfd = msis->first;

    while (irqfd) {
        if (irqfd->gsi == gsi) {
            gsi++;
            irqfd = msis->first;
        } else {
            irqfd = irqfd->next;
        }
    }
    return gsi;
}

static void list_remove(struct kvm_msis *msis, kvm_irqfd_t *irqfd)
{
    kvm_irqfd_t **link = &msis->first;

    while (*link != irqfd)
        link = &(*link)->next;
    *link = irqfd->next;
    msis->num--;
}

static int wire(const kvm_irqfd_t *irqfd, uint32_t flags)
{
    struct kvm_irqfd request = {.fd = (uint32_t)irqfd->eventfd, .gsi = irqfd->gsi, .flags = flags};

    if (kvm_vm_is_hollow(irqfd->vm) || !kvm_vm_of(irqfd->vm)->msis.ready)
        return 0;
    return ioctl(kvm_vm_of(irqfd->vm)->fd, KVM_IRQFD, &request) ? -errno : 0;
}

int kvm_msis_start(vm_t *vm)
{
    struct kvm_msis *msis = &kvm_vm_of(vm)->msis;
    int error;

    kvm_vmm_lock();
    msis->ready = true;
    error = route(vm);
    for (const kvm_irqfd_t *irqfd = msis->first; irqfd && !error; irqfd = irqfd->next)
        error = wire(irqfd, 0);
    kvm_vmm_unlock();
    return error;
}

int kvm_irqfd_create(vm_t *vm, int eventfd, uint64_t address, uint32_t data, uint32_t requester, kvm_irqfd_t **irqfd)
{
    kvm_irqfd_t *new = kvm_alloc(1, sizeof(*new));
    struct kvm_msis *msis = &kvm_vm_of(vm)->msis;
    int error;

    if (!new)
        return -ENOMEM;
    *new = (kvm_irqfd_t){.vm = vm, .address = address, .data = data, .requester = requester};
    new->eventfd = kvm_duplicate(eventfd);
    if (new->eventfd < 0) {
        error = -errno;
        free(new);
        return error;
    }

    kvm_vmm_lock();
    new->gsi = free_gsi(msis);
    new->next = msis->first;
    msis->first = new;
    msis->num++;
    /* The route must come first: an eventfd that has a count raises its interrupt as soon as it is wired. */
    error = route(vm);
    if (!error)
        error = wire(new, 0);
    if (error)
        list_remove(msis, new);
    kvm_vmm_unlock();

    if (error) {
        close(new->eventfd);
        free(new);
        return error;
    }
    *irqfd = new;
    return 0;
}

int kvm_irqfd_update(kvm_irqfd_t *irqfd, uint64_t address, uint32_t data, uint32_t requester)
{
    kvm_irqfd_t before;
    int error;

    kvm_vmm_lock();
    before = *irqfd;
    irqfd->address = address;
    irqfd->data = data;
    irqfd->requester = requester;
    error = route(irqfd->vm);
    if (error)
        *irqfd = before;
    kvm_vmm_unlock();
    return error;
}

void kvm_irqfd_destroy(kvm_irqfd_t *irqfd)
{
    if (!irqfd)
        return;
    kvm_vmm_lock();
    wire(irqfd, KVM_IRQFD_FLAG_DEASSIGN);
    /* Its route stays in KVM's table, unused, until the next change. */
    list_remove(&kvm_vm_of(irqfd->vm)->msis, irqfd);
    kvm_vmm_unlock();
    close(irqfd->eventfd);
    free(irqfd);
}

void kvm_msis_destroy(vm_t *vm)
{
    while (kvm_vm_of(vm)->msis.first)
        kvm_irqfd_destroy(kvm_vm_of(vm)->msis.first);
}

uint32_t kvm_test_irqfd_number(const kvm_irqfd_t *irqfd)
{
    return irqfd->gsi;
}
