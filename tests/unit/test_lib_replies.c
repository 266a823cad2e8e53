/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrossvm on the host: a VM's process whose reply is wrong gets an error code out of it, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

#define PAGE CROSSVM_PAGE_SIZE

/* --- replies that are wrong: one bend of an honest VM each --- */

static void bend_magic(struct fake_vm *vm)
{
    vm->reply.header.magic ^= 1;
}

static void bend_version(struct fake_vm *vm)
{
    vm->reply.header.version++;
}

static void bend_type(struct fake_vm *vm)
{
    vm->reply.header.type = CROSSVM_WIRE_INFO;
}

static void cut_to_a_byte(struct fake_vm *vm)
{
    vm->reply_bytes = 1;
}

static void cut_to_the_header(struct fake_vm *vm)
{
    vm->reply_bytes = sizeof(vm->reply.header);
}

static void cut_by_a_byte(struct fake_vm *vm)
{
    vm->reply_bytes--;
}

static void name_with_a_slash(struct fake_vm *vm)
{
    strcpy(vm->reply.name, "../alpha");
}

static void name_without_end(struct fake_vm *vm)
{
    memset(vm->reply.name, '/', sizeof(vm->reply.name));
}

static void no_name(struct fake_vm *vm)
{
    vm->reply.name[0] = '\0';
}

/* Adds descriptors until there are n. */
static void pad_descriptors(struct fake_vm *vm, size_t n)
{
    while (vm->num_fds < n)
        vm->fds[vm->num_fds++] = eventfd(0, EFD_CLOEXEC);
}

/* What follows the last entry looks like one more, and there is a descriptor for it. */
static void too_many_dataports(struct fake_vm *vm)
{
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        vm->reply.dataports[i] = (struct crossvm_wire_dataport){.size = PAGE, .rights = CROSSVM_RIGHT_READ};
    memcpy(&vm->reply.vm_exits, &vm->reply.dataports[0], sizeof(vm->reply.dataports[0]));
    vm->reply.num_dataports = CROSSVM_MAX_DATAPORTS + 1;
    while (vm->num_fds < CROSSVM_WIRE_FIXED_FDS + CROSSVM_MAX_DATAPORTS + 1)
        vm->fds[vm->num_fds++] = fake_vm_memfd(PAGE, F_SEAL_SHRINK);
}

static void absurdly_many_dataports(struct fake_vm *vm)
{
    vm->reply.num_dataports = UINT32_MAX;
}

static void third_end(struct fake_vm *vm)
{
    vm->reply.peer_end = 2;
}

static void size_of_nothing(struct fake_vm *vm)
{
    vm->reply.dataports[1].size = 0;
}

static void size_of_no_page(struct fake_vm *vm)
{
    vm->reply.dataports[0].size = PAGE + 1;
}

static void size_beyond_the_memory(struct fake_vm *vm)
{
    vm->reply.dataports[0].size += PAGE;
}

static void size_beyond_everything(struct fake_vm *vm)
{
    vm->reply.dataports[0].size = UINT64_MAX - PAGE + 1;
}

static void offset_in_a_page(struct fake_vm *vm)
{
    vm->reply.dataports[0].offset = 8;
}

static void offset_beyond_the_memory(struct fake_vm *vm)
{
    vm->reply.dataports[1].offset = PAGE;
}

static void offset_beyond_everything(struct fake_vm *vm)
{
    vm->reply.dataports[0].offset = UINT64_MAX - PAGE + 1;
}

static void peer_page_in_a_page(struct fake_vm *vm)
{
    vm->reply.peer_page_offset = 8;
}

static void peer_page_beyond_the_memory(struct fake_vm *vm)
{
    vm->reply.peer_page_offset = PAGE;
}

static void peer_page_beyond_everything(struct fake_vm *vm)
{
    vm->reply.peer_page_offset = UINT64_MAX - PAGE + 1;
}

static void no_rights(struct fake_vm *vm)
{
    vm->reply.dataports[0].rights = 0;
}

static void write_only(struct fake_vm *vm)
{
    vm->reply.dataports[0].rights = CROSSVM_RIGHT_WRITE;
}

static void unknown_rights(struct fake_vm *vm)
{
    vm->reply.dataports[0].rights = 0x80000003;
}

static void more_rights_than_the_descriptor(struct fake_vm *vm)
{
    vm->reply.dataports[1].rights |= CROSSVM_RIGHT_WRITE;
}

static void no_descriptors(struct fake_vm *vm)
{
    vm->num_fds = 0;
}

static void one_descriptor_less(struct fake_vm *vm)
{
    vm->num_fds--;
}

static void one_descriptor_more(struct fake_vm *vm)
{
    pad_descriptors(vm, vm->num_fds + 1);
}

static void all_descriptors_and_one(struct fake_vm *vm)
{
    pad_descriptors(vm, CROSSVM_WIRE_MAX_FDS + 1);
}

