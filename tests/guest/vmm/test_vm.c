/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>

static unsigned int log_lines;

unsigned int test_vm_log_lines(void)
{
    return log_lines;
}

static void note_line(int level, const char *line, void *cookie)
{
    (void)level;
    (void)cookie;
    if (strstr(line, "crossvm:"))
        log_lines++;
    (void)fprintf(stderr, "%s\n", line);
}

/* --- ends --- */

struct end *test_vm_end(struct test_vm *test_vm, const char *name)
{
    for (size_t i = 0; i < MAX_ENDS; i++) {
        if (test_vm->ends[i].name[0] && strcmp(test_vm->ends[i].name, name) == 0)
            return &test_vm->ends[i];
    }
    return NULL;
}

static void end_free(struct end *end)
{
    peer_stop(end);
    for (size_t i = 0; i < end->num_dataports; i++) {
        if (end->dataports[i].memory)
            kvm_frames_unmap(end->dataports[i].memory, end->dataports[i].frames, end->dataports[i].num_frames);
        kvm_frames_free(end->dataports[i].frames, end->dataports[i].num_frames);
        free(end->dataports[i].frames);
    }
    memset(end, 0, sizeof(*end));
    end->doorbell = -1;
}

static int end_add_dataport(struct end *end, size_t size)
{
    size_t i = end->num_dataports;
    size_t bits = size % ((size_t)2 << 20) ? 12 : 21;
    size_t n = size >> bits;

    end->dataports[i].frames = calloc(n, sizeof(seL4_CPtr));
    if (!end->dataports[i].frames || kvm_frames_create(end->name, n, bits, end->dataports[i].frames, NULL)) {
        free(end->dataports[i].frames);
        return -1;
    }
    end->dataports[i].size = size;
    end->dataports[i].num_frames = n;
    end->dataports[i].frame_size_bits = bits;
    end->dataports[i].memory = kvm_frames_map(end->dataports[i].frames, n);
    end->num_dataports++;
    return end->dataports[i].memory ? 0 : -1;
}

static struct end *end_make(struct test_vm *test_vm, const struct scenario_connection *connection)
{
    struct end *end = test_vm->ends;

    while (end < test_vm->ends + MAX_ENDS && end->name[0])
        end++;
    if (end == test_vm->ends + MAX_ENDS)
        return NULL;
    end->vm = test_vm;
    (void)snprintf(end->name, sizeof(end->name), "%s", connection->name);
    for (size_t i = 0; connection->dataports[i].size; i++) {
        if (end_add_dataport(end, connection->dataports[i].size)) {
            end_free(end);
            return NULL;
        }
    }
    return end;
}

void test_vm_remove(struct end *end)
{
    crossvm_remove(end->connection);
    end_free(end);
}

/* --- events of the guest --- */

static int emitted(void *cookie)
{
    struct end *end = cookie;

    end->emits++;
    if (strcmp(end->name, CONTROL_NAME) == 0)
        command_run(end->vm, (struct control *)end->dataports[0].memory);
    else
        peer_wake(end);
    return 0;
}

static void note_driver(void *cookie, uint32_t state)
{
    struct end *end = cookie;

    (void)state;
    end->driver_changes++;
}

/* The short interface's emit has no cookie: one function for each connection, and one VM at a time for each. */
#define SHORT_EMITS 4
static struct end *short_ends[2][SHORT_EMITS];

#define SHORT_EMIT(vm, i)                                                                                              \
    static void short_emit_##vm##_##i(void)                                                                            \
    {                                                                                                                  \
        (void)emitted(short_ends[vm][i]);                                                                              \
    }
SHORT_EMIT(0, 0)
SHORT_EMIT(0, 1)
SHORT_EMIT(0, 2)
SHORT_EMIT(0, 3)
SHORT_EMIT(1, 0)
SHORT_EMIT(1, 1)
SHORT_EMIT(1, 2)
SHORT_EMIT(1, 3)
static const emit_fn short_emits[2][SHORT_EMITS] = {
    {short_emit_0_0, short_emit_0_1, short_emit_0_2, short_emit_0_3},
    {short_emit_1_0, short_emit_1_1, short_emit_1_2, short_emit_1_3},
};

/* --- installing --- */

static struct test_vm *allocating; /* for which alloc_irq is called; under the VMM's lock */

static int alloc_irq(void)
{
    return allocating->irqs_left-- > 0 ? kvm_irq_allocate() : -1;
}

static int send_msi(vm_t *vm, const crossvm_msi_t *msi)
{
    return kvm_msi_send(vm, msi->address, msi->data, msi->requester);
}

static int install_short(struct test_vm *test_vm, const struct scenario_install *install, struct end **ends)
{
    static unsigned int vms;
    unsigned int vm = vms++ % 2;
    crossvm_dataport_handle_t dataports[SHORT_EMITS] = {0};
    crossvm_handle_t handles[SHORT_EMITS] = {0};

    for (size_t i = 0; i < install->n; i++) {
        short_ends[vm][i] = ends[i];
        dataports[i].size = ends[i]->dataports[0].size;
        dataports[i].num_frames = (int)ends[i]->dataports[0].num_frames;
        dataports[i].frames = ends[i]->dataports[0].frames;
        handles[i].dataport = &dataports[i];
        handles[i].emit_fn = short_emits[vm][i];
        handles[i].consume_id = i + 1;
        handles[i].connection_name = ends[i]->name;
    }
    if (cross_vm_connections_init_common(&test_vm->vm, KVM_PCI_WINDOW_BASE, handles, (int)install->n, test_vm->pci,
                                         alloc_irq))
        return -1;
    for (size_t i = 0; i < install->n; i++)
        ends[i]->connection = crossvm_find(&test_vm->vm, ends[i]->name);
    return 0;
}

