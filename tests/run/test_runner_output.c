/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of the output of a runner's VMs: lines with their names, and consoles. Argument: the tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runner_fixture.h"

static void lines_have_names(void **state)
{
    const char *cut;

    (void)state;
    file_write("a", "printf 'one\\r\\ntwo'; echo bad >&2\n");
    file_write("longer", "printf '\\033[31mred\\033[0m \\007\\033ctab\\there\\n\\n'; head -c 2000 /dev/zero | "
                         "tr '\\0' x >&2\n");
    assert_int_equal(tool_finish(start(VM("a", "") VM("longer", ""))), 0);
    assert_non_null(strstr(file_read("out"), "a      | one\n"));
    assert_non_null(strstr(file_read("out"), "a      | two\n"));
    assert_non_null(strstr(file_read("out"), "longer | red tab\there\nlonger | \n"));
    assert_null(strchr(file_read("out"), '\033'));
    assert_non_null(strstr(file_read("err"), "a      | bad\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM a ended\n"));
    /* It is cut in two; what the runner says may come in between. */
    cut = strstr(file_read("err"), "longer | xxxx");
    assert_non_null(cut);
    assert_non_null(strstr(cut + 1, "\nlonger | xxxx"));
}

/* Control functions (ECMA-48) in each of their forms, and characters that hold the same bytes. */
static void no_control_function_passes(void **state)
{
    (void)state;
    file_write("a", "printf '1\\233;31mred\\302\\233;0mplain\\n'\n" /* CSI: of 8 bits, in UTF-8 */
                    "printf '2\\2350;title\\007a\\302\\2350;title\\234b\\033]0;title\\033\\\\c\\n'\n" /* OSC */
                    "printf '3\\220dcs\\234a\\237apc\\234b\\236pm\\234c\\033Psixel\\033\\\\d\\n'\n"
                    "printf '4\\205a\\302\\205b\\200c\\033(Bd\\n'\n"
                    "printf '5\\303\\233 \\342\\202\\254 \\360\\237\\230\\200 \\342\\233\\2040\\n'\n" /* text */
                    "printf '6\\300\\233ka\\340\\202\\233kb\\342\\033[1mc\\303d\\342\\233e\\n'\n"     /* no UTF-8 */
                    "printf '7\\233'; printf '\\nafter \\235string\\nend\\n'\n");
    assert_int_equal(tool_finish(start(VM("a", ""))), 0);
    assert_string_equal(file_read("out"), "a | 1redplain\n"
                                          "a | 2abc\n"
                                          "a | 3abcd\n"
                                          "a | 4abcd\n"
                                          "a | 5\303\233 \342\202\254 \360\237\230\200 \342\233\2040\n"
                                          "a | 6abcde\n"
                                          "a | 7\n"
                                          "a | after \n"
                                          "a | end\n");
}

/* Much of it, and from both at once. */
static void no_line_is_lost(void **state)
{
    size_t a = 0, b = 0;
    const char *out;

    (void)state;
    file_write("a", "seq 1000 1999\n");
    file_write("b", "seq 1000 1999\n");
    assert_int_equal(tool_finish(start(VM("a", "") VM("b", ""))), 0);
    out = file_read("out");
    for (const char *line = out; *line; line = strchr(line, '\n') + 1) {
        size_t *count = *line == 'a' ? &a : &b;

        assert_int_equal(strtoul(line + 4, NULL, 10), 1000 + *count);
        ++*count;
    }
    assert_int_equal(a, 1000);
    assert_int_equal(b, 1000);
}

/* --- consoles --- */

static void a_console_in_a_file(void **state)
{
    (void)state;
    file_write("console", "what was there before, and longer than what comes\n");
    file_write("a", "echo hello\n[ -e was-here ] || { touch was-here; exit 1; }\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}, restart: on-failure"))), 0);
    assert_string_equal(file_read("console"), "hello\nhello\n");
    assert_string_equal(file_read("out"), "");
}

static off_t size_of(const char *file)
{
    struct stat status;

    return stat(file, &status) ? -1 : status.st_size;
}

/* At its limit a file becomes the older one, of which there is one. No byte is lost in between. */
static void a_console_in_a_file_that_ends(void **state)
{
    (void)state;
    file_write("a", "seq 100000 139999\n"); /* 7 bytes each */
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console, max_size: 64K}"))), 0);
    assert_true(size_of("console") > 0 && size_of("console") <= 65536);
    assert_true(size_of("console.1") > 65536 - 4096 && size_of("console.1") <= 65536);
    assert_int_equal(size_of("console.2"), -1);

    /* The first line may have lost its beginning. */
    assert_int_equal(shell_run("cat console.1 console | tail -n +2 | "
                               "awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 } END { exit last != 139999 }'"),
                     0);
}

/* As far as it can be written. What is lost is said once, and the VM goes on. */
static void a_console_that_cannot_be_written(void **state)
{
    const char *said;

    (void)state;
    file_write("a", "seq 100000 139999\necho over >&2\n");
    file_write("t.yaml", "vms:\n" VM("a", ", console: {file: console}"));
    assert_int_equal(shell_run("ulimit -f 64; exec \"$0\" run t.yaml"), 0); /* KiB, or blocks of 512 bytes */
    said = strstr(file_read("err"), "a | its console's output is lost for now: cannot write ./console: ");
    assert_non_null(said);
    assert_non_null(strstr(said, "raise it with `ulimit -f`"));
    assert_null(strstr(strchr(said, '\n'), "is lost for now"));
    assert_non_null(strstr(said, "a | over\n"));
    assert_true(size_of("console") > 0);
}

