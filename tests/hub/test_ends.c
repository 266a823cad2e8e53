/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hub hands over, what it tells later, and who takes an end after another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"

#include "ends_fixture.h"

#define READ_WRITE (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* --- what is handed over --- */

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void rights_are_those_of_the_end(void **state)
{
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int program = attach(&reply), vm = join(&joined);

    (void)state;
    assert_int_equal(reply.num_dataports, 3);
    assert_int_equal(reply.peer_end, VM);
    assert_string_equal(reply.vm, "alpha");
    assert_int_equal(joined.num_dataports, 3);
    assert_int_equal(joined.end, VM);
    assert_int_equal(joined.peer_is_host, true);
    assert_int_equal(reply.dataports[0].rights, CROSSVM_RIGHT_READ);
    assert_int_equal(joined.dataports[0].rights, READ_WRITE);
    assert_int_equal(reply.dataports[1].rights, READ_WRITE);
    assert_int_equal(joined.dataports[1].rights, CROSSVM_RIGHT_READ);
    assert_int_equal(reply.dataports[2].rights, READ_WRITE);
    assert_int_equal(joined.dataports[2].rights, READ_WRITE);
    close(program);
    close(vm);
}

/* A program that keeps them after it has left could else stop the next one, or the hub: by a seal against the next
 * mapping for writing, by less memory than is mapped, or by an event that waits for room. */
static void what_is_shared_harms_nobody_who_comes_later(void **state)
{
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS], first = CROSSVM_WIRE_FIXED_FDS;
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int program = come(PROGRAM), vm = come(VM);
    struct stat peer_page, own_page;
    size_t n;

    (void)state;
    serve();
    ask(program, CROSSVM_WIRE_ATTACH);
    serve();
    assert_int_equal(cvm_descriptors_receive(program, &reply, sizeof(reply), fds, CROSSVM_WIRE_MAX_FDS, &n),
                     sizeof(reply));
    assert_int_equal(n, CROSSVM_WIRE_FIXED_FDS + 3);
    assert_true(is_nonblocking(fds[0]) && is_nonblocking(fds[1]));
    for (size_t i = 2; i < n; i++)
        assert_int_equal(fcntl(fds[i], F_GET_SEALS), SEALS);
    assert_int_equal(fcntl(fds[first], F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fds[first + 1], F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(fcntl(fds[first + 2], F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(fstat(fds[2], &peer_page), 0);
    /* Signals go from one end to the other, and none comes back. */
    assert_int_equal(eventfd_write(fds[1], 3), 0);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);

    assert_int_equal(cvm_descriptors_receive(vm, &joined, sizeof(joined), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &n),
                     sizeof(joined));
    assert_int_equal(n, CROSSVM_WIRE_JOIN_FIXED_FDS + 3);
    assert_true(is_nonblocking(fds[0]) && is_nonblocking(fds[1]));
    for (size_t i = 2; i < n; i++)
        assert_int_equal(fcntl(fds[i], F_GET_SEALS), SEALS);
    assert_int_equal(eventfd_read(fds[1], &(eventfd_t){0}), 0);
    assert_int_equal(eventfd_read(fds[0], &(eventfd_t){0}), -1);
    assert_int_equal(fstat(fds[3], &own_page), 0);
    assert_int_equal(own_page.st_ino, peer_page.st_ino); /* the program counts where the VM looks */
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    close(program);
    close(vm);
}

/* --- news --- */

static void each_hears_of_the_other(void **state)
{
    struct crossvm_wire_driver news = {.generation = 77};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);

    (void)state;
    assert_true(take_news(vm, &news) > 0);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, 1);
    report(vm, CROSSVM_DRIVER_BOUND, 1);
    serve();
    assert_int_equal(take_news(program, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_BOUND);
    report(vm, CROSSVM_DRIVER_BOUND, 1); /* the same again is none */
    report(vm, CROSSVM_DRIVER_OPEN + 1, 5);
    serve();
    assert_int_equal(take_news(program, &news), 0);
    close(program);
    serve();
    assert_int_equal(take_news(vm, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    close(vm);
}

/* A program that does not read misses what was in between, and not the last. */
static void a_program_hears_late_news_when_it_reads(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);
    enum { MANY = 2000 }; /* which no socket holds */
    int told;

    (void)state;
    for (uint32_t i = 1; i <= MANY; i++) {
        report(vm, CROSSVM_DRIVER_BOUND, i);
        if (i % 4 == 0)
            serve();
    }
    report(vm, CROSSVM_DRIVER_OPEN, MANY + 1);
    serve();
    told = take_news(program, &news);
    assert_in_range(told, 1, MANY - 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_BOUND);
    serve();
    assert_int_equal(take_news(program, &news), 1); /* once */
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, MANY + 1);
    serve();
    assert_int_equal(take_news(program, &news), 0);
    close(program);
    close(vm);
}

static void a_vm_hears_late_news_and_questions_when_it_reads(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    struct crossvm_wire_header question;
    int vm = join(&joined), program = -1, other;
    enum { MANY = 1000 };
    int told;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        program = attach(&reply);
        if (i < MANY - 1)
            close(program);
    }
    other = come(PROGRAM);
    serve();
    ask(other, CROSSVM_WIRE_INFO);
    serve();
    told = take_news(vm, &news);
    assert_in_range(told, 1, 2 * MANY - 1);
    serve();
    assert_int_equal(receive(vm, &news, sizeof(news)), CROSSVM_WIRE_DRIVER); /* what is true now */
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_INFO);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, MANY);
    assert_int_equal(receive(other, &reply, sizeof(reply)), 0); /* the VM has not answered yet */
    report(vm, CROSSVM_DRIVER_BOUND, 1);
    serve();
    assert_int_equal(receive(other, &reply, sizeof(reply)), CROSSVM_WIRE_INFO);
    assert_int_equal(reply.vm_exits, 7);
    assert_int_equal(reply.owned, true);
    serve();
    assert_int_equal(receive(vm, &question, sizeof(question)), 0);
    close(other);
    close(program);
    close(vm);
}

