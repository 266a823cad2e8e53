/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsel4vm on Linux KVM: what a VMM on Linux needs beyond the libsel4vm API.
 *
 * The rest of kvm/include repeats names and signatures of libsel4vm and libsel4vmmplatsupport, so that VMM code written
 * for seL4 compiles against it. This header is the Linux side: frames made of memfds, eventfds wired to the guest, MSI,
 * boot of a Linux kernel, a console, and one lock that stands for the single thread of a VMM on seL4.
 *
 * Errors: functions that return int give 0 or a negative errno value unless they say otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include <sel4vm_kvm_arch.h>

/* --- the VMM's lock --- */

/*
 * A seL4 VMM runs its event loop in one thread. Here every vCPU is a thread, so the library takes this lock (one for
 * the process, recursive) around every callback: memory faults, I/O ports, PCI accesses, interrupt acknowledgements. A
 * thread of the VMM's own that touches a VM or an installed device holds it too. Never block while holding it.
 */
void kvm_vmm_lock(void);
void kvm_vmm_unlock(void);

/* --- the log --- */

/** Sends log lines (without newline; levels are those of utils/zf_log.h) to sink, which must not call this library;
 * NULL: to standard error again. */
void kvm_log_set_sink(void (*sink)(int level, const char *line, void *cookie), void *cookie);

/* --- frames --- */

/**
 * Makes frames backed by a new memfd, zeroed, sealed against shrinking and growing.
 *
 * @param name      shown in /proc/PID/maps
 * @param num       how many, at least 1
 * @param size_bits log2 of the size of each in bytes: 12 or 21
 * @param frames    receives num capabilities
 * @param memfd     receives a duplicate of the memfd, which the caller closes; may be NULL
 */
int kvm_frames_create(const char *name, size_t num, size_t size_bits, seL4_CPtr *frames, int *memfd);

/**
 * Names pages of an existing memfd (duplicated) as frames: num frames of 1 << size_bits bytes from offset on.
 *
 * @return 0, or a negative errno value; -EPERM if the memfd is not sealed against shrinking or has huge pages: another
 *         process could then take pages away, and the next access would end this process
 */
int kvm_frames_import(int memfd, off_t offset, size_t num, size_t size_bits, seL4_CPtr *frames);

/** Gives frames back. Mappings that a VM still has stay until its reservation is freed. */
void kvm_frames_free(const seL4_CPtr *frames, size_t num);

/** Maps frames that lie behind each other in one memfd into this process, read-write. NULL on failure, with errno.
 * Unmap them before they are freed. */
void *kvm_frames_map(const seL4_CPtr *frames, size_t num);
void kvm_frames_unmap(void *address, const seL4_CPtr *frames, size_t num);

/* --- interrupts and doorbells --- */

/**
 * arm64: says which GIC VMs initialised from now on get: 3, 2, or 0 for the best that this machine's KVM has, which is
 * the default. vm_init() fails when KVM does not have the one that was asked for.
 *
 * @return 0; -EINVAL for another number; -ENOTSUP where guests have no GIC
 */
int kvm_use_gic(int version);

/** Whether devices of the VM can raise MSIs. They can, but for an arm64 guest with a GICv2. */
bool kvm_msi_available(const vm_t *vm);

/** Raises an MSI. requester is bus << 8 | device << 3 | function. */
int kvm_msi_send(vm_t *vm, uint64_t address, uint32_t data, uint32_t requester);

/** An eventfd whose signals raise an MSI without the VMM. */
typedef struct kvm_irqfd_route kvm_irqfd_t;

/** Wires eventfd (which stays the caller's) to the message; a count that waits in it is delivered at once. */
int kvm_irqfd_create(vm_t *vm, int eventfd, uint64_t address, uint32_t data, uint32_t requester, kvm_irqfd_t **irqfd);
/** Changes the message. */
int kvm_irqfd_update(kvm_irqfd_t *irqfd, uint64_t address, uint32_t data, uint32_t requester);
/** Unwires it. NULL is allowed. */
void kvm_irqfd_destroy(kvm_irqfd_t *irqfd);

/** Lets guest stores of any width at exactly this guest physical address signal eventfd instead of faulting. */
int kvm_ioeventfd_assign(vm_t *vm, uintptr_t address, int eventfd);
int kvm_ioeventfd_deassign(vm_t *vm, uintptr_t address, int eventfd);

