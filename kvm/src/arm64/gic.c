/* SPDX-License-Identifier: BSD-2-Clause */
#include "gic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../../../src/common/error_reason.h"
#include "../arch.h"
#include "../resource.h"
#include "../vm.h"
#include "layout.h"

static int wanted_version; /* 0: the best */

int kvm_use_gic(int version)
{
    if (version != 0 && version != 2 && version != 3)
        return -EINVAL;
    wanted_version = version;
    return 0;
}

int kvm_gic_version(const vm_t *vm)
{
    if (vm->arch.gic)
        return vm->arch.gic->version;
    return wanted_version ? wanted_version : 3;
}

bool kvm_gic_has_its(const vm_t *vm)
{
    return vm->arch.gic ? vm->arch.gic->its_fd >= 0 : kvm_gic_version(vm) == 3;
}

/* --- KVM's devices --- */

static int device_create(const vm_t *vm, uint32_t type)
{
    struct kvm_create_device request = {.type = type};

    if (kvm_resource_fails() || ioctl(kvm_vm_of(vm)->fd, KVM_CREATE_DEVICE, &request))
        return -1;
    return (int)request.fd;
}

static int device_set(const vm_t *vm, int fd, uint32_t group, uint64_t attribute, const void *value)
{
    struct kvm_device_attr request = {.group = group, .attr = attribute, .addr = (uintptr_t)value};

    if (ioctl(fd, KVM_SET_DEVICE_ATTR, &request) == 0)
        return 0;
    ZF_LOGE("VM %s: KVM does not set up the interrupt controller (group %u, attribute %" PRIu64 "): %s", vm->vm_name,
            group, attribute, error_reason(errno));
    return -1;
}

static int device_set_address(const vm_t *vm, int fd, uint64_t what, uint64_t address)
{
    return device_set(vm, fd, KVM_DEV_ARM_VGIC_GRP_ADDR, what, &address);
}

/* --- making --- */

static int create_v3(vm_t *vm, struct kvm_gic *gic)
{
    gic->fd = device_create(vm, KVM_DEV_TYPE_ARM_VGIC_V3);
    if (gic->fd < 0)
        return -1;
    gic->version = 3;
    gic->its_fd = device_create(vm, KVM_DEV_TYPE_ARM_VGIC_ITS);
    if (gic->its_fd < 0)
        ZF_LOGW("VM %s: KVM has no ITS (%s), so devices have no MSI", vm->vm_name, error_reason(errno));
    return 0;
}

static int create_v2(vm_t *vm, struct kvm_gic *gic)
{
    gic->fd = device_create(vm, KVM_DEV_TYPE_ARM_VGIC_V2);
    if (gic->fd < 0)
        return -1;
    gic->version = 2;
    return 0;
}

static int create_wanted(vm_t *vm, struct kvm_gic *gic)
{
    if (wanted_version != 2 && create_v3(vm, gic) == 0)
        return 0;
    /* Another one takes the place of what KVM does not have, but not of what it could not make. */
    if ((wanted_version == 2 || (wanted_version == 0 && errno == ENODEV)) && create_v2(vm, gic) == 0)
        return 0;
    if (wanted_version)
        ZF_LOGE("VM %s: this machine's KVM has no GICv%d for guests: %s; ask for the other version, or for none",
                vm->vm_name, wanted_version, error_reason(errno));
    else
        ZF_LOGE("VM %s: this machine's KVM has no interrupt controller for guests: %s", vm->vm_name,
                error_reason(errno));
    return -1;
}

static int set_addresses(vm_t *vm, const struct kvm_gic *gic)
{
    uint32_t num_irqs = ARCH_NUM_IRQS;

    if (device_set(vm, gic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &num_irqs))
        return -1;
    if (gic->version == 2)
        return device_set_address(vm, gic->fd, KVM_VGIC_V2_ADDR_TYPE_DIST, LAYOUT_GIC_DISTRIBUTOR) ||
                       device_set_address(vm, gic->fd, KVM_VGIC_V2_ADDR_TYPE_CPU, LAYOUT_GIC_CPU)
                   ? -1
                   : 0;
    if (device_set_address(vm, gic->fd, KVM_VGIC_V3_ADDR_TYPE_DIST, LAYOUT_GIC_DISTRIBUTOR) ||
        device_set_address(vm, gic->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST, LAYOUT_GIC_REDISTRIBUTORS))
        return -1;
    return gic->its_fd < 0 ? 0 : device_set_address(vm, gic->its_fd, KVM_VGIC_ITS_ADDR_TYPE, LAYOUT_GIC_ITS);
}

int kvm_gic_create(vm_t *vm)
{
    struct kvm_gic *gic = kvm_alloc(1, sizeof(*gic));

    if (!gic) {
        ZF_LOGE("VM %s: no memory for an interrupt controller", vm->vm_name);
        return -1;
    }
    gic->fd = gic->its_fd = -1;
    vm->arch.gic = gic;
    return create_wanted(vm, gic) || set_addresses(vm, gic) ? -1 : 0;
}

int kvm_gic_complete(vm_t *vm)
{
    const struct kvm_gic *gic = vm->arch.gic;

    if (device_set(vm, gic->fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL))
        return -1;
    return gic->its_fd < 0 ? 0
                           : device_set(vm, gic->its_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

void kvm_gic_destroy(vm_t *vm)
{
    struct kvm_gic *gic = vm->arch.gic;

    if (!gic)
        return;
    if (gic->its_fd >= 0)
        close(gic->its_fd);
    if (gic->fd >= 0)
        close(gic->fd);
    free(gic);
    vm->arch.gic = NULL;
}
