/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include "program.h"

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair_fixture.h"

#define HANG_MS 600000 /* only bounds a test that hangs */

/* --- start --- */

int make_file(const void *bytes, size_t length)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void execute(unsigned int closed, const int fds[3], char *const *arguments)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
    for (int fd = 0; fd < 3; fd++) {
        if (dup2(fds[fd], fd) < 0)
            _exit(126);
    }
    for (int fd = 0; fd < 3; fd++) {
        if (closed >> fd & 1)
            close(fd);
    }
    execvp(arguments[0], arguments);
    _exit(127);
}

static struct program start_any(unsigned int closed, int in, int out, const char *const *arguments)
{
    struct program program = {.in = -1, .out_fd = out < 0 ? make_file("", 0) : out, .err_fd = make_file("", 0)};

    program.pid = fork();
    assert_true(program.pid >= 0);
    if (program.pid == 0)
        execute(closed, (int[3]){in, program.out_fd, program.err_fd}, (char *const *)arguments);
    return program;
}

struct program start_program(int in, int out, const char *const arguments[MAX_ARGUMENTS])
{
    return start_any(0, in, out, arguments);
}

struct program start_closed(unsigned int closed, int in, const char *const arguments[MAX_ARGUMENTS])
{
    struct program program = start_any(closed, in, -1, arguments);

    close(in);
    return program;
}

struct program start_with(int in, const char *const arguments[MAX_ARGUMENTS])
{
    return start_closed(0, in, arguments);
}

struct program start_open(const char *const arguments[MAX_ARGUMENTS])
{
    struct program program;
    int input[2];

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    program = start_with(input[0], arguments);
    program.in = input[1];
    return program;
}

/* --- end --- */

static char *take_file(int fd, size_t *length)
{
    struct stat status;
    char *text;

    assert_int_equal(fstat(fd, &status), 0);
    *length = (size_t)status.st_size;
    text = calloc(1, *length + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, *length, 0), *length);
    close(fd);
    return text;
}

void close_input(struct program *program)
{
    close(program->in);
    program->in = -1;
}

int await_status(const struct program *program)
{
    int status;

    assert_int_equal(waitpid(program->pid, &status, 0), program->pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int reap(struct program *program)
{
    close(program->err_fd);
    return await_status(program);
}

void finish(struct program *program)
{
    size_t length;

    if (program->in >= 0)
        close_input(program);
    program->status = await_status(program);
    program->output = take_file(program->out_fd, &program->length);
    program->errors = take_file(program->err_fd, &length);
}

void forget(struct program *program)
{
    free(program->output);
    free(program->errors);
}

void expect(struct program *program, int status, const char *output, const char *errors)
{
    finish(program);
    if (program->status != status || strcmp(program->output, output) != 0)
        fail_msg("status %d, output \"%s\", errors \"%s\"", program->status, program->output, program->errors);
    if (errors[0] ? !strstr(program->errors, errors) : program->errors[0])
        fail_msg("errors \"%s\", not \"%s\"", program->errors, errors);
    forget(program);
}

void end_by_signal(struct program *program, int signal)
{
    assert_int_equal(kill(program->pid, signal), 0);
    finish(program);
}

void dismiss(struct program *program)
{
    end_by_signal(program, SIGKILL);
    forget(program);
}

/* --- waiting for an event --- */

/* Sleeps until the next look, and fails when it has looked for too long. */
static void look_again(double start, const char *what)
{
    if (pair_ms() - start > HANG_MS)
        fail_msg("still waiting for %s", what);
    usleep(2000);
}

static bool is_owned(const char *name)
{
    crossvm_end_info_t *ends;
    size_t count;
    bool owned = false;

    assert_int_equal(crossvm_list(&ends, &count, sizeof(*ends)), 0);
    for (size_t i = 0; i < count; i++)
        owned = owned || (strcmp(ends[i].name, name) == 0 && ends[i].owner == 1);
    crossvm_list_free(ends);
    return owned;
}

void await_owner(const char *name)
{
    for (double start = pair_ms(); !is_owned(name);)
        look_again(start, name);
}

static bool has_text(int fd, const char *text, const char *then)
{
    char buffer[0x4000] = "";
    const char *found;

    assert_true(pread(fd, buffer, sizeof(buffer) - 1, 0) >= 0);
    found = strstr(buffer, text);
    return found && (!then || strstr(found + strlen(text), then));
}

void await_text(const struct program *program, const char *text, const char *then)
{
    for (double start = pair_ms(); !has_text(program->out_fd, text, then);)
        look_again(start, then ? then : text);
}

void await_error(const struct program *program, const char *text)
{
    for (double start = pair_ms(); !has_text(program->err_fd, text, NULL);)
        look_again(start, text);
}

void await_length(const struct program *program, size_t length)
{
    struct stat status;

    for (double start = pair_ms(); fstat(program->out_fd, &status) == 0 && (size_t)status.st_size < length;)
        look_again(start, "more output");
}

void await_closed_output(const struct program *program)
{
    struct stat status;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)program->pid);
    for (double start = pair_ms(); lstat(path, &status) == 0;)
        look_again(start, "the end of the output");
}

uint8_t *make_bytes(size_t length, uint32_t seed)
{
    uint8_t *bytes = malloc(length);

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}
