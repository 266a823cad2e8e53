/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sel4vm_api.c has not, since it is there on x86 only: I/O ports.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

#include <sel4vm/arch/ioports.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/arch/drivers/vmm_pci_helper.h>

#include "same.h"

SAME_VALUE(IO_FAULT_HANDLED, 0);
SAME_VALUE(IO_FAULT_UNHANDLED, 1);
SAME_VALUE(IO_FAULT_ERROR, 2);
SAME_TYPE((vm_ioport_in_fn)0,
          ioport_fault_result_t (*)(vm_vcpu_t *, void *, unsigned int, unsigned int, unsigned int *));
SAME_TYPE((vm_ioport_out_fn)0,
          ioport_fault_result_t (*)(vm_vcpu_t *, void *, unsigned int, unsigned int, unsigned int));
SAME_TYPE((unhandled_ioport_callback_fn)0,
          ioport_fault_result_t (*)(vm_vcpu_t *, unsigned int, bool, unsigned int *, size_t, void *));
SAME_MEMBER(vm_ioport_range_t, start, uint16_t);
SAME_MEMBER(vm_ioport_range_t, end, uint16_t);
SAME_MEMBER(vm_ioport_interface_t, cookie, void *);
SAME_MEMBER(vm_ioport_interface_t, port_in, vm_ioport_in_fn);
SAME_MEMBER(vm_ioport_interface_t, port_out, vm_ioport_out_fn);
SAME_MEMBER(vm_ioport_interface_t, desc, const char *);
SAME_MEMBER(vm_ioport_entry_t, range, vm_ioport_range_t);
SAME_MEMBER(vm_ioport_entry_t, interface, vm_ioport_interface_t);
SAME_MEMBER(vm_io_port_list_t, num_ioports, int);
SAME_MEMBER(vm_io_port_list_t, ioports, vm_ioport_entry_t *);
SAME_MEMBER(struct vm_arch, ioport_list, vm_io_port_list_t);
SAME_MEMBER(struct vm_arch, unhandled_ioport_callback, unhandled_ioport_callback_fn);
SAME_MEMBER(struct vm_arch, unhandled_ioport_callback_cookie, void *);
SAME_FUNCTION(vm_io_port_add_handler, int, (vm_t *, vm_ioport_range_t, vm_ioport_interface_t));
SAME_FUNCTION(vm_register_unhandled_ioport_callback, int, (vm_t *, unhandled_ioport_callback_fn, void *));
SAME_FUNCTION(vmm_pci_io_port_in, ioport_fault_result_t,
              (vm_vcpu_t *, void *, unsigned int, unsigned int, unsigned int *));
SAME_FUNCTION(vmm_pci_io_port_out, ioport_fault_result_t,
              (vm_vcpu_t *, void *, unsigned int, unsigned int, unsigned int));
