/* SPDX-License-Identifier: BSD-2-Clause */
#include "identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm/boot.h>

#include "../../../src/common/error_reason.h"
#include "../ram.h"
#include "../resource.h"
#include "../vm.h"
#include "layout.h"

/* --- CPUID (Intel's and AMD's manuals; leaf numbers are EAX on input) --- */

#define MAX_ENTRIES 256

#define LEAF_FEATURES 0x1
#define LEAF_CACHES 0x4
#define LEAF_TOPOLOGY 0xb
#define LEAF_TOPOLOGY_V2 0x1f
#define LEAF_AMD_FEATURES 0x80000001
#define LEAF_AMD_SIZES 0x80000008
#define LEAF_AMD_CACHES 0x8000001d
#define LEAF_AMD_TOPOLOGY 0x8000001e

#define FEATURES_ECX_TSC_DEADLINE BIT(24)
#define FEATURES_ECX_HYPERVISOR BIT(31)
#define FEATURES_EDX_SEVERAL BIT(28)  /* the package has several logical processors */
#define AMD_FEATURES_ECX_CORES BIT(1) /* the logical processors are cores, not threads */

#define TOPOLOGY_LEVEL_THREAD (1u << 8)
#define TOPOLOGY_LEVEL_CORE (2u << 8)

/* How many bits of an APIC id tell the cores of a package apart. */
static uint32_t id_bits(uint32_t num)
{
    uint32_t bits = 0;

    while (1u << bits < num)
        bits++;
    return bits;
}

/* All vCPUs are cores of one package, without threads; core n has APIC id n. */
static void describe_topology(struct kvm_cpuid_entry2 *entry, uint32_t id, uint32_t num)
{
    switch (entry->function) {
    case LEAF_FEATURES:
        entry->ebx = (entry->ebx & 0xffff) | num << 16 | id << 24;
        entry->edx = num > 1 ? entry->edx | FEATURES_EDX_SEVERAL : entry->edx & ~FEATURES_EDX_SEVERAL;
        break;
    case LEAF_CACHES:
        entry->eax = (entry->eax & 0x3fff) | ((1u << id_bits(num)) - 1) << 26; /* no cache is shared */
        break;
    case LEAF_TOPOLOGY:
    case LEAF_TOPOLOGY_V2:
        entry->eax = entry->index == 1 ? id_bits(num) : 0;
        entry->ebx = entry->index == 0 ? 1 : entry->index == 1 ? num : 0;
        entry->ecx = entry->index | (entry->index == 0   ? TOPOLOGY_LEVEL_THREAD
                                     : entry->index == 1 ? TOPOLOGY_LEVEL_CORE
                                                         : 0);
        entry->edx = id;
        break;
    case LEAF_AMD_FEATURES:
        entry->ecx = num > 1 ? entry->ecx | AMD_FEATURES_ECX_CORES : entry->ecx & ~AMD_FEATURES_ECX_CORES;
        break;
    case LEAF_AMD_SIZES:
        entry->ecx = (entry->ecx & ~0xf0ffu) | id_bits(num) << 12 | (num - 1);
        break;
    case LEAF_AMD_CACHES:
        entry->eax &= 0x3fff; /* no cache is shared */
        break;
    case LEAF_AMD_TOPOLOGY:
        entry->eax = id;
        entry->ebx = id;
        entry->ecx = 0;
        break;
    }
}

