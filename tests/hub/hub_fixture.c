/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../src/common/shared_event.h"
#include "../../src/hub/hub.h"
#include "hub_fixture.h"

static char folder[] = "/tmp/crossvm-hub-XXXXXX";

static const struct hub_connection_config configs[] = {
    {.name = "x",
     .ends = {{.door = CROSSVM_DOOR_VFIO_USER}, {.door = CROSSVM_DOOR_HOST, .name = "x.1"}},
     .dataports = {{.size = 0x10000, .writer = WRITER_BOTH},
                   {.size = 0x3000, .writer = 1},
                   {.size = 0x200000, .writer = WRITER_BOTH}},
     .num_dataports = 3},
    {.name = "y",
     .ends = {{.door = CROSSVM_DOOR_VFIO_USER}, {.door = CROSSVM_DOOR_HOST, .name = "y.1"}},
     .dataports = {{.size = 0x1000, .writer = WRITER_BOTH}},
     .num_dataports = 1},
    {.name = "s",
     .ends = {{.door = CROSSVM_DOOR_IVSHMEM}, {.door = CROSSVM_DOOR_HOST, .name = "s.1"}},
     .dataports = {{.size = 0x10000, .writer = WRITER_BOTH}, {.size = 0x200000, .writer = WRITER_BOTH}},
     .num_dataports = 2},
    {.name = "t",
     .ends = {{.door = CROSSVM_DOOR_IVSHMEM}, {.door = CROSSVM_DOOR_IVSHMEM}},
     .dataports = {{.size = 0x1000, .writer = WRITER_BOTH}},
     .num_dataports = 1},
};

/* Of each: two doorbells; listeners and locks of two doors and the view; BAR0; the pages
 * and dataports twice, since observers may only read, or a region twice and a doorbell of the hub's for each VMM. */
static const int num_descriptors[] = {8 + 1 + 10, 8 + 1 + 6, 8 + 2 + 1, 8 + 2 + 2};

#define CONNECTIONS (sizeof(configs) / sizeof(configs[0]))

static struct {
    struct hub *hub;
    pthread_t thread;
    pid_t task; /* of the thread */
    bool runs;
    int stop;
    int descriptors; /* of the whole process with a hub */
    FILE *own_error; /* standard error while the hub is silenced, else NULL */
} fixture;

const char *hub_path(const char *file)
{
    static char paths[2][64];
    static int next;
    char *path = paths[next ^= 1];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, file);
    return path;
}

int hub_connect(const char *file, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", hub_path(file));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int hub_count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = -1; /* not the directory's own */

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

void hub_silence(void)
{
    fflush(stderr);
    fixture.own_error = stderr;
    stderr = fopen("/dev/null", "we"); /* the stream alone: a sanitizer writes to the descriptor */
    assert_non_null(stderr);
}

void hub_await_rest(void)
{
    char path[64], text[512], state = '?';

    while (__atomic_load_n(&fixture.task, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)fixture.task);
    while (state != 'S') {
        FILE *file = fopen(path, "re");

        assert_non_null(file);
        assert_non_null(fgets(text, sizeof(text), file));
        fclose(file);
        assert_non_null(strrchr(text, ')'));
        state = strrchr(text, ')')[2];
    }
}

static void *run(void *argument)
{
    (void)argument;
    __atomic_store_n(&fixture.task, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    return hub_serve(fixture.hub, fixture.stop) ? &fixture : NULL;
}

static void add(size_t i)
{
    struct hub_connection_config config = configs[i];
    char file[32];

    for (unsigned int end = 0; end < 2; end++) {
        if (config.ends[end].door == CROSSVM_DOOR_HOST)
            continue;
        (void)snprintf(file, sizeof(file), "%s.vfio", config.name);
        if (config.ends[end].door == CROSSVM_DOOR_IVSHMEM)
            (void)snprintf(file, sizeof(file), "%s.%u.ivshmem", config.name, end);
        config.ends[end].path = hub_path(file);
    }
    assert_int_equal(hub_add(fixture.hub, &config), 0);
}

int hub_set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/crossvm-hub-XXXXXX");
    assert_non_null(mkdtemp(folder));
    fixture.own_error = NULL;
    /* What a process makes once and keeps */
    assert_int_equal(shared_event_prepare(), 0);
    fixture.hub = hub_create(folder, false);
    assert_non_null(fixture.hub);
    for (size_t i = 0; i < CONNECTIONS; i++)
        add(i);
    fixture.stop = eventfd(0, EFD_CLOEXEC);
    fixture.task = 0;
    assert_int_equal(pthread_create(&fixture.thread, NULL, run, NULL), 0);
    fixture.runs = true;
    fixture.descriptors = hub_count_descriptors();
    return 0;
}

void hub_stop(void)
{
    void *failed;

    if (!fixture.runs)
        return;
    assert_int_equal(eventfd_write(fixture.stop, 1), 0);
    assert_int_equal(pthread_join(fixture.thread, &failed), 0);
    assert_null(failed);
    fixture.runs = false;
}

void hub_end(void)
{
    hub_stop();
    hub_destroy(fixture.hub);
    fixture.hub = NULL;
}

/* What the hub does not wait for is closed in threads. */
static void await_descriptors(int expected)
{
    time_t begin = time(NULL);

    while (hub_count_descriptors() != expected && time(NULL) - begin < 600) /* which only bounds a hang */
        sched_yield();
    assert_int_equal(hub_count_descriptors(), expected);
}

int hub_tear_down(void **state)
{
    (void)state;
    /* The test closed all of its own, and the hub serves what closed before it serves the stop. */
    hub_stop();
    if (fixture.own_error) {
        fclose(stderr);
        stderr = fixture.own_error;
    }
    hub_end();
    close(fixture.stop);
    for (size_t i = 0; i < CONNECTIONS; i++)
        fixture.descriptors -= num_descriptors[i];
    await_descriptors(fixture.descriptors - 3); /* the stop, the loop, its bell */
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

crossvm_end_t *hub_open(const char *name)
{
    crossvm_end_t *end;
    char file[16];

    (void)snprintf(file, sizeof(file), "%s.1.sock", name);
    if (crossvm_open(&end, hub_path(file)))
        fail_msg("%s", crossvm_strerror());
    return end;
}
