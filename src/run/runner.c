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
#include <unistd.h>

#include "../common/clock.h"
#include "../common/descriptor_limit.h"
#include "../common/end_signals.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "confinement.h"
#include "starter.h"
#include "topology_hub.h"
#include "vm_process.h"

#define STATUS_OF_SIGNAL 128
#define STATUS_VM_FAILED 1
#define END_PATIENCE_MS 10000 /* for VMs that were told to end, and for the reader of their output */
#define LAST_PATIENCE_MS 1000 /* for the reader, after a second signal */
#define SAME_SIGNAL_MS 500    /* a second signal within this time counts as the first: timeout(1) sends each twice */

/* Where in the list for poll() what is: signals, ends of VMs and the two outputs; then of each VM. */
enum { AT_SIGNALS, AT_ENDS, AT_OUT, AT_MESSAGES, AT_FIRST_VM };
enum { AT_CONSOLE, AT_ERRORS, AT_LISTENER, AT_CLIENT, AT_PER_VM };

/* Besides those of VMs and the hub: standard ones, signals, the starter's, the listeners' spare one, those of a VM that
 * is being made */
#define OTHER_DESCRIPTORS 12

struct runner {
    const struct topology *topology;
    const struct vm_command_options *options;
    struct vm_process *processes; /**< one a VM */
    struct starter starter;       /**< starts them */
    bool starter_ended;
    struct hub *hub; /**< serves connections in its own thread, whatever VMs print */
    struct pollfd *polled;
    int signals;
    int ending;         /**< the signal that came last, or 0 */
    int64_t signalled;  /**< while ending: when that was, in ms */
    int64_t deadline;   /**< ... and when VMs are killed, and output that nobody reads is given up */
    bool output_counts; /**< the end waits until all output is passed on */
    struct output out;
    struct output messages;
};

/* Prints a line of the runner's own behind what the VMs said before, without waiting. */
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
    int error = vm_process_start(&runner->processes[i]);

    runner->processes[i].start_ms = now_ms();
    runner->processes[i].restart.due_ms = 0;
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

static size_t descriptors_of(const struct topology *topology)
{
    return OTHER_DESCRIPTORS + topology->num_vms * VM_PROCESS_DESCRIPTORS + topology_hub_descriptors(topology);
}

/* poll() may be given no more entries than the process may have descriptors. 0, or -1 after a message. */
static int check_descriptors(const struct topology *topology)
{
    char what[80];

    (void)snprintf(what, sizeof(what), "this topology (VMs: %zu, connections: %zu)", topology->num_vms,
                   topology->num_connections);
    return descriptor_limit_check(what, descriptors_of(topology));
}

static int watch_signals(struct runner *runner)
{
    sigset_t set;

    end_signals(&set);
    (void)signal(SIGPIPE, SIG_IGN); /* write() reports that the reader has left */
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        runner->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runner->signals >= 0)
        return 0;
    message("cannot watch for signals: %s", error_reason(errno));
    return -1;
}

static int prepare(struct runner *runner)
{
    const struct topology *topology = runner->topology;
    int width = longest_name(topology);

    if (check_descriptors(topology) || starter_create(&runner->starter, topology, runner->options))
        return -1;
    runner->processes = calloc(topology->num_vms, sizeof(*runner->processes));
    runner->polled = calloc(AT_FIRST_VM + AT_PER_VM * topology->num_vms, sizeof(struct pollfd));
    if (!runner->processes || !runner->polled) {
        message("no memory for %zu VMs", topology->num_vms);
        return -1;
    }
    for (size_t i = 0; i < topology->num_vms; i++)
        runner->processes[i] = (struct vm_process){.console = -1, .messages = -1, .file = CONSOLE_FILE_CLOSED};
    for (size_t i = 0; i < topology->num_vms; i++) {
        if (vm_process_create(&runner->processes[i], topology, i, width, &runner->starter, &runner->out,
                              &runner->messages))
            return -1;
    }
    if (watch_signals(runner))
        return -1;
    runner->hub = topology_hub_create(topology, runner->options->socket_dir, runner->options->stats);
    if (!runner->hub || confinement_begin(topology, runner->options, descriptors_of(topology)) ||
        hub_start(runner->hub, confinement_enter_hub))
        return -1;
    return confinement_enter_main();
}

/* --- ending --- */

static void signal_all(struct runner *runner, int number)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        if (runner->processes[i].running)
            (void)starter_signal(&runner->starter, i, number);
    }
}

