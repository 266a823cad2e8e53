/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libsel4vm on Linux KVM: what a VMM on Linux needs beyond the libsel4vm API.
 *
 * The rest of kvm/include repeats names and signatures of libsel4vm and libsel4vmmplatsupport, so that VMM code written
 * for seL4 compiles against it. This header has what only Linux has: frames made of memfds, eventfds wired to the
 * guest, MSI, booting a Linux kernel, a console, and a lock that plays the part of the single thread of a VMM on seL4.
 *
 * Errors: functions that return int return 0 or a negative errno value, unless their description says otherwise.
 *
 * Limits: kvm/README.md.
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
 * A VMM on seL4 runs its event loop in one thread. Here each vCPU is a thread, so the library holds this lock during
 * each callback: memory faults, I/O ports, PCI accesses, interrupt acknowledgements. A thread of the VMM's own must
 * hold it, too, when it touches a VM or an installed device. There is one lock for the process; it is recursive. Do not
 * block while you hold it: the vCPUs would wait.
 */

/** Takes the lock. */
void kvm_vmm_lock(void);

/** Releases the lock. */
void kvm_vmm_unlock(void);

/* --- the log --- */

/**
 * Sends the lines of the log elsewhere than to standard error.
 *
 * @param sink   gets each line, without newline, and its level (utils/zf_log.h); must not call this library. NULL:
 *               standard error again
 * @param cookie passed to it
 */
void kvm_log_set_sink(void (*sink)(int level, const char *line, void *cookie), void *cookie);

/* --- frames --- */

/**
 * Makes frames backed by a new memfd. They hold zeros; the memfd is sealed against shrinking and growing.
 *
 * @param name      of the memfd, shown in /proc/PID/maps
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

/** Frees frames. A VM that has mapped them keeps the memory until it frees its reservation. */
void kvm_frames_free(const seL4_CPtr *frames, size_t num);

/** Maps frames that follow each other in one memfd into this process, for reading and writing. Returns NULL with errno
 * on failure. */
void *kvm_frames_map(const seL4_CPtr *frames, size_t num);

/** Unmaps what kvm_frames_map() mapped. Must come before kvm_frames_free(). */
void kvm_frames_unmap(void *address, const seL4_CPtr *frames, size_t num);

/* --- interrupts and doorbells --- */

/**
 * arm64: chooses the GIC of VMs that are initialised from now on. vm_init() fails if KVM does not have that version.
 *
 * @param version 3, 2, or 0 for the best that this machine's KVM has, which is the default
 * @return 0; -EINVAL for another number; -ENOTSUP on x86
 */
int kvm_use_gic(int version);

/** Whether devices of the VM can raise MSIs: yes on x86, and on arm64 with an ITS, which a GICv2 lacks. */
bool kvm_msi_available(const vm_t *vm);

/** Raises an MSI. `requester` is bus << 8 | device << 3 | function. */
int kvm_msi_send(vm_t *vm, uint64_t address, uint32_t data, uint32_t requester);

/** An eventfd whose signals raise an MSI in KVM, without the VMM. */
typedef struct kvm_irqfd_route kvm_irqfd_t;

/**
 * Wires an eventfd to a message. A count that waits in the eventfd raises the message at once.
 *
 * @param eventfd                  stays the caller's
 * @param address, data, requester as kvm_msi_send() has them
 * @param irqfd                    receives the handle
 */
int kvm_irqfd_create(vm_t *vm, int eventfd, uint64_t address, uint32_t data, uint32_t requester, kvm_irqfd_t **irqfd);

/** Changes the message. On failure the old message stays. */
int kvm_irqfd_update(kvm_irqfd_t *irqfd, uint64_t address, uint32_t data, uint32_t requester);

/** Unwires the eventfd and frees the handle; NULL is allowed. */
void kvm_irqfd_destroy(kvm_irqfd_t *irqfd);

/** Lets guest stores of any width at exactly this guest physical address signal an eventfd in KVM, without a fault. The
 * eventfd stays the caller's. */
