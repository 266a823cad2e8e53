/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub_bench: what an event, a connection and its start cost in a hub with few and with many connections. The hub is a
 * process of its own; this one is all VMMs and programs.
 *
 * hub_bench count HOW CONNECTIONS EVENTS does little else than that many events, for counts.py.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/common/clock.h"
#include "../../src/common/descriptor_limit.h"
#include "../../src/hub/hub.h"
#include "../../src/wire/door.h"
#include "../figure.h"
#include "clients.h"

#define REPETITIONS 15
#define EVENTS 4000
#define DATAPORT_BYTES 4096

static const unsigned int numbers[] = {1, 32, 240, 1000};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

enum how { TO_GUEST, FROM_GUEST, TO_GUESTS, FROM_GUESTS, HOWS };

static const struct {
    const char *word, *title;
    void (*event)(struct client *client);
    bool all; /* the connections take turns; else one has all events, and the others none */
} hows[HOWS] = {
    {"to-guest", "event to the guest", client_event_to_guest, false},
    {"from-guest", "event from the guest", client_event_from_guest, false},
    {"to-guests", "event to each guest in turn", client_event_to_guest, true},
    {"from-guests", "event from each guest in turn", client_event_from_guest, true},
};

/* --- the hub --- */

struct hub_process {
    char dir[64];
    pid_t pid;
    int ready; /* eventfd: all clients are there */
    unsigned int connections;
    int64_t start_ns; /* of a connection */
    struct client *clients;
};

static void name_connection(char name[16], unsigned int i)
{
    (void)snprintf(name, 16, "c%04u", i % 10000);
}

/* A function of its own, which counts.py names: what is before it does not count. */
__attribute__((noinline)) void serve_events(struct hub *hub);

void serve_events(struct hub *hub)
{
    (void)hub_serve(hub, eventfd(0, EFD_CLOEXEC)); /* until SIGTERM */
}

/* Closes what a hub would inherit of this process: its ends of other hubs' connections. */
static void keep(int one, int other)
{
    unsigned int low = (unsigned int)(one < other ? one : other), high = (unsigned int)(one < other ? other : one);

    if (low > STDERR_FILENO + 1)
        (void)close_range(STDERR_FILENO + 1, low - 1, 0);
    if (high > low + 1)
        (void)close_range(low + 1, high - 1, 0);
    (void)close_range(high + 1, ~0u, 0);
}

/* Makes the connections, tells how long one took, and serves them. */
static _Noreturn void be_hub(const char *dir, unsigned int connections, int result, int ready)
{
    struct hub *hub = hub_create(dir, false);
    int64_t start = now_ns();
    char name[16], path[128];

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (unsigned int i = 0; i < connections && hub; i++) {
        struct hub_connection_config config = {
            .name = name,
            .ends = {{.door = CROSSVM_DOOR_VFIO_USER, .path = path}, {.door = CROSSVM_DOOR_HOST}},
            .dataports = {{.size = DATAPORT_BYTES, .writer = WRITER_BOTH}},
            .num_dataports = 1,
        };

        name_connection(name, i);
        (void)snprintf(path, sizeof(path), "%s/%s.vmm", dir, name);
        if (hub_add(hub, &config))
            _exit(1);
    }
    start = (now_ns() - start) / connections;
    if (write(result, &start, sizeof(start)) == sizeof(start) && hub && hub_serve(hub, ready) == 0)
        serve_events(hub);
    _exit(1);
}

/* Waits, if asked to, until the hub has looked whether clients are silent: until then it reads the clock at each event.
 */
static void start_hub(struct hub_process *process, unsigned int connections, bool wait)
{
    char name[16];
    int result[2];

    /* In memory, as /run is. */
    strcpy(process->dir, "/dev/shm/crossvm-bench-XXXXXX");
    process->connections = connections;
    process->clients = calloc(connections, sizeof(*process->clients));
    process->ready = eventfd(0, EFD_CLOEXEC);
    if (!process->clients || !mkdtemp(process->dir) || pipe(result) || (process->pid = fork()) < 0) {
        perror("hub_bench: cannot start a hub");
        exit(1);
    }
    if (process->pid == 0) {
        keep(result[1], process->ready);
        be_hub(process->dir, connections, result[1], process->ready);
    }
    close(result[1]);
    if (read(result[0], &process->start_ns, sizeof(process->start_ns)) != sizeof(process->start_ns))
        exit(1); /* the hub has said why */
    close(result[0]);
    for (unsigned int i = 0; i < connections; i++) {
        name_connection(name, i);
        client_open(&process->clients[i], process->dir, name);
    }
    if (wait)
        (void)usleep(1000 * (DOOR_SILENCE_MS + 1000));
    (void)eventfd_write(process->ready, 1);
}

