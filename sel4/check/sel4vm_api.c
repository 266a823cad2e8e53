/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface of libsel4vm and libsel4vmmplatsupport as this project knows it: what the module in src/vmm uses, and
 * beyond that all that kvm/include repeats of it for VMMs.
 *
 * Nothing here is run. The file is compiled with the headers in kvm/include in each build, and with a seL4 workspace's
 * own headers by `make sel4-check`. Where the one passes and the other does not, the two have drifted apart.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

#include <pci/helper.h>
#include <pci/pci.h>
#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm/guest_vcpu_fault.h>
#include <sel4vm/guest_vm.h>
#include <sel4vm/guest_vm_exits.h>
#include <sel4vmmplatsupport/device.h>
#include <sel4vmmplatsupport/drivers/pci.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <sel4vmmplatsupport/guest_memory_util.h>
#include <utils/util.h>
#include <vspace/vspace.h>

#include "same.h"

/* --- sel4/sel4.h --- */

_Static_assert((seL4_Word)-1 > 0, "seL4_Word is signed");
_Static_assert(sizeof(seL4_Word) == sizeof(void *), "seL4_Word is no machine word");
SAME_TYPE((seL4_CPtr)0, seL4_Word);
SAME_VALUE(seL4_CapNull, 0);
SAME_VALUE(seL4_PageBits, 12);
SAME_TYPE(seL4_AllRights, seL4_CapRights_t);
SAME_TYPE(seL4_CanRead, seL4_CapRights_t);
SAME_TYPE(seL4_NoRights, seL4_CapRights_t);
_Static_assert(CONFIG_MAX_NUM_NODES >= 1, "a VM has no vCPU");

/* --- utils/util.h, which brings the log --- */

#ifndef ZF_LOGE
#error "utils/util.h has no ZF_LOGE"
#endif
#ifndef ZF_LOGW
#error "utils/util.h has no ZF_LOGW"
#endif
#ifndef ZF_LOGI
#error "utils/util.h has no ZF_LOGI"
#endif
SAME_VALUE(BIT(5), 32);
SAME_VALUE(PAGE_BITS_4K, 12);
SAME_VALUE(PAGE_BITS_2M, 21);

/* --- sel4vm/guest_vm.h --- */

SAME_MEMBER(vm_t, arch, struct vm_arch);
SAME_MEMBER(vm_t, num_vcpus, unsigned int);
SAME_MEMBER(vm_t, vcpus[0], struct vm_vcpu *);
SAME_MEMBER(vm_t, mem, struct vm_mem);
SAME_MEMBER(vm_t, run, struct vm_run);
SAME_MEMBER(vm_t, host_endpoint, seL4_CPtr);
SAME_MEMBER(vm_t, vka, vka_t *);
SAME_MEMBER(vm_t, io_ops, ps_io_ops_t *);
SAME_MEMBER(vm_t, simple, simple_t *);
SAME_MEMBER(vm_t, entry, seL4_Word);
SAME_MEMBER(vm_t, vm_name, char *);
SAME_MEMBER(vm_t, vm_id, unsigned int);
SAME_MEMBER(vm_t, vm_initialised, bool);
SAME_MEMBER(vm_vcpu_t, vm, struct vm *);
SAME_MEMBER(vm_vcpu_t, tcb, struct vm_tcb);
SAME_MEMBER(vm_vcpu_t, vcpu_id, unsigned int);
SAME_MEMBER(vm_vcpu_t, target_cpu, int);
SAME_MEMBER(vm_vcpu_t, vcpu_online, bool);
SAME_MEMBER(vm_vcpu_t, vcpu_arch, struct vm_vcpu_arch);
SAME_MEMBER(struct vm_tcb, priority, int);
SAME_MEMBER(vm_mem_t, vmm_vspace, vspace_t);
SAME_MEMBER(vm_mem_t, vm_vspace, vspace_t);
SAME_MEMBER(vm_mem_t, num_ram_regions, int);
SAME_MEMBER(vm_mem_t, ram_regions, struct vm_ram_region *);
SAME_MEMBER(vm_mem_t, reservation_cookie, vm_memory_reservation_cookie_t *);
SAME_MEMBER(vm_mem_t, unhandled_mem_fault_handler, unhandled_mem_fault_callback_fn);
SAME_MEMBER(vm_mem_t, unhandled_mem_fault_cookie, void *);
SAME_MEMBER(vm_ram_region_t, start, uintptr_t);
SAME_MEMBER(vm_ram_region_t, size, size_t);
SAME_MEMBER(vm_ram_region_t, allocated, int);
SAME_MEMBER(vm_run_t, exit_reason, int);
SAME_MEMBER(vm_run_t, notification_callback, notification_callback_fn);
SAME_MEMBER(vm_run_t, notification_callback_cookie, void *);
SAME_TYPE((vm_arch_t *)0, struct vm_arch *);
SAME_TYPE((unhandled_mem_fault_callback_fn)0,
          memory_fault_result_t (*)(vm_t *, vm_vcpu_t *, uintptr_t, size_t, void *));
