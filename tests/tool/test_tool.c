/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool as a user meets it: arguments, output, exit status. Its path is the program's argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_vm.h"
#include "lib_fixture.h"

static const char *tool;

struct result {
    int status; /* exit status, or 128 and the signal */
    size_t length;
    char output[0x20000];
    char errors[4096];
};

/* --- running the tool --- */

static int make_file(const void *bytes, size_t length)
{
    int fd = fake_vm_memfd(0, 0);

    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static size_t take_file(int fd, char *text, size_t size)
{
    ssize_t length = pread(fd, text, size - 1, 0);

    assert_true(length >= 0);
    text[length] = '\0';
    close(fd);
    return (size_t)length;
}

/* Runs a program with up to 8 arguments. The result is static: it holds until the next run. */
static const struct result *run_with(const char *program, const void *input, size_t length,
                                     const char *const arguments[8])
{
    static struct result result;
    int in = make_file(input, length), out = make_file("", 0), err = make_file("", 0);
    char *argv[10] = {(char *)program};
    pid_t child;
    int status;

    for (int i = 0; i < 8 && arguments[i]; i++)
        argv[i + 1] = (char *)arguments[i];
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
            _exit(126);
        execv(program, argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(in);
    result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result.length = take_file(out, result.output, sizeof(result.output));
    take_file(err, result.errors, sizeof(result.errors));
    return &result;
}

#define run_input(input, length, ...) run_with(tool, input, length, (const char *const[8]){__VA_ARGS__})
#define run(...) run_input("", 0, __VA_ARGS__)

/* Runs a line of shell, in which $0 is the tool. */
static const struct result *run_shell(const char *line)
{
    return run_with("/bin/sh", "", 0, (const char *const[8]){"-c", line, tool});
}

static void assert_result(const struct result *result, int status, const char *output, const char *error)
{
    if (result->status != status || strcmp(result->output, output) != 0)
        fail_msg("status %d, output \"%s\", errors \"%s\"", result->status, result->output, result->errors);
    if (error[0] ? !strstr(result->errors, error) : result->errors[0])
        fail_msg("errors \"%s\", not \"%s\"", result->errors, error);
}

/* --- usage --- */

static void help_and_version(void **state)
{
    static const char *const commands[] = {"ls",   "info", "emit",    "wait",     "read",   "write", "cat",
                                           "send", "recv", "ping",    "echo",     "bench",  "pair",  "hub",
                                           "run",  "help", "version", "vmm-args", "attach", "detach"};
    static const char *const helps[] = {"help", "--help", "-h", "-?"}, *const versions[] = {"version", "--version",
                                                                                            "-V"};
    char usage[64];

    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        assert_result(run(versions[i]), 0, "crossvm " CROSSVM_VERSION_STRING "\n", "");
    for (size_t h = 0; h < sizeof(helps) / sizeof(helps[0]); h++) {
        const struct result *result = run(helps[h]);

        assert_int_equal(result->status, 0);
        assert_string_equal(result->errors, "");
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
            snprintf(usage, sizeof(usage), "\n  %s ", commands[i]);
            assert_non_null(strstr(result->output, usage));
        }
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        snprintf(usage, sizeof(usage), "Usage: crossvm %s ", commands[i]);
        for (size_t h = 0; h < sizeof(helps) / sizeof(helps[0]); h++) {
            const struct result *result = h == 0 ? run("help", commands[i]) : run(commands[i], helps[h]);

            assert_int_equal(result->status, 0);
            assert_string_equal(result->errors, "");
            assert_memory_equal(result->output, usage, strlen(usage));
        }
        assert_result(run(commands[i], "--version"), 0, "crossvm " CROSSVM_VERSION_STRING "\n", "");
    }
}

static void usage_errors(void **state)
{
    (void)state;
    assert_result(run(NULL), 2, "", "\n  ls ");
    assert_result(run("frobnicate"), 2, "", "crossvm: there is no command \"frobnicate\"; `crossvm help` lists");
    assert_result(run("help", "frobnicate"), 2, "", "there is no command \"frobnicate\"");
    assert_result(run("version", "1"), 2, "", "Too many arguments");
    assert_result(run("--frobnicate"), 2, "", "crossvm: unrecognized option '--frobnicate'");
    assert_result(run("ls", "alpha"), 2, "", "what is \"alpha\" for?");
    assert_result(run("ls", "--frobnicate"), 2, "", "crossvm ls: ");
    assert_result(run("info"), 2, "", "NAME of a connection is missing");
    assert_result(run("emit"), 2, "", "NAME of a connection is missing");
    assert_result(run("wait"), 2, "", "NAME of a connection is missing");
    assert_result(run("read"), 2, "", "NAME of a connection is missing");
    assert_result(run("write"), 2, "", "NAME of a connection is missing");
    assert_result(run("emit", "alpha", "beta"), 2, "", "what is \"beta\" for?");
    assert_result(run("write", "alpha", "text", "more"), 2, "", "one STRING is enough");
    assert_result(run("emit", "alpha", "-n", "0"), 2, "", "\"0\" is not a whole number from 1 on");
    assert_result(run("emit", "alpha", "-n", "many"), 2, "", "\"many\" is not a whole number");
    assert_result(run("emit", "alpha", "-n", "-1"), 2, "", "\"-1\" is not a whole number");
    assert_result(run("emit", "alpha", "-n", "1Q"), 2, "", "is not a whole number");
    assert_result(run("emit", "alpha", "-n", "99999999999999999999"), 2, "", "not a whole number");
    assert_result(run("read", "alpha", "-o", "18446744073709551615K"), 2, "", "is not a size");
    assert_result(run("wait", "alpha", "-t", "soon"), 2, "", "\"soon\" is not a number of seconds");
    assert_result(run("wait", "alpha", "-t", "-1"), 2, "", "not a number of seconds");
    assert_result(run("wait", "alpha", "-t", "nan"), 2, "", "not a number of seconds");
}

static void missing_connections(void **state)
{
    static const char *const commands[] = {"info", "emit", "wait", "read", "write"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_result(run(commands[i], "beta"), 2, "", "crossvm: no connection \"beta\": ");
        assert_result(run(commands[i], "b e t a"), 2, "", "crossvm: \"b e t a\" is no name");
        assert_result(run(commands[i], "/dev/null"), 2, "", "crossvm: /dev/null is neither");
    }
}

/* --- ls and info --- */

static void ls_prints_a_table(void **state)
{
    (void)state;
    assert_result(run("ls"), 0,
                  "NAME   VIA     LOCATION     DOOR        PEER     EVENTS  DATAPORTS\n"
                  "alpha  socket  vm-of-alpha  crossvm-vm  present  -       64K rw, 8K ro\n",
                  "");
    assert_int_equal(setenv("CROSSVM_DIR", "/no/such/directory", 1), 0);
    assert_result(run("ls"), 0, "", "nothing serves a socket in /no/such/directory;");
    assert_result(run("ls", "--json"), 0, "[]\n", "");
}

/*
 * The tool with one descriptor beside its streams: a loader may need it before the tool runs. Others that the test has
 * inherited would take its place.
 */
#define WITH_FOUR_DESCRIPTORS "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n 4; exec \"$0\" "

/* A directory that cannot be read, and a process that cannot open it: an error, not an empty list. */
static void ls_that_cannot_look(void **state)
{
    const struct result *result = run_shell(WITH_FOUR_DESCRIPTORS "ls");

    (void)state;
    assert_int_equal(result->status, 2);
    assert_non_null(strstr(result->errors, "raise the limit with `ulimit -n`"));
    assert_null(strstr(result->errors, "there are no connections"));
    result = run_shell(WITH_FOUR_DESCRIPTORS "info alpha");
    assert_int_equal(result->status, 2);
    assert_string_equal(result->output, "");
    assert_non_null(strstr(result->errors, "raise the limit with `ulimit -n`"));

    assert_int_equal(setenv("CROSSVM_DIR", "/proc/self/status", 1), 0);
    assert_result(run("ls"), 2, "", "cannot look for sockets in /proc/self/status: Not a directory");
    assert_result(run("ls", "--json"), 2, "[]\n", "cannot look for sockets in /proc/self/status: Not a directory");
}

/* An end that cannot be asked is listed, without the values that nobody told. */
static void an_end_that_refuses(void **state)
{
    static const char *const unknown[] = {"end",  "peer_generation", "owned",   "dataports", "msi",
                                          "door", "peer_here",       "vm_exits"};
    struct fake_vm closed;
    const json_t *end;
    json_t *list;

    fake_vm_init(&closed, lib_fixture_directory(state), "closed");
    closed.reply.status = EACCES;
    fake_vm_start(&closed);
    assert_result(run("ls"), 0,
                  "NAME    VIA     LOCATION     DOOR        PEER     EVENTS  DATAPORTS\n"
                  "alpha   socket  vm-of-alpha  crossvm-vm  present  -       64K rw, 8K ro\n"
                  "closed  socket  -            -           unknown  -       ? (Permission denied)\n",
                  "");
    list = json_loads(run("ls", "--json")->output, 0, NULL);
    end = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(end, "error")), "Permission denied");
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_true(json_is_null(json_object_get(end, unknown[i])));
    json_decref(list);
    assert_result(run("info", "closed"), 2, "", "refuses connection \"closed\": Permission denied");
    fake_vm_free(&closed);
}

