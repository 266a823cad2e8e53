/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots Linux as its x86 boot protocol says, by the 64-bit entry (Documentation/x86/boot.rst of Linux). */
#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>
#include <sys/random.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../arch.h"
#include "../image.h"
#include "../ram.h"
#include "acpi.h"
#include "identity.h"
#include "layout.h"
#include "power.h"

#define HEADER_OFFSET offsetof(struct boot_params, hdr)
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define BOOT_FLAG 0xaa55
#define PROTOCOL_2_12 0x020c
#define SECTOR 512
#define DEFAULT_SETUP_SECTORS 4
#define ENTRY_64_OFFSET 0x200
#define LOADER_UNKNOWN 0xff
#define INITRD_TOP 0x7fffffff /* for kernels that do not say */

#define MAX_SEGMENTS 64

/** Where the kernel went. */
struct loaded {
    uint64_t entry;
    uint64_t end; /**< behind all that it uses before it knows of its memory */
};

/* --- the kernel --- */

static int load_segment(const struct kvm_image *image, vm_t *vm, const Elf64_Phdr *segment, struct loaded *loaded)
{
    uint8_t *rest;

    if (segment->p_filesz > segment->p_memsz)
        return kvm_image_error(image, "a segment has more bytes in the file than in memory");
    if (kvm_image_load(image, segment->p_offset, segment->p_filesz, vm, segment->p_paddr))
        return -1;
    rest = kvm_ram_pointer(vm, segment->p_paddr, segment->p_memsz);
    if (!rest)
        return kvm_image_error(image, "a segment of %" PRIu64 " bytes at 0x%" PRIx64 " does not fit into the VM's RAM",
                               (uint64_t)segment->p_memsz, (uint64_t)segment->p_paddr);
    memset(rest + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
    loaded->end = MAX(loaded->end, segment->p_paddr + segment->p_memsz);
    return 0;
}

static int load_elf(const struct kvm_image *image, vm_t *vm, struct boot_params *params, struct loaded *loaded)
{
    Elf64_Phdr segments[MAX_SEGMENTS];
    Elf64_Ehdr header;

    if (kvm_image_read(image, 0, &header, sizeof(header)))
        return -1;
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        return kvm_image_error(image, "it is no ELF file for x86-64");
    if (header.e_phentsize != sizeof(segments[0]) || header.e_phnum > MAX_SEGMENTS)
        return kvm_image_error(image, "its table of segments is malformed");
    if (kvm_image_read(image, header.e_phoff, segments, header.e_phnum * sizeof(segments[0])))
        return -1;
    for (size_t i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && load_segment(image, vm, &segments[i], loaded))
            return -1;
    }
    loaded->entry = header.e_entry;
    if (!loaded->end || !kvm_ram_pointer(vm, loaded->entry, 1))
        return kvm_image_error(image, "it has nothing to load, or its entry 0x%" PRIx64 " is not in the VM's RAM",
                               loaded->entry);
    /* An ELF file has no setup header: this is what such kernels expect of a loader. */
    params->hdr.boot_flag = BOOT_FLAG;
    params->hdr.header = HEADER_MAGIC;
    params->hdr.version = PROTOCOL_2_12;
    params->hdr.loadflags = LOADED_HIGH;
    params->hdr.initrd_addr_max = INITRD_TOP;
    params->hdr.cmdline_size = LAYOUT_COMMAND_LINE_SIZE - 1;
    return 0;
}

static int load_bzimage(const struct kvm_image *image, vm_t *vm, struct boot_params *params, struct loaded *loaded)
{
    struct setup_header *header = &params->hdr;
    uint8_t jump_offset;
    uint64_t start;
    size_t header_size;

    /* The header ends where the jump over it leads to: its second byte, at the fixed offset 0x201. */
    if (kvm_image_read(image, 0x201, &jump_offset, 1))
        return -1;
    header_size = 0x202 + (size_t)jump_offset - HEADER_OFFSET;
    if (kvm_image_read(image, HEADER_OFFSET, header, MIN(header_size, sizeof(*header))))
        return -1;
    if (header->boot_flag != BOOT_FLAG || header->header != HEADER_MAGIC)
        return kvm_image_error(image, "it is neither a bzImage nor an ELF file");
    if (header->version < PROTOCOL_2_12 || !(header->xloadflags & XLF_KERNEL_64))
        return kvm_image_error(image, "the kernel is not for x86-64, or older than Linux 3.8");

    start = (uint64_t)((header->setup_sects ? header->setup_sects : DEFAULT_SETUP_SECTORS) + 1) * SECTOR;
    if (start >= image->size)
        return kvm_image_error(image, "it is cut short");
    if (header->init_size < image->size - start)
        return kvm_image_error(image, "its header says that it needs less memory than the file has");
    if (!kvm_ram_pointer(vm, header->pref_address, header->init_size))
        return kvm_image_error(image,
                               "it needs %u bytes at 0x%" PRIx64 ", where the VM has no RAM; give it more memory",
                               header->init_size, (uint64_t)header->pref_address);
    if (kvm_image_load(image, start, image->size - start, vm, header->pref_address))
        return -1;
    header->code32_start = (uint32_t)header->pref_address;
    loaded->entry = header->pref_address + ENTRY_64_OFFSET;
    loaded->end = header->pref_address + header->init_size;
    return 0;
}

