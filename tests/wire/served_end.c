/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_irq_controller.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "../../src/hub/connection.h"
#include "../../src/hub/door.h"
#include "../../src/vm/server.h"
#include "folder.h"
#include "served_end.h"

static enum served_by served_by;

/* --- a pair --- */

static struct {
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_door *door;
    pthread_t thread;
    int stop;
} hub;

static void *run_hub(void *argument)
{
    (void)argument;
    return hub_loop_run(hub.loop, hub.stop) ? &hub : NULL;
}

static void start_pair(void)
{
    const struct hub_connection_config config = {
        .name = "x", .dataports = {{.size = 0x2000, .writer = WRITER_BOTH}}, .num_dataports = 1};

    hub.stop = eventfd(0, EFD_CLOEXEC);
    hub.loop = hub_loop_create();
    assert_non_null(hub.loop);
    hub.connection = hub_connection_create(hub.loop, &config);
    assert_non_null(hub.connection);
    hub.door = hub_door_host_open(hub.loop, hub_connection_end(hub.connection, 0), folder, "x.0");
    assert_non_null(hub.door);
    assert_int_equal(pthread_create(&hub.thread, NULL, run_hub, NULL), 0);
}

static void end_pair(void)
{
    void *failed;

    assert_int_equal(eventfd_write(hub.stop, 1), 0);
    assert_int_equal(pthread_join(hub.thread, &failed), 0);
    assert_null(failed);
    hub_door_close(hub.door);
    hub_connection_destroy(hub.connection);
    hub_loop_destroy(hub.loop);
    close(hub.stop);
}

/* --- a VM --- */

static struct {
    vm_t vm;
    vmm_pci_space_t *pci;
    struct loop *loop;
    struct wiring wiring;
    struct server *server;
} machine;

static void start_vm(void)
{
    const struct connection_option option = {
        .join_fd = -1, .name = "x.0", .num_dataports = 1, .dataports = {{.size = 0x2000, .writer = WRITER_BOTH}}};
    crossvm_dataport_config_t dataports[CROSSVM_MAX_DATAPORTS];
    struct wiring *wirings[] = {&machine.wiring};
    crossvm_connection_config_t config;
    crossvm_connection_t *connection;
    crossvm_bus_t bus;

    (void)kvm_use_backend_none();
    memset(&machine, 0, sizeof(machine));
    assert_int_equal(vm_init(&machine.vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "test"), 0);
    assert_int_equal(vm_create_default_irq_controller(&machine.vm), 0);
    assert_non_null(vm_create_vcpu(&machine.vm, 0));
    assert_int_equal(vmm_pci_init(&machine.pci), 0);
    assert_int_equal(kvm_pci_attach(&machine.vm, machine.pci), 0);
    kvm_irq_allocator_use(&machine.vm);
    machine.loop = loop_create();
    assert_non_null(machine.loop);
    assert_int_equal(wiring_create(&machine.wiring, &machine.vm, &option), 0);
    wiring_describe(&machine.wiring, &config, dataports);
    bus = (crossvm_bus_t){
        .vm = &machine.vm, .pci = machine.pci, .base = KVM_PCI_WINDOW_BASE, .alloc_irq = kvm_irq_allocate};
    assert_int_equal(crossvm_install(&bus, &config, 1, &connection), 0);
    assert_int_equal(wiring_attach(&machine.wiring, connection, machine.loop), 0);
    machine.server = server_create(folder, "test", machine.loop, wirings, 1);
    assert_non_null(machine.server);
    assert_int_equal(server_start(machine.server), 0);
    assert_int_equal(loop_start(machine.loop), 0);
}

static void end_vm(void)
{
    loop_stop(machine.loop);
    server_destroy(machine.server);
    wiring_destroy(&machine.wiring);
    crossvm_remove_all(&machine.vm);
    kvm_vm_destroy(&machine.vm);
    kvm_pci_free(machine.pci);
    loop_destroy(machine.loop);
}

/* --- both --- */

void serve_end(enum served_by way)
{
    served_by = way;
    if (way == BY_PAIR)
        start_pair();
    else
        start_vm();
}

void end_service(void)
{
    if (served_by == BY_PAIR)
        end_pair();
    else
        end_vm();
}
