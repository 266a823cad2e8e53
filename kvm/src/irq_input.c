/* SPDX-License-Identifier: BSD-2-Clause */
#include "irq_input.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../../src/common/error_reason.h"
#include "resource.h"
#include "vm.h"

#define STOP_TOKEN UINT32_MAX

static struct kvm_irq_inputs *inputs_of(const vm_t *vm)
{
    return &kvm_vm_of(vm)->inputs;
}

static struct kvm_irq_input *input_find(const vm_t *vm, int irq)
{
    struct kvm_irq_input *input = kvm_irq_input_valid(irq) ? &inputs_of(vm)->input[irq] : NULL;

    return input && input->registered ? input : NULL;
}

/* --- acknowledgements --- */

static void tell_end(struct kvm_irq_input *input, int irq)
{
    input->in_service = false;
    input->ack(input->vcpu, irq, input->cookie);
}

static void acknowledge(const vm_t *vm, int irq)
{
    struct kvm_irq_input *input;
    eventfd_t count;

    kvm_vmm_lock();
    input = input_find(vm, irq);
    /* Read before the acknowledgement, so that the end of an injection that it makes is not taken for this end. */
    if (input && eventfd_read(input->end_fd, &count) == 0)
        tell_end(input, irq);
    kvm_vmm_unlock();
}

static void *acknowledge_until_stopped(void *argument)
{
    const vm_t *vm = argument;

    for (;;) {
        struct epoll_event events[ARCH_NUM_IRQS];
        int n = epoll_wait(inputs_of(vm)->poll_fd, events, ARRAY_SIZE(events), -1);

        if (n < 0 && errno != EINTR)
            ZF_LOGF("VM %s: cannot wait for ends of interrupts: %s", vm->vm_name, error_reason(errno));
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == STOP_TOKEN)
                return NULL;
            acknowledge(vm, (int)events[i].data.u32);
        }
    }
}

static int watch(struct kvm_irq_inputs *inputs, int fd, uint32_t token)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = token};

    return epoll_ctl(inputs->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int kvm_irq_inputs_init(vm_t *vm)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);

    inputs->poll_fd = inputs->stop_fd = -1;
    for (size_t i = 0; i < ARRAY_SIZE(inputs->input); i++)
        inputs->input[i].trigger_fd = inputs->input[i].end_fd = -1;
    inputs->poll_fd = kvm_resource_fails() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (inputs->poll_fd < 0)
        return -errno;
    inputs->stop_fd = kvm_eventfd();
    if (inputs->stop_fd < 0)
        return -errno;
    return watch(inputs, inputs->stop_fd, STOP_TOKEN);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void kvm_irq_inputs_destroy(vm_t *vm)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);

    for (size_t i = 0; i < ARRAY_SIZE(inputs->input); i++) {
        close_if_open(inputs->input[i].trigger_fd);
        close_if_open(inputs->input[i].end_fd);
    }
    close_if_open(inputs->poll_fd);
    close_if_open(inputs->stop_fd);
}

/* KVM takes the eventfds only once the interrupt controller is complete; on arm64 that needs all vCPUs. An injection
 * before that waits in its eventfd. */
static int wire(const vm_t *vm, const struct kvm_irq_input *input, int irq)
{
    struct kvm_irqfd irqfd = {
        .fd = (uint32_t)input->trigger_fd,
        .gsi = (uint32_t)irq,
        .flags = KVM_IRQFD_FLAG_RESAMPLE,
        .resamplefd = (uint32_t)input->end_fd,
    };

    if (kvm_vm_is_hollow(vm))
        return 0;
    return ioctl(kvm_vm_of(vm)->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

static int wire_all(vm_t *vm)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);
    int error = 0;

    kvm_vmm_lock();
    for (int irq = KVM_FIRST_IRQ; irq <= KVM_LAST_IRQ && !error; irq++) {
        if (inputs->input[irq].registered)
            error = wire(vm, &inputs->input[irq], irq);
    }
    inputs->wired = !error;
    kvm_vmm_unlock();
    return error;
}

int kvm_irq_inputs_start(vm_t *vm)
{
    int error = wire_all(vm);

    return error ? error
                 : kvm_thread_start(&inputs_of(vm)->thread, KVM_THREAD_INTERRUPT_ENDS, "interrupt-ends",
                                    acknowledge_until_stopped, vm);
}

void kvm_irq_inputs_stop(vm_t *vm)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);

    eventfd_write(inputs->stop_fd, 1);
    kvm_thread_join(&inputs->thread);
}

/* --- the interface --- */

int vm_create_default_irq_controller(vm_t *vm)
{
    (void)vm;
    return 0;
}

static int input_open(vm_t *vm, struct kvm_irq_input *input, int irq)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);
    int error;

    input->trigger_fd = kvm_eventfd();
    if (input->trigger_fd < 0)
        return -errno;
    input->end_fd = kvm_eventfd();
    if (input->end_fd < 0) {
        error = -errno;
        goto fail_trigger;
    }
    error = watch(inputs, input->end_fd, (uint32_t)irq);
    if (!error && inputs->wired)
        error = wire(vm, input, irq);
    if (error)
        goto fail_end;
    return 0;

