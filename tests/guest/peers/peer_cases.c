/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of topologies and of connections between guests: `crossvm run` with the guests of topology.yaml, which take
 * orders from here. Everything is in the working directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "shared.h"
#include "stream.h"

#define SOCKETS "/tmp/crossvm-peers"
#define OUTPUT "/tmp/peers.output"
#define EVENTS 10000
#define ROUNDS 2000
#define STREAM_BLOCKS 15300
#define NOTICE_MS 100 /* within which a death must be noticed */
#define KILLS 10

static jmp_buf end_of_case;
static char reason[512];
static int failed;
static pid_t runner;

/* The guests */
enum { LEFT, RIGHT, INTX, NUM_GUESTS };
static const char *const names[NUM_GUESTS] = {"left", "right", "intx"};
static crossvm_end_t *control[NUM_GUESTS];

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    longjmp(end_of_case, 1);
}

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail(__VA_ARGS__);                                                                                         \
    } while (0)

static void run_case(const char *name, void (*function)(void))
{
    if (setjmp(end_of_case) == 0) {
        function();
        (void)printf("case peers/%s: ok\n", name);
    } else {
        (void)printf("case peers/%s: FAILED: %s\n", name, reason);
        failed++;
    }
    (void)fflush(stdout);
}
#define RUN(function) run_case(#function, function)

/* --- helpers --- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct board *board(int guest)
{
    return crossvm_dataport(control[guest], 0).address;
}

static void order(int guest, uint32_t kind, uint32_t number)
{
    board(guest)->order.kind = kind;
    board(guest)->order.number = number;
    CHECK(crossvm_emit(control[guest]) == 0, "%s", crossvm_strerror());
}

/* That is none of the cases' failures, and none after it can pass: who started this decides what to make of it. */
__attribute__((noreturn)) static void stood_still(int guest)
{
    (void)printf("%s: the guest stood still; the last that all said:\n", names[guest]);
    (void)fflush(stdout);
    (void)kill(runner, SIGTERM);
    (void)waitpid(runner, NULL, 0);
    (void)system("tail -n 40 " OUTPUT "; tail -n 20 /tmp/intx.console");
    _exit(EXIT_FAILURE);
}

static struct answer answer(int guest)
{
    int64_t deadline = now_ms() + 2 * PATIENCE_MS;
    struct answer given;
    int events = 0;

    while (events <= 0 && now_ms() < deadline) {
        events = crossvm_wait(control[guest], crossvm_deadline_after_ms(1000));
        CHECK(events >= 0 || events == -EINTR, "%s: %s", names[guest], crossvm_strerror());
    }
    if (events <= 0)
        stood_still(guest);
    memcpy(&given, &board(guest)->answer, sizeof(given));
    given.text[sizeof(given.text) - 1] = '\0';
    CHECK(given.done, "%s: %s", names[guest], given.text);
    return given;
}

static struct answer tell(int guest, uint32_t kind, uint32_t number)
{
    order(guest, kind, number);
    return answer(guest);
}

static struct answer start(int guest, const char *connection)
{
    (void)snprintf(board(guest)->order.connection, sizeof(board(guest)->order.connection), "%s", connection);
    return tell(guest, ORDER_START, 0);
}

static void start_both(const char *connection, int other)
{
    (void)start(LEFT, connection);
    (void)start(other, connection);
}

/* Waits for a program in a guest to be there to take orders. */
static void connect_to(int guest)
{
    char name[64];
    int64_t deadline = now_ms() + 60000;

    (void)snprintf(name, sizeof(name), "control-%s", names[guest]);
    crossvm_close(control[guest]);
    control[guest] = NULL;
    while (crossvm_open(&control[guest], name)) {
        CHECK(now_ms() < deadline, "%s does not start: %s", names[guest], crossvm_strerror());
        usleep(10000);
    }
    while (crossvm_peer_state(control[guest], NULL) != CROSSVM_PEER_READY) {
        CHECK(now_ms() < deadline, "there is no program in %s", names[guest]);
        (void)crossvm_wait(control[guest], crossvm_deadline_after_ms(1000));
    }
}

