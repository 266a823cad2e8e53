/* SPDX-License-Identifier: BSD-2-Clause */
#include "folder.h"

#include <dirent.h>
#include <fcntl.h>

#include "fuzz.h"

static char memory[] = "/dev/shm/crossvm-fuzz-XXXXXX"; /* faster than a disk */
static char disk[] = "/tmp/crossvm-fuzz-XXXXXX";
static const char *folder;

static void remove_folder(void)
{
    DIR *directory = opendir(folder);
    const struct dirent *file;

    while (directory && (file = readdir(directory)))
        (void)unlinkat(dirfd(directory), file->d_name, 0);
    if (directory)
        closedir(directory);
    (void)rmdir(folder);
}

const char *folder_path(const char *file)
{
    static char path[64];

    if (!folder) {
        folder = mkdtemp(memory);
        if (!folder)
            folder = mkdtemp(disk);
        REQUIRE(folder);
        atexit(remove_folder);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    return path;
}
