/* SPDX-License-Identifier: BSD-2-Clause */
/* A socket with a name: its directory, its lock, and what is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/wire/door.h"
#include "folder.h"

static void assert_refused(const char *dir, const char *said)
{
    struct door door;
    const char *messages;

    catch_messages();
    assert_int_equal(door_open(&door, dir, "x"), -1);
    messages = caught_messages();
    if (!strstr(messages, said))
        fail_msg("\"%s\", not \"%s\"", messages, said);
}

static void make_file(const char *file)
{
    int fd = open(folder_path(file), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static void assert_missing(const char *file)
{
    assert_int_equal(access(folder_path(file), F_OK), -1);
}

static void nothing_is_left(void **state)
{
    struct door door;

    (void)state;
    assert_int_equal(door_open(&door, folder, "x"), 0);
    assert_int_equal(folder_stat("x.sock").st_mode, S_IFSOCK | 0600);
    assert_int_equal(folder_stat("x.lock").st_mode, S_IFREG | 0600);
    door_close(&door);
    assert_missing("x.sock");
    assert_missing("x.lock");
    door_close(&door); /* nothing more */
}

static void one_process_at_a_time(void **state)
{
    struct door door, again;
    int client;

    (void)state;
    assert_int_equal(door_open(&door, folder, "x"), 0);
    assert_refused(folder, "another process serves");
    assert_int_equal(door_open(&again, folder, "y"), 0);
    client = folder_connect(SOCK_SEQPACKET, "x.sock"); /* it is still there */
    assert_true(client >= 0);
    close(client);
    door_close(&door);
    door_close(&again);
    assert_int_equal(door_open(&door, folder, "x"), 0);
    door_close(&door);
}

/* A process that was killed leaves both files; the next one uses the names and leaves nothing. */
static void what_a_dead_process_left(void **state)
{
    struct door door;
    pid_t child = fork();
    int client;

    (void)state;
    if (child == 0)
        _exit(door_open(&door, folder, "x") ? 1 : 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(folder_stat("x.lock").st_size, 0);
    assert_int_equal(folder_connect(SOCK_SEQPACKET, "x.sock"), -1);
    assert_int_equal(door_open(&door, folder, "x"), 0);
    client = folder_connect(SOCK_SEQPACKET, "x.sock");
    assert_true(client >= 0);
    close(client);
    door_close(&door);
}

/* Opens and closes the same name all the time, and counts those that have it. */
static void contend(unsigned int *holders)
{
    unsigned int had = 0;
    struct door door;

    for (unsigned int tries = 0; had < 50 && tries < 1000000; tries++) {
        if (door_open(&door, folder, "x"))
            continue;
        if (__atomic_add_fetch(holders, 1, __ATOMIC_SEQ_CST) != 1)
            _exit(1);
        sched_yield();
        __atomic_sub_fetch(holders, 1, __ATOMIC_SEQ_CST);
        door_close(&door);
        had++;
    }
    _exit(had == 50 ? 0 : 2);
}

/* Each owner removes the lock's file while others open it. */
static void owners_that_come_and_go(void **state)
{
    unsigned int *holders = mmap(NULL, sizeof(*holders), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[4];
    int status, failed = 0;

    (void)state;
    assert_ptr_not_equal(holders, MAP_FAILED);
    catch_messages();
    for (size_t i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0)
            contend(holders);
    }
    for (size_t i = 0; i < 4; i++) {
        if (waitpid(children[i], &status, 0) != children[i] || status != 0)
            failed = status;
    }
    (void)caught_messages();
    assert_int_equal(failed, 0);
    munmap(holders, sizeof(*holders));
}

/* --- symbolic links --- */

static void links_are_not_followed(void **state)
{
    struct door door;

    (void)state;
    assert_int_equal(symlink("target", folder_path("x.lock")), 0);
    assert_refused(folder, "x.lock: it is a symbolic link; choose another --socket-dir");
    assert_missing("target");
    assert_int_equal(unlink(folder_path("x.lock")), 0);

    /* A link where the socket belongs is replaced. */
    make_file("target");
    assert_int_equal(symlink("target", folder_path("x.sock")), 0);
    assert_int_equal(door_open(&door, folder, "x"), 0);
    assert_int_equal(folder_stat("x.sock").st_mode, S_IFSOCK | 0600);
    assert_int_equal(folder_stat("target").st_mode, S_IFREG | 0600);
    door_close(&door);
    assert_int_equal(unlink(folder_path("target")), 0);

    assert_int_equal(symlink(".", folder_path("link")), 0);
    assert_refused(folder_path("link"), "it is a symbolic link or no directory");
    assert_int_equal(unlink(folder_path("link")), 0);
}

/* --- the directory --- */

static void it_is_made(void **state)
{
    struct door door;

    (void)state;
    assert_int_equal(door_open(&door, folder_path("inner"), "x"), 0);
    assert_int_equal(folder_stat("inner").st_mode, S_IFDIR | 0700);
    door_close(&door);
    assert_int_equal(rmdir(folder_path("inner")), 0);
    assert_refused(folder_path("no/where"), "cannot make the directory");
    make_file("file");
    assert_refused(folder_path("file"), "it is a symbolic link or no directory");
    assert_int_equal(unlink(folder_path("file")), 0);
}

static void others_must_not_write(void **state)
{
    static const mode_t refused[] = {0777, 01777, 0703}, accepted[] = {0700, 0755, 0775, 02770, 01770};
    struct door door;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(chmod(folder, refused[i]), 0);
        assert_refused(folder, "may be written by all users");
        assert_missing("x.lock");
    }
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        assert_int_equal(chmod(folder, accepted[i]), 0);
        assert_int_equal(door_open(&door, folder, "x"), 0);
        door_close(&door);
    }
}

