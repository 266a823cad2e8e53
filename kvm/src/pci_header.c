/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration header in memory: sel4vmmplatsupport/drivers/pci_helper.h. */
#include <string.h>

#include <pci/helper.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <utils/util.h>

#define CLASS_BRIDGE 0x06
#define SUBCLASS_HOST 0x00

static int access_check(int offset, int size)
{
    return offset < 0 || size < 1 || size > (int)sizeof(uint32_t) ? -1 : 0;
}

int vmm_pci_mem_device_read(void *cookie, int offset, int size, uint32_t *result)
{
    if (access_check(offset, size))
        return -1;
    *result = 0;
    if (offset + size <= PCI_STD_HEADER_SIZEOF)
        memcpy(result, (const uint8_t *)cookie + offset, (size_t)size);
    return 0;
}

int vmm_pci_mem_device_write(void *cookie, int offset, int size, uint32_t value)
{
    if (access_check(offset, size))
        return -1;
    if (offset + size <= PCI_STD_HEADER_SIZEOF)
        memcpy((uint8_t *)cookie + offset, &value, (size_t)size);
    return 0;
}

int vmm_pci_entry_ignore_write(void *cookie, int offset, int size, uint32_t value)
{
    (void)cookie;
    (void)offset;
    (void)size;
    (void)value;
    return 0;
}

void define_pci_host_bridge(vmm_pci_device_def_t *bridge)
{
    *bridge = (vmm_pci_device_def_t){
        .vendor_id = 0x5e14,
        .device_id = 0x0042,
        .revision_id = 1,
        .class_code = CLASS_BRIDGE,
        .subclass = SUBCLASS_HOST,
        .header_type = PCI_HEADER_TYPE_NORMAL,
    };
}
