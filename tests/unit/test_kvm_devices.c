/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What devices of a VM of libsel4vm on Linux KVM need: interrupts, doorbells, PCI configuration space; and the console.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pci/helper.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../../kvm/src/pci_layers.h"
#include "kvm_fixture.h"
#include "kvm_platform.h"

#define HEADER_MULTI_FUNCTION 0x80

/* --- interrupts --- */

#define IRQ (KVM_LAST_IRQ - 1)
#define OTHER_IRQ KVM_LAST_IRQ

static void an_injection_while_pending_is_dropped(void **state)
{
    int ends = 0;

    (void)state;
    assert_int_equal(vm_inject_irq(vcpu, IRQ), -1);
    assert_int_equal(vm_register_irq(vcpu, IRQ, count_end, &ends), 0);
    assert_int_equal(vm_inject_irq(vcpu, IRQ), 0);
    assert_int_equal(vm_inject_irq(vcpu, IRQ), 0);
    assert_true(kvm_test_irq_pending(&vm, IRQ));
    assert_int_equal(kvm_test_irq_eoi(&vm, IRQ), 0);
    assert_int_equal(ends, 1);
    assert_false(kvm_test_irq_pending(&vm, IRQ));
    assert_int_equal(kvm_test_irq_eoi(&vm, IRQ), -1);
}

static void inject_again(vm_vcpu_t *its_vcpu, int irq, void *cookie)
{
    int *left = cookie;

    if ((*left)-- > 0)
        assert_int_equal(vm_inject_irq(its_vcpu, irq), 0);
}

static void an_end_may_inject_the_next(void **state)
{
    int left = 1;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, IRQ, inject_again, &left), 0);
    assert_int_equal(vm_inject_irq(vcpu, IRQ), 0);
    assert_int_equal(kvm_test_irq_eoi(&vm, IRQ), 0);
    assert_true(kvm_test_irq_pending(&vm, IRQ));
    assert_int_equal(kvm_test_irq_eoi(&vm, IRQ), 0);
    assert_false(kvm_test_irq_pending(&vm, IRQ));
}

static void a_disabled_interrupt_refuses_injection(void **state)
{
    int ends = 0;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, IRQ, count_end, &ends), 0);
    assert_int_equal(kvm_test_irq_enable(&vm, IRQ, false), 0);
    assert_int_equal(vm_inject_irq(vcpu, IRQ), -1);
    assert_false(kvm_test_irq_pending(&vm, IRQ));
    assert_int_equal(kvm_test_irq_enable(&vm, IRQ, true), 0);
    assert_int_equal(ends, 1);
    assert_int_equal(vm_inject_irq(vcpu, IRQ), 0);
    assert_int_equal(kvm_test_irq_enable(&vm, OTHER_IRQ, true), -1);
}

static void registering_again_replaces_the_acknowledgement(void **state)
{
    int first = 0, second = 0;

    (void)state;
    assert_int_equal(vm_register_irq(vcpu, IRQ, count_end, &first), 0);
    assert_int_equal(vm_register_irq(vcpu, IRQ, count_end, &second), 0);
    assert_int_equal(snapshot().irqs, 1);
    vm_inject_irq(vcpu, IRQ);
    kvm_test_irq_eoi(&vm, IRQ);
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    assert_int_equal(vm_register_irq(vcpu, -1, count_end, &first), -1);
    assert_int_equal(vm_register_irq(vcpu, KVM_FIRST_IRQ - 1, count_end, &first), -1);
    assert_int_equal(vm_register_irq(vcpu, KVM_LAST_IRQ + 1, count_end, &first), -1);
}

static void numbers_are_given_out_once(void **state)
{
    bool given[KVM_LAST_IRQ + 1] = {false};
    int irq, num = 0;

    (void)state;
    assert_int_equal(kvm_irq_allocate(), -1); /* no VM is chosen */
    kvm_irq_allocator_use(&vm);
    for (; (irq = kvm_irq_allocate()) >= 0; num++) {
        assert_in_range(irq, KVM_FIRST_IRQ, KVM_LAST_IRQ);
        assert_false(given[irq]);
        given[irq] = true;
    }
    assert_int_equal(num, platform_spare_irqs);
    assert_false(given[platform_console_irq]);
    kvm_vm_destroy(&vm);
    assert_int_equal(kvm_irq_allocate(), -1); /* it is gone */
    assert_int_equal(create_vm(NULL), 0);
}

