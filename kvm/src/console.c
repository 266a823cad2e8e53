/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's stores fill a buffer, with the VMM's lock held. A thread writes the buffer out without the lock, so that
 * a slow reader does not hold up the VMM. It waits a little for the rest of a line, so that it writes whole lines.
 */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <utils/util.h>

#include <sel4vm/boot.h>
#include <sel4vm_kvm.h>

#include "../../src/common/error_reason.h"
#include "arch.h"
#include "resource.h"
#include "uart.h"
#include "vm.h"

#define OUTPUT_BYTES 65536
#define OUTPUT_LOW (OUTPUT_BYTES / 2) /* a guest that filled the buffer goes on when it holds no more than this */
#define WRITE_BYTES 4096              /* a pipe that polls as writable takes this many without blocking */
#define LINE_PATIENCE_MS 5            /* to wait for the rest of a line */
#define END_PATIENCE_MS 1000          /* to wait for a reader of the last output */

struct kvm_console {
    vm_t *vm;
    int in_fd; /**< -1: none, or at its end */
    int out_fd;
    int wake_fd; /**< eventfd: there is output, there is room for input, or stop is set */
    struct kvm_thread thread;

    /* Guarded by the VMM's lock. */
    struct kvm_uart uart;
    char output[OUTPUT_BYTES];
    size_t num_output;
    bool line_ended; /**< the output holds the end of a line */
    bool output_broken;
    bool wants_room; /**< input waits until the guest takes what it has */
    bool stop;
};

static void wake(struct kvm_console *console)
{
    eventfd_write(console->wake_fd, 1);
}

/* --- the port's callbacks, with the VMM's lock held --- */

static void transmit(void *cookie, uint8_t byte)
{
    struct kvm_console *console = cookie;
    bool was_empty = console->num_output == 0;

    if (console->output_broken)
        return;
    /* A guest that sends without looking for room loses the byte, as with a real port. */
    if (console->num_output == OUTPUT_BYTES)
        return;
    console->output[console->num_output++] = (char)byte;
    if (console->num_output == OUTPUT_BYTES)
        kvm_uart_set_transmit_room(&console->uart, false);
    if (byte == '\n')
        console->line_ended = true;
    if (was_empty || byte == '\n')
        wake(console);
}

static void set_interrupt(void *cookie, bool level)
{
    const struct kvm_console *console = cookie;

    if (console->vm->num_vcpus)
        vm_set_irq_level(console->vm->vcpus[BOOT_VCPU], ARCH_CONSOLE_IRQ, level);
}

static void received_read(void *cookie)
{
    struct kvm_console *console = cookie;

    if (!console->wants_room)
        return;
    console->wants_room = false;
    wake(console);
}

/* --- the thread --- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What to wait for next. */
struct wishes {
    bool stop;
    bool read;
    bool write;   /**< there is output to write */
    bool patient; /**< its line has not ended, so wait for more */
};

static struct wishes look(struct kvm_console *console)
{
    struct wishes wishes;
    bool room;

    kvm_vmm_lock();
    room = kvm_uart_receive_room(&console->uart);
    console->wants_room = !room;
    wishes = (struct wishes){
        .stop = console->stop,
        .read = console->in_fd >= 0 && !console->stop && room,
        .write = console->num_output,
        .patient = !console->line_ended && console->num_output < WRITE_BYTES && !console->stop,
    };
    kvm_vmm_unlock();
    return wishes;
}

static void read_input(struct kvm_console *console)
{
    uint8_t bytes[KVM_UART_FIFO];
    size_t room;
    ssize_t n;

    kvm_vmm_lock();
    room = kvm_uart_receive_room(&console->uart);
    kvm_vmm_unlock();
    if (!room)
        return;
    n = read(console->in_fd, bytes, room);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        console->in_fd = -1;
        return;
    }
    kvm_vmm_lock();
    for (ssize_t i = 0; i < n; i++)
        kvm_uart_receive(&console->uart, bytes[i]);
    kvm_vmm_unlock();
}

/* Copies the oldest output. */
static size_t peek_output(struct kvm_console *console, char *bytes, size_t size)
{
    size_t n;

    kvm_vmm_lock();
    n = MIN(console->num_output, size);
    memcpy(bytes, console->output, n);
    kvm_vmm_unlock();
    return n;
}

