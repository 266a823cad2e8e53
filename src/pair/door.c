/* SPDX-License-Identifier: BSD-2-Clause */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"

#define BACKLOG 16

/*
 * Only one process serves a name. A lock tells a socket that a dead process left from one that is in use, which looking
 * at the socket cannot: its owner may be between bind() and listen().
 */
static int take_lock(struct door *door, const char *dir, const char *name)
{
    char path[sizeof(door->address.sun_path)];

    (void)snprintf(path, sizeof(path), "%s/%s.lock", dir, name); /* as long as that of the socket, which fits */
    door->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (door->lock < 0) {
        message("connection \"%s\": cannot make %s: %s", name, path, strerror(errno));
        return -1;
    }
    if (flock(door->lock, LOCK_EX | LOCK_NB)) {
        message("connection \"%s\": another process serves %s; choose another name or directory", name,
                door->address.sun_path);
        return -1;
    }
    return 0;
}

static int make_address(struct door *door, const char *dir, const char *name)
{
    struct sockaddr_un *address = &door->address;
    int length;

    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s.sock", dir, name);
    if (length < 0 || (size_t)length >= sizeof(address->sun_path)) {
        message("connection \"%s\": the path %s/%s.sock is too long for a socket; choose a shorter directory", name,
                dir, name);
        return -1;
    }
    return 0;
}

int door_open(struct door *door, const char *dir, const char *name)
{
    const struct sockaddr *address = (const struct sockaddr *)&door->address;

    *door = (struct door){.listener = -1, .lock = -1};
    if (make_address(door, dir, name))
        return -1;
    if (mkdir(dir, S_IRWXU) && errno != EEXIST) {
        message("cannot make the directory %s for sockets: %s; choose another with --socket-dir", dir, strerror(errno));
        return -1;
    }
    if (take_lock(door, dir, name))
        return -1;
    (void)unlink(door->address.sun_path); /* what a dead process left */
    door->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->listener < 0 || bind(door->listener, address, sizeof(door->address)) || listen(door->listener, BACKLOG)) {
        message("connection \"%s\": cannot serve %s: %s", name, door->address.sun_path, strerror(errno));
        return -1;
    }
    door->bound = true;
    (void)chmod(door->address.sun_path, S_IRUSR | S_IWUSR);
    return 0;
}

void door_close(struct door *door)
{
    if (door->bound)
        unlink(door->address.sun_path);
    if (door->listener >= 0)
        close(door->listener);
    if (door->lock >= 0)
        close(door->lock);
    *door = (struct door){.listener = -1, .lock = -1};
}
