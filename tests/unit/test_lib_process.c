/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcrossvm and what surrounds a process: closed standard streams, too few descriptors, directories, and the users
 * that servers run as. getsockopt() and geteuid() are wrapped, so that these users can be anybody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/end_channel.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

#define NOBODY 65534

/* --- a client in a process of its own: its limits and descriptors are not the server's --- */

struct client {
    int (*run)(const struct client *client); /* 0, or the line of what went wrong */
    const char *directory;
    unsigned int number;
};

/* In a client. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "line %d: %s; %s\n", __LINE__, #condition, crossvm_strerror());                            \
            return __LINE__ % 255 + 1;                                                                                 \
        }                                                                                                              \
    } while (0)

/* The exit status of a client. */
static int run_client(const struct client *client)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(client->run(client));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* --- standard streams --- */

static bool are_closed(unsigned int streams)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (streams & 1u << fd && fcntl(fd, F_GETFD) >= 0)
            return false;
    }
    return true;
}

static int use_library(const struct client *client)
{
    const unsigned int closed = client->number;
    crossvm_end_info_t *list, info;
    crossvm_channel_t *channel;
    crossvm_end_t *end;
    size_t count;

    for (int fd = 0; fd <= 2; fd++) {
        if (closed & 1u << fd)
            close(fd);
    }
    CHECK(crossvm_list(&list, &count, sizeof(*list)) == 0 && count == 1);
    crossvm_list_free(list);
    CHECK(are_closed(closed));
    CHECK(crossvm_open(&end, "alpha") == 0);
    CHECK(are_closed(closed));
    CHECK(crossvm_fd(end) > 2);
    CHECK(crossvm_info(end, &info, sizeof(info)) == 0);
    CHECK(crossvm_channel_create(&channel, end, NULL) == 0);
    CHECK(crossvm_channel_connect(channel, crossvm_deadline_after_ms(1)) == -ETIMEDOUT);
    CHECK(are_closed(closed));
    crossvm_channel_destroy(channel);
    crossvm_close(end);
    CHECK(crossvm_open(&end, "beta") == -ENOENT);
    CHECK(crossvm_open(&end, "/dev/null") == -EINVAL);
    CHECK(are_closed(closed));
    return 0;
}

static void standard_streams_stay_closed(void **state)
{
    (void)state;
    for (unsigned int closed = 0; closed < 8; closed++) {
        if (run_client(&(struct client){.run = use_library, .number = closed}))
            fail_msg("with streams %#x closed", closed);
    }
}

/* --- too few descriptors --- */

/* Leaves so many more descriptors: uses up those that are free below the highest one, and limits them above it. */
static int leave_descriptors(unsigned int more)
{
    struct rlimit limit;
    int highest = 255, fd;

    while (fcntl(highest, F_GETFD) < 0)
        highest--;
    do
        fd = dup(STDERR_FILENO);
    while (fd >= 0 && fd < highest);
    CHECK(fd > highest && close(fd) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)highest + 1 + more;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return 0;
}

#define SUCCEEDED 0
#define LACKED 255 /* not a line of this file, see CHECK() */

static int open_with_few(const struct client *client)
{
    crossvm_end_t *end;
    int error;

    CHECK(leave_descriptors(client->number) == 0);
    error = crossvm_open(&end, "alpha");
    if (error) {
        CHECK(error == -EMFILE && strstr(crossvm_strerror(), "ulimit -n"));
        return LACKED;
    }
    crossvm_close(end);
    return SUCCEEDED;
}

static int list_with_few(const struct client *client)
{
    crossvm_end_info_t *list;
    size_t count;
    int error;

    CHECK(leave_descriptors(client->number) == 0);
    error = crossvm_list(&list, &count, sizeof(*list));
    if (error) {
        CHECK(error == -EMFILE && strstr(crossvm_strerror(), "ulimit -n"));
        CHECK(count == 0 || (strcmp(list[0].name, "alpha") == 0 && list[0].error == -EMFILE));
        crossvm_list_free(list);
        return LACKED;
    }
    CHECK(count == 1 && list[0].error == 0 && list[0].num_dataports == 2);
    crossvm_list_free(list);
    return SUCCEEDED;
}