/* Somebody else may have made the link, to a file that only this user may write. */
static void a_console_at_a_link(void **state)
{
    (void)state;
    file_write("a", "echo hello\n");
    file_write("target", "untouched");
    assert_int_equal(symlink("target", "console"), 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 2);
    assert_string_equal(file_read("err"), "crossvm: VM a: cannot make its console ./console: it is a symbolic link; "
                                          "name the file itself\n");
    assert_string_equal(file_read("target"), "untouched");

    /* The older file's name is taken, not followed. */
    assert_int_equal(unlink("console"), 0);
    assert_int_equal(symlink("target", "console.1"), 0);
    file_write("a", "seq 100000 139999\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console, max_size: 64K}"))), 0);
    assert_string_equal(file_read("target"), "untouched");
}

static void a_console_in_a_fifo(void **state)
{
    char said[16] = "";
    int reader;

    (void)state;
    file_write("a", "echo hello\n");
    assert_int_equal(mkfifo("console", 0600), 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 2);
    assert_string_equal(file_read("err"), "crossvm: VM a: cannot make its console ./console: nobody reads this FIFO\n");

    reader = open("console", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 0);
    assert_int_equal(read(reader, said, sizeof(said) - 1), 6);
    assert_string_equal(said, "hello\n");
    close(reader);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Receives until a text has come. */
static void expect(int fd, const char *text)
{
    char said[1024];
    size_t n = 0;

    do {
        ssize_t length = recv(fd, said + n, sizeof(said) - 1 - n, 0);

        if (length <= 0)
            fail_msg("the end, after: %.*s", (int)n, said);
        n += (size_t)length;
        said[n] = '\0';
    } while (!strstr(said, text));
}

static void a_console_at_a_socket(void **state)
{
    struct stat status;
    pid_t runner;
    int client, other;

    (void)state;
    file_write("a",
               "echo before\necho ready >ready\nread -r line\necho \"typed $line\"\nread -r line\necho \"and $line\"\n"
               "while [ ! -e go ]; do sleep 0.1; done\n");
    runner = start(VM("a", ", console: {socket: socket}"));
    file_await("ready", "ready");
    assert_int_equal(stat("socket", &status), 0);
    assert_int_equal(status.st_mode, S_IFSOCK | 0600);
    client = connect_to("socket");
    assert_true(client >= 0);
    expect(client, "before\n"); /* it was printed before anybody came */
    other = connect_to("socket");
    assert_true(other >= 0);
    expect(other, "another program has this console");
    close(other);
    assert_int_equal(send(client, "one\n", 4, 0), 4);
    expect(client, "typed one\n");
    close(client);

    /* The next client finds what the first one saw. */
    client = connect_to("socket");
    assert_true(client >= 0);
    expect(client, "typed one\n");
    assert_int_equal(send(client, "two\n", 4, 0), 4);
    expect(client, "and two\n");
    file_write("go", "");
    assert_int_equal(tool_finish(runner), 0);
    assert_int_equal(recv(client, &other, sizeof(other), 0), 0);
    close(client);
    assert_int_equal(access("socket", F_OK), -1);
    assert_string_equal(file_read("out"), "");
}

/* With room for one in its queue. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void a_socket_that_cannot_be(void **state)
{
    (void)state;
    file_write("a", "touch started\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {socket: no/where}"))), 2);
    assert_non_null(strstr(file_read("err"), "cannot listen at ./no/where for a console: No such file or directory"));
    assert_int_equal(access("started", F_OK), -1);

    /* A socket with a full queue is served, and not taken for one that a dead process left. */
    {
        int listener = listen_at("busy"), client = connect_to("busy");

        assert_true(client >= 0);
        assert_int_equal(tool_finish(start(VM("a", ", console: {socket: busy}"))), 2);
        assert_non_null(strstr(file_read("err"), "cannot listen at ./busy for a console: Address already in use"));
        assert_int_equal(access("busy", F_OK), 0);
        close(client);
        close(listener);
    }

    /* Nor is a file taken for such a socket. */
    assert_int_equal(tool_finish(start(VM("a", ", console: {socket: kernel}"))), 2);
    assert_int_equal(access("kernel", F_OK), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RUNNER_TEST(lines_have_names),
        RUNNER_TEST(no_control_function_passes),
        RUNNER_TEST(no_line_is_lost),
        RUNNER_TEST(a_console_in_a_file),
        RUNNER_TEST(a_console_in_a_file_that_ends),
        RUNNER_TEST(a_console_that_cannot_be_written),
        RUNNER_TEST(a_console_at_a_link),
        RUNNER_TEST(a_console_in_a_fifo),
        RUNNER_TEST(a_console_at_a_socket),
        RUNNER_TEST(a_socket_that_cannot_be),
    };

    if (argc < 2)
        return 1;
    tool = argv[1];
    return cmocka_run_group_tests_name("output of a runner", tests, NULL, NULL);
}
