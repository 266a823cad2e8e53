/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMMs that send whatever they like. Each loses its own socket at most: connection "y" is used all the while, and when
 * the enemies are gone the hub has no descriptor more than before (hub_tear_down() counts).
 *
 * The argument is how many random messages to send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "hub_fixture.h"
#include "neighbour.h"
#include "vmm.h"

static unsigned long random_messages = 100000;

/* --- one wrong thing each --- */

static void wrong_messages(void **state)
{
    static const struct {
        const char *what;
        uint16_t command;
        uint32_t flags, size;
        uint32_t words[8];
    } table[] = {
        {"a reply", VMM_GET_INFO, 1, 16, {16}},
        {"an unknown flag", VMM_GET_INFO, 0x40, 16, {16}},
        {"an error", VMM_GET_INFO, 0x20, 16, {16}},
        {"a second version", VMM_VERSION, 0, 4, {0}},
        {"no room for information", VMM_GET_REGION_INFO, 0, 32, {31}},
        {"a region that there is not", VMM_GET_REGION_INFO, 0, 32, {32, 0, 9}},
        {"a short question", VMM_GET_REGION_INFO, 0, 28, {32}},
        {"an interrupt that there is not", VMM_GET_IRQ_INFO, 0, 16, {16, 0, 5}},
        {"a short map", VMM_DMA_MAP, 0, 31, {32}},
        {"a long unmap", VMM_DMA_UNMAP, 0, 25, {24}},
        {"no action", VMM_SET_IRQS, 0, 20, {20, 0x01, 1, 0, 1}},
        {"two actions", VMM_SET_IRQS, 0, 20, {20, 0x31, 1, 0, 1}},
        {"no data", VMM_SET_IRQS, 0, 20, {20, 0x20, 1, 0, 1}},
        {"two kinds of data", VMM_SET_IRQS, 0, 20, {20, 0x27, 1, 0, 1}},
        {"an index too high", VMM_SET_IRQS, 0, 20, {20, 0x21, 5, 0, 1}},
        {"a second MSI", VMM_SET_IRQS, 0, 20, {20, 0x21, 1, 1, 1}},
        {"many MSIs", VMM_SET_IRQS, 0, 20, {20, 0x21, 1, 0, 0xffffffff}},
        {"a start and a count that overflow", VMM_SET_IRQS, 0, 20, {20, 0x21, 1, 0xffffffff, 1}},
        {"no values", VMM_SET_IRQS, 0, 20, {20, 0x22, 1, 0, 1}},
        {"a short setting", VMM_SET_IRQS, 0, 19, {20, 0x21, 1, 0, 1}},
        {"a short load", VMM_READ, 0, 15, {0}},
        {"a load with data", VMM_READ, 0, 20, {0, 0, 0, 4}},
        {"a load too large", VMM_READ, 0, 16, {0, 0, 0, 4097}},
        {"a load of all", VMM_READ, 0, 16, {0, 0, 0, 0xffffffff}},
        {"a load of a region that there is not", VMM_READ, 0, 16, {0, 0, 9, 4}},
        {"a load that overflows", VMM_READ, 0, 16, {0xffffffff, 0xffffffff, 0, 4}},
        {"a store without data", VMM_WRITE, 0, 16, {0, 0, 0, 4}},
        {"a store with other data", VMM_WRITE, 0, 24, {0, 0, 0, 4}},
        {"a reset with a body", VMM_RESET, 0, 4, {0}},
    };

    (void)state;
    neighbour_start();
    hub_silence();
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int vmm = vmm_start("x");

        assert_true(vmm_send(vmm, table[i].command, table[i].flags, table[i].words, table[i].size, NULL, 0));
        (void)!send(vmm, table, sizeof(table), MSG_NOSIGNAL | MSG_DONTWAIT); /* which nobody will receive */
        vmm_await_close(vmm);
        neighbour_check();
    }
    neighbour_end();
}

