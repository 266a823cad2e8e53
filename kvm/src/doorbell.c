/* SPDX-License-Identifier: BSD-2-Clause */
#include "doorbell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <sel4vm_kvm.h>

#include "resource.h"
#include "vm.h"

struct kvm_doorbell {
    struct kvm_doorbell *next;
    uintptr_t address;
    int eventfd; /**< the caller's number, for kvm_ioeventfd_deassign() */
    int copy;    /**< a duplicate, which keeps the eventfd open */
};

static int tell_kvm(const vm_t *vm, const struct kvm_doorbell *doorbell, uint32_t flags)
{
    /* Length 0 matches stores of any width at the address. */
    struct kvm_ioeventfd request = {.addr = doorbell->address, .fd = doorbell->copy, .flags = flags};

    if (kvm_vm_is_hollow(vm))
        return 0;
    return ioctl(kvm_vm_of(vm)->fd, KVM_IOEVENTFD, &request) ? -errno : 0;
}

static struct kvm_doorbell **find(const vm_t *vm, uintptr_t address, int eventfd)
{
    struct kvm_doorbell **link = &kvm_vm_of(vm)->doorbells;

    while (*link && ((*link)->address != address || (eventfd >= 0 && (*link)->eventfd != eventfd)))
        link = &(*link)->next;
    return link;
}

static void doorbell_free(struct kvm_doorbell *doorbell)
{
    close(doorbell->copy);
    free(doorbell);
}

int kvm_ioeventfd_assign(vm_t *vm, uintptr_t address, int eventfd)
{
    struct kvm_doorbell *doorbell = kvm_alloc(1, sizeof(*doorbell));
    int error;

    if (!doorbell)
        return -ENOMEM;
    *doorbell = (struct kvm_doorbell){.address = address, .eventfd = eventfd, .copy = kvm_duplicate(eventfd)};
    if (doorbell->copy < 0) {
        error = -errno;
        free(doorbell);
        return error;
    }
    kvm_vmm_lock();
    error = *find(vm, address, -1) ? -EEXIST : tell_kvm(vm, doorbell, 0);
    if (!error) {
        doorbell->next = kvm_vm_of(vm)->doorbells;
        kvm_vm_of(vm)->doorbells = doorbell;
    }
    kvm_vmm_unlock();
    if (error)
        doorbell_free(doorbell);
    return error;
}

int kvm_ioeventfd_deassign(vm_t *vm, uintptr_t address, int eventfd)
{
    struct kvm_doorbell **link;
    struct kvm_doorbell *doorbell;
    int error = -ENOENT;

    kvm_vmm_lock();
    link = find(vm, address, eventfd);
    doorbell = *link;
    if (doorbell) {
        *link = doorbell->next;
        error = tell_kvm(vm, doorbell, KVM_IOEVENTFD_FLAG_DEASSIGN);
        doorbell_free(doorbell);
    }
    kvm_vmm_unlock();
    return error;
}

size_t kvm_doorbells_count(const vm_t *vm)
{
    size_t count = 0;

    kvm_vmm_lock();
    for (const struct kvm_doorbell *doorbell = kvm_vm_of(vm)->doorbells; doorbell; doorbell = doorbell->next)
        count++;
    kvm_vmm_unlock();
    return count;
}

bool kvm_doorbell_signal(vm_t *vm, uintptr_t address)
{
    const struct kvm_doorbell *doorbell;

    kvm_vmm_lock();
    doorbell = *find(vm, address, -1);
    if (doorbell)
        eventfd_write(doorbell->copy, 1);
    kvm_vmm_unlock();
    return doorbell;
}

void kvm_doorbells_destroy(vm_t *vm)
{
    while (kvm_vm_of(vm)->doorbells)
        kvm_ioeventfd_deassign(vm, kvm_vm_of(vm)->doorbells->address, -1);
}
