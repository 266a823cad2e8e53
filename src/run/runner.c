/* SPDX-License-Identifier: BSD-2-Clause */
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/end_signals.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "link.h"
#include "vm_process.h"

#define STATUS_OF_SIGNAL 128
#define STATUS_VM_FAILED 1
#define RESTART_INTERVAL_MS 1000 /* between two starts of a VM */
#define END_PATIENCE_MS 10000    /* for VMs that were told to end, and for who reads what they printed */
#define LAST_PATIENCE_MS 1000    /* for the latter, after a second signal */
#define SAME_SIGNAL_MS 500       /* within which a signal is the one before: timeout(1) sends each twice */

/* What is polled for, beside the VMs' own: the signals, and the two outputs. */
enum { AT_SIGNALS, AT_OUT, AT_MESSAGES, AT_FIRST_VM };
/* ... and of each VM */
enum { AT_CONSOLE, AT_ERRORS, AT_LISTENER, AT_CLIENT, AT_PER_VM };

struct runner {
    const struct topology *topology;
    const struct vm_program_options *options;
    struct vm_process *processes; /**< one a VM */
    struct link *links;           /**< one a connection; those to the host are not made */
    size_t num_links;             /**< made so far, and those to the host between them */
    struct pollfd *polled;
    int signals;
    int ending;         /**< the signal that came last, or 0 */
    int64_t signalled;  /**< while ending: when that was, in ms */
    int64_t deadline;   /**< ... and when VMs are killed, and what nobody reads is given up */
    bool output_counts; /**< to pass on all of it is worth waiting */
    struct output out;
    struct output messages;
};

/* A line for people, after what the VMs said before. */
static void say(struct runner *runner, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct runner *runner, const char *format, ...)
{
    struct lines lines = {.output = &runner->messages, .prefix = "crossvm: "};
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    lines_put(&lines, line, strlen(line));
    lines_end(&lines);
}

/* --- starting --- */

static int start_vm(struct runner *runner, size_t i)
{
    struct vm_command command;
    int error = vm_command_make(&command, runner->topology, i, runner->links, runner->options);

    if (!error)
        error = vm_process_start(&runner->processes[i], &command);
    runner->processes[i].start_ms = now_ms(); /* also of a failure, which is not to be repeated at once */
    vm_command_free(&command);
    return error;
}

static int longest_name(const struct topology *topology)
{
    size_t longest = 0;

    for (size_t i = 0; i < topology->num_vms; i++) {
        size_t length = strlen(topology->vms[i].name);

        longest = length > longest ? length : longest;
    }
    return (int)longest;
}

static int make_links(struct runner *runner)
{
    size_t n = runner->topology->num_connections;

    runner->links = calloc(n ? n : 1, sizeof(*runner->links));
    if (!runner->links) {
        message("no memory for %zu connections", n);
        return -1;
    }
    for (; runner->num_links < n; runner->num_links++) {
        const struct topology_connection *connection = &runner->topology->connections[runner->num_links];

        if (connection_is_between_vms(connection) && link_create(&runner->links[runner->num_links], connection)) {
            runner->num_links++; /* to be destroyed as far as it came */
            return -1;
        }
    }
    return 0;
}

static void destroy_links(struct runner *runner)
{
    for (size_t i = 0; i < runner->num_links; i++) {
        if (connection_is_between_vms(&runner->topology->connections[i]))
            link_destroy(&runner->links[i]);
    }
    free(runner->links);
}

static int watch_signals(struct runner *runner)
{
    sigset_t set;

    end_signals(&set);
    sigaddset(&set, SIGCHLD);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader of our output that left shows as an error of write() */
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        runner->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runner->signals >= 0)
        return 0;
    message("cannot watch for signals: %s", strerror(errno));
    return -1;
}

static int prepare(struct runner *runner)
{
    const struct topology *topology = runner->topology;
    int width = longest_name(topology);

    runner->processes = calloc(topology->num_vms, sizeof(*runner->processes));
    runner->polled =
        calloc(AT_FIRST_VM + AT_PER_VM * topology->num_vms + 2 * topology->num_connections, sizeof(struct pollfd));
    if (!runner->processes || !runner->polled) {
        message("no memory for %zu VMs", topology->num_vms);
        return -1;
    }
    for (size_t i = 0; i < topology->num_vms; i++)
        runner->processes[i] = (struct vm_process){.console = -1, .messages = -1};
    for (size_t i = 0; i < topology->num_vms; i++) {
        if (vm_process_create(&runner->processes[i], &topology->vms[i], width, &runner->out, &runner->messages))
            return -1;
    }
    return make_links(runner) || watch_signals(runner) ? -1 : 0;
}