fail_end:
    close(input->end_fd); /* also takes it out of the epoll set */
    input->end_fd = -1;
fail_trigger:
    close(input->trigger_fd);
    input->trigger_fd = -1;
    return error;
}

int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie)
{
    struct kvm_irq_input *input;
    int error = 0;

    if (!vcpu || !ack_fn || !kvm_irq_input_valid(irq)) {
        ZF_LOGE("cannot register interrupt %d: there is no such input, or the vCPU or acknowledgement is missing", irq);
        return -1;
    }
    kvm_vmm_lock();
    input = &inputs_of(vcpu->vm)->input[irq];
    if (!input->registered)
        error = input_open(vcpu->vm, input, irq);
    if (error) {
        ZF_LOGE("VM %s: cannot register interrupt %d: %s", vcpu->vm->vm_name, irq, error_reason(-error));
    } else {
        input->vcpu = vcpu;
        input->ack = ack_fn;
        input->cookie = cookie;
        input->registered = true;
    }
    kvm_vmm_unlock();
    return error ? -1 : 0;
}

static int assert_input(const vm_t *vm, struct kvm_irq_input *input)
{
    if (!kvm_vm_is_hollow(vm))
        return eventfd_write(input->trigger_fd, 1);
    input->pending = true;
    return 0;
}

int vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
    struct kvm_irq_input *input;
    int result = -1;

    kvm_vmm_lock();
    input = input_find(vcpu->vm, irq);
    if (input && !input->disabled) {
        result = input->in_service ? 0 : assert_input(vcpu->vm, input);
        input->in_service |= result == 0;
    }
    kvm_vmm_unlock();
    return result;
}

int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level)
{
    if (!kvm_irq_input_valid(irq)) {
        ZF_LOGE("VM %s: there is no interrupt %d to set", vcpu->vm->vm_name, irq);
        return -1;
    }
    if (kvm_vm_is_hollow(vcpu->vm)) {
        kvm_vmm_lock();
        inputs_of(vcpu->vm)->input[irq].level = irq_level;
        kvm_vmm_unlock();
        return 0;
    }
    return kvm_arch_irq_set_level(vcpu->vm, irq, irq_level);
}

/* --- allocation of numbers --- */

static vm_t *allocator_vm;

void kvm_irq_allocator_use(vm_t *vm)
{
    kvm_vmm_lock();
    allocator_vm = vm;
    kvm_vmm_unlock();
}

void kvm_irq_allocator_forget(const vm_t *vm)
{
    kvm_vmm_lock();
    if (allocator_vm == vm)
        allocator_vm = NULL;
    kvm_vmm_unlock();
}

void kvm_irq_allocator_booted(vm_t *vm)
{
    struct kvm_irq_inputs *inputs = inputs_of(vm);

    inputs->next_spare = MAX(inputs->next_spare, kvm_arch_irq_spare_late());
}

int kvm_irq_allocate(void)
{
    int irq = -1;

    kvm_vmm_lock();
    if (allocator_vm) {
        struct kvm_irq_inputs *inputs = inputs_of(allocator_vm);

        irq = kvm_arch_irq_spare(inputs->next_spare);
        if (irq >= 0)
            inputs->next_spare++;
    }
    kvm_vmm_unlock();
    return irq;
}

/* --- for tests: a VM without KVM --- */

int kvm_test_irq_pending(vm_t *vm, int irq)
{
    int pending = 0;

    kvm_vmm_lock();
    if (kvm_irq_input_valid(irq)) {
        const struct kvm_irq_input *input = &inputs_of(vm)->input[irq];

        pending = input->pending || input->level;
    }
    kvm_vmm_unlock();
    return pending;
}

int kvm_test_irq_end(vm_t *vm, int irq)
{
    struct kvm_irq_input *input;
    int result = -1;

    kvm_vmm_lock();
    input = input_find(vm, irq);
    if (input && input->pending) {
        input->pending = false;
        result = 0;
    }
    kvm_vmm_unlock();
    return result;
}

void kvm_test_irq_acknowledge(vm_t *vm, int irq)
{
    struct kvm_irq_input *input;

    kvm_vmm_lock();
    input = input_find(vm, irq);
    if (input)
        tell_end(input, irq);
    kvm_vmm_unlock();
}

int kvm_test_irq_eoi(vm_t *vm, int irq)
{
    if (kvm_test_irq_end(vm, irq))
        return -1;
    kvm_test_irq_acknowledge(vm, irq);
    return 0;
}

int kvm_test_irq_enable(vm_t *vm, int irq, bool enabled)
{
    struct kvm_irq_input *input;

    kvm_vmm_lock();
    input = input_find(vm, irq);
    if (input) {
        input->disabled = !enabled;
        if (enabled && !input->pending)
            tell_end(input, irq);
    }
    kvm_vmm_unlock();
    return input ? 0 : -1;
}
