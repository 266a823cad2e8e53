/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seL4 types that libsel4vm's interface uses.
 *
 * A capability (seL4_CPtr) names a frame of kvm_frames_create() or kvm_frames_import(). There are no other kinds of
 * capability here.
 */
#pragma once

#include <stdint.h>

/** The most vCPUs of a VM. */
#ifndef CONFIG_MAX_NUM_NODES
#define CONFIG_MAX_NUM_NODES 16
#endif

typedef unsigned long seL4_Word;
typedef seL4_Word seL4_CPtr;

#define seL4_CapNull 0
#define seL4_PageBits 12
#define seL4_LargePageBits 21

typedef struct seL4_CapRights {
    seL4_Word words[1];
} seL4_CapRights_t;

typedef struct seL4_MessageInfo {
    seL4_Word words[1];
} seL4_MessageInfo_t;

static inline seL4_CapRights_t seL4_CapRights_new(seL4_Word allow_grant_reply, seL4_Word allow_grant,
                                                  seL4_Word allow_read, seL4_Word allow_write)
{
    seL4_CapRights_t rights = {
        {(allow_grant_reply & 1) << 3 | (allow_grant & 1) << 2 | (allow_read & 1) << 1 | (allow_write & 1)}};

    return rights;
}

static inline seL4_Word seL4_CapRights_get_capAllowWrite(seL4_CapRights_t rights)
{
    return rights.words[0] & 1;
}

static inline seL4_Word seL4_CapRights_get_capAllowRead(seL4_CapRights_t rights)
{
    return rights.words[0] >> 1 & 1;
}

static inline seL4_Word seL4_CapRights_get_capAllowGrant(seL4_CapRights_t rights)
{
    return rights.words[0] >> 2 & 1;
}

static inline seL4_Word seL4_CapRights_get_capAllowGrantReply(seL4_CapRights_t rights)
{
    return rights.words[0] >> 3 & 1;
}

#define seL4_AllRights seL4_CapRights_new(1, 1, 1, 1)
#define seL4_ReadWrite seL4_CapRights_new(0, 0, 1, 1)
#define seL4_CanRead seL4_CapRights_new(0, 0, 1, 0)
#define seL4_CanWrite seL4_CapRights_new(0, 0, 0, 1)
#define seL4_NoWrite seL4_CapRights_new(1, 1, 1, 0)
#define seL4_NoRead seL4_CapRights_new(1, 1, 0, 1)
#define seL4_NoRights seL4_CapRights_new(0, 0, 0, 0)
