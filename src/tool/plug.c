/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands attach and detach: a connection is plugged into a QEMU that runs, and taken out of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../common/clock.h"
#include "../common/name.h"
#include "../common/standard_streams.h"
#include "../qmp/machine.h"
#include "command.h"
#include "vmm_socket.h"

#define DEFAULT_SECONDS 30
#define LOOK_MS 100 /* between looks at a guest that tells nobody that it has a new device in service */

_Static_assert(VMM_DEVICE_ID_BYTES <= MACHINE_ID_BYTES, "identifiers of our devices are longer than a machine's");

enum { OPTION_QMP = 0x100, OPTION_BUS, OPTION_NO_WAIT, OPTION_VM };

struct request {
    const char *name, *vm, *dir, *qmp, *bus;
    double seconds;
    bool no_wait;
};

/* --- command line --- */

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case OPTION_QMP:
        request->qmp = argument;
        return 0;
    case OPTION_BUS:
        request->bus = argument;
        return 0;
    case OPTION_NO_WAIT:
        request->no_wait = true;
        return 0;
    case OPTION_VM:
        request->vm = argument;
        return 0;
    case 'd':
        request->dir = argument;
        return 0;
    case 't':
        request->seconds = command_line_seconds(state, "--timeout", argument);
        return 0;
    case ARGP_KEY_END:
        if (!request->qmp)
            command_line_error(state, "--qmp SOCKET is missing: the monitor of the QEMU, which its option -qmp makes");
        return 0;
    default:
        return command_line_take_name(key, argument, state, &request->name);
    }
}

#define QMP_OPTION                                                                                                     \
    {                                                                                                                  \
        "qmp", OPTION_QMP, "SOCKET", 0, "the QEMU's monitor; its option is -qmp unix:SOCKET,server=on,wait=off", 0     \
    }
#define TIMEOUT_OPTION                                                                                                 \
    {                                                                                                                  \
        "timeout", 't', "SECONDS", 0, "give up after this time (default 30)", 0                                        \
    }

