/* SPDX-License-Identifier: BSD-2-Clause */
#include "socket_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire.h"

/* The directory of the environment's choice. False when there is none, or it is longer than a path may be. */
static bool from_environment(const char *variable, const char *suffix, char path[SOCKET_DIRECTORY_BYTES])
{
    const char *value = secure_getenv(variable);
    int length;

    if (!value || !value[0])
        return false;
    length = snprintf(path, SOCKET_DIRECTORY_BYTES, "%s%s", value, suffix);
    return length > 0 && length < SOCKET_DIRECTORY_BYTES;
}

/* Of the user. The specification of the variable calls a relative path invalid. */
static bool of_user(char path[SOCKET_DIRECTORY_BYTES])
{
    return from_environment("XDG_RUNTIME_DIR", "/crossvm", path) && path[0] == '/';
}

bool cvm_socket_directory(size_t i, char path[SOCKET_DIRECTORY_BYTES])
{
    if (from_environment("CROSSVM_DIR", "", path))
        return i == 0;
    if (i == 1)
        return of_user(path);
    (void)snprintf(path, SOCKET_DIRECTORY_BYTES, "%s", CROSSVM_DEFAULT_DIRECTORY);
    return i == 0;
}

static bool can_write(const char *path)
{
    return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

/* Whether this process can make files in the default directory, or the directory itself. */
static bool can_use_default(void)
{
    char parent[] = CROSSVM_DEFAULT_DIRECTORY;

    if (can_write(CROSSVM_DEFAULT_DIRECTORY))
        return true;
    *strrchr(parent, '/') = '\0';
    return errno == ENOENT && can_write(parent);
}

void cvm_socket_directory_for_server(char path[SOCKET_DIRECTORY_BYTES])
{
    char second[SOCKET_DIRECTORY_BYTES];

    if (!cvm_socket_directory(1, second) || can_use_default())
        (void)cvm_socket_directory(0, path);
    else
        (void)snprintf(path, SOCKET_DIRECTORY_BYTES, "%s", second);
}

const char *cvm_socket_directory_status_fault(const struct stat *status, bool as_server)
{
    if (status->st_mode & S_IWOTH)
        return "may be written by all users, who could replace its sockets: take that from them (chmod o-w)";
    if (as_server && status->st_uid != 0 && status->st_uid != geteuid())
        return "belongs to another user, who could replace its sockets: choose another one";
    return NULL;
}

const char *cvm_socket_directory_fault(const char *path, bool as_server)
{
    struct stat status;

    return stat(path, &status) ? NULL : cvm_socket_directory_status_fault(&status, as_server);
}
