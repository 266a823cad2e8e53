/* SPDX-License-Identifier: BSD-2-Clause */
#include "stats.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <sel4vm_kvm.h>

#include "resource.h"
#include "vm.h"

/* Finds a value in KVM's statistics file: a header, descriptions with names, and the values
 * (Documentation/virt/kvm/api.rst). Returns its offset, or -1. */
static int64_t find_offset(int fd, const char *name)
{
    struct kvm_stats_header header;
    int64_t offset = -1;
    char *entry;
    size_t bytes;

    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return -1;
    bytes = sizeof(struct kvm_stats_desc) + header.name_size;
    entry = kvm_alloc(1, bytes + 1);
    for (uint32_t i = 0; entry && offset < 0 && i < header.num_desc; i++) {
        const struct kvm_stats_desc *description = (const void *)entry;

        if (pread(fd, entry, bytes, header.desc_offset + (off_t)(i * bytes)) != (ssize_t)bytes)
            break;
        if (strcmp(description->name, name) == 0)
            offset = header.data_offset + (int64_t)description->offset;
    }
    free(entry);
    return offset;
}

void kvm_stats_open(struct kvm_vcpu *cpu)
{
    cpu->stats_fd = ioctl(cpu->fd, KVM_GET_STATS_FD, NULL);
    if (cpu->stats_fd < 0)
        return;
    cpu->stats_exits_offset = find_offset(cpu->stats_fd, "exits");
    if (cpu->stats_exits_offset >= 0)
        return;
    close(cpu->stats_fd);
    cpu->stats_fd = -1;
}

int kvm_vm_get_stats(vm_t *vm, kvm_vm_stats_t *stats)
{
    *stats = (kvm_vm_stats_t){0};
    for (unsigned int i = 0; i < vm->num_vcpus; i++) {
        struct kvm_vcpu *cpu = kvm_vcpu_of(vm->vcpus[i]);
        uint64_t user_exits = atomic_load_explicit(&cpu->user_exits, memory_order_relaxed);
        uint64_t exits = user_exits;

        if (cpu->stats_fd >= 0 &&
            pread(cpu->stats_fd, &exits, sizeof(exits), cpu->stats_exits_offset) != (ssize_t)sizeof(exits))
            exits = user_exits;
        stats->exits += exits;
        stats->user_exits += user_exits;
        stats->mmio_exits += atomic_load_explicit(&cpu->mmio_exits, memory_order_relaxed);
        stats->io_exits += atomic_load_explicit(&cpu->io_exits, memory_order_relaxed);
    }
    return 0;
}