/* --- a VM's life --- */

/** Ends vm_run() of the VM, from any thread, but not from a signal handler. status is what kvm_vm_exit_status() gives;
 * the first call wins. */
void kvm_vm_stop(vm_t *vm, int status);

/** Why the VM ended, after vm_run(): a status from kvm_vm_stop() or from the guest (KVM_EXIT_PORT on x86,
 * KVM_EXIT_REGISTER on arm64), or KVM_VM_*. */
#define KVM_VM_RESET 256                /* the guest asked for a reset: a reboot, or a panic */
#define KVM_VM_CRASHED 257              /* triple fault, or a state that KVM cannot run */
#define KVM_VM_POWERED_OFF 258          /* the guest asked for it */
int kvm_vm_exit_status(const vm_t *vm); /* -1 before the end */

/** Frees all that vm_init(), vm_create_vcpu() and later calls made, after vm_run() returned or before it was called. */
void kvm_vm_destroy(vm_t *vm);

/** Counters of a VM, summed over its vCPUs. */
typedef struct kvm_vm_stats {
    uint64_t exits;      /**< all exits of the guest to the host's kernel */
    uint64_t user_exits; /**< of these, on to this process (returns of KVM_RUN that were not signals) */
    uint64_t mmio_exits; /**< of user_exits, memory accesses */
    uint64_t io_exits;   /**< of user_exits, port accesses */
} kvm_vm_stats_t;
int kvm_vm_get_stats(vm_t *vm, kvm_vm_stats_t *stats);

/* --- the machine around the VM; sel4vm_kvm_arch.h says what is where --- */

/**
 * An alloc_irq for cross_vm_connections_init_common() and crossvm_install(): free inputs of the interrupt controller of
 * the VM last given to kvm_irq_allocator_use(), each once, then -1.
 *
 * INTx of devices that come after boot: on x86 the guest's tables have no route for it, so such devices need MSI. On
 * arm64 they have one, to the single input that this gives once the VM is booted, for all such devices to share.
 */
void kvm_irq_allocator_use(vm_t *vm);
int kvm_irq_allocate(void);

/** Makes the PCI space visible to the guest (by configuration ports 0xcf8 and 0xcfc on x86, in memory on arm64). */
int kvm_pci_attach(vm_t *vm, vmm_pci_space_t *pci);

/** Frees a PCI space of vmm_pci_init() and its entries (cookies stay their owners'). NULL is allowed. */
void kvm_pci_free(vmm_pci_space_t *pci);

/** A 16550 serial port at the architecture's usual place: output goes to out_fd, input comes from in_fd (-1: none).
 * Both stay the caller's; a VM has one console. */
int kvm_console_create(vm_t *vm, int in_fd, int out_fd);

/** A Linux to boot. */
typedef struct kvm_linux {
    const char *kernel;       /**< path of a bzImage or ELF vmlinux (x86-64), or of an uncompressed Image (arm64) */
    const char *initramfs;    /**< path, or NULL */
    const char *command_line; /**< at most KVM_COMMAND_LINE_MAX bytes, or what the kernel takes if that is less */
    vmm_pci_space_t *pci;     /**< for the tables that describe it to the guest; NULL: no PCI */
} kvm_linux_t;

/** The most bytes of a command line, without its NUL: what Linux takes on x86-64 and arm64. */
#define KVM_COMMAND_LINE_MAX 2047

/**
 * Checks that the files of a Linux are there, are whole as far as their headers tell, and fit into a VM; and that the
 * kernel takes the command line. Needs neither KVM nor a VM.
 *
 * @param ram_bytes of the VM, from KVM_RAM_BASE on
 * @return 0, or a negative errno value after one line in the log that says which file and why
 */
int kvm_linux_check(const kvm_linux_t *linux_image, size_t ram_bytes);

/**
 * Loads a kernel and its initramfs into the VM's RAM, with tables that describe the machine (ACPI on x86, a device tree
 * on arm64), and points the first vCPU at the kernel. All vCPUs must exist, and all PCI devices whose INTx the guest
 * should route from boot.
 *
 * @return 0, or a negative errno value after one line in the log that says which file and why
 */
int kvm_boot_linux(vm_t *vm, const kvm_linux_t *linux_image);
