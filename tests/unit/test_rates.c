/* SPDX-License-Identifier: BSD-2-Clause */
/* What reports make of counters: rates, what is exact, the order of rows, and labels that a parser has to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/top/report.h"

#define SECOND_NS 1000000000

/* Two connections, of which all was counted twice, with two seconds in between. */
static struct fleet_connection one, two;
static struct fleet_connection *connections[] = {&one, &two};
static struct fleet fleet;
static struct rates rates;

static int set_up(void **state)
{
    (void)state;
    fleet = (struct fleet){.connections = connections, .num_connections = 2};
    one = (struct fleet_connection){.before.ns = SECOND_NS, .now.ns = 3LL * SECOND_NS};
    one.observed.path = (char *)"/run/one.view";
    (void)strcpy(one.observed.told.name, "one");
    two = one;
    two.observed.path = (char *)"/run/two.view";
    (void)strcpy(two.observed.told.name, "two");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rates_free(&rates);
    return 0;
}

/* A channel of datagrams in a dataport of the connection. */
static void add_channel(struct fleet_connection *connection)
{
    connection->observed.told.num_dataports = 1;
    connection->observed.channels[0] = (struct channel_watch){.state = CHANNEL_WATCH_SESSION, .ring_bytes = 1000};
}

static const struct rate_row *first_by(enum rate_order order)
{
    rates_free(&rates);
    assert_int_equal(rates_make(&rates, &fleet, order), 0);
    return &rates.rows[0];
}

static void rates_are_by_the_second(void **state)
{
    const struct rate_flow *flow;

    (void)state;
    add_channel(&one);
    one.before.events[1] = 10;
    one.now.events[1] = 50;
    one.before.flows[0][1].bytes = 1000;
    one.now.flows[0][1].bytes = 5000;
    one.now.flows[0][1].fill = 250;
    assert_true(first_by(ORDER_NAME)->ends[1].events_rate == 20);
    assert_int_equal(rates.rows[0].ends[1].events, 50);
    flow = &rates.rows[0].channels[0].flows[1];
    assert_true(flow->bytes == 2000 && flow->fill == 0.25);
    assert_true(rates.seconds == 2);
}

/* A VM that has come since begins at 0. */
static void a_counter_that_begins_anew_has_no_rate(void **state)
{
    (void)state;
    one.before.exits[0] = 1000;
    one.now.exits[0] = 10;
    assert_true(first_by(ORDER_NAME)->ends[0].exits_rate == 0);
    assert_int_equal(rates.rows[0].ends[0].exits, 10);
}

/* Nor has the first report of all. */
static void without_an_earlier_count_there_is_no_rate(void **state)
{
    (void)state;
    one.before = (struct fleet_counts){0};
    one.now.events[0] = 7;
    assert_true(first_by(ORDER_NAME)->ends[0].events_rate == 0);
}

static void the_busiest_comes_first(void **state)
{
    (void)state;
    add_channel(&one);
    add_channel(&two);
    assert_string_equal(first_by(ORDER_BYTES)->name, "one"); /* of equal ones, by name */
    two.now.flows[0][0].bytes = 1;
    assert_string_equal(first_by(ORDER_BYTES)->name, "two");
    assert_string_equal(first_by(ORDER_NAME)->name, "one");
    two.now.flows[0][1].messages_counted = 1;
    assert_string_equal(first_by(ORDER_MESSAGES)->name, "two");
    two.now.flows[0][1].waits_for_space = 1;
    assert_string_equal(first_by(ORDER_WAITS)->name, "two");
    two.now.events[1] = 1;
    assert_string_equal(first_by(ORDER_EMITS)->name, "two");
    two.now.accesses[1] = 1; /* what a VMM asks for, and a VM's exits */
    assert_string_equal(first_by(ORDER_EXITS)->name, "two");
    one.now.exits[1] = 2;
    assert_string_equal(first_by(ORDER_EXITS)->name, "one");
}

static void what_is_estimated_is_not_exact(void **state)
{
    struct channel_flow *flow = &one.now.flows[0][0];

    (void)state;
    add_channel(&one);
    flow->messages_counted = 4;
    assert_true(first_by(ORDER_NAME)->channels[0].flows[0].exact_messages);
    flow->messages_estimated = 6;
    assert_false(first_by(ORDER_NAME)->channels[0].flows[0].exact_messages);
    assert_true(rates.rows[0].channels[0].flows[0].messages == 5); /* of both */
    one.before.flows[0][0].messages_estimated = 6;                 /* those came earlier */
    assert_true(first_by(ORDER_NAME)->channels[0].flows[0].exact_messages);
    flow->unknown_bytes = 1;
    assert_false(first_by(ORDER_NAME)->channels[0].flows[0].exact_messages);
    assert_true(rates.rows[0].channels[0].flows[0].exact_bytes);
    flow->missed_bytes = true;
    assert_false(first_by(ORDER_NAME)->channels[0].flows[0].exact_bytes);
}

/* A folder's name may have quotes. */
static void labels_are_quoted(void **state)
{
    char *text;
    size_t length;
    FILE *stream = open_memstream(&text, &length);

    (void)state;
    assert_non_null(stream);
    one.observed.path = (char *)"/a \"b\"\\c/one.view";
    (void)first_by(ORDER_NAME);
    assert_int_equal(report_prometheus(stream, &rates, false), 0);
    assert_int_equal(fclose(stream), 0);
    assert_non_null(
        strstr(text, "\ncrossvm_end_taken{connection=\"one\",path=\"/a \\\"b\\\"\\\\c/one.view\",end=\"0\","));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rates_are_by_the_second),
        TEST(a_counter_that_begins_anew_has_no_rate),
        TEST(without_an_earlier_count_there_is_no_rate),
        TEST(the_busiest_comes_first),
        TEST(what_is_estimated_is_not_exact),
        TEST(labels_are_quoted),
    };

    return cmocka_run_group_tests_name("rates", tests, NULL, NULL);
}
