/* SPDX-License-Identifier: BSD-2-Clause */
#include "vcpu.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../../src/common/error_reason.h"
#include "arch.h"
#include "resource.h"
#include "stats.h"
#include "vm.h"

/* --- making --- */

int kvm_vcpu_create(vm_vcpu_t *vcpu)
{
    const struct kvm_vm *kvm = kvm_vm_of(vcpu->vm);
    struct kvm_vcpu *cpu = kvm_alloc(1, sizeof(*cpu));

    if (!cpu)
        goto fail;
    cpu->fd = -1;
    cpu->stats_fd = -1;
    vcpu->vcpu_arch.kvm = cpu;
    if (kvm_vm_is_hollow(vcpu->vm))
        return 0;
    cpu->fd = kvm_resource_fails() ? -1 : ioctl(kvm->fd, KVM_CREATE_VCPU, vcpu->vcpu_id);
    if (cpu->fd < 0)
        goto fail;
    cpu->run = kvm_map(kvm->run_bytes, PROT_READ | PROT_WRITE, cpu->fd, 0);
    if (!cpu->run || kvm_arch_vcpu_init(vcpu))
        goto fail;
    kvm_stats_open(cpu);
    return 0;

fail:
    ZF_LOGE("VM %s: cannot make vCPU %u: %s", vcpu->vm->vm_name, vcpu->vcpu_id, error_reason(errno));
    kvm_vcpu_destroy(vcpu);
    return -1;
}

void kvm_vcpu_destroy(vm_vcpu_t *vcpu)
{
    struct kvm_vcpu *cpu = kvm_vcpu_of(vcpu);

    if (!cpu)
        return;
    if (cpu->stats_fd >= 0)
        close(cpu->stats_fd);
    if (cpu->run)
        munmap(cpu->run, kvm_vm_of(vcpu->vm)->run_bytes);
    if (cpu->fd >= 0)
        close(cpu->fd);
    free(cpu);
    vcpu->vcpu_arch.kvm = NULL;
}

/* --- running --- */

static void crash(vm_vcpu_t *vcpu, const char *why, uint64_t detail)
{
    ZF_LOGE("VM %s: vCPU %u cannot go on at 0x%" PRIx64 ": %s (0x%" PRIx64 ")", vcpu->vm->vm_name, vcpu->vcpu_id,
            kvm_arch_vcpu_instruction_pointer(vcpu), why, detail);
    kvm_vm_stop(vcpu->vm, KVM_VM_CRASHED);
}

static void memory_exit(vm_vcpu_t *vcpu, struct kvm_run *exit)
{
    size_t length = MIN(exit->mmio.len, sizeof(exit->mmio.data));

    atomic_fetch_add_explicit(&kvm_vcpu_of(vcpu)->mmio_exits, 1, memory_order_relaxed);
    if (kvm_fault_handle(vcpu, exit->mmio.phys_addr, length, !exit->mmio.is_write, exit->mmio.data) == FAULT_ERROR)
        kvm_vm_stop(vcpu->vm, KVM_VM_CRASHED);
}

void kvm_vcpu_log_emulation_failure(vm_vcpu_t *vcpu)
{
    struct kvm_vcpu *cpu = kvm_vcpu_of(vcpu);

    if (cpu->emulation_failure_logged)
        return;
    cpu->emulation_failure_logged = true;
    ZF_LOGW("VM %s: vCPU %u used an instruction at 0x%" PRIx64
            " that KVM cannot emulate and got an exception; later ones are not logged",
            vcpu->vm->vm_name, vcpu->vcpu_id, kvm_arch_vcpu_instruction_pointer(vcpu));
}

