/* SPDX-License-Identifier: BSD-2-Clause */
/* Views: what observers are shown, that they can change nothing, and that nobody notices them. */
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
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/hub/view.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/wire.h"
#include "hub_fixture.h"

#define PATIENCE_MS 300000 /* bounds a hang only */

static void ask(int viewer, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    assert_int_equal(send(viewer, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

static void await(int viewer)
{
    struct pollfd hub = {.fd = viewer, .events = POLLIN};

    assert_int_equal(poll(&hub, 1, PATIENCE_MS), 1);
}

/* Receives a message, with so many descriptors in fds. */
static struct crossvm_wire_observed hear(int viewer, uint16_t type, int *fds, size_t num_fds)
{
    struct crossvm_wire_observed told;
    size_t n;

    await(viewer);
    assert_int_equal(cvm_descriptors_receive(viewer, &told, sizeof(told), fds, num_fds, &n), sizeof(told));
    assert_int_equal(told.header.magic, CROSSVM_WIRE_MAGIC);
    assert_int_equal(told.header.version, CROSSVM_WIRE_VERSION);
    assert_int_equal(told.header.type, type);
    assert_int_equal(told.status, 0);
    assert_int_equal(n, num_fds);
    return told;
}

static struct crossvm_wire_observed ask_info(int viewer)
{
    ask(viewer, CROSSVM_WIRE_INFO);
    return hear(viewer, CROSSVM_WIRE_INFO, NULL, 0);
}

static void assert_hung_up(int viewer)
{
    char byte;

    await(viewer);
    assert_int_equal(recv(viewer, &byte, 1, 0), 0);
}

static void a_connection_is_shown(void **state)
{
    int viewer = hub_connect("x.view", SOCK_SEQPACKET);
    struct crossvm_wire_observed told = ask_info(viewer);

    (void)state;
    assert_string_equal(told.name, "x");
    assert_int_equal(told.num_dataports, 3);
    assert_int_equal(told.dataports[1].size, 0x3000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(told.dataports[i].rights, CROSSVM_RIGHT_READ);
    assert_int_equal(told.ends[0].door, CROSSVM_DOOR_VFIO_USER);
    assert_int_equal(told.ends[1].door, CROSSVM_DOOR_HOST);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(told.ends[i].here, 0);
        assert_int_equal(told.ends[i].driver_state, CROSSVM_DRIVER_NONE);
        assert_int_equal(told.ends[i].asked, 0);
    }
    close(viewer);
}

/* What each end does is seen in the memory, which cannot be written by these descriptors. */
static void memory_is_for_reading_only(const char *view, const char *name, size_t dataports)
{
    int viewer = hub_connect(view, SOCK_SEQPACKET), fds[CROSSVM_WIRE_OBSERVED_MAX_FDS];
    crossvm_end_t *end = hub_open(name);
    struct crossvm_wire_observed told;
    crossvm_dataport_t dataport;
    const uint64_t *count;
    const char *memory;

    ask(viewer, CROSSVM_WIRE_OBSERVE);
    told = hear(viewer, CROSSVM_WIRE_OBSERVE, fds, CROSSVM_WIRE_OBSERVED_FIXED_FDS + dataports);
    assert_int_equal(told.ends[1].here, 1);
    for (size_t i = 0; i < CROSSVM_WIRE_OBSERVED_FIXED_FDS + dataports; i++) {
        assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0), MAP_FAILED);
        assert_int_equal(errno, EACCES);
        assert_int_equal(pwrite(fds[i], "", 1, 0), -1);
        assert_int_equal(errno, EBADF);
    }
    memory = mmap(NULL, told.dataports[0].size, PROT_READ, MAP_SHARED, fds[CROSSVM_WIRE_OBSERVED_FIXED_FDS],
                  (off_t)told.dataports[0].offset);
    count = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fds[1], (off_t)told.ends[1].page_offset);
    assert_ptr_not_equal(memory, MAP_FAILED);
    assert_ptr_not_equal(count, MAP_FAILED);
    dataport = crossvm_dataport(end, 0);
    memcpy(dataport.address, "seen", sizeof("seen"));
    assert_string_equal(memory, "seen");
    assert_int_equal(*count, 0);
    assert_int_equal(crossvm_emit(end), 0);
    assert_int_equal(*count, 1);
    munmap((void *)memory, told.dataports[0].size);
    munmap((void *)count, 4096);
    for (size_t i = 0; i < CROSSVM_WIRE_OBSERVED_FIXED_FDS + dataports; i++)
        close(fds[i]);
    crossvm_close(end);
    close(viewer);
}

static void each_memory_is_for_reading_only(void **state)
{
    (void)state;
    memory_is_for_reading_only("y.view", "y", 1);
}

static void a_region_is_for_reading_only(void **state)
{
    (void)state;
    memory_is_for_reading_only("s.view", "s", 2);
}

/* Two ends of VMMs, to which no program can come: they have a view all the same. */
static void connections_between_guests_are_shown(void **state)
{
    int viewer = hub_connect("t.view", SOCK_SEQPACKET);
    struct crossvm_wire_observed told = ask_info(viewer);

    (void)state;
    assert_string_equal(told.name, "t");
    assert_int_equal(told.ends[0].door, CROSSVM_DOOR_IVSHMEM);
    assert_int_equal(told.ends[1].door, CROSSVM_DOOR_IVSHMEM);
    close(viewer);
}

