/* SPDX-License-Identifier: BSD-2-Clause */
/* The example of two guests that are joined (sel4/example/join.c): both VMMs in one process, in VMs without KVM. */
#include "../../sel4/example/join.h"
#include "fixture.h"
#include "sel4_signal.h"

#include <string.h>

static struct join_news news;
static struct join joins[2];
static struct fixture *vms[2];
static seL4_Word badges[2]; /* signals that a VMM has not looked at; they merge */

/* A capability's number says whose notification it is, and its badge. */
enum { EVENT_OF_0, EVENT_OF_1, NEWS_OF_0, NEWS_OF_1 };

void seL4_Signal(seL4_CPtr notification)
{
    badges[notification % 2] |= notification < NEWS_OF_0 ? BADGE_JOIN_EVENT : BADGE_JOIN_NEWS;
}

static void look(unsigned int i)
{
    seL4_Word badge = badges[i];

    badges[i] = 0;
    join_notified(&joins[i], badge);
}

static crossvm_connection_info_t info_of(unsigned int i)
{
    crossvm_connection_info_t info;

    crossvm_get_connection_info(joins[i].connection, &info);
    return info;
}

static void install(unsigned int i)
{
    const crossvm_dataport_config_t dataport = {.frames = frames_make(1, 12), .num_frames = 1};

    joins[i] = (struct join){
        .end = i,
        .news = &news,
        .other_event = i ? EVENT_OF_0 : EVENT_OF_1,
        .other_news = i ? NEWS_OF_0 : NEWS_OF_1,
    };
    assert_int_equal(join_install(&joins[i], &vms[i]->bus, "link", &dataport), 0);
    guest_enable(vms[i], joins[i].connection);
}

static void store_driver(unsigned int i, uint32_t state)
{
    guest_store(vms[i], bar(joins[i].connection, 0) + CROSSVM_REG_DRIVER, 4, state);
}

static void set_up(void **state, struct fixture *other)
{
    vms[0] = *state;
    vms[1] = other;
    memset(&news, 0, sizeof(news));
    fixture_vm_create(other);
    install(0);
    install(1);
}

static void events_pass_both_ways(void **state)
{
    struct fixture other;

    set_up(state, &other);
    for (unsigned int i = 0; i < 2; i++) {
        for (uint64_t events = 1; events <= 3; events++) {
            guest_store(vms[i], bar(joins[i].connection, 0) + CROSSVM_REG_EMIT, 4, 1);
            look(1 - i);
            assert_int_equal(info_of(1 - i).events, events);
        }
        assert_int_equal(info_of(i).events, i ? 3 : 0);
    }
    fixture_vm_destroy(&other);
}

static void expect(unsigned int i, uint32_t state, uint32_t generation)
{
    look(i);
    assert_int_equal(info_of(i).peer_state, state);
    assert_int_equal(info_of(i).peer_generation, generation);
}

static void each_learns_of_the_other(void **state)
{
    struct fixture other;

    set_up(state, &other);
    expect(0, CROSSVM_PEER_ABSENT, 0);
    store_driver(1, CROSSVM_DRIVER_BOUND);
    expect(0, CROSSVM_PEER_PRESENT, 1);
    store_driver(1, CROSSVM_DRIVER_OPEN);
    expect(0, CROSSVM_PEER_READY, 2);
    badges[0] |= BADGE_JOIN_NEWS; /* that are none: nobody else has come */
    expect(0, CROSSVM_PEER_READY, 2);
    store_driver(1, CROSSVM_DRIVER_OPEN); /* another program */
    expect(0, CROSSVM_PEER_READY, 3);
    store_driver(1, CROSSVM_DRIVER_BOUND);
    expect(0, CROSSVM_PEER_PRESENT, 3);
    store_driver(1, CROSSVM_DRIVER_OPEN);
    store_driver(1, CROSSVM_DRIVER_NONE);
    store_driver(1, CROSSVM_DRIVER_BOUND); /* signals merge; a new one is told of once at least */
    look(0);
    assert_int_equal(info_of(0).peer_state, CROSSVM_PEER_PRESENT);
    assert_true(info_of(0).peer_generation > 3);
    assert_int_equal(info_of(1).peer_state, CROSSVM_PEER_ABSENT);
    fixture_vm_destroy(&other);
}

/* Its guest is started again, or it is a new VMM at the same page. */
static void one_ends_and_begins_again(void **state)
{
    struct fixture other;

    set_up(state, &other);
    store_driver(0, CROSSVM_DRIVER_OPEN);
    store_driver(1, CROSSVM_DRIVER_OPEN);
    expect(0, CROSSVM_PEER_READY, 1);
    expect(1, CROSSVM_PEER_READY, 1);
    join_guest_ended(&joins[1]);
    expect(0, CROSSVM_PEER_ABSENT, 1);
    crossvm_remove(joins[1].connection);
    install(1);
    expect(1, CROSSVM_PEER_READY, 1); /* the new one sees the guest that was there all along */
    expect(0, CROSSVM_PEER_ABSENT, 1);
    store_driver(1, CROSSVM_DRIVER_OPEN);
    expect(0, CROSSVM_PEER_READY, 2);
    guest_store(vms[0], bar(joins[0].connection, 0) + CROSSVM_REG_EMIT, 4, 1);
    look(1);
    assert_int_equal(info_of(1).events, 1);
    fixture_vm_destroy(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(events_pass_both_ways),
        FIXTURE_TEST(each_learns_of_the_other),
        FIXTURE_TEST(one_ends_and_begins_again),
    };

    return cmocka_run_group_tests_name("joined_guests", tests, NULL, NULL);
}
