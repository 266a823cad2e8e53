/* SPDX-License-Identifier: BSD-2-Clause */
#include "line.h"

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

#include "machine.h"
#include "resource.h"

#define STOP_TOKEN UINT32_MAX

static struct kvm_lines *lines_of(const vm_t *vm)
{
    return &machine_of(vm)->lines;
}

static struct kvm_line *line_find(const vm_t *vm, int irq)
{
    struct kvm_line *line = kvm_line_valid(irq) ? &lines_of(vm)->line[irq] : NULL;

    return line && line->registered ? line : NULL;
}

/* --- acknowledgements --- */

static void tell_end(struct kvm_line *line, int irq)
{
    line->in_service = false;
    line->ack(line->vcpu, irq, line->cookie);
}

static void acknowledge(const vm_t *vm, int irq)
{
    struct kvm_line *line;
    eventfd_t count;

    kvm_vmm_lock();
    line = line_find(vm, irq);
    /* Before the acknowledgement, so that the end of what that injects is not taken for this one's. */
    if (line && eventfd_read(line->end_fd, &count) == 0)
        tell_end(line, irq);
    kvm_vmm_unlock();
}

static void *acknowledge_until_stopped(void *argument)
{
    const vm_t *vm = argument;

    for (;;) {
        struct epoll_event events[ARCH_NUM_LINES];
        int n = epoll_wait(lines_of(vm)->poll_fd, events, ARRAY_SIZE(events), -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == STOP_TOKEN)
                return NULL;
            acknowledge(vm, (int)events[i].data.u32);
        }
    }
}