static void who_comes_and_goes_is_told(void **state)
{
    int viewer = hub_connect("y.view", SOCK_SEQPACKET);
    struct crossvm_wire_observed told;
    crossvm_end_t *end;

    (void)state;
    (void)ask_info(viewer); /* it is told from now on */
    end = hub_open("y");
    do
        told = hear(viewer, CROSSVM_WIRE_INFO, NULL, 0);
    while (told.ends[1].driver_state != CROSSVM_DRIVER_OPEN);
    assert_int_equal(told.ends[1].here, 1);
    assert_int_equal(told.ends[1].generation, 1);
    assert_int_equal(told.ends[0].here, 0);
    crossvm_close(end);
    do
        told = hear(viewer, CROSSVM_WIRE_INFO, NULL, 0);
    while (told.ends[1].here);
    assert_int_equal(told.ends[1].driver_state, CROSSVM_DRIVER_NONE);
    close(viewer);
}

/* Its own end has no owner because of it, and the peer is told of nobody. */
static void an_observer_is_noticed_by_nobody(void **state)
{
    crossvm_end_t *end = hub_open("y");
    int viewer = hub_connect("y.view", SOCK_SEQPACKET), fds[3];
    crossvm_end_info_t info;

    (void)state;
    ask(viewer, CROSSVM_WIRE_OBSERVE);
    (void)hear(viewer, CROSSVM_WIRE_OBSERVE, fds, 3);
    assert_int_equal(crossvm_info(end, &info, sizeof(info)), 0);
    assert_int_equal(info.peer_state, CROSSVM_PEER_ABSENT);
    assert_int_equal(info.peer_generation, 0);
    assert_int_equal(info.peer_here, 0);
    assert_int_equal(crossvm_wait(end, CROSSVM_NOW), 0);
    crossvm_close(end);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    close(viewer);
}

/* Descriptors on their way count against the hub's user: each observer gets them once. */
static void memory_is_given_once(void **state)
{
    int viewer = hub_connect("y.view", SOCK_SEQPACKET), fds[3];

    (void)state;
    ask(viewer, CROSSVM_WIRE_OBSERVE);
    (void)hear(viewer, CROSSVM_WIRE_OBSERVE, fds, 3);
    (void)ask_info(viewer);
    ask(viewer, CROSSVM_WIRE_OBSERVE);
    assert_hung_up(viewer);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    close(viewer);
}

static void the_one_that_asked_longest_ago_makes_room(void **state)
{
    int viewers[HUB_VIEW_OBSERVERS + 1];

    (void)state;
    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++) {
        viewers[i] = hub_connect("y.view", SOCK_SEQPACKET);
        (void)ask_info(viewers[i]);
    }
    (void)ask_info(viewers[0]);
    viewers[HUB_VIEW_OBSERVERS] = hub_connect("y.view", SOCK_SEQPACKET);
    (void)ask_info(viewers[HUB_VIEW_OBSERVERS]);
    assert_hung_up(viewers[1]);
    for (size_t i = 0; i <= HUB_VIEW_OBSERVERS; i++) {
        if (i != 1)
            (void)ask_info(viewers[i]);
        close(viewers[i]);
    }
}

static void who_breaks_the_protocol_is_hung_up_on(void **state)
{
    static const struct crossvm_wire_header bad[] = {
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_ATTACH},
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_REPORT},
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION + 1, CROSSVM_WIRE_INFO},
        {CROSSVM_WIRE_MAGIC + 1, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_INFO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int viewer = hub_connect("y.view", SOCK_SEQPACKET);

        assert_int_equal(send(viewer, &bad[i], sizeof(bad[i]), 0), sizeof(bad[i]));
        assert_hung_up(viewer);
        close(viewer);
    }
}

/* One that takes nothing holds nobody up, and hears the newest when it does. */
static void a_slow_observer_hears_the_newest(void **state)
{
    int viewer = hub_connect("y.view", SOCK_SEQPACKET), other = hub_connect("y.view", SOCK_SEQPACKET);
    struct crossvm_wire_observed told = ask_info(viewer);

    (void)state;
    for (unsigned int i = 0; i < 3000; i++)
        crossvm_close(hub_open("y"));
    while (ask_info(other).ends[1].here) /* the hub has seen the last one go */
        ;
    while (told.ends[1].generation < 3000 || told.ends[1].here)
        told = hear(viewer, CROSSVM_WIRE_INFO, NULL, 0);
    close(viewer);
    close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(a_connection_is_shown),
        HUB_TEST(each_memory_is_for_reading_only),
        HUB_TEST(a_region_is_for_reading_only),
        HUB_TEST(connections_between_guests_are_shown),
        HUB_TEST(who_comes_and_goes_is_told),
        HUB_TEST(an_observer_is_noticed_by_nobody),
        HUB_TEST(memory_is_given_once),
        HUB_TEST(the_one_that_asked_longest_ago_makes_room),
        HUB_TEST(who_breaks_the_protocol_is_hung_up_on),
        HUB_TEST(a_slow_observer_hears_the_newest),
    };

    return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
