/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm_socket.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/message.h"
#include "../common/name.h"
#include "../wire/socket_directory.h"

/* What the names of sockets end with. */
static const char *const suffixes[] = {[CROSSVM_DOOR_VFIO_USER] = ".vfio-user", [CROSSVM_DOOR_IVSHMEM] = ".ivshmem"};

/* What is looked for, and what was found. */
struct search {
    const char *name, *vm;
    struct vmm_socket *sockets;
    size_t count;
    char dead[PATH_MAX];                 /* a socket that would be one, if a hub still served it; or "" */
    char joins[CROSSVM_FULL_NAME_BYTES]; /* a VM that has the end without anybody's arguments; or "" */
};

static bool cut_suffix(char *file, const char *suffix)
{
    size_t length = strlen(file), cut = strlen(suffix);

    if (length <= cut || strcmp(file + length - cut, suffix) != 0)
        return false;
    file[length - cut] = '\0';
    return true;
}

static bool copy_name(char to[CROSSVM_FULL_NAME_BYTES], const char *from, size_t length)
{
    if (length >= CROSSVM_FULL_NAME_BYTES)
        return false;
    memcpy(to, from, length);
    to[length] = '\0';
    return name_is_valid(to);
}

/* Splits NAME@VM and NAME.END. False when it is neither. */
static bool split(const char *stem, struct vmm_socket *socket)
{
    const char *at = strchr(stem, '@'), *dot = strrchr(stem, '.');

    socket->is_of_vm = at != NULL;
    if (!at && (!dot || (strcmp(dot, ".0") != 0 && strcmp(dot, ".1") != 0)))
        return false;
    if (!at)
        at = dot;
    return copy_name(socket->name, stem, (size_t)(at - stem)) && copy_name(socket->chosen, at + 1, strlen(at + 1));
}

/* What a socket's file name says. False when it is none of a VMM's. */
static bool parse(const char *file, struct vmm_socket *socket)
{
    char stem[NAME_MAX + 1];

    (void)snprintf(stem, sizeof(stem), "%s", file);
    for (size_t door = CROSSVM_DOOR_VFIO_USER; door < sizeof(suffixes) / sizeof(suffixes[0]); door++) {
        if (cut_suffix(stem, suffixes[door])) {
            socket->door = (enum crossvm_door)door;
            return split(stem, socket);
        }
    }
    return false;
}

/* Whether NAME, or NAME.0 or NAME.1, means the socket. */
static bool is_wanted(const struct search *search, const struct vmm_socket *socket)
{
    char with_end[2 * CROSSVM_FULL_NAME_BYTES];

    if (search->vm && (!socket->is_of_vm || strcmp(socket->chosen, search->vm) != 0))
        return false;
    if (strcmp(socket->name, search->name) == 0)
        return true;
    (void)snprintf(with_end, sizeof(with_end), "%s.%s", socket->name, socket->chosen);
    return !socket->is_of_vm && strcmp(with_end, search->name) == 0;
}

/*
 * Whether some process has the socket, without disturbing it: connecting with another type than its own cannot succeed,
 * and says whether there is anybody. Whoever may not connect cannot know; the VMM may all the same.
 */
static bool is_served(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool served = false;
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return true; /* checked where it is used */
    memcpy(address.sun_path, path, strlen(path));
    fd = descriptor_above_standard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd >= 0) {
        served = connect(fd, (struct sockaddr *)&address, sizeof(address)) && (errno == EPROTOTYPE || errno == EACCES);
        close(fd);
    }
    return served;
}

static int add(struct search *search, const struct vmm_socket *socket)
{
    struct vmm_socket *grown;

    if (!is_served(socket->path)) {
        (void)snprintf(search->dead, sizeof(search->dead), "%s", socket->path);
        return 0;
    }
    grown = reallocarray(search->sockets, search->count + 1, sizeof(*grown));
    if (!grown) {
        message("no memory to look for sockets");
        return -1;
    }
    search->sockets = grown;
    grown[search->count++] = *socket;
    return 0;
}

/* A socket at which only crossvm-vm comes for its end. */
static void remember_joining(struct search *search, const char *file)
{
    char stem[NAME_MAX + 1];
    struct vmm_socket socket;

    (void)snprintf(stem, sizeof(stem), "%s", file);
    if (cut_suffix(stem, ".crossvm-vm") && split(stem, &socket) && is_wanted(search, &socket))
        memcpy(search->joins, socket.chosen, sizeof(socket.chosen));
}

/* --- by name --- */