/* --- doorbells and messages --- */

static void a_doorbell_takes_stores_of_any_width(void **state)
{
    struct access access = {0};
    int doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    eventfd_t signals;

    (void)state;
    assert_non_null(vm_reserve_memory_at(&vm, WINDOW, 4096, note_access, &access));
    assert_int_equal(kvm_ioeventfd_assign(&vm, WINDOW, doorbell), 0);
    assert_int_equal(kvm_ioeventfd_assign(&vm, WINDOW, doorbell), -EEXIST);
    for (size_t length = 1; length <= 8; length *= 2)
        assert_int_equal(kvm_test_fault(vcpu, WINDOW, length, false, 0, NULL), FAULT_HANDLED);
    assert_int_equal(eventfd_read(doorbell, &signals), 0);
    assert_int_equal(signals, 4);
    assert_int_equal(access.calls, 0);

    assert_int_equal(kvm_ioeventfd_deassign(&vm, WINDOW, doorbell), 0);
    assert_int_equal(kvm_ioeventfd_deassign(&vm, WINDOW, doorbell), -ENOENT);
    kvm_test_fault(vcpu, WINDOW, 4, false, 0, NULL);
    assert_int_equal(access.calls, 1);
    close(doorbell);
}

static void message_eventfds_come_and_go(void **state)
{
    int doorbell = eventfd(0, EFD_CLOEXEC);
    kvm_irqfd_t *first, *second;

    (void)state;
    assert_int_equal(kvm_irqfd_create(&vm, doorbell, 0xfee00000, 0x41, 8, &first), 0);
    assert_int_equal(kvm_irqfd_create(&vm, doorbell, 0xfee00000, 0x42, 16, &second), 0);
    assert_int_equal(snapshot().irqfds, 2);
    assert_int_equal(kvm_irqfd_update(first, 0xfee01000, 0x43, 8), 0);
    kvm_irqfd_destroy(first);
    kvm_irqfd_destroy(NULL);
    assert_int_equal(snapshot().irqfds, 1); /* the other goes with the VM */
    assert_int_equal(kvm_irqfd_create(&vm, -1, 0xfee00000, 0x41, 8, &first), -EBADF);
    assert_int_equal(kvm_msi_send(&vm, 0xfee00000, 0x41, 8), 0);
    assert_int_equal(snapshot().msis, 1);
    close(doorbell);
}

static void messages_have_numbers_of_their_own(void **state)
{
    int doorbell = eventfd(0, EFD_CLOEXEC);
    kvm_irqfd_t *irqfds[3], *another;
    uint32_t freed;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(kvm_irqfd_create(&vm, doorbell, 0xfee00000, 0x41, 8, &irqfds[i]), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(kvm_test_irqfd_number(irqfds[i]) > KVM_LAST_IRQ);
        assert_int_not_equal(kvm_test_irqfd_number(irqfds[i]), kvm_test_irqfd_number(irqfds[(i + 1) % 3]));
    }
    freed = kvm_test_irqfd_number(irqfds[1]);
    kvm_irqfd_destroy(irqfds[1]);
    assert_int_equal(kvm_irqfd_create(&vm, doorbell, 0xfee00000, 0x41, 8, &another), 0);
    assert_int_equal(kvm_test_irqfd_number(another), freed); /* KVM has so many */
    close(doorbell);
}

/* --- PCI --- */

static vmm_pci_device_def_t *add_header(vmm_pci_space_t *pci, uint16_t device_id, vmm_pci_address_t *address)
{
    vmm_pci_device_def_t *header = calloc(1, sizeof(*header));
    vmm_pci_entry_t entry = {.cookie = header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};

    header->vendor_id = 0x1af4;
    header->device_id = device_id;
    header->header_type = HEADER_MULTI_FUNCTION;
    assert_int_equal(vmm_pci_add_entry(pci, entry, address), 0);
    return header;
}

