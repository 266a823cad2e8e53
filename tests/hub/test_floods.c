/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program and a guest that do all they can to the hub, each within the protocol: they fill sockets and eventfds, and
 * write wherever they may. Another connection of the hub has its 1,000 events meanwhile, each way, one by one.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"
#include "../../src/wire/wire.h"
#include "hub_fixture.h"
#include "neighbour.h"
#include "vmm.h"

#define EVENTS 1000
#define PATIENCE_MS 600000 /* only bounds a hang */
#define CLIENTS 40         /* more than a door serves */

static uint64_t seed = 1;

static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* --- a program --- */

/* What a program is handed, as it is: no library keeps it from anything. */
struct program {
    int socket;
    int fds[CROSSVM_WIRE_MAX_FDS];
    uint64_t *count; /* of its events, which the hub reads */
    uint8_t *dataport;
};

static bool ask(int fd, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    return send(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(request);
}

static struct program attach(void)
{
    struct program program = {.socket = hub_connect("x.1.sock", SOCK_SEQPACKET)};
    struct pollfd waiting = {.fd = program.socket, .events = POLLIN};
    struct crossvm_wire_reply reply;
    size_t n;

    assert_true(ask(program.socket, CROSSVM_WIRE_ATTACH));
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(
        cvm_descriptors_receive(program.socket, &reply, sizeof(reply), program.fds, CROSSVM_WIRE_MAX_FDS, &n),
        sizeof(reply));
    assert_int_equal(reply.status, 0);
    assert_int_equal(n, CROSSVM_WIRE_FIXED_FDS + 3);
    program.count = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, program.fds[2],
                         (off_t)reply.peer_page_offset);
    assert_ptr_not_equal(program.count, MAP_FAILED);
    program.dataport = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, program.fds[3],
                            (off_t)reply.dataports[0].offset);
    assert_ptr_not_equal(program.dataport, MAP_FAILED);
    return program;
}

static void detach(struct program *program)
{
    munmap(program->count, CROSSVM_PAGE_SIZE);
    munmap(program->dataport, CROSSVM_PAGE_SIZE);
    for (size_t i = 0; i < CROSSVM_WIRE_FIXED_FDS + 3; i++)
        close(program->fds[i]);
    close(program->socket);
}

/* Both eventfds belong to the program, too: it fills them, and makes plain writes to them wait. */
static void fill_eventfds(const struct program *program)
{
    for (size_t i = 0; i < 2; i++) {
        uint64_t most = UINT64_MAX - 1, count;

        assert_int_equal(fcntl(program->fds[i], F_SETFL, O_NONBLOCK), 0);
        (void)!read(program->fds[i], &count, sizeof(count));
        (void)!write(program->fds[i], &most, sizeof(most));
        assert_int_equal(fcntl(program->fds[i], F_SETFL, 0), 0);
    }
}

static void flood_by_program(struct program *program, int clients[CLIENTS])
{
    fill_eventfds(program);
    program->count[0] = any();
    for (size_t i = 0; i < CROSSVM_PAGE_SIZE / sizeof(uint64_t); i++)
        program->count[1 + i % (CROSSVM_PAGE_SIZE / sizeof(uint64_t) - 1)] = any();
    memset(program->dataport, (int)any(), CROSSVM_PAGE_SIZE);
    for (size_t i = CROSSVM_WIRE_FIXED_FDS - 1; i < CROSSVM_WIRE_FIXED_FDS + 3; i++)
        assert_int_equal(ftruncate(program->fds[i], 0), -1);
    /* Others ask, and take no answer. The hub drops those that it has no room for, and they come again. */
    for (size_t i = 0; i < CLIENTS; i++) {
        if (ask(clients[i], i % 2 ? CROSSVM_WIRE_INFO : CROSSVM_WIRE_ATTACH))
            continue;
        close(clients[i]);
        clients[i] = hub_connect("x.1.sock", SOCK_SEQPACKET);
    }
}

/* The program takes its news at last: it has missed some, and not the last one. */
static void await_news(const struct program *program, uint32_t state)
{
    struct pollfd waiting = {.fd = program->socket, .events = POLLIN};
    struct crossvm_wire_driver news;

    do {
        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        assert_int_equal(recv(program->socket, &news, sizeof(news), 0), sizeof(news));
        assert_int_equal(news.header.type, CROSSVM_WIRE_DRIVER);
    } while (news.generation != 2 * EVENTS || news.driver_state != state);
}