SAME_TYPE((notification_callback_fn)0, int (*)(vm_t *, seL4_Word, seL4_MessageInfo_t, void *));
SAME_FUNCTION(vm_run, int, (vm_t *));
SAME_FUNCTION(vcpu_start, int, (vm_vcpu_t *));
SAME_FUNCTION(vm_register_unhandled_mem_fault_callback, int, (vm_t *, unhandled_mem_fault_callback_fn, void *));
SAME_FUNCTION(vm_register_notification_callback, int, (vm_t *, notification_callback_fn, void *));

/* --- sel4vm/guest_vm_exits.h --- */

SAME_VALUE(VM_GUEST_MMIO_EXIT, 0);
SAME_VALUE(VM_GUEST_IO_EXIT, 1);
SAME_VALUE(VM_GUEST_NOTIFICATION_EXIT, 2);
SAME_VALUE(VM_GUEST_UNKNOWN_EXIT, 3);
SAME_VALUE(VM_GUEST_ERROR_EXIT, -1);

/* --- sel4vm/boot.h --- */

SAME_VALUE(BOOT_VCPU, 0);
SAME_FUNCTION(vm_init, int, (vm_t *, vka_t *, simple_t *, vspace_t, ps_io_ops_t *, seL4_CPtr, const char *));
SAME_FUNCTION(vm_create_vcpu, vm_vcpu_t *, (vm_t *, int));
SAME_FUNCTION(vm_assign_vcpu_target, int, (vm_vcpu_t *, int));

/* --- sel4vm/guest_irq_controller.h --- */

SAME_TYPE((irq_ack_fn_t)0, void (*)(vm_vcpu_t *, int, void *));
SAME_FUNCTION(vm_inject_irq, int, (vm_vcpu_t *, int));
SAME_FUNCTION(vm_set_irq_level, int, (vm_vcpu_t *, int, int));
SAME_FUNCTION(vm_register_irq, int, (vm_vcpu_t *, int, irq_ack_fn_t, void *));
SAME_FUNCTION(vm_create_default_irq_controller, int, (vm_t *));

/* --- sel4vm/guest_memory.h and guest_memory_helpers.h --- */

SAME_MEMBER(vm_frame_t, cptr, seL4_CPtr);
SAME_MEMBER(vm_frame_t, rights, seL4_CapRights_t);
SAME_MEMBER(vm_frame_t, vaddr, uintptr_t);
SAME_MEMBER(vm_frame_t, size_bits, size_t);
SAME_VALUE(FAULT_HANDLED, 0);
SAME_VALUE(FAULT_UNHANDLED, 1);
SAME_VALUE(FAULT_RESTART, 2);
SAME_VALUE(FAULT_IGNORE, 3);
SAME_VALUE(FAULT_ERROR, 4);
SAME_TYPE((memory_fault_callback_fn)0, memory_fault_result_t (*)(vm_t *, vm_vcpu_t *, uintptr_t, size_t, void *));
SAME_TYPE((memory_map_iterator_fn)0, vm_frame_t (*)(uintptr_t, void *));
SAME_FUNCTION(vm_reserve_memory_at, vm_memory_reservation_t *,
              (vm_t *, uintptr_t, size_t, memory_fault_callback_fn, void *));
SAME_FUNCTION(vm_reserve_anon_memory, vm_memory_reservation_t *,
              (vm_t *, size_t, size_t, memory_fault_callback_fn, void *, uintptr_t *));
