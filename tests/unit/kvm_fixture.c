/* SPDX-License-Identifier: BSD-2-Clause */
#include "kvm_fixture.h"

#include <sel4vm/boot.h>
#include <sel4vm/guest_vcpu_fault.h>

vm_t vm;
vm_vcpu_t *vcpu;
int lines_logged;

static void count_lines(int level, const char *line, void *cookie)
{
    (void)level;
    (void)line;
    (void)cookie;
    lines_logged++;
}

int create_vm(void **state)
{
    (void)state;
    lines_logged = 0;
    kvm_log_set_sink(count_lines, NULL);
    if (kvm_use_backend_none() || vm_init(&vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"))
        return -1;
    vcpu = vm_create_vcpu(&vm, 0);
    return vcpu ? 0 : -1;
}

int destroy_vm(void **state)
{
    (void)state;
    kvm_vm_destroy(&vm);
    kvm_log_set_sink(NULL, NULL);
    return 0;
}

kvm_test_snapshot_t snapshot(void)
{
    kvm_test_snapshot_t now;

    kvm_test_snapshot(&vm, &now);
    return now;
}

memory_fault_result_t note_access(vm_t *its_vm, vm_vcpu_t *its_vcpu, uintptr_t address, size_t length, void *cookie)
{
    struct access *access = cookie;

    assert_ptr_equal(its_vm, &vm);
    access->calls++;
    access->address = address;
    access->length = length;
    access->size = get_vcpu_fault_size(its_vcpu);
    access->is_read = is_vcpu_read_fault(its_vcpu);
    access->data = get_vcpu_fault_data(its_vcpu);
    access->mask = get_vcpu_fault_data_mask(its_vcpu);
    assert_int_equal(get_vcpu_fault_address(its_vcpu), address);
    if (access->is_read)
        set_vcpu_fault_data(its_vcpu, access->answer);
    advance_vcpu_fault(its_vcpu);
    return access->result;
}

void count_end(vm_vcpu_t *its_vcpu, int irq, void *cookie)
{
    (void)irq;
    assert_ptr_equal(its_vcpu, vcpu);
    ++*(int *)cookie;
}
