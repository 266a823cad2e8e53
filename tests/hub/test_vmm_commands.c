/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMM that speaks vfio-user with a hub: the order of its messages, where its accesses end, and what it leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../src/hub/door.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/vfio_user.h"

#include "ends_fixture.h"

/* The clock can be stopped: then the hub looks on at a device, once it does. */
static bool clock_stands;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!clock_stands)
        return __real_clock_gettime(clock, time);
    *time = (struct timespec){.tv_sec = 1};
    return 0;
}

/* Sends a command with a body of up to 32 bytes, which begins with words, and a descriptor unless it is -1. */
static void command(int vmm, uint16_t number, size_t body, const uint32_t words[5], int fd)
{
    uint32_t message[VFIO_USER_HEADER_BYTES / 4 + 8] = {(uint32_t)number << 16};

    message[1] = (uint32_t)(VFIO_USER_HEADER_BYTES + body);
    memcpy(message + VFIO_USER_HEADER_BYTES / 4, words, body < 20 ? body : 20);
    assert_int_equal(cvm_descriptors_send(vmm, message, VFIO_USER_HEADER_BYTES + body, &fd, fd >= 0), 0);
}

/* A VMM that has told its version, and has taken the answer. */
static int greet(void)
{
    int vmm = come_by(SOCK_STREAM, 0);

    command(vmm, VFIO_USER_VERSION, 4, (const uint32_t[5]){0}, -1);
    serve();
    assert_false(is_closed(vmm));
    return vmm;
}

static void a_vmm_that_breaks_the_order_is_put_out(void **state)
{
    const uint32_t trigger_by_eventfd[5] = {20, 0x24, VFIO_USER_MSI, 0, 1}, nothing[5] = {0};
    int vmm = come_by(SOCK_STREAM, 0), memory = memfd_create("no eventfd", MFD_CLOEXEC);
    int doorbell = eventfd(0, EFD_CLOEXEC);

    (void)state;
    command(vmm, VFIO_USER_RESET, 0, nothing, -1); /* before its version */
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    vmm = greet();
    command(vmm, VFIO_USER_VERSION, 4, nothing, -1);
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    vmm = greet();
    command(vmm, VFIO_USER_SET_IRQS, 20, trigger_by_eventfd, doorbell);
    serve();
    assert_false(is_closed(vmm));
    command(vmm, VFIO_USER_SET_IRQS, 20, trigger_by_eventfd, memory);
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    close(memory);
    close(doorbell);
}

/* Loads bytes of a BAR, as a guest does for which its VMM asks. */
static void load(int vmm, uint32_t bar, uint32_t offset, void *bytes, uint32_t n)
{
    const uint32_t access[5] = {offset, 0, bar, n};
    uint8_t reply[VFIO_USER_HEADER_BYTES + 16 + 64];

    command(vmm, VFIO_USER_REGION_READ, 16, access, -1);
    serve();
    assert_int_equal(recv(vmm, reply, sizeof(reply), MSG_DONTWAIT), VFIO_USER_HEADER_BYTES + 16 + n);
    memcpy(bytes, reply + VFIO_USER_HEADER_BYTES + 16, n);
}

static uint32_t load_events(int vmm)
{
    uint32_t events; /* the low word */

    load(vmm, CROSSVM_BAR_EVENT, CROSSVM_REG_EVENT_SEQ, &events, sizeof(events));
    return events;
}

/* The hub's own memory follows the registers, and the next dataport follows one that does not fill its BAR. */
static void accesses_across_an_end_reach_nothing(void **state)
{
    const struct hub_memory next = hub_end_dataport(hub_connection_end(hub.connection, 0), 1);
    const uint32_t store[5] = {0x2ff8, 0, CROSSVM_BAR_DATAPORT, 16};
    uint8_t bytes[16];
    int vmm = greet();

    (void)state;
    load(vmm, CROSSVM_BAR_EVENT, CROSSVM_PAGE_SIZE - 8, bytes, sizeof(bytes));
    assert_memory_equal(bytes + 8, (const uint8_t[8]){0}, 8);
    memset(bytes, 0xee, sizeof(bytes));
    assert_int_equal(pwrite(next.memfd, bytes, 8, (off_t)next.offset), 8);
    load(vmm, CROSSVM_BAR_DATAPORT, 0x2ff8, bytes, sizeof(bytes));
    assert_memory_equal(bytes, (const uint8_t[16]){0}, 16);
    command(vmm, VFIO_USER_REGION_WRITE, 16 + 16, store, -1);
    serve();
    assert_int_equal(pread(next.memfd, bytes, 8, (off_t)next.offset), 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(bytes[i], 0xee);
    close(vmm);
}

/* Who counts in a page of its own may write anything there. That tells as one event, not as so many. */
static void a_count_that_is_a_lie_is_one_event(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0), *peer = own->peer;
    int vmm = greet();

    (void)state;
    *peer->count += 3;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 3);
    *peer->count += 0x100000005;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 4);
    *peer->count -= 1;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 5);
    close(vmm);
}

