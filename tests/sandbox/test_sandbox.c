/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each part of src/sandbox in a process of its own: what it forbids is tried, and so is what it must leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/sandbox/filter.h"
#include "../../src/sandbox/libc_calls.h"
#include "../../src/sandbox/limits.h"
#include "../../src/sandbox/lock_down.h"
#include "../run/topology_file.h"

#define WELL 42

static char said[1024]; /* what the last process printed on standard error */

/* Runs a function in a process. Its exit status, or 128 and the signal that ended it. */
static int in_process(void (*run)(void))
{
    int ends[2], status;
    size_t used = 0;
    ssize_t n;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        run();
        _exit(WELL);
    }
    close(ends[1]);
    while ((n = read(ends[0], said + used, sizeof(said) - 1 - used)) > 0)
        used += (size_t)n;
    said[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* In such a process: it ends with another status than WELL, which says where. */
#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(STDERR_FILENO, "line %d: " #condition ": %s\n", __LINE__, strerror(errno));                        \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

#define ASSERT_WELL(run)                                                                                               \
    do {                                                                                                               \
        int status_ = in_process(run);                                                                                 \
        if (status_ != WELL)                                                                                           \
            fail_msg("status %d: %s", status_, said);                                                                  \
    } while (0)

/* --- system calls --- */

static const struct filter_rule some_calls[] = {
    FILTER_CALL_WITH(ioctl, 1, FIONREAD),
    FILTER_CALL(ppoll),
    FILTER_CALL(poll),
};

/* Confines the process to these calls and libc's, and if wanted to those for threads. */
static void enter_filter(bool threads)
{
    const struct filter_list lists[] = {FILTER_LIST(some_calls), libc_calls(), libc_thread_calls()};
    struct filter filter;

    REQUIRE(filter_make(&filter, "of this test", lists, threads ? 3 : 2) == 0);
    REQUIRE(lock_down(&(struct lock_down){.isolated = false}) == 0);
    REQUIRE(filter_enter(&filter) == 0);
    filter_free(&filter);
}

static void listed_calls(void)
{
    struct pollfd none = {.fd = -1};
    int bytes = -1, fds[2];

    REQUIRE(pipe(fds) == 0 && write(fds[1], "abc", 3) == 3);
    enter_filter(false);
    REQUIRE(ioctl(fds[0], FIONREAD, &bytes) == 0 && bytes == 3);
    REQUIRE(poll(&none, 1, 0) == 0);
    for (size_t size = 1; size < (size_t)64 << 20; size *= 2) {
        char *memory = malloc(size);

        REQUIRE(memory != NULL);
        memory[size - 1] = 1;
        memory = realloc(memory, 2 * size);
        REQUIRE(memory != NULL && memory[size - 1] == 1);
        free(memory);
    }
}

/* Bytes of the heap that are free when a filter is made; no more can be had. */
static size_t room;

/* Takes all memory but the room. */
static void take_memory(void)
{
    const struct rlimit none = {0, 0};
    struct block {
        struct block *before;
        char rest[496];
    } *last = NULL, *next;

    REQUIRE(setrlimit(RLIMIT_AS, &none) == 0);
    while ((next = malloc(sizeof(*next)))) {
        next->before = last;
        last = next;
    }
    for (size_t left = 0; left < room && last; left += sizeof(*last)) {
        next = last->before;
        free(last);
        last = next;
    }
}

/* Ends with a status of its own if the filter could be made. */
static void make_filter_in_room(void)
{
    const struct filter_list lists[] = {FILTER_LIST(some_calls), libc_calls(), libc_thread_calls()};
    struct filter expected, filter;

    /* The heap is larger than the room, to begin with. */
    REQUIRE(mallopt(M_TOP_PAD, 1 << 20) && mallopt(M_TRIM_THRESHOLD, 4 << 20));
    REQUIRE(malloc((size_t)100 << 10) && malloc((size_t)100 << 10));
    REQUIRE(filter_make(&expected, "of this test", lists, 3) == 0);
    take_memory();
    if (filter_make(&filter, "of this test", lists, 3))
        return;
    REQUIRE(filter.num_instructions == expected.num_instructions);
    REQUIRE(memcmp(filter.program, expected.program, filter.num_instructions * sizeof(*filter.program)) == 0);
    _exit(WELL + 1);
}

/* With little memory there is the whole filter, or none and a message. */
static void a_filter_is_whole(void **state)
{
    int made = 0, refused = 0;

    (void)state;
    for (room = 0; room < (size_t)256 << 10; room += 2048) {
        int status = in_process(make_filter_in_room);

        made += status == WELL + 1;
        refused += status == WELL;
        if (status != WELL + 1 && (status != WELL || !strstr(said, "too little memory")))
            fail_msg("with %zu bytes: status %d: %s", room, status, said);
    }
    assert_true(made > 0 && refused > 0);
}

static void what_is_on_the_list_works(void **state)
{
    (void)state;
    ASSERT_WELL(listed_calls);
}

static void free_what_is_not_the_heaps(void)
{
    static char memory[64];
    char *volatile pointer = memory + 16; /* the compiler cannot tell */

    enter_filter(false);
    free(pointer);
}

/* What it says helps whoever looks for the fault. */
static void the_c_library_can_complain(void **state)
{
    (void)state;
    assert_int_equal(in_process(free_what_is_not_the_heaps), 128 + SIGABRT);
    assert_non_null(strstr(said, "free(): invalid pointer"));
}

static void open_a_file(void)
{
    enter_filter(false);
    (void)open("/", O_RDONLY);
}

/* Confines the process to calls of libc, and to files that are there for reading. */
static void enter_reading_filter(void)
{
    static const struct filter_rule open_to_read[] = {FILTER_OPEN_TO_READ};
    const struct filter_list lists[] = {FILTER_LIST(open_to_read), libc_calls()};
    const struct landlock_folder all = {"/", LANDLOCK_READ};
    struct filter filter;

    REQUIRE(filter_make(&filter, "of this test", lists, 2) == 0);
    REQUIRE(lock_down(&(struct lock_down){.folders = &all, .num_folders = 1}) == 0);
    REQUIRE(filter_enter(&filter) == 0);
}

static void open_to_read(void)
{
    enter_reading_filter();
    REQUIRE(open("/dev/null", O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0);
    REQUIRE(open("/", O_RDONLY | O_DIRECTORY) >= 0);
}

static void what_is_there_can_be_read(void **state)
{
    (void)state;
    ASSERT_WELL(open_to_read);
}

static void open_to_write(void)
{
    enter_reading_filter();
    (void)open("/dev/null", O_WRONLY);
}

static void make_a_file(void)
{
    enter_reading_filter();
    (void)open("/dev/null", O_RDONLY | O_CREAT, 0600);
}

/* Linux empties a file that is opened for reading, too. */
static void empty_a_file(void)
{
    enter_reading_filter();
    (void)open("/dev/null", O_RDONLY | O_TRUNC);
}

static void make_another_ioctl(void)
{
    enter_filter(false);
    (void)ioctl(STDERR_FILENO, FIONBIO, 0);
}

static void run_a_program(void)
{
    enter_filter(true);
    (void)execl("/bin/true", "true", NULL);
}

static void start_a_process(void)
{
    enter_filter(true);
    (void)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL); /* fork() may block the signal meanwhile */
}

static void signal_another_process(void)
{
    pid_t other = getppid();

    enter_filter(false);
    (void)syscall(SYS_tgkill, other, other, 0);
}

static void write_code(void)
{
    enter_filter(false);
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_code_of_data(void)
{
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    enter_filter(false);
    (void)mprotect(data, 4096, PROT_READ | PROT_EXEC);
}

static void change_the_handler(void)
{
    enter_filter(false);
    (void)signal(SIGSYS, SIG_IGN);
}

/* Starting threads takes one signal's handler, and no other. */
static void change_the_handler_beside_threads(void)
{
    enter_filter(true);
    (void)signal(SIGSYS, SIG_IGN);
}

static void what_is_not_ends_the_process(void **state)
{
    static const struct {
        void (*run)(void);
        const char *call;
    } cases[] = {
        {open_a_file, "openat"},
        {open_to_write, "openat"},
        {make_a_file, "openat"},
        {empty_a_file, "openat"},
        {make_another_ioctl, "ioctl"},
        {run_a_program, "execve"},
        {start_a_process, "clone"},
        {signal_another_process, "tgkill"},
        {write_code, "mmap"},
        {make_code_of_data, "mprotect"},
        {change_the_handler, "rt_sigaction"},
        {change_the_handler_beside_threads, "rt_sigaction"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[128];
        int status = in_process(cases[i].run);

        (void)snprintf(expected, sizeof(expected), ": the thread of this test made the system call %s (",
                       cases[i].call);
        if (status != 128 + SIGSYS || !strstr(said, expected))
            fail_msg("%s: status %d, and it says: %s", cases[i].call, status, said);
    }
}

/* Without capabilities and new privileges renounced, or with nothing to do, the kernel refuses. */
static void enter_what_is_no_filter(void)
{
    const struct filter none = {.thread = "of this test"};

    REQUIRE(filter_enter(&none) == -1);
}

static void a_filter_that_the_kernel_refuses_is_named(void **state)
{
    (void)state;
    assert_int_equal(in_process(enter_what_is_no_filter), WELL);
    assert_non_null(strstr(said, "cannot confine the thread of this test"));
}

#ifdef __x86_64__
static void call_by_another_number(void)
{
    long result;

    enter_filter(false);
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(64) : "memory"); /* getppid(), as 32-bit programs have it */
    REQUIRE(result > 0);
}

/* Their numbers mean other calls. A kernel without such programs ends the process, too. */
static void calls_of_32_bit_programs_end_the_process(void **state)
{
    (void)state;
    assert_true(in_process(call_by_another_number) > 128);
}
#endif

/* --- kinds of threads --- */

static struct filter narrow, wide;

static void *ask_in_thread(void *thread_filter)
{
    REQUIRE(filter_enter(thread_filter) == 0);
    REQUIRE(getppid() > 0);
    return NULL;
}

static void make_both_filters(void)
{
    static const struct filter_rule asking[] = {FILTER_CALL(getppid)};
    const struct filter_list narrow_lists[] = {libc_calls()};
    const struct filter_list wide_lists[] = {FILTER_LIST(asking), libc_calls()};

    REQUIRE(filter_make(&narrow, "with a short list", narrow_lists, 1) == 0);
    REQUIRE(filter_make(&wide, "with a long list", wide_lists, 2) == 0);
    REQUIRE(lock_down(&(struct lock_down){.isolated = false}) == 0);
}

static void start_with(struct filter *filter)
{
    sigset_t all;
    pthread_t thread;

    sigfillset(&all); /* as threads have it here: the message comes all the same */
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    REQUIRE(pthread_create(&thread, NULL, ask_in_thread, filter) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
}

static void two_kinds(void)
{
    make_both_filters();
    start_with(&wide);
    dprintf(STDERR_FILENO, "one may; ");
    start_with(&narrow);
}

static void each_kind_of_thread_has_its_list(void **state)
{
    (void)state;
    if (in_process(two_kinds) != 128 + SIGSYS)
        fail_msg("it says: %s", said);
    assert_memory_equal(said, "one may; ", 9);
    assert_non_null(strstr(said, "the thread with a short list made the system call getppid ("));
}

static void *end_at_once(void *argument)
{
    return argument;
}

static void *end_when_told(void *argument)
{
    (void)pause();
    return argument;
}

static void start_threads(void)
{
    enter_filter(true);
    REQUIRE(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS); /* it could start a process, too */
    for (int i = 0; i < 20; i++) {
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, end_at_once, NULL) == 0);
        REQUIRE(pthread_join(thread, NULL) == 0);
    }
}

static void threads_can_be_started(void **state)
{
    (void)state;
    ASSERT_WELL(start_threads);
}

/* --- files --- */

static void touch_files(void)
{
    const struct landlock_folder folders[] = {{"removable", LANDLOCK_REMOVE}};
    const struct lock_down lock = {.folders = folders, .num_folders = 1};
    const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int fd = open("kept", O_RDWR | O_CREAT, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(lock_down(&lock) == 0);
    REQUIRE(write(fd, "x", 1) == 1); /* what is open stays open */
    REQUIRE(open("kept", O_RDONLY) < 0 && errno == EACCES);
    REQUIRE(open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES);
    REQUIRE(open("removable/file", O_RDONLY) < 0 && errno == EACCES);
    REQUIRE(open("removable/new", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    REQUIRE(unlink("kept") < 0 && errno == EACCES);
    REQUIRE(version < 3 || (truncate("kept", 0) < 0 && errno == EACCES));
    REQUIRE(unlink("removable/file") == 0);
}

static void files_are_out_of_reach(void **state)
{
    (void)state;
    assert_int_equal(mkdir("removable", 0700), 0);
    file_write("removable/file", "");
    ASSERT_WELL(touch_files);
}

/* --- ports --- */

static in_port_t listen_at_any(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    REQUIRE(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return address.sin_port;
}

static int connect_to(in_port_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    REQUIRE(fd >= 0);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static void connect_to_ports(void)
{
    const in_port_t listed = listen_at_any(), other = listen_at_any();
    const uint16_t ports[] = {ntohs(listed)};
    const long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    REQUIRE(lock_down(&(struct lock_down){.ports = ports, .num_ports = 1}) == 0);
    REQUIRE(connect_to(listed) == 0);
    REQUIRE(connect_to(other) == 0 ? version < 4 : version >= 4 && errno == EACCES);
}

static void ports_are_out_of_reach(void **state)
{
    (void)state;
    ASSERT_WELL(connect_to_ports);
}

/* --- limits --- */

static void use_up(void)
{
    const struct limits limits = {.more_descriptors = 3, .more_memory = (uint64_t)16 << 20, .file_bytes = 4096};
    struct rlimit descriptors;
    char page[4096] = "";
    int file = open("file", O_RDWR | O_CREAT, 0600), high = fcntl(STDIN_FILENO, F_DUPFD, 5);

    REQUIRE(file >= 0 && high >= 5);
    REQUIRE(limits_set(&limits) == 0);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &descriptors) == 0 && descriptors.rlim_max == descriptors.rlim_cur);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 3; i++)
        REQUIRE(dup(file) >= 0);
    REQUIRE(dup(file) < 0 && errno == EMFILE);
    REQUIRE(mmap(NULL, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    REQUIRE(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    REQUIRE(write(file, page, sizeof(page)) == sizeof(page));
    REQUIRE(write(file, page, 1) < 0 && errno == EFBIG);
}

/* More descriptors than are looked at together, and one that is free among them. */
static void use_many(void)
{
    const struct limits limits = {.more_descriptors = 3, .more_memory = (uint64_t)16 << 20, .file_bytes = 4096};
    const int left[] = {500, 601, 602};

    for (int last = 0; last < 600;)
        REQUIRE((last = dup(STDIN_FILENO)) >= 0);
    close(500);
    REQUIRE(limits_set(&limits) == 0);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        REQUIRE(dup(STDIN_FILENO) == left[i]);
    REQUIRE(dup(STDIN_FILENO) < 0 && errno == EMFILE);
}

/* Their stacks are no part of the memory that is asked for beside them. */
static void start_limited_threads(void)
{
    const struct limits limits = {
        .more_descriptors = LIMITS_DESCRIPTORS_STAY, .more_memory = (uint64_t)1 << 20, .more_threads = 3};
    pthread_t threads[3];

    REQUIRE(limits_set(&limits) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&threads[i], NULL, end_when_told, NULL) == 0);
}

static void limits_hold(void **state)
{
    (void)state;
    ASSERT_WELL(use_up);
    ASSERT_WELL(use_many);
    ASSERT_WELL(start_limited_threads);
}

/* --- privileges --- */

static void gain_nothing(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    REQUIRE(lock_down(&(struct lock_down){.isolated = false}) == 0);
    REQUIRE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    REQUIRE(syscall(SYS_capget, &header, sets) == 0);
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        REQUIRE(!sets[i].effective && !sets[i].permitted && !sets[i].inheritable);
}

static void capabilities_are_gone(void **state)
{
    (void)state;
    ASSERT_WELL(gain_nothing);
}

static bool is_empty_root(void)
{
    struct statvfs root;

    return statvfs("/", &root) == 0 && root.f_flag & ST_RDONLY && access("/proc", F_OK) < 0 && access("/etc", F_OK) < 0;
}

static void be_isolated(void)
{
    struct lock_down lock = {.isolated = true};
    const gid_t group = 1;
    struct if_nameindex *interfaces;
    int end_signal = 0;

    REQUIRE(setgroups(1, &group) == 0);
    REQUIRE(own_user_choose(&lock.user, NULL));
    REQUIRE(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
    REQUIRE(lock_down(&lock) == 0);
    REQUIRE(getuid() == lock.user.uid && geteuid() == lock.user.uid && getegid() == lock.user.gid);
    REQUIRE(lock.user.uid >= 0x70000000 && getgroups(0, NULL) == 0);
    REQUIRE(setuid(0) < 0);
    REQUIRE(is_empty_root());
    REQUIRE(mkdir("/here", 0700) < 0);
    REQUIRE(prctl(PR_GET_PDEATHSIG, &end_signal) == 0 && end_signal == SIGTERM);
    interfaces = if_nameindex();
    REQUIRE(interfaces && interfaces[0].if_index && strcmp(interfaces[0].if_name, "lo") == 0);
    REQUIRE(interfaces[1].if_index == 0);
}

static void root_becomes_nobody_in_an_empty_place(void **state)
{
    (void)state;
    ASSERT_WELL(be_isolated);
}

static void users_have_names_and_numbers(void **state)
{
    struct own_user user;

    (void)state;
    assert_true(own_user_choose(&user, "root"));
    assert_int_equal(user.uid, 0);
    assert_true(own_user_choose(&user, "1234"));
    assert_int_equal(user.uid, 1234);
    assert_int_equal(user.gid, 1234);
    assert_false(own_user_choose(&user, "no-such-user"));
    assert_false(own_user_choose(&user, "4294967295"));
    assert_false(own_user_choose(&user, "-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_the_list_works),
        cmocka_unit_test(what_is_there_can_be_read),
        cmocka_unit_test(a_filter_is_whole),
        cmocka_unit_test(the_c_library_can_complain),
        cmocka_unit_test(what_is_not_ends_the_process),
        cmocka_unit_test(a_filter_that_the_kernel_refuses_is_named),
#ifdef __x86_64__
        cmocka_unit_test(calls_of_32_bit_programs_end_the_process),
#endif
        cmocka_unit_test(each_kind_of_thread_has_its_list),
        cmocka_unit_test(threads_can_be_started),
        FOLDER_TEST(files_are_out_of_reach),
        cmocka_unit_test(ports_are_out_of_reach),
        FOLDER_TEST(limits_hold),
        cmocka_unit_test(capabilities_are_gone),
        cmocka_unit_test(users_have_names_and_numbers),
    };
    const struct CMUnitTest as_root[] = {
        cmocka_unit_test(root_becomes_nobody_in_an_empty_place),
    };
    int failed = cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);

    return geteuid() == 0 ? failed + cmocka_run_group_tests_name("sandbox of root", as_root, NULL, NULL) : failed;
}
