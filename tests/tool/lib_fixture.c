/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib_fixture.h"

struct fixture {
    char directory[64];
    struct fake_vm vm;
    size_t held; /* before anything was set up */
};

static size_t count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static size_t count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    size_t count = 0;
    char line[512];

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        count += strstr(line, "/memfd:") != NULL;
    fclose(maps);
    return count;
}

size_t lib_fixture_count_held(void)
{
    return count_descriptors() + count_mappings();
}

int lib_fixture_set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->held = lib_fixture_count_held();
    strcpy(fixture->directory, "/tmp/crossvm-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(setenv("CROSSVM_DIR", fixture->directory, 1), 0);
    fake_vm_init(&fixture->vm, fixture->directory, "alpha");
    *state = fixture;
    return 0;
}

int lib_fixture_set_up_served(void **state)
{
    int error = lib_fixture_set_up(state);

    if (!error)
        fake_vm_start(lib_fixture_vm(state));
    return error;
}

int lib_fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;

    fake_vm_free(&fixture->vm);
    assert_int_equal(rmdir(fixture->directory), 0);
    assert_int_equal(lib_fixture_count_held(), fixture->held);
    free(fixture);
    return 0;
}

struct fake_vm *lib_fixture_vm(void **state)
{
    return &((struct fixture *)*state)->vm;
}

const char *lib_fixture_directory(void **state)
{
    return ((struct fixture *)*state)->directory;
}

crossvm_end_t *lib_fixture_open(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    if (crossvm_open(&end, vm->reply.name))
        fail_msg("%s", crossvm_strerror());
    return end;
}