/* -1 after a message. A directory that is missing has no sockets. */
static int look_in(struct search *search, const char *dir)
{
    char absolute[PATH_MAX];
    DIR *directory = realpath(dir, absolute) ? descriptor_open_directory(absolute) : NULL;
    struct vmm_socket socket;
    struct dirent *entry;
    int error = 0;

    if (!directory && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (!directory) {
        message("cannot look for sockets in %s: %s", dir, error_reason(errno));
        return -1;
    }
    while (!error && (entry = readdir(directory)) != NULL) {
        int length = snprintf(socket.path, sizeof(socket.path), "%s/%s", absolute, entry->d_name);

        if (length < 0 || (size_t)length >= sizeof(socket.path))
            continue;
        if (parse(entry->d_name, &socket) && is_wanted(search, &socket))
            error = add(search, &socket);
        else
            remember_joining(search, entry->d_name);
    }
    closedir(directory);
    return error;
}

static int look_everywhere(struct search *search, const char *dir)
{
    char directory[SOCKET_DIRECTORY_BYTES];
    int error = 0;

    if (dir)
        return look_in(search, dir);
    for (size_t i = 0; !error && cvm_socket_directory(i, directory); i++)
        error = look_in(search, directory);
    return error;
}

static void say_none(const struct search *search, const char *dir)
{
    char first[SOCKET_DIRECTORY_BYTES], second[SOCKET_DIRECTORY_BYTES];
    bool two = !dir && cvm_socket_directory(1, second);

    (void)cvm_socket_directory(0, first);
    if (search->dead[0])
        message("connection \"%s\": no hub serves %s any more; start it again, with `crossvm pair`, `crossvm hub` or "
                "`crossvm run`",
                search->name, search->dead);
    else if (search->joins[0])
        message("connection \"%s\": VM \"%s\" is a crossvm-vm, which takes its end without arguments", search->name,
                search->joins);
    else
        message("connection \"%s\": no hub waits for %s%s%s in %s%s%s; start one%s, or name its --socket-dir",
                search->name, search->vm ? "VM \"" : "a VMM", search->vm ? search->vm : "", search->vm ? "\"" : "",
                dir ? dir : first, two ? " or " : "", two ? second : "",
                search->vm ? "" : ", such as `crossvm pair NAME --end0=vfio-user`");
}

static int by_path(const void *a, const void *b)
{
    const struct vmm_socket *left = a, *right = b;

    return strcmp(left->path, right->path);
}

/* Names each with what chooses it: the VM, or the end, or the path where two directories have the same. */
static void say_several(struct search *search)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    qsort(search->sockets, search->count, sizeof(*search->sockets), by_path);
    for (size_t i = 0; out && i < search->count; i++) {
        const struct vmm_socket *socket = &search->sockets[i];
        const char *separator = i == 0 ? "" : i + 1 < search->count ? ", " : " or ";

        if (socket->is_of_vm && !search->vm)
            fprintf(out, "%s--vm=%s (%s)", separator, socket->chosen, socket->path);
        else if (!socket->is_of_vm && strcmp(socket->name, search->name) == 0)
            fprintf(out, "%s%s.%s (%s)", separator, socket->name, socket->chosen, socket->path);
        else
            fprintf(out, "%s%s", separator, socket->path);
    }
    if (out && fclose(out) == 0)
        message("connection \"%s\" has %zu ends for VMMs; choose one: %s", search->name, search->count, text);
    else
        message("connection \"%s\" has %zu ends for VMMs; choose one", search->name, search->count);
    free(text);
}

static int find_by_name(struct search *search, struct vmm_socket *found, const char *dir)
{
    int error;

    if (!name_is_valid(search->name)) {
        message("\"%s\" is no name of a connection: a name has " NAME_RULE, search->name);
        return -1;
    }
    error = look_everywhere(search, dir);
    if (!error && search->count == 0)
        say_none(search, dir);
    else if (!error && search->count > 1)
        say_several(search);
    else if (!error)
        *found = search->sockets[0];
    return !error && search->count == 1 ? 0 : -1;
}

/* --- by path --- */

static int find_by_path(struct vmm_socket *found, const char *path)
{
    if (!realpath(path, found->path)) {
        message("no socket at %s: %s", path, error_reason(errno));
        return -1;
    }
    if (!parse(strrchr(found->path, '/') + 1, found)) {
        message("%s is not named as sockets for VMMs are: NAME@VM.DOOR or NAME.END.DOOR, where DOOR is vfio-user or "
                "ivshmem",
                path);
        return -1;
    }
    if (!is_served(found->path)) {
        message("no hub serves %s; start it, with `crossvm pair`, `crossvm hub` or `crossvm run`", path);
        return -1;
    }
    return 0;
}

int vmm_socket_find(struct vmm_socket *found, const char *name, const char *vm, const char *dir)
{
    struct search search = {.name = name, .vm = vm};
    int error;

    if (strchr(name, '/'))
        return find_by_path(found, name);
    error = find_by_name(&search, found, dir);
    free(search.sockets);
    return error;
}
