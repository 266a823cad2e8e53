/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrossvm on the host: names of connections, and what is found where they lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

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
        lib_case_unserved(malformed_names),          lib_case_unserved(longest_name),
        lib_case_unserved(no_such_connection),       lib_case_unserved(socket_that_nobody_listens_at),
        lib_case_unserved(socket_of_another_kind),   lib_case_unserved(directory_with_a_long_path),
        lib_case_unserved(sentences_are_per_thread),
    };

    return cmocka_run_group_tests_name("libcrossvm: names", tests, NULL, NULL);
}
