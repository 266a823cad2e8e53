/* SPDX-License-Identifier: BSD-2-Clause */
#include "starter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"
#include "console_path.h"
#include "topology_hub.h"

enum order_kind { ORDER_START, ORDER_SIGNAL, ORDER_OPEN, ORDER_ROTATE };

/** An order comes with the descriptors of a start: output and error. */
struct order {
    uint32_t kind;
    uint32_t vm;
    int32_t number; /**< of a signal; whether output is input, too; whether the file begins anew */
};

/** The answer, with the descriptor that was opened. */
struct answer {
    int32_t error; /**< 0, or a negative errno value */
};

struct vm_end {
    uint32_t vm;
    int32_t status;
};

#define START_FDS 2

/* --- the starter's side: a VM --- */

struct side {
    const struct topology *topology;
    const struct vm_command_options *options;
    int orders;
    int ends;
    int children;                 /* a signalfd */
    int nothing;                  /* /dev/null */
    pid_t pids[TOPOLOGY_MAX_VMS]; /* 0: does not run */
};

/* Lists the sockets at which a VM finds its ends, for the caller to free. */
static struct vmm_socket *list_sockets(const struct side *side, size_t vm, size_t *n)
{
    const struct topology *topology = side->topology;
    struct vmm_socket *sockets = calloc(topology->num_connections + 1, sizeof(*sockets));

    *n = 0;
    for (size_t i = 0; sockets && i < topology->num_connections; i++) {
        int end = connection_end_of(&topology->connections[i], vm);

        if (end >= 0)
            topology_vmm_socket(topology, i, end, side->options->socket_dir, &sockets[(*n)++]);
    }
    return sockets;
}

/* In the new process. A process group of its own keeps the terminal's Ctrl-C from it: the runner ends it in good order.
 */
__attribute__((noreturn)) static void become_vm(int in, const int fds[START_FDS], const struct vm_command *command,
                                                pid_t parent)
{
    sigset_t none;

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* the starter ended before the call above */
    if (dup2(in, STDIN_FILENO) < 0 || dup2(fds[0], STDOUT_FILENO) < 0 || dup2(fds[1], STDERR_FILENO) < 0) {
        (void)dprintf(fds[1], "cannot give it its console: %s\n", error_reason(errno));
        _exit(VM_COMMAND_NOT_FOUND);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    /* Also where this program ignores a signal, since it may have to end the VM with one. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    vm_command_execute(command);
}

static int start(struct side *side, const struct order *order, const int fds[START_FDS])
{
    struct vm_command command = {0};
    pid_t parent = getpid(), child = -1;
    size_t n;
    struct vmm_socket *sockets = list_sockets(side, order->vm, &n);
    int error = -ENOMEM;

    if (sockets && vm_command_make(&command, &side->topology->vms[order->vm], sockets, n, side->options) == 0) {
        child = fork();
        if (child == 0)
            become_vm(order->number ? fds[0] : side->nothing, fds, &command, parent);
        error = child < 0 ? -errno : 0;
    }
    if (child > 0)
        side->pids[order->vm] = child;
    vm_command_free(&command);
    free(sockets);
    return error;
}

static void reap(struct side *side)
{
    struct signalfd_siginfo signal;
    int status;
    pid_t pid;

    (void)!read(side->children, &signal, sizeof(signal));
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < side->topology->num_vms; i++) {
            struct vm_end end = {.vm = (uint32_t)i, .status = status};

            if (side->pids[i] != pid)
                continue;
            side->pids[i] = 0;
            (void)!write(side->ends, &end, sizeof(end));
        }
    }
}

/* --- the starter's side: orders --- */

/* Whether an order makes sense: the runner may have been taken over. */
static bool is_valid(const struct side *side, const struct order *order, size_t num_fds)
{
    const struct topology_vm *vm;

    if (order->vm >= side->topology->num_vms || num_fds != (order->kind == ORDER_START ? START_FDS : 0))
        return false;
    vm = &side->topology->vms[order->vm];
    switch (order->kind) {
    case ORDER_START:
        return vm->vmm != VMM_EXTERNAL && side->pids[order->vm] == 0;
    case ORDER_SIGNAL:
        return order->number == SIGTERM || order->number == SIGKILL;
    case ORDER_OPEN:
    case ORDER_ROTATE:
        return vm->console == CONSOLE_FILE;
    default:
        return false;
    }
}

/* A negative errno value, or 0; or the descriptor that is opened. */
static int carry_out(struct side *side, const struct order *order, const int fds[START_FDS], int *opened)
{
    const struct topology_vm *vm = &side->topology->vms[order->vm];

    switch (order->kind) {
    case ORDER_START:
        return start(side, order, fds);
    case ORDER_SIGNAL:
        if (side->pids[order->vm])
            (void)kill(side->pids[order->vm], order->number);
        return 0;
    case ORDER_OPEN:
        *opened = console_path_open(vm->console_path, order->number);
        break;
    default:
        *opened = console_path_rotate(vm->console_path);
        break;
    }
    return *opened < 0 ? -errno : 0;
}

/* False: there will be no more. */
static bool take_order(struct side *side)
{
    struct answer answer = {.error = -EINVAL};
    struct order order;
    int fds[START_FDS], opened = -1, error;
    size_t n;
    ssize_t length = cvm_descriptors_receive(side->orders, &order, sizeof(order), fds, START_FDS, &n);

    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EMFILE))
        return false;
    if (length < 0 && errno == EMFILE)
        answer.error = -EMFILE;
    if (length == (ssize_t)sizeof(order) && is_valid(side, &order, n))
        answer.error = carry_out(side, &order, fds, &opened);
    for (size_t i = 0; i < START_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    error = cvm_descriptors_send(side->orders, &answer, sizeof(answer), &opened, opened >= 0);
    if (opened >= 0)
        close(opened);
    return error == 0;
}

static int prepare_side(struct side *side)
{
    sigset_t all, children;

    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigfillset(&all); /* a signal to the process group is the runner's to handle */
    side->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    side->children = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    return side->nothing < 0 || side->children < 0 || sigprocmask(SIG_SETMASK, &all, NULL) ? -1 : 0;
}

__attribute__((noreturn)) static void serve(struct side *side)
{
    struct pollfd polled[] = {{.fd = side->orders, .events = POLLIN}, {.fd = -1, .events = POLLIN}};

    if (prepare_side(side)) {
        message("cannot make ready to start VMs: %s", error_reason(errno));
        _exit(EXIT_FAILURE);
    }
    polled[1].fd = side->children;
    (void)prctl(PR_SET_NAME, "starter");
    for (;;) {
        if (poll(polled, 2, -1) < 0)
            continue;
        if (polled[1].revents)
            reap(side);
        if (polled[0].revents && !take_order(side))
            _exit(EXIT_SUCCESS);
    }
}

/* --- the runner's side --- */

int starter_create(struct starter *starter, const struct topology *topology, const struct vm_command_options *options)
{
    int sockets[2] = {-1, -1}, pipes[2] = {-1, -1};
    pid_t pid = -1;

    *starter = STARTER_NONE;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0 && pipe2(pipes, O_CLOEXEC) == 0 &&
        fcntl(pipes[0], F_SETFL, O_NONBLOCK) == 0)
        pid = fork();
    if (pid == 0) {
        struct side side = {.topology = topology, .options = options, .orders = sockets[1], .ends = pipes[1]};

        close(sockets[0]);
        close(pipes[0]);
        serve(&side);
    }
    if (pid < 0)
        message("cannot start the process that starts VMs: %s", start_error_reason(errno));
    else
        *starter = (struct starter){.pid = pid, .orders = sockets[0], .ends = pipes[0]};
    for (size_t i = pid < 0 ? 0 : 1; i < 2; i++) {
        if (sockets[i] >= 0)
            close(sockets[i]);
        if (pipes[i] >= 0)
            close(pipes[i]);
    }
    return pid < 0 ? -1 : 0;
}