SAME_FUNCTION(vm_memory_make_anon, int, (vm_t *, uintptr_t, size_t));
SAME_FUNCTION(vm_free_reserved_memory, int, (vm_t *, vm_memory_reservation_t *));
SAME_FUNCTION(vm_map_reservation, int, (vm_t *, vm_memory_reservation_t *, memory_map_iterator_fn, void *));
SAME_FUNCTION(vm_map_reservation_frames, int, (vm_t *, vm_memory_reservation_t *, seL4_CPtr *, size_t, size_t));
SAME_FUNCTION(vm_get_reservation_memory_region, void, (vm_memory_reservation_t *, uintptr_t *, size_t *));
SAME_FUNCTION(default_error_fault_callback, memory_fault_result_t, (vm_t *, vm_vcpu_t *, uintptr_t, size_t, void *));

/* --- sel4vm/guest_ram.h --- */

SAME_TYPE((ram_touch_callback_fn)0, int (*)(vm_t *, uintptr_t, void *, size_t, size_t, void *));
SAME_FUNCTION(vm_guest_ram_read_callback, int, (vm_t *, uintptr_t, void *, size_t, size_t, void *));
SAME_FUNCTION(vm_guest_ram_write_callback, int, (vm_t *, uintptr_t, void *, size_t, size_t, void *));
SAME_FUNCTION(vm_ram_touch, int, (vm_t *, uintptr_t, size_t, ram_touch_callback_fn, void *));
SAME_FUNCTION(vm_ram_find_largest_free_region, int, (vm_t *, uintptr_t *, size_t *));
SAME_FUNCTION(vm_ram_register, uintptr_t, (vm_t *, size_t));
SAME_FUNCTION(vm_ram_register_at, int, (vm_t *, uintptr_t, size_t, bool));
SAME_FUNCTION(vm_ram_register_at_custom_iterator, int, (vm_t *, uintptr_t, size_t, memory_map_iterator_fn, void *));
SAME_FUNCTION(vm_ram_mark_allocated, void, (vm_t *, uintptr_t, size_t));
SAME_FUNCTION(vm_ram_allocate, uintptr_t, (vm_t *, size_t));
SAME_FUNCTION(vm_ram_free, void, (vm_t *, uintptr_t, size_t));

/* --- sel4vm/guest_vcpu_fault.h --- */

SAME_FUNCTION(get_vcpu_fault_address, seL4_Word, (vm_vcpu_t *));
SAME_FUNCTION(get_vcpu_fault_ip, seL4_Word, (vm_vcpu_t *));
SAME_FUNCTION(get_vcpu_fault_data, seL4_Word, (vm_vcpu_t *));
SAME_FUNCTION(get_vcpu_fault_data_mask, seL4_Word, (vm_vcpu_t *));
SAME_FUNCTION(get_vcpu_fault_size, size_t, (vm_vcpu_t *));
SAME_FUNCTION(is_vcpu_read_fault, bool, (vm_vcpu_t *));
SAME_FUNCTION(set_vcpu_fault_data, int, (vm_vcpu_t *, seL4_Word));
SAME_FUNCTION(emulate_vcpu_fault, seL4_Word, (vm_vcpu_t *, seL4_Word));
SAME_FUNCTION(advance_vcpu_fault, void, (vm_vcpu_t *));
SAME_FUNCTION(restart_vcpu_fault, void, (vm_vcpu_t *));

/* --- sel4vmmplatsupport/guest_memory_util.h --- */

SAME_FUNCTION(create_allocated_reservation_frame, void *,
              (vm_t *, uintptr_t, seL4_CapRights_t, memory_fault_callback_fn, void *));
SAME_FUNCTION(map_frame_alloc_reservation, int, (vm_t *, vm_memory_reservation_t *));

/* --- vspace/vspace.h --- */

SAME_FUNCTION(vspace_share_mem, void *, (vspace_t *, vspace_t *, void *, int, size_t, seL4_CapRights_t, int));
SAME_FUNCTION(vspace_get_cap, seL4_CPtr, (vspace_t *, void *));
SAME_FUNCTION(vspace_unmap_pages, void, (vspace_t *, void *, size_t, size_t, vka_t *));

/* --- sel4vmmplatsupport/device.h --- */