/* Stores a word to BAR0. */
static void store(int vmm, uint32_t offset, uint32_t value)
{
    const uint32_t access[5] = {offset, 0, CROSSVM_BAR_EVENT, sizeof(value), value};

    command(vmm, VFIO_USER_REGION_WRITE, 16 + sizeof(value), access, -1);
    serve();
}

/* A guest may have counted events of which no doorbell has told when its VMM ends. */
static void the_last_events_of_a_guest_are_told(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0);
    int vmm = greet();

    (void)state;
    store(vmm, CROSSVM_REG_OWN_SEQ, 2);
    assert_int_equal(*own->count, 0);
    close(vmm);
    serve();
    assert_int_equal(*own->count, 2);
    assert_int_equal(eventfd_read(own->peer->doorbell.fd, &(eventfd_t){0}), 0);
}

/* After a doorbell the hub looks for what comes next by itself, on a machine with several CPUs. */
static void nobody_looks_on_at_a_device_that_is_gone(void **state)
{
    const uint32_t trigger_by_eventfd[5] = {20, 0x24, VFIO_USER_MSI, 0, 1};
    int vmm = greet(), doorbell = eventfd(0, EFD_CLOEXEC), other;
    uint32_t awake;

    (void)state;
    command(vmm, VFIO_USER_SET_IRQS, 20, trigger_by_eventfd, doorbell);
    serve();
    assert_false(is_closed(vmm));
    clock_stands = true;
    store(vmm, CROSSVM_REG_DOORBELL, 1);
    assert_false(is_closed(vmm));
    load(vmm, CROSSVM_BAR_EVENT, CROSSVM_STATE_PAGE + CROSSVM_STATE_AWAKE, &awake, sizeof(awake));
    assert_int_equal(awake, sysconf(_SC_NPROCESSORS_ONLN) > 1);
    close(vmm);
    serve();
    hub_door_close(hub.doors[0]);
    hub.doors[0] = NULL;
    other = come_by(SOCK_STREAM, 1);
    serve(); /* which looks at the other one alone */
    assert_false(is_closed(other));
    clock_stands = false;
    close(other);
    close(doorbell);
}

static void a_device_that_is_reset_has_no_driver(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0);
    int vmm = greet();

    (void)state;
    store(vmm, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    assert_int_equal(own->state, CROSSVM_DRIVER_OPEN);
    command(vmm, VFIO_USER_RESET, 0, (const uint32_t[5]){0}, -1);
    serve();
    assert_int_equal(own->state, CROSSVM_DRIVER_NONE);
    close(vmm);
}

/* It reads when it likes, and misses nothing. */
static void a_vmm_gets_late_replies_when_it_reads(void **state)
{
    const uint32_t question[5] = {16};
    int vmm = greet();
    enum { MANY = 1000, AT_ONCE = 100, REPLY_BYTES = VFIO_USER_HEADER_BYTES + 16 }; /* more than a socket holds */
    size_t received = 0, sent = 0;
    char bytes[4096];

    (void)state;
    while (received < MANY * (size_t)REPLY_BYTES) {
        ssize_t length;

        for (; sent < MANY && sent - received / REPLY_BYTES < AT_ONCE; sent++)
            command(vmm, VFIO_USER_GET_INFO, 16, question, -1);
        for (int i = 0; i < AT_ONCE / 8; i++)
            serve();
        length = recv(vmm, bytes, sizeof(bytes), MSG_DONTWAIT);
        assert_true(length > 0);
        received += (size_t)length;
    }
    assert_int_equal(sent, MANY);
    close(vmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOCK_TEST(a_vmm_that_breaks_the_order_is_put_out),   STOCK_TEST(accesses_across_an_end_reach_nothing),
        STOCK_TEST(a_count_that_is_a_lie_is_one_event),       STOCK_TEST(the_last_events_of_a_guest_are_told),
        STOCK_TEST(nobody_looks_on_at_a_device_that_is_gone), STOCK_TEST(a_device_that_is_reset_has_no_driver),
        STOCK_TEST(a_vmm_gets_late_replies_when_it_reads),
    };

    return cmocka_run_group_tests_name("commands of a VMM", tests, NULL, NULL);
}
