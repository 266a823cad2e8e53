/* SPDX-License-Identifier: BSD-2-Clause */
/* crossvm_list() over sockets. Devices are a guest's, and tested there. */
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
#include <sys/stat.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

/* The entry of a name, which must be there. */
static const crossvm_end_info_t *find(const crossvm_end_info_t *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    }
    fail_msg("%s is not in the list", name);
    return NULL;
}

static void make_file(const char *directory, const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void remove_file(const char *directory, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(unlink(path), 0);
}

static void lists_by_name_and_takes_nothing(void **state)
{
    struct fake_vm *alpha = lib_fixture_vm(state), zulu, mike;
    crossvm_end_info_t *list;
    crossvm_end_t *end;
    size_t count;

    fake_vm_init(&zulu, lib_fixture_directory(state), "zulu");
    fake_vm_init(&mike, lib_fixture_directory(state), "mike");
    mike.reply.driver_state = CROSSVM_DRIVER_NONE;
    mike.reply.msi = 0;
    fake_vm_start(&zulu);
    fake_vm_start(&mike);
    assert_int_equal(crossvm_open(&end, "zulu"), 0);

    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "alpha");
    assert_string_equal(list[1].name, "mike");
    assert_string_equal(list[2].name, "zulu");

    assert_int_equal(list[0].via, CROSSVM_VIA_SOCKET);
    assert_string_equal(list[0].path, alpha->path);
    assert_string_equal(list[0].location, "vm-of-alpha");
    assert_int_equal(list[0].owner, 0);
    assert_int_equal(list[0].peer_state, CROSSVM_PEER_PRESENT);
    assert_true(list[0].msi);
    assert_int_equal(list[0].num_dataports, 2);
    assert_int_equal(list[0].dataports[0].size, 0x10000);
    assert_int_equal(list[0].dataports[1].rights, CROSSVM_RIGHT_READ);
    assert_true(list[0].vm_exits == 5000000000);
    assert_int_equal(list[1].peer_state, CROSSVM_PEER_ABSENT);
    assert_false(list[1].msi);
    assert_int_equal(list[2].owner, 1); /* the rest holds though it is owned */
    assert_int_equal(list[2].num_dataports, 2);
    crossvm_list_free(list);

    assert_int_equal(alpha->attaches, 0);
    assert_int_equal(zulu.attaches, 1);
    assert_int_equal(crossvm_emit(end), 0);
    crossvm_close(end);
    fake_vm_free(&zulu);
    fake_vm_free(&mike);
}

static void leaves_out_what_is_no_end(void **state)
{
    char too_long[201 + sizeof(".sock")] = "";
    const char *const files[] = {"file", "file.sock", ".sock", "a b.sock", "alpha.lock", too_long};
    const char *directory = lib_fixture_directory(state);
    crossvm_end_info_t *list;
    struct fake_vm dead;
    size_t count;

    memset(too_long, 'n', 200);
    memcpy(too_long + 200, ".sock", sizeof(".sock"));
    fake_vm_init(&dead, directory, "dead");
    fake_vm_start(&dead);
    fake_vm_die(&dead);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        make_file(directory, files[i]);

    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].name, "alpha");
    crossvm_list_free(list);

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        remove_file(directory, files[i]);
    fake_vm_free(&dead);
}

static void nothing_to_list(void **state)
{
    crossvm_end_info_t *list = (crossvm_end_info_t *)state;
    size_t count = 1;

    assert_int_equal(setenv("CROSSVM_DIR", "/no/such/directory", 1), 0);
    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(count, 0);
    assert_null(list);
}

/* One VM that hangs or speaks another protocol neither spoils the list nor is hidden. */
static void lists_ends_that_do_not_answer(void **state)
{
    struct fake_vm silent, foreign;
    const crossvm_end_info_t *info;
    crossvm_end_info_t *list;
    size_t count;

    fake_vm_init(&silent, lib_fixture_directory(state), "silent");
    silent.manner = FAKE_VM_IS_SILENT;
    fake_vm_start(&silent);
    fake_vm_init(&foreign, lib_fixture_directory(state), "foreign");
    foreign.reply.header.version++;
    fake_vm_start(&foreign);

    assert_int_equal(crossvm_list(&list, &count, sizeof(*list)), 0);
    assert_int_equal(count, 3);
    assert_int_equal(find(list, count, "alpha")->num_dataports, 2);
    info = find(list, count, "silent");
    assert_int_equal(info->num_dataports, 0);
    assert_int_equal(info->owner, -1);
    assert_int_equal(info->peer_state, CROSSVM_PEER_UNKNOWN);
    assert_string_equal(info->path, silent.path);
    assert_int_equal(find(list, count, "foreign")->num_dataports, 0);
    crossvm_list_free(list);
    fake_vm_free(&silent);
    fake_vm_free(&foreign);
}

/* A program may have been built with an older release, whose structure is shorter, or with a newer one. */
static void structures_of_other_releases(void **state)
{
    struct {
        crossvm_end_info_t known;
        uint64_t more[2];
    } info;
    const size_t shorter = sizeof(info.known) - sizeof(uint64_t);
    crossvm_end_t *end = lib_fixture_open(state);
    crossvm_end_info_t *list;
    size_t count;

    memset(&info, 0xee, sizeof(info));
    assert_int_equal(crossvm_info(end, &info.known, shorter), 0);
    assert_string_equal(info.known.name, "alpha");
    for (size_t i = shorter; i < sizeof(info); i++)
        assert_int_equal(((unsigned char *)&info)[i], 0xee);
    assert_int_equal(crossvm_info(end, &info.known, sizeof(info)), 0);
    assert_string_equal(info.known.name, "alpha");
    assert_true(info.more[0] == 0 && info.more[1] == 0);

    assert_int_equal(crossvm_list(&list, &count, sizeof(info)), 0);
    assert_int_equal(count, 1);
    memcpy(&info, list, sizeof(info));
    assert_string_equal(info.known.name, "alpha");
    assert_true(info.more[0] == 0 && info.more[1] == 0);
    crossvm_list_free(list);
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case(lists_by_name_and_takes_nothing), lib_case(leaves_out_what_is_no_end),    lib_case(nothing_to_list),
        lib_case(lists_ends_that_do_not_answer),   lib_case(structures_of_other_releases),
    };

    return cmocka_run_group_tests_name("libcrossvm: list", tests, NULL, NULL);
}