/* --- ending --- */

static void signal_all(const struct runner *runner, int number)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        if (runner->processes[i].pid)
            (void)kill(runner->processes[i].pid, number);
    }
}

static void end_all(struct runner *runner, int number)
{
    int64_t now = now_ms();
    bool again = runner->ending;

    if (again && now - runner->signalled < SAME_SIGNAL_MS)
        return;
    runner->ending = number;
    runner->signalled = now;
    runner->deadline = now + (again ? LAST_PATIENCE_MS : END_PATIENCE_MS);
    signal_all(runner, again ? SIGKILL : SIGTERM);
}

/* When the patience is over. Returns for how long to wait until then, in ms; -1: for ever. */
static int end_late_ones(struct runner *runner)
{
    int64_t left = runner->deadline - now_ms();

    if (!runner->ending)
        return -1;
    if (left > 0)
        return (int)left;
    runner->output_counts = false;
    signal_all(runner, SIGKILL);
    runner->deadline = now_ms() + END_PATIENCE_MS;
    return END_PATIENCE_MS;
}

static bool is_to_restart(const struct runner *runner, const struct vm_process *process)
{
    return !runner->ending && process->pid == 0 && !process->draining &&
           (process->vm->restart == RESTART_ALWAYS || (process->vm->restart == RESTART_ON_FAILURE && process->failed));
}

/* Who shares a connection with it is told at once, whatever becomes of its output. */
static void vm_ended(struct runner *runner, size_t i, int status)
{
    vm_process_ended(&runner->processes[i], status);
    for (size_t k = 0; k < runner->topology->num_connections; k++) {
        const struct topology_connection *connection = &runner->topology->connections[k];
        int end = connection_end_of(connection, i);

        if (end >= 0 && connection_is_between_vms(connection))
            link_leave(&runner->links[k], end);
    }
}

/* Passes on the last words of VMs that ended, and then says that they did. */
static void drain_some(struct runner *runner)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        struct vm_process *process = &runner->processes[i];

        if (!process->draining || !output_room(&runner->messages) || !vm_process_drain(process) || runner->ending)
            continue;
        say(runner, "VM %s %s%s", process->vm->name, process->failed ? process->how : "ended",
            is_to_restart(runner, process) ? "; it is started again" : "");
    }
}

/* Whether a VM runs, or has said what is still to be passed on. */
static bool is_busy(const struct runner *runner)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        if (runner->processes[i].pid || (runner->processes[i].draining && runner->output_counts))
            return true;
    }
    return runner->output_counts && (runner->out.used || runner->messages.used);
}

static void reap(struct runner *runner)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < runner->topology->num_vms; i++) {
            if (runner->processes[i].pid == pid)
                vm_ended(runner, i, status);
        }
    }
}

static void take_signals(struct runner *runner)
{
    struct signalfd_siginfo info;

    while (read(runner->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            end_all(runner, (int)info.ssi_signo);
    }
    reap(runner);
}

/* --- the loop --- */

static size_t gather(struct runner *runner)
{
    struct pollfd *next = runner->polled;

    next[AT_SIGNALS] = (struct pollfd){.fd = runner->signals, .events = POLLIN};
    next[AT_OUT] = output_wishes(&runner->out);
    next[AT_MESSAGES] = output_wishes(&runner->messages);
    next += AT_FIRST_VM;
    for (size_t i = 0; i < runner->topology->num_vms; i++, next += AT_PER_VM) {
        const struct vm_process *process = &runner->processes[i];
        struct pollfd none = {.fd = -1};

        next[AT_CONSOLE] = vm_process_console_wishes(process);
        next[AT_ERRORS] = vm_process_message_wishes(process);
        next[AT_LISTENER] = process->at ? console_socket_listener_wishes(process->at) : none;
        next[AT_CLIENT] = process->at ? console_socket_client_wishes(process->at) : none;
    }
    for (size_t i = 0; i < runner->topology->num_connections; i++) {
        if (!connection_is_between_vms(&runner->topology->connections[i]))
            continue;
        *next++ = link_wishes(&runner->links[i], 0);
        *next++ = link_wishes(&runner->links[i], 1);
    }
    return (size_t)(next - runner->polled);
}

static void serve_vm(struct vm_process *process, const struct pollfd *polled)
{
    if (polled[AT_CONSOLE].revents)
        vm_process_read_console(process);
    if (polled[AT_ERRORS].revents)
        vm_process_read_messages(process);
    /* Who left first makes room for who comes. */
    if (polled[AT_CLIENT].revents)
        vm_process_type(process);
    if (polled[AT_LISTENER].revents)
        console_socket_welcome(process->at);
}

/* Links first: who is there is to be told at once. Signals last, since they change what is there. */
static void serve(struct runner *runner)
{
    const struct pollfd *vms = runner->polled + AT_FIRST_VM;
    const struct pollfd *next = vms + AT_PER_VM * runner->topology->num_vms;

    for (size_t i = 0; i < runner->topology->num_connections; i++) {
        if (!connection_is_between_vms(&runner->topology->connections[i]))
            continue;
        for (int end = 0; end < 2; end++, next++) {
            if (next->revents)
                link_serve(&runner->links[i], end, next->revents);
        }
    }
    for (size_t i = 0; i < runner->topology->num_vms; i++)
        serve_vm(&runner->processes[i], vms + AT_PER_VM * i);
    if (runner->polled[AT_OUT].revents)
        output_write(&runner->out);
    if (runner->polled[AT_MESSAGES].revents)
        output_write(&runner->messages);
    if (runner->polled[AT_SIGNALS].revents)
        take_signals(runner);
}

/* Starts VMs that ended, not too often. Returns for how long to wait for the next, in ms; -1: there is none. */
static int restart_some(struct runner *runner)
{
    int64_t now = now_ms();
    int64_t wait = -1;

    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        struct vm_process *process = &runner->processes[i];
        int64_t left = process->start_ms + RESTART_INTERVAL_MS - now;

        if (!is_to_restart(runner, process))
            continue;
        if (left <= 0 && start_vm(runner, i) == 0)
            continue;
        if (left <= 0)
            left = RESTART_INTERVAL_MS; /* it could not be started; a message says why */
        wait = wait < 0 || left < wait ? left : wait;
    }
    return (int)wait;
}

