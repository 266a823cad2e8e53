/* SPDX-License-Identifier: BSD-2-Clause */
/* replay FOLDER...: gives a target each file of the folders, once. This stands in for libFuzzer where none is. */
#include <dirent.h>
#include <fcntl.h>

#include "fuzz.h"

#define MOST_BYTES (1 << 20)

static void replay(const char *folder, const char *file)
{
    static uint8_t bytes[MOST_BYTES];
    uint8_t *data; /* as long as the input, so that the sanitizer knows where it ends */
    char path[4096];
    ssize_t size;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    size = read(fd, bytes, MOST_BYTES);
    close(fd);
    REQUIRE(size >= 0 && size < MOST_BYTES);
    printf("%s\n", path);
    fflush(stdout); /* the last line names what an abort came from */
    data = malloc((size_t)size);
    REQUIRE(data);
    memcpy(data, bytes, (size_t)size);
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

int main(int argc, char **argv)
{
    int n = 0;

    for (int i = 1; i < argc; i++) {
        struct dirent **files;
        int found = scandir(argv[i], &files, NULL, alphasort);

        REQUIRE(found >= 0);
        for (int k = 0; k < found; k++) {
            if (files[k]->d_name[0] != '.') {
                replay(argv[i], files[k]->d_name);
                n++;
            }
            free(files[k]);
        }
        free(files);
    }
    printf("%d inputs\n", n);
    return n ? 0 : 1;
}
