/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrossvm on the host: an honest VM's process. What a broken one can do is in test_lib_replies.c and
 * test_lib_news.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <crossvm/end_channel.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool polls_readable(const crossvm_end_t *end)
{
    struct pollfd fd = {.fd = crossvm_fd(end), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* --- opening and memory --- */

static void open_shows_what_the_vm_gives(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);
    crossvm_end_info_t info;

    assert_string_equal(crossvm_name(end), "alpha");
    assert_int_equal(crossvm_num_dataports(end), 2);
    assert_int_equal(crossvm_dataport(end, 0).size, 0x10000);
    assert_int_equal(crossvm_dataport(end, 0).rights, CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
    assert_int_equal(crossvm_dataport(end, 1).size, 0x2000);
    assert_int_equal(crossvm_dataport(end, 1).rights, CROSSVM_RIGHT_READ);
    assert_int_equal(crossvm_dataport(end, 2).size, 0);
    assert_null(crossvm_dataport(end, SIZE_MAX).address);

    assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
    assert_string_equal(info.name, "alpha");
    assert_int_equal(info.via, CROSSVM_VIA_SOCKET);
    assert_string_equal(info.path, lib_fixture_vm(state)->path);
    assert_string_equal(info.location, "vm-of-alpha");
    assert_int_equal(info.version, 0);
    assert_int_equal(info.peer_state, CROSSVM_PEER_PRESENT);
    assert_int_equal(info.peer_generation, 1);
    assert_int_equal(info.end, 1);
    assert_int_equal(crossvm_end_number(end), 1);
    assert_true(info.msi);
    assert_int_equal(info.owner, 1);
    assert_int_equal(info.num_dataports, 2);
    assert_int_equal(info.dataports[1].size, 0x2000);
    assert_int_equal(info.dataports[1].rights, CROSSVM_RIGHT_READ);
    assert_true(info.vm_exits == 5000000000);
    assert_int_equal(info.vm_user_exits, 17);
    crossvm_close(end);
}

static void open_by_path(void **state)
{
    crossvm_end_t *end;

    assert_int_equal(crossvm_open(&end, lib_fixture_vm(state)->path), 0);
    assert_string_equal(crossvm_name(end), "alpha");
    crossvm_close(end);
}

static void memory_is_shared(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);
    uint8_t *writable = crossvm_dataport(end, 0).address;
    const uint8_t *readable = crossvm_dataport(end, 1).address;

    writable[0xffff] = 0x5a;
    assert_int_equal(vm->dataports[0][0xffff], 0x5a);
    vm->dataports[1][0x1fff] = 0xa5;
    assert_int_equal(readable[0x1fff], 0xa5);
    crossvm_close(end);
}

static void read_only_dataport_faults_on_store(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);
    volatile uint8_t *port = crossvm_dataport(end, 1).address;
    pid_t child = fork();
    int status;

    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
        port[0] = 1;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    crossvm_close(end);
}

static void second_program_finds_the_end_busy(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state), *other = (crossvm_end_t *)state;

    assert_int_equal(crossvm_open(&other, "alpha"), -EBUSY);
    assert_null(other);
    assert_non_null(strstr(crossvm_strerror(), "in use by another program"));
    crossvm_close(end);

    assert_int_equal(crossvm_open(&other, "alpha"), 0);
    crossvm_close(other);
    assert_int_equal(lib_fixture_vm(state)->attaches, 2);
}

static void close_of_nothing(void **state)
{
    (void)state;
    crossvm_close(NULL);
}

/* --- events --- */

static void emits_are_counted(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);

    for (int i = 0; i < 10000; i++)
        assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(vm->peer_page[0], 10000);
    assert_int_equal(fake_vm_take_signals(vm), 10000);
    crossvm_close(end);

    /* The next owner counts on: the sequence never goes back. */
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(vm->peer_page[0], 10001);
    crossvm_close(end);
}

static void *emit_often(void *end)
{
    for (int i = 0; i < 20000; i++) {
        if (crossvm_emit(end))
            return end;
    }
    return NULL;
}

static void emits_of_threads_are_counted(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, emit_often, end), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(vm->peer_page[0], 60000);
    assert_int_equal(fake_vm_take_signals(vm), 60000);
    crossvm_close(end);
}

/* A guest that takes no interrupts must not block an emit: the one signal that waits for it announces all events. Nor
 * must a hub that gives an eventfd which waits. */
static void emit_to_a_full_counter(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    const uint64_t full = UINT64_MAX - 1;
    crossvm_end_t *end;

    assert_int_equal(fcntl(vm->fds[1], F_SETFL, 0), 0);
    end = lib_fixture_open(state);
    assert_int_equal(write(vm->fds[1], &full, sizeof(full)), sizeof(full));
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(vm->peer_page[0], 1);
    assert_true(fake_vm_take_signals(vm) == full);
    crossvm_close(end);
}

static void wait_counts(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);
    crossvm_end_info_t info;

    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    fake_vm_emit(vm, 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    fake_vm_emit(vm, 2);
    fake_vm_emit(vm, 3);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 5);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
    assert_int_equal(info.events, 6);
    crossvm_close(end);
}

static void wait_tells_no_more_than_an_int_holds(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);

    fake_vm_emit(vm, 2 * (uint64_t)INT_MAX + 5);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), INT_MAX);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), INT_MAX);
    fake_vm_emit(vm, 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 5);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    crossvm_close(end);
}

