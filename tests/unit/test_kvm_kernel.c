/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libsel4vm on Linux KVM makes of the files of a Linux: kernels of each format, whole and damaged, on both
 * processors; and files that are none.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sel4vm/guest_ram.h>

#include "../../kvm/src/kernel.h"
#include "kvm_fixture.h"

#define MIB ((size_t)1 << 20)
#define FILE_BYTES 0x2000
#define START 0x1000000 /* where the x86 kernels want to be */

static char logged[512];

static void keep_line(int level, const char *line, void *cookie)
{
    (void)level;
    (void)cookie;
    lines_logged++;
    (void)snprintf(logged, sizeof(logged), "%s", line);
}

static int set_up(void **state)
{
    (void)state;
    lines_logged = 0;
    logged[0] = '\0';
    kvm_log_set_sink(keep_line, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kvm_log_set_sink(NULL, NULL);
    return 0;
}

#define LOGGED_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* --- kernels --- */

struct content {
    uint8_t bytes[FILE_BYTES];
    size_t size;
};

static void put(struct content *content, size_t offset, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        content->bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

static void make_bzimage(struct content *content)
{
    *content = (struct content){.size = 2048 + 1024};
    memcpy(content->bytes, "MZ", 2);
    put(content, 0x1f1, 3, 1);         /* sectors after the first */
    put(content, 0x1f4, 1024 / 16, 4); /* then the kernel */
    put(content, 0x1fe, 0xaa55, 2);
    put(content, 0x201, 0x66, 1); /* the header ends at 0x268 */
    memcpy(content->bytes + 0x202, "HdrS", 4);
    put(content, 0x206, 0x020f, 2);
    put(content, 0x22c, 0x7fffffff, 4); /* end of the initramfs */
    put(content, 0x236, 1, 2);          /* 64 bits */
    put(content, 0x238, 2047, 4);       /* command line */
    put(content, 0x258, START, 8);
    put(content, 0x260, 2 * MIB, 4); /* memory */
}

static void make_elf(struct content *content)
{
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
        .e_machine = EM_X86_64,
        .e_entry = START,
        .e_phoff = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
        .e_shoff = 0xa00,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 2,
    };
    Elf64_Phdr segment = {.p_type = PT_LOAD, .p_offset = 0x800, .p_filesz = 0x200, .p_paddr = START, .p_memsz = MIB};

    *content = (struct content){.size = 0xa00 + 2 * sizeof(Elf64_Shdr)};
    memcpy(content->bytes, &header, sizeof(header));
    memcpy(content->bytes + sizeof(header), &segment, sizeof(segment));
}

#define PE 0x40
#define PE_SECTION(i) (PE + 24 + 16 + 40 * (size_t)(i))

static void make_arm64(struct content *content)
{
    *content = (struct content){.size = 0x1800};
    memcpy(content->bytes, "MZ", 2);
    put(content, 4, 0x14000000 | 0x1400 / 4, 4); /* branch to 0x1404 */
    put(content, 16, 2 * MIB, 8);                /* memory */
    put(content, 24, 0xa, 8);                    /* pages of 4 KiB */
    memcpy(content->bytes + 56, "ARM\x64", 4);
    put(content, 60, PE, 4);
    memcpy(content->bytes + PE, "PE", 2);
    put(content, PE + 6, 2, 2);   /* sections */
    put(content, PE + 20, 16, 2); /* bytes between the header and them */
    put(content, PE_SECTION(0) + 16, 0x800, 4);
    put(content, PE_SECTION(0) + 20, 0x800, 4);
    put(content, PE_SECTION(1) + 16, 0x800, 4);
    put(content, PE_SECTION(1) + 20, 0x1000, 4);
}

static const struct format {
    void (*make)(struct content *content);
    enum kvm_processor processor;
    struct kvm_room room;
    struct kvm_segment segment;
    uint64_t entry;
} formats[] = {
    {
        .make = make_bzimage,
        .processor = KVM_PROCESSOR_X86_64,
        .room = {.start = MIB, .end = 64 * MIB},
        .segment = {.offset = 2048, .file_size = 1024, .address = START, .size = 2 * MIB},
        .entry = START + 0x200,
    },
    {
        .make = make_elf,
        .processor = KVM_PROCESSOR_X86_64,
        .room = {.start = MIB, .end = 64 * MIB},
        .segment = {.offset = 0x800, .file_size = 0x200, .address = START, .size = MIB},
        .entry = START,
    },
    {
        .make = make_arm64,
        .processor = KVM_PROCESSOR_ARM64,
        .room = {.start = 0x40000000, .end = 0x44000000},
        .segment = {.file_size = 0x1800, .address = 0x40000000, .size = 2 * MIB},
        .entry = 0x40000000,
    },
};

#define NUM_FORMATS (sizeof(formats) / sizeof(formats[0]))
enum { BZIMAGE, ELF, ARM64 };

/* --- files --- */

static void make_file(char path[32], const void *bytes, size_t length, size_t size)
{
    int fd = memfd_create("file", 0);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, bytes, length, 0), length);
    (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static void remove_file(const char *path)
{
    int fd;

    assert_int_equal(sscanf(path, "/proc/self/fd/%d", &fd), 1);
    close(fd);
}

/* Reads a kernel; the one line in the log, without the path, is in logged. */
static int read_kernel(const struct content *content, const struct format *format, struct kvm_kernel *kernel)
{
    struct kvm_image image;
    char path[32];
    int result;

    lines_logged = 0;
    make_file(path, content->bytes, content->size, content->size);
    result = kvm_image_open(&image, path);
    if (result == 0)
        result = kvm_kernel_read(&image, format->processor, &format->room, kernel);
    kvm_image_close(&image);
    assert_int_equal(lines_logged, result ? 1 : 0);
    if (result) {
        assert_memory_equal(logged, path, strlen(path));
        memmove(logged, logged + strlen(path) + 2, strlen(logged) - strlen(path) - 1);
    }
    remove_file(path);
    return result;
}

static void assert_refused(const struct content *content, const struct format *format, const char *sentence)
{
    struct kvm_kernel kernel;

    assert_int_equal(read_kernel(content, format, &kernel), -1);
    if (strncmp(logged, sentence, strlen(sentence)) != 0)
        fail_msg("\"%s\" is logged, not \"%s\"", logged, sentence);
}

static void whole_kernels_are_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUM_FORMATS; i++) {
        const struct format *format = &formats[i];
        struct content content;
        struct kvm_kernel kernel = {0};

        format->make(&content);
        assert_int_equal(read_kernel(&content, format, &kernel), 0);
        assert_int_equal(kernel.num_segments, 1);
        assert_memory_equal(&kernel.segments[0], &format->segment, sizeof(format->segment));
        assert_int_equal(kernel.entry, format->entry);
        assert_int_equal(kernel.end, format->segment.address + format->segment.size);
        assert_int_equal(kernel.initramfs_end,
                         format->processor == KVM_PROCESSOR_ARM64 ? format->room.end : KVM_INITRAMFS_END_X86);
        assert_int_equal(kernel.command_line, KVM_COMMAND_LINE_MAX);
        assert_int_equal(kernel.has_setup_header, i == BZIMAGE);
        assert_int_equal(kernel.setup_header, i == BZIMAGE ? 0x268 - 0x1f1 : 0);
    }
}