SAME_MEMBER(struct device, name, const char *);
SAME_MEMBER(struct device, pstart, seL4_Word);
SAME_MEMBER(struct device, size, seL4_Word);
SAME_MEMBER(struct device, handle_device_fault, int (*)(vm_t *, vm_vcpu_t *, struct device *, uintptr_t, size_t));
SAME_MEMBER(struct device, priv, void *);
SAME_MEMBER(device_list_t, devices, struct device *);
SAME_MEMBER(device_list_t, num_devices, int);
SAME_FUNCTION(device_list_init, int, (device_list_t *));
SAME_FUNCTION(add_device, int, (device_list_t *, const struct device *));
SAME_FUNCTION(find_device_by_pa, struct device *, (device_list_t *, uintptr_t));

/* --- sel4vmmplatsupport/drivers/pci.h --- */

SAME_MEMBER(vmm_pci_address_t, bus, uint8_t);
SAME_MEMBER(vmm_pci_address_t, dev, uint8_t);
SAME_MEMBER(vmm_pci_address_t, fun, uint8_t);
SAME_MEMBER(vmm_pci_entry_t, cookie, void *);
SAME_MEMBER(vmm_pci_entry_t, ioread, int (*)(void *, int, int, uint32_t *));
SAME_MEMBER(vmm_pci_entry_t, iowrite, int (*)(void *, int, int, uint32_t));
SAME_MEMBER(vmm_pci_space_t, bus0[0][0], vmm_pci_entry_t *);
SAME_VALUE(sizeof(((vmm_pci_space_t *)0)->bus0), 32 * 8 * sizeof(vmm_pci_entry_t *));
SAME_VALUE(sizeof(((vmm_pci_space_t *)0)->bus0[0]), 8 * sizeof(vmm_pci_entry_t *));
SAME_MEMBER(vmm_pci_space_t, conf_port_addr, uint32_t);
SAME_FUNCTION(vmm_pci_init, int, (vmm_pci_space_t **));
SAME_FUNCTION(vmm_pci_add_entry, int, (vmm_pci_space_t *, vmm_pci_entry_t, vmm_pci_address_t *));
SAME_FUNCTION(make_addr_reg_from_config, void, (uint32_t, vmm_pci_address_t *, uint8_t *));
SAME_FUNCTION(find_device, vmm_pci_entry_t *, (vmm_pci_space_t *, vmm_pci_address_t));

/* --- sel4vmmplatsupport/drivers/pci_helper.h --- */

SAME_VALUE(offsetof(vmm_pci_device_def_t, device_id), 0x02);
SAME_VALUE(offsetof(vmm_pci_device_def_t, command), 0x04);
SAME_VALUE(offsetof(vmm_pci_device_def_t, class_code), 0x0b);
SAME_VALUE(offsetof(vmm_pci_device_def_t, header_type), 0x0e);
SAME_VALUE(offsetof(vmm_pci_device_def_t, bar0), 0x10);
SAME_VALUE(offsetof(vmm_pci_device_def_t, subsystem_id), 0x2e);
SAME_VALUE(offsetof(vmm_pci_device_def_t, caps_pointer), 0x34);
SAME_VALUE(offsetof(vmm_pci_device_def_t, interrupt_line), 0x3c);
SAME_VALUE(offsetof(vmm_pci_device_def_t, interrupt_pin), 0x3d);
SAME_VALUE(offsetof(vmm_pci_device_def_t, caps_len), 0x40);
SAME_MEMBER(vmm_pci_device_def_t, caps, void *);
SAME_VALUE(PCI_BAR_OFFSET(5), 0x24);
SAME_VALUE(NON_MEM, 0);
SAME_VALUE(NON_PREFETCH_MEM, 1);
SAME_VALUE(PREFETCH_MEM, 2);
SAME_MEMBER(vmm_pci_bar_t, mem_type, pci_mem_type_t);
SAME_MEMBER(vmm_pci_bar_t, address, uintptr_t);
SAME_MEMBER(vmm_pci_bar_t, size_bits, size_t);
SAME_FUNCTION(vmm_pci_entry_ignore_write, int, (void *, int, int, uint32_t));
SAME_FUNCTION(vmm_pci_mem_device_read, int, (void *, int, int, uint32_t *));
SAME_FUNCTION(vmm_pci_mem_device_write, int, (void *, int, int, uint32_t));
SAME_FUNCTION(define_pci_host_bridge, void, (vmm_pci_device_def_t *));
SAME_FUNCTION(vmm_pci_create_bar_emulation, vmm_pci_entry_t, (vmm_pci_entry_t, int, vmm_pci_bar_t *));
SAME_FUNCTION(vmm_pci_create_irq_emulation, vmm_pci_entry_t, (vmm_pci_entry_t, int));
SAME_FUNCTION(vmm_pci_create_cap_emulation, vmm_pci_entry_t,
              (vmm_pci_entry_t, int, uint8_t *, int, uint8_t *, uint8_t *));