static void far_too_many_descriptors(struct fake_vm *vm)
{
    pad_descriptors(vm, 16);
}

static void unsealed_dataport(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 3, fake_vm_memfd(0x10000, 0));
}

static void unsealed_peer_page(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 2, fake_vm_memfd(PAGE, F_SEAL_GROW));
}

static void empty_peer_page(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 2, fake_vm_memfd(0, F_SEAL_SHRINK));
}

static void small_dataport(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 4, fake_vm_memfd(PAGE, F_SEAL_SHRINK));
}

static void file_as_dataport(struct fake_vm *vm)
{
    char name[] = "/tmp/crossvm-test-file-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(ftruncate(fd, 0x10000), 0);
    fake_vm_replace_fd(vm, 3, fd);
}

static void pipe_for_events(struct fake_vm *vm)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fake_vm_replace_fd(vm, 0, ends[0]);
    close(ends[1]);
}

static void memory_for_signals(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 1, fake_vm_memfd(PAGE, 0));
}

static void eventfd_as_dataport(struct fake_vm *vm)
{
    fake_vm_replace_fd(vm, 3, eventfd(0, EFD_CLOEXEC));
}

static void impossible_status(struct fake_vm *vm)
{
    vm->reply.status = UINT32_MAX;
}

static void refusal_with_descriptors(struct fake_vm *vm)
{
    vm->reply.status = EBUSY;
}

static void other_refusal(struct fake_vm *vm)
{
    vm->reply.status = EPERM;
}

static void hang_up(struct fake_vm *vm)
{
    vm->manner = FAKE_VM_HANGS_UP;
}

static void wrong_replies_are_refused(void **state)
{
    static const struct {
        const char *what;
        void (*bend)(struct fake_vm *vm);
        int error;
    } table[] = {
        {"magic", bend_magic, EPROTO},
        {"version", bend_version, EPROTO},
        {"type", bend_type, EPROTO},
        {"a byte", cut_to_a_byte, EPROTO},
        {"a header", cut_to_the_header, EPROTO},
        {"a byte less", cut_by_a_byte, EPROTO},
        {"name with a slash", name_with_a_slash, EPROTO},
        {"name without end", name_without_end, EPROTO},
        {"no name", no_name, EPROTO},
        {"too many dataports", too_many_dataports, EPROTO},
        {"absurdly many dataports", absurdly_many_dataports, EPROTO},
        {"third end", third_end, EPROTO},
        {"size of nothing", size_of_nothing, EPROTO},
        {"size of no page", size_of_no_page, EPROTO},
        {"size beyond the memory", size_beyond_the_memory, EPROTO},
        {"size beyond everything", size_beyond_everything, EPROTO},
        {"offset in a page", offset_in_a_page, EPROTO},
        {"offset beyond the memory", offset_beyond_the_memory, EPROTO},
        {"offset beyond everything", offset_beyond_everything, EPROTO},
        {"peer page in a page", peer_page_in_a_page, EPROTO},
        {"peer page beyond the memory", peer_page_beyond_the_memory, EPROTO},
        {"peer page beyond everything", peer_page_beyond_everything, EPROTO},
        {"no rights", no_rights, EPROTO},
        {"write only", write_only, EPROTO},
        {"unknown rights", unknown_rights, EPROTO},
        {"more rights than the descriptor", more_rights_than_the_descriptor, EPROTO},
        {"no descriptors", no_descriptors, EPROTO},
        {"one descriptor less", one_descriptor_less, EPROTO},
        {"one descriptor more", one_descriptor_more, EPROTO},
        {"all descriptors and one", all_descriptors_and_one, EPROTO},
        {"far too many descriptors", far_too_many_descriptors, EPROTO},
        {"unsealed dataport", unsealed_dataport, EPROTO},
        {"unsealed peer page", unsealed_peer_page, EPROTO},
        {"empty peer page", empty_peer_page, EPROTO},
        {"small dataport", small_dataport, EPROTO},
        {"file as dataport", file_as_dataport, EPROTO},
        {"pipe for events", pipe_for_events, EPROTO},
        {"memory for signals", memory_for_signals, EPROTO},
        {"eventfd as dataport", eventfd_as_dataport, EPROTO},
        {"impossible status", impossible_status, EPROTO},
        {"refusal with descriptors", refusal_with_descriptors, EBUSY},
        {"other refusal", other_refusal, EPERM},
        {"hang-up", hang_up, ECONNRESET},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        crossvm_end_t *end = (crossvm_end_t *)state;
        struct fake_vm vm;
        size_t held;
        int error;

        fake_vm_init(&vm, lib_fixture_directory(state), "alpha");
        table[i].bend(&vm);
        fake_vm_start(&vm);
        held = lib_fixture_count_held();
        error = crossvm_open(&end, "alpha");
        if (error != -table[i].error || end)
            fail_msg("%s: crossvm_open() gave %d: %s", table[i].what, error, crossvm_strerror());
        assert_non_null(strstr(crossvm_strerror(), "alpha"));
        if (vm.reply.num_dataports > CROSSVM_MAX_DATAPORTS) /* found by their number, and not by what lies behind */
            assert_non_null(strstr(crossvm_strerror(), "too many dataports"));
        fake_vm_die(&vm);
        /* The VM held one descriptor more while it had an owner, and two for listening and stopping. */
        if (lib_fixture_count_held() != held - 2)
            fail_msg("%s: something was left open", table[i].what);
        fake_vm_free(&vm);
    }
}

