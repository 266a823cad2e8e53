/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topology_file.h"

#define PATIENCE_MS 600000 /* only bounds a hang */

const char *tool;

static char folder[] = "/tmp/crossvm-run-XXXXXX";

int folder_set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/crossvm-run-XXXXXX");
    /* Connections of tests beside this one have the same names. */
    if (!mkdtemp(folder) || chdir(folder) || setenv("CROSSVM_DIR", folder, 1))
        return -1;
    file_write("kernel", "");
    file_write("initramfs", "");
    return 0;
}

int folder_tear_down(void **state)
{
    char command[64];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return chdir("/") || system(command) ? -1 : 0;
}

void file_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

const char *file_read(const char *name)
{
    static char text[1 << 16];
    FILE *file = fopen(name, "r");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        (void)fclose(file);
    text[n] = '\0';
    return text;
}

void file_await(const char *name, const char *text)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        if (strstr(file_read(name), text))
            return;
        usleep(10000);
    }
    fail_msg("%s has no \"%s\" in it: %s", name, text, file_read(name));
}

pid_t tool_start(const char *const *arguments)
{
    char *argv[16] = {(char *)tool};
    pid_t child;

    for (size_t i = 0; arguments[i]; i++)
        argv[i + 1] = (char *)arguments[i];
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int out = open("out", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
        int err = open("err", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

        if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
            _exit(126);
        (void)execv(tool, argv);
        _exit(127);
    }
    return child;
}

int tool_finish(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int tool_run(const char *const *arguments)
{
    return tool_finish(tool_start(arguments));
}

int shell_run(const char *line)
{
    const char *program = tool;
    int status;

    tool = "/bin/sh";
    status = RUN("-c", line, program);
    tool = program;
    return status;
}
