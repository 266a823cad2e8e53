/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM of libsel4vm on Linux KVM as a whole: what it does when there is no memory, and when there is no KVM.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <sel4vmmplatsupport/guest_memory_util.h>

#include "kvm_fixture.h"

/* --- no memory --- */

static void everything_once(void)
{
    struct access access = {0};
    seL4_CPtr frames[3] = {0};
    vmm_pci_space_t *pci = NULL;
    kvm_irqfd_t *irqfd;
    int doorbell = eventfd(0, EFD_CLOEXEC);
    int memfd = -1;
    vm_memory_reservation_t *reservation;
    kvm_test_snapshot_t before, after;
    vm_t other;

    if (vm_init(&other, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "other")) {
        close(doorbell);
        return;
    }
    if (!vm_create_vcpu(&other, 0) || vm_ram_register_at(&other, KVM_RAM_BASE, RAM_SIZE, false) || vmm_pci_init(&pci) ||
        kvm_pci_attach(&other, pci) || kvm_console_create(&other, -1, -1))
        goto done;

    kvm_test_snapshot(&other, &before);
    if (!create_allocated_reservation_frame(&other, WINDOW, seL4_CanRead, note_access, &access)) {
        kvm_test_snapshot(&other, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        goto done;
    }
    if (kvm_frames_create("test", 3, seL4_PageBits, frames, &memfd)) {
        frames[0] = seL4_CapNull;
        goto done;
    }
    reservation = vm_reserve_memory_at(&other, WINDOW + 0x4000, 3 << 12, note_access, &access);
    if (!reservation)
        goto done;
    kvm_test_snapshot(&other, &before);
    if (vm_map_reservation_frames(&other, reservation, (seL4_CPtr[]){frames[2], frames[1], frames[0]}, 3,
                                  seL4_PageBits)) {
        kvm_test_snapshot(&other, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        goto done;
    }
    if (vm_register_irq(other.vcpus[BOOT_VCPU], KVM_LAST_IRQ, count_end, NULL) ||
        kvm_ioeventfd_assign(&other, WINDOW, doorbell) ||
        kvm_irqfd_create(&other, doorbell, 0xfee00000, 0x41, 8, &irqfd))
        goto done;

done:
    close(doorbell);
    if (memfd >= 0)
        close(memfd);
    if (frames[0])
        kvm_frames_free(frames, 3);
    kvm_vm_destroy(&other);
    kvm_pci_free(pci);
}

static size_t open_descriptors(void)
{
    size_t open = 0;

    for (int fd = 0; fd < 1024; fd++)
        open += fcntl(fd, F_GETFD) >= 0;
    return open;
}

static void every_lack_of_memory_is_survived(void **state)
{
    size_t before = open_descriptors();
    int n = 0;

    (void)state;
    do {
        kvm_test_fail_after(++n);
        everything_once();
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(snapshot().frames, 0);
    } while (kvm_test_fail_after(0) == 0); /* until there is no n-th to fail */
    assert_true(n > 30);
}

/* --- no KVM --- */

static void a_vm_without_kvm_does_not_run(void **state)
{
    (void)state;
    assert_int_equal(vcpu_start(vcpu), 0);
    assert_int_equal(vm_run(&vm), -1);
    assert_int_equal(kvm_vm_exit_status(&vm), -1);
    kvm_vm_stop(&vm, 3);
    kvm_vm_stop(&vm, 4);
    assert_int_equal(kvm_vm_exit_status(&vm), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(every_lack_of_memory_is_survived),
        IN_VM(a_vm_without_kvm_does_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