static void configuration_space_takes_all_widths(void **state)
{
    vmm_pci_space_t *pci;
    vmm_pci_address_t address;
    vmm_pci_device_def_t *header;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), -EEXIST);
    header = add_header(pci, 0xa111, &address);
    assert_int_equal(address.dev, 1);

    assert_int_equal(config_load(1, 0, PCI_VENDOR_ID, 4), 0xa1111af4);
    assert_int_equal(config_load(1, 0, PCI_VENDOR_ID, 2), 0x1af4);
    assert_int_equal(config_load(1, 0, PCI_DEVICE_ID, 2), 0xa111);
    assert_int_equal(config_load(1, 0, PCI_DEVICE_ID + 1, 1), 0xa1);
    assert_int_equal(config_load(1, 0, PCI_VENDOR_ID + 3, 4), UINT32_MAX); /* across two registers */

    config_store(1, 0, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    config_store(1, 0, PCI_STATUS, 1, 0x12);
    config_store(1, 0, PCI_STATUS + 1, 4, 0); /* does nothing */
    assert_int_equal(header->command, PCI_COMMAND_MEMORY);
    assert_int_equal(header->status, 0x12);
    kvm_pci_free(pci);
    free(header);
}

static void absent_functions_read_as_all_ones(void **state)
{
    vmm_pci_space_t *pci;
    vmm_pci_entry_t *function;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    assert_int_equal(config_load(0, 0, PCI_HEADER_TYPE, 1), HEADER_MULTI_FUNCTION);
    assert_int_equal(config_load(31, 7, 0, 4), UINT32_MAX);
    assert_int_equal(config_load(31, 7, 0, 2), UINT16_MAX);
    config_store(31, 7, 0, 4, 0); /* does nothing */

    /* Functions other than 0 are reached. */
    function = malloc(sizeof(*function));
    *function = *pci->bus0[0][0];
    pci->bus0[0][3] = function;
    assert_int_equal(config_load(0, 3, 0, 4), 0x00425e14);
    kvm_pci_free(pci);
}

static void a_full_bus_refuses_the_next_device(void **state)
{
    vmm_pci_device_def_t header = {0};
    vmm_pci_entry_t entry = {
        .cookie = &header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_entry_ignore_write};
    vmm_pci_space_t *pci;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    for (int i = 1; i < 32; i++)
        assert_int_equal(vmm_pci_add_entry(pci, entry, NULL), 0);
    assert_int_equal(vmm_pci_add_entry(pci, entry, NULL), -1);
    kvm_pci_free(pci);
}

static uint32_t config_read(const vmm_pci_entry_t *entry, int offset, int size)
{
    uint32_t value;

    assert_int_equal(entry->ioread(entry->cookie, offset, size, &value), 0);
    return value;
}

static void layers_emulate_bars_interrupt_and_capabilities(void **state)
{
    vmm_pci_device_def_t header = {.vendor_id = 0x1af4, .interrupt_pin = 1};
    vmm_pci_bar_t bars[] = {{PREFETCH_MEM, WINDOW, 12}, {NON_PREFETCH_MEM, WINDOW + 0x100000, 20}};
    uint8_t caps[] = {0x40, 0x50}, hidden_start[] = {0x60}, hidden_end[] = {0x6f};
    vmm_pci_entry_t entry = {.cookie = &header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};
    vmm_pci_address_t address;
    vmm_pci_space_t *pci;

    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    entry = vmm_pci_create_bar_emulation(entry, 2, bars);
    entry = vmm_pci_create_irq_emulation(entry, 17);
    entry = vmm_pci_create_cap_emulation(entry, 2, caps, 1, hidden_start, hidden_end);
    assert_int_equal(vmm_pci_add_entry(pci, entry, &address), 0);

    assert_int_equal(config_read(&entry, PCI_VENDOR_ID, 2), 0x1af4);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0, 4), WINDOW | PCI_BASE_ADDRESS_MEM_PREFETCH);
    for (int bar = 0; bar < 3; bar++)
        entry.iowrite(entry.cookie, PCI_BASE_ADDRESS_0 + 4 * bar, 4, UINT32_MAX);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0, 4), 0xfffff008);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_1, 4), 0xfff00000);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_1 + 2, 1), 0xf0);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_2, 4), 0);
    entry.iowrite(entry.cookie, PCI_BASE_ADDRESS_1 + 2, 2, 0x1230);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_1, 4), 0x12300000);
    assert_int_equal(header.bar0, 0); /* the stores went no deeper */
    assert_int_equal(header.bar1, 0);

    entry.iowrite(entry.cookie, PCI_INTERRUPT_LINE, 1, 3);
    assert_int_equal(config_read(&entry, PCI_INTERRUPT_LINE, 4), 1 << 8 | 17);
    assert_int_equal(config_read(&entry, PCI_COMMAND, 4) >> 16, PCI_STATUS_CAP_LIST);
    assert_int_equal(config_read(&entry, PCI_CAPABILITY_LIST, 1), 0x40);
    assert_int_equal(config_read(&entry, 0x41, 1), 0x50);
    assert_int_equal(config_read(&entry, 0x51, 1), 0);
    assert_int_equal(header.interrupt_line, 0);
    kvm_pci_free(pci);
}

