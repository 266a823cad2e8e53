/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm_process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/wire.h"

#define READ_BYTES 4096

/* --- making --- */

int vm_process_create(struct vm_process *process, const struct topology *topology, size_t index, int width,
                      struct starter *starter, struct output *out, struct output *messages)
{
    const struct topology_vm *vm = &topology->vms[index];

    *process = (struct vm_process){
        .vm = vm, .index = index, .starter = starter, .console = -1, .messages = -1, .file = CONSOLE_FILE_CLOSED};
    (void)snprintf(process->prefix, sizeof(process->prefix), "%-*s | ", width, vm->name);
    process->lines = (struct lines){.output = out, .prefix = process->prefix};
    process->message_lines = (struct lines){.output = messages, .prefix = process->prefix};
    if (vm->console != CONSOLE_SOCKET)
        return 0;
    process->socket = calloc(1, sizeof(*process->socket));
    if (!process->socket) {
        message("VM %s: no memory for its console", vm->name);
        return -1;
    }
    process->socket->listener = LISTENER_CLOSED;
    process->socket->client = -1;
    return console_socket_open(process->socket, vm->console_path);
}

static void close_pipes(struct vm_process *process)
{
    if (process->console >= 0)
        close(process->console);
    if (process->messages >= 0)
        close(process->messages);
    process->console = process->messages = -1;
}

void vm_process_destroy(struct vm_process *process)
{
    close_pipes(process);
    console_file_close(&process->file);
    if (process->socket)
        console_socket_close(process->socket);
    free(process->socket);
    process->socket = NULL;
}

/* --- starting --- */

/* What the new process gets as standard output and error. */
struct standard {
    int out;
    int error;
};

static const char *open_fault(void)
{
    switch (errno) {
    case ENXIO:
        return "nobody reads this FIFO";
    case ELOOP:
        return "it is a symbolic link; name the file itself";
    default:
        return error_reason(errno);
    }
}

/* The first start begins the file anew; later ones go on with it. Files that are no regular ones are left to the VM. */
static int open_file(struct vm_process *process, struct standard *standard)
{
    const struct topology_vm *vm = process->vm;

    console_file_close(&process->file);
    if (console_file_open(&process->file, process->starter, process->index, vm->console_max_size,
                          process->start_ms == 0))
        return -1;
    if (console_file_is_regular(&process->file))
        return 0;
    standard->out = process->file.fd;
    process->file = CONSOLE_FILE_CLOSED;
    return fcntl(standard->out, F_SETFL, O_APPEND); /* the VM may wait */
}

static int open_console(struct vm_process *process, struct standard *standard)
{
    bool both_ways = process->vm->console == CONSOLE_SOCKET;
    int pair[2];

    if (process->vm->console == CONSOLE_FILE && open_file(process, standard))
        return -1;
    if (standard->out >= 0)
        return 0;
    if (both_ways ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) : pipe2(pair, O_CLOEXEC))
        return -1;
    process->console = pair[0];
    standard->out = pair[1];
    return fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

static int open_standard(struct vm_process *process, struct standard *standard)
{
    int pair[2];

    if (open_console(process, standard)) {
        message("VM %s: cannot make its console%s%s: %s", process->vm->name, process->vm->console_path ? " " : "",
                process->vm->console_path ? process->vm->console_path : "", open_fault());
        return -1;
    }
    if (pipe2(pair, O_CLOEXEC) == 0) {
        process->messages = pair[0];
        standard->error = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0)
            return 0;
    }
    message("VM %s: cannot make pipes: %s", process->vm->name, error_reason(errno));
    return -1;
}

static void close_standard(const struct standard *standard)
{
    if (standard->out >= 0)
        close(standard->out);
    if (standard->error >= 0)
        close(standard->error);
}

int vm_process_start(struct vm_process *process)
{
    struct standard standard = {-1, -1};
    int error = open_standard(process, &standard);

    if (!error) {
        error = starter_start(process->starter, process->index, standard.out, process->vm->console == CONSOLE_SOCKET,
                              standard.error);
        if (error)
            message("VM %s: cannot start a process: %s", process->vm->name, start_error_reason(-error));
        process->running = error == 0;
    }
    close_standard(&standard);
    if (error)
        close_pipes(process);
    return error ? -1 : 0;
}

/* --- its output --- */

/* How much output can be passed on now. */
static size_t console_room(const struct vm_process *process)
{
    return process->vm->console == CONSOLE_STDIO ? output_room(process->lines.output) : READ_BYTES;
}