/* At each length: with the part that a cut through the marks of its format leaves, it is no kernel any more. */
static void kernels_that_are_cut_short_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUM_FORMATS; i++) {
        static const size_t recognized[] = {[BZIMAGE] = 0x206, [ELF] = sizeof(Elf64_Ehdr), [ARM64] = 0x3c};
        struct content content;
        size_t whole;

        formats[i].make(&content);
        whole = content.size;
        for (content.size = 1; content.size < whole; content.size++) {
            char sentence[128] = "it is";

            if (content.size >= recognized[i])
                (void)snprintf(sentence, sizeof(sentence), "it is cut short: its header tells of ");
            assert_refused(&content, &formats[i], sentence);
        }
        content.size = whole - 1;
        assert_refused(&content, &formats[i], "it is cut short: its header tells of ");
        assert_non_null(strstr(logged, " bytes, and it has "));
    }
}

/* Whatever the processor, the same fault has the same sentence; what to give instead is the end of some. */
static void what_is_no_kernel_is_refused_alike(void **state)
{
    static const struct {
        char bytes[12];
        size_t size;
        const char *sentence;
    } cases[] = {
        {"", 0, "it is empty"},
        {"x", 1, "it is no kernel; give a"},
        {"#!/bin/sh\n", 10, "it is no kernel; give a"},
        {"MZ", FILE_BYTES, "it is no kernel; give a"},
        {"", FILE_BYTES, "it is no kernel; give a"},
        {"\x1f\x8b\x08", FILE_BYTES, "it is compressed with gzip; unpack it"},
        {"\x1f\x8b\x08", 3, "it is compressed with gzip; unpack it"},
        {"\x28\xb5\x2f\xfd", FILE_BYTES, "it is compressed with zstd; unpack it"},
        {"\3757zXZ\0", FILE_BYTES, "it is compressed with xz; unpack it"},
        {"MZ\0\0zimg", FILE_BYTES, "it is compressed with EFI's zboot; unpack it"},
        {"\177ELF\1\1", FILE_BYTES, "it is an ELF file that the VM cannot boot; give a"},
        {"\177ELF", 10, "it is an ELF file that the VM cannot boot; give a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct content content = {.size = cases[i].size};

        memcpy(content.bytes, cases[i].bytes, cases[i].size < 8 ? cases[i].size : 8);
        for (size_t k = 0; k < NUM_FORMATS; k++)
            assert_refused(&content, &formats[k], cases[i].sentence);
    }
}

static void kernels_for_the_other_processor_are_named_as_such(void **state)
{
    struct content content;

    (void)state;
    make_arm64(&content);
    assert_refused(&content, &formats[BZIMAGE],
                   "it is a kernel for arm64, and the VM has x86-64; give a bzImage or an ELF vmlinux");
    make_bzimage(&content);
    assert_refused(&content, &formats[ARM64],
                   "it is a kernel for x86-64, and the VM has arm64; give an uncompressed Image");
    make_elf(&content);
    assert_refused(&content, &formats[ARM64],
                   "it is a kernel for x86-64, and the VM has arm64; give an uncompressed Image");
    put(&content, offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2);
    assert_refused(&content, &formats[ELF], "it is a kernel for arm64, and the VM has x86-64");
    assert_refused(&content, &formats[ARM64], "it is an ELF file that the VM cannot boot; give an uncompressed Image");
}

#define SEGMENT(member) (sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, member))
#define HEADER(member) offsetof(Elf64_Ehdr, member)

/* One field is wrong. */
static void headers_that_contradict_the_file_are_refused(void **state)
{
    static const struct {
        size_t format, offset, size;
        uint64_t value;
        const char *sentence;
    } cases[] = {
        {BZIMAGE, 0x206, 2, 0x020b, "the kernel is older than Linux 3.8"},
        {BZIMAGE, 0x236, 2, 0, "the kernel is for 32-bit processors"},
        {BZIMAGE, 0x1f1, 1, 4, "it is cut short: its header tells of 3584 bytes, and it has 3072"},
        {BZIMAGE, 0x1f1, 1, 255, "it is cut short"},
        {BZIMAGE, 0x1f4, 4, 65, "it is cut short: its header tells of 3088 bytes, and it has 3072"},
        {BZIMAGE, 0x1f4, 4, UINT32_MAX, "it is cut short"},
        {BZIMAGE, 0x1f4, 4, 0x20, "its header is damaged: it has nothing at 0x1000200"},
        {BZIMAGE, 0x1f4, 4, 0, "its header is damaged: it has nothing at 0x1000200"},
        {BZIMAGE, 0x260, 4, 1023, "its header is damaged: a part of 1024 bytes is to take 1023 in memory"},
        {BZIMAGE, 0x260, 4, 48 * MIB + 1,
         "it needs 49153 KiB of memory from 0x1000000 on, and the VM has memory for "
         "it up to 0x4000000; give the VM more memory"},
        {BZIMAGE, 0x260, 4, UINT32_MAX, "it needs 4194304 KiB of memory"},
        {BZIMAGE, 0x258, 8, 0x4000000, "it needs 2048 KiB of memory from 0x4000000 on"},
        {BZIMAGE, 0x258, 8, UINT64_MAX, "it needs 2048 KiB of memory from 0xffffffffffffffff on"},
        {BZIMAGE, 0x258, 8, MIB - 4096, "it is to be loaded at 0xff000, and the VM has room for it from 0x100000"},
        {ELF, HEADER(e_phnum), 2, 65, "its header is damaged: it tells of 65 segments of 56 bytes each"},
        {ELF, HEADER(e_phentsize), 2, 32, "its header is damaged: it tells of 1 segments of 32 bytes each"},
        {ELF, HEADER(e_phoff), 8, FILE_BYTES, "it is cut short"},
        {ELF, HEADER(e_phoff), 8, UINT64_MAX, "its header is damaged: a part of it ends beyond 2^64 bytes"},
        {ELF, HEADER(e_phnum), 2, 0, "its header is damaged: it has nothing at 0x1000000"},
        {ELF, HEADER(e_shnum), 2, 3, "it is cut short: its header tells of 2752 bytes, and it has 2688"},
        {ELF, HEADER(e_shoff), 8, UINT64_MAX, "its header is damaged: a part of it ends beyond 2^64 bytes"},
        {ELF, HEADER(e_entry), 8, START - 1, "its header is damaged: it has nothing at 0xffffff"},
        {ELF, HEADER(e_entry), 8, START + 0x200, "its header is damaged: it has nothing at 0x1000200"},
        {ELF, SEGMENT(p_filesz), 8, FILE_BYTES, "it is cut short"},
        {ELF, SEGMENT(p_filesz), 8, UINT64_MAX, "its header is damaged: a part of it ends beyond 2^64 bytes"},
        {ELF, SEGMENT(p_offset), 8, UINT64_MAX, "its header is damaged: a part of it ends beyond 2^64 bytes"},
        {ELF, SEGMENT(p_memsz), 8, 0x1ff, "its header is damaged: a part of 512 bytes is to take 511 in memory"},
        {ELF, SEGMENT(p_memsz), 8, 48 * MIB + 1, "it needs 49153 KiB of memory"},
        {ELF, SEGMENT(p_memsz), 8, UINT64_MAX, "it needs 18014398509481984 KiB of memory"},
        {ELF, SEGMENT(p_paddr), 8, 0, "it is to be loaded at 0x0, and the VM has room for it from 0x100000"},
        {ELF, SEGMENT(p_paddr), 8, UINT64_MAX, "it needs 1024 KiB of memory from 0xffffffffffffffff on"},
        {ARM64, 16, 8, 0, "the kernel is older than Linux 3.17"},
        {ARM64, 24, 8, 0xb, "the kernel is big-endian"},
        {ARM64, 16, 8, 64 * MIB + 1,
         "it needs 65537 KiB of memory from 0x40000000 on, and the VM has memory for it up "
         "to 0x44000000; give the VM more memory"},
        {ARM64, 16, 8, UINT64_MAX, "it needs 18014398509481984 KiB of memory"},
        {ARM64, 8, 8, 63 * MIB, "it needs 2048 KiB of memory from 0x43f00000 on"},
        {ARM64, 8, 8, UINT64_MAX, "its header is damaged: it is to be loaded 0xffffffffffffffff bytes from the start"},
        {ARM64, 60, 4, FILE_BYTES, "it is cut short"},
        {ARM64, 60, 4, UINT32_MAX, "it is cut short"},
        {ARM64, PE + 6, 2, 1000, "it is cut short"},
        {ARM64, PE + 20, 2, UINT16_MAX, "it is cut short"},
        {ARM64, PE_SECTION(1) + 16, 4, 0x801, "it is cut short: its header tells of 6145 bytes, and it has 6144"},
        {ARM64, PE_SECTION(1) + 20, 4, UINT32_MAX, "it is cut short"},
        {ARM64, 4, 4, 0x14000000 | 0x17fc / 4, "it is cut short: its header tells of 6148 bytes, and it has 6144"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct content content;

        formats[cases[i].format].make(&content);
        put(&content, cases[i].offset, cases[i].value, cases[i].size);
        assert_refused(&content, &formats[cases[i].format], cases[i].sentence);
    }
}

static void an_image_of_large_pages_is_taken_with_a_warning(void **state)
{
    struct content content;
    struct kvm_image image;
    struct kvm_kernel kernel;
    char path[32];

    (void)state;
    make_arm64(&content);
    put(&content, 24, 0xe, 8); /* 64 KiB */
    make_file(path, content.bytes, content.size, content.size);
    assert_int_equal(kvm_image_open(&image, path), 0);
    assert_int_equal(kvm_kernel_read(&image, KVM_PROCESSOR_ARM64, &formats[ARM64].room, &kernel), 0);
    assert_non_null(strstr(logged, "pages of more than 4 KiB"));
    kvm_image_close(&image);
    remove_file(path);
}

/* --- a Linux as a whole, for this machine's processor --- */

#ifdef __x86_64__
#define OUR_FORMAT BZIMAGE
#define NOT_FREE START /* below the kernel */
#else
#define OUR_FORMAT ARM64
#define NOT_FREE 65536 /* the device tree */
#endif

#define RAM (64 * MIB)

static char kernel_path[32];

static int set_up_kernel(void **state)
{
    struct content content;

    formats[OUR_FORMAT].make(&content);
    make_file(kernel_path, content.bytes, content.size, content.size);
    return set_up(state);
}

static int tear_down_kernel(void **state)
{
    remove_file(kernel_path);
    return tear_down(state);
}

static void assert_check(const kvm_linux_t *linux_image, int result, const char *sentence)
{
    lines_logged = 0;
    assert_int_equal(kvm_linux_check(linux_image, RAM), result);
    assert_int_equal(lines_logged, result ? 1 : 0);
    if (result && !strstr(logged, sentence))
        fail_msg("\"%s\" is logged, without \"%s\"", logged, sentence);
}

/* Each of them as a kernel and as an initramfs. No one may be waited for: a FIFO that nobody writes is among them. */
static void only_regular_files_are_taken(void **state)
{
    char folder[] = "/tmp/test-kernel-XXXXXX";
    char fifo[64], missing[64], empty[32];
    const struct {
        const char *path, *sentence;
    } cases[] = {
        {fifo, ": it is a FIFO; give a regular file"},
        {folder, ": it is a directory; give a regular file"},
        {"/dev/zero", ": it is a device; give a regular file"},
        {missing, ": cannot open it: No such file or directory"},
        {empty, ": it is empty"},
    };

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    (void)snprintf(missing, sizeof(missing), "%s/missing", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    make_file(empty, "", 0, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_check(&(kvm_linux_t){.kernel = cases[i].path}, -EIO, cases[i].sentence);
        assert_memory_equal(logged, cases[i].path, strlen(cases[i].path));
        assert_check(&(kvm_linux_t){.kernel = kernel_path, .initramfs = cases[i].path}, -EIO, cases[i].sentence);
        assert_memory_equal(logged, cases[i].path, strlen(cases[i].path));
    }
    remove_file(empty);
    (void)unlink(fifo);
    (void)rmdir(folder);
}

static void an_initramfs_must_fit_beside_the_kernel(void **state)
{
    size_t most = RAM - formats[OUR_FORMAT].segment.size - NOT_FREE;
    char path[32];

    (void)state;
    make_file(path, "x", 1, most);
    assert_check(&(kvm_linux_t){.kernel = kernel_path, .initramfs = path}, 0, NULL);
    remove_file(path);
    make_file(path, "x", 1, most + 1);
    assert_check(&(kvm_linux_t){.kernel = kernel_path, .initramfs = path}, -EIO,
                 " KiB beside the kernel; give the VM more memory");
    remove_file(path);
    make_file(path, "x", 1, (size_t)1 << 40);
    assert_check(&(kvm_linux_t){.kernel = kernel_path, .initramfs = path}, -EIO,
                 ": it has 1073741824 KiB, and the VM has room for ");
    remove_file(path);
}

static void a_command_line_has_a_limit(void **state)
{
    char command_line[KVM_COMMAND_LINE_MAX + 2] = "";

    (void)state;
    memset(command_line, 'a', KVM_COMMAND_LINE_MAX);
    assert_check(&(kvm_linux_t){.kernel = kernel_path, .command_line = command_line}, 0, NULL);
    command_line[KVM_COMMAND_LINE_MAX] = 'a';
    assert_check(&(kvm_linux_t){.kernel = kernel_path, .command_line = command_line}, -EIO,
                 "the kernel's command line has 2048 bytes, and the kernel takes at most 2047");
}

static void a_linux_needs_a_kernel_and_memory(void **state)
{
    kvm_linux_t linux_image = {.kernel = kernel_path};

    (void)state;
    assert_check(&(kvm_linux_t){.kernel = NULL}, -EIO, "no kernel is named");
    lines_logged = 0;
    assert_int_equal(kvm_linux_check(&linux_image, MIB), -EINVAL);
    assert_int_equal(lines_logged, 1);
    assert_memory_equal(logged, "a VM with 1024 KiB of memory cannot boot: ", 42);
}

/* --- loading it --- */

static void start_vm(void **state)
{
    assert_int_equal(create_vm(state), 0);
    kvm_log_set_sink(keep_line, NULL);
}

static void read_ram(uintptr_t address, void *bytes, size_t size)
{
    uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++)
        assert_int_equal(vm_ram_touch(&vm, address + i, 1, vm_guest_ram_read_callback, at + i), 0);
}

/* What the kernel is told: setup header, initramfs and command line. On arm64 they are in the device tree, which has a
 * test of its own. */
static void assert_parameters(void)
{
#ifdef __x86_64__
    const uint32_t initramfs[] = {RAM - 8192, 5000};
    uint8_t read[8];

    read_ram(0x7000 + 0x202, read, 4);
    assert_memory_equal(read, "HdrS", 4);
    read_ram(0x7000 + 0x218, read, 8);
    assert_memory_equal(read, initramfs, sizeof(initramfs));
    read_ram(RAM - 8192, read, 4);
    assert_memory_equal(read, "data", 4);
    read_ram(0x20000, read, 6);
    assert_string_equal((const char *)read, "quiet");
#endif
}

static void what_is_in_the_files_is_in_ram(void **state)
{
    const struct kvm_segment *segment = &formats[OUR_FORMAT].segment;
    struct content content;
    uint8_t loaded[FILE_BYTES];
    char kernel[32], initramfs[32];
    kvm_linux_t linux_image = {.kernel = kernel, .initramfs = initramfs, .command_line = "quiet"};

    start_vm(state);
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE, RAM, false), 0);
    formats[OUR_FORMAT].make(&content);
    content.bytes[segment->offset + segment->file_size - 1] = 0xa5;
    make_file(kernel, content.bytes, content.size, content.size);
    make_file(initramfs, "data", 4, 5000);
    memset(loaded, 0xff, sizeof(loaded));
    assert_int_equal(vm_ram_touch(&vm, segment->address + segment->file_size, 16, vm_guest_ram_write_callback, loaded),
                     0);
    assert_int_equal(kvm_boot_linux(&vm, &linux_image), 0);
    assert_int_equal(vm.entry, formats[OUR_FORMAT].entry);
    read_ram(segment->address, loaded, segment->file_size + 16);
    assert_memory_equal(loaded, content.bytes + segment->offset, segment->file_size);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(loaded[segment->file_size + i], 0);
    assert_parameters();
    remove_file(kernel);
    remove_file(initramfs);
    destroy_vm(state);
}

