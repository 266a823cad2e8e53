/* SPDX-License-Identifier: BSD-2-Clause */
#include "check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <utils/util.h>

#include "../common/name.h"

/* The largest that a BAR of 32 bits can have. */
#define MAX_DATAPORT_SIZE ((uint64_t)1 << 31)

int cvmm_install_error(const char *name, const char *format, ...)
{
    char reason[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (name)
        ZF_LOGE("crossvm: connection \"%.*s\": %s", CROSSVM_FULL_NAME_BYTES, name, reason);
    else
        ZF_LOGE("crossvm: %s", reason);
    return -1;
}

crossvm_dataport_config_t cvmm_dataport_config(const crossvm_dataport_config_t *given)
{
    crossvm_dataport_config_t dataport = *given;

    if (!dataport.frame_size_bits)
        dataport.frame_size_bits = seL4_PageBits;
    if (!dataport.guest_rights)
        dataport.guest_rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE;
    return dataport;
}

size_t cvmm_bar_size(size_t bytes)
{
    size_t size = CROSSVM_PAGE_SIZE;

    while (size < bytes)
        size <<= 1;
    return size;
}

int cvmm_check_bus(const crossvm_bus_t *bus)
{
    if (!bus)
        return cvmm_install_error(NULL, "cannot install: no bus is given (NULL)");
    if (!bus->vm)
        return cvmm_install_error(NULL, "cannot install: no VM is given (NULL)");
    if (!bus->pci)
        return cvmm_install_error(NULL, "cannot install: no PCI space is given (NULL); make one with vmm_pci_init()");
    if (!bus->alloc_irq)
        return cvmm_install_error(NULL, "cannot install: no alloc_irq is given (NULL)");
    if (!bus->vm->vcpus[0])
        return cvmm_install_error(NULL, "cannot install: the VM has no vCPU yet; create it first");
    if (bus->base % CROSSVM_PAGE_SIZE)
        return cvmm_install_error(NULL, "cannot install: the base address 0x%zx is not a multiple of 4 KiB",
                                  (size_t)bus->base);
    if (bus->base > UINT32_MAX)
        return cvmm_install_error(NULL,
                                  "cannot install: the base address 0x%zx is not below 4 GiB, where 32-bit BARs end",
                                  (size_t)bus->base);
    return 0;
}

static int check_dataport(const char *name, size_t index, const crossvm_dataport_config_t *dataport)
{
    if (!dataport->frames)
        return cvmm_install_error(name, "dataport %zu has no frames (NULL)", index);
    if (dataport->num_frames == 0)
        return cvmm_install_error(name, "dataport %zu has 0 frames; give at least 1, or no dataport", index);
    if (dataport->frame_size_bits < 12 || dataport->frame_size_bits > 30)
        return cvmm_install_error(name, "dataport %zu: a frame of 2^%zu bytes is not of 4 KiB to 1 GiB", index,
                                  dataport->frame_size_bits);
    if (dataport->num_frames > MAX_DATAPORT_SIZE >> dataport->frame_size_bits)
        return cvmm_install_error(name, "dataport %zu: %zu frames of 2^%zu bytes exceed 2 GiB, the largest 32-bit BAR",
                                  index, dataport->num_frames, dataport->frame_size_bits);
    for (size_t i = 0; i < dataport->num_frames; i++) {
        if (dataport->frames[i] == seL4_CapNull)
            return cvmm_install_error(name, "dataport %zu: frame %zu is a null capability", index, i);
    }
    if (dataport->guest_rights != CROSSVM_RIGHT_READ &&
        dataport->guest_rights != (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE))
        return cvmm_install_error(name,
                                  "dataport %zu: guest rights 0x%x are neither read (0x1) nor read and write (0x3)",
                                  index, (unsigned int)dataport->guest_rights);
    return 0;
}

static int check_config(const crossvm_connection_config_t *config, size_t position)
{
    if (!config->name)
        return cvmm_install_error(NULL, "connection %zu of the installation has no name (NULL)", position);
    if (!name_is_valid(config->name))
        return cvmm_install_error(config->name, "the name is not 1 to %d of the characters A-Z a-z 0-9 . _ -",
                                  CROSSVM_FULL_NAME_BYTES - 1);
    if (config->num_dataports > CROSSVM_MAX_DATAPORTS)
        return cvmm_install_error(config->name, "%zu dataports are more than the %d that a device can have",
                                  config->num_dataports, CROSSVM_MAX_DATAPORTS);
    if (config->num_dataports && !config->dataports)
        return cvmm_install_error(config->name, "%zu dataports are said to be there, but dataports is NULL",
                                  config->num_dataports);
    if (config->base_block_only &&
        (config->num_dataports > 1 || config->peer_page != seL4_CapNull || config->own_page != seL4_CapNull))
        return cvmm_install_error(
            config->name, "a device with the base block only has at most one dataport, and no peer page or own page");
    if (config->end > 1)
        return cvmm_install_error(config->name, "there is no end %u; the ends are 0 and 1", (unsigned int)config->end);
    if (config->own_page != seL4_CapNull && (config->peer_page == seL4_CapNull || !config->emit_counted))
        return cvmm_install_error(config->name, "an own page needs a peer page and emit_counted");
    for (size_t i = 0; i < config->num_dataports; i++) {
        crossvm_dataport_config_t dataport = cvmm_dataport_config(&config->dataports[i]);

        if (check_dataport(config->name, i, &dataport))
            return -1;
    }
    return 0;
}

int cvmm_check_configs(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n)
{
    if (!configs)
        return cvmm_install_error(NULL, "cannot install: no connections are given (NULL)");
    if (n == 0)
        return cvmm_install_error(NULL, "cannot install 0 connections: give at least 1");
    for (size_t i = 0; i < n; i++) {
        if (check_config(&configs[i], i))
            return -1;
        if (crossvm_find(bus->vm, configs[i].name))
            return cvmm_install_error(configs[i].name, "the VM already has a connection of that name");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(configs[i].name, configs[j].name) == 0)
                return cvmm_install_error(configs[i].name, "the name is used twice in one installation");
        }
    }
    return 0;
}