/* Who asks is answered also if the VM ends instead. */
static void a_question_is_answered_when_the_vm_ends(void **state)
{
    struct crossvm_wire_driver question;
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), asker = come(PROGRAM);

    (void)state;
    serve();
    report(vm, CROSSVM_DRIVER_OPEN, 1);
    serve();
    ask(asker, CROSSVM_WIRE_INFO);
    serve();
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_DRIVER); /* of before */
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_INFO);
    assert_int_equal(receive(asker, &reply, sizeof(reply)), 0);
    close(vm);
    serve();
    assert_int_equal(receive(asker, &reply, sizeof(reply)), CROSSVM_WIRE_INFO);
    assert_int_equal(reply.driver_state, CROSSVM_DRIVER_NONE);
    assert_int_equal(reply.peer_here, false);
    assert_int_equal(reply.vm_exits, 0);
    assert_int_equal(reply.owned, false);
    close(asker);
}

static void both_hear_of_the_end_of_the_hub(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);

    (void)state;
    report(vm, CROSSVM_DRIVER_OPEN, 1);
    serve();
    (void)take_news(vm, &news);
    (void)take_news(program, &news);
    hub_connection_hang_up(hub.connection);
    assert_int_equal(take_news(vm, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    assert_int_equal(take_news(program, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    close(vm);
    close(program);
}

/* --- who is gone --- */

/* The next one asks before the hub has come to the socket that was closed. */
static void an_end_whose_program_is_gone_is_free(void **state)
{
    struct crossvm_wire_reply reply;
    int owner = attach(&reply), next = come(PROGRAM);

    (void)state;
    serve();
    ask(next, CROSSVM_WIRE_ATTACH);
    close(owner);
    serve();
    assert_int_equal(receive(next, &reply, sizeof(reply)), CROSSVM_WIRE_ATTACH);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.num_dataports, 3);
    close(next);
}

static void a_vm_that_is_gone_makes_room_for_the_next(void **state)
{
    struct crossvm_wire_join joined;
    int first = join(&joined), second = come(VM), third;

    (void)state;
    close(first);
    serve();
    assert_int_equal(receive(second, &joined, sizeof(joined)), CROSSVM_WIRE_JOIN);
    third = come(VM); /* which finds it taken */
    serve();
    assert_int_equal(receive(third, &joined, sizeof(joined)), -1);
    close(third);
    close(second);
}

static void a_stock_vmm_that_is_gone_makes_room_for_the_next(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        int first = come_by(SOCK_STREAM, end), second, third;

        serve();
        assert_false(is_closed(first));
        second = come_by(SOCK_STREAM, end);
        close(first);
        serve();
        assert_false(is_closed(second));
        third = come_by(SOCK_STREAM, end);
        serve();
        assert_true(is_closed(third));
        assert_false(is_closed(second));
        close(third);
        close(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDS_TEST(rights_are_those_of_the_end),
        ENDS_TEST(what_is_shared_harms_nobody_who_comes_later),
        ENDS_TEST(each_hears_of_the_other),
        ENDS_TEST(a_program_hears_late_news_when_it_reads),
        ENDS_TEST(a_vm_hears_late_news_and_questions_when_it_reads),
        ENDS_TEST(a_question_is_answered_when_the_vm_ends),
        ENDS_TEST(both_hear_of_the_end_of_the_hub),
        ENDS_TEST(an_end_whose_program_is_gone_is_free),
        ENDS_TEST(a_vm_that_is_gone_makes_room_for_the_next),
        STOCK_TEST(a_stock_vmm_that_is_gone_makes_room_for_the_next),
    };

    return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