static void handle_exit(vm_vcpu_t *vcpu, struct kvm_run *exit)
{
    switch (exit->exit_reason) {
    case KVM_EXIT_MMIO:
        memory_exit(vcpu, exit);
        break;
    case KVM_EXIT_INTR:
        break;
    case KVM_EXIT_UNKNOWN:
        crash(vcpu, "an exit that KVM does not know", exit->hw.hardware_exit_reason);
        break;
    case KVM_EXIT_SHUTDOWN:
        crash(vcpu, "triple fault", 0);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        if (exit->system_event.type == KVM_SYSTEM_EVENT_CRASH)
            crash(vcpu, "the guest reports a crash", 0);
        else
            kvm_vm_stop(vcpu->vm,
                        exit->system_event.type == KVM_SYSTEM_EVENT_RESET ? KVM_VM_RESET : KVM_VM_POWERED_OFF);
        break;
    case KVM_EXIT_FAIL_ENTRY:
        crash(vcpu, "the processor refuses its state", exit->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_INTERNAL_ERROR:
        /* KVM has raised an invalid-opcode exception in the guest. It reports only those in the guest's kernel. */
        if (exit->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
            kvm_vcpu_log_emulation_failure(vcpu);
        else
            crash(vcpu, "an internal error of KVM", exit->internal.suberror);
        break;
    default:
        if (!kvm_arch_vcpu_exit(vcpu, exit))
            crash(vcpu, "an exit of unknown kind", exit->exit_reason);
        break;
    }
}

static void bind_to_core(const vm_vcpu_t *vcpu)
{
    cpu_set_t cores;

    if (vcpu->target_cpu < 0)
        return;
    CPU_ZERO(&cores);
    CPU_SET((size_t)vcpu->target_cpu, &cores);
    if (sched_setaffinity(0, sizeof(cores), &cores))
        ZF_LOGW("VM %s: cannot bind vCPU %u to core %d: %s", vcpu->vm->vm_name, vcpu->vcpu_id, vcpu->target_cpu,
                error_reason(errno));
}

static void *run_until_stopped(void *argument)
{
    vm_vcpu_t *vcpu = argument;
    struct kvm_vm *kvm = kvm_vm_of(vcpu->vm);
    struct kvm_vcpu *cpu = kvm_vcpu_of(vcpu);

    bind_to_core(vcpu);
    /* Until all threads are there, and have begun as kvm_threads_on_start() says: the guest must not run before. */
    pthread_mutex_lock(&kvm->run_mutex);
    pthread_mutex_unlock(&kvm->run_mutex);
    while (!atomic_load(&kvm->stop_requested)) {
        if (ioctl(cpu->fd, KVM_RUN, 0)) {
            if (errno != EINTR && errno != EAGAIN)
                crash(vcpu, error_reason(errno), (uint64_t)errno);
            continue;
        }
        atomic_fetch_add_explicit(&cpu->user_exits, 1, memory_order_relaxed);
        handle_exit(vcpu, cpu->run);
    }
    /* kvm_vm_stop() may still be interrupting this thread, which must not end and be joined before that is done. */
    pthread_mutex_lock(&kvm->run_mutex);
    pthread_mutex_unlock(&kvm->run_mutex);
    return NULL;
}

int kvm_vcpu_start(vm_vcpu_t *vcpu)
{
    char name[16];

    snprintf(name, sizeof(name), "vcpu%u", vcpu->vcpu_id);
    return kvm_thread_start(&kvm_vcpu_of(vcpu)->thread, KVM_THREAD_VCPU, name, run_until_stopped, vcpu);
}

void kvm_vcpu_stop(vm_vcpu_t *vcpu)
{
    struct kvm_vcpu *cpu = kvm_vcpu_of(vcpu);

    if (!cpu->thread.started)
        return;
    /* Must precede the signal: if the signal comes just before KVM_RUN, this makes KVM_RUN return at once. */
    __atomic_store_n(&cpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    kvm_thread_interrupt(&cpu->thread);
}

void kvm_vcpu_join(vm_vcpu_t *vcpu)
{
    kvm_thread_join(&kvm_vcpu_of(vcpu)->thread);
}
