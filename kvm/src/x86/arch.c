/* SPDX-License-Identifier: BSD-2-Clause */
/* arch.h for x86-64: the PC around the vCPUs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../../../src/common/error_reason.h"
#include "../arch.h"
#include "../vm.h"
#include "identity.h"
#include "ports.h"

/*
 * Pages that KVM needs for itself on Intel processors. They are below the end of 4 GiB, where neither RAM nor BARs are.
 */
#define IDENTITY_MAP_PAGE 0xfffbc000ull
#define TSS_PAGES 0xfffbd000ul

#define HOLE_START KVM_PCI_WINDOW_BASE
#define HOLE_END 0x100000000ull

unsigned long kvm_arch_vm_type(int system_fd)
{
    (void)system_fd;
    return 0;
}

int kvm_arch_vm_init(vm_t *vm)
{
    int fd = kvm_vm_of(vm)->fd;
    uint64_t identity_map = IDENTITY_MAP_PAGE;
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

    if (ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) || ioctl(fd, KVM_SET_TSS_ADDR, TSS_PAGES)) {
        ZF_LOGE("VM %s: KVM does not take its private pages: %s", vm->vm_name, error_reason(errno));
        return -1;
    }
    if (ioctl(fd, KVM_CREATE_IRQCHIP, 0) || ioctl(fd, KVM_CREATE_PIT2, &pit)) {
        ZF_LOGE("VM %s: KVM cannot make interrupt controllers and timer: %s", vm->vm_name, error_reason(errno));
        return -1;
    }
    return 0;
}

void kvm_arch_vm_destroy(vm_t *vm)
{
    free(vm->arch.ioport_list.ioports);
}

bool kvm_arch_has_msi(const vm_t *vm)
{
    (void)vm;
    return true;
}

/* A vCPU gets its state with its identity, once the number of vCPUs is final. */
int kvm_arch_vcpu_init(vm_vcpu_t *vcpu)
{
    (void)vcpu;
    return 0;
}

int kvm_arch_vcpus_prepare(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);

    if (kvm->vcpus_prepared)
        return 0;
    if (!kvm_vm_is_hollow(vm) && kvm_identity_set_all(vm))
        return -1;
    kvm->vcpus_prepared = true;
    return 0;
}

const char *kvm_arch_ram_objection(uintptr_t start, size_t size)
{
    if (start < HOLE_END && start + (size - 1) >= HOLE_START)
        return "addresses from 0xc0000000 to 0xffffffff are for devices; put RAM below, and the rest from 0x100000000 "
               "on";
    return NULL;
}

/* --- exits --- */

static void port_exit(vm_vcpu_t *vcpu, struct kvm_run *exit)
{
    uint8_t *data = (uint8_t *)exit + exit->io.data_offset;

    atomic_fetch_add_explicit(&kvm_vcpu_of(vcpu)->io_exits, 1, memory_order_relaxed);
    /* A string instruction has many accesses, whose data follow each other. */
    for (uint32_t i = 0; i < exit->io.count; i++, data += exit->io.size) {
        uint32_t value = 0;

        if (exit->io.direction == KVM_EXIT_IO_OUT)
            memcpy(&value, data, exit->io.size);
        kvm_port_access(vcpu, exit->io.port, exit->io.size, exit->io.direction == KVM_EXIT_IO_IN, &value);
        if (exit->io.direction == KVM_EXIT_IO_IN)
            memcpy(data, &value, exit->io.size);
    }
}

bool kvm_arch_vcpu_exit(vm_vcpu_t *vcpu, struct kvm_run *run)
{
    if (run->exit_reason != KVM_EXIT_IO)
        return false;
    port_exit(vcpu, run);
    return true;
}

uint64_t kvm_arch_vcpu_instruction_pointer(const vm_vcpu_t *vcpu)
{
    struct kvm_regs regs = {0};

    if (kvm_vcpu_of(vcpu)->fd >= 0)
        ioctl(kvm_vcpu_of(vcpu)->fd, KVM_GET_REGS, &regs);
    return regs.rip;
}

/* --- interrupts --- */

int kvm_use_gic(int version)
{
    (void)version;
    return -ENOTSUP;
}

/* First the inputs that PCs do not use, then those of ISA devices that are absent here. */
int kvm_arch_irq_spare(size_t i)
{
    static const int spare[] = {16, 17, 18, 19, 20, 21, 22, 23, 5, 9, 10, 11};

    return i < ARRAY_SIZE(spare) ? spare[i] : -1;
}

/* The ACPI tables have no route for devices that come later. */
size_t kvm_arch_irq_spare_late(void)
{
    return 0;
}

/* Interrupt n goes to input n of the IOAPIC and, below 16, to the pair of PICs too. */
void kvm_arch_fixed_routes(struct kvm_irq_routing_entry *entries)
{
    for (uint32_t n = 0; n < ARCH_NUM_IRQS; n++)
        *entries++ = (struct kvm_irq_routing_entry){
            .gsi = n,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = n},
        };
    for (uint32_t n = 0; n < ARCH_FIXED_ROUTES - ARCH_NUM_IRQS; n++)
        *entries++ = (struct kvm_irq_routing_entry){
            .gsi = n,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = n < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, .pin = n % 8},
        };
}

int kvm_arch_irq_set_level(vm_t *vm, int irq, int level)
{
    struct kvm_irq_level request = {.irq = (uint32_t)irq, .level = level != 0};

    if (ioctl(kvm_vm_of(vm)->fd, KVM_IRQ_LINE, &request) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM does not set interrupt %d: %s", vm->vm_name, irq, error_reason(errno));
    return -1;
}
