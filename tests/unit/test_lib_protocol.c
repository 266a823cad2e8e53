/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrossvm on the host: a VM's process that breaks the protocol gets an error code out of it, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* --- after opening --- */

static void wrong_driver_messages_are_ignored(void **state)
{
    const struct crossvm_wire_driver good = {
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}, CROSSVM_DRIVER_NONE, 0};
    struct crossvm_wire_driver magic = good, version = good, type = good;
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;
    size_t held;
    int extra;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    extra = eventfd(0, EFD_CLOEXEC);
    held = lib_fixture_count_held();
    magic.header.magic = 0;
    version.header.version++;
    type.header.type = CROSSVM_WIRE_INFO;
    fake_vm_send(vm, &magic, sizeof(magic), -1);
    fake_vm_send(vm, &version, sizeof(version), -1);
    fake_vm_send(vm, &type, sizeof(type), -1);
    fake_vm_send(vm, &good, sizeof(good) - 1, -1);
    fake_vm_send(vm, &good, 1, -1);
    fake_vm_send(vm, &type, sizeof(type), extra);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(20)), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT);

    /* A good one counts, and the descriptor that came along is not kept. */
    fake_vm_send(vm, &good, sizeof(good), extra);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    assert_int_equal(lib_fixture_count_held(), held);
    close(extra);
    crossvm_close(end);
}

static void flood_of_messages_does_not_prolong_a_wait(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    for (int i = 0; i < 100; i++)
        fake_vm_send_driver(vm, CROSSVM_DRIVER_BOUND);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    fake_vm_emit(vm, 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    crossvm_close(end);
}

/* A wait whose time is over takes one lot of news and leaves the rest: a hub that tells the same without end would else
 * keep it. */
static void the_same_news_again_do_not_prolong_a_wait(void **state)
{
    struct crossvm_wire_driver same = {.header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}};
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;
    int waiting = 0; /* bytes in the socket */

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    same.driver_state = vm->reply.driver_state;
    same.generation = vm->reply.generation;
    for (int i = 0; i < 100; i++)
        fake_vm_send(vm, &same, sizeof(same), -1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(ioctl(vm->owner, SIOCOUTQ, &waiting), 0);
    assert_true(waiting > 0);
    crossvm_close(end);
}

/* A program that had the end before, and took a count after it polled readable. */
static int rival = -1; /* the eventfd */

/* A VM that has another message whenever the library looks, as long as it does not look too often. */
static struct fake_vm *flooding;
static unsigned int looks;

#define MOST_LOOKS 20000000u /* more than fit into the time that a reply is waited for, on any machine */

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

static void flood(void)
{
    static const struct crossvm_wire_driver message = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}};

    if (__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) < MOST_LOOKS)
        (void)send(__atomic_load_n(&flooding->owner, __ATOMIC_RELAXED), &message, sizeof(message),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    eventfd_t count;
    int ready;

    if (flooding)
        flood();
    ready = __real_poll(fds, n, timeout);

    if (rival >= 0)
        (void)eventfd_read(rival, &count);
    rival = -1;
    return ready;
}

static void a_count_that_another_took_is_not_waited_for(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    fake_vm_emit(vm, 1);
    rival = vm->fds[0]; /* which waits */
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(rival, -1);
    crossvm_close(end);
}

/* A descriptor without file type passes for an eventfd until it is read. */
static void epoll_for_events(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    int epoll = epoll_create1(EPOLL_CLOEXEC), readable = eventfd(1, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    crossvm_end_t *end;

    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, readable, &event), 0);
    fake_vm_replace_fd(vm, 0, epoll);
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPROTO);
    crossvm_close(end);
    close(readable);
}

static void epoll_for_signals(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_replace_fd(vm, 1, epoll_create1(EPOLL_CLOEXEC));
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_emit(end), -EIO);
    crossvm_close(end);
}

static void silent_vm_is_given_up(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->manner = FAKE_VM_IS_SILENT;
    fake_vm_start(vm);
    assert_int_equal(crossvm_open(&end, "alpha"), -ETIMEDOUT);
    assert_null(end);
    assert_non_null(strstr(crossvm_strerror(), "does not answer"));
}

static void vm_that_floods_is_given_up(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->manner = FAKE_VM_IS_SILENT;
    fake_vm_start(vm);
    looks = 0;
    flooding = vm;
    assert_int_equal(crossvm_open(&end, "alpha"), -ETIMEDOUT);
    flooding = NULL;
    assert_in_range(looks, 2, MOST_LOOKS - 1);
}

/* --- names and paths --- */

static void malformed_names(void **state)
{
    static const char *const names[] = {
        "", ".", "..", "a b", "a\n", "\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123",
    };
    crossvm_end_t *end;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(crossvm_open(&end, names[i]), -EINVAL);
        assert_null(end);
    }
    assert_int_equal(crossvm_open(&end, NULL), -EINVAL);
    assert_int_equal(crossvm_open(NULL, "alpha"), -EINVAL);
}