static void a_program_fills_all(void **state)
{
    int vmm = vmm_start("x"), clients[CLIENTS];
    struct program program = attach();

    (void)state;
    hub_silence();
    neighbour_start();
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = hub_connect("x.1.sock", SOCK_SEQPACKET);
    for (int i = 0; i < EVENTS; i++) {
        flood_by_program(&program, clients);
        /* Each change is news for the program, whose socket is full; each event is one more for its eventfd. */
        vmm_store(vmm, 0, CROSSVM_REG_DRIVER, 2, 4);
        vmm_store(vmm, 0, CROSSVM_REG_DRIVER, 0, 4);
        vmm_store(vmm, 0, CROSSVM_REG_DRIVER, 1, 4);
        vmm_store(vmm, 0, CROSSVM_REG_EMIT, 1, 4);
        neighbour_check();
    }
    await_news(&program, CROSSVM_DRIVER_BOUND);
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
    detach(&program);
    close(vmm);
    neighbour_end();
}

/* --- a guest --- */

/* A store of anything anywhere, or a load. False when the hub takes no more for now. */
static bool access_anything(int vmm)
{
    static const uint32_t regions[] = {0, 0, 0, 1, 3, 4, VMM_CONFIG};
    static const uint32_t sizes[] = {0x8000, 0x8000, 0x8000, 0x10000, 0x4000, 0x200000, 256};
    size_t i = any() % (sizeof(regions) / sizeof(regions[0]));
    uint32_t width = 1u << any() % 4;
    struct {
        uint64_t offset;
        uint32_t region, count;
        uint64_t data;
    } body = {.region = regions[i], .count = width, .data = any()};
    bool stores = any() % 4;

    body.offset = any() % 2 ? any() % 0x100 : any() % sizes[i];
    body.offset = body.offset > sizes[i] - width ? 0 : body.offset;
    return vmm_send(vmm, stores ? VMM_WRITE : VMM_READ, stores ? VMM_NO_REPLY : 0, &body, 16 + (stores ? width : 0),
                    NULL, 0);
}

static void drain(int vmm)
{
    char bytes[4096];

    while (recv(vmm, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static void a_guest_writes_all_it_can(void **state)
{
    int vmm = vmm_start("x"), irqs[2] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
    crossvm_end_t *end = hub_open("x");
    size_t offset, size;
    uint8_t *pages;

    (void)state;
    neighbour_start();
    pages = vmm_map(vmm, 0, &offset, &size);
    vmm_set_irq(vmm, 0, irqs[0]);
    vmm_set_irq(vmm, 1, irqs[1]);
    assert_int_equal(fcntl(vmm, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < EVENTS; i++) {
        for (size_t k = 0; k < size; k += sizeof(uint64_t))
            *(uint64_t *)(pages + k) = any();
        for (int k = 0; k < 50 && access_anything(vmm); k++)
            ;
        assert_int_equal(crossvm_emit(end), 0);
        (void)crossvm_wait(end, CROSSVM_NOW);
        neighbour_check();
        if (i % 4 == 0)
            drain(vmm);
    }
    munmap(pages, size);
    close(vmm);
    close(irqs[0]);
    close(irqs[1]);
    crossvm_close(end);
    neighbour_end();
}

/* Both at once, and each makes the other's events as many as it can. */
static void both_ends_flood(void **state)
{
    int vmm = vmm_start("x"), msi = eventfd(0, EFD_CLOEXEC), clients[CLIENTS];
    struct program program = attach();
    size_t offset, size;
    uint64_t *own_seq;
    uint8_t *pages;

    (void)state;
    hub_silence();
    neighbour_start();
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = hub_connect("x.1.sock", SOCK_SEQPACKET);
    pages = vmm_map(vmm, 0, &offset, &size);
    own_seq = (uint64_t *)(pages + CROSSVM_REG_OWN_SEQ - offset);
    vmm_set_irq(vmm, 1, msi);
    assert_int_equal(fcntl(vmm, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < EVENTS; i++) {
        flood_by_program(&program, clients);
        while (ask(program.socket, CROSSVM_WIRE_INFO)) /* until the hub drops this one, too */
            ;
        /* As many events as one store can be: the hub tells them in pieces. */
        (void)__atomic_fetch_add(own_seq, INT32_MAX, __ATOMIC_SEQ_CST);
        for (int k = 0; k < 20 && access_anything(vmm); k++)
            ;
        drain(vmm);
        neighbour_check();
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
    munmap(pages, size);
    detach(&program);
    close(vmm);
    close(msi);
    neighbour_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(a_program_fills_all),
        HUB_TEST(a_guest_writes_all_it_can),
        HUB_TEST(both_ends_flood),
    };

    return cmocka_run_group_tests_name("floods", tests, NULL, NULL);
}
