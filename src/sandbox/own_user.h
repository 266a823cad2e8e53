/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user as whom a process goes on that root has started: one that owns nothing.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct own_user {
    uid_t uid;
    gid_t gid;
};

/**
 * Chooses it.
 *
 * @param wanted a name of /etc/passwd, or a number, which is the group's as well; NULL: a number that no other process
 *               of this system has
 * @return false after a message
 */
bool own_user_choose(struct own_user *user, const char *wanted);

/** Becomes that user, without groups and capabilities. 0, or -1 after a message. */
int own_user_become(const struct own_user *user);