/* Its set-group-ID bit gives the sockets to its group, whatever the umask says; the lock is for nobody else. */
static void a_group_may_be_let_in(void **state)
{
    mode_t mask = umask(0077);
    struct door door;

    (void)state;
    require_root();
    assert_int_equal(chown(folder, 0, STRANGERS), 0);
    assert_int_equal(chmod(folder, 02775), 0);
    assert_int_equal(door_open(&door, folder, "x"), 0);
    (void)umask(mask);
    assert_int_equal(folder_stat("x.sock").st_mode, S_IFSOCK | 0660);
    assert_int_equal(folder_stat("x.sock").st_gid, STRANGERS);
    assert_int_equal(folder_stat("x.lock").st_mode, S_IFREG | 0600);
    door_close(&door);
    assert_int_equal(chmod(folder, 0775), 0);
    assert_int_equal(door_open(&door, folder, "x"), 0);
    assert_int_equal(folder_stat("x.sock").st_mode, S_IFSOCK | 0600);
    door_close(&door);
}

static int open_as_stranger(void *argument)
{
    struct door door;

    (void)argument;
    if (door_open(&door, folder, "x"))
        return 1;
    door_close(&door);
    return 0;
}

/* Root and the user itself may have made it, nobody else. */
static void others_must_not_own_it(void **state)
{
    (void)state;
    require_root();
    assert_int_equal(chown(folder, STRANGER + 1, STRANGERS), 0);
    assert_refused(folder, "belongs to another user");
    assert_int_equal(chown(folder, STRANGER, STRANGERS), 0);
    assert_int_equal(as_stranger(open_as_stranger, NULL, 0), 0);
    assert_int_equal(chown(folder, 0, STRANGERS), 0);
    assert_int_equal(chmod(folder, 0770), 0);
    catch_messages();
    assert_int_equal(as_stranger(open_as_stranger, NULL, 0), 1); /* as_stranger() takes the group's right away */
    assert_non_null(strstr(caught_messages(), "Permission denied"));
}

static void a_path_that_is_too_long(void **state)
{
    char dir[sizeof(((struct door *)NULL)->lock_path)];

    (void)state;
    memset(dir, 'x', sizeof(dir) - 1);
    dir[sizeof(dir) - 1] = '\0';
    assert_refused(dir, "is too long for a socket; choose a shorter --socket-dir");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(nothing_is_left),          FOLDER_TEST(one_process_at_a_time),
        FOLDER_TEST(what_a_dead_process_left), FOLDER_TEST(owners_that_come_and_go),
        FOLDER_TEST(links_are_not_followed),   FOLDER_TEST(it_is_made),
        FOLDER_TEST(others_must_not_write),    FOLDER_TEST(others_must_not_own_it),
        FOLDER_TEST(a_group_may_be_let_in),    FOLDER_TEST(a_path_that_is_too_long),
    };

    return cmocka_run_group_tests_name("door", tests, NULL, NULL);
}
