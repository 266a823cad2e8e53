/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VMM has over ivshmem, and a program or another VMM at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../src/hub/hub.h"
#include "hub_fixture.h"
#include "ivshmem_vmm.h"
#include "neighbour.h"

#define PATIENCE crossvm_deadline_after_ms(600000) /* only bounds a hang */
#define PATIENCE_MS 600000

#define REGION_BYTES 0x400000 /* 2 MiB from 2 MiB on */

/* --- the program --- */

static void await_peer(crossvm_end_t *end, uint32_t state, uint32_t generation)
{
    const time_t until = time(NULL) + 2 * PATIENCE_MS / 1000;
    uint32_t seen;

    while (crossvm_peer_state(end, &seen) != state || seen != generation) {
        assert_true(crossvm_wait(end, PATIENCE) >= 0);
        assert_true(time(NULL) < until);
    }
}

/* --- what there is --- */

static void region(void **state)
{
    static const uint64_t sizes[] = {0x10000, 0x200000}, offsets[] = {0x7000, 0x200000};
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    const uint8_t *page = vmm.region + IVSHMEM_EVENT_PAGE(0);

    (void)state;
    assert_int_equal(vmm.end, 0);
    assert_int_equal(vmm.size, REGION_BYTES);
    assert_memory_equal(vmm.region, "CXivshme", 8);
    assert_int_equal(ivshmem_load32(&vmm, 8), 0x00010000);
    assert_memory_equal(page + 0x38, "CXVM", 4);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x3c), 0x00010002);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x50), 1);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x5c), 3);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x60), 2);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x64), 0);
    assert_string_equal((const char *)page + 0x08, "s");
    assert_string_equal((const char *)page + 0x80, "s");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ivshmem_load64(&vmm, IVSHMEM_EVENT_PAGE(0) + 0xc0 + 16 * i), sizes[i]);
        assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0xc8 + 16 * i), 3);
        assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0xcc + 16 * i), 2);
        assert_int_equal(ivshmem_load64(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x100 + 8 * i), offsets[i]);
    }
    assert_int_equal(ivshmem_peer_state(&vmm), 1);
    assert_int_equal(ivshmem_peer_generation(&vmm), 0);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_DRIVER_PAGE(0)), 0);
    ivshmem_end(&vmm);
}

static void memory_is_shared(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    uint8_t *small = crossvm_dataport(end, 0).address, *large = crossvm_dataport(end, 1).address;

    (void)state;
    small[0] = 1;
    vmm.region[0x7000 + 0xffff] = 2;
    large[0x1fffff] = 3;
    assert_int_equal(vmm.region[0x7000], 1);
    assert_int_equal(small[0xffff], 2);
    assert_int_equal(vmm.region[REGION_BYTES - 1], 3);
    crossvm_close(end);
    ivshmem_end(&vmm);
}

/* What one end alone may write, nobody could keep from the other. */
static void writers_are_refused(void **state)
{
    struct hub_connection_config config = {
        .name = "w",
        .ends = {{.door = CROSSVM_DOOR_HOST}, {.door = CROSSVM_DOOR_IVSHMEM}},
        .dataports = {{.size = 0x1000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = 0}},
        .num_dataports = 2,
    };
    struct hub *hub = hub_create(hub_path("."), false);

    (void)state;
    assert_non_null(hub);
    hub_silence();
    assert_int_equal(hub_add(hub, &config), -1);
    hub_destroy(hub);
}

/* --- events --- */

static void events_both_ways(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    int events = 0;

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(crossvm_emit(end), 0);
        ivshmem_await_signal(&vmm);
        assert_int_equal(ivshmem_load64(&vmm, IVSHMEM_COUNT(1)), i);
    }
    for (int i = 0; i < 3; i++)
        ivshmem_signal(&vmm, 1);
    while (events < 3)
        events += crossvm_wait(end, PATIENCE);
    assert_int_equal(events, 3);
    crossvm_close(end);
    ivshmem_end(&vmm);
}