static const struct argp attach_argp = {
    .options =
        (const struct argp_option[]){
            QMP_OPTION,
            TIMEOUT_OPTION,
            {"bus", OPTION_BUS, "BUS", 0, "plug it in there (default: into a free PCIe root port)", 0},
            {"no-wait", OPTION_NO_WAIT, NULL, 0, "do not wait for the guest", 0},
            {"vm", OPTION_VM, "VM", 0, "the end of this VM, where the hub has ends for several", 0},
            {"socket-dir", 'd', "DIR", 0,
             "where the hub has its sockets (default: look in $CROSSVM_DIR, or in /run/crossvm and "
             "$XDG_RUNTIME_DIR/crossvm)",
             0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc =
        "Plugs an end of a connection into a QEMU that runs, and waits until a driver of the guest has put it into "
        "service. A hub (`crossvm pair` or another) has to run.\v"
        "NAME.0 or NAME.1 chooses an end of a `crossvm pair`; NAME may be the path of a socket, too. Exit status: 0, "
        "1 when it is plugged in but no driver had it in service in time, 2 for an error.",
};

static const struct argp detach_argp = {
    .options = (const struct argp_option[]){QMP_OPTION, TIMEOUT_OPTION, {0}},
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Takes a connection out of a QEMU that runs, and waits until the guest has let go of it. Programs of the "
           "guest that wait for its events get an error.\v"
           "Exit status: 0, or 2 for an error. After the timeout the guest may still let go of it.",
};

static int64_t deadline_ms(const struct request *request)
{
    return now_ms() + (int64_t)(request->seconds * 1000);
}

/* Prints what went wrong with the connection. */
static int fail(const struct request *request, const char *reason)
{
    message("connection \"%s\": %s", request->name, reason);
    return STATUS_ERROR;
}

/* --- attach --- */

/* The bus to plug it in. False after a message. */
static bool choose_bus(struct qmp *qmp, const struct request *request, char bus[MACHINE_ID_BYTES])
{
    char reason[256];

    if (request->bus) {
        (void)snprintf(bus, MACHINE_ID_BYTES, "%s", request->bus);
        return true;
    }
    switch (machine_find_free_port(qmp, bus)) {
    case 1:
        return true;
    case 0:
        (void)snprintf(reason, sizeof(reason),
                       "the QEMU at %.100s has no free PCIe root port; start it with one more option -device "
                       "pcie-root-port,id=ID,chassis=NUMBER",
                       request->qmp);
        (void)fail(request, reason);
        return false;
    default:
        (void)fail(request, qmp->error);
        return false;
    }
}

/* Says why QEMU refused the device. */
static int say_refused(struct qmp *qmp, const struct request *request, const struct vmm_socket *socket)
{
    char reason[256];

    if (!qmp->refused || !strstr(qmp->error, "is not a valid device model name"))
        return fail(request, qmp->error);
    (void)snprintf(reason, sizeof(reason), "QEMU %s has no device %s%s", qmp->version, vmm_device_model(socket),
                   socket->door == CROSSVM_DOOR_VFIO_USER ? "; use QEMU 10.1 or newer, or give the end the door ivshmem"
                                                          : "");
    return fail(request, reason);
}

/* Executes a command of which only success is of interest. */
static bool execute(struct qmp *qmp, const char *command, json_t *arguments)
{
    json_t *value = qmp_execute(qmp, command, arguments);

    json_decref(value);
    return value != NULL;
}

static bool remove_chardev(struct qmp *qmp, const char *id)
{
    return execute(qmp, "chardev-remove", json_pack("{s:s}", "id", id));
}

static bool add_device(struct qmp *qmp, const struct vmm_socket *socket, const char *id, const char *bus)
{
    char error[QMP_ERROR_BYTES];
    bool refused;

    if (socket->door != CROSSVM_DOOR_IVSHMEM)
        return execute(qmp, "device_add", vmm_device_arguments(socket, bus));
    (void)remove_chardev(qmp, id); /* what a detach was interrupted before */
    if (!execute(qmp, "chardev-add", vmm_device_chardev_arguments(socket)))
        return false;
    if (execute(qmp, "device_add", vmm_device_arguments(socket, bus)))
        return true;
    memcpy(error, qmp->error, sizeof(error));
    refused = qmp->refused;
    (void)remove_chardev(qmp, id);
    memcpy(qmp->error, error, sizeof(error));
    qmp->refused = refused;
    return false;
}

/* QEMU has no event for it. 1 when a driver has the device in service, 0 after the deadline, -1 with qmp->error */
static int await_driver(struct qmp *qmp, const char *id)
{
    for (;;) {
        int enabled = machine_device_is_enabled(qmp, id), heard = 1;
        int64_t until = now_ms() + LOOK_MS;

        while (enabled == 0 && heard > 0)
            heard = qmp_wait(qmp, until);
        if (enabled || heard < 0)
            return enabled ? enabled : heard;
        if (now_ms() >= qmp->deadline_ms)
            return 0;
    }
}

static int attach(struct qmp *qmp, const struct request *request, const struct vmm_socket *socket)
{
    char id[VMM_DEVICE_ID_BYTES], bus[MACHINE_ID_BYTES], reason[256];
    int there;

    vmm_device_id(socket, id);
    there = machine_has_device(qmp, id, NULL);
    if (there < 0)
        return fail(request, qmp->error);
    if (there) {
        (void)snprintf(reason, sizeof(reason),
                       "it is attached already, as device %s of the QEMU at %.100s; `crossvm detach` takes it out", id,
                       request->qmp);
        return fail(request, reason);
    }
    if (!choose_bus(qmp, request, bus))
        return STATUS_ERROR;
    if (!add_device(qmp, socket, id, bus))
        return say_refused(qmp, request, socket);
    there = request->no_wait ? 1 : await_driver(qmp, id);
    if (there < 0)
        return fail(request, qmp->error);
    printf("connection \"%s\" is attached: device %s at %s\n", request->name, id, bus);
    if (there)
        return STATUS_OK;
    message("connection \"%s\": no driver of the guest has put it into service in %g s; load the driver crossvm there, "
            "or look into the log of its kernel",
            request->name, request->seconds);
    return STATUS_TIMEOUT;
}

int cmd_attach(int argc, char **argv)
{
    struct request request = {.seconds = DEFAULT_SECONDS};
    struct vmm_socket socket;
    struct qmp qmp;
    int status;

    command_line_parse(&attach_argp, 0, argc, argv, &request);
    if (vmm_socket_find(&socket, request.name, request.vm, request.dir))
        return STATUS_ERROR;
    if (!vmm_device_can_have(socket.path))
        return fail(&request,
                    "the path of its socket is not UTF-8, as QEMU wants it; choose another --socket-dir for the hub");
    if (qmp_open(&qmp, request.qmp, deadline_ms(&request)))
        status = fail(&request, qmp.error);
    else
        status = attach(&qmp, &request, &socket);
    qmp_close(&qmp);
    return status;
}

/* --- detach --- */

/* What became of the device that is to go. */
struct going {
    const char *id;
    bool is_gone, is_refused;
};

static void hear(void *context, const char *event, const json_t *data)
{
    struct going *going = context;
    const char *device = json_string_value(json_object_get(data, "device"));

    if (!device || strcmp(device, going->id) != 0)
        return;
    going->is_gone |= strcmp(event, "DEVICE_DELETED") == 0;
    going->is_refused |= strcmp(event, "DEVICE_UNPLUG_GUEST_ERROR") == 0;
}

/* Finds the device of a connection, whichever end it is. False after a message. */
static bool find_device(struct qmp *qmp, const struct request *request, char id[VMM_DEVICE_ID_BYTES])
{
    static const char *const ends[] = {"", ".0", ".1"};
    char candidate[VMM_DEVICE_ID_BYTES], reason[256];
    unsigned int found = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        int there;

        (void)snprintf(candidate, sizeof(candidate), VMM_DEVICE_ID_PREFIX "%s%s", request->name, ends[i]);
        there = machine_has_device(qmp, candidate, NULL);
        if (there < 0) {
            (void)fail(request, qmp->error);
            return false;
        }
        if (there) {
            memcpy(id, candidate, sizeof(candidate));
            found++;
        }
    }
    if (found == 1)
        return true;
    if (found == 0)
        (void)snprintf(reason, sizeof(reason), "the QEMU at %.100s has no device " VMM_DEVICE_ID_PREFIX "%s",
                       request->qmp, request->name);
    else
        (void)snprintf(reason, sizeof(reason), "the QEMU at %.100s has both ends; name \"%s.0\" or \"%s.1\"",
                       request->qmp, request->name, request->name);
    (void)fail(request, reason);
    return false;
}

/*
 * Whether QEMU outlives the removal. Where it serves the eventfds of ivshmem-doorbell itself, as it does without KVM,
 * it keeps handlers of them after the device is gone, and crashes when the next event or device comes. False after a
 * message.
 */
static bool can_be_removed(struct qmp *qmp, const struct request *request, const char *id)
{
    static const char model[] = "ivshmem-doorbell";
    int found = machine_has_device(qmp, id, model), kvm = found > 0 ? machine_has_kvm(qmp) : 1;

    if (found < 0 || kvm < 0)
        (void)fail(request, qmp->error);
    else if (!kvm)
        (void)fail(request,
                   "a QEMU without KVM crashes some time after ivshmem-doorbell was taken out; power the guest off "
                   "instead");
    return found >= 0 && kvm > 0;
}

/* Asks the guest to let go of the device, and waits until it has. False after a message. */
static bool remove_device(struct qmp *qmp, const struct request *request, struct going *going)
{
    char reason[QMP_ERROR_BYTES + 256];

    if (!execute(qmp, "device_del", json_pack("{s:s}", "id", going->id)) &&
        !(qmp->refused && strstr(qmp->error, "already in the process of unplug"))) {
        (void)snprintf(reason, sizeof(reason), "%s%s", qmp->error,
                       strstr(qmp->error, "does not support hotplugging")
                           ? "; only what is in a PCIe root port can be taken out while the guest runs"
                           : "");
        (void)fail(request, reason);
        return false;
    }
    while (!going->is_gone && !going->is_refused) {
        switch (qmp_wait(qmp, qmp->deadline_ms)) {
        case 0:
            (void)snprintf(reason, sizeof(reason),
                           "the guest has not let go of device %s in %g s; it does when its kernel has booted and "
                           "handles PCIe hotplug: try again then, or power the guest off",
                           going->id, request->seconds);
            (void)fail(request, reason);
            return false;
        case -1:
            (void)fail(request, qmp->error);
            return false;
        }
    }
    if (going->is_gone)
        return true;
    (void)snprintf(reason, sizeof(reason), "the guest refuses to let go of device %s; its kernel's log says why",
                   going->id);
    (void)fail(request, reason);
    return false;
}

static int detach(struct qmp *qmp, const struct request *request)
{
    char id[VMM_DEVICE_ID_BYTES];
    struct going going = {.id = id};

    if (!find_device(qmp, request, id) || !can_be_removed(qmp, request, id))
        return STATUS_ERROR;
    qmp->event = hear;
    qmp->context = &going;
    if (!remove_device(qmp, request, &going))
        return STATUS_ERROR;
    /* Only the door ivshmem has one. Whether it had is not worth an error: the next attach removes it, too. */
    (void)remove_chardev(qmp, id);
    printf("connection \"%s\" is detached\n", request->name);
    return STATUS_OK;
}

int cmd_detach(int argc, char **argv)
{
    struct request request = {.seconds = DEFAULT_SECONDS};
    struct qmp qmp;
    int status;

    command_line_parse(&detach_argp, 0, argc, argv, &request);
    if (!name_is_valid(request.name)) {
        message("\"%s\" is no name of a connection: a name has " NAME_RULE, request.name);
        return STATUS_ERROR;
    }
    if (qmp_open(&qmp, request.qmp, deadline_ms(&request)))
        status = fail(&request, qmp.error);
    else
        status = detach(&qmp, &request);
    qmp_close(&qmp);
    return status;
}