static int load_kernel(const char *path, vm_t *vm, struct boot_params *params, struct loaded *loaded)
{
    struct kvm_image image;
    uint8_t magic[SELFMAG];
    int error;

    if (kvm_image_open(&image, path))
        return -1;
    error = kvm_image_read(&image, 0, magic, sizeof(magic));
    if (!error)
        error = memcmp(magic, ELFMAG, SELFMAG) == 0 ? load_elf(&image, vm, params, loaded)
                                                    : load_bzimage(&image, vm, params, loaded);
    kvm_image_close(&image);
    return error;
}

/* --- what it is told --- */

static const vm_ram_region_t *low_ram(const vm_t *vm)
{
    const vm_ram_region_t *first = vm->mem.num_ram_regions ? &vm->mem.ram_regions[0] : NULL;

    return first && first->start == 0 && first->size > LAYOUT_HIGH_RAM ? first : NULL;
}

/* As high as the kernel takes it, so that it is in nobody's way. */
static int load_initramfs(const char *path, vm_t *vm, struct boot_params *params, const struct loaded *loaded)
{
    uint64_t top = MIN(low_ram(vm)->size, (uint64_t)params->hdr.initrd_addr_max + 1);
    struct kvm_image image;
    int error = -1;

    if (kvm_image_open(&image, path))
        return -1;
    if (loaded->end >= top || image.size > ROUND_DOWN(top - loaded->end, PAGE_SIZE_4K)) {
        kvm_image_error(&image, "%" PRIu64 " bytes do not fit into the VM's RAM beside the kernel; give it more memory",
                        image.size);
    } else {
        uint64_t address = ROUND_DOWN(top - image.size, PAGE_SIZE_4K);

        error = kvm_image_load(&image, 0, image.size, vm, address);
        params->hdr.ramdisk_image = (uint32_t)address;
        params->hdr.ramdisk_size = (uint32_t)image.size;
    }
    kvm_image_close(&image);
    return error;
}

static int set_command_line(const char *command_line, vm_t *vm, struct boot_params *params)
{
    size_t size = strlen(command_line) + 1;

    if (size > LAYOUT_COMMAND_LINE_SIZE || size > params->hdr.cmdline_size + 1ul) {
        ZF_LOGE("VM %s: its kernel's command line has %zu bytes, and at most %lu fit", vm->vm_name, size - 1,
                MIN(LAYOUT_COMMAND_LINE_SIZE - 1ul, params->hdr.cmdline_size));
        return -1;
    }
    memcpy(kvm_ram_pointer(vm, LAYOUT_COMMAND_LINE, size), command_line, size);
    params->hdr.cmd_line_ptr = LAYOUT_COMMAND_LINE;
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
 * Firmware's entry, of which all that guests use is this: Linux without EFI jumps there in real mode to reset a machine
 * without fixed ACPI hardware.
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

int kvm_arch_boot_linux(vm_t *vm, const kvm_linux_t *image)
{
    struct boot_params *params = kvm_ram_pointer(vm, LAYOUT_BOOT_PARAMS, sizeof(*params));
    struct loaded loaded = {0};
    uint64_t acpi_root;

    if (!params || !low_ram(vm) || !kvm_ram_pointer(vm, 0, LAYOUT_HIGH_RAM)) {
        ZF_LOGE("VM %s cannot boot: it has no RAM from address 0 to beyond 1 MiB", vm->vm_name);
        return -1;
    }
    memset(params, 0, sizeof(*params));
    if (load_kernel(image->kernel, vm, params, &loaded))
        return -1;
    params->hdr.type_of_loader = LOADER_UNKNOWN;
    if (set_command_line(image->command_line ? image->command_line : "", vm, params))
        return -1;
    if (image->initramfs && load_initramfs(image->initramfs, vm, params, &loaded))
        return -1;
    set_memory_map(vm, params);
    set_seed(vm, params);
    set_reset_vector(vm);
    if (kvm_acpi_write(vm, image->pci, &acpi_root))
        return -1;
    params->acpi_rsdp_addr = acpi_root;
    vm->entry = loaded.entry;
    return kvm_arch_vcpus_prepare(vm) || kvm_identity_enter_64bit(vm, loaded.entry, LAYOUT_BOOT_PARAMS) ? -1 : 0;
}
