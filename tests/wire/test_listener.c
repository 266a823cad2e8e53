/* SPDX-License-Identifier: BSD-2-Clause */
/* A listening socket: whom it is open to, and what it does when accept() fails. The clock is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/common/clock.h"
#include "../../src/wire/listener.h"
#include "folder.h"

/* --- accept4(), counted, and failing on demand --- */

static int accept_error; /* 0: the real one */
static unsigned int accepts;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    (void)__atomic_fetch_add(&accepts, 1, __ATOMIC_RELAXED);
    if (!accept_error)
        return __real_accept4(fd, address, size, flags);
    errno = accept_error;
    return -1;
}

/* --- close(), which must never be of what is closed --- */

static unsigned int wrong_closes;

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    int error = __real_close(fd);

    if (error)
        (void)__atomic_fetch_add(&wrong_closes, 1, __ATOMIC_RELAXED);
    return error;
}

static struct listener open_listener(void)
{
    struct listener listener;

    accept_error = 0;
    accepts = 0;
    assert_int_equal(listener_open(&listener, SOCK_SEQPACKET, folder_path("socket")), 0);
    return listener;
}

/* What a loop does that polls for the listener at each millisecond from one to before another. */
static void turn(struct listener *listener, int64_t from, int64_t to)
{
    for (int64_t now = from; now < to; now++) {
        struct pollfd wishes = listener_wishes(listener, now);

        if (poll(&wishes, 1, 0) > 0) {
            assert_int_equal(wishes.revents, POLLIN);
            assert_int_equal(listener_accept(listener, now), -1);
        }
    }
}

/* --- the socket's file --- */

/* A file that is closed only after it was made shows as a change of its attributes. */
static void its_file_is_never_open_to_others(void **state)
{
    char events[4096];
    struct listener listener;
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    mode_t mask = umask(0);

    (void)state;
    assert_true(inotify_add_watch(watch, folder, IN_ATTRIB) >= 0);
    listener = open_listener();
    (void)umask(mask);
    assert_int_equal(folder_stat("socket").st_mode, S_IFSOCK | 0600);
    assert_int_equal(read(watch, events, sizeof(events)), -1);
    assert_int_equal(errno, EAGAIN);
    close(watch);
    listener_close(&listener);
    listener_close(&listener); /* nothing more */
}

