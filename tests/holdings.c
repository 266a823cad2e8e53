/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "holdings.h"

#define HANG_S 600 /* only bounds a test that hangs */

static int count_descriptors(pid_t process)
{
    int count = process == getpid() ? -3 : -2; /* . and .., and the directory's own */
    char path[32];
    DIR *folder;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
    folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int count_mappings(pid_t process)
{
    char path[32], line[4200];
    int count = 0;
    FILE *maps;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)process);
    maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        count += strstr(line, "/memfd:") != NULL;
    fclose(maps);
    return count;
}

struct holdings holdings_of(pid_t process)
{
    return (struct holdings){count_descriptors(process), count_mappings(process)};
}

void holdings_await(pid_t process, const struct holdings *before)
{
    struct holdings now;

    for (time_t start = time(NULL);; usleep(2000)) {
        now = holdings_of(process);
        if (now.descriptors == before->descriptors && now.mappings == before->mappings)
            return;
        if (time(NULL) - start > HANG_S)
            fail_msg("the process holds %d descriptors and %d mappings, not %d and %d", now.descriptors, now.mappings,
                     before->descriptors, before->mappings);
    }
}

void holdings_await_state(pid_t thread, char state)
{
    char path[32], text[512] = "";
    time_t start = time(NULL);

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)thread);
    for (const char *name = NULL; !name || name[2] != state;) {
        FILE *file = fopen(path, "re");

        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        fclose(file);
        name = strrchr(text, ')');
        if (time(NULL) - start > HANG_S)
            fail_msg("it does not come to the state %c: %s", state, text);
        sched_yield();
    }
}