static void assert_is_alpha(const json_t *end, const char *path)
{
    const json_t *dataport = json_array_get(json_object_get(end, "dataports"), 1);

    assert_string_equal(json_string_value(json_object_get(end, "name")), "alpha");
    assert_string_equal(json_string_value(json_object_get(end, "via")), "socket");
    assert_string_equal(json_string_value(json_object_get(end, "path")), path);
    assert_string_equal(json_string_value(json_object_get(end, "location")), "vm-of-alpha");
    assert_true(json_is_null(json_object_get(end, "error")));
    assert_true(json_is_null(json_object_get(end, "version")));
    assert_string_equal(json_string_value(json_object_get(end, "peer")), "present");
    assert_int_equal(json_integer_value(json_object_get(end, "end")), 1);
    assert_int_equal(json_integer_value(json_object_get(end, "peer_generation")), 1);
    assert_true(json_is_null(json_object_get(end, "events")));
    assert_true(json_is_true(json_object_get(end, "msi")));
    assert_true(json_is_false(json_object_get(end, "owned")));
    assert_int_equal(json_array_size(json_object_get(end, "dataports")), 2);
    assert_int_equal(json_integer_value(json_object_get(dataport, "size")), 8192);
    assert_string_equal(json_string_value(json_object_get(dataport, "rights")), "ro");
    assert_string_equal(json_string_value(json_object_get(end, "door")), "crossvm-vm");
    assert_true(json_is_true(json_object_get(end, "peer_here")));
    assert_true(json_integer_value(json_object_get(end, "vm_exits")) == 5000000000);
    assert_int_equal(json_integer_value(json_object_get(end, "vm_user_exits")), 17);
}