static int install_full(struct test_vm *test_vm, const struct scenario_install *install, struct end **ends)
{
    crossvm_bus_t bus = {
        .vm = &test_vm->vm,
        .pci = test_vm->pci,
        .base = KVM_PCI_WINDOW_BASE,
        .size = KVM_PCI_WINDOW_SIZE,
        .alloc_irq = alloc_irq,
        .send_msi = install->msi && kvm_msi_available(&test_vm->vm) ? send_msi : NULL,
    };
    crossvm_connection_config_t configs[MAX_ENDS] = {{0}};
    crossvm_dataport_config_t dataports[MAX_ENDS][CROSSVM_MAX_DATAPORTS] = {{{0}}};
    crossvm_connection_t *connections[MAX_ENDS];

    for (size_t i = 0; i < install->n; i++) {
        for (size_t k = 0; k < ends[i]->num_dataports; k++) {
            dataports[i][k] = (crossvm_dataport_config_t){
                .frames = ends[i]->dataports[k].frames,
                .num_frames = ends[i]->dataports[k].num_frames,
                .frame_size_bits = ends[i]->dataports[k].frame_size_bits,
                .guest_rights = install->connections[i].dataports[k].guest_rights,
            };
        }
        configs[i] = (crossvm_connection_config_t){
            .name = ends[i]->name,
            .dataports = dataports[i],
            .num_dataports = ends[i]->num_dataports,
            .emit = emitted,
            .driver_changed = note_driver,
            .cookie = ends[i],
            .base_block_only = install->connections[i].base_block_only,
        };
    }
    if (crossvm_install(&bus, configs, install->n, connections))
        return -1;
    for (size_t i = 0; i < install->n; i++)
        ends[i]->connection = connections[i];
    return 0;
}

static int install(struct test_vm *test_vm, const struct scenario_install *install)
{
    struct end *ends[MAX_ENDS];

    for (size_t i = 0; i < install->n; i++) {
        ends[i] = end_make(test_vm, &install->connections[i]);
        if (!ends[i])
            return -1;
    }
    allocating = test_vm;
    test_vm->irqs_left = install->max_irqs;
    kvm_irq_allocator_use(&test_vm->vm);
    return install->short_interface ? install_short(test_vm, install, ends) : install_full(test_vm, install, ends);
}

int test_vm_install_one(struct test_vm *test_vm, const char *name, size_t size)
{
    struct scenario_connection connection = {.name = name,
                                             .dataports = {{size, CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE}}};
    struct scenario_install one = {.connections = &connection, .n = 1, .msi = true, .max_irqs = 1};
    int error = install(test_vm, &one);

    if (error) {
        for (size_t i = 0; i < MAX_ENDS; i++) {
            if (test_vm->ends[i].name[0] && !test_vm->ends[i].connection)
                end_free(&test_vm->ends[i]);
        }
    }
    return error;
}

/* --- the VM --- */

int test_vm_create(struct test_vm *test_vm, const struct scenario *scenario, const char *kernel, const char *initramfs,
                   const char *command_line, int console)
{
    kvm_linux_t linux_image = {.kernel = kernel, .initramfs = initramfs};
    char full[512];
    vm_t *vm = &test_vm->vm;
    int error = 0;

    test_vm->console = console;
    for (size_t i = 0; i < MAX_ENDS; i++)
        test_vm->ends[i].doorbell = -1;
    kvm_log_set_sink(note_line, NULL);
    if (vm_init(vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, scenario->name) ||
        vm_create_default_irq_controller(vm) || vm_ram_register_at(vm, KVM_RAM_BASE, scenario->memory, false))
        error = -1;
    for (unsigned int i = 0; i < scenario->vcpus && !error; i++)
        error = vm_create_vcpu(vm, 0) ? 0 : -1;
    if (error || vmm_pci_init(&test_vm->pci) || kvm_pci_attach(vm, test_vm->pci) || kvm_console_create(vm, -1, console))
        return -1;
    kvm_vmm_lock();
    for (size_t i = 0; i < scenario->num_installs && !error; i++)
        error = install(test_vm, &scenario->installs[i]);
    kvm_vmm_unlock();
    /* Relaxed, so that the cases can read configuration space past Linux where it is memory. */
    (void)snprintf(full, sizeof(full), "%s crossvm.msi=%d iomem=relaxed", command_line, kvm_msi_available(vm));
    linux_image.command_line = full;
    linux_image.pci = test_vm->pci;
    if (!error)
        error = kvm_boot_linux(vm, &linux_image);
    return error ? error : vcpu_start(vm->vcpus[BOOT_VCPU]);
}

int test_vm_run(struct test_vm *test_vm)
{
    return vm_run(&test_vm->vm) ? -1 : kvm_vm_exit_status(&test_vm->vm);
}

/* The guest has ended; these threads use its connections, which go next. */
static void wait_for_threads(struct test_vm *test_vm)
{
    bool busy = true;

    while (busy) {
        kvm_vmm_lock();
        busy = test_vm->floods > 0;
        kvm_vmm_unlock();
        usleep(1000);
    }
    for (size_t i = 0; i < MAX_ENDS; i++) {
        if (test_vm->ends[i].name[0])
            peer_stop(&test_vm->ends[i]);
    }
}

void test_vm_destroy(struct test_vm *test_vm)
{
    wait_for_threads(test_vm);
    kvm_vmm_lock();
    crossvm_remove_all(&test_vm->vm);
    kvm_vmm_unlock();
    for (size_t i = 0; i < MAX_ENDS; i++) {
        if (test_vm->ends[i].name[0])
            end_free(&test_vm->ends[i]);
    }
    kvm_vm_destroy(&test_vm->vm);
}