/* --- pci/pci.h and pci/helper.h --- */

SAME_VALUE(PCI_CONF_PORT_ADDR, 0xcf8);
SAME_VALUE(PCI_CONF_PORT_ADDR_END, 0xcfc);
SAME_VALUE(PCI_CONF_PORT_DATA, 0xcfc);
SAME_VALUE(PCI_CONF_PORT_DATA_END, 0xd00);
SAME_VALUE(PCI_STD_HEADER_SIZEOF, 64);
SAME_VALUE(PCI_VENDOR_ID, 0x00);
SAME_VALUE(PCI_VENDOR_ID_INVALID, 0xffff);
SAME_VALUE(PCI_DEVICE_ID, 0x02);
SAME_VALUE(PCI_COMMAND, 0x04);
SAME_VALUE(PCI_COMMAND_IO, 0x1);
SAME_VALUE(PCI_COMMAND_MEMORY, 0x2);
SAME_VALUE(PCI_COMMAND_MASTER, 0x4);
SAME_VALUE(PCI_COMMAND_INTX_DISABLE, 0x400);
SAME_VALUE(PCI_STATUS, 0x06);
SAME_VALUE(PCI_STATUS_INTERRUPT, 0x08);
SAME_VALUE(PCI_STATUS_CAP_LIST, 0x10);
SAME_VALUE(PCI_REVISION_ID, 0x08);
SAME_VALUE(PCI_CLASS_PROG, 0x09);
SAME_VALUE(PCI_CLASS_DEVICE, 0x0a);
SAME_VALUE(PCI_CLASS_MEMORY_RAM, 0x0500);
SAME_VALUE(PCI_CACHE_LINE_SIZE, 0x0c);
SAME_VALUE(PCI_LATENCY_TIMER, 0x0d);
SAME_VALUE(PCI_HEADER_TYPE, 0x0e);
SAME_VALUE(PCI_HEADER_TYPE_NORMAL, 0);
SAME_VALUE(PCI_BASE_ADDRESS_0, 0x10);
SAME_VALUE(PCI_BASE_ADDRESS_1, 0x14);
SAME_VALUE(PCI_BASE_ADDRESS_2, 0x18);
SAME_VALUE(PCI_BASE_ADDRESS_3, 0x1c);
SAME_VALUE(PCI_BASE_ADDRESS_4, 0x20);
SAME_VALUE(PCI_BASE_ADDRESS_5, 0x24);
SAME_VALUE(PCI_BASE_ADDRESS_SPACE_MEMORY, 0x00);
SAME_VALUE(PCI_BASE_ADDRESS_SPACE_IO, 0x01);
SAME_VALUE(PCI_BASE_ADDRESS_MEM_TYPE_64, 0x04);
SAME_VALUE(PCI_BASE_ADDRESS_MEM_PREFETCH, 0x08);
SAME_VALUE(PCI_SUBSYSTEM_VENDOR_ID, 0x2c);
SAME_VALUE(PCI_SUBSYSTEM_ID, 0x2e);
SAME_VALUE(PCI_ROM_ADDRESS, 0x30);
SAME_VALUE(PCI_CAPABILITY_LIST, 0x34);
SAME_VALUE(PCI_INTERRUPT_LINE, 0x3c);
SAME_VALUE(PCI_INTERRUPT_PIN, 0x3d);
SAME_VALUE(PCI_CAP_LIST_ID, 0);
SAME_VALUE(PCI_CAP_LIST_NEXT, 1);
SAME_VALUE(PCI_CAP_ID_MSI, 0x05);
SAME_VALUE(PCI_CAP_ID_VNDR, 0x09);
SAME_VALUE(PCI_CAP_ID_MSIX, 0x11);