static uint64_t user_exits(int guest)
{
    crossvm_end_info_t info;

    CHECK(crossvm_info(control[guest], &info, sizeof(info)) == 0, "%s", crossvm_strerror());
    return info.vm_user_exits;
}

/* The process of a VM, by its command line. */
static pid_t find_vm(const char *name)
{
    char path[300];
    char wanted[64];
    char line[4096];
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    (void)snprintf(wanted, sizeof(wanted), "--name=%s", name);
    while (processes && !found && (entry = readdir(processes)) != NULL) {
        ssize_t length = 0;
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY);
        if (fd >= 0) {
            length = read(fd, line, sizeof(line) - 1);
            close(fd);
        }
        for (ssize_t i = 0; i + 1 < length; i += (ssize_t)strlen(line + i) + 1) {
            line[length] = '\0';
            if (strcmp(line + i, wanted) == 0)
                found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    if (processes)
        (void)closedir(processes);
    return found;
}

static bool output_has(const char *text)
{
    static char output[1 << 20];
    FILE *file = fopen(OUTPUT, "r");
    size_t n = file ? fread(output, 1, sizeof(output) - 1, file) : 0;

    if (file)
        (void)fclose(file);
    output[n] = '\0';
    return strstr(output, text) != NULL;
}

/* --- cases --- */

static void guests_come_up(void)
{
    for (int guest = 0; guest < NUM_GUESTS; guest++)
        connect_to(guest);
}

static void ends_are_numbered(void)
{
    struct answer left = start(LEFT, "link");
    struct answer right = start(RIGHT, "link");

    CHECK(left.end == 0 && right.end == 1, "left has end %u and right %u", left.end, right.end);
    CHECK(crossvm_end_number(control[LEFT]) == 1, "the host's end is not 1");
    CHECK(start(LEFT, "plain").end == 1, "left comes second in plain");
    CHECK(start(LEFT, "control-left").end == 0, "a guest is not end 0 towards the host");
    (void)tell(LEFT, ORDER_END, 0);
    (void)tell(RIGHT, ORDER_END, 0);
}

static void memory_is_shared_and_rights_hold(void)
{
    struct answer words;

    start_both("link", RIGHT);
    (void)tell(RIGHT, ORDER_WRITE, 17);
    words = tell(LEFT, ORDER_READ, 0);
    CHECK(words.number == 17 && words.generation == 17, "left reads %u and %u", words.number, words.generation);
    (void)tell(LEFT, ORDER_WRITE, 18);
    words = tell(RIGHT, ORDER_READ, 0);
    CHECK(words.number == 18 && words.generation == 17, "right reads %u and %u", words.number, words.generation);
}

static void no_event_is_lost(void)
{
    start_both("link", RIGHT);
    order(RIGHT, ORDER_RECEIVE, EVENTS);
    (void)tell(LEFT, ORDER_SEND, EVENTS);
    (void)answer(RIGHT);
    order(LEFT, ORDER_RECEIVE, EVENTS);
    (void)tell(RIGHT, ORDER_SEND, EVENTS);
    (void)answer(LEFT);
}

static void no_process_in_the_path(void)
{
    crossvm_end_info_t info;
    uint64_t left, right;

    start_both("link", RIGHT);
    CHECK(crossvm_info(control[LEFT], &info, sizeof(info)) == 0, "%s", crossvm_strerror());
    left = user_exits(LEFT);
    right = user_exits(RIGHT);
    order(RIGHT, ORDER_ECHO, ROUNDS);
    (void)tell(LEFT, ORDER_PING, ROUNDS);
    (void)answer(RIGHT);
    left = user_exits(LEFT) - left;
    right = user_exits(RIGHT) - right;
    (void)printf("  %d round trips between guests: %llu and %llu exits to the VMs' processes\n", ROUNDS,
                 (unsigned long long)left, (unsigned long long)right);
    if (!info.msi) { /* of an arm64 guest with a GICv2 */
        (void)printf("  guests have no MSI here, so their VMs' processes interrupt them\n");
        return;
    }
    CHECK(left < ROUNDS / 100 && right < ROUNDS / 100, "%llu and %llu exits to the VMs' processes",
          (unsigned long long)left, (unsigned long long)right);
}

/* 1 GB, between programs that cut it in ways of their own. */
static void a_long_stream_arrives(void)
{
    int64_t took = now_ms();
    uint64_t left, right;
    crossvm_end_info_t info;

    start_both("wide", RIGHT);
    CHECK(crossvm_info(control[LEFT], &info, sizeof(info)) == 0, "%s", crossvm_strerror());
    left = user_exits(LEFT);
    right = user_exits(RIGHT);
    order(RIGHT, ORDER_TAKE, STREAM_BLOCKS);
    (void)tell(LEFT, ORDER_GIVE, STREAM_BLOCKS);
    (void)answer(RIGHT);
    took = now_ms() - took;
    left = user_exits(LEFT) - left;
    right = user_exits(RIGHT) - right;
    (void)printf("  %lld MB in %.1f s; %llu and %llu exits to the VMs' processes\n",
                 (long long)STREAM_BLOCKS * STREAM_BLOCK / 1000000, (double)took / 1e3, (unsigned long long)left,
                 (unsigned long long)right);
    /* Opening and closing costs some. */
    CHECK(!info.msi || (left < 100 && right < 100), "%llu and %llu exits to the VMs' processes",
          (unsigned long long)left, (unsigned long long)right);
}

/* A program that does not count its events: the VM's process does. */
static void plain_stores_are_counted(void)
{
    start_both("link", RIGHT);
    order(RIGHT, ORDER_RECEIVE, 1000);
    (void)tell(LEFT, ORDER_SEND_OLD, 1000);
    (void)answer(RIGHT);
}

/* A guest without MSI is told by its VM's process. */
static void guest_without_msi(void)
{
    start_both("plain", INTX);
    order(INTX, ORDER_RECEIVE, EVENTS);
    (void)tell(LEFT, ORDER_SEND, EVENTS);
    (void)answer(INTX);
    order(LEFT, ORDER_RECEIVE, EVENTS);
    (void)tell(INTX, ORDER_SEND, EVENTS);
    (void)answer(LEFT);
    order(INTX, ORDER_ECHO, 200);
    (void)tell(LEFT, ORDER_PING, 200);
    (void)answer(INTX);
}

static void devices_of_the_base_block(void)
{
    start_both("old", RIGHT);
    order(RIGHT, ORDER_ECHO, 200);
    (void)tell(LEFT, ORDER_PING, 200);
    (void)answer(RIGHT);
    (void)tell(RIGHT, ORDER_WRITE, 5);
    CHECK(tell(LEFT, ORDER_READ, 0).number == 5, "memory is not shared");
}

static int compare_ms(const void *a, const void *b)
{
    return (int)(*(const int64_t *)a - *(const int64_t *)b);
}

/*
 * A program that is killed without a word is missed at once, and the next one is seen as another. The time is real
 * time, and machines hiccup: most of the kills must be noticed in time, and each soon.
 */
static void killed_programs_are_noticed(void)
{
    int64_t took[KILLS];
    uint32_t generation;

    start_both("link", RIGHT);
    generation = tell(LEFT, ORDER_AWAIT, CROSSVM_PEER_READY).generation;
    for (int i = 0; i < KILLS; i++) {
        struct answer seen;
        int64_t begin;

        order(LEFT, ORDER_AWAIT, CROSSVM_PEER_PRESENT);
        usleep(20000); /* until it waits */
        begin = now_ms();
        order(RIGHT, ORDER_KILL, 0);
        (void)answer(LEFT);
        took[i] = now_ms() - begin;
        (void)answer(RIGHT);
        CHECK(took[i] < 20 * NOTICE_MS, "noticed after %lld ms", (long long)took[i]);

        (void)start(RIGHT, "link");
        seen = tell(LEFT, ORDER_AWAIT, CROSSVM_PEER_READY);
        CHECK(seen.generation > generation, "generation %u after %u", seen.generation, generation);
        generation = seen.generation;
        order(RIGHT, ORDER_ECHO, 10);
        (void)tell(LEFT, ORDER_PING, 10);
        (void)answer(RIGHT);
    }
    qsort(took, KILLS, sizeof(took[0]), compare_ms);
    (void)printf("  a killed program is noticed after %lld ms (median), %lld ms (most)\n", (long long)took[KILLS / 2],
                 (long long)took[KILLS - 1]);
    CHECK(took[KILLS / 2] < NOTICE_MS, "noticed after %lld ms", (long long)took[KILLS / 2]);
}

/* The host is told of programs in the guest, too. */
static void killed_programs_are_noticed_by_the_host(void)
{
    crossvm_end_t *end = NULL;
    uint32_t before, after;
    int64_t took;

    CHECK(crossvm_open(&end, "spare") == 0, "%s", crossvm_strerror());
    CHECK(crossvm_peer_state(end, &before) == CROSSVM_PEER_PRESENT, "a program is there");
    for (int i = 0; i < KILLS; i++) {
        (void)start(RIGHT, "spare");
        (void)crossvm_wait(end, crossvm_deadline_after_ms(PATIENCE_MS));
        CHECK(crossvm_peer_state(end, &after) == CROSSVM_PEER_READY && after > before, "nobody is seen to come");
        before = after;
        took = now_ms();
        order(RIGHT, ORDER_KILL, 0);
        (void)crossvm_wait(end, crossvm_deadline_after_ms(PATIENCE_MS));
        took = now_ms() - took;
        CHECK(crossvm_peer_state(end, &after) == CROSSVM_PEER_PRESENT && after == before, "nobody is seen to go");
        CHECK(took < 20 * NOTICE_MS, "noticed after %lld ms", (long long)took);
        (void)answer(RIGHT);
    }
    crossvm_close(end);
}

/* A VM whose process dies: the other guest misses it at once, and finds its successor. */
static void killed_vm_is_noticed_and_replaced(void)
{
    struct answer seen;
    uint32_t generation;
    int64_t took;
    pid_t vm = find_vm("right");

    CHECK(vm > 0, "there is no process of right");
    start_both("link", RIGHT);
    generation = tell(LEFT, ORDER_AWAIT, CROSSVM_PEER_READY).generation;
    order(LEFT, ORDER_AWAIT, CROSSVM_PEER_ABSENT);
    usleep(50000);
    took = now_ms();
    CHECK(kill(vm, SIGKILL) == 0, "it cannot be killed");
    (void)answer(LEFT);
    took = now_ms() - took;
    (void)printf("  a killed VM is noticed after %lld ms\n", (long long)took);
    CHECK(took < 5 * NOTICE_MS, "noticed after %lld ms", (long long)took);

    connect_to(RIGHT);
    CHECK(find_vm("right") != vm, "the process is the same");
    (void)start(RIGHT, "link");
    seen = tell(LEFT, ORDER_AWAIT, CROSSVM_PEER_READY);
    CHECK(seen.generation > generation, "generation %u after %u", seen.generation, generation);
    order(RIGHT, ORDER_RECEIVE, EVENTS);
    (void)tell(LEFT, ORDER_SEND, EVENTS);
    (void)answer(RIGHT);
    CHECK(output_has("crossvm: VM right was killed by signal 9"), "the runner does not tell");
}

/* Its topology says so: a reboot ends a VM as failed. */
static void a_guest_that_reboots_is_started_again(void)
{
    int64_t deadline = now_ms() + 60000;
    pid_t vm = find_vm("right");
    int result;

    order(RIGHT, ORDER_REBOOT, 0);
    do
        result = crossvm_wait(control[RIGHT], crossvm_deadline_after_ms(1000));
    while (result >= 0 && now_ms() < deadline);
    CHECK(result == -EPIPE, "the VM's process goes on: %d", result);
    connect_to(RIGHT);
    CHECK(find_vm("right") != vm, "the process is the same");
    CHECK(output_has("crossvm: VM right asked for a reset (a reboot, or a panic)"), "the runner does not tell");
}

static void consoles_have_their_place(void)
{
    struct stat status;

    CHECK(output_has("left  | guest-peer: ready") && output_has("right | guest-peer: ready"), "lines without names");
    CHECK(!output_has("\r"), "carriage returns");
    CHECK(stat("/tmp/intx.console", &status) == 0 && status.st_size > 0, "nothing in the console's file");
}

static void all_end_in_good_order(void)
{
    int status = 0;

    CHECK(kill(runner, SIGINT) == 0 && waitpid(runner, &status, 0) == runner, "the runner is gone already");
    runner = 0;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT, "it ends with status %#x", (unsigned int)status);
    for (int guest = 0; guest < NUM_GUESTS; guest++) {
        CHECK(!find_vm(names[guest]), "%s runs on", names[guest]);
        crossvm_close(control[guest]);
        control[guest] = NULL;
    }
    CHECK(access(SOCKETS "/control-left.sock", F_OK) != 0, "a socket is left behind");
    CHECK(output_has("left: ") && output_has(" exits, of these "), "no counters");
}