static void drop_output(struct kvm_console *console, size_t n)
{
    kvm_vmm_lock();
    console->num_output -= n;
    memmove(console->output, console->output + n, console->num_output);
    console->line_ended = memchr(console->output, '\n', console->num_output) != NULL;
    if (console->num_output <= OUTPUT_LOW)
        kvm_uart_set_transmit_room(&console->uart, true);
    kvm_vmm_unlock();
}

static void lose_output(struct kvm_console *console, int error)
{
    ZF_LOGW("VM %s: its console's output is lost from here on: %s", console->vm->vm_name, error_reason(error));
    kvm_vmm_lock();
    console->output_broken = true;
    kvm_vmm_unlock();
    drop_output(console, console->num_output);
}

static void write_output(struct kvm_console *console)
{
    char bytes[WRITE_BYTES];
    size_t n = peek_output(console, bytes, sizeof(bytes));
    ssize_t written = write(console->out_fd, bytes, n);

    if (written >= 0) {
        drop_output(console, (size_t)written);
        return;
    }
    if (errno != EINTR && errno != EAGAIN)
        lose_output(console, errno);
}

static int patience_ms(int64_t deadline)
{
    int64_t left = deadline - now_ms();

    return left > 0 ? (int)left : 0;
}

static void *move_bytes(void *argument)
{
    struct kvm_console *console = argument;
    int64_t line_deadline = 0; /* 0: not holding back */
    int64_t end_deadline = 0;  /* 0: not ending */

    for (;;) {
        struct wishes wishes = look(console);
        struct pollfd fds[] = {
            {.fd = console->wake_fd, .events = POLLIN},
            {.fd = wishes.read ? console->in_fd : -1, .events = POLLIN},
            {.fd = wishes.write ? console->out_fd : -1, .events = POLLOUT},
        };
        int timeout = -1;
        eventfd_t count;

        if (wishes.stop) {
            if (!end_deadline)
                end_deadline = now_ms() + END_PATIENCE_MS;
            timeout = patience_ms(end_deadline);
            if (!wishes.write || !timeout)
                return NULL;
        } else if (wishes.write && wishes.patient) {
            if (!line_deadline)
                line_deadline = now_ms() + LINE_PATIENCE_MS;
            timeout = patience_ms(line_deadline);
            if (timeout)
                fds[2].fd = -1;
            else
                timeout = -1;
        }
        if (poll(fds, ARRAY_SIZE(fds), timeout) < 0) {
            if (errno == EINTR)
                continue;
            lose_output(console, errno);
            return NULL;
        }
        if (fds[0].revents)
            eventfd_read(console->wake_fd, &count);
        if (fds[1].revents)
            read_input(console);
        if (fds[2].revents) {
            write_output(console);
            line_deadline = 0;
        }
    }
}

int kvm_console_start(vm_t *vm)
{
    struct kvm_console *console = kvm_vm_of(vm)->console;

    return console ? kvm_thread_start(&console->thread, KVM_THREAD_CONSOLE, "console", move_bytes, console) : 0;
}

void kvm_console_stop(vm_t *vm)
{
    struct kvm_console *console = kvm_vm_of(vm)->console;

    if (!console || !console->thread.started)
        return;
    kvm_vmm_lock();
    console->stop = true;
    kvm_vmm_unlock();
    wake(console);
    kvm_thread_end(&console->thread);
}

/* --- making --- */

int kvm_console_create(vm_t *vm, int in_fd, int out_fd)
{
    struct kvm_console *console;
    int error;

    if (kvm_vm_of(vm)->console)
        return -EEXIST;
    console = kvm_alloc(1, sizeof(*console));
    if (!console)
        return -ENOMEM;
    console->vm = vm;
    console->in_fd = in_fd;
    console->out_fd = out_fd;
    console->output_broken = out_fd < 0;
    console->wake_fd = kvm_eventfd();
    if (console->wake_fd < 0) {
        error = -errno;
        goto fail;
    }
    console->uart.transmit = transmit;
    console->uart.set_interrupt = set_interrupt;
    console->uart.received_read = received_read;
    console->uart.cookie = console;
    kvm_uart_reset(&console->uart);
    if (kvm_arch_console_attach(vm, &console->uart)) {
        error = -ENOMEM;
        goto fail_fd;
    }
    kvm_vm_of(vm)->console = console;
    return 0;

fail_fd:
    close(console->wake_fd);
fail:
    free(console);
    return error;
}

void kvm_console_destroy(vm_t *vm)
{
    struct kvm_console *console = kvm_vm_of(vm)->console;

    if (!console)
        return;
    close(console->wake_fd);
    free(console);
    kvm_vm_of(vm)->console = NULL;
}
