/* SPDX-License-Identifier: BSD-2-Clause */
/* What `crossvm pair` says when the system gives it too little. The tool's path is the argument. */
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "pair_fixture.h"
#include "program.h"

/* Runs a pair with a limit of the shell's, such as "-n 20". */
static struct program start_limited(const char *limit, const char *arguments)
{
    char line[256];

    (void)snprintf(line, sizeof(line), "ulimit %s; exec \"$0\" pair other %s", limit, arguments);
    return start_with(make_file("", 0), (const char *const[MAX_ARGUMENTS]){"/bin/sh", "-c", line, pair_tool});
}

static void expect_refused(struct program program, const char *sentence)
{
    expect(&program, 2, "", sentence);
}

/* Memory is taken when it is touched, but this machine will never have so much. */
static void more_memory_than_there_is(void **state)
{
    (void)state;
    expect_refused(start("pair", "other", "-p", "1024G"), "connection \"other\": its dataports take 1024G, and this ");
    expect_refused(start("pair", "other", "-p", "16777215T"), "is not SIZE[:WRITER]");
    expect_refused(start("pair", "other", "-p", "8589934588G", "-p", "8589934588G", "-p", "8589934588G"),
                   "choose smaller ones");
}

/* Without a word it would die of SIGXFSZ. */
static void a_limit_of_file_sizes(void **state)
{
    (void)state;
    expect_refused(start_limited("-f 8", "-p 64K"),
                   "connection \"other\": cannot make what its ends share: the file would exceed the limit for this "
                   "process; raise it with `ulimit -f`");
}

/* More descriptors than poll() may be given make it fail for ever. */
static void a_limit_of_descriptors(void **state)
{
    struct program program;

    (void)state;
    expect_refused(start_limited("-n 20", ""),
                   "connection \"other\" needs 48 descriptors, and this process may have 20; "
                   "raise the limit with `ulimit -n 48`");
    program = start_limited("-n 48", "");
    await_text(&program, "other.0 other.1\n", NULL);
    end_by_signal(&program, SIGTERM);
    assert_int_equal(program.status, 0);
    forget(&program);

    program = start_limited("-S -n 20", ""); /* it may raise that itself */
    await_text(&program, "other.0 other.1\n", NULL);
    end_by_signal(&program, SIGTERM);
    assert_int_equal(program.status, 0);
    forget(&program);
}

/* The limit is lowered while it runs. */
static void a_loop_that_cannot_wait_ends(void **state)
{
    struct program program = start("pair", "other");
    struct rlimit low = {4, 4};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)state;
    await_text(&program, "other.0 other.1\n", NULL);
    assert_int_equal(prlimit(program.pid, RLIMIT_NOFILE, &low, NULL), 0);
    /* It looks up. */
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/other.0.sock", getenv("CROSSVM_DIR"));
    (void)connect(fd, (struct sockaddr *)&address, sizeof(address));
    expect(&program, 2, "other.0 other.1\n", "connection \"other\": cannot wait for programs: Invalid argument");
    close(fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(more_memory_than_there_is),
        pair_case(a_limit_of_file_sizes),
        pair_case(a_limit_of_descriptors),
        pair_case(a_loop_that_cannot_wait_ends),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_limits TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
