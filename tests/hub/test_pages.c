/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections on a machine whose pages are larger than those of x86. The size of a page is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/hub/connection.h"

long __real_sysconf(int name);
long __wrap_sysconf(int name);

static long page_size;

long __wrap_sysconf(int name)
{
    return name == _SC_PAGESIZE ? page_size : __real_sysconf(name);
}

static struct hub_connection *create(enum crossvm_door door)
{
    struct hub_connection_config config = {.name = "wide",
                                           .ends = {{.door = CROSSVM_DOOR_HOST}, {.door = door, .vm = "guest"}},
                                           .dataports = {{.size = 0x1000, .writer = WRITER_BOTH}},
                                           .num_dataports = 1};

    return hub_connection_create(NULL, &config);
}

static void ivshmem_needs_pages_of_4_kib(void **state)
{
    static const char expected[] = "ivshmem shares memory in pages of 4 KiB, and this machine's have 16 KiB";
    int old = dup(STDERR_FILENO), said = memfd_create("said", MFD_CLOEXEC);
    char line[400] = "";

    (void)state;
    assert_true(old >= 0 && said >= 0);
    page_size = 0x4000;
    assert_int_equal(dup2(said, STDERR_FILENO), STDERR_FILENO);
    assert_null(create(CROSSVM_DOOR_IVSHMEM));
    assert_int_equal(dup2(old, STDERR_FILENO), STDERR_FILENO);
    assert_true(pread(said, line, sizeof(line) - 1, 0) > 0);
    assert_non_null(strstr(line, "\"wide\""));
    assert_non_null(strstr(line, expected));
    close(said);
    close(old);
}

static void expect_one(enum crossvm_door door)
{
    struct hub_connection *connection = create(door);

    assert_non_null(connection);
    hub_connection_destroy(connection);
}

static void other_doors_do_not(void **state)
{
    (void)state;
    page_size = 0x4000;
    expect_one(CROSSVM_DOOR_VFIO_USER);
    page_size = 0x1000;
    expect_one(CROSSVM_DOOR_IVSHMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ivshmem_needs_pages_of_4_kib),
        cmocka_unit_test(other_doors_do_not),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