/* KVM lists only the first level of the topology leaf, since it knows of none. The second level is that of cores. */
static void add_core_level(struct kvm_cpuid2 *supported, uint32_t leaf)
{
    struct kvm_cpuid_entry2 *first = NULL;

    for (uint32_t i = 0; i < supported->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &supported->entries[i];

        if (entry->function == leaf && entry->index == 0)
            first = entry;
        if (entry->function == leaf && entry->index == 1)
            return;
    }
    if (!first || supported->nent == MAX_ENTRIES)
        return;
    first->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    supported->entries[supported->nent++] =
        (struct kvm_cpuid_entry2){.function = leaf, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
}

static int set_cpuid(const vm_vcpu_t *vcpu, struct kvm_cpuid2 *supported)
{
    const struct kvm_vm *kvm = kvm_vm_of(vcpu->vm);
    bool deadline = ioctl(kvm->system_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

    supported->nent = MAX_ENTRIES;
    if (ioctl(kvm->system_fd, KVM_GET_SUPPORTED_CPUID, supported))
        return -1;
    add_core_level(supported, LEAF_TOPOLOGY);
    add_core_level(supported, LEAF_TOPOLOGY_V2);
    for (uint32_t i = 0; i < supported->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &supported->entries[i];

        describe_topology(entry, vcpu->vcpu_id, vcpu->vm->num_vcpus);
        if (entry->function == LEAF_FEATURES)
            entry->ecx |= FEATURES_ECX_HYPERVISOR | (deadline ? FEATURES_ECX_TSC_DEADLINE : 0);
    }
    return ioctl(kvm_vcpu_of(vcpu)->fd, KVM_SET_CPUID2, supported);
}

/* --- registers that firmware would have set --- */

#define MSR_MTRR_DEFAULT 0x2ff
#define MTRR_ENABLE_WRITE_BACK 0xc06 /* enabled, fixed ranges enabled, all memory write-back */
#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STRINGS 0x1

#define LAPIC_LINT0 0x350
#define LAPIC_LINT1 0x360
#define LINT_EXTERNAL 0x700 /* from the PICs */
#define LINT_NMI 0x400

/*
 * All memory must be write-back, BARs included, since they are RAM: Linux maps nothing cached that a memory type
 * forbids to be cached. KVM itself makes RAM write-back in any case.
 */
static int set_msrs(const vm_vcpu_t *vcpu)
{
    union {
        struct kvm_msrs list;
        uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
    } msrs = {.list.nmsrs = 2};

    msrs.list.entries[0] = (struct kvm_msr_entry){.index = MSR_MTRR_DEFAULT, .data = MTRR_ENABLE_WRITE_BACK};
    msrs.list.entries[1] = (struct kvm_msr_entry){.index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRINGS};
    /* The result is how many were set. The second is Intel's; on other processors KVM may lack it. */
    return ioctl(kvm_vcpu_of(vcpu)->fd, KVM_SET_MSRS, &msrs) >= 1 ? 0 : -1;
}

static int set_local_inputs(const vm_vcpu_t *vcpu)
{
    const uint32_t external = LINT_EXTERNAL, nmi = LINT_NMI;
    struct kvm_lapic_state state;

    if (ioctl(kvm_vcpu_of(vcpu)->fd, KVM_GET_LAPIC, &state))
        return -1;
    memcpy(state.regs + LAPIC_LINT0, &external, sizeof(external));
    memcpy(state.regs + LAPIC_LINT1, &nmi, sizeof(nmi));
    return ioctl(kvm_vcpu_of(vcpu)->fd, KVM_SET_LAPIC, &state);
}

int kvm_identity_set_all(vm_t *vm)
{
    struct kvm_cpuid2 *supported = kvm_alloc(1, sizeof(*supported) + MAX_ENTRIES * sizeof(struct kvm_cpuid_entry2));
    int error = supported ? 0 : -1;

    for (unsigned int i = 0; i < vm->num_vcpus && !error; i++) {
        const vm_vcpu_t *vcpu = vm->vcpus[i];

        error = set_cpuid(vcpu, supported) || set_msrs(vcpu) || set_local_inputs(vcpu);
    }
    free(supported);
    if (error)
        ZF_LOGE("VM %s: KVM does not take the state of its vCPUs: %s", vm->vm_name, error_reason(errno));
    return error ? -1 : 0;
}

/* --- 64-bit mode --- */

#define DESCRIPTOR_CODE 0x00af9b000000ffffull
#define DESCRIPTOR_DATA 0x00cf93000000ffffull
#define SELECTOR_CODE 0x10 /* the boot protocol's */
#define SELECTOR_DATA 0x18

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_PG BIT(31)
#define CR4_PAE BIT(5)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)

#define PAGE_PRESENT_WRITABLE 0x3
#define PAGE_LARGE 0x80
#define ENTRIES_PER_TABLE 512

static int write_tables(vm_t *vm)
{
    uint64_t *gdt = kvm_ram_pointer(vm, LAYOUT_GDT, PAGE_SIZE_4K);
    uint64_t *tables = kvm_ram_pointer(vm, LAYOUT_PAGE_TABLES, LAYOUT_PAGE_TABLES_SIZE);
    uint64_t *top = tables, *upper, *lower;

    if (!gdt || !tables)
        return -1;
    memset(gdt, 0, LAYOUT_GDT_SIZE);
    gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE;
    gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;

    upper = top + ENTRIES_PER_TABLE;
    lower = upper + ENTRIES_PER_TABLE;
    memset(tables, 0, LAYOUT_PAGE_TABLES_SIZE);
    top[0] = (LAYOUT_PAGE_TABLES + PAGE_SIZE_4K) | PAGE_PRESENT_WRITABLE;
    for (uint64_t i = 0; i < 4; i++)
        upper[i] = (LAYOUT_PAGE_TABLES + (2 + i) * PAGE_SIZE_4K) | PAGE_PRESENT_WRITABLE;
    for (uint64_t i = 0; i < 4 * ENTRIES_PER_TABLE; i++)
        lower[i] = i * PAGE_SIZE_2M | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
    return 0;
}

int kvm_identity_enter_64bit(vm_t *vm, uint64_t entry, uint64_t rsi)
{
    struct kvm_segment code = {
        .limit = UINT32_MAX, .selector = SELECTOR_CODE, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {
        .limit = UINT32_MAX, .selector = SELECTOR_DATA, .type = 0x3, .present = 1, .s = 1, .db = 1, .g = 1};
    struct kvm_regs regs = {.rip = entry, .rsi = rsi, .rflags = 0x2};
    struct kvm_sregs special;
    int fd = kvm_vcpu_of(vm->vcpus[BOOT_VCPU])->fd;

    if (write_tables(vm))
        return -1;
    if (kvm_vm_is_hollow(vm))
        return 0;
    if (ioctl(fd, KVM_GET_SREGS, &special))
        goto fail;
    special.cs = code;
    special.ds = special.es = special.fs = special.gs = special.ss = data;
    special.gdt.base = LAYOUT_GDT;
    special.gdt.limit = LAYOUT_GDT_SIZE - 1;
    special.idt.limit = 0;
    special.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    special.cr3 = LAYOUT_PAGE_TABLES;
    special.cr4 = CR4_PAE;
    special.efer = EFER_LME | EFER_LMA;
    if (ioctl(fd, KVM_SET_SREGS, &special) || ioctl(fd, KVM_SET_REGS, &regs))
        goto fail;
    return 0;

fail:
    ZF_LOGE("VM %s: KVM does not take the registers of the boot vCPU: %s", vm->vm_name, error_reason(errno));
    return -1;
}
