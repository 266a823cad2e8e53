/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm/boot.h>

#include "../../src/vmm/connection.h"

char log_last[512];
static unsigned int log_lines;
int irq_next;
int irq_limit;

/* Every frame that a test made, given back by tear-down. */
static seL4_CPtr frames[65536];
static size_t num_frames;

/* --- failures on demand --- */

static int calloc_countdown;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    if (calloc_countdown > 0 && --calloc_countdown == 0)
        return NULL;
    return __real_calloc(n, size);
}

int calloc_fail_after(int n)
{
    int left = calloc_countdown;

    calloc_countdown = n;
    return left;
}

/* --- log --- */

static void sink(int level, const char *line, void *cookie)
{
    const char *ours = strstr(line, "crossvm:");

    (void)level;
    (void)cookie;
    if (!ours)
        return;
    log_lines++;
    (void)snprintf(log_last, sizeof(log_last), "%s", ours);
}

unsigned int log_take(void)
{
    unsigned int lines = log_lines;

    log_lines = 0;
    return lines;
}

/* --- state --- */

/* Only the sanitizer's allocator tells to the byte what is in use, and `make test` runs these tests with it. */
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define allocated_bytes() __sanitizer_get_current_allocated_bytes()
#else
#define allocated_bytes() 0
#endif

void state_take(const struct fixture *fixture, struct state *state)
{
    kvm_test_snapshot(&fixture->vm, &state->vm);
    memcpy(state->pci, fixture->pci, sizeof(state->pci));
    state->heap = allocated_bytes();
}

void state_assert_unchanged(const struct fixture *fixture, const struct state *before)
{
    struct state now;

    state_take(fixture, &now);
    assert_int_equal(now.vm.reservations, before->vm.reservations);
    assert_int_equal(now.vm.memslots, before->vm.memslots);
    assert_int_equal(now.vm.irqs, before->vm.irqs);
    assert_int_equal(now.vm.frames, before->vm.frames);
    assert_memory_equal(now.pci, before->pci, sizeof(now.pci));
    assert_int_equal(now.heap, before->heap);
}

/* --- VMs --- */

static int send_msi(vm_t *vm, const crossvm_msi_t *message)
{
    return kvm_msi_send(vm, message->address, message->data, message->requester);
}

int irq_alloc(void)
{
    return irq_next <= irq_limit ? irq_next++ : -1;
}

void fixture_vm_create(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    assert_int_equal(vm_init(&fixture->vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"), 0);
    assert_non_null(vm_create_vcpu(&fixture->vm, 0));
    assert_int_equal(vmm_pci_init(&fixture->pci), 0);
    assert_int_equal(kvm_pci_attach(&fixture->vm, fixture->pci), 0);
    fixture->bus = (crossvm_bus_t){
        .vm = &fixture->vm, .pci = fixture->pci, .base = BASE, .alloc_irq = irq_alloc, .send_msi = send_msi};
}

void fixture_vm_destroy(struct fixture *fixture)
{
    crossvm_remove_all(&fixture->vm);
    kvm_vm_destroy(&fixture->vm);
    kvm_pci_free(fixture->pci);
}

int fixture_set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    if (!fixture)
        return -1;
    kvm_use_backend_none();
    kvm_log_set_sink(sink, NULL);
    irq_next = FIRST_IRQ;
    irq_limit = KVM_LAST_IRQ;
    fixture_vm_create(fixture);
    log_take();
    *state = fixture;
    return 0;
}

int fixture_tear_down(void **state)
{
    struct fixture *fixture = *state;

    calloc_fail_after(0);
    kvm_test_fail_after(0);
    kvm_frames_free(frames, num_frames);
    num_frames = 0;
    fixture_vm_destroy(fixture);
    kvm_log_set_sink(NULL, NULL);
    free(fixture);
    return 0;
}

seL4_CPtr *frames_make(size_t n, size_t bits)
{
    seL4_CPtr *made = frames + num_frames;

    assert_true(num_frames + n <= sizeof(frames) / sizeof(frames[0]));
    assert_int_equal(kvm_frames_create("test", n, bits, made, NULL), 0);
    num_frames += n;
    return made;
}

crossvm_connection_t *install_one(struct fixture *fixture, const char *name)
{
    crossvm_dataport_config_t dataport = {.frames = frames_make(1, 12),
                                          .num_frames = 1,
                                          .frame_size_bits = 12,
                                          .guest_rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE};
    crossvm_connection_config_t config = {.name = name, .dataports = &dataport, .num_dataports = 1};
    crossvm_connection_t *c = NULL;

    assert_int_equal(crossvm_install(&fixture->bus, &config, 1, &c), 0);
    assert_non_null(c);
    return c;
}

/* --- the guest --- */

void guest_store(struct fixture *fixture, uintptr_t address, size_t length, uint64_t value)
{
    memory_fault_result_t result = kvm_test_fault(fixture->vm.vcpus[BOOT_VCPU], address, length, false, value, NULL);

    assert_true(result == FAULT_HANDLED || result == FAULT_IGNORE);
}

static vmm_pci_entry_t *pci_entry(const struct fixture *fixture, const crossvm_connection_t *c)
{
    crossvm_connection_info_t info;

    crossvm_get_connection_info(c, &info);
    return find_device(fixture->pci, info.pci);
}

uint32_t guest_config_read(struct fixture *fixture, const crossvm_connection_t *c, unsigned int offset,
                           unsigned int size)
{
    vmm_pci_entry_t *entry = pci_entry(fixture, c);
    uint32_t value = 0;

    assert_non_null(entry);
    assert_int_equal(entry->ioread(entry->cookie, (int)offset, (int)size, &value), 0);
    return value;
}

void guest_config_write(struct fixture *fixture, const crossvm_connection_t *c, unsigned int offset, unsigned int size,
                        uint32_t value)
{
    vmm_pci_entry_t *entry = pci_entry(fixture, c);

    assert_non_null(entry);
    assert_int_equal(entry->iowrite(entry->cookie, (int)offset, (int)size, value), 0);
}

void guest_enable(struct fixture *fixture, const crossvm_connection_t *c)
{
    guest_config_write(fixture, c, 0x04, 2, 0x0002);
}

uintptr_t bar(const crossvm_connection_t *c, unsigned int i)
{
    crossvm_connection_info_t info;

    crossvm_get_connection_info(c, &info);
    return info.bar_address[i];
}

uint32_t page_word(const crossvm_connection_t *c, size_t offset)
{
    uint32_t value;

    memcpy(&value, (const char *)c->frame->memory + offset, sizeof(value));
    return value;
}