static void end_all(struct runner *runner, int number, int64_t now)
{
    bool again = runner->ending;
    int64_t deadline = now + (again ? LAST_PATIENCE_MS : END_PATIENCE_MS);

    if (again && now - runner->signalled < SAME_SIGNAL_MS)
        return;
    runner->ending = number;
    runner->signalled = now;
    if (!again || deadline < runner->deadline) /* more signals must not put the end off */
        runner->deadline = deadline;
    signal_all(runner, again ? SIGKILL : SIGTERM);
}

/* Kills VMs and gives up on output when the patience is over. When to look again. */
static int64_t end_late_ones(struct runner *runner, int64_t now)
{
    if (!runner->ending)
        return NEVER_MS;
    if (now >= runner->deadline) {
        runner->output_counts = false;
        signal_all(runner, SIGKILL);
        runner->deadline = now + END_PATIENCE_MS;
    }
    return runner->deadline;
}

/*
 * What is in the way of a VM's first start is there the next time, too. When a VM that has run before cannot start,
 * time may mend that: memory was short, or a file is being replaced.
 */
static bool is_to_restart(const struct runner *runner, const struct vm_process *process)
{
    if (runner->ending || !process->has_run)
        return false;
    return process->vm->restart == RESTART_ALWAYS || (process->vm->restart == RESTART_ON_FAILURE && process->failed);
}

static void vm_ended(struct runner *runner, size_t i, int status)
{
    struct vm_process *process = &runner->processes[i];

    vm_process_ended(process, status);
    if (is_to_restart(runner, process))
        restart_plan(&process->restart, process->start_ms, now_ms());
}

static void say_how_it_ended(struct runner *runner, const struct vm_process *process, int64_t now)
{
    const struct restart *restart = &process->restart;
    int64_t delay = restart->due_ms > now ? restart->due_ms - now : 0;
    char times[48] = "";

    if (restart->times > 1)
        (void)snprintf(times, sizeof(times), " (restart %u in a row)", restart->times);
    if (restart->due_ms)
        say(runner, "VM %s %s; it is started again in %lld s%s", process->vm->name, process->how,
            (long long)(delay + 999) / 1000, times);
    else if (process->not_started && process->vm->restart != RESTART_NEVER)
        say(runner, "VM %s %s, for the reason above; it is not started again", process->vm->name, process->how);
    else
        say(runner, "VM %s %s", process->vm->name, process->how);
}

/* Passes on the last output of VMs that ended, and then says how they did. */
static void drain_some(struct runner *runner, int64_t now)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        struct vm_process *process = &runner->processes[i];

        if (process->draining && output_room(&runner->messages) && vm_process_drain(process) && !runner->ending)
            say_how_it_ended(runner, process, now);
    }
}

/* Whether a VM runs, or is to run again, or output is still to be passed on. Of a VM that others start, nobody knows.
 */
static bool is_busy(const struct runner *runner)
{
    for (size_t i = 0; i < runner->topology->num_vms; i++) {
        const struct vm_process *process = &runner->processes[i];

        if (process->vm->vmm == VMM_EXTERNAL && !runner->ending)
            return true;
        if (process->running || (process->draining && runner->output_counts) ||
            (process->restart.due_ms && !runner->ending))
            return true;
    }
    return runner->output_counts && (runner->out.used || runner->messages.used);
}

static void take_ends(struct runner *runner)
{
    int status, taken;
    size_t vm;

    while ((taken = starter_take_end(&runner->starter, &vm, &status)) > 0)
        vm_ended(runner, vm, status);
    runner->starter_ended = taken < 0;
}

