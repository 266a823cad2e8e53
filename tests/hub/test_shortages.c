/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call by which a hub asks for something fails once, while it makes connections with each kind of door: it gives
 * back all that it has, once. The linker puts this file's functions in the place of the C library's (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/common/shared_event.h"
#include "../../src/hub/hub.h"
#include "../holdings.h"

/* --- what fails --- */

static int countdown; /* calls until one fails; 0: none does */
static int shortage;  /* errno value of that one */
static bool all_calls_worked;

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    errno = shortage;
    return true;
}

#define FAILING(type, failed, name, parameters, arguments)                                                             \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return fails() ? (failed) : __real_##name arguments;                                                           \
    }

FAILING(void *, NULL, calloc, (size_t n, size_t size), (n, size))
FAILING(int, -1, epoll_create1, (int flags), (flags))
FAILING(int, -1, eventfd, (unsigned int count, int flags), (count, flags))
FAILING(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
FAILING(int, -1, flock, (int fd, int operation), (fd, operation))
FAILING(int, -1, ftruncate, (int fd, off_t size), (fd, size))
FAILING(int, -1, listen, (int fd, int backlog), (fd, backlog))
FAILING(int, -1, memfd_create, (const char *name, unsigned int flags), (name, flags))
FAILING(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAILING(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size), (fd, address, size))
FAILING(int, -1, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event),
        (epoll, operation, fd, event))
FAILING(void *, MAP_FAILED, mmap, (void *address, size_t size, int rights, int flags, int fd, off_t offset),
        (address, size, rights, flags, fd, offset))

/* --- a hub --- */

static const struct hub_connection_config configs[] = {
    {.name = "a",
     .ends = {{.door = CROSSVM_DOOR_VFIO_USER, .vm = "vm"}, {.door = CROSSVM_DOOR_HOST}},
     .dataports = {{.size = 0x10000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = 1}},
     .num_dataports = 2},
    {.name = "b", .ends = {{.door = CROSSVM_DOOR_CROSSVM_VM, .vm = "vm"}, {.door = CROSSVM_DOOR_HOST}}},
    {.name = "c",
     .ends = {{.door = CROSSVM_DOOR_IVSHMEM, .vm = "vm"}, {.door = CROSSVM_DOOR_HOST}},
     .dataports = {{.size = 0x10000, .writer = WRITER_BOTH}},
     .num_dataports = 1},
};

#define CONNECTIONS (sizeof(configs) / sizeof(configs[0]))

/* Whether the hub could be made. What is left of it is gone. */
static bool make_and_destroy(const char *folder)
{
    struct hub *hub = hub_create(folder, false);
    bool made = hub != NULL;

    for (size_t i = 0; i < CONNECTIONS && made; i++)
        made = hub_add(hub, &configs[i]) == 0;
    all_calls_worked = countdown > 0;
    countdown = 0;
    hub_destroy(hub);
    return made;
}

static void each_call_fails(void **state)
{
    char folder[] = "/tmp/crossvm-hub-XXXXXX";
    FILE *own_error = stderr;
    struct holdings before;
    int calls = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(shared_event_prepare(), 0);
    assert_true(make_and_destroy(folder)); /* with what a process makes once and keeps */
    before = holdings_of(getpid());
    for (all_calls_worked = false; !all_calls_worked && calls < 1000; calls++) {
        char *said;
        size_t length;
        bool made;

        stderr = open_memstream(&said, &length);
        assert_non_null(stderr);
        shortage = (int[]){ENOSPC, EMFILE, ENFILE, ENOMEM}[calls % 4];
        countdown = calls + 1;
        made = make_and_destroy(folder);
        fclose(stderr);
        stderr = own_error;
        if (!made && (!strstr(said, ": ") || said[length - 1] != '\n' || strchr(said, '\n') != said + length - 1))
            fail_msg("without the call %d it says: %s", calls + 1, said);
        free(said);
        holdings_await(getpid(), &before);
    }
    assert_in_range(calls, 80, 999);
    assert_int_equal(rmdir(folder), 0);
}

static int fail_to_begin(void)
{
    return -1;
}

/* A thread that could not be confined does not serve, and the program ends as by a signal. */
static void a_thread_that_cannot_begin(void **state)
{
    static const struct timespec now = {0};
    struct hub *hub = hub_create("/tmp", false);
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    assert_non_null(hub);
    assert_int_equal(hub_start(hub, fail_to_begin), 0);
    hub_destroy(hub); /* waits for the thread */
    assert_int_equal(sigtimedwait(&set, NULL, &now), SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_fails),
        cmocka_unit_test(a_thread_that_cannot_begin),
    };

    return cmocka_run_group_tests_name("shortages", tests, NULL, NULL);
}