static int watch(struct kvm_lines *lines, int fd, uint32_t token)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = token};

    return epoll_ctl(lines->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int kvm_lines_init(vm_t *vm)
{
    struct kvm_lines *lines = lines_of(vm);

    lines->poll_fd = lines->stop_fd = -1;
    for (size_t i = 0; i < ARRAY_SIZE(lines->line); i++)
        lines->line[i].trigger_fd = lines->line[i].end_fd = -1;
    lines->poll_fd = kvm_resource_fails() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (lines->poll_fd < 0)
        return -errno;
    lines->stop_fd = kvm_eventfd();
    if (lines->stop_fd < 0)
        return -errno;
    return watch(lines, lines->stop_fd, STOP_TOKEN);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void kvm_lines_destroy(vm_t *vm)
{
    struct kvm_lines *lines = lines_of(vm);

    for (size_t i = 0; i < ARRAY_SIZE(lines->line); i++) {
        close_if_open(lines->line[i].trigger_fd);
        close_if_open(lines->line[i].end_fd);
    }
    close_if_open(lines->poll_fd);
    close_if_open(lines->stop_fd);
}

/* KVM takes these only when the interrupt controller is complete, on some machines when all vCPUs are there. What was
 * injected before waits in the eventfd. */
static int wire(const vm_t *vm, const struct kvm_line *line, int irq)
{
    struct kvm_irqfd irqfd = {
        .fd = (uint32_t)line->trigger_fd,
        .gsi = (uint32_t)irq,
        .flags = KVM_IRQFD_FLAG_RESAMPLE,
        .resamplefd = (uint32_t)line->end_fd,
    };

    if (machine_is_hollow(vm))
        return 0;
    return ioctl(machine_of(vm)->fd, KVM_IRQFD, &irqfd) ? -errno : 0;
}

static int wire_all(vm_t *vm)
{
    struct kvm_lines *lines = lines_of(vm);
    int error = 0;

    kvm_vmm_lock();
    for (int irq = KVM_FIRST_IRQ; irq <= KVM_LAST_IRQ && !error; irq++) {
        if (lines->line[irq].registered)
            error = wire(vm, &lines->line[irq], irq);
    }
    lines->wired = !error;
    kvm_vmm_unlock();
    return error;
}

int kvm_lines_start(vm_t *vm)
{
    int error = wire_all(vm);

    return error ? error : kvm_thread_start(&lines_of(vm)->thread, "interrupt-ends", acknowledge_until_stopped, vm);
}

void kvm_lines_stop(vm_t *vm)
{
    struct kvm_lines *lines = lines_of(vm);

    eventfd_write(lines->stop_fd, 1);
    kvm_thread_join(&lines->thread);
}

/* --- the interface --- */

int vm_create_default_irq_controller(vm_t *vm)
{
    (void)vm;
    return 0;
}

static int line_open(vm_t *vm, struct kvm_line *line, int irq)
{
    struct kvm_lines *lines = lines_of(vm);
    int error;

    line->trigger_fd = kvm_eventfd();
    if (line->trigger_fd < 0)
        return -errno;
    line->end_fd = kvm_eventfd();
    if (line->end_fd < 0) {
        error = -errno;
        goto fail_trigger;
    }
    error = watch(lines, line->end_fd, (uint32_t)irq);
    if (!error && lines->wired)
        error = wire(vm, line, irq);
    if (error)
        goto fail_end;
    return 0;

fail_end:
    close(line->end_fd); /* leaves the epoll set with it */
    line->end_fd = -1;
fail_trigger:
    close(line->trigger_fd);
    line->trigger_fd = -1;
    return error;
}

int vm_register_irq(vm_vcpu_t *vcpu, int irq, irq_ack_fn_t ack_fn, void *cookie)
{
    struct kvm_line *line;
    int error = 0;

    if (!vcpu || !ack_fn || !kvm_line_valid(irq)) {
        ZF_LOGE("cannot register interrupt %d: there is no such input, or the vCPU or acknowledgement is missing", irq);
        return -1;
    }
    kvm_vmm_lock();
    line = &lines_of(vcpu->vm)->line[irq];
    if (!line->registered)
        error = line_open(vcpu->vm, line, irq);
    if (error) {
        ZF_LOGE("VM %s: cannot register interrupt %d: %s", vcpu->vm->vm_name, irq, strerror(-error));
    } else {
        line->vcpu = vcpu;
        line->ack = ack_fn;
        line->cookie = cookie;
        line->registered = true;
    }
    kvm_vmm_unlock();
    return error ? -1 : 0;
}

static int assert_input(const vm_t *vm, struct kvm_line *line)
{
    if (!machine_is_hollow(vm))
        return eventfd_write(line->trigger_fd, 1);
    line->pending = true;
    return 0;
}

int vm_inject_irq(vm_vcpu_t *vcpu, int irq)
{
    struct kvm_line *line;
    int result = -1;

    kvm_vmm_lock();
    line = line_find(vcpu->vm, irq);
    if (line && !line->disabled) {
        result = line->in_service ? 0 : assert_input(vcpu->vm, line);
        line->in_service |= result == 0;
    }
    kvm_vmm_unlock();
    return result;
}

int vm_set_irq_level(vm_vcpu_t *vcpu, int irq, int irq_level)
{
    if (!kvm_line_valid(irq)) {
        ZF_LOGE("VM %s: there is no interrupt %d to set", vcpu->vm->vm_name, irq);
        return -1;
    }
    if (machine_is_hollow(vcpu->vm)) {
        kvm_vmm_lock();
        lines_of(vcpu->vm)->line[irq].level = irq_level;
        kvm_vmm_unlock();
        return 0;
    }
    return arch_line_set_level(vcpu->vm, irq, irq_level);
}

/* --- numbers to give out --- */

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
    struct kvm_lines *lines = lines_of(vm);

    lines->next_spare = MAX(lines->next_spare, arch_line_spare_late());
}

int kvm_irq_allocate(void)
{
    int irq = -1;

    kvm_vmm_lock();
    if (allocator_vm) {
        struct kvm_lines *lines = lines_of(allocator_vm);

        irq = arch_line_spare(lines->next_spare);
        if (irq >= 0)
            lines->next_spare++;
    }
    kvm_vmm_unlock();
    return irq;
}

/* --- for tests: a VM without KVM --- */

int kvm_test_irq_pending(vm_t *vm, int irq)
{
    int pending = 0;

    kvm_vmm_lock();
    if (kvm_line_valid(irq)) {
        const struct kvm_line *line = &lines_of(vm)->line[irq];

        pending = line->pending || line->level;
    }
    kvm_vmm_unlock();
    return pending;
}

int kvm_test_irq_end(vm_t *vm, int irq)
{
    struct kvm_line *line;
    int result = -1;

    kvm_vmm_lock();
    line = line_find(vm, irq);
    if (line && line->pending) {
        line->pending = false;
        result = 0;
    }
    kvm_vmm_unlock();
    return result;
}

void kvm_test_irq_acknowledge(vm_t *vm, int irq)
{
    struct kvm_line *line;

    kvm_vmm_lock();
    line = line_find(vm, irq);
    if (line)
        tell_end(line, irq);
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
    struct kvm_line *line;

    kvm_vmm_lock();
    line = line_find(vm, irq);
    if (line) {
        line->disabled = !enabled;
        if (enabled && !line->pending)
            tell_end(line, irq);
    }
    kvm_vmm_unlock();
    return line ? 0 : -1;
}