static void take_signals(struct runner *runner)
{
    int64_t now = now_ms(); /* of all that are here: they came together */
    struct signalfd_siginfo info;

    while (read(runner->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        end_all(runner, (int)info.ssi_signo, now);
}

/* --- the loop --- */

/* Collects what to poll for. Returns how many there are; next_ms becomes when to look even if nothing comes. */
static size_t gather(struct runner *runner, int64_t now, int64_t *next_ms)
{
    struct pollfd *next = runner->polled;

    next[AT_SIGNALS] = (struct pollfd){.fd = runner->signals, .events = POLLIN};
    next[AT_ENDS] = (struct pollfd){.fd = runner->starter.ends, .events = POLLIN};
    next[AT_OUT] = output_wishes(&runner->out);
    next[AT_MESSAGES] = output_wishes(&runner->messages);
    next += AT_FIRST_VM;
    for (size_t i = 0; i < runner->topology->num_vms; i++, next += AT_PER_VM) {
        const struct vm_process *process = &runner->processes[i];
        const struct console_socket *socket = process->socket;
        struct pollfd none = {.fd = -1};

        next[AT_CONSOLE] = vm_process_console_wishes(process);
        next[AT_ERRORS] = vm_process_message_wishes(process);
        next[AT_LISTENER] = socket ? listener_wishes(&socket->listener, now) : none;
        next[AT_CLIENT] = socket ? console_socket_client_wishes(socket) : none;
        if (socket)
            *next_ms = earlier_ms(*next_ms, listener_due_ms(&socket->listener, now));
    }
    return (size_t)(next - runner->polled);
}

static void serve_vm(struct vm_process *process, const struct pollfd *polled)
{
    int error;

    if (polled[AT_CONSOLE].revents)
        vm_process_read_console(process);
    if (polled[AT_ERRORS].revents)
        vm_process_read_messages(process);
    /* A client that has left makes room for the next one. */
    if (polled[AT_CLIENT].revents)
        vm_process_type(process);
    if (polled[AT_LISTENER].revents) {
        error = console_socket_welcome(process->socket, now_ms());
        if (error)
            vm_process_say(process, "its console accepts nobody for now: %s", error_reason(error));
    }
}

/* Signals and ends last, since they change what is there. */
static void serve(struct runner *runner)
{
    const struct pollfd *vms = runner->polled + AT_FIRST_VM;

    for (size_t i = 0; i < runner->topology->num_vms; i++)
        serve_vm(&runner->processes[i], vms + AT_PER_VM * i);
    if (runner->polled[AT_OUT].revents)
        output_write(&runner->out);
    if (runner->polled[AT_MESSAGES].revents)
        output_write(&runner->messages);
    if (runner->polled[AT_SIGNALS].revents)
        take_signals(runner);
    if (runner->polled[AT_ENDS].revents)
        take_ends(runner);
}

/* Starts a VM that ended. When that fails, the next attempt is planned as after a run. */
static void restart(struct runner *runner, size_t i, int64_t now)
{
    struct vm_process *process = &runner->processes[i];

    if (start_vm(runner, i) == 0)
        return;
    (void)snprintf(process->how, sizeof(process->how), "could not be started");
    restart_plan(&process->restart, now, now);
    say_how_it_ended(runner, process, now);
}

/* Starts VMs whose time has come. When the next one's comes. */
static int64_t restart_some(struct runner *runner, int64_t now)
{
    int64_t next = NEVER_MS;

    for (size_t i = 0; i < runner->topology->num_vms && !runner->ending; i++) {
        const struct vm_process *process = &runner->processes[i];

        if (process->restart.due_ms && !process->draining && process->restart.due_ms <= now)
            restart(runner, i, now);
        if (process->restart.due_ms && !process->draining)
            next = earlier_ms(next, process->restart.due_ms);
    }
    return next;
}

/* 0 when all VMs have ended, or -1 after a message. */
static int loop(struct runner *runner)
{
    for (;;) {
        int64_t now = now_ms();
        int64_t next = end_late_ones(runner, now);
        int ready;
        size_t n;

        drain_some(runner, now);
        next = earlier_ms(next, restart_some(runner, now));
        if (!is_busy(runner))
            return 0;
        n = gather(runner, now, &next);
        ready = poll(runner->polled, n, poll_until_ms(next, now));
        if (ready > 0)
            serve(runner);
        if (ready < 0 && errno != EINTR) {
            message("cannot wait for the VMs, and ends them: %s", error_reason(errno));
            return -1;
        }
        if (runner->starter_ended) {
            message("the process that starts VMs was killed, and so they end, too");
            return -1;
        }
    }
}

/* --- all together --- */

static void destroy(struct runner *runner)
{
    if (runner->processes) {
        for (size_t i = 0; i < runner->topology->num_vms; i++)
            vm_process_destroy(&runner->processes[i]);
    }
    hub_destroy(runner->hub);
    starter_end(&runner->starter);
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

int runner_run(const struct topology *topology, const struct vm_command_options *options)
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
    runner->starter = STARTER_NONE;
    runner->output_counts = true;
    runner->out.fd = STDOUT_FILENO;
    runner->messages.fd = STDERR_FILENO;
    error = prepare(runner);
    for (size_t i = 0; i < topology->num_vms && !error; i++) {
        if (topology->vms[i].vmm != VMM_EXTERNAL)
            error = start_vm(runner, i);
    }
    if (error && runner->signals >= 0)
        end_all(runner, SIGTERM, now_ms()); /* those that were started */
    if (runner->signals >= 0 && loop(runner)) {
        signal_all(runner, SIGTERM);
        error = -1;
    }
    if (!error)
        status = exit_status(runner);
    destroy(runner);
    free(runner);
    return status;
}