/* What a layer does not emulate is the device's below. */
static uint8_t below[64];

static int load_below(void *cookie, int offset, int size, uint32_t *result)
{
    (void)cookie;
    *result = 0;
    memcpy(result, below + offset % sizeof(below), (size_t)size);
    return 0;
}

static int store_below(void *cookie, int offset, int size, uint32_t value)
{
    (void)cookie;
    memcpy(below + offset % sizeof(below), &value, (size_t)size);
    return 0;
}

static void what_is_hidden_reads_as_0_and_takes_no_stores(void **state)
{
    const vmm_pci_entry_t device = {.ioread = load_below, .iowrite = store_below};
    uint8_t hidden_start[] = {0x10, 0x20}, hidden_end[] = {0x10, 0x23};
    vmm_pci_entry_t entry = vmm_pci_create_cap_emulation(device, 0, NULL, 2, hidden_start, hidden_end);

    (void)state;
    memset(below, 0xee, sizeof(below));
    for (int offset = 0x0c; offset < 0x28; offset += 4) {
        bool hidden = offset == 0x10 || offset == 0x20;

        assert_int_equal(config_read(&entry, offset, 4), hidden ? 0 : 0xeeeeeeee);
        entry.iowrite(entry.cookie, offset, 4, 0x11111111);
        assert_int_equal(below[offset], hidden ? 0xee : 0x11);
    }
    assert_int_equal(config_read(&entry, 0x23, 1), 0);
    assert_int_equal(config_read(&entry, 0x24, 1), 0x11);
    kvm_pci_layers_free(entry);
}

static void accesses_that_are_not_of_one_bar_go_below(void **state)
{
    const vmm_pci_entry_t device = {.ioread = load_below, .iowrite = store_below};
    vmm_pci_bar_t bars[7] = {{NON_MEM, 0x1000, 4}};
    vmm_pci_entry_t entry = vmm_pci_create_bar_emulation(device, 1, bars);

    (void)state;
    memset(below, 0xee, sizeof(below));
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0, 4), 0x1000 | PCI_BASE_ADDRESS_SPACE_IO);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0 + 2, 4), 0xeeeeeeee); /* across two */
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_0 - 1, 1), 0xee);
    assert_int_equal(config_read(&entry, PCI_BASE_ADDRESS_5 + 4, 4), 0xeeeeeeee);
    kvm_pci_layers_free(entry);
    assert_null(vmm_pci_create_bar_emulation(device, 7, bars).ioread);
    assert_null(vmm_pci_create_bar_emulation(device, -1, bars).ioread);
    assert_null(vmm_pci_create_irq_emulation(device, 256).ioread);
    assert_null(vmm_pci_create_irq_emulation(device, -1).ioread);
    assert_null(vmm_pci_create_cap_emulation(device, -1, NULL, 0, NULL, NULL).ioread);
}

/* --- the console --- */