static void ram_must_be_of_one_piece(void **state)
{
    kvm_linux_t linux_image = {.kernel = kernel_path};

    start_vm(state);
    assert_int_equal(kvm_boot_linux(&vm, &linux_image), -EINVAL);
    assert_non_null(strstr(logged, "it has no RAM"));
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE, RAM / 2, false), 0);
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE + RAM / 2, RAM / 2, false), 0);
    assert_int_equal(vm.mem.num_ram_regions, 1);
    assert_int_equal(kvm_boot_linux(&vm, &linux_image), -EINVAL);
    assert_non_null(strstr(logged, "is not of one piece"));
    destroy_vm(state);
}

#define KERNEL_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_kernel, tear_down_kernel)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGGED_TEST(whole_kernels_are_taken),
        LOGGED_TEST(kernels_that_are_cut_short_are_refused),
        LOGGED_TEST(what_is_no_kernel_is_refused_alike),
        LOGGED_TEST(kernels_for_the_other_processor_are_named_as_such),
        LOGGED_TEST(headers_that_contradict_the_file_are_refused),
        LOGGED_TEST(an_image_of_large_pages_is_taken_with_a_warning),
        KERNEL_TEST(only_regular_files_are_taken),
        KERNEL_TEST(an_initramfs_must_fit_beside_the_kernel),
        KERNEL_TEST(a_command_line_has_a_limit),
        KERNEL_TEST(a_linux_needs_a_kernel_and_memory),
        LOGGED_TEST(what_is_in_the_files_is_in_ram),
        KERNEL_TEST(ram_must_be_of_one_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