static void longest_name(void **state)
{
    char name[CROSSVM_FULL_NAME_BYTES];
    struct fake_vm vm;
    crossvm_end_t *end;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fake_vm_init(&vm, lib_fixture_directory(state), name);
    fake_vm_start(&vm);
    assert_int_equal(crossvm_open(&end, name), 0);
    assert_string_equal(crossvm_name(end), name);
    crossvm_close(end);
    fake_vm_free(&vm);
}

static void no_such_connection(void **state)
{
    crossvm_end_t *end;

    assert_int_equal(crossvm_open(&end, "beta"), -ENOENT);
    assert_null(end);
    assert_non_null(strstr(crossvm_strerror(), "no connection \"beta\""));
    assert_non_null(strstr(crossvm_strerror(), lib_fixture_directory(state)));
    assert_non_null(strstr(crossvm_strerror(), "`crossvm ls`"));

    assert_int_equal(crossvm_open(&end, "/no/such/file"), -ENOENT);
    assert_int_equal(crossvm_open(&end, "/dev/null"), -EINVAL);
    assert_int_equal(crossvm_open(&end, "/"), -EINVAL);
}

static void socket_that_nobody_listens_at(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_start(vm);
    fake_vm_die(vm);
    assert_int_equal(crossvm_open(&end, "alpha"), -ECONNREFUSED);
    assert_non_null(strstr(crossvm_strerror(), "has ended"));
    assert_int_equal(crossvm_open(&end, vm->path), -ECONNREFUSED);
}

static void socket_of_another_kind(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    crossvm_end_t *end;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/stream.sock", lib_fixture_directory(state));
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(crossvm_open(&end, "stream"), -EPROTO);
    assert_int_equal(unlink(address.sun_path), 0);
    close(listener);
}

/* An address of a socket holds 107 bytes; paths may be longer. */
static void directory_with_a_long_path(void **state)
{
    char directory[256];
    struct fake_vm vm;
    crossvm_end_t *end;

    snprintf(directory, sizeof(directory), "%s/%0100d", lib_fixture_directory(state), 7);
    assert_int_equal(mkdir(directory, 0700), 0);
    assert_int_equal(setenv("CROSSVM_DIR", directory, 1), 0);
    fake_vm_init(&vm, directory, "gamma");
    fake_vm_start(&vm);
    assert_int_equal(crossvm_open(&end, "gamma"), 0);
    crossvm_close(end);
    assert_int_equal(crossvm_open(&end, vm.path), 0);
    crossvm_close(end);
    fake_vm_free(&vm);
    assert_int_equal(crossvm_open(&end, "gamma"), -ENOENT);
    assert_int_equal(rmdir(directory), 0);
}

/* sentence has room for 512 bytes. */
static void *open_missing(void *sentence)
{
    crossvm_end_t *end;

    if (crossvm_open(&end, "of-the-thread") == -ENOENT)
        snprintf(sentence, 512, "%s", crossvm_strerror());
    return NULL;
}

static void sentences_are_per_thread(void **state)
{
    char sentence[512] = "";
    pthread_t thread;
    crossvm_end_t *end;

    (void)state;
    assert_int_equal(crossvm_open(&end, "of-main"), -ENOENT);
    assert_int_equal(pthread_create(&thread, NULL, open_missing, sentence), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(strstr(sentence, "of-the-thread"));
    assert_non_null(strstr(crossvm_strerror(), "of-main"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case_unserved(wrong_replies_are_refused),
        lib_case_unserved(longer_reply_is_understood),
        lib_case_unserved(all_in_one_memfd),
        lib_case_unserved(driver_message_before_the_reply),
        lib_case_unserved(larger_memory_than_needed),
        lib_case_unserved(events_only),
        lib_case_unserved(name_of_the_vm_is_cleaned),
        lib_case_unserved(wrong_driver_messages_are_ignored),
        lib_case_unserved(flood_of_messages_does_not_prolong_a_wait),
        lib_case_unserved(the_same_news_again_do_not_prolong_a_wait),
        lib_case_unserved(a_count_that_another_took_is_not_waited_for),
        lib_case_unserved(epoll_for_events),
        lib_case_unserved(epoll_for_signals),
        lib_case_unserved(silent_vm_is_given_up),
        lib_case_unserved(vm_that_floods_is_given_up),
        lib_case_unserved(malformed_names),
        lib_case_unserved(longest_name),
        lib_case_unserved(no_such_connection),
        lib_case_unserved(socket_that_nobody_listens_at),
        lib_case_unserved(socket_of_another_kind),
        lib_case_unserved(directory_with_a_long_path),
        lib_case_unserved(sentences_are_per_thread),
    };

    return cmocka_run_group_tests_name("libcrossvm: protocol", tests, NULL, NULL);
}