void starter_end(struct starter *starter)
{
    if (starter->pid == 0)
        return;
    close(starter->orders);
    (void)waitpid(starter->pid, NULL, 0);
    close(starter->ends);
    *starter = STARTER_NONE;
}

/* Gives an order and waits for the answer. 0 or a descriptor, or a negative errno value. */
static int give(struct starter *starter, const struct order *order, const int *fds, size_t num_fds)
{
    struct pollfd answered = {.fd = starter->orders, .events = POLLIN};
    struct answer answer;
    ssize_t length;
    int opened;
    size_t n;

    if (cvm_descriptors_send(starter->orders, order, sizeof(*order), fds, num_fds))
        return -errno;
    do {
        (void)poll(&answered, 1, -1);
        length = cvm_descriptors_receive(starter->orders, &answer, sizeof(answer), &opened, 1, &n);
    } while (length < 0 && errno == EAGAIN);
    if (length != (ssize_t)sizeof(answer))
        return length < 0 ? -errno : -EPIPE;
    if (answer.error)
        return answer.error;
    return n ? opened : 0;
}

int starter_start(struct starter *starter, size_t vm, int output, bool input, int error)
{
    const struct order order = {.kind = ORDER_START, .vm = (uint32_t)vm, .number = input};
    const int fds[START_FDS] = {output, error};

    return give(starter, &order, fds, START_FDS);
}

int starter_signal(struct starter *starter, size_t vm, int number)
{
    const struct order order = {.kind = ORDER_SIGNAL, .vm = (uint32_t)vm, .number = number};

    return give(starter, &order, NULL, 0);
}

int starter_open_console(struct starter *starter, size_t vm, bool anew)
{
    const struct order order = {.kind = ORDER_OPEN, .vm = (uint32_t)vm, .number = anew};

    return give(starter, &order, NULL, 0);
}

int starter_rotate_console(struct starter *starter, size_t vm)
{
    const struct order order = {.kind = ORDER_ROTATE, .vm = (uint32_t)vm};

    return give(starter, &order, NULL, 0);
}

int starter_take_end(const struct starter *starter, size_t *vm, int *status)
{
    struct vm_end end;
    ssize_t length = read(starter->ends, &end, sizeof(end));

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (length != (ssize_t)sizeof(end))
        return -1;
    *vm = end.vm;
    *status = end.status;
    return 1;
}
