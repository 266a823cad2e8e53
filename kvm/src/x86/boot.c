/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots Linux as its x86 boot protocol says, by the 64-bit entry (Documentation/x86/boot.rst of Linux). */
#include <asm/bootparam.h>
#include <string.h>
#include <sys/random.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../arch.h"
#include "../boot.h"
#include "../ram.h"
#include "acpi.h"
#include "identity.h"
#include "layout.h"
#include "power.h"

#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define BOOT_FLAG 0xaa55
#define PROTOCOL_2_12 0x020c
#define LOADER_UNKNOWN 0xff

_Static_assert(offsetof(struct boot_params, hdr) == KVM_SETUP_HEADER_OFFSET, "setup header");
_Static_assert(LAYOUT_COMMAND_LINE_SIZE == KVM_COMMAND_LINE_MAX + 1, "room for a command line");

const char *kvm_arch_boot_room(uint64_t start, uint64_t size, struct kvm_room *room)
{
    if (start != 0 || size <= LAYOUT_HIGH_RAM)
        return "it has no RAM from address 0 to beyond 1 MiB";
    *room = (struct kvm_room){.start = LAYOUT_HIGH_RAM, .end = size};
    return NULL;
}

static int set_header(struct setup_header *header, const struct kvm_boot *boot)
{
    const struct kvm_kernel *kernel = &boot->kernel;

    if (kernel->has_setup_header) {
        if (kvm_image_read(&boot->kernel_file, KVM_SETUP_HEADER_OFFSET, header,
                           MIN(kernel->setup_header, sizeof(*header))))
            return -1;
        header->code32_start = (uint32_t)kernel->segments[0].address;
    } else {
        /* An ELF file has no setup header: this is what such kernels expect of a loader. */
        *header = (struct setup_header){
            .boot_flag = BOOT_FLAG,
            .header = HEADER_MAGIC,
            .version = PROTOCOL_2_12,
            .loadflags = LOADED_HIGH,
            .initrd_addr_max = KVM_INITRAMFS_END_X86 - 1,
            .cmdline_size = KVM_COMMAND_LINE_MAX,
        };
    }
    header->type_of_loader = LOADER_UNKNOWN;
    header->cmd_line_ptr = LAYOUT_COMMAND_LINE;
    header->ramdisk_image = (uint32_t)boot->initramfs;
    header->ramdisk_size = (uint32_t)boot->initramfs_file.size;
    return 0;
}

static void add_range(struct boot_params *params, uint64_t start, uint64_t end, uint32_t type)
{
    if (start < end && params->e820_entries < ARRAY_SIZE(params->e820_table))
        params->e820_table[params->e820_entries++] =
            (struct boot_e820_entry){.addr = start, .size = end - start, .type = type};
}

#define RANGE_RAM 1
#define RANGE_RESERVED 2

static void set_memory_map(const vm_t *vm, struct boot_params *params)
{
    add_range(params, 0, LAYOUT_LOW_RAM_END, RANGE_RAM);
    add_range(params, LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM, RANGE_RESERVED);
    for (int i = 0; i < vm->mem.num_ram_regions; i++) {
        const vm_ram_region_t *region = &vm->mem.ram_regions[i];

        add_range(params, MAX(region->start, LAYOUT_HIGH_RAM), region->start + region->size, RANGE_RAM);
    }
}

#define SEED_TYPE 9 /* SETUP_RNG_SEED, which older headers lack */
#define SEED_BYTES 32

/* Random bytes, so that the guest's own random numbers are ready at once. */
static void set_seed(vm_t *vm, struct boot_params *params)
{
    struct setup_data *seed = kvm_ram_pointer(vm, LAYOUT_SEED, sizeof(*seed) + SEED_BYTES);

    *seed = (struct setup_data){.type = SEED_TYPE, .len = SEED_BYTES};
    if (getrandom(seed->data, SEED_BYTES, GRND_NONBLOCK) == SEED_BYTES)
        params->hdr.setup_data = LAYOUT_SEED;
}

/*
 * Firmware's entry, which only resets. Linux without EFI jumps there in real mode to reset a machine without ACPI's
 * fixed hardware.
 */
static void set_reset_vector(vm_t *vm)
{
    static const uint8_t code[] = {
        0xb0, POWER_RESET_VALUE,                              /* mov al, value */
        0xba, POWER_RESET_PORT & 0xff, POWER_RESET_PORT >> 8, /* mov dx, port */
        0xee,                                                 /* out dx, al */
        0xf4,                                                 /* hlt */
    };

    memcpy(kvm_ram_pointer(vm, LAYOUT_RESET_VECTOR, sizeof(code)), code, sizeof(code));
}

int kvm_arch_boot(vm_t *vm, const struct kvm_boot *boot)
{
    struct boot_params *params = kvm_ram_pointer(vm, LAYOUT_BOOT_PARAMS, sizeof(*params));
    char *command_line = kvm_ram_pointer(vm, LAYOUT_COMMAND_LINE, LAYOUT_COMMAND_LINE_SIZE);
    uint64_t acpi_root;

    memset(params, 0, sizeof(*params));
    if (set_header(&params->hdr, boot))
        return -1;
    memcpy(command_line, boot->command_line, strlen(boot->command_line) + 1);
    set_memory_map(vm, params);
    set_seed(vm, params);
    set_reset_vector(vm);
    if (kvm_acpi_write(vm, boot->pci, &acpi_root))
        return -1;
    params->acpi_rsdp_addr = acpi_root;
    vm->entry = boot->kernel.entry;
    return kvm_arch_vcpus_prepare(vm) || kvm_identity_enter_64bit(vm, vm->entry, LAYOUT_BOOT_PARAMS) ? -1 : 0;
}