static void a_path_that_cannot_be(void **state)
{
    struct listener listener;
    char path[sizeof(listener.address.sun_path) + 1];

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(listener_open(&listener, SOCK_STREAM, path), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_int_equal(listener_open(&listener, SOCK_STREAM, folder_path("no/where")), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(listener.fd, -1);

    /* What is there stays. */
    close(open(folder_path("file"), O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(listener_open(&listener, SOCK_STREAM, folder_path("file")), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(unlink(folder_path("file")), 0);
}

/* --- failures of accept() --- */

/* One try each LISTENER_RETRY_MS, one message, and all as before when the failure ends. */
static void a_failure_is_no_reason_to_spin(void **state)
{
    static const int failures[] = {ENOMEM, ENOBUFS, EPERM, ENOSR};

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct listener listener = open_listener();
        int client = folder_connect(SOCK_SEQPACKET, "socket"), fd;

        accept_error = failures[i];
        assert_int_equal(listener_accept(&listener, 1000), -1);
        assert_int_equal(errno, failures[i]);
        assert_int_equal(listener_due_ms(&listener, 1000), 1000 + LISTENER_RETRY_MS);
        turn(&listener, 1000, 1000 + 10 * LISTENER_RETRY_MS);
        assert_int_equal(accepts, 10);
        assert_int_equal(errno, EAGAIN); /* it was said once */

        accept_error = 0;
        fd = listener_accept(&listener, 1000 + 10 * LISTENER_RETRY_MS);
        assert_true(fd >= 0);
        assert_int_equal(listener_due_ms(&listener, 1000 + 10 * LISTENER_RETRY_MS), NEVER_MS);
        close(fd);
        close(client);
        listener_close(&listener);
    }
}

/* A program that left the queue before it was accepted is no reason to pause. */
static void a_program_that_left_is_no_failure(void **state)
{
    struct listener listener = open_listener();

    (void)state;
    assert_int_equal(listener_accept(&listener, 1000), -1);
    assert_int_equal(errno, EAGAIN);
    accept_error = ECONNABORTED;
    assert_int_equal(listener_accept(&listener, 1000), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(listener_due_ms(&listener, 1000), NEVER_MS);
    listener_close(&listener);
}

static rlim_t lower_limit(rlim_t descriptors)
{
    struct rlimit limit;
    rlim_t before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = descriptors;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

/* Without a free descriptor, programs that come learn at once that they are not served. */
static void without_descriptors(void **state)
{
    struct listener listener = open_listener();
    int clients[2];
    rlim_t before;
    char byte;
    int next;

    (void)state;
    for (int i = 0; i < 2; i++)
        clients[i] = folder_connect(SOCK_SEQPACKET, "socket");
    next = dup(0);
    before = lower_limit((rlim_t)next);
    turn(&listener, 1000, 1010);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(recv(clients[i], &byte, 1, 0), 0);
        close(clients[i]);
    }
    assert_int_equal(listener_due_ms(&listener, 1010), NEVER_MS);
    (void)lower_limit(before);
    close(next);
    listener_close(&listener);
}

/* ... nor one to give up for them: another thread took it. */
static void without_a_spare_descriptor(void **state)
{
    struct listener listener = open_listener();
    int client = folder_connect(SOCK_SEQPACKET, "socket"), fd;

    (void)state;
    accept_error = EMFILE; /* also of the second try, with the spare one closed */
    turn(&listener, 1000, 1000 + 5 * LISTENER_RETRY_MS);
    assert_int_equal(accepts, 10);
    accept_error = 0;
    fd = listener_accept(&listener, 1000 + 5 * LISTENER_RETRY_MS);
    assert_true(fd >= 0);
    close(fd);
    close(client);
    listener_close(&listener);
}

#define TURNS 100000

static void *turn_many_away(void *listener)
{
    for (int64_t now = LISTENER_RETRY_MS; now <= (int64_t)TURNS * LISTENER_RETRY_MS; now += LISTENER_RETRY_MS)
        (void)listener_accept(listener, now);
    return NULL;
}

/* `crossvm run` has consoles in one thread and a hub in another: both give up the one spare descriptor. */
static void without_descriptors_in_two_threads(void **state)
{
    struct listener listeners[2];
    pthread_t thread;

    (void)state;
    listeners[0] = open_listener();
    assert_int_equal(listener_open(&listeners[1], SOCK_SEQPACKET, folder_path("other")), 0);
    wrong_closes = 0;
    accept_error = EMFILE;
    assert_int_equal(pthread_create(&thread, NULL, turn_many_away, &listeners[1]), 0);
    (void)turn_many_away(&listeners[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(accepts, 4 * TURNS);
    assert_int_equal(wrong_closes, 0);
    listener_close(&listeners[0]);
    listener_close(&listeners[1]);
}

/* --- admission --- */

/* Whether the next one in the queue is admitted. */
static bool admits_next(struct listener *listener)
{
    int fd = listener_accept(listener, 1000);
    bool admitted;

    assert_true(fd >= 0);
    admitted = listener_admits(listener, fd);
    close(fd);
    return admitted;
}

static void its_own_user_may_come(void **state)
{
    struct listener listener = open_listener();
    int client = folder_connect(SOCK_SEQPACKET, "socket");

    (void)state;
    assert_true(admits_next(&listener));
    close(client);
    listener_close(&listener);
}

static int connect_only(void *argument)
{
    return folder_connect(SOCK_SEQPACKET, argument) < 0 ? errno : 0;
}

static void strangers_may_not(void **state)
{
    static const struct {
        mode_t mode;
        gid_t group;
        gid_t more;   /* of the stranger */
        int connects; /* 0 or errno */
        bool admitted;
    } cases[] = {
        {0600, 0, 0, EACCES, false},
        {0660, 0, 0, EACCES, false},
        {0606, 0, 0, 0, false}, /* the file's mode alone does not let all users in */
        {0666, 0, 0, 0, false},
        {0660, STRANGERS, 0, 0, true},
        {0660, MEMBERS, MEMBERS, 0, true},
        {0660, MEMBERS, 0, EACCES, false},
        {0640, STRANGERS, 0, EACCES, false},
    };

    (void)state;
    require_root();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct listener listener = open_listener();

        assert_int_equal(chown(folder_path("socket"), (uid_t)-1, cases[i].group), 0);
        assert_int_equal(chmod(folder_path("socket"), cases[i].mode), 0);
        assert_int_equal(as_stranger(connect_only, (char *)"socket", cases[i].more), cases[i].connects);
        if (cases[i].connects == 0 && admits_next(&listener) != cases[i].admitted)
            fail_msg("case %zu", i);
        listener_close(&listener);
    }
}

/* The mode that holds is that of now, not that of the time at which the program connected. */
static void a_right_that_was_taken_away(void **state)
{
    struct listener listener;

    (void)state;
    require_root();
    listener = open_listener();
    assert_int_equal(chown(folder_path("socket"), (uid_t)-1, STRANGERS), 0);
    assert_int_equal(chmod(folder_path("socket"), 0660), 0);
    assert_int_equal(as_stranger(connect_only, (char *)"socket", 0), 0);
    assert_int_equal(chmod(folder_path("socket"), 0600), 0);
    assert_false(admits_next(&listener));
    listener_close(&listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(its_file_is_never_open_to_others),
        FOLDER_TEST(a_path_that_cannot_be),
        FOLDER_TEST(a_failure_is_no_reason_to_spin),
        FOLDER_TEST(a_program_that_left_is_no_failure),
        FOLDER_TEST(without_descriptors),
        FOLDER_TEST(without_a_spare_descriptor),
        FOLDER_TEST(without_descriptors_in_two_threads),
        FOLDER_TEST(its_own_user_may_come),
        FOLDER_TEST(strangers_may_not),
        FOLDER_TEST(a_right_that_was_taken_away),
    };

    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