/* With one more each time, until there are enough: which error it is does not depend on where they are lacking. */
static void too_few_descriptors_are_named(void **state)
{
    int (*const runs[])(const struct client *) = {open_with_few, list_with_few};
    const unsigned int least[] = {7, 2}; /* an epoll, a socket, and five that are received; a directory and a socket */

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unsigned int more = 0;
        int status;

        do
            status = run_client(&(struct client){.run = runs[i], .number = more});
        while (status == LACKED && ++more < 20);
        assert_int_equal(status, SUCCEEDED);
        assert_int_equal(more, least[i]);
    }
}

/* --- directories --- */

static void directories_of_everybody_are_refused(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    const char *directory = lib_fixture_directory(state);
    crossvm_end_info_t *list;
    crossvm_end_t *end;
    size_t count;

    assert_int_equal(chmod(directory, 01777), 0);
    assert_int_equal(crossvm_open(&end, "alpha"), -EPERM);
    assert_non_null(strstr(crossvm_strerror(), directory));
    assert_non_null(strstr(crossvm_strerror(), "chmod o-w"));
    assert_int_equal(crossvm_open(&end, vm->path), -EPERM);
    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), -EPERM);
    assert_int_equal(count, 0);
    assert_non_null(strstr(crossvm_strerror(), "chmod o-w"));
    crossvm_list_free(list);
    assert_int_equal(vm->attaches, 0);
    assert_int_equal(chmod(directory, 0700), 0);
    crossvm_close(lib_fixture_open(state));
}

static int look_into_closed_directory(const struct client *client)
{
    crossvm_end_info_t *list;
    crossvm_end_t *end;
    size_t count;

    CHECK(geteuid() != 0 || setuid(NOBODY) == 0);
    CHECK(crossvm_list(&list, &count, sizeof(*list)) == -EACCES);
    CHECK(strstr(crossvm_strerror(), client->directory) && strstr(crossvm_strerror(), "Permission denied"));
    CHECK(count == 0 && list == NULL);
    CHECK(crossvm_open(&end, "alpha") == -EACCES && strstr(crossvm_strerror(), client->directory));
    return 0;
}

static void closed_directories_are_named(void **state)
{
    const char *directory = lib_fixture_directory(state);

    assert_int_equal(chmod(directory, 0), 0);
    assert_int_equal(run_client(&(struct client){.run = look_into_closed_directory, .directory = directory}), 0);
    assert_int_equal(chmod(directory, 0700), 0);
}

/* The entry of a path, or NULL. */
static const crossvm_end_info_t *find(const crossvm_end_info_t *list, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].path, path) == 0)
            return &list[i];
    }
    return NULL;
}

/* Of a user: /run/crossvm is looked into, too, and may hold anything. */
static void directory_of_the_user(void **state)
{
    const char *directory = lib_fixture_directory(state);
    char own[128], name[CROSSVM_FULL_NAME_BYTES];
    crossvm_end_info_t *list;
    struct fake_vm vm;
    crossvm_end_t *end;
    size_t count;

    snprintf(own, sizeof(own), "%s/crossvm", directory);
    snprintf(name, sizeof(name), "of-process-%d", (int)getpid()); /* that nobody else has */
    assert_int_equal(mkdir(own, 0700), 0);
    fake_vm_init(&vm, own, name);
    fake_vm_start(&vm);
    assert_int_equal(unsetenv("CROSSVM_DIR"), 0);
    assert_int_equal(crossvm_open(&end, name), -ENOENT);
    assert_non_null(strstr(crossvm_strerror(), "in /run/crossvm;"));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", directory, 1), 0);
    assert_int_equal(crossvm_open(&end, name), 0);
    crossvm_close(end);
    (void)crossvm_list(&list, &count, sizeof(*list));
    assert_non_null(find(list, count, vm.path));
    assert_int_equal(find(list, count, vm.path)->error, 0);
    crossvm_list_free(list);

    fake_vm_die(&vm);
    assert_int_equal(crossvm_open(&end, name), -ECONNREFUSED);
    fake_vm_free(&vm);
    assert_int_equal(crossvm_open(&end, name), -ENOENT);
    assert_non_null(strstr(crossvm_strerror(), "/run/crossvm or "));
    assert_non_null(strstr(crossvm_strerror(), own));
    assert_int_equal(rmdir(own), 0);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
}

