/* SPDX-License-Identifier: BSD-2-Clause */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"
#include "socket_directory.h"

#define SOCKET_SUFFIX ".sock"

/* 0, or -1 after a message. */
static int check_length(int length, const char *path, const char *name)
{
    if (length >= 0 && (size_t)length < DOOR_PATH_BYTES)
        return 0;
    message("connection \"%s\": the path %s is too long for a socket; choose a shorter --socket-dir", name, path);
    return -1;
}

/* The directory that a path is in. */
static void copy_directory(char directory[DOOR_PATH_BYTES], const char *path)
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;

    if (slash == path)
        length = 1;
    (void)snprintf(directory, DOOR_PATH_BYTES, "%.*s", length, path);
    if (!slash)
        (void)snprintf(directory, DOOR_PATH_BYTES, ".");
}

/* Length of a path without the suffix .sock. */
static int stem_length(const char *path)
{
    size_t length = strlen(path), suffix = strlen(SOCKET_SUFFIX);

    if (length > suffix && strcmp(path + length - suffix, SOCKET_SUFFIX) == 0)
        length -= suffix;
    return (int)length;
}

/* --- the directory --- */

/*
 * Makes it if it is missing, and checks it. is_for_group receives whether it gives its group to the files in it. 0, or
 * -1 after a message.
 */
static int prepare_directory(const char *dir, bool *is_for_group)
{
    const char *fault;
    struct stat status;
    int fd;

    if (mkdir(dir, S_IRWXU) && errno != EEXIST) {
        message("cannot make the directory %s for sockets: %s; choose another with --socket-dir", dir,
                error_reason(errno));
        return -1;
    }
    fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status)) {
        message("cannot open the directory %s for sockets: %s; choose another with --socket-dir", dir,
                errno == ENOTDIR ? "it is a symbolic link or no directory" : error_reason(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    close(fd);
    *is_for_group = status.st_mode & S_ISGID;
    fault = cvm_socket_directory_status_fault(&status, true);
    if (fault)
        message("the directory %s for sockets %s", dir, fault);
    return fault ? -1 : 0;
}

/* --- the lock --- */

/* Whether a path still leads to an open file. */
static bool is_at(int fd, const char *path)
{
    struct stat own, found;

    return fstat(fd, &own) == 0 && lstat(path, &found) == 0 && own.st_dev == found.st_dev && own.st_ino == found.st_ino;
}

/*
 * Only one process serves a name. The lock tells a socket that a dead process left from one that is in use. Looking at
 * the socket cannot: its owner may be between bind() and listen(). The owner removes the file at its end, so a lock of
 * a file that is no longer there is not the name's.
 */
static int take_lock(struct door *door, const char *socket, const char *name)
{
    const char *path = door->lock_path;

    for (;;) {
        door->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR);
        if (door->lock < 0) {
            message("connection \"%s\": cannot make %s: %s; choose another --socket-dir", name, path,
                    errno == ELOOP ? "it is a symbolic link" : error_reason(errno));
            return -1;
        }
        if (flock(door->lock, LOCK_EX | LOCK_NB)) {
            /* The file stays, whatever the error: another process may hold the lock. */
            if (errno == EWOULDBLOCK)
                message("connection \"%s\": another process serves %s; choose another name or --socket-dir", name,
                        socket);
            else
                message("connection \"%s\": cannot lock %s: %s", name, path, error_reason(errno));
            close(door->lock);
            door->lock = -1;
            return -1;
        }
        if (is_at(door->lock, path))
            return 0;
        close(door->lock);
    }
}

/* The file goes while the lock is held, so that nobody else can have it. */
static void release_lock(struct door *door)
{
    if (door->lock < 0)
        return;
    (void)unlink(door->lock_path);
    close(door->lock);
    door->lock = -1;
}

/* --- all together --- */

int door_open_at(struct door *door, int type, const char *path, const char *name)
{
    char directory[DOOR_PATH_BYTES];
    bool is_for_group;
    int length;

    *door = DOOR_CLOSED;
    length = snprintf(door->lock_path, DOOR_PATH_BYTES, "%.*s.lock", stem_length(path), path);
    if (check_length((int)strlen(path), path, name) || check_length(length, path, name))
        return -1;
    copy_directory(directory, path);
    if (prepare_directory(directory, &is_for_group) || take_lock(door, path, name))
        return -1;
    (void)unlink(path); /* what a dead process left */
    /* Whoever set the bit chose the group. bind() obeys the umask, which would keep the group out. */
    if (listener_open(&door->listener, type, path) == 0 &&
        (!is_for_group || listener_admit_group(&door->listener) == 0))
        return 0;
    message("connection \"%s\": cannot serve %s: %s", name, path, error_reason(errno));
    door_close(door);
    return -1;
}

int door_open(struct door *door, const char *dir, const char *name)
{
    char path[PATH_MAX];

    *door = DOOR_CLOSED;
    if (check_length(snprintf(path, sizeof(path), "%s/%s" SOCKET_SUFFIX, dir, name), path, name))
        return -1;
    return door_open_at(door, SOCK_SEQPACKET, path, name);
}

void door_close(struct door *door)
{
    listener_close(&door->listener);
    release_lock(door);
}