static void ls_prints_json(void **state)
{
    const struct result *result = run("ls", "--json");
    json_t *list;

    assert_int_equal(result->status, 0);
    list = json_loads(result->output, 0, NULL);
    assert_int_equal(json_array_size(list), 1);
    assert_is_alpha(json_array_get(list, 0), lib_fixture_vm(state)->path);
    json_decref(list);
}

static void info_by_name_and_path(void **state)
{
    const char *path = lib_fixture_vm(state)->path;
    const char *const ways[] = {"alpha", path};

    for (int i = 0; i < 2; i++) {
        const struct result *result = run("info", "--json", ways[i]);
        json_t *end = json_loads(result->output, 0, NULL);

        assert_int_equal(result->status, 0);
        assert_is_alpha(end, path);
        json_decref(end);

        result = run("info", ways[i]);
        assert_int_equal(result->status, 0);
        assert_non_null(strstr(result->output, "name        alpha\n"));
        assert_non_null(strstr(result->output, "VM          vm-of-alpha\n"));
        assert_non_null(strstr(result->output, "door        crossvm-vm, a VMM is there\n"));
        assert_non_null(strstr(result->output, "dataport 0  64K rw, 65536 bytes\n"));
        assert_non_null(strstr(result->output, "VM exits    5000000000, of these 17 to its process\n"));
    }
    assert_int_equal(lib_fixture_vm(state)->attaches, 0);

    /* A socket that the directory does not have is opened. */
    assert_int_equal(setenv("CROSSVM_DIR", "/no/such/directory", 1), 0);
    assert_int_equal(run("info", path)->status, 0);
    assert_int_equal(lib_fixture_vm(state)->attaches, 1);
}