static void remove_files(const struct hub_process *process)
{
    static const char *const kinds[] = {"sock", "lock", "vmm", "vmm.lock", "view", "view.lock"};
    char name[16], path[128];

    for (unsigned int i = 0; i < process->connections; i++) {
        name_connection(name, i);
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
            (void)snprintf(path, sizeof(path), "%s/%s.%s", process->dir, name, kinds[k]);
            (void)unlink(path);
        }
    }
    (void)rmdir(process->dir);
}

static void end_hub(struct hub_process *process)
{
    kill(process->pid, SIGTERM);
    (void)waitpid(process->pid, NULL, 0);
    for (unsigned int i = 0; i < process->connections; i++)
        client_close(&process->clients[i]);
    close(process->ready);
    free(process->clients);
    remove_files(process);
}

/* Memory of the hub that is its own or shared with its clients, in bytes. */
static uint64_t memory_of(const struct hub_process *process)
{
    uint64_t total = 0, part;
    char path[64], line[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)process->pid);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %" SCNu64, &part) == 1 || sscanf(line, "RssShmem: %" SCNu64, &part) == 1)
            total += part * 1024;
    }
    if (file)
        fclose(file);
    return total;
}

/* --- measuring --- */

static void run(const struct hub_process *process, enum how how, unsigned int events)
{
    for (unsigned int i = 0; i < events; i++)
        hows[how].event(&process->clients[hows[how].all ? i % process->connections : 0]);
}

static void print(const char *name, unsigned int connections, const char *unit, const char *by, double value)
{
    figure_print(&(struct figure){.group = "hub",
                                  .name = name,
                                  .of = "hub",
                                  .axis = "connections",
                                  .at = connections,
                                  .unit = unit,
                                  .by = by},
                 value);
}

/* The hubs take turns, so that a machine that becomes slower does so for all. */
static void measure_events(const struct hub_process *hubs)
{
    for (int repetition = 0; repetition < REPETITIONS; repetition++) {
        for (size_t i = 0; i < NUMBERS; i++) {
            for (enum how how = 0; how < HOWS; how++) {
                int64_t start = now_ns();

                run(&hubs[i], how, EVENTS);
                print(hows[how].title, numbers[i], "us", "clock", (double)(now_ns() - start) / EVENTS / 1000);
            }
        }
    }
}

static int measure(void)
{
    struct hub_process hubs[NUMBERS];
    double first = 0;

    for (size_t i = 0; i < NUMBERS; i++) {
        double memory;

        start_hub(&hubs[i], numbers[i], false);
        print("start of a connection", numbers[i], "us", "clock", (double)hubs[i].start_ns / 1000);
        run(&hubs[i], TO_GUESTS, numbers[i]);
        run(&hubs[i], FROM_GUESTS, numbers[i]);
        memory = (double)memory_of(&hubs[i]);
        if (i == 0)
            first = memory;
        else
            print("memory of one more connection", numbers[i], "KiB", "counter",
                  (memory - first) / (numbers[i] - numbers[0]) / 1024);
    }
    measure_events(hubs);
    for (size_t i = 0; i < NUMBERS; i++)
        end_hub(&hubs[i]);
    return 0;
}

static int count(const char *word, unsigned int connections, unsigned int events)
{
    struct hub_process process;

    for (enum how how = 0; how < HOWS; how++) {
        if (strcmp(hows[how].word, word) != 0)
            continue;
        start_hub(&process, connections, true);
        fprintf(stderr, "hub: %d\n", (int)process.pid);
        run(&process, how, events);
        end_hub(&process);
        return 0;
    }
    fprintf(stderr, "hub_bench: there is no %s\n", word);
    return 1;
}

/* A hub has at most this many for a connection of which both ends are taken, and some more. */
#define DESCRIPTORS_A_CONNECTION 19
#define MORE_DESCRIPTORS 50

/* Root may raise the hard limit, too. */
static int raise_limit(unsigned int connections)
{
    const rlim_t needed = (rlim_t)connections * DESCRIPTORS_A_CONNECTION + MORE_DESCRIPTORS;
    const struct rlimit limit = {needed, needed};

    descriptor_limit_raise();
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    return descriptor_limit_check("a hub of the benchmark", needed);
}

int main(int argc, char **argv)
{
    bool counts = argc == 5 && strcmp(argv[1], "count") == 0;

    if (raise_limit(counts ? (unsigned int)atoi(argv[3]) : numbers[NUMBERS - 1]))
        return 1;
    return counts ? count(argv[2], (unsigned int)atoi(argv[3]), (unsigned int)atoi(argv[4])) : measure();
}