static void the_serial_port_answers_a_driver_that_probes(void **state)
{
    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, -1), 0);
    assert_int_equal(kvm_console_create(&vm, -1, -1), -EEXIST);

    serial_store(1, 1, 0xff);
    assert_int_equal(serial_load(1, 1), 0x0f);
    serial_store(1, 1, 0);
    serial_store(4, 1, 0x1a); /* loopback, RTS and OUT2 */
    assert_int_equal(serial_load(6, 1) & 0xf0, 0x90);
    serial_store(0, 1, 'x');
    assert_int_equal(serial_load(5, 1), 0x61);
    assert_int_equal(serial_load(0, 1), 'x');
    assert_int_equal(serial_load(5, 1), 0x60);
    serial_store(4, 1, 0x08);
    serial_store(2, 1, 0x01);
    assert_int_equal(serial_load(2, 1), 0xc1);

    serial_store(3, 1, 0x83); /* divisor */
    serial_store(0, 2, 0x0001);
    assert_int_equal(serial_load(0, 2), 0x0001);
    serial_store(3, 1, 0x03);

    serial_store(1, 1, 0x02); /* ready to send: an interrupt at once */
    assert_true(kvm_test_irq_pending(&vm, platform_console_irq));
    assert_int_equal(serial_load(2, 1), 0xc2);
    assert_false(kvm_test_irq_pending(&vm, platform_console_irq));
    serial_store(0, 1, 'y');
    assert_true(kvm_test_irq_pending(&vm, platform_console_irq));
}

static void bytes_that_come_back_wait_in_their_order(void **state)
{
    enum { FIFO = 16 };

    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, -1), 0);
    serial_store(2, 1, 0x01); /* FIFOs */
    serial_store(1, 1, 0x05); /* interrupts for bytes, and for the state of the line */
    serial_store(4, 1, 0x10); /* loopback */
    for (int i = 0; i < FIFO; i++)
        serial_store(0, 1, 'a' + (uint32_t)i);
    assert_int_equal(serial_load(2, 1), 0xc4);
    assert_int_equal(serial_load(5, 1), 0x61);
    serial_store(0, 1, 'z'); /* one too many */
    assert_int_equal(serial_load(2, 1), 0xc6);
    assert_int_equal(serial_load(5, 1), 0x63);
    assert_int_equal(serial_load(5, 1), 0x61); /* it is told once */
    for (int i = 0; i < FIFO; i++) {
        assert_true(kvm_test_irq_pending(&vm, platform_console_irq));
        assert_int_equal(serial_load(0, 1), 'a' + i);
    }
    assert_false(kvm_test_irq_pending(&vm, platform_console_irq));
    assert_int_equal(serial_load(2, 1), 0xc1);
    assert_int_equal(serial_load(0, 1), 0);

    serial_store(0, 1, 'a');
    serial_store(2, 1, 0x03); /* clear what was received */
    assert_int_equal(serial_load(5, 1), 0x60);
}

/* Nobody takes what it sends, here, since the VM does not run. The port says so, and a guest that sends all the same
 * loses bytes. */
static void a_console_that_is_full(void **state)
{
    enum { OUTPUT = 65536, READY = 0x20 };

    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, STDOUT_FILENO), 0);
    for (int i = 0; i < OUTPUT; i++) {
        assert_int_equal(serial_load(5, 1) & READY, READY);
        serial_store(0, 1, 'x');
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(serial_load(5, 1) & READY, 0);
        serial_store(0, 1, 'y');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(an_injection_while_pending_is_dropped),
        IN_VM(an_end_may_inject_the_next),
        IN_VM(a_disabled_interrupt_refuses_injection),
        IN_VM(registering_again_replaces_the_acknowledgement),
        IN_VM(numbers_are_given_out_once),
        IN_VM(a_doorbell_takes_stores_of_any_width),
        IN_VM(message_eventfds_come_and_go),
        IN_VM(messages_have_numbers_of_their_own),
        IN_VM(configuration_space_takes_all_widths),
        IN_VM(absent_functions_read_as_all_ones),
        IN_VM(a_full_bus_refuses_the_next_device),
        IN_VM(layers_emulate_bars_interrupt_and_capabilities),
        IN_VM(what_is_hidden_reads_as_0_and_takes_no_stores),
        IN_VM(accesses_that_are_not_of_one_bar_go_below),
        IN_VM(the_serial_port_answers_a_driver_that_probes),
        IN_VM(bytes_that_come_back_wait_in_their_order),
        IN_VM(a_console_that_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
