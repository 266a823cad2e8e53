/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of several threads: each line stays whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/common/message.h"

#define THREADS 4
#define MESSAGES 2000

static void *talk(void *word)
{
    for (int i = 0; i < MESSAGES; i++)
        message("%s %s %s", (const char *)word, (const char *)word, (const char *)word);
    return NULL;
}

static void lines_of_threads(void **state)
{
    static const char *const words[THREADS] = {"one", "two", "three", "four"};
    int counts[THREADS] = {0}, pipes[2], own = dup(STDERR_FILENO);
    pthread_t threads[THREADS];
    char line[256], broken[256] = "";
    FILE *in;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
    close(pipes[1]);
    in = fdopen(pipes[0], "r");
    assert_non_null(in);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, talk, (void *)words[i]), 0);
    for (int n = 0; n < THREADS * MESSAGES && fgets(line, sizeof(line), in); n++) {
        size_t found = THREADS;

        for (size_t i = 0; i < THREADS; i++) {
            char expected[256];

            (void)snprintf(expected, sizeof(expected), "%s: %s %s %s\n", program_invocation_short_name, words[i],
                           words[i], words[i]);
            if (strcmp(line, expected) == 0)
                found = i;
        }
        if (found == THREADS)
            memcpy(broken, line, sizeof(broken));
        else
            counts[found]++;
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(dup2(own, STDERR_FILENO) >= 0);
    close(own);
    fclose(in);
    assert_string_equal(broken, "");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], MESSAGES);
}

/* What makes them whole, also where no two threads happen to meet: the kernel is given each in one piece. */
static void a_message_is_one_piece(void **state)
{
    int pieces[2], own = dup(STDERR_FILENO);
    char piece[256], expected[256];
    ssize_t length;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pieces), 0);
    assert_true(dup2(pieces[1], STDERR_FILENO) >= 0);
    message("%s", "it is whole");
    assert_true(dup2(own, STDERR_FILENO) >= 0);
    length = recv(pieces[0], piece, sizeof(piece) - 1, 0);
    assert_true(length > 0);
    piece[length] = '\0';
    (void)snprintf(expected, sizeof(expected), "%s: it is whole\n", program_invocation_short_name);
    assert_string_equal(piece, expected);
    close(pieces[0]);
    close(pieces[1]);
    close(own);
}

/* What has no room is cut, and the line ends. */
static void a_long_one(void **state)
{
    char text[10000], line[10000] = "";
    int pipes[2], own = dup(STDERR_FILENO);
    ssize_t length;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(pipe(pipes), 0);
    assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
    message("%s", text);
    assert_true(dup2(own, STDERR_FILENO) >= 0);
    close(pipes[1]);
    length = 0;
    for (ssize_t more = 1; more > 0; length += more)
        more = read(pipes[0], line + length, sizeof(line) - (size_t)length);
    assert_true(length > 8192 && length < 9100);
    assert_int_equal(line[length - 1], '\n');
    close(pipes[0]);
    close(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_threads),
        cmocka_unit_test(a_message_is_one_piece),
        cmocka_unit_test(a_long_one),
    };

    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
