/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are given as a kernel and an initramfs: any are refused with a sentence that names the file, or lie in the
 * VM's RAM as their headers say. Kernels are read for both processors; a VM, without KVM, is booted for this one's.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <sys/mman.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>
#include <utils/zf_log.h>

#include "../../kvm/src/kernel.h"
#include "../../kvm/src/ram.h"

#define RAM_BYTES ((size_t)(KVM_RAM_BASE ? 8 : 2) << 20)
#define PATH_BYTES 32

static int kernel_file = -1, initramfs_file;
static char kernel_path[PATH_BYTES], initramfs_path[PATH_BYTES];
static unsigned int errors; /* that the log tells of */

static void count_errors(int level, const char *line, void *cookie)
{
    (void)cookie;
    if (level < ZF_LOG_ERROR)
        return;
    REQUIRE(strncmp(line, kernel_path, strlen(kernel_path)) == 0 ||
            strncmp(line, initramfs_path, strlen(initramfs_path)) == 0 || strstr(line, "command line"));
    errors++;
}

static int make_file(char path[PATH_BYTES])
{
    int fd = memfd_create("file", MFD_CLOEXEC);

    REQUIRE(fd >= 0);
    (void)snprintf(path, PATH_BYTES, "/proc/self/fd/%d", fd);
    return fd;
}

static void fill_file(int fd, const void *bytes, size_t length, size_t size)
{
    REQUIRE(ftruncate(fd, 0) == 0 && ftruncate(fd, (off_t)size) == 0);
    REQUIRE(pwrite(fd, bytes, length, 0) == (ssize_t)length);
}

/* --- what a file tells --- */

static void require_segments(const struct kvm_kernel *kernel, const struct kvm_room *room, uint64_t file_size)
{
    bool has_entry = false;

    REQUIRE(kernel->num_segments >= 1 && kernel->num_segments <= KVM_KERNEL_MAX_SEGMENTS);
    REQUIRE(kernel->command_line <= KVM_COMMAND_LINE_MAX);
    for (size_t i = 0; i < kernel->num_segments; i++) {
        const struct kvm_segment *segment = &kernel->segments[i];

        REQUIRE(segment->file_size <= file_size && segment->offset <= file_size - segment->file_size);
        REQUIRE(segment->file_size <= segment->size);
        REQUIRE(segment->address >= room->start && segment->address <= room->end);
        REQUIRE(segment->size <= room->end - segment->address);
        REQUIRE(segment->address + segment->size <= kernel->end);
        has_entry |= kernel->entry - segment->address < segment->file_size;
    }
    REQUIRE(has_entry);
}

static void read_kernel(enum kvm_processor processor, const struct kvm_room *room)
{
    struct kvm_image image;
    struct kvm_kernel kernel;

    errors = 0;
    REQUIRE(kvm_image_open(&image, kernel_path) == 0);
    if (kvm_kernel_read(&image, processor, room, &kernel))
        REQUIRE(errors == 1);
    else
        require_segments(&kernel, room, image.size);
    kvm_image_close(&image);
}

/* --- booting --- */

#ifdef __x86_64__
/* The setup header, in the boot parameters */
#define PARAMETERS 0x7000
#define PARAMETER_INITRAMFS 0x218
#define PARAMETER_INITRAMFS_SIZE 0x21c

static void require_initramfs(const vm_t *vm, uint64_t size)
{
    const uint8_t *parameters = kvm_ram_pointer(vm, PARAMETERS, 4096);
    uint32_t address, bytes;
    const char *memory;

    memcpy(&address, parameters + PARAMETER_INITRAMFS, sizeof(address));
    memcpy(&bytes, parameters + PARAMETER_INITRAMFS_SIZE, sizeof(bytes));
    REQUIRE(bytes == size);
    memory = kvm_ram_pointer(vm, address, size);
    REQUIRE(memory && address % 4096 == 0 && memcmp(memory, "data", 4) == 0);
}
#else
static void require_initramfs(const vm_t *vm, uint64_t size)
{
    (void)vm; /* the device tree says where it is */
    (void)size;
}
#endif

static void boot(uint64_t initramfs_size, size_t command_line_length)
{
    static char command_line[KVM_COMMAND_LINE_MAX + 64];
    kvm_linux_t linux_image = {.kernel = kernel_path, .command_line = command_line};
    int error, checked;
    vm_t vm;

    memset(command_line, 'x', command_line_length);
    command_line[command_line_length] = '\0';
    if (initramfs_size) {
        fill_file(initramfs_file, "data", 4, initramfs_size);
        linux_image.initramfs = initramfs_path;
    }
    errors = 0;
    checked = kvm_linux_check(&linux_image, RAM_BYTES);
    REQUIRE(!checked == !errors);
    if (checked)
        return;
    REQUIRE(vm_init(&vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "fuzz") == 0 && vm_create_vcpu(&vm, 0));
    REQUIRE(vm_ram_register_at(&vm, KVM_RAM_BASE, RAM_BYTES, false) == 0);
    error = kvm_boot_linux(&vm, &linux_image);
    REQUIRE(error == 0);
    if (initramfs_size >= 4)
        require_initramfs(&vm, initramfs_size);
    kvm_vm_destroy(&vm);
}

static void prepare(void)
{
    if (kernel_file >= 0)
        return;
    kernel_file = make_file(kernel_path);
    initramfs_file = make_file(initramfs_path);
    (void)kvm_use_backend_none();
    kvm_log_set_sink(count_errors, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kvm_room rooms[] = {{.start = 0x100000, .end = 0x200000},
                                            {.start = 0x40000000, .end = 0x40800000},
                                            {.start = 0, .end = UINT64_MAX}};
    struct input input = {data, size};
    uint8_t what = input_byte(&input);
    size_t more = 512 * input_number(&input, 2); /* zeros that the file ends with */
    uint64_t initramfs_size = input_number(&input, 3);
    size_t command_line_length = 16 * (size_t)input_byte(&input);
    const struct kvm_room *room = &rooms[what % 3];

    prepare();
    if (command_line_length > KVM_COMMAND_LINE_MAX + 1)
        command_line_length = KVM_COMMAND_LINE_MAX + 1;
    if (input.left + more == 0)
        return 0;
    fill_file(kernel_file, input.at, input.left, input.left + more);
    read_kernel(KVM_PROCESSOR_X86_64, room);
    read_kernel(KVM_PROCESSOR_ARM64, room);
    boot(initramfs_size, command_line_length);
    return 0;
}
