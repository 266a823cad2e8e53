/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/wire.h"

#define READ_BYTES 4096

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- making --- */

int vm_process_create(struct vm_process *process, const struct topology_vm *vm, int width, struct output *out,
                      struct output *messages)
{
    *process = (struct vm_process){.vm = vm, .console = -1, .messages = -1};
    (void)snprintf(process->prefix, sizeof(process->prefix), "%-*s | ", width, vm->name);
    process->lines = (struct lines){.output = out, .prefix = process->prefix};
    process->message_lines = (struct lines){.output = messages, .prefix = process->prefix};
    if (vm->console != CONSOLE_SOCKET)
        return 0;
    process->at = calloc(1, sizeof(*process->at));
    if (!process->at) {
        message("VM %s: no memory for its console", vm->name);
        return -1;
    }
    process->at->listener = process->at->client = -1;
    return console_socket_open(process->at, vm->console_path);
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
    if (process->at)
        console_socket_close(process->at);
    free(process->at);
    process->at = NULL;
}

/* --- starting --- */

/* What the new process gets as standard input, output and error. */
struct standard {
    int in;
    int out;
    int error;
};

/* Without waiting: a FIFO that nobody reads is an error, instead of holding up all VMs. */
static int open_file(const struct vm_process *process)
{
    /* The first start makes the file anew; the following go on with it. */
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (process->start_ms ? 0 : O_TRUNC);
    int fd = open(process->vm->console_path, flags, 0666);

    if (fd >= 0)
        (void)fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static const char *open_fault(void)
{
    return errno == ENXIO ? "nobody reads this FIFO" : strerror(errno);
}

static int open_console(struct vm_process *process, struct standard *standard)
{
    int pair[2];

    if (process->vm->console == CONSOLE_FILE) {
        standard->out = open_file(process);
        return standard->out < 0 ? -1 : 0;
    }
    if (process->vm->console == CONSOLE_STDIO ? pipe2(pair, O_CLOEXEC)
                                              : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -1;
    process->console = pair[0];
    standard->out = pair[1];
    if (process->vm->console == CONSOLE_SOCKET)
        standard->in = pair[1];
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
    if (standard->in < 0)
        standard->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (standard->in < 0 || pipe2(pair, O_CLOEXEC)) {
        message("VM %s: cannot make pipes: %s", process->vm->name, strerror(errno));
        return -1;
    }
    process->messages = pair[0];
    standard->error = pair[1];
    return fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

static void close_standard(const struct standard *standard)
{
    if (standard->in >= 0 && standard->in != standard->out)
        close(standard->in);
    if (standard->out >= 0)
        close(standard->out);
    if (standard->error >= 0)
        close(standard->error);
}

/* In the new process. A group of its own keeps the terminal's Ctrl-C for the process that started it. */
__attribute__((noreturn)) static void become_vm(const struct standard *standard, const struct vm_command *command,
                                                pid_t parent)
{
    sigset_t none;

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it ended before the call above */
    (void)dup2(standard->in, STDIN_FILENO);
    (void)dup2(standard->out, STDOUT_FILENO);
    (void)dup2(standard->error, STDERR_FILENO);
    (void)signal(SIGPIPE, SIG_DFL);
    /* Where this program was told to ignore signals, the VM is not: it is to end when this program sends one. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    vm_command_execute(command);
}

int vm_process_start(struct vm_process *process, const struct vm_command *command)
{
    struct standard standard = {-1, -1, -1};
    pid_t parent = getpid();
    int error = open_standard(process, &standard);

    if (!error) {
        process->pid = fork();
        if (process->pid == 0)
            become_vm(&standard, command, parent);
        if (process->pid < 0) {
            message("VM %s: cannot start a process: %s", process->vm->name, strerror(errno));
            process->pid = 0;
            error = -1;
        }
    }
    close_standard(&standard);
    if (error)
        close_pipes(process);
    return error;
}

/* --- its output --- */

struct pollfd vm_process_console_wishes(const struct vm_process *process)
{
    bool room = process->at || output_room(process->lines.output);

    return (struct pollfd){.fd = room ? process->console : -1, .events = POLLIN};
}

struct pollfd vm_process_message_wishes(const struct vm_process *process)
{
    return (struct pollfd){.fd = output_room(process->message_lines.output) ? process->messages : -1, .events = POLLIN};
}

/*
 * Reads what there is, up to the room. False when nothing came. At the end the descriptor is closed: of a process that
 * has ended, when there is no more now, whoever else may have the other side.
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

static bool move_console(struct vm_process *process)
{
    size_t room = process->at ? READ_BYTES : output_room(process->lines.output);
    char bytes[READ_BYTES];
    size_t n;

    if (!read_some(process, &process->console, bytes, room, &n))
        return false;
    if (process->at)
        console_socket_put(process->at, bytes, n);
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
    size_t n = console_socket_take(process->at, bytes, sizeof(bytes));

    /* What the guest does not take is lost, as on a serial line. */
    if (n && process->console >= 0)
        (void)send(process->console, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- its end --- */

static void describe_end(struct vm_process *process, int status)
{
    process->failed = true;
    if (WIFSIGNALED(status))
        (void)snprintf(process->how, sizeof(process->how), "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == CROSSVM_EXIT_CRASHED)
        (void)snprintf(process->how, sizeof(process->how), "crashed");
    else if (WEXITSTATUS(status) == CROSSVM_EXIT_RESET)
        (void)snprintf(process->how, sizeof(process->how), "asked for a reset (a reboot, or a panic)");
    else if (WEXITSTATUS(status))
        (void)snprintf(process->how, sizeof(process->how), "ended with status %d", WEXITSTATUS(status));
    else
        process->failed = false;
}

void vm_process_ended(struct vm_process *process, int status)
{
    process->pid = 0;
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