/* --- events --- */

static void emit_sends(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);

    assert_result(run("emit", "alpha"), 0, "", "");
    assert_int_equal(fake_vm_take_signals(vm), 1);
    assert_result(run("emit", "-n", "1024", "alpha"), 0, "", "");
    assert_int_equal(fake_vm_take_signals(vm), 1024);
    assert_int_equal(vm->peer_page[0], 1025);
}

static void wait_counts(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);

    assert_result(run("wait", "alpha", "-t", "0"), 1, "0\n", "");
    fake_vm_emit(vm, 3);
    assert_result(run("wait", "alpha"), 0, "3\n", "");
    assert_result(run("wait", "alpha", "-t", "0.05"), 1, "0\n", "");
    fake_vm_emit(vm, 2);
    assert_result(run("wait", "alpha", "--count", "3", "--timeout", "0.05"), 1, "2\n", "");
    fake_vm_emit(vm, 5);
    assert_result(run("wait", "-n3", "-t1e9", "alpha"), 0, "5\n", "");
}

/* The driver goes while the tool waits, and an event follows. */
static void *let_driver_go(void *argument)
{
    struct fake_vm *vm = argument;

    fake_vm_await_taken(vm); /* driver messages before the reply are not news */
    fake_vm_send_driver(vm, CROSSVM_DRIVER_NONE);
    fake_vm_await_taken(vm);
    fake_vm_emit(vm, 1);
    return NULL;
}

static void wait_goes_on_without_event(void **state)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, let_driver_go, lib_fixture_vm(state)), 0);
    assert_result(run("wait", "alpha", "-t", "99"), 0, "1\n", "");
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void busy_end(void **state)
{
    crossvm_end_t *end = lib_fixture_open(state);

    assert_result(run("wait", "alpha", "-t", "1"), 2, "", "in use by another program");
    assert_int_equal(run("info", "alpha")->status, 0);
    crossvm_close(end);
}

/* --- dataports --- */

static void write_copies(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    uint8_t *port = vm->dataports[0];

    assert_result(run("write", "alpha", "hello, guest"), 0, "", "");
    assert_memory_equal(port, "hello, guest\0", 13);
    assert_result(run_input("0123456789abcdefXYZ", 19, "write", "alpha", "-o", "3"), 0, "", "");
    assert_memory_equal(port, "hel0123456789abcdefXYZ\0", 23);
    assert_result(run_input("", 0, "write", "alpha"), 0, "", "");
    assert_memory_equal(port, "hel", 3);
}

static void write_refuses_whole(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    static uint8_t large[0x10001];

    memset(large, 0xee, sizeof(large));
    assert_result(run_input(large, sizeof(large), "write", "alpha"), 2, "", "does not fit");
    assert_result(run_input(large, 17, "write", "alpha", "-o", "65520"), 2, "", "nothing was written");
    assert_result(run("write", "alpha", "ab", "-o", "65535"), 2, "", "does not fit");
    assert_result(run("write", "alpha", "x", "-d", "1"), 2, "", "dataport 1 of connection \"alpha\" is read-only");
    assert_result(run("write", "alpha", "x", "-d", "2"), 2, "", "has no dataport 2: its last one is 1");
    assert_result(run("write", "alpha", "x", "-o", "64K"), 2, "", "does not fit");
    assert_result(run("write", "alpha", "x", "-o", "65537"), 2, "", "offset 65537 is beyond dataport 0");
    for (size_t i = 0; i < 0x10000; i++)
        assert_int_equal(vm->dataports[0][i], 0);

    assert_result(run_input(large, 0x10000, "write", "alpha"), 0, "", "");
    assert_memory_equal(vm->dataports[0], large, 0x10000);
}

