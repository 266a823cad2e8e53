/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pair_fixture.h"

const char *pair_tool;

static char directory[64];
static pid_t server;

void pair_start_server(void)
{
    char line[64] = "";
    int output[2];
    FILE *stream;

    assert_int_equal(pipe(output), 0);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (dup2(output[1], STDOUT_FILENO) < 0)
            _exit(126);
        close(output[0]);
        execl(pair_tool, pair_tool, "pair", "link", "-p", "64K", "-p", "8K:0", "-p", "4K", NULL);
        _exit(127);
    }
    close(output[1]);
    stream = fdopen(output[0], "r");
    assert_non_null(stream);
    assert_non_null(fgets(line, sizeof(line), stream));
    assert_string_equal(line, "link.0 link.1\n");
    fclose(stream);
}

void pair_signal_server(int number)
{
    assert_int_equal(kill(server, number), 0);
}

void pair_kill_server(void)
{
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, NULL, 0), server);
}

pid_t pair_server(void)
{
    return server;
}

int pair_set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/crossvm-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(setenv("CROSSVM_DIR", directory, 1), 0);
    pair_start_server();
    return 0;
}

int pair_tear_down(void **state)
{
    int status;

    (void)state;
    assert_int_equal(kill(server, SIGTERM), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    assert_int_equal(rmdir(directory), 0); /* so the server left nothing in it */
    return 0;
}

crossvm_end_t *pair_open(int end)
{
    char name[16];
    crossvm_end_t *opened;

    snprintf(name, sizeof(name), "link.%d", end);
    if (crossvm_open(&opened, name))
        fail_msg("%s", crossvm_strerror());
    return opened;
}

crossvm_channel_t *pair_channel(crossvm_end_t *end, unsigned int mode)
{
    const crossvm_channel_options_t options = {.mode = mode};
    crossvm_channel_t *channel;

    if (crossvm_channel_create(&channel, end, &options))
        fail_msg("%s", crossvm_strerror());
    return channel;
}

struct both pair_both(unsigned int mode)
{
    struct both both;

    for (int i = 0; i < 2; i++) {
        both.end[i] = pair_open(i);
        both.channel[i] = pair_channel(both.end[i], mode);
    }
    /* In one thread neither may wait for the other: a few looks make both know each other. */
    for (int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(both.channel[i % 2], CROSSVM_NOW);
    for (int i = 0; i < 2; i++)
        assert_int_equal(crossvm_channel_state(both.channel[i]), CROSSVM_CHANNEL_CONNECTED);
    return both;
}

void pair_close(struct both *both)
{
    for (int i = 0; i < 2; i++) {
        crossvm_channel_destroy(both->channel[i]);
        crossvm_close(both->end[i]);
    }
}

pid_t pair_fork(void (*run)(void *), void *argument)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(argument);
        _exit(0);
    }
    return child;
}

double pair_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