/* Both ends of a pair are here, and the name alone is of neither. */
static void names_of_pairs(void **state)
{
    struct fake_vm ends[2];
    crossvm_end_t *end;

    for (int i = 0; i < 2; i++) {
        fake_vm_init(&ends[i], lib_fixture_directory(state), i ? "beta.1" : "beta.0");
        fake_vm_start(&ends[i]);
    }
    assert_int_equal(crossvm_open(&end, "beta"), -ENOENT);
    assert_non_null(strstr(crossvm_strerror(), "open \"beta.0\" or \"beta.1\""));
    for (int i = 0; i < 2; i++)
        fake_vm_free(&ends[i]);
}

/* --- users --- */

static uid_t server_user, own_user;
static bool are_pretended;

int __real_getsockopt(int socket, int level, int option, void *value, socklen_t *size);
uid_t __real_geteuid(void);
int __wrap_getsockopt(int socket, int level, int option, void *value, socklen_t *size);
uid_t __wrap_geteuid(void);

int __wrap_getsockopt(int socket, int level, int option, void *value, socklen_t *size)
{
    int result = __real_getsockopt(socket, level, option, value, size);

    if (are_pretended && option == SO_PEERCRED)
        ((struct ucred *)value)->uid = server_user;
    return result;
}

uid_t __wrap_geteuid(void)
{
    return are_pretended ? own_user : __real_geteuid();
}

static void servers_of_others_are_refused(void **state)
{
    const uid_t owner = __real_geteuid(); /* of the directory */
    const struct {
        uid_t server, own;
        int error;
    } table[] = {
        {owner, owner, 0},
        {0, owner, 0},
        {0, owner + 1, 0},
        {owner + 1, owner + 1, 0},
        {owner, owner + 1, 0},
        {owner + 1, owner, -EPERM},
        {owner + 2, owner + 1, -EPERM},
    };
    struct fake_vm *vm = lib_fixture_vm(state);

    are_pretended = true;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const int attaches = vm->attaches;
        crossvm_end_info_t *list;
        crossvm_end_t *end;
        size_t count;

        server_user = table[i].server;
        own_user = table[i].own;
        assert_int_equal(crossvm_open(&end, "alpha"), table[i].error);
        if (table[i].error)
            assert_non_null(strstr(crossvm_strerror(), "nor the owner of"));
        crossvm_close(end);
        assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
        assert_int_equal(count, 1);
        assert_int_equal(list[0].error, table[i].error);
        crossvm_list_free(list);
        assert_int_equal(vm->attaches, attaches + !table[i].error);
    }
    are_pretended = false;
}

/* --- memory --- */

/* Seals do not keep huge pages in place. Where the kernel has none, this is a file that cannot be sealed. */
static void memory_of_huge_pages_is_refused(void **state)
{
    const size_t size = (size_t)2 << 20;
    struct fake_vm *vm = lib_fixture_vm(state);
    const char *expected = "is no memory of tmpfs";
    int huge = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
    crossvm_end_t *end;

    if (huge < 0) {
        huge = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        expected = "is no memfd";
    } else {
        assert_int_equal(ftruncate(huge, (off_t)size), 0);
        assert_int_equal(fcntl(huge, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    }
    vm->reply.dataports[0].size = size;
    fake_vm_replace_fd(vm, CROSSVM_WIRE_FIXED_FDS, huge);
    fake_vm_start(vm);
    assert_int_equal(crossvm_open(&end, "alpha"), -EPROTO);
    assert_non_null(strstr(crossvm_strerror(), expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case(standard_streams_stay_closed),
        lib_case(too_few_descriptors_are_named),
        lib_case(directories_of_everybody_are_refused),
        lib_case(closed_directories_are_named),
        lib_case(directory_of_the_user),
        lib_case(names_of_pairs),
        lib_case(servers_of_others_are_refused),
        lib_case_unserved(memory_of_huge_pages_is_refused),
    };

    return cmocka_run_group_tests_name("libcrossvm: process", tests, NULL, NULL);
}
