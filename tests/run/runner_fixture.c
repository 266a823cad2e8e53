/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "runner_fixture.h"

static const char stand_in[] = "#!/bin/sh\n"
                               "for option in \"$@\"; do\n"
                               "    case $option in\n"
                               "    --name=*) name=${option#--name=} ;;\n"
                               "    esac\n"
                               "done\n"
                               ". ./\"$name\"\n";

int runner_set_up(void **state)
{
    if (folder_set_up(state) || setenv("PATH", ".:/usr/bin:/bin", 1))
        return -1;
    file_write("crossvm-vm", stand_in);
    return chmod("crossvm-vm", 0755);
}

pid_t start(const char *vms)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "vms:\n%s", vms);
    file_write("t.yaml", text);
    return tool_start((const char *const[]){"run", "t.yaml", NULL});
}
