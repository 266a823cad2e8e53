/* SPDX-License-Identifier: BSD-2-Clause */
#include "own_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/size.h"

/*
 * A range that Linux distributions leave free (systemd: UIDS-GIDS). A process ID has 22 bits, so each process has a
 * number of its own while it lives.
 */
#define FIRST_OWN_USER 0x70000000u

/* getpwnam() needs shared libraries, which a static program must not rely on. */
static bool find_name(struct own_user *user, const char *name)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *entry = NULL;

    while (file && (entry = fgetpwent(file)) && strcmp(entry->pw_name, name) != 0)
        ;
    if (entry)
        *user = (struct own_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
    if (file)
        (void)fclose(file);
    return entry;
}

bool own_user_choose(struct own_user *user, const char *wanted)
{
    uint64_t number = 0;

    if (!wanted) {
        number = FIRST_OWN_USER + (uint32_t)getpid();
        *user = (struct own_user){.uid = (uid_t)number, .gid = (gid_t)number};
        return true;
    }
    if (number_parse(wanted, NULL, &number) && number < UINT32_MAX) {
        *user = (struct own_user){.uid = (uid_t)number, .gid = (gid_t)number};
        return true;
    }
    if (find_name(user, wanted))
        return true;
    message("--user: \"%s\" is no user of /etc/passwd, nor a number", wanted);
    return false;
}

int own_user_become(const struct own_user *user)
{
    pid_t parent = getppid();
    int end_signal = 0;

    (void)prctl(PR_GET_PDEATHSIG, &end_signal);
    if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
        setresuid(user->uid, user->uid, user->uid)) {
        message("cannot go on as user %u: %s; name another one with --user, or do without with --no-sandbox",
                (unsigned int)user->uid, error_reason(errno));
        return -1;
    }
    /* The kernel forgets the signal when the user changes. The parent may have ended before it was set again. */
    if (end_signal && prctl(PR_SET_PDEATHSIG, end_signal)) {
        message("cannot end with the program that started it: %s", error_reason(errno));
        return -1;
    }
    if (end_signal && getppid() != parent)
        (void)raise(end_signal);
    return 0;
}
