/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, running and ending a VM. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_vm_exits.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../../src/common/error_reason.h"
#include "arch.h"
#include "console.h"
#include "doorbell.h"
#include "frame.h"
#include "reservation.h"
#include "resource.h"
#include "vcpu.h"
#include "vm.h"

#define KVM_DEVICE "/dev/kvm"
#define SLOTS_WITHOUT_KVM 4096
#define NOT_STARTED (-1) /* a status */

static bool without_kvm;
static unsigned int next_vm_id;

int kvm_use_backend_none(void)
{
    without_kvm = true;
    return 0;
}

/* --- making --- */

struct capability {
    int number;
    const char *name;
};

static const struct capability needed[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM"},
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    {KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
    {KVM_CAP_IRQFD_RESAMPLE, "KVM_CAP_IRQFD_RESAMPLE"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
    {KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH"},
    {KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

/* What KVM says to a question about itself, or -1 after a line in the log. */
static int ask(int fd, unsigned long request, int about, const char *name)
{
    int answer = ioctl(fd, request, about);

    if (answer < 0)
        ZF_LOGE(KVM_DEVICE " does not answer %s: %s", name, error_reason(errno));
    return answer;
}

static int check_capabilities(int fd)
{
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        int answer = ask(fd, KVM_CHECK_EXTENSION, needed[i].number, needed[i].name);

        if (answer == 0)
            ZF_LOGE("this kernel's KVM lacks %s; a newer kernel has it", needed[i].name);
        if (answer <= 0)
            return -1;
    }
    return 0;
}

static int system_open(struct kvm_vm *kvm)
{
    int version;

    kvm->system_fd = kvm_resource_fails() ? -1 : open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
    if (kvm->system_fd < 0) {
        ZF_LOGE("cannot open " KVM_DEVICE ": %s; %s", error_reason(errno),
                errno == EACCES ? "add this user to the group that owns it"
                                : "load the kvm module of this processor, and enable virtualization in the firmware");
        return -1;
    }
    version = ask(kvm->system_fd, KVM_GET_API_VERSION, 0, "KVM_GET_API_VERSION");
    if (version < 0)
        return -1;
    if (version != KVM_API_VERSION) {
        ZF_LOGE(KVM_DEVICE " speaks version %d of its interface, and this program version %d", version,
                KVM_API_VERSION);
        return -1;
    }
    return check_capabilities(kvm->system_fd);
}

/* A signal interrupts that call, one that stops the process and lets it go on, too. */
static int create_vm(int system_fd)
{
    int fd;

    do
        fd = ioctl(system_fd, KVM_CREATE_VM, kvm_arch_vm_type(system_fd));
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int machine_open(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);
    int slots = SLOTS_WITHOUT_KVM;
    int run_bytes;

    if (kvm_irq_inputs_init(vm)) /* first, since kvm_vm_destroy() destroys it in any case */
        goto no_resources;
    if (!without_kvm) {
        if (system_open(kvm))
            return -1;
        kvm->fd = create_vm(kvm->system_fd);
        if (kvm->fd < 0) {
            ZF_LOGE("VM %s: KVM cannot make a VM: %s", vm->vm_name, error_reason(errno));
            return -1;
        }
        run_bytes = ask(kvm->system_fd, KVM_GET_VCPU_MMAP_SIZE, 0, "KVM_GET_VCPU_MMAP_SIZE");
        slots = ask(kvm->system_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS, "KVM_CAP_NR_MEMSLOTS");
        if (run_bytes < 0 || slots < 0)
            return -1;
        kvm->run_bytes = (size_t)run_bytes;
    }
    if (kvm_slots_init(&kvm->slots, (uint32_t)slots) || kvm_reservations_init(vm))
        goto no_resources;
    return kvm_vm_is_hollow(vm) ? 0 : kvm_arch_vm_init(vm);

no_resources:
    ZF_LOGE("VM %s: no memory or no descriptors for its state: %s", vm->vm_name, error_reason(errno));
    return -1;
}

int vm_init(vm_t *vm, vka_t *vka, simple_t *host_simple, vspace_t host_vspace, ps_io_ops_t *io_ops,
            seL4_CPtr host_endpoint, const char *name)
{
    struct kvm_vm *kvm = kvm_alloc(1, sizeof(*kvm));

    memset(vm, 0, sizeof(*vm));
    vm->vm_name = kvm_copy_string(name ? name : "vm");
    if (!kvm || !vm->vm_name) {
        ZF_LOGE("no memory for a VM");
        free(kvm);
        free(vm->vm_name);
        vm->vm_name = NULL;
        return -1;
    }
    kvm->fd = -1;
    kvm->system_fd = -1;
    kvm->status = NOT_STARTED;
    pthread_mutex_init(&kvm->run_mutex, NULL);
    vm->arch.kvm = kvm;
    vm->vka = vka;
    vm->simple = host_simple;
    vm->mem.vmm_vspace = host_vspace;
    vm->io_ops = io_ops;
    vm->host_endpoint = host_endpoint;
    vm->run.exit_reason = VM_GUEST_UNKNOWN_EXIT;
    kvm_vmm_lock();
    vm->vm_id = next_vm_id++;
    kvm_vmm_unlock();

    if (machine_open(vm)) {
        kvm_vm_destroy(vm);
        return -1;
    }
    vm->vm_initialised = true;
    return 0;
}

vm_vcpu_t *vm_create_vcpu(vm_t *vm, int priority)
{
    vm_vcpu_t *vcpu;

    if (vm->num_vcpus == CONFIG_MAX_NUM_NODES || kvm_vm_of(vm)->vcpus_prepared) {
        ZF_LOGE("VM %s: cannot have another vCPU: %s", vm->vm_name,
                kvm_vm_of(vm)->vcpus_prepared ? "it was booted with those it has"
                                              : "it has the most that there can be");
        return NULL;
    }
    vcpu = kvm_alloc(1, sizeof(*vcpu));
    if (!vcpu) {
        ZF_LOGE("VM %s: no memory for a vCPU", vm->vm_name);
        return NULL;
    }
    vcpu->vm = vm;
    vcpu->vcpu_id = vm->num_vcpus;
    vcpu->target_cpu = -1;
    vcpu->tcb.priority = priority;
    if (kvm_vcpu_create(vcpu)) {
        free(vcpu);
        return NULL;
    }
    vm->vcpus[vm->num_vcpus++] = vcpu;
    return vcpu;
}

int vm_assign_vcpu_target(vm_vcpu_t *vcpu, int target_cpu)
{
    if (!vcpu) {
        ZF_LOGE("cannot bind a vCPU to core %d: no vCPU", target_cpu);
        return -1;
    }
    for (unsigned int i = 0; i < vcpu->vm->num_vcpus; i++) {
        const vm_vcpu_t *other = vcpu->vm->vcpus[i];

        if (other != vcpu && other->target_cpu == target_cpu) {
            ZF_LOGE("VM %s: cannot bind vCPU %u to core %d: vCPU %u has it", vcpu->vm->vm_name, vcpu->vcpu_id,
                    target_cpu, other->vcpu_id);
            return -1;
        }
    }
    vcpu->target_cpu = target_cpu;
    return 0;
}

int vm_register_unhandled_mem_fault_callback(vm_t *vm, unhandled_mem_fault_callback_fn fault_handler, void *cookie)
{
    if (!vm || !fault_handler) {
        ZF_LOGE("cannot register a handler for unclaimed memory: VM or handler is missing");
        return -1;
    }
    vm->mem.unhandled_mem_fault_handler = fault_handler;
    vm->mem.unhandled_mem_fault_cookie = cookie;
    return 0;
}

int vm_register_notification_callback(vm_t *vm, notification_callback_fn notification_callback, void *cookie)
{
    if (!vm || !notification_callback) {
        ZF_LOGE("cannot register a handler for notifications: VM or handler is missing");
        return -1;
    }
    vm->run.notification_callback = notification_callback;
    vm->run.notification_callback_cookie = cookie;
    return 0;
}

/* --- running --- */

int vcpu_start(vm_vcpu_t *vcpu)
{
    if (!vcpu)
        return -1;
    vcpu->vcpu_online = true;
    return 0;
}

/* Starts a thread for each vCPU; none if the VM is to stop already. */
static int start_cpus(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);
    int error = 0;

    pthread_mutex_lock(&kvm->run_mutex);
    kvm->state = KVM_STATE_RUNNING;
    for (unsigned int i = 0; i < vm->num_vcpus && !error && !kvm->stop_requested; i++)
        error = kvm_vcpu_start(vm->vcpus[i]);
    kvm_thread_enter(KVM_THREAD_RUN); /* the vCPUs wait for the mutex */
    pthread_mutex_unlock(&kvm->run_mutex);
    if (error)
        kvm_vm_stop(vm, NOT_STARTED);
    return error;
}

static int run(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);
    int error = kvm_msis_start(vm);

    if (error)
        goto fail;
    error = kvm_irq_inputs_start(vm);
    if (error)
        goto fail;
    error = kvm_console_start(vm);
    if (error)
        goto fail_lines;
    error = start_cpus(vm);
    for (unsigned int i = 0; i < vm->num_vcpus; i++)
        kvm_vcpu_join(vm->vcpus[i]);

    pthread_mutex_lock(&kvm->run_mutex);
    kvm->state = KVM_STATE_ENDED;
    pthread_mutex_unlock(&kvm->run_mutex);
    kvm_console_stop(vm);
fail_lines:
    kvm_irq_inputs_stop(vm);
fail:
    if (error)
        ZF_LOGE("VM %s: cannot start its threads or interrupts: %s", vm->vm_name, start_error_reason(-error));
    return error ? -1 : 0;
}

int vm_run(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);

    if (kvm_vm_is_hollow(vm) || !vm->num_vcpus || !vm->vcpus[BOOT_VCPU]->vcpu_online || kvm->state != KVM_STATE_NEW) {
        ZF_LOGE("VM %s cannot run: %s", vm->vm_name,
                kvm_vm_is_hollow(vm)          ? "it was made without KVM"
                : kvm->state != KVM_STATE_NEW ? "it ran already; make a new one"
                                              : "its boot vCPU was not started with vcpu_start()");
        return -1;
    }
    if (kvm_arch_vcpus_prepare(vm) || run(vm))
        return -1;
    if (kvm->status != KVM_VM_CRASHED)
        return 0;
    vm->run.exit_reason = VM_GUEST_ERROR_EXIT;
    return -1;
}

void kvm_vm_stop(vm_t *vm, int status)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);

    pthread_mutex_lock(&kvm->run_mutex);
    if (!kvm->stop_requested) {
        kvm->status = status;
        kvm->stop_requested = true;
        for (unsigned int i = 0; i < vm->num_vcpus; i++)
            kvm_vcpu_stop(vm->vcpus[i]);
    }
    pthread_mutex_unlock(&kvm->run_mutex);
}

