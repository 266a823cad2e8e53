/* SPDX-License-Identifier: BSD-2-Clause */
/* The C library has no functions for these calls, and headers of the distribution may be older than the kernel. */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/message.h"

/* What each version (ABI) of Landlock can take away. */
#define FS_RIGHTS_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)    /* since 2 */
#define FS_TRUNCATE (1ull << 14) /* since 3 */
#define NET_CONNECT (1ull << 1)
#define NET_RIGHTS_4 (NET_CONNECT | 1) /* TCP: bind, too */
#define FS_IOCTL_DEV (1ull << 15)      /* since 5 */
#define SCOPES_6 3ull                  /* sockets without a file, and signals to other processes */

/** The kernel takes a shorter one, and a longer one whose further fields are 0. */
struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scopes;
};

/** A rule of the type RULE_NET_PORT. */
struct net_port {
    uint64_t allowed;
    uint64_t port;
};

#define RULE_NET_PORT 2

static struct ruleset all_of_version(long version)
{
    struct ruleset all = {.fs = FS_RIGHTS_1};

    if (version >= 2)
        all.fs |= FS_REFER;
    if (version >= 3)
        all.fs |= FS_TRUNCATE;
    if (version >= 4)
        all.net = NET_RIGHTS_4;
    if (version >= 5)
        all.fs |= FS_IOCTL_DEV;
    if (version >= 6)
        all.scopes = SCOPES_6;
    return all;
}

static uint64_t rights_for(enum landlock_folder_use use)
{
    if (use == LANDLOCK_REMOVE)
        return LANDLOCK_ACCESS_FS_REMOVE_FILE;
    if (use == LANDLOCK_READ)
        return LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    return LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | FS_TRUNCATE |
           FS_IOCTL_DEV;
}

static int allow(int ruleset, const struct ruleset *all, const struct landlock_folder *folder)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights_for(folder->use) & all->fs,
        .parent_fd = open(folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    int error = 0;

    if (rule.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
        error = -1;
    if (error)
        message("cannot confine itself to the folder %s: %s", folder->path, error_reason(errno));
    if (rule.parent_fd >= 0)
        close(rule.parent_fd);
    return error;
}

static int allow_port(int ruleset, uint16_t port)
{
    const struct net_port rule = {.allowed = NET_CONNECT, .port = port};

    if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0)
        return 0;
    message("cannot confine itself to port %u: %s", port, error_reason(errno));
    return -1;
}

int landlock_enter(const struct landlock_folder *folders, size_t num_folders, const uint16_t *ports, size_t num_ports)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset all = all_of_version(version);
    int ruleset, error = 0;

    if (version < 0)
        return 0; /* not built in, or not enabled */
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    for (size_t i = 0; i < num_folders && ruleset >= 0 && !error; i++)
        error = allow(ruleset, &all, &folders[i]);
    for (size_t i = 0; i < num_ports && all.net && ruleset >= 0 && !error; i++)
        error = allow_port(ruleset, ports[i]);
    if (!error && (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0))) {
        message("cannot give up its rights to files: %s", error_reason(errno));
        error = -1;
    }
    if (ruleset >= 0)
        close(ruleset);
    return error;
}