/* Whether a shell command ends with that status, and says that. */
static void check_command(const char *command, int expected, const char *text)
{
    char said[4096];
    FILE *pipe = popen(command, "r");
    size_t n = pipe ? fread(said, 1, sizeof(said) - 1, pipe) : 0;
    int status = pipe ? pclose(pipe) : -1;

    said[n] = '\0';
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected, "\"%s\" ends with %#x: %s", command,
          (unsigned int)status, said);
    CHECK(strstr(said, text), "\"%s\" says: %s", command, said);
}

static void a_vm_that_fails_is_named(void)
{
    check_command("printf 'vms: [{name: broken, kernel: topology.yaml}]' >/tmp/broken.yaml && "
                  "sed -i s:topology.yaml:$PWD/topology.yaml: /tmp/broken.yaml && ./crossvm run /tmp/broken.yaml 2>&1",
                  1, "VM broken could not start");
}

int main(void)
{
    (void)setenv("CROSSVM_DIR", SOCKETS, 1);
    runner = fork();
    if (runner == 0) {
        int fd = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execl("./crossvm", "crossvm", "run", "--stats", "topology.yaml", NULL);
        _exit(127);
    }
    RUN(guests_come_up);
    if (!failed) {
        RUN(ends_are_numbered);
        RUN(memory_is_shared_and_rights_hold);
        RUN(no_event_is_lost);
        RUN(no_process_in_the_path);
        RUN(a_long_stream_arrives);
        RUN(plain_stores_are_counted);
        RUN(guest_without_msi);
        RUN(devices_of_the_base_block);
        RUN(killed_programs_are_noticed);
        RUN(killed_programs_are_noticed_by_the_host);
        RUN(killed_vm_is_noticed_and_replaced);
        RUN(a_guest_that_reboots_is_started_again);
        RUN(consoles_have_their_place);
        RUN(all_end_in_good_order);
        RUN(a_vm_that_fails_is_named);
    }
    if (runner > 0) {
        (void)kill(runner, SIGTERM);
        (void)waitpid(runner, NULL, 0);
    }
    if (failed)
        (void)system("tail -n 40 " OUTPUT); /* what the runner and the guests said */
    (void)printf("scenario peers: %d failed\n", failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
