/* SPDX-License-Identifier: BSD-2-Clause */
/* A console in a file that does not grow without end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include "../../src/run/console_file.h"
#include "../../src/run/console_path.h"
#include "console_vms.h"

#define MOST 100

static off_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) ? -1 : status.st_size;
}

static const char *older(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s.1", vms.console);
    return path;
}

static void a_file_that_is_full_makes_room(void **state)
{
    const char bytes[60] = "what a guest prints";
    struct console_file file;
    int descriptors;

    (void)state;
    assert_int_equal(console_file_open(&file, &vms.starter, VM_WITH_FILE, MOST, true), 0);
    descriptors = count_descriptors(getpid());
    for (int i = 0; i < 5; i++) {
        assert_int_equal(console_file_put(&file, bytes, sizeof(bytes)), 0);
        assert_int_equal(size_of(vms.console), sizeof(bytes)); /* two do not fit */
        assert_int_equal(size_of(older()), i ? (off_t)sizeof(bytes) : -1);
    }
    assert_int_equal(count_descriptors(getpid()), descriptors);
    assert_int_equal(console_file_put(&file, bytes, MOST - sizeof(bytes)), 0);
    assert_int_equal(size_of(vms.console), MOST);
    console_file_close(&file);

    /* A later start goes on with it. */
    assert_int_equal(console_file_open(&file, &vms.starter, VM_WITH_FILE, MOST, false), 0);
    assert_int_equal(console_file_put(&file, bytes, 1), 0);
    assert_int_equal(size_of(older()), MOST);
    assert_int_equal(size_of(vms.console), 1);
    console_file_close(&file);
}

/* The owner says so once, and once more when it was well in between. */
static void lost_output_is_told_once(void **state)
{
    struct rlimit before, low;
    struct console_file file;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(console_file_open(&file, &vms.starter, VM_WITH_FILE, MOST, true), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        assert_int_equal(console_file_put(&file, "a", 1), EFBIG);
        assert_int_equal(console_file_put(&file, "b", 1), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(console_file_put(&file, "c", 1), 0);
        assert_int_equal(size_of(vms.console), 1 + i);
        low.rlim_cur = 1;
    }
    console_file_close(&file);
}

/* Whoever can write the folder could else have a file of root's written, or hold up all VMs. */
static void what_is_no_file_is_not_written(void **state)
{
    (void)state;
    assert_int_equal(symlink("/dev/null", vms.console), 0);
    assert_int_equal(console_path_open(vms.console, true), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(unlink(vms.console), 0);
    assert_int_equal(mkfifo(vms.console, 0600), 0);
    assert_int_equal(console_path_open(vms.console, true), -1);
    assert_int_equal(errno, ENXIO);
}

/* A process without a free descriptor has the file where it was. */
static void a_file_that_cannot_be_made_leaves_the_one_before(void **state)
{
    struct rlimit before, low;
    int fd = console_path_open(vms.console, true);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "kept", 4), 4);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(console_path_rotate(vms.console), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(size_of(vms.console), 4);
    assert_int_equal(size_of(older()), -1);
    close(fd);
}

/* Its name with the suffix is longer than a path may be, and the shorter one is another file's. */
static void a_path_without_room_for_the_suffix_is_not_renamed(void **state)
{
    char path[PATH_MAX];
    size_t used = (size_t)snprintf(path, sizeof(path), "%s/", vms.folder);
    int fd;

    (void)state;
    while (used < PATH_MAX - sizeof("console") - 1)
        used += (size_t)snprintf(path + used, sizeof(path) - used, "./");
    (void)snprintf(path + used, sizeof(path) - used, "console");
    fd = console_path_open(path, true);
    assert_true(fd >= 0);
    assert_int_equal(console_path_rotate(path), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(size_of(vms.console), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONSOLE_VMS_TEST(a_file_that_is_full_makes_room),
        CONSOLE_VMS_TEST(lost_output_is_told_once),
        CONSOLE_VMS_TEST(what_is_no_file_is_not_written),
        CONSOLE_VMS_TEST(a_file_that_cannot_be_made_leaves_the_one_before),
        CONSOLE_VMS_TEST(a_path_without_room_for_the_suffix_is_not_renamed),
    };

    return cmocka_run_group_tests_name("console_file", tests, NULL, NULL);
}
