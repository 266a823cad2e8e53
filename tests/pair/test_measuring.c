/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands ping, echo and bench, as a user meets them. The tool's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pair_fixture.h"
#include "program.h"

/* --- ping, echo and bench --- */

static void ping_and_echo(void **state)
{
    struct program echo = start("echo", "link.0"), ping = start("ping", "link.1", "-c3", "-i0.01", "-s100", "-W60");

    (void)state;
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "PING link.1: 100 bytes\n100 bytes from link.1: seq=1 time="));
    assert_non_null(strstr(ping.output, "100 bytes from link.1: seq=3 time="));
    assert_non_null(strstr(ping.output, "\n3 sent, 3 answered, 0% lost, "));
    assert_non_null(strstr(ping.output, "round trip min/median/mean/99%/max = "));
    forget(&ping);

    ping = start("ping", "link.1", "--flood", "-c", "3000", "-W60");
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "\n3000 sent, 3000 answered, 0% lost, "));
    forget(&ping);

    /* Ctrl-C ends it with the statistics. */
    ping = start("ping", "link.1", "-i0.01", "-W60");
    await_text(&ping, "seq=2", NULL);
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "round trip min"));
    forget(&ping);

    /* The echo goes, and another comes. */
    ping = start("ping", "link.1", "-i0.02", "-W0.2");
    await_text(&ping, "seq=2", NULL);
    dismiss(&echo);
    await_text(&ping, "waiting for the next one", NULL);
    echo = start("echo", "link.0");
    await_text(&ping, "waiting for the next one", "56 bytes from link.1: seq=");
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    forget(&ping);
    end_by_signal(&echo, SIGTERM);
    assert_int_equal(echo.status, 0);
    assert_string_equal(echo.errors, "");
    forget(&echo);
}

static void ping_nobody(void **state)
{
    struct program ping = start("ping", "link.1", "-c2", "-i0", "-W0.05", "-t0.05"), other;

    (void)state;
    expect(&ping, 1, "PING link.1: 56 bytes\n", "waiting for `crossvm echo` at the other end of connection \"link.1\"");

    other = start("recv", "link.0");
    ping = start("ping", "link.1", "-c2", "-i0", "-W0.05");
    finish(&ping);
    assert_int_equal(ping.status, 1);
    assert_non_null(strstr(ping.output, "no answer from link.1: seq=1\nno answer from link.1: seq=2\n"));
    assert_non_null(strstr(ping.output, "\n2 sent, 0 answered, 100% lost, "));
    forget(&ping);
    finish(&other);
    forget(&other);
}

static double number(const json_t *object, const char *group, const char *name)
{
    const json_t *value = json_object_get(group ? json_object_get(object, group) : object, name);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* What `bench --json` says of 64 bytes and of 4 KiB. */
static void judge_bench(struct program *run)
{
    json_t *results;

    finish(run);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->status, 0);
    results = json_loads(run->output, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(results, "name")), "link.1");
    assert_int_equal(json_array_size(json_object_get(results, "results")), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *result = json_array_get(json_object_get(results, "results"), i);

        assert_int_equal((int)number(result, NULL, "size"), i ? 4096 : 64);
        assert_true(number(result, "round_trip_us", "min") > 0);
        assert_true(number(result, "round_trip_us", "p50") <= number(result, "round_trip_us", "p99.9"));
        assert_true(number(result, "to_peer", "messages_per_second") > 0);
        assert_true(number(result, "from_peer", "bytes_per_second") > 0);
        assert_null(json_object_get(result, "exits_per_round_trip")); /* there is no guest */
    }
    json_decref(results);
    forget(run);
}

static void bench(void **state)
{
    struct program serve = start("bench", "--serve", "link.0"), run;

    (void)state;
    await_owner("link.0");
    run = start("bench", "link.1", "--json", "-T0.02", "-s64,4K");
    judge_bench(&run);
    run = start("bench", "link.1", "-T0.01");
    finish(&run);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.output, "\n     64 "));
    forget(&run);
    end_by_signal(&serve, SIGINT);
    assert_int_equal(serve.status, 0);
    assert_string_equal(serve.errors, "");
    forget(&serve);
}