/* A VMM finds the events that came since the one before it left; what that one wrote elsewhere is gone. */
static void next_vmm(void **state)
{
    crossvm_end_t *end = hub_open("s");
    struct ivshmem_vmm vmm;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(crossvm_emit(end), 0);
    vmm = ivshmem_start("s.0.ivshmem");
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x54), 0);
    assert_int_equal(ivshmem_load64(&vmm, IVSHMEM_COUNT(1)), 3);
    ivshmem_tell_driver(&vmm, 0x102);
    await_peer(end, CROSSVM_PEER_READY, 1);
    vmm.region[0x7000] = 77;
    memset(vmm.region, 0xff, 0x3000); /* header, driver page, event page */
    memset(vmm.region + 0x5000, 0xff, 0x2000);
    ivshmem_end(&vmm);
    await_peer(end, CROSSVM_PEER_ABSENT, 1);
    assert_int_equal(crossvm_emit(end), 0);
    vmm = ivshmem_start("s.0.ivshmem");
    assert_memory_equal(vmm.region, "CXivshme", 8);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x54), 3);
    assert_int_equal(ivshmem_load64(&vmm, IVSHMEM_COUNT(1)), 4);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x60), 2);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_EVENT_PAGE(0) + 0x200), 0);
    assert_int_equal(ivshmem_load32(&vmm, IVSHMEM_DRIVER_PAGE(0)), 0);
    assert_int_equal(ivshmem_peer_state(&vmm), 3);
    assert_int_equal(vmm.region[0x7000], 77);
    ivshmem_end(&vmm);
    crossvm_close(end);
}

/* --- who is there --- */

static void driver(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    uint32_t generation;

    (void)state;
    ivshmem_tell_driver(&vmm, 0x101);
    await_peer(end, CROSSVM_PEER_PRESENT, 1);
    ivshmem_tell_driver(&vmm, 0x202);
    await_peer(end, CROSSVM_PEER_READY, 2);
    ivshmem_tell_driver(&vmm, 0x201);
    await_peer(end, CROSSVM_PEER_PRESENT, 2);
    ivshmem_tell_driver(&vmm, 0x302);
    await_peer(end, CROSSVM_PEER_READY, 3);
    /* That one went, and two others came one after the other before the hub looked. */
    ivshmem_tell_driver(&vmm, 0x502);
    await_peer(end, CROSSVM_PEER_READY, 5);
    /* What is no state, and what is no news, tells nothing. */
    ivshmem_tell_driver(&vmm, 0x603);
    hub_await_rest();
    ivshmem_tell_driver(&vmm, 0x6ff);
    hub_await_rest();
    ivshmem_tell_driver(&vmm, 0x502);
    hub_await_rest();
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_READY);
    assert_int_equal(generation, 5);
    /* The guest was reset, which nobody told: a new driver. */
    ivshmem_tell_driver(&vmm, 0x601);
    await_peer(end, CROSSVM_PEER_PRESENT, 6);
    /* The word is no news before the hub is signalled. */
    ivshmem_store_driver(&vmm, 0x600);
    hub_await_rest();
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT);
    ivshmem_signal(&vmm, IVSHMEM_HUB);
    await_peer(end, CROSSVM_PEER_ABSENT, 6);
    /* The count goes round. */
    ivshmem_tell_driver(&vmm, 0xffffff01);
    await_peer(end, CROSSVM_PEER_PRESENT, 0xffffff);
    ivshmem_tell_driver(&vmm, 0x00000102);
    await_peer(end, CROSSVM_PEER_READY, 0x1000001);
    crossvm_close(end);
    ivshmem_end(&vmm);
}

