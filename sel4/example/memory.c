/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <utils/util.h>
#include <vka/capops.h>
#include <vka/object.h>

#include "protocol.h"

int memory_allocate(vka_t *vka, seL4_CPtr *frames, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        vka_object_t frame;

        if (vka_alloc_frame(vka, FRAME_BITS, &frame)) {
            ZF_LOGE("cannot allocate frame %zu of %zu: give the VMM more untyped memory", i, n);
            return -1;
        }
        frames[i] = frame.cptr;
    }
    return 0;
}

int memory_copy(vka_t *vka, const seL4_CPtr *frames, seL4_CPtr *copies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cspacepath_t from;
        cspacepath_t to;

        vka_cspace_make_path(vka, frames[i], &from);
        if (vka_cspace_alloc_path(vka, &to) || vka_cnode_copy(&to, &from, seL4_AllRights) != seL4_NoError) {
            ZF_LOGE("cannot copy the capability to frame %zu of %zu: give the VMM a larger CNode", i, n);
            return -1;
        }
        copies[i] = to.capPtr;
    }
    return 0;
}
