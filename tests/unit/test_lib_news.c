/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrossvm on the host: a VM's process that breaks the protocol once it has an owner, or that never answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../tool/fake_vm.h"
#include "../tool/lib_fixture.h"

static void wrong_driver_messages_are_ignored(void **state)
{
    const struct crossvm_wire_driver good = {
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}, CROSSVM_DRIVER_NONE, 0};
    struct crossvm_wire_driver magic = good, version = good, type = good;
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;
    size_t held;
    int extra;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    extra = eventfd(0, EFD_CLOEXEC);
    held = lib_fixture_count_held();
    magic.header.magic = 0;
    version.header.version++;
    type.header.type = CROSSVM_WIRE_INFO;
    fake_vm_send(vm, &magic, sizeof(magic), -1);
    fake_vm_send(vm, &version, sizeof(version), -1);
    fake_vm_send(vm, &type, sizeof(type), -1);
    fake_vm_send(vm, &good, sizeof(good) - 1, -1);
    fake_vm_send(vm, &good, 1, -1);
    fake_vm_send(vm, &type, sizeof(type), extra);
    assert_int_equal(crossvm_wait(end, crossvm_deadline_after_ms(20)), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT);

    /* A good one counts, and the descriptor that came along is not kept. */
    fake_vm_send(vm, &good, sizeof(good), extra);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), 0);
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_ABSENT);
    assert_int_equal(lib_fixture_count_held(), held);
    close(extra);
    crossvm_close(end);
}

static void flood_of_messages_does_not_prolong_a_wait(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    for (int i = 0; i < 100; i++)
        fake_vm_send_driver(vm, CROSSVM_DRIVER_BOUND);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    fake_vm_emit(vm, 1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 1);
    crossvm_close(end);
}

/* A wait whose time is over takes one lot of news and leaves the rest: a hub that tells the same without end would else
 * keep it. */
static void the_same_news_again_do_not_prolong_a_wait(void **state)
{
    struct crossvm_wire_driver same = {.header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}};
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;
    int waiting = 0; /* bytes in the socket */

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    same.driver_state = vm->reply.driver_state;
    same.generation = vm->reply.generation;
    for (int i = 0; i < 100; i++)
        fake_vm_send(vm, &same, sizeof(same), -1);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(ioctl(vm->owner, SIOCOUTQ, &waiting), 0);
    assert_true(waiting > 0);
    crossvm_close(end);
}

/* A program that had the end before, and took a count after it polled readable. */
static int rival = -1; /* the eventfd */

/* A VM that has another message whenever the library looks, as long as it does not look too often. */
static struct fake_vm *flooding;
static unsigned int looks;

#define MOST_LOOKS 100000u /* more than fit into the time that a reply is waited for, with a millisecond for each */

/* How far the clock of this process is ahead: nobody waits for the time to pass. */
static int64_t ahead_ms;
static bool hurried; /* a look with a timeout does not wait for it either */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int64_t ahead = __atomic_load_n(&ahead_ms, __ATOMIC_RELAXED);

    if (__real_clock_gettime(clock, time))
        return -1;
    time->tv_sec += ahead / 1000;
    time->tv_nsec += ahead % 1000 * 1000000;
    time->tv_sec += time->tv_nsec / 1000000000;
    time->tv_nsec %= 1000000000;
    return 0;
}

static void pass(int ms)
{
    __atomic_add_fetch(&ahead_ms, ms, __ATOMIC_RELAXED);
}

static void flood(void)
{
    static const struct crossvm_wire_driver message = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}};

    pass(1);
    if (__atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED) < MOST_LOOKS)
        (void)send(__atomic_load_n(&flooding->owner, __ATOMIC_RELAXED), &message, sizeof(message),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    eventfd_t count;
    int ready;

    if (flooding)
        flood();
    if (hurried && timeout > 0) {
        pass(timeout);
        timeout = 0;
    }
    ready = __real_poll(fds, n, timeout);

    if (rival >= 0)
        (void)eventfd_read(rival, &count);
    rival = -1;
    return ready;
}

static void a_count_that_another_took_is_not_waited_for(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_start(vm);
    end = lib_fixture_open(state);
    fake_vm_emit(vm, 1);
    rival = vm->fds[0]; /* which waits */
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    assert_int_equal(rival, -1);
    crossvm_close(end);
}

/* A descriptor without file type passes for an eventfd until it is read. */
static void epoll_for_events(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    int epoll = epoll_create1(EPOLL_CLOEXEC), readable = eventfd(1, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    crossvm_end_t *end;

    assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, readable, &event), 0);
    fake_vm_replace_fd(vm, 0, epoll);
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_wait(end, CROSSVM_FOREVER), -EPROTO);
    crossvm_close(end);
    close(readable);
}

static void epoll_for_signals(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    fake_vm_replace_fd(vm, 1, epoll_create1(EPOLL_CLOEXEC));
    fake_vm_start(vm);
    end = lib_fixture_open(state);
    assert_int_equal(crossvm_emit(end), -EIO);
    crossvm_close(end);
}

static void silent_vm_is_given_up(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->manner = FAKE_VM_IS_SILENT;
    fake_vm_start(vm);
    hurried = true;
    assert_int_equal(crossvm_open(&end, "alpha"), -ETIMEDOUT);
    hurried = false;
    assert_null(end);
    assert_non_null(strstr(crossvm_strerror(), "does not answer"));
}

static void vm_that_floods_is_given_up(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    crossvm_end_t *end;

    vm->manner = FAKE_VM_IS_SILENT;
    fake_vm_start(vm);
    looks = 0;
    flooding = vm;
    assert_int_equal(crossvm_open(&end, "alpha"), -ETIMEDOUT);
    flooding = NULL;
    assert_in_range(looks, 2, MOST_LOOKS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        lib_case_unserved(wrong_driver_messages_are_ignored),
        lib_case_unserved(flood_of_messages_does_not_prolong_a_wait),
        lib_case_unserved(the_same_news_again_do_not_prolong_a_wait),
        lib_case_unserved(a_count_that_another_took_is_not_waited_for),
        lib_case_unserved(epoll_for_events),
        lib_case_unserved(epoll_for_signals),
        lib_case_unserved(silent_vm_is_given_up),
        lib_case_unserved(vm_that_floods_is_given_up),
    };

    return cmocka_run_group_tests_name("libcrossvm: news", tests, NULL, NULL);
}
