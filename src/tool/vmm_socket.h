/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a hub waits for VMMs: sockets beside those of host programs, NAME@VM.DOOR or NAME.END.DOOR. */
#pragma once

#include "../qmp/vmm_device.h"

/**
 * Finds the socket of a connection at which a hub waits for a VMM.
 *
 * @param name a connection; NAME.0 or NAME.1, which choose an end; or a path of a socket
 * @param vm   only the end of this VM; NULL: of any
 * @param dir  only there; NULL: in the directories in which programs look
 * @return 0, or -1 after a message: none, or several
 */
int vmm_socket_find(struct vmm_socket *found, const char *name, const char *vm, const char *dir);