struct pollfd vm_process_console_wishes(const struct vm_process *process)
{
    return (struct pollfd){.fd = console_room(process) ? process->console : -1, .events = POLLIN};
}

struct pollfd vm_process_message_wishes(const struct vm_process *process)
{
    return (struct pollfd){.fd = output_room(process->message_lines.output) ? process->messages : -1, .events = POLLIN};
}

void vm_process_say(struct vm_process *process, const char *format, ...)
{
    struct lines lines = {.output = process->message_lines.output, .prefix = process->prefix};
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (!output_room(lines.output))
        return;
    lines_put(&lines, line, strlen(line));
    lines_end(&lines);
}

/*
 * Reads what there is, up to the room. False when nothing came. Closes the descriptor at its end. For a process that
 * has ended, the end is when nothing is there now: another process may have inherited the other side.
 */
static bool read_some(const struct vm_process *process, int *fd, char *bytes, size_t room, size_t *n)
{
    ssize_t length = *fd < 0 || room == 0 ? 0 : read(*fd, bytes, room < READ_BYTES ? room : READ_BYTES);

    *n = length > 0 ? (size_t)length : 0;
    if (length > 0)
        return true;
    if (*fd >= 0 && room && (length == 0 || process->draining || (errno != EAGAIN && errno != EINTR))) {
        close(*fd);
        *fd = -1;
    }
    return false;
}

static void put_file(struct vm_process *process, const char *bytes, size_t n)
{
    int error = console_file_put(&process->file, bytes, n);

    if (error)
        vm_process_say(process, "its console's output is lost for now: cannot write %s: %s", process->vm->console_path,
                       error_reason(error));
}

static bool move_console(struct vm_process *process)
{
    char bytes[READ_BYTES];
    size_t n;

    if (!read_some(process, &process->console, bytes, console_room(process), &n))
        return false;
    if (process->vm->console == CONSOLE_SOCKET)
        console_socket_put(process->socket, bytes, n);
    else if (process->vm->console == CONSOLE_FILE)
        put_file(process, bytes, n);
    else
        lines_put(&process->lines, bytes, n);
    return true;
}

static bool move_messages(struct vm_process *process)
{
    char bytes[READ_BYTES];
    size_t n;

    if (!read_some(process, &process->messages, bytes, output_room(process->message_lines.output), &n))
        return false;
    lines_put(&process->message_lines, bytes, n);
    return true;
}

void vm_process_read_console(struct vm_process *process)
{
    (void)move_console(process);
}

void vm_process_read_messages(struct vm_process *process)
{
    (void)move_messages(process);
}

void vm_process_type(struct vm_process *process)
{
    char bytes[256];
    size_t n = console_socket_take(process->socket, bytes, sizeof(bytes));

    /* What the guest does not take is lost, as on a serial line. */
    if (n && process->console >= 0)
        (void)send(process->console, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- its end --- */

static void describe_end(struct vm_process *process, int status)
{
    int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

    process->failed = status != 0;
    process->not_started = exit_status == CROSSVM_EXIT_NOT_STARTED || exit_status == VM_COMMAND_NOT_FOUND;
    process->has_run = process->has_run || !process->not_started;
    if (WIFSIGNALED(status))
        (void)snprintf(process->how, sizeof(process->how), "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else if (process->not_started)
        (void)snprintf(process->how, sizeof(process->how), "could not start");
    else if (exit_status == CROSSVM_EXIT_CRASHED)
        (void)snprintf(process->how, sizeof(process->how), "crashed");
    else if (exit_status == CROSSVM_EXIT_RESET)
        (void)snprintf(process->how, sizeof(process->how), "asked for a reset (a reboot, or a panic)");
    else if (exit_status)
        (void)snprintf(process->how, sizeof(process->how), "ended with status %d", exit_status);
    else
        (void)snprintf(process->how, sizeof(process->how), "ended");
}

void vm_process_ended(struct vm_process *process, int status)
{
    process->running = false;
    process->draining = true;
    describe_end(process, status);
}

/* Whether the last line, if it has no end, can be passed on. */
static bool has_room(const struct lines *lines)
{
    return lines->used == 0 || output_room(lines->output);
}

bool vm_process_drain(struct vm_process *process)
{
    while (move_console(process))
        ;
    while (move_messages(process))
        ;
    if (process->console >= 0 || process->messages >= 0 || !has_room(&process->lines) ||
        !has_room(&process->message_lines))
        return false;
    lines_end(&process->lines);
    lines_end(&process->message_lines);
    process->draining = false;
    return true;
}