int kvm_ioeventfd_assign(vm_t *vm, uintptr_t address, int eventfd);

/** Undoes kvm_ioeventfd_assign() with the same arguments. */
int kvm_ioeventfd_deassign(vm_t *vm, uintptr_t address, int eventfd);

/* --- its threads --- */

/** Kinds of threads that a VM has while it runs. */
typedef enum kvm_thread_kind {
    KVM_THREAD_RUN,            /**< the one that called vm_run(): it waits for the others, and ends the VM */
    KVM_THREAD_VCPU,           /**< one for each */
    KVM_THREAD_CONSOLE,        /**< moves the console's bytes */
    KVM_THREAD_INTERRUPT_ENDS, /**< hears of ends of interrupts */
} kvm_thread_kind_t;

/**
 * Chooses a function with which each thread of a VM begins; for KVM_THREAD_RUN, with which it goes on once it has
 * started all others. No guest runs before. So it is the place to confine threads.
 *
 * @param started NULL: none
 */
void kvm_threads_on_start(void (*started)(kvm_thread_kind_t kind));

/* --- a VM's life --- */

/**
 * Ends vm_run(). May be called in any thread, but not in a signal handler.
 *
 * @param status what kvm_vm_exit_status() returns; only the first call counts
 */
void kvm_vm_stop(vm_t *vm, int status);

#define KVM_VM_RESET 256       /**< the guest asked for a reset: a reboot, or a panic */
#define KVM_VM_CRASHED 257     /**< triple fault, or a state that KVM cannot run */
#define KVM_VM_POWERED_OFF 258 /**< the guest asked for it */

/** Returns why the VM ended: the status of kvm_vm_stop(), the guest's own (KVM_EXIT_PORT on x86, KVM_EXIT_REGISTER on
 * arm64), or KVM_VM_*. -1 before the end, and where vm_run() could not start it. */
int kvm_vm_exit_status(const vm_t *vm);

/** Frees what vm_init(), vm_create_vcpu() and later calls made. Must not be called while vm_run() runs. */
void kvm_vm_destroy(vm_t *vm);

/** Counters of a VM, summed over its vCPUs. */
typedef struct kvm_vm_stats {
    uint64_t exits;      /**< all exits of the guest to the host's kernel */
    uint64_t user_exits; /**< of these, on to this process (returns of KVM_RUN that were not signals) */
    uint64_t mmio_exits; /**< of user_exits, memory accesses */
    uint64_t io_exits;   /**< of user_exits, port accesses */
} kvm_vm_stats_t;

/** Fills in the counters. May be called in any thread while the VM runs. Returns 0. */
int kvm_vm_get_stats(vm_t *vm, kvm_vm_stats_t *stats);

/* --- the machine around the VM; sel4vm_kvm_arch.h has its addresses and numbers --- */

/** Chooses the VM for which kvm_irq_allocate() allocates. */
void kvm_irq_allocator_use(vm_t *vm);

/**
 * Allocates an input of the interrupt controller: an alloc_irq for cross_vm_connections_init_common() and
 * crossvm_install().
 *
 * A device that comes after boot has no route for INTx in an x86 guest's tables, so it needs MSI. An arm64 guest's
 * tables have one input for all such devices, which this returns once the VM is booted.
 *
 * @return a number that no device of the VM has, each once; then -1
 */
int kvm_irq_allocate(void);

/** Shows the PCI space to the guest: by configuration ports 0xcf8 and 0xcfc on x86, in memory on arm64. */
int kvm_pci_attach(vm_t *vm, vmm_pci_space_t *pci);

/** Frees a PCI space of vmm_pci_init() and its entries, but not their cookies. NULL is allowed. */
void kvm_pci_free(vmm_pci_space_t *pci);

/**
 * Gives the VM its console, a 16550 serial port at the architecture's usual address.
 *
 * @param in_fd  where input comes from, or -1; stays the caller's
 * @param out_fd where output goes, or -1; stays the caller's
 * @return 0; -EEXIST if the VM has a console
 */
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