static void loop(struct runner *runner)
{
    for (;;) {
        int end_ms = end_late_ones(runner);
        int restart_ms;
        size_t n;

        drain_some(runner);
        restart_ms = restart_some(runner); /* -1 while ending */
        if (restart_ms < 0 && !is_busy(runner))
            return;
        n = gather(runner);
        if (poll(runner->polled, n, runner->ending ? end_ms : restart_ms) > 0)
            serve(runner);
    }
}

/* --- all together --- */

static void destroy(struct runner *runner)
{
    if (runner->processes) {
        for (size_t i = 0; i < runner->topology->num_vms; i++)
            vm_process_destroy(&runner->processes[i]);
    }
    destroy_links(runner);
    if (runner->signals >= 0)
        close(runner->signals);
    free(runner->processes);
    free(runner->polled);
}

static int exit_status(struct runner *runner)
{
    int status = STATUS_OK;

    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        if (runner->processes[i].failed && !runner->ending)
            status = STATUS_VM_FAILED;
    }
    return runner->ending ? STATUS_OF_SIGNAL + runner->ending : status;
}

int runner_run(const struct topology *topology, const struct vm_program_options *options)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    int status = STATUS_ERROR;
    int error;

    if (!runner) {
        message("no memory to run a topology");
        return STATUS_ERROR;
    }
    runner->topology = topology;
    runner->options = options;
    runner->signals = -1;
    runner->output_counts = true;
    runner->out.fd = STDOUT_FILENO;
    runner->messages.fd = STDERR_FILENO;
    error = prepare(runner);
    for (size_t i = 0; i < topology->num_vms && !error; i++)
        error = start_vm(runner, i);
    if (error && runner->signals >= 0)
        end_all(runner, SIGTERM); /* those that were started */
    if (runner->signals >= 0)
        loop(runner);
    if (!error)
        status = exit_status(runner);
    destroy(runner);
    free(runner);
    return status;
}

/* Runs the program with --dump for one VM. 0, or -1 after a message. */
static int dump_vm(struct runner *runner, size_t i)
{
    struct vm_command command;
    int status = 0;
    int error = vm_command_make(&command, runner->topology, i, runner->links, runner->options);

    if (!error) {
        pid_t pid = fork();

        if (pid == 0)
            vm_command_execute(&command);
        if (pid < 0)
            message("cannot start a process: %s", strerror(errno));
        error = pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
    }
    vm_command_free(&command);
    return error;
}

int runner_dump(const struct topology *topology, const struct vm_program_options *options)
{
    struct runner runner = {.topology = topology, .options = options, .signals = -1};
    int error = make_links(&runner);

    for (size_t i = 0; i < topology->num_vms && !error; i++)
        error = dump_vm(&runner, i);
    destroy_links(&runner);
    return error ? STATUS_ERROR : STATUS_OK;
}