static void bench_of_a_stream(void **state)
{
    struct program serve = start("bench", "--serve", "--stream", "--spin=0", "link.0"), run;

    (void)state;
    await_owner("link.0");
    run = start("bench", "link.1", "--stream", "--json", "-T0.02", "-s64,4K");
    judge_bench(&run);
    end_by_signal(&serve, SIGINT);
    assert_int_equal(serve.status, 0);
    assert_string_equal(serve.errors, "");
    forget(&serve);
}

/* --- clients that do not fit --- */

static void echo_serves_the_next(void **state)
{
    struct program echo = start("echo", "link.0"), client = start("cat", "link.1");

    (void)state;
    expect(&client, 2, "", "choose the same mode at both ends");
    await_error(&echo, "choose the same mode at both ends; waiting for the next one");

    /* One that comes again and again keeps nobody else out. */
    client = start_open(words("cat", "-k", "link.1"));
    await_error(&client, "choose the same mode at both ends; waiting for the next one");
    dismiss(&client);
    client = start("ping", "link.1", "-c1", "-W60");
    finish(&client);
    assert_int_equal(client.status, 0);
    forget(&client);
    end_by_signal(&echo, SIGTERM);
    assert_int_equal(echo.status, 0);
    forget(&echo);
}

static void echo_ends_streams_in_good_order(void **state)
{
    struct program echo = start("echo", "--stream", "link.0");

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct program client = start_with(make_file("hello", 5), words("cat", "link.1"));

        expect(&client, 0, "hello", "");
    }
    end_by_signal(&echo, SIGTERM);
    assert_int_equal(echo.status, 0);
    forget(&echo);
}

static void bench_serves_the_next(void **state)
{
    struct program serve = start("bench", "--serve", "link.0"), client = start("send", "link.1", "no order");

    (void)state;
    await_error(&serve,
                "the other end of connection \"link.0\" is not a `crossvm bench` of this release; waiting for the");
    finish(&client); /* its message may have been taken before the session ended, or not */
    forget(&client);
    client = start("bench", "--stream", "link.1");
    finish(&client);
    assert_int_equal(client.status, 2);
    assert_non_null(strstr(client.errors, "choose the same mode at both ends"));
    forget(&client);
    client = start("bench", "link.1", "--json", "-T0.02", "-s64,4K");
    judge_bench(&client);
    end_by_signal(&serve, SIGTERM);
    assert_int_equal(serve.status, 0);
    forget(&serve);
}

static void bench_needs_bench(void **state)
{
    static const char *const streams[] = {NULL, "--stream"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct program echo = start("echo", "link.0", streams[i]), client;

        await_owner("link.0");
        client = start("bench", "link.1", streams[i]);
        finish(&client);
        assert_int_equal(client.status, 2);
        assert_non_null(strstr(client.errors, "link.1\" is no `crossvm bench --serve` of this release"));
        forget(&client);
        dismiss(&echo);
    }
}

/* --- what Ctrl-C leaves --- */

#define MANY_SIZES "64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64"

static void bench_is_cut_short(void **state)
{
    struct program serve = start("bench", "--serve", "link.0"), client;
    json_t *results;

    (void)state;
    client = start("bench", "link.1", "-T0.1", "-s", MANY_SIZES);
    await_text(&client, "\n     64 ", NULL);
    end_by_signal(&client, SIGINT);
    assert_int_equal(client.status, 128 + SIGINT);
    assert_true(client.output[client.length - 1] == '\n');
    forget(&client);

    client = start("bench", "link.1", "--json", "-T0.1", "-s", MANY_SIZES);
    await_owner("link.1");
    end_by_signal(&client, SIGTERM);
    assert_int_equal(client.status, 128 + SIGTERM);
    results = json_loads(client.output, 0, NULL);
    assert_true(json_array_size(json_object_get(results, "results")) < 24);
    assert_true(json_is_array(json_object_get(results, "results")));
    json_decref(results);
    forget(&client);
    dismiss(&serve);

    client = start("bench", "link.1");
    await_error(&client, "waiting for `crossvm bench --serve` at the other end of connection \"link.1\"");
    end_by_signal(&client, SIGINT);
    assert_int_equal(client.status, 128 + SIGINT);
    forget(&client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(ping_and_echo),         pair_case(ping_nobody),          pair_case(bench),
        pair_case(bench_of_a_stream),     pair_case(echo_serves_the_next), pair_case(echo_ends_streams_in_good_order),
        pair_case(bench_serves_the_next), pair_case(bench_needs_bench),    pair_case(bench_is_cut_short),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_measuring TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
