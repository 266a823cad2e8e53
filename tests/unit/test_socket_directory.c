/* SPDX-License-Identifier: BSD-2-Clause */
/* Where sockets are: decided in one place, for servers and clients alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/wire/socket_directory.h"

#define NOBODY 65534

static void set(const char *crossvm_dir, const char *xdg_runtime_dir)
{
    const char *const names[] = {"CROSSVM_DIR", "XDG_RUNTIME_DIR"};
    const char *const values[] = {crossvm_dir, xdg_runtime_dir};

    for (int i = 0; i < 2; i++)
        assert_int_equal(values[i] ? setenv(names[i], values[i], 1) : unsetenv(names[i]), 0);
}

/* What a client looks at: NULL for no second or first directory. */
static void assert_looks_at(const char *first, const char *second)
{
    char path[SOCKET_DIRECTORY_BYTES];
    const char *const expected[] = {first, second, NULL};

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(cvm_socket_directory(i, path), expected[i] != NULL);
        if (expected[i])
            assert_string_equal(path, expected[i]);
    }
}

static void clients_look_at_both(void **state)
{
    static char too_long[SOCKET_DIRECTORY_BYTES + 1];

    (void)state;
    set(NULL, NULL);
    assert_looks_at("/run/crossvm", NULL);
    set("", "");
    assert_looks_at("/run/crossvm", NULL);
    set(NULL, "/run/user/1000");
    assert_looks_at("/run/crossvm", "/run/user/1000/crossvm");
    set(NULL, "run/user/1000"); /* the specification has it ignored */
    assert_looks_at("/run/crossvm", NULL);
    set("/elsewhere", "/run/user/1000");
    assert_looks_at("/elsewhere", NULL);
    memset(too_long, 'x', SOCKET_DIRECTORY_BYTES);
    too_long[0] = '/';
    set(NULL, too_long);
    assert_looks_at("/run/crossvm", NULL);
}

/* As another user, in a process of its own. */
static void assert_server_uses(uid_t user, const char *expected)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        char path[SOCKET_DIRECTORY_BYTES];

        if (user != geteuid() && setuid(user))
            _exit(2);
        cvm_socket_directory_for_server(path);
        if (strcmp(path, expected) != 0)
            fprintf(stderr, "user %d uses %s, not %s\n", (int)user, path, expected);
        _exit(strcmp(path, expected) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void servers_use_what_they_can(void **state)
{
    const uid_t ordinary = geteuid() == 0 ? NOBODY : geteuid();

    (void)state;
    set(NULL, "/run/user/1000");
    if (ordinary == NOBODY || access("/run/crossvm", W_OK | X_OK) != 0) /* or the administrator lets this user in */
        assert_server_uses(ordinary, "/run/user/1000/crossvm");
    if (geteuid() == 0)
        assert_server_uses(0, "/run/crossvm");
    set("/elsewhere", "/run/user/1000");
    assert_server_uses(ordinary, "/elsewhere");
    set(NULL, NULL); /* where it fails, with a message */
    assert_server_uses(ordinary, "/run/crossvm");
}

static void unsafe_directories(void **state)
{
    char path[] = "/tmp/crossvm-test-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(path));
    for (int as_server = 0; as_server < 2; as_server++) {
        assert_int_equal(chmod(path, 0700), 0);
        assert_null(cvm_socket_directory_fault(path, as_server));
        assert_int_equal(chmod(path, 0775), 0);
        assert_null(cvm_socket_directory_fault(path, as_server));
        assert_int_equal(chmod(path, 01777), 0);
        assert_non_null(strstr(cvm_socket_directory_fault(path, as_server), "chmod o-w"));
        assert_null(cvm_socket_directory_fault("/no/such/directory", as_server));
    }
    assert_int_equal(chmod(path, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, NOBODY, (gid_t)-1), 0);
        assert_null(cvm_socket_directory_fault(path, false));
        assert_non_null(strstr(cvm_socket_directory_fault(path, true), "belongs to another user"));
    }
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_look_at_both),
        cmocka_unit_test(servers_use_what_they_can),
        cmocka_unit_test(unsafe_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