static void read_copies(void **state)
{
    struct fake_vm *vm = lib_fixture_vm(state);
    const struct result *result;

    for (size_t i = 0; i < 0x10000; i++)
        vm->dataports[0][i] = (uint8_t)(i * 7 + i / 256);
    result = run("read", "alpha");
    assert_int_equal(result->status, 0);
    assert_int_equal(result->length, 0x10000);
    assert_memory_equal(result->output, vm->dataports[0], 0x10000);

    result = run("read", "alpha", "-o", "3", "-l", "30");
    assert_int_equal(result->length, 30);
    assert_memory_equal(result->output, vm->dataports[0] + 3, 30);

    memcpy(vm->dataports[1] + 0x1ffa, "end!", 4);
    result = run("read", "alpha", "-d1", "-o", "8186");
    assert_int_equal(result->length, 6);
    assert_memory_equal(result->output, "end!\0", 6);

    assert_result(run("read", "alpha", "-o", "64K"), 0, "", "");
    assert_result(run("read", "alpha", "-l", "65537"), 2, "", "has 65536 bytes from offset 0 on, not 65537");
    assert_result(run("read", "alpha", "-d", "2"), 2, "", "no dataport 2");
}

static void read_shows_hex(void **state)
{
    memcpy(lib_fixture_vm(state)->dataports[0], "\x01hello, \xff~", 10);
    assert_result(run("read", "alpha", "--hex", "-l", "83"), 0,
                  "00000000  01 68 65 6c 6c 6f 2c 20  ff 7e 00 00 00 00 00 00  |.hello, .~......|\n"
                  "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                  "*\n"
                  "00000050  00 00 00                                          |...|\n"
                  "00000053\n",
                  "");
    /* Pieces of 4 KiB from the offset on: the second begins with a line equal to the one before. */
    memset(lib_fixture_vm(state)->dataports[0] + 0x1fe0, 'a', 32);
    assert_result(run("read", "alpha", "--hex", "-o", "4080", "-l", "8240"), 0,
                  "00000ff0  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                  "*\n"
                  "00001fe0  61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|\n"
                  "*\n"
                  "00002000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n"
                  "*\n"
                  "00003020\n",
                  "");
}

static void connection_without_dataport(void **state)
{
    struct fake_vm vm;

    fake_vm_init(&vm, lib_fixture_directory(state), "event");
    vm.reply.num_dataports = 0;
    vm.num_fds = CROSSVM_WIRE_FIXED_FDS;
    fake_vm_start(&vm);
    assert_result(run("read", "event"), 2, "", "connection \"event\" has no dataport, only events");
    assert_result(run("emit", "event"), 0, "", "");
    fake_vm_free(&vm);
}

/* --- standard output --- */

static void full_disk_is_an_error(void **state)
{
    (void)state;
    assert_result(run_shell("exec \"$0\" read alpha >/dev/full"), 2, "",
                  "cannot write to standard output: no space is left there; free some");
}

static void closed_pipe_ends_quietly(void **state)
{
    int ends[2];
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(ends[1], 1);
        close(ends[0]);
        execl(tool, tool, "read", "alpha", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        lib_case(help_and_version),
        lib_case(usage_errors),
        lib_case(missing_connections),
        lib_case(ls_prints_a_table),
        lib_case(ls_prints_json),
        lib_case(ls_that_cannot_look),
        lib_case(an_end_that_refuses),
        lib_case(info_by_name_and_path),
        lib_case(emit_sends),
        lib_case(wait_counts),
        lib_case(wait_goes_on_without_event),
        lib_case(busy_end),
        lib_case(write_copies),
        lib_case(write_refuses_whole),
        lib_case(read_copies),
        lib_case(read_shows_hex),
        lib_case(connection_without_dataport),
        lib_case(full_disk_is_an_error),
        lib_case(closed_pipe_ends_quietly),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: %s PATH-OF-THE-TOOL\n", argv[0]);
        return 2;
    }
    tool = argv[1];
    return cmocka_run_group_tests_name("the tool", tests, NULL, NULL);
}
