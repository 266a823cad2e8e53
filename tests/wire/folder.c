/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "folder.h"

char folder[] = "/tmp/crossvm-wire-XXXXXX";

int folder_set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/crossvm-wire-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int folder_tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

const char *folder_path(const char *file)
{
    static char paths[2][64];
    static int next;
    char *path = paths[next ^= 1];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, file);
    return path;
}

struct stat folder_stat(const char *file)
{
    struct stat status;

    if (lstat(folder_path(file), &status))
        fail_msg("%s: %s", file, strerror(errno));
    return status;
}

int folder_connect(int type, const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path(file));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* --- other users --- */

void require_root(void)
{
    if (geteuid() != 0) {
        print_message("only root can be another user\n");
        skip();
    }
}

int as_stranger(int (*run)(void *), void *argument, gid_t more)
{
    pid_t child;
    int status;

    /* The stranger has to come to the folder. */
    assert_int_equal(chmod(folder, 0711), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setgroups(more ? 1 : 0, &more) || setresgid(STRANGERS, STRANGERS, STRANGERS) ||
            setresuid(STRANGER, STRANGER, STRANGER))
            _exit(126);
        _exit(run(argument));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 126);
    return WEXITSTATUS(status);
}

/* --- messages --- */

static int caught = -1, own_error = -1;

void catch_messages(void)
{
    own_error = dup(STDERR_FILENO);
    caught = memfd_create("messages", MFD_CLOEXEC);
    assert_true(own_error >= 0 && caught >= 0);
    assert_int_equal(dup2(caught, STDERR_FILENO), STDERR_FILENO);
}

const char *caught_messages(void)
{
    static char text[1024];
    ssize_t length = pread(caught, text, sizeof(text) - 1, 0);

    assert_int_equal(dup2(own_error, STDERR_FILENO), STDERR_FILENO);
    close(own_error);
    close(caught);
    assert_true(length >= 0);
    text[length] = '\0';
    return text;
}
