/* SPDX-License-Identifier: BSD-2-Clause */
/* What only an x86 guest of libsel4vm on Linux KVM has: I/O ports. */
#include <errno.h>

#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../kvm_fixture.h"
#include "../kvm_platform.h"

static uint32_t port_in(uint16_t port, unsigned int size)
{
    uint32_t value;

    kvm_test_port(vcpu, port, size, true, &value);
    return value;
}

static void port_out(uint16_t port, unsigned int size, uint32_t value)
{
    kvm_test_port(vcpu, port, size, false, &value);
}

static void the_configuration_address_takes_whole_words(void **state)
{
    uint32_t bridge = 1u << 31;
    vmm_pci_space_t *pci;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    port_out(0xcf8, 4, bridge | 3);
    assert_int_equal(port_in(0xcf8, 4), bridge);
    assert_int_equal(port_in(0xcfb, 1), 0x80);
    port_out(0xcf8, 1, 0x55);
    assert_int_equal(port_in(0xcf8, 4), bridge);
    assert_int_equal(port_in(0xcfc, 4), 0x00425e14);
    port_out(0xcf8, 4, bridge | 1 << 16); /* bus 1 */
    assert_int_equal(port_in(0xcfc, 4), UINT32_MAX);
    port_out(0xcf8, 4, 0); /* disabled */
    assert_int_equal(port_in(0xcfc, 4), UINT32_MAX);
    kvm_pci_free(pci);
}

static void the_serial_port_ends_after_8_ports(void **state)
{
    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, -1), 0);
    assert_int_equal(serial_load(7, 4), UINT32_MAX);
}

static void numbers_of_the_pcs_own_devices_are_not_given_out(void **state)
{
    int irq;

    (void)state;
    kvm_irq_allocator_use(&vm);
    while ((irq = kvm_irq_allocate()) >= 0)
        assert_true(irq != 2 && irq != 8); /* cascade, clock */
}

static void a_guest_ends_itself_with_a_status(void **state)
{
    (void)state;
    port_out(KVM_EXIT_PORT, 2, 1); /* bytes only */
    assert_int_equal(kvm_vm_exit_status(&vm), -1);
    port_out(KVM_EXIT_PORT, 1, 42);
    assert_int_equal(kvm_vm_exit_status(&vm), 42);
}

static void there_is_no_gic(void **state)
{
    (void)state;
    assert_int_equal(kvm_use_gic(3), -ENOTSUP);
    assert_true(kvm_msi_available(&vm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(the_configuration_address_takes_whole_words),
        IN_VM(the_serial_port_ends_after_8_ports),
        IN_VM(numbers_of_the_pcs_own_devices_are_not_given_out),
        IN_VM(a_guest_ends_itself_with_a_status),
        IN_VM(there_is_no_gic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