static void wrong_sizes(void **state)
{
    static const uint32_t sizes[] = {0, 1, 15, 16 + 16 + 4096 + 1, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    neighbour_start();
    hub_silence();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t header[4] = {VMM_GET_INFO << 16, sizes[i]};
        int vmm = vmm_start("x");

        assert_int_equal(send(vmm, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
        vmm_await_close(vmm);
    }
    neighbour_end();
}

static void wrong_order(void **state)
{
    static const uint32_t other_major[] = {1}, unterminated[] = {0, 0x31313131};
    static const uint32_t info[4] = {16};
    int vmm;

    (void)state;
    hub_silence();
    vmm = vmm_connect("x");
    assert_true(vmm_send(vmm, VMM_GET_INFO, 0, info, sizeof(info), NULL, 0));
    vmm_await_close(vmm);
    vmm = vmm_connect("x");
    assert_true(vmm_send(vmm, VMM_VERSION, 0, other_major, sizeof(other_major), NULL, 0));
    vmm_await_close(vmm);
    vmm = vmm_connect("x");
    assert_true(vmm_send(vmm, VMM_VERSION, 0, unterminated, sizeof(unterminated), NULL, 0));
    vmm_await_close(vmm);
}

static void wrong_descriptors(void **state)
{
    static const uint32_t version[] = {0}, set[] = {20, 0x24, 1, 0, 1}, none[] = {20, 0x21, 1, 0, 0}, unmap[6] = {24};
    int fds[32], vmm;

    (void)state;
    hub_silence();
    for (size_t i = 0; i < 32; i++)
        fds[i] = eventfd(0, EFD_CLOEXEC);
    for (size_t n = 2; n <= 32; n += 10) {
        vmm = vmm_start("x");
        assert_true(vmm_send(vmm, VMM_SET_IRQS, 0, set, sizeof(set), fds, n));
        vmm_await_close(vmm);
        vmm = vmm_start("x");
        assert_true(vmm_send(vmm, VMM_DMA_UNMAP, 0, unmap, sizeof(unmap), fds, n));
        vmm_await_close(vmm);
    }
    vmm = vmm_connect("x");
    assert_true(vmm_send(vmm, VMM_VERSION, 0, version, sizeof(version), fds, 1));
    vmm_await_close(vmm);
    vmm = vmm_start("x");
    assert_true(vmm_send(vmm, VMM_SET_IRQS, 0, none, sizeof(none), fds, 1));
    vmm_await_close(vmm);
    for (size_t i = 0; i < 32; i++)
        close(fds[i]);
}

/* Has the hub signal a descriptor (0x24) or wait for it (0x14), for an interrupt. */
static void give(int vmm, uint32_t flags, uint32_t index, int fd)
{
    const uint32_t set[] = {20, flags, index, 0, 1};

    assert_true(vmm_send(vmm, VMM_SET_IRQS, 0, set, sizeof(set), &fd, 1));
}

/* Instead of an eventfd, to be signalled or waited for: the VMM is put out. */
static void what_is_no_eventfd(void **state)
{
    int pipes[2], kinds[5];

    (void)state;
    hub_silence();
    neighbour_start();
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    kinds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
    kinds[1] = pipes[1]; /* which blocks when it is full */
    kinds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    kinds[3] = memfd_create("anon_inode:[eventfd]", MFD_CLOEXEC);
    kinds[4] = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < 5; i++) {
        int vmm = vmm_start("x");

        give(vmm, 0x24, 1, kinds[i]);
        vmm_await_close(vmm);
        vmm = vmm_start("x");
        give(vmm, 0x14, 0, kinds[i]);
        vmm_await_close(vmm);
        neighbour_check();
    }
    for (size_t i = 0; i < 5; i++)
        close(kinds[i]);
    close(pipes[0]);
    neighbour_end();
}

/* Nothing that is signalled there makes the hub wait. */
static void an_eventfd_that_is_full(void **state)
{
    crossvm_end_t *end = hub_open("x");
    int vmm = vmm_start("x"), full = eventfd(0, EFD_CLOEXEC);

    (void)state;
    neighbour_start();
    assert_int_equal(eventfd_write(full, UINT64_MAX - 1), 0);
    vmm_store(vmm, VMM_CONFIG, 4, 6, 2);
    vmm_set_irq(vmm, 1, full);
    for (int k = 1; k <= 10; k++) {
        assert_int_equal(crossvm_emit(end), 0);
        neighbour_check();
    }
    assert_true(vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8) > 0);
    close(vmm);
    close(full);
    crossvm_close(end);
    neighbour_end();
}

