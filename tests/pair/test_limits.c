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
    /* 2^64 bytes. A pair that takes that for 0 ends, too, and says something else. */
    expect_refused(start_limited("-f 8", "-p 8589934588G -p 8589934588G -p 8G"), "choose smaller ones");
}

/* Without a word it would die of SIGXFSZ. */
static void a_limit_of_file_sizes(void **state)
{
    (void)state;
    expect_refused(start_limited("-f 8", "-p 64K"),
                   "connection \"other\": cannot make what its ends share: the file would exceed the limit for this "
                   "process; raise it with `ulimit -f`");
}

/* With fewer it could not serve both ends. */
static void a_limit_of_descriptors(void **state)
{
    struct program program;

    (void)state;
    expect_refused(start_limited("-n 20", ""),
                   "connection \"other\" needs 63 descriptors, and this process may have 20; "
                   "raise the limit with `ulimit -n 63`");
    program = start_limited("-n 63", "");
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

/* The limit is lowered while it runs: those who come meanwhile wait until it is raised, and it says so. */
static void a_limit_that_is_lowered(void **state)
{
    struct program program = start("pair", "other");
    struct rlimit usual, low;
    crossvm_end_t *end;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)state;
    await_text(&program, "other.0 other.1\n", NULL);
    assert_int_equal(prlimit(program.pid, RLIMIT_NOFILE, NULL, &usual), 0);
    low = (struct rlimit){4, usual.rlim_max};
    assert_int_equal(prlimit(program.pid, RLIMIT_NOFILE, &low, NULL), 0);
    (void)snprintf(path, sizeof(path), "%s/other.0.sock", getenv("CROSSVM_DIR"));
    memcpy(address.sun_path, path, sizeof(path));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    await_error(&program,
                "connection \"other.0\": cannot accept anybody for now: this process has as many descriptors");
    assert_int_equal(prlimit(program.pid, RLIMIT_NOFILE, &usual, NULL), 0);
    if (crossvm_open(&end, path))
        fail_msg("%s", crossvm_strerror());
    crossvm_close(end);
    close(fd);
    end_by_signal(&program, SIGTERM);
    assert_int_equal(program.status, 0);
    forget(&program);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(more_memory_than_there_is),
        pair_case(a_limit_of_file_sizes),
        pair_case(a_limit_of_descriptors),
        pair_case(a_limit_that_is_lowered),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_limits TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