static void peer_is_told(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");

    (void)state;
    /* A guest without a driver is not interrupted, but can see. */
    hub_await_rest();
    assert_int_equal(ivshmem_peer_state(&vmm), 3);
    assert_int_equal(ivshmem_peer_generation(&vmm), 1);
    assert_false(ivshmem_is_signalled(&vmm));
    ivshmem_tell_driver(&vmm, 0x101);
    await_peer(end, CROSSVM_PEER_PRESENT, 1);
    crossvm_close(end);
    ivshmem_await_signal(&vmm);
    assert_int_equal(ivshmem_peer_state(&vmm), 1);
    end = hub_open("s");
    ivshmem_await_signal(&vmm);
    assert_int_equal(ivshmem_peer_state(&vmm), 3);
    assert_int_equal(ivshmem_peer_generation(&vmm), 2);
    crossvm_close(end);
    ivshmem_end(&vmm);
}

/* Two guests have each other's doorbell, and nobody is between them. */
static void two_vmms(void **state)
{
    struct ivshmem_vmm vmms[2] = {ivshmem_start("t.0.ivshmem"), ivshmem_start("t.1.ivshmem")};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vmms[i].end, i);
        assert_int_equal(ivshmem_load32(&vmms[i], IVSHMEM_EVENT_PAGE(i) + 0x64), i);
    }
    hub_stop();
    for (int i = 0; i < 2; i++) {
        ivshmem_signal(&vmms[i], 1 - i);
        ivshmem_await_signal(&vmms[1 - i]);
        assert_false(ivshmem_is_signalled(&vmms[i]));
        vmms[i].region[IVSHMEM_COUNT(i)]++;
        assert_int_equal(ivshmem_load64(&vmms[1 - i], IVSHMEM_COUNT(i)), 1);
    }
    ivshmem_end(&vmms[0]);
    ivshmem_end(&vmms[1]);
}

static void guests_come_and_go(void **state)
{
    struct ivshmem_vmm vmms[2] = {ivshmem_start("t.0.ivshmem"), ivshmem_start("t.1.ivshmem")};

    (void)state;
    ivshmem_tell_driver(&vmms[1], 0x101);
    hub_await_rest();
    ivshmem_tell_driver(&vmms[0], 0x101);
    ivshmem_await_signal(&vmms[1]);
    assert_int_equal(ivshmem_peer_state(&vmms[1]), 2);
    assert_int_equal(ivshmem_peer_state(&vmms[0]), 2);
    ivshmem_tell_driver(&vmms[0], 0x202);
    ivshmem_await_signal(&vmms[1]);
    assert_int_equal(ivshmem_peer_state(&vmms[1]), 3);
    ivshmem_end(&vmms[0]);
    ivshmem_await_signal(&vmms[1]);
    assert_int_equal(ivshmem_peer_state(&vmms[1]), 1);
    assert_int_equal(ivshmem_peer_generation(&vmms[1]), 2);
    ivshmem_end(&vmms[1]);
}

/* The guests can go on without a hub. Both hear that it tells nothing any more. */
static void hub_ends(void **state)
{
    struct ivshmem_vmm vmms[2] = {ivshmem_start("t.0.ivshmem"), ivshmem_start("t.1.ivshmem")};

    (void)state;
    ivshmem_tell_driver(&vmms[0], 0x101);
    hub_await_rest();
    ivshmem_tell_driver(&vmms[1], 0x102);
    ivshmem_await_signal(&vmms[0]);
    assert_int_equal(ivshmem_peer_state(&vmms[0]), 3);
    hub_await_rest();
    assert_false(ivshmem_is_signalled(&vmms[0]));
    hub_end();
    for (int i = 0; i < 2; i++) {
        ivshmem_await_signal(&vmms[i]);
        assert_int_equal(ivshmem_peer_state(&vmms[i]), 1);
    }
    for (int i = 0; i < 2; i++) {
        ivshmem_signal(&vmms[i], 1 - i);
        ivshmem_await_signal(&vmms[1 - i]);
    }
    ivshmem_end(&vmms[0]);
    ivshmem_end(&vmms[1]);
}

/* --- VMMs that do not keep to it --- */

