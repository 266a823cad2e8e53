/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is shared: what its other holders can do with it, and which memory of theirs is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/wire/memory.h"
#include "../../src/wire/received_memory.h"

#include <crossvm/device.h>

#define PAGE 0x1000

static void its_size_stays(void **state)
{
    int memfd = memory_create("test", 2 * PAGE, 0);
    struct stat status;

    (void)state;
    assert_int_equal(ftruncate(memfd, PAGE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(memfd, 3 * PAGE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fstat(memfd, &status), 0);
    assert_int_equal(status.st_size, 2 * PAGE);
    assert_null(received_memory_fault(memfd, 2 * PAGE));
    close(memfd);
}

/* A seal against writing would take from its owner what the owner maps next. */
static void nobody_seals_it_further(void **state)
{
    static const int seals[] = {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_SEAL};
    int sealed = memory_create("test", PAGE, F_SEAL_SEAL), open = memory_create("test", PAGE, 0);

    (void)state;
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
        assert_int_equal(fcntl(sealed, F_ADD_SEALS, seals[i]), -1);
        assert_int_equal(errno, EPERM);
    }
    assert_int_equal(fcntl(open, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0);
    assert_int_equal(fcntl(open, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
    close(sealed);
    close(open);
}

/* Whoever may not write gets a descriptor that cannot be made to. */
static void who_may_read_does_not_write(void **state)
{
    int memfd = memory_create("test", PAGE, F_SEAL_SEAL);
    int reader = memory_open_read_only(memfd);
    char *seen, *written;
    struct stat status;

    (void)state;
    assert_int_equal(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    seen = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
    assert_true(seen != MAP_FAILED);
    assert_int_equal(mprotect(seen, PAGE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    written = memory_map(memfd, 0, PAGE);
    assert_non_null(written);
    memcpy(written, "seen", sizeof("seen"));
    assert_string_equal(seen, "seen");
    /* Other users cannot open it anew by /proc/self/fd. */
    assert_int_equal(fstat(memfd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    munmap(seen, PAGE);
    munmap(written, PAGE);
    close(reader);
    close(memfd);
}

static void programs_do_not_inherit_it(void **state)
{
    int memfd = memory_create("test", PAGE, 0);
    int reader = memory_open_read_only(memfd);

    (void)state;
    assert_int_equal(fcntl(memfd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(reader, F_GETFD), FD_CLOEXEC);
    close(reader);
    close(memfd);
}

/* A memfd of that size and with those seals. */
static int make(unsigned int flags, off_t size, int seals)
{
    int memfd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

    if (memfd < 0)
        return -1;
    assert_int_equal(ftruncate(memfd, size), 0); /* takes no page yet */
    assert_int_equal(fcntl(memfd, F_ADD_SEALS, seals), 0);
    return memfd;
}

static void what_could_be_taken_away_is_not_mapped(void **state)
{
    char path[] = "/tmp/crossvm-memory-XXXXXX";
    int good = make(0, 2 * PAGE, F_SEAL_SHRINK), loose = make(0, 2 * PAGE, F_SEAL_GROW | F_SEAL_WRITE);
    int huge = make(MFD_HUGETLB | 21u << 26 /* MFD_HUGE_2MB */, 0x200000, F_SEAL_SHRINK);
    int file = mkostemp(path, O_CLOEXEC), pipes[2];

    (void)state;
    assert_null(received_memory_fault(good, 2 * PAGE));
    assert_string_equal(received_memory_fault(good, 2 * PAGE + 1), "is smaller than it says");
    assert_string_equal(received_memory_fault(good, UINT64_MAX), "is smaller than it says");
    assert_string_equal(received_memory_fault(loose, PAGE), "is no memfd sealed against shrinking");
    if (huge < 0)
        print_message("this kernel has no huge pages to refuse\n");
    else
        assert_string_equal(received_memory_fault(huge, PAGE), "is no memory of tmpfs with pages of the usual size");
    assert_int_equal(ftruncate(file, 2 * PAGE), 0);
    assert_string_equal(received_memory_fault(file, PAGE), "is no memfd sealed against shrinking");
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_string_equal(received_memory_fault(pipes[0], PAGE), "is no memfd sealed against shrinking");
    assert_string_equal(received_memory_fault(-1, PAGE), "is no memfd sealed against shrinking");
    unlink(path);
    close(pipes[0]);
    close(pipes[1]);
    close(file);
    if (huge >= 0)
        close(huge);
    close(loose);
    close(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_size_stays),
        cmocka_unit_test(nobody_seals_it_further),
        cmocka_unit_test(who_may_read_does_not_write),
        cmocka_unit_test(programs_do_not_inherit_it),
        cmocka_unit_test(what_could_be_taken_away_is_not_mapped),
    };

    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
