/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program or the hub is stopped (SIGSTOP) and goes on later. Whoever waits for it sleeps, without an error, for as
 * long as that takes; nothing is lost; and who needs nothing of it works on. A stop lasts until the others are seen
 * asleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../holdings.h"
#include "pair_fixture.h"

#define FOREVER CROSSVM_FOREVER
#define MESSAGES 20000u /* more than a ring holds */

static void stop(pid_t process)
{
    assert_int_equal(kill(process, SIGSTOP), 0);
    holdings_await_state(process, 'T');
}

static void go_on(pid_t process)
{
    assert_int_equal(kill(process, SIGCONT), 0);
}

/* --- a program --- */

/* Sends numbers, and then receives as many. */
static void be_program(void *mode)
{
    crossvm_channel_t *channel = pair_channel(pair_open(1), *(const unsigned int *)mode);
    uint32_t number;

    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (crossvm_channel_send(channel, &i, sizeof(i), FOREVER) != sizeof(i))
            _exit(1);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        if (crossvm_channel_recv(channel, &number, sizeof(number), FOREVER) != sizeof(number) || number != i)
            _exit(2);
    }
}

struct stopper {
    pid_t program;
    pid_t other; /* the thread that waits for it */
};

/* Lets a stopped program go on once the other end sleeps. */
static void *go_on_later(void *argument)
{
    const struct stopper *stopper = argument;

    holdings_await_state(stopper->other, 'S');
    go_on(stopper->program);
    return NULL;
}

/* Calls run(), which has to wait for a program that is stopped until it sleeps. */
static void while_stopped(pid_t program, void (*run)(crossvm_channel_t *), crossvm_channel_t *channel)
{
    struct stopper stopper = {.program = program, .other = gettid()};
    pthread_t thread;

    stop(program);
    assert_int_equal(pthread_create(&thread, NULL, go_on_later, &stopper), 0);
    run(channel);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void receive_all(crossvm_channel_t *channel)
{
    uint32_t number;

    for (uint32_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(crossvm_channel_recv(channel, &number, sizeof(number), FOREVER), sizeof(number));
        assert_int_equal(number, i);
    }
}

static void send_all(crossvm_channel_t *channel)
{
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_int_equal(crossvm_channel_send(channel, &i, sizeof(i), FOREVER), sizeof(i));
}

static void a_program_that_is_stopped_loses_nothing(void **state)
{
    static unsigned int modes[] = {CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        crossvm_end_t *end = pair_open(0);
        crossvm_channel_t *channel = pair_channel(end, modes[i]);
        pid_t program = pair_fork(be_program, &modes[i]);
        int status;

        assert_int_equal(crossvm_channel_connect(channel, FOREVER), 0);
        holdings_await_state(program, 'S'); /* its ring is full */
        while_stopped(program, receive_all, channel);
        while_stopped(program, send_all, channel);
        assert_int_equal(waitpid(program, &status, 0), program);
        assert_int_equal(status, 0);
        crossvm_channel_destroy(channel);
        crossvm_close(end);
    }
}

/* --- the hub --- */

static void *echo(void *argument)
{
    crossvm_channel_t *channel = argument;
    uint32_t number;
    ptrdiff_t length;

    do {
        length = crossvm_channel_recv(channel, &number, sizeof(number), FOREVER);
        if (length > 0)
            length = crossvm_channel_send(channel, &number, (size_t)length, FOREVER);
    } while (length > 0);
    return NULL;
}

/* No message goes through the hub. */
static void programs_need_no_hub(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
    pthread_t thread;

    (void)state;
    stop(pair_server());
    assert_int_equal(pthread_create(&thread, NULL, echo, both.channel[1]), 0);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t answer;

        assert_int_equal(crossvm_channel_send(both.channel[0], &i, sizeof(i), FOREVER), sizeof(i));
        assert_int_equal(crossvm_channel_recv(both.channel[0], &answer, sizeof(answer), FOREVER), sizeof(answer));
        assert_int_equal(answer, i);
    }
    go_on(pair_server());
    crossvm_channel_close(both.channel[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pair_close(&both);
}

static pid_t opener; /* a thread */

static void *open_an_end(void *argument)
{
    int error;

    (void)argument;
    __atomic_store_n(&opener, gettid(), __ATOMIC_RELEASE);
    do { /* that the hub hangs is said after some seconds, which a busy machine may need, too */
        crossvm_end_t *end;

        error = crossvm_open(&end, "link.0");
        if (!error)
            return end;
    } while (error == -ETIMEDOUT);
    return NULL;
}

/* Programs that come, and one that is killed, while the hub is stopped are served when it goes on. */
static void who_comes_waits_for_the_hub(void **state)
{
    struct both both = pair_both(CROSSVM_CHANNEL_STREAM);
    struct holdings before = holdings_of(pair_server());
    pthread_t thread;
    void *opened;
    char byte;

    (void)state;
    crossvm_channel_destroy(both.channel[0]);
    stop(pair_server());
    crossvm_close(both.end[0]);
    assert_int_equal(pthread_create(&thread, NULL, open_an_end, NULL), 0);
    while (__atomic_load_n(&opener, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    holdings_await_state(opener, 'S');
    go_on(pair_server());
    assert_int_equal(pthread_join(thread, &opened), 0);
    assert_non_null(opened);
    /* The end of the session before, and a new one */
    assert_int_equal(crossvm_channel_recv(both.channel[1], &byte, 1, FOREVER), 0);
    crossvm_channel_open(both.channel[1]);
    both.end[0] = opened;
    both.channel[0] = pair_channel(opened, CROSSVM_CHANNEL_STREAM);
    for (int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(both.channel[i % 2], CROSSVM_NOW);
    assert_int_equal(crossvm_channel_send(both.channel[0], "x", 1, FOREVER), 1);
    assert_int_equal(crossvm_channel_recv(both.channel[1], &byte, 1, FOREVER), 1);
    holdings_await(pair_server(), &before);
    pair_close(&both);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(a_program_that_is_stopped_loses_nothing),
        pair_case(programs_need_no_hub),
        pair_case(who_comes_waits_for_the_hub),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_stops TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
