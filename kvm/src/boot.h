/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux that is about to be loaded. */
#pragma once

#include <stdint.h>

#include <sel4vmmplatsupport/drivers/pci.h>

#include "image.h"
#include "kernel.h"

struct kvm_boot {
    struct kvm_image kernel_file;
    struct kvm_kernel kernel;
    struct kvm_image initramfs_file; /**< size 0: there is none */
    uint64_t initramfs;              /**< its guest physical address */
    const char *command_line;
    vmm_pci_space_t *pci;
};