/* To unmask INTx: it polls readable for a long time, and keeps nobody busy. */
static void an_eventfd_that_stays_readable(void **state)
{
    int vmm = vmm_start("x"), intx = eventfd(0, EFD_CLOEXEC), unmask = eventfd(UINT32_MAX, EFD_CLOEXEC | EFD_SEMAPHORE);

    (void)state;
    neighbour_start();
    vmm_set_irq(vmm, 0, intx);
    assert_int_equal(vmm_set_unmask(vmm, unmask), 0);
    neighbour_check();
    hub_await_rest();
    close(intx);
    close(unmask);
    close(vmm);
    neighbour_end();
}

/* --- a file whose close() waits for whoever serves it, as that of FUSE does --- */

#define SLOW "/tmp/crossvm-slow-"

static sem_t closing, may_close;

int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    char path[32], target[64] = "";

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof(target) - 1) > 0 && strncmp(target, SLOW, strlen(SLOW)) == 0) {
        assert_int_equal(sem_post(&closing), 0);
        while (sem_wait(&may_close))
            ;
    }
    return __real_close(fd);
}

static int make_slow(void)
{
    char path[] = SLOW "XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

/* The hub goes on. That VMM's successor waits until the file is closed. */
static void a_file_that_is_closed_slowly(void **state)
{
    int slow = make_slow(), vmm = vmm_start("x"), next;

    (void)state;
    assert_int_equal(sem_init(&closing, 0, 0), 0);
    assert_int_equal(sem_init(&may_close, 0, 0), 0);
    hub_silence();
    neighbour_start();
    give(vmm, 0x24, 1, slow);
    vmm_await_close(vmm);
    while (sem_wait(&closing))
        ;
    next = vmm_connect("x"); /* it is in the queue */
    for (int i = 0; i < 10; i++)
        neighbour_check();
    hub_await_rest();
    assert_int_equal(sem_post(&may_close), 0);
    close(next);
    next = vmm_start("x");
    assert_int_equal(vmm_load(next, 0, CROSSVM_REG_MAGIC, 4), CROSSVM_MAGIC);
    close(next);
    __real_close(slow);
    neighbour_end();
}

/* The same at the end of the hub, which does not wait either. */
static void a_file_that_is_not_closed(void **state)
{
    int slow = make_slow(), vmm = vmm_start("x");

    (void)state;
    hub_silence();
    give(vmm, 0x24, 1, slow);
    vmm_await_close(vmm);
    while (sem_wait(&closing))
        ;
    hub_end();
    assert_int_equal(sem_post(&may_close), 0);
    __real_close(slow);
}

/* --- slow ones --- */

/* Whoever should read the hub's messages does not: standard error is full. */
static void messages_that_nobody_reads(void **state)
{
    int vmm = vmm_start("x"), pipes[2], own = dup(STDERR_FILENO);
    static const char byte;

    (void)state;
    neighbour_start();
    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(pipes[1], &byte, 1) == 1)
        ;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(fcntl(pipes[1], F_SETFL, 0), 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
    assert_true(vmm_send(vmm, VMM_VERSION, 0, NULL, 0, NULL, 0));
    vmm_await_close(vmm);
    neighbour_check();
    assert_true(dup2(own, STDERR_FILENO) >= 0);
    close(own);
    close(pipes[0]);
    close(pipes[1]);
    neighbour_end();
}

/* A message that comes byte by byte is a message. */
static void byte_by_byte(void **state)
{
    uint32_t message[] = {VMM_READ << 16 | 77, 32, 0, 0, CROSSVM_REG_MAGIC, 0, 0, 4};
    int vmm = vmm_start("x");
    struct vmm_reply reply;

    (void)state;
    neighbour_start();
    for (size_t i = 0; i < sizeof(message); i++) {
        assert_int_equal(send(vmm, (uint8_t *)message + i, 1, MSG_NOSIGNAL), 1);
        neighbour_check();
    }
    assert_true(vmm_receive(vmm, VMM_READ, &reply));
    assert_memory_equal(reply.body + 16, "CXVM", 4);
    close(vmm);
    neighbour_end();
}

/* Descriptors on their way count against a limit of the hub's user: one that does not take them gets a few only. */
static void one_that_takes_no_descriptors(void **state)
{
    static const uint32_t info[8] = {64, 0, 0};
    int vmm = vmm_start("x"), replies = 0;
    struct vmm_reply reply;

    (void)state;
    assert_int_equal(fcntl(vmm, F_SETFL, O_NONBLOCK), 0);
    while (vmm_send(vmm, VMM_GET_REGION_INFO, 0, info, sizeof(info), NULL, 0))
        hub_await_rest();
    hub_stop();
    for (struct pollfd waiting = {vmm, POLLIN, 0}; poll(&waiting, 1, 0) == 1; replies++) {
        assert_true(vmm_receive(vmm, VMM_GET_REGION_INFO, &reply));
        close(reply.fd);
    }
    assert_true(replies > 0 && replies < 40);
    close(vmm);
}

/* One that asks and asks and takes no answer stops being served, and nobody waits for it. When it takes them, all come.
 */
static void one_that_takes_no_answer(void **state)
{
    static const uint64_t load[2] = {0, 4096ULL << 32};
    struct vmm_reply reply;
    int vmm = vmm_start("x");
    size_t asked = 0;

    (void)state;
    neighbour_start();
    assert_int_equal(fcntl(vmm, F_SETFL, O_NONBLOCK), 0);
    for (size_t refused = 0; refused < 100; asked++) {
        while (!vmm_send(vmm, VMM_READ, 0, load, sizeof(load), NULL, 0) && refused < 100) {
            refused++;
            neighbour_check();
        }
    }
    assert_int_equal(fcntl(vmm, F_SETFL, 0), 0);
    for (size_t i = 0; i < asked - 1; i++) {
        assert_true(vmm_receive(vmm, VMM_READ, &reply));
        assert_int_equal(reply.size, 16 + 4096);
    }
    close(vmm);
    neighbour_end();
}

/* --- random ones --- */

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % below);
}