static void second_vmm_is_turned_away(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem"), next;

    (void)state;
    hub_silence();
    ivshmem_await_close(hub_connect("s.0.ivshmem", SOCK_STREAM));
    ivshmem_signal(&vmm, IVSHMEM_HUB); /* the first one is still served */
    ivshmem_tell_driver(&vmm, 0x101);
    hub_await_rest();
    ivshmem_end(&vmm);
    next = ivshmem_start("s.0.ivshmem");
    ivshmem_end(&next);
}

static void nothing_may_be_sent(void **state)
{
    crossvm_end_t *end = hub_open("s");

    (void)state;
    hub_silence();
    for (uint32_t i = 1; i <= 20; i++) {
        struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");

        ivshmem_tell_driver(&vmm, 0x101);
        await_peer(end, CROSSVM_PEER_PRESENT, i);
        assert_int_equal(send(vmm.socket, "\0\0\0\0\0\0\0", i % 8 + 1, MSG_NOSIGNAL), i % 8 + 1);
        await_peer(end, CROSSVM_PEER_ABSENT, i);
        ivshmem_await_close(dup(vmm.socket));
        ivshmem_end(&vmm);
    }
    crossvm_close(end);
}

/* A VMM and its guest do all that they can; the connection beside it works on, and so does this one for the next. */
static void enemy(void **state)
{
    struct ivshmem_vmm vmm = ivshmem_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");

    (void)state;
    neighbour_start();
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        switch (random() % 6) {
        case 0: /* any word of any page, the driver's more often */
            *(volatile uint32_t *)(vmm.region + random() % 0x7000 / 4 * 4) = (uint32_t)random();
            break;
        case 1:
            ivshmem_tell_driver(&vmm, (uint32_t)random());
            break;
        case 2:
            ivshmem_tell_driver(&vmm, (uint32_t)random() % 0x400);
            break;
        case 3: { /* a full doorbell, which waits for its reader */
            int doorbell = vmm.doorbells[random() % 3];

            (void)fcntl(doorbell, F_SETFL, O_NONBLOCK);
            (void)eventfd_write(doorbell, UINT64_MAX - 1);
            (void)fcntl(doorbell, F_SETFL, 0);
            break;
        }
        case 4: { /* an empty one, which waits for its writer */
            int doorbell = vmm.doorbells[random() % 3];
            eventfd_t count;

            (void)fcntl(doorbell, F_SETFL, O_NONBLOCK);
            (void)eventfd_read(doorbell, &count);
            (void)fcntl(doorbell, F_SETFL, 0);
            break;
        }
        default:
            if (random() % 16 == 0) {
                crossvm_close(end);
                end = hub_open("s");
            }
            break;
        }
        if (i % 1000 == 0)
            neighbour_check();
    }
    for (int i = 0; i < 3; i++)
        (void)fcntl(vmm.doorbells[i], F_SETFL, O_NONBLOCK);
    ivshmem_end(&vmm);
    vmm = ivshmem_start("s.0.ivshmem");
    crossvm_close(end);
    end = hub_open("s");
    assert_memory_equal(vmm.region + IVSHMEM_EVENT_PAGE(0) + 0x38, "CXVM", 4);
    while (ivshmem_is_signalled(&vmm))
        ivshmem_await_signal(&vmm);
    assert_int_equal(crossvm_emit(end), 0);
    ivshmem_await_signal(&vmm);
    neighbour_end();
    crossvm_close(end);
    ivshmem_end(&vmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(region),
        HUB_TEST(memory_is_shared),
        HUB_TEST(writers_are_refused),
        HUB_TEST(events_both_ways),
        HUB_TEST(next_vmm),
        HUB_TEST(driver),
        HUB_TEST(peer_is_told),
        HUB_TEST(two_vmms),
        HUB_TEST(guests_come_and_go),
        HUB_TEST(hub_ends),
        HUB_TEST(second_vmm_is_turned_away),
        HUB_TEST(nothing_may_be_sent),
        HUB_TEST(enemy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