/* Else each call that waits through the channel would return once more for every INT_MAX of them. */
static void a_look_before_a_sleep_takes_all_events(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);
    crossvm_channel_t *channel;
    int timeout_ms;

    assert_int_equal(crossvm_channel_create(&channel, end, NULL), 0);
    fake_vm_emit(lib_fixture_vm(state), 2 * (uint64_t)INT_MAX + 5);
    assert_int_equal(crossvm_channel_prepare(channel, CROSSVM_CHANNEL_IN, &timeout_ms), 0);
    assert_false(polls_readable(end));
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

static void events_before_open_are_told(void **state)
{
    crossvm_end_t *end;

    fake_vm_emit(lib_fixture_vm(state), 7);
    end = lib_fixture_open(state);
    assert_true(polls_readable(end));
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 7);
    crossvm_close(end);
}

static void timeouts(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);
    int64_t start;

    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    start = now_ms();
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(60)), 0);
    assert_true(now_ms() - start >= 60);
    crossvm_close(end);
}

static void *guest_emits_often(void *vm)
{
    for (int i = 0; i < 10000; i++) {
        fake_vm_emit(vm, 1);
        if (i % 1000 == 0)
            usleep(1000); /* so that the waiter also falls asleep in between */
    }
    return NULL;
}

static void no_event_is_lost(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);
    pthread_t guest;
    int64_t events = 0;

    assert_int_equal(pthread_create(&guest, NULL, guest_emits_often, lib_fixture_vm(state)), 0);
    while (events < 10000) {
        int fresh = crossvm_wait(end, CROSSVM_FOREVER);

        assert_true(fresh > 0);
        events += fresh;
    }
    assert_int_equal(pthread_join(guest, NULL), 0);
    assert_int_equal(events, 10000);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    crossvm_close(end);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void signal_ends_a_wait(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm};
    crossvm_end_t *end = lib_fixture_open(state);

    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    ualarm(20000, 20000); /* again, if it comes before the wait */
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EINTR);
    ualarm(0, 0);
    fake_vm_emit(lib_fixture_vm(state), 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 1);
    crossvm_close(end);
}

/* --- the guest's driver, and the end of the VM --- */

static void driver_comes_and_goes(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);
    uint32_t generation = 1;

    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_PRESENT);
    assert_int_equal(generation, 1);

    fake_vm_send_driver(vm, CROSSVM_DRIVER_NONE);
    assert_true(polls_readable(end));
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0); /* a wake-up without event */
    assert_false(polls_readable(end));
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);

    /* The state is new also without a wait. */
    fake_vm_send_driver(vm, CROSSVM_DRIVER_BOUND);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT);

    /* A program there is more than its driver, and another program is another generation. */
    fake_vm_send_driver(vm, CROSSVM_DRIVER_OPEN);
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_READY);
    assert_int_equal(generation, 3);
    fake_vm_send_driver(vm, CROSSVM_DRIVER_OPEN);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_READY);
    assert_int_equal(generation, 4);

    /* Events are told even when the driver's going came first. */
    fake_vm_send_driver(vm, CROSSVM_DRIVER_NONE);
    fake_vm_emit(vm, 4);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 4);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    crossvm_close(end);
}

static void fd_polls_readable(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);

    assert_false(polls_readable(end));
    fake_vm_emit(vm, 1);
    assert_true(polls_readable(end));
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    assert_false(polls_readable(end));
    fake_vm_die(vm);
    assert_true(polls_readable(end));
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), -EPIPE);
    crossvm_close(end);
}

static void *die_soon(void *vm)
{
    usleep(20000);
    fake_vm_die(vm);
    return NULL;
}

static void end_of_the_vm_wakes_a_wait(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);
    crossvm_end_info_t info;
    pthread_t killer;

    assert_int_equal(pthread_create(&killer, NULL, die_soon, vm), 0);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPIPE);
    assert_non_null(strstr(crossvm_strerror(), "alpha"));
    assert_int_equal(pthread_join(killer, NULL), 0);

    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), -EPIPE);
    assert_int_equal(crossvm_emit(end), -EIO);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    assert_int_equal(crossvm_info(end, &info, sizeof(info)), -ECONNREFUSED);
    ((uint8_t *)crossvm_dataport(end, 0).address)[0] = 1; /* the memory outlives its VM */
    crossvm_close(end);
}

static void last_events_are_told_before_the_end(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end = lib_fixture_open(state);

    fake_vm_emit(vm, 3);
    fake_vm_die(vm);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 3);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPIPE);
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case(open_shows_what_the_vm_gives),
        lib_case(open_by_path),
        lib_case(memory_is_shared),
        lib_case(read_only_dataport_faults_on_store),
        lib_case(second_program_finds_the_end_busy),
        lib_case(close_of_nothing),
        lib_case(emits_are_counted),
        lib_case(emits_of_threads_are_counted),
        lib_case(emit_to_a_full_counter),
        lib_case(wait_counts),
        lib_case(wait_tells_no_more_than_an_int_holds),
        lib_case(a_look_before_a_sleep_takes_all_events),
        lib_case(events_before_open_are_told),
        lib_case(timeouts),
        lib_case(no_event_is_lost),
        lib_case(signal_ends_a_wait),
        lib_case(driver_comes_and_goes),
        lib_case(fd_polls_readable),
        lib_case(end_of_the_vm_wakes_a_wait),
        lib_case(last_events_are_told_before_the_end),
    };

    return cmocka_run_group_tests_name("libcrossvm: host end", tests, NULL, NULL);
}