/* Values that decide something, and others */
static uint32_t any_word(void)
{
    static const uint32_t words[] = {0,    1,    2,    4,      8,          16,         20,        32,
                                     0x21, 0x24, 0x11, 0x1000, 0x7fffffff, 0x80000000, 0xffffffff};

    return any(2) ? words[any(sizeof(words) / sizeof(words[0]))] : any(256) << any(25);
}

/* A message that is nearly right: its length mostly, its fields often. */
static size_t make_message(uint16_t *command, uint32_t *flags, uint32_t body[2048])
{
    static const uint16_t sizes[] = {
        [VMM_VERSION] = 4,          [VMM_DMA_MAP] = 32,      [VMM_DMA_UNMAP] = 24, [VMM_GET_INFO] = 16,
        [VMM_GET_REGION_INFO] = 32, [VMM_GET_IRQ_INFO] = 16, [VMM_SET_IRQS] = 20,  [VMM_READ] = 16,
        [VMM_WRITE] = 16,           [VMM_RESET] = 0};
    size_t size;

    *command = (uint16_t)(any(50) ? 2 + any(12) : any(65536));
    *flags = any(50) ? (any(4) ? 0 : VMM_NO_REPLY) : any_word();
    for (size_t i = 0; i < 8; i++)
        body[i] = any_word();
    size = *command < sizeof(sizes) / sizeof(sizes[0]) ? sizes[*command] : any(64);
    if (*command == VMM_READ || *command == VMM_WRITE) {
        if (any(8)) {
            body[1] = 0;
            body[0] = any(4) ? any(0x90) : any(0x9000);
            body[2] = any(9);
            body[3] = any(16) ? 1u << any(4) : any(4200);
        }
        size += *command == VMM_WRITE && body[3] <= 4096 ? body[3] : 0;
    } else if (*command == VMM_GET_REGION_INFO || *command == VMM_GET_IRQ_INFO) {
        body[0] = any(8) ? 64 : body[0];
        body[2] = any(16) ? any(9) : body[2];
    } else if (*command == VMM_SET_IRQS && any(8)) {
        body[1] = 1u << any(3) | 8u << any(3);
        body[2] = any(5);
        body[3] = 0;
        body[4] = any(2);
        size += body[1] & 2 ? body[4] : 0;
    }
    return any(50) ? size : any(4200);
}

