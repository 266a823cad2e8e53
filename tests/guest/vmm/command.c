/* SPDX-License-Identifier: BSD-2-Clause */
#include "test_vm.h"

#include <string.h>

static int get_info(const struct end *end, struct control_info *out)
{
    crossvm_connection_info_t info;

    crossvm_get_connection_info(end->connection, &info);
    *out = (struct control_info){
        .emits = end->emits,
        .failed_emits = info.failed_emits,
        .events = info.events,
        .injections = info.injections,
        .irq = (uint32_t)info.irq,
        .irq_shared = info.irq_shared,
        .msi_enabled = info.msi_enabled,
        .driver_state = info.driver_state,
        .pci = (uint32_t)(info.pci.dev << 3 | info.pci.fun),
        .num_dataports = (uint32_t)info.num_dataports,
        .driver_changes = end->driver_changes,
    };
    for (size_t i = 0; i <= info.num_dataports; i++) {
        out->bar_address[i] = info.bar_address[i];
        out->bar_size[i] = info.bar_size[i];
    }
    for (size_t i = 0; i < info.num_dataports; i++)
        out->dataport_size[i] = end->dataports[i].size;
    return 0;
}

static int copy(struct end *end, struct control *control, const uint64_t *args, bool to_guest)
{
    unsigned char *memory;

    if (args[0] >= end->num_dataports || args[2] > sizeof(control->bytes) || args[1] > end->dataports[args[0]].size ||
        args[2] > end->dataports[args[0]].size - args[1])
        return -1;
    memory = end->dataports[args[0]].memory + args[1];
    if (to_guest)
        memcpy(control->bytes, memory, args[2]);
    else
        memcpy(memory, control->bytes, args[2]);
    return 0;
}

static int run_on_end(struct end *end, struct control *control, uint32_t op, const uint64_t *args)
{
    switch (op) {
    case CONTROL_EMIT:
        for (uint64_t i = 0; i < args[0]; i++)
            crossvm_consume_event(end->connection);
        return 0;
    case CONTROL_COUNT:
        crossvm_count(end->connection, (uint32_t)args[0]);
        return 0;
    case CONTROL_PEER_STATE:
        crossvm_set_peer_state(end->connection, (uint32_t)args[0]);
        return 0;
    case CONTROL_INFO:
        return get_info(end, (struct control_info *)control->bytes);
    case CONTROL_PEEK:
        return copy(end, control, args, true);
    case CONTROL_POKE:
        return copy(end, control, args, false);
    case CONTROL_REMOVE:
        test_vm_remove(end);
        return 0;
    case CONTROL_PEER:
        return peer_set(end, (enum control_peer)args[0]);
    case CONTROL_FLOOD:
        return peer_flood(end, args[0]);
    default:
        return -1;
    }
}

void command_run(struct test_vm *test_vm, struct control *control)
{
    struct control command = *control;
    struct end *end;

    command.name[sizeof(command.name) - 1] = '\0';
    switch (command.op) {
    case CONTROL_PING:
        control->out[0] = command.args[0] + 1;
        control->result = 0;
        return;
    case CONTROL_INSTALL:
        control->result = test_vm_install_one(test_vm, command.name, command.args[0]);
        return;
    case CONTROL_FLOOD_DONE:
        control->out[0] = test_vm->floods == 0;
        control->result = 0;
        return;
    case CONTROL_RESET:
        crossvm_reset_all(&test_vm->vm);
        control->result = 0;
        return;
    case CONTROL_LOG:
        control->out[0] = test_vm_log_lines();
        control->result = 0;
        return;
    default:
        end = test_vm_end(test_vm, command.name);
        control->result = end ? run_on_end(end, control, command.op, command.args) : -1;
    }
}
