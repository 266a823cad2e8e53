/* SPDX-License-Identifier: BSD-2-Clause */
/* Command vmm-args: what a VMM wants to be told, so that its guest has an end of a connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "../common/standard_streams.h"
#include "command.h"
#include "quote.h"
#include "vmm_socket.h"

enum vmm { QEMU, CLOUD_HYPERVISOR, LIBVIRT };

enum { OPTION_VMM = 0x100, OPTION_VM };

struct request {
    const char *name, *vm, *dir;
    enum vmm vmm;
};

/* --- command line --- */

const char *const vmm_words[] = {[QEMU] = "qemu", [CLOUD_HYPERVISOR] = "cloud-hypervisor", [LIBVIRT] = "libvirt", NULL};

static enum vmm choose_vmm(struct argp_state *state, const char *text)
{
    for (size_t i = 0; vmm_words[i]; i++) {
        if (strcmp(text, vmm_words[i]) == 0)
            return (enum vmm)i;
    }
    command_line_error(state, "--vmm: \"%s\" is none of qemu, cloud-hypervisor and libvirt", text);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case OPTION_VMM:
        request->vmm = choose_vmm(state, argument);
        return 0;
    case OPTION_VM:
        request->vm = argument;
        return 0;
    case 'd':
        request->dir = argument;
        return 0;
    default:
        return command_line_take_name(key, argument, state, &request->name);
    }
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"vmm", OPTION_VMM, "VMM", 0, "for qemu (default), cloud-hypervisor or libvirt", 0},
            {"vm", OPTION_VM, "VM", 0, "the end of this VM, where the hub has ends for several", 0},
            {"socket-dir", 'd', "DIR", 0,
             "where the hub has its sockets (default: look in $CROSSVM_DIR, or in /run/crossvm and "
             "$XDG_RUNTIME_DIR/crossvm)",
             0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Prints the arguments that give the guest of a VMM an end of a connection: quoted for a shell, or for "
           "libvirt an element of XML. A hub (`crossvm pair` or another) must run, since it makes the socket.\v"
           "NAME.0 or NAME.1 chooses an end of a `crossvm pair`; NAME may be the path of a socket, too.\n\n"
           "Of QEMU's arguments, vfio-user-pci is for QEMU 10.1 and newer; the guest's memory needs no option. "
           "cloud-hypervisor wants `shared=on` in --memory. Of libvirt's elements, shmem belongs into the domain's "
           "devices, and qemu:commandline directly into the domain. docs/vmm.md has more.",
};

/* --- QEMU --- */

static int print_for_qemu(const struct vmm_socket *socket)
{
    char *device = vmm_device_text(socket);

    if (!device)
        return STATUS_ERROR;
    if (socket->door == CROSSVM_DOOR_IVSHMEM) {
        char *chardev = vmm_device_chardev_text(socket);

        if (!chardev) {
            free(device);
            return STATUS_ERROR;
        }
        fputs("-chardev ", stdout);
        quote_for_shell(stdout, chardev);
        putchar(' ');
        free(chardev);
    }
    fputs("-device ", stdout);
    quote_for_shell(stdout, device);
    putchar('\n');
    free(device);
    return STATUS_OK;
}

/* --- cloud-hypervisor --- */

/* A value with double quotes where a character would end it, and each double quote of its own twice. */
static void put_quoted(FILE *out, const char *text)
{
    bool quote = text[strcspn(text, ",[]\" \t\n")] != '\0';

    if (quote)
        fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    if (quote)
        fputc('"', out);
}

static int print_for_cloud_hypervisor(const struct vmm_socket *socket)
{
    char *value = NULL;
    size_t size;
    FILE *out;

    if (socket->door == CROSSVM_DOOR_IVSHMEM) {
        message(
            "connection \"%s\" has the door ivshmem, and cloud-hypervisor has that device without events; give this "
            "end the door vfio-user",
            socket->name);
        return STATUS_ERROR;
    }
    out = open_memstream(&value, &size);
    if (out) {
        fputs("socket=", out);
        put_quoted(out, socket->path);
    }
    if (!out || fclose(out)) {
        message("no memory for an argument");
        free(value);
        return STATUS_ERROR;
    }
    fputs("--user-device ", stdout);
    quote_for_shell(stdout, value);
    putchar('\n');
    free(value);
    return STATUS_OK;
}

/* --- libvirt --- */

/* XML has no way to write some characters. */
static bool is_xml(const char *text)
{
    for (; *text; text++) {
        if (((unsigned char)*text < ' ' && !strchr("\t\n\r", *text)) ||
            (strncmp(text, "\xef\xbf", 2) == 0 && (unsigned char)text[2] >= 0xbe)) /* U+FFFE, U+FFFF */
            return false;
    }
    return true;
}

static int print_for_libvirt(const struct vmm_socket *socket)
{
    if (!is_xml(socket->path)) {
        message("connection \"%s\": the path of its socket has characters that XML cannot have; choose another "
                "--socket-dir for the hub",
                socket->name);
        return STATUS_ERROR;
    }
    if (socket->door == CROSSVM_DOOR_IVSHMEM) {
        printf("<shmem name='%s'>\n  <model type='ivshmem-doorbell'/>\n  <server path=", socket->name);
        quote_for_xml(stdout, socket->path);
        printf("/>\n  <msi vectors='1' ioeventfd='on'/>\n</shmem>\n");
    } else {
        char *device = vmm_device_text(socket);

        if (!device)
            return STATUS_ERROR;
        printf("<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
               "  <qemu:arg value='-device'/>\n  <qemu:arg value=");
        quote_for_xml(stdout, device);
        printf("/>\n</qemu:commandline>\n");
        free(device);
    }
    return STATUS_OK;
}

/* --- all --- */

/* What can be wrong with any path of a socket. */
static bool check_path(const struct vmm_socket *socket)
{
    size_t limit = sizeof(((struct sockaddr_un *)NULL)->sun_path);

    if (strlen(socket->path) >= limit)
        message("connection \"%s\": %s is too long for the path of a socket; choose a shorter --socket-dir for the hub",
                socket->name, socket->path);
    else if (!vmm_device_can_have(socket->path))
        message("connection \"%s\": the path of its socket is not UTF-8, as VMMs want it; choose another --socket-dir "
                "for the hub",
                socket->name);
    else
        return true;
    return false;
}

int cmd_vmm_args(int argc, char **argv)
{
    static int (*const print[])(const struct vmm_socket *) = {
        [QEMU] = print_for_qemu,
        [CLOUD_HYPERVISOR] = print_for_cloud_hypervisor,
        [LIBVIRT] = print_for_libvirt,
    };
    struct request request = {0};
    struct vmm_socket socket;
    int status;

    command_line_parse(&argp, 0, argc, argv, &request);
    if (vmm_socket_find(&socket, request.name, request.vm, request.dir) || !check_path(&socket))
        return STATUS_ERROR;
    status = print[request.vmm](&socket);
    return standard_output_flush() ? status : STATUS_ERROR;
}