/* Sends one, and takes what answers there are. False when the hub has closed the socket. */
static bool send_random(int vmm, const int *kinds, size_t num_kinds)
{
    static uint32_t body[2048];
    static char answers[65536];
    uint16_t command;
    uint32_t flags;
    size_t size = make_message(&command, &flags, body);
    size_t num_fds = any(8) ? (command == VMM_SET_IRQS || command == VMM_DMA_MAP) : any(20);
    int fds[20];
    ssize_t length;

    /* What cannot be closed at once costs a thread. */
    for (size_t i = 0; i < num_fds; i++)
        fds[i] = kinds[any(any(16) ? 2 : (uint32_t)num_kinds)];
    if (!vmm_send(vmm, command, flags, body, size, fds, num_fds))
        return false;
    if (any(4))
        return true;
    do
        length = recv(vmm, answers, sizeof(answers), MSG_DONTWAIT);
    while (length > 0);
    return length < 0;
}

static void random_ones(void **state)
{
    int kinds[] = {eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), memfd_create("x", MFD_CLOEXEC),
                   open("/dev/null", O_RDWR | O_CLOEXEC), socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const size_t num_kinds = sizeof(kinds) / sizeof(kinds[0]);
    crossvm_end_t *end = hub_open("x");
    unsigned long vmms = 0;
    int vmm = -1;

    (void)state;
    neighbour_start();
    hub_silence();
    for (unsigned long i = 0; i < random_messages; i++) {
        if (vmm < 0) {
            vmm = vmm_start("x");
            vmms++;
        }
        if (!send_random(vmm, kinds, num_kinds)) {
            close(vmm);
            vmm = -1;
        }
        if (i % 100 == 0) {
            neighbour_check();
            assert_int_equal(crossvm_emit(end), 0);
            (void)crossvm_wait(end, CROSSVM_NOW);
        }
    }
    if (vmm >= 0)
        close(vmm);
    /* A good one finds all in order. */
    vmm = vmm_start("x");
    assert_int_equal(vmm_load(vmm, 0, CROSSVM_REG_MAGIC, 4), CROSSVM_MAGIC);
    close(vmm);
    for (size_t i = 0; i < num_kinds; i++)
        close(kinds[i]);
    crossvm_close(end);
    neighbour_end();
    print_message("%lu messages of %lu VMMs\n", random_messages, vmms);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(wrong_messages),
        HUB_TEST(wrong_sizes),
        HUB_TEST(wrong_order),
        HUB_TEST(wrong_descriptors),
        HUB_TEST(what_is_no_eventfd),
        HUB_TEST(an_eventfd_that_is_full),
        HUB_TEST(an_eventfd_that_stays_readable),
        HUB_TEST(a_file_that_is_closed_slowly),
        HUB_TEST(a_file_that_is_not_closed),
        HUB_TEST(byte_by_byte),
        HUB_TEST(one_that_takes_no_answer),
        HUB_TEST(messages_that_nobody_reads),
        HUB_TEST(one_that_takes_no_descriptors),
        HUB_TEST(random_ones),
    };

    if (argc > 1)
        random_messages = strtoul(argv[1], NULL, 10);
    return cmocka_run_group_tests_name("enemies", tests, NULL, NULL);
}
