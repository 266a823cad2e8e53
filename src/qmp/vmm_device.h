/* SPDX-License-Identifier: BSD-2-Clause */
/* An end of a connection as a device of QEMU: the same for a command line and for a QEMU that runs. */
#pragma once

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include <crossvm/crossvm.h>

/** A socket at which a hub waits for a VMM. */
struct vmm_socket {
    char path[PATH_MAX];                  /**< absolute */
    char name[CROSSVM_FULL_NAME_BYTES];   /**< of the connection */
    char chosen[CROSSVM_FULL_NAME_BYTES]; /**< the VM whose end it is, or the end's number */
    bool is_of_vm;                        /**< which of the two */
    enum crossvm_door door;               /**< vfio-user or ivshmem */
};

/** What the identifiers of our devices begin with; the name of the connection follows. */
#define VMM_DEVICE_ID_PREFIX "crossvm-"

#define VMM_DEVICE_ID_BYTES (sizeof(VMM_DEVICE_ID_PREFIX ".0") + CROSSVM_FULL_NAME_BYTES)

/** The identifier of the device and of its character device: crossvm-NAME, or crossvm-NAME.END without a VM's name. */
void vmm_device_id(const struct vmm_socket *socket, char id[VMM_DEVICE_ID_BYTES]);

/** QEMU's model of the device. */
const char *vmm_device_model(const struct vmm_socket *socket);

/** Whether arguments can have that path of a socket: JSON is UTF-8. */
bool vmm_device_can_have(const char *path);

/**
 * The arguments of QMP's device_add and, for the door ivshmem, of chardev-add, which comes first.
 *
 * @param bus the device's; NULL: QEMU chooses
 * @return an object for the caller; NULL without memory, or if !vmm_device_can_have() the socket's path
 */
json_t *vmm_device_arguments(const struct vmm_socket *socket, const char *bus);
json_t *vmm_device_chardev_arguments(const struct vmm_socket *socket);

/**
 * The values of QEMU's options -device and -chardev, of a path that arguments can have; for the caller to free(). NULL
 * after a message.
 */
char *vmm_device_text(const struct vmm_socket *socket);
char *vmm_device_chardev_text(const struct vmm_socket *socket);
