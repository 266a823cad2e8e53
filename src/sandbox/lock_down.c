/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_down.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../common/message.h"
#include "violation.h"

/* --- capabilities --- */

static struct __user_cap_header_struct header(void)
{
    return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static bool has_capability(unsigned int capability)
{
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
    struct __user_cap_header_struct head = header();

    return syscall(SYS_capget, &head, sets) == 0 && sets[capability / 32].effective & 1u << capability % 32;
}

static int drop_capabilities(bool keep_access)
{
    struct __user_cap_data_struct kept[_LINUX_CAPABILITY_U32S_3] = {0};
    struct __user_cap_header_struct head = header();

    if (keep_access && has_capability(CAP_DAC_OVERRIDE))
        kept[CAP_DAC_OVERRIDE / 32].effective = kept[CAP_DAC_OVERRIDE / 32].permitted = 1u << CAP_DAC_OVERRIDE % 32;
    if (syscall(SYS_capset, &head, kept) == 0)
        return 0;
    message("cannot give up its capabilities: %s", error_reason(errno));
    return -1;
}

/* --- a world of its own --- */

/* An empty file system that is mounted nowhere becomes the root directory. */
static int enter_empty_root(void)
{
    int context = fsopen("tmpfs", FSOPEN_CLOEXEC), root = -1, error = -1;

    if (context >= 0 && fsconfig(context, FSCONFIG_SET_STRING, "size", "4096", 0) == 0 &&
        fsconfig(context, FSCONFIG_SET_STRING, "mode", "0555", 0) == 0 &&
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        root = fsmount(context, FSMOUNT_CLOEXEC,
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (root >= 0 && fchdir(root) == 0 && chroot(".") == 0)
        error = 0;
    else
        message("cannot enter an empty root directory: %s; is this Linux older than 5.2?", error_reason(errno));
    if (root >= 0)
        close(root);
    if (context >= 0)
        close(context);
    return error;
}

/* Root of a container may not do this, and has no more of the machine than its container. */
static int leave_the_host(void)
{
    if (!has_capability(CAP_SYS_ADMIN) || !has_capability(CAP_SYS_CHROOT))
        return 0;
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)) {
        message("cannot leave the host's namespaces: %s; does this kernel have CONFIG_NAMESPACES and CONFIG_NET_NS?",
                error_reason(errno));
        return -1;
    }
    return enter_empty_root();
}

/* --- all together --- */

static bool has_filters(void)
{
    uint32_t action = SECCOMP_RET_TRAP;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int lock_down(const struct lock_down *lock)
{
    /* One heap for all threads: for a second one the C library may look into /sys for the number of CPUs. */
    (void)mallopt(M_ARENA_MAX, 1);
    if (lock->isolated && geteuid() == 0 && (leave_the_host() || own_user_become(&lock->user)))
        return -1;
    if (drop_capabilities(lock->keeps_access))
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
        message("cannot renounce new privileges: %s", error_reason(errno));
        return -1;
    }
    if (!has_filters()) {
        message("this kernel has no filters of system calls (CONFIG_SECCOMP_FILTER), which confine this program; "
                "--no-sandbox does without");
        return -1;
    }
    if (landlock_enter(lock->folders, lock->num_folders, lock->ports, lock->num_ports))
        return -1;
    return violation_prepare();
}