/* --- odd, but allowed --- */

static void longer_reply_is_understood(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);

    vm->reply_bytes += 8;
    fake_vm_start(vm);
    crossvm_close(lib_fixture_open(state));
}

/* The memory of all that a connection has may lie in one memfd. */
static void all_in_one_memfd(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    int memfd = fake_vm_memfd(0x20000, F_SEAL_SHRINK);
    uint8_t *memory = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    crossvm_end_t *end;

    assert_true(memory != MAP_FAILED);
    fake_vm_replace_fd(vm, 2, fcntl(memfd, F_DUPFD_CLOEXEC, 0));
    fake_vm_replace_fd(vm, 3, fcntl(memfd, F_DUPFD_CLOEXEC, 0));
    fake_vm_replace_fd(vm, 4, memfd);
    vm->reply.peer_page_offset = 0x3000;
    vm->reply.dataports[0].offset = 0x8000;
    vm->reply.dataports[1].offset = 0x1e000;
    vm->reply.dataports[1].rights |= CROSSVM_RIGHT_WRITE;
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(memory[0x3000], 1);
    ((uint8_t *)crossvm_dataport(end, 0).address)[0xffff] = 2;
    ((uint8_t *)crossvm_dataport(end, 1).address)[0x1fff] = 3;
    assert_int_equal(memory[0x17fff], 2);
    assert_int_equal(memory[0x1ffff], 3);
    crossvm_close(end);
    munmap(memory, 0x20000);
}

static void driver_message_before_the_reply(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;
    size_t held;

    vm->send_driver_first = true;
    fake_vm_start(vm);
    held = lib_fixture_count_held();
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT); /* as the later reply says */
    crossvm_close(end);
    assert_int_equal(lib_fixture_count_held(),
                     held + 1); /* the VM's socket of its owner, and nothing that came along */
}

static void larger_memory_than_needed(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->reply.dataports[0].size = PAGE;
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_dataport(end, 0).size, PAGE);
    crossvm_close(end);
}

static void as_many_dataports_as_there_can_be(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        vm->reply.dataports[i] = (struct crossvm_wire_dataport){.size = PAGE, .rights = CROSSVM_RIGHT_READ};
    vm->reply.num_dataports = CROSSVM_MAX_DATAPORTS;
    while (vm->num_fds < CROSSVM_WIRE_FIXED_FDS + CROSSVM_MAX_DATAPORTS)
        vm->fds[vm->num_fds++] = fake_vm_memfd(PAGE, F_SEAL_SHRINK);
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_num_dataports(end), CROSSVM_MAX_DATAPORTS);
    assert_non_null(crossvm_dataport(end, CROSSVM_MAX_DATAPORTS - 1).address);
    assert_null(crossvm_dataport(end, CROSSVM_MAX_DATAPORTS).address);
    crossvm_close(end);
}

static void events_only(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->reply.num_dataports = 0;
    vm->num_fds = CROSSVM_WIRE_FIXED_FDS;
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_num_dataports(end), 0);
    assert_null(crossvm_dataport(end, 0).address);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(vm->peer_page[0], 1);
    crossvm_close(end);
}

/* Control characters of a VM's name must not reach a terminal. */
static void name_of_the_vm_is_cleaned(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_info_t info;
    crossvm_end_t *end;

    memset(vm->reply.vm, '\033', sizeof(vm->reply.vm));
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
    assert_int_equal(strlen(info.location), sizeof(vm->reply.vm) - 1);
    assert_int_equal(strspn(info.location, "?"), sizeof(vm->reply.vm) - 1);
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case_unserved(wrong_replies_are_refused),
        lib_case_unserved(longer_reply_is_understood),
        lib_case_unserved(all_in_one_memfd),
        lib_case_unserved(driver_message_before_the_reply),
        lib_case_unserved(larger_memory_than_needed),
        lib_case_unserved(as_many_dataports_as_there_can_be),
        lib_case_unserved(events_only),
        lib_case_unserved(name_of_the_vm_is_cleaned),
    };

    return cmocka_run_group_tests_name("libcrossvm: replies", tests, NULL, NULL);
}