int kvm_vm_exit_status(const vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);
    int status;

    pthread_mutex_lock(&kvm->run_mutex);
    status = kvm->status;
    pthread_mutex_unlock(&kvm->run_mutex);
    return status;
}

/* --- ending --- */

void kvm_vm_destroy(vm_t *vm)
{
    struct kvm_vm *kvm = kvm_vm_of(vm);

    if (!kvm)
        return;
    kvm_console_destroy(vm);
    kvm_irq_allocator_forget(vm);
    kvm_msis_destroy(vm);
    kvm_doorbells_destroy(vm);
    kvm_reservations_destroy(vm);
    for (unsigned int i = 0; i < vm->num_vcpus; i++) {
        kvm_vcpu_destroy(vm->vcpus[i]);
        free(vm->vcpus[i]);
    }
    kvm_irq_inputs_destroy(vm);
    kvm_slots_destroy(&kvm->slots);
    kvm_arch_vm_destroy(vm);
    if (kvm->fd >= 0)
        close(kvm->fd);
    if (kvm->system_fd >= 0)
        close(kvm->system_fd);
    pthread_mutex_destroy(&kvm->run_mutex);
    free(kvm);
    free(vm->mem.ram_regions);
    free(vm->vm_name);
    memset(vm, 0, sizeof(*vm));
}

void kvm_test_snapshot(const vm_t *vm, kvm_test_snapshot_t *snapshot)
{
    const struct kvm_vm *kvm = kvm_vm_of(vm);

    kvm_vmm_lock();
    *snapshot = (kvm_test_snapshot_t){
        .reservations = vm->mem.reservation_cookie->num,
        .memslots = kvm->slots.used,
        .irqfds = kvm->msis.num,
        .ioeventfds = kvm_doorbells_count(vm),
        .frames = kvm_frame_count(),
        .msis = kvm->msis.sent,
    };
    for (size_t i = 0; i < ARRAY_SIZE(kvm->inputs.input); i++)
        snapshot->irqs += kvm->inputs.input[i].registered;
    kvm_vmm_unlock();
}
