/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scenario peers: topologies, and connections between guests. `crossvm run` with the guests of topology.yaml, whose
 * agents take orders from here. Everything is in the working directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../agent/stream.h"
#include "../harness/case.h"
#include "../harness/end.h"
#include "../harness/guest.h"

#define SOCKETS "/tmp/crossvm-peers"
#define OUTPUT "/tmp/peers.output"
#define CONSOLE "/tmp/intx.console"
#define EVENTS 10000
#define ROUNDS 2000
#define STREAM_BLOCKS 15300
#define KILLS 10

static pid_t runner;
static struct guest left = {.name = "left"};
static struct guest right = {.name = "right"};
static struct guest intx = {.name = "intx"}; /* without MSI */

/* --- helpers --- */

static void start_both(struct guest *one, struct guest *other, const char *connection)
{
    (void)guest_tell_of(one, ORDER_START, connection);
    (void)guest_tell_of(other, ORDER_START, connection);
}

static uint64_t user_exits(const struct guest *guest)
{
    return end_info(guest->control).vm_user_exits;
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

static int compare_ms(const void *a, const void *b)
{
    return (int)(*(const int64_t *)a - *(const int64_t *)b);
}

/* Figures for readers of the log; on a busy machine they say little. */
static void show_times(const char *what, int64_t *ms, size_t n)
{
    qsort(ms, n, sizeof(*ms), compare_ms);
    (void)printf("  %s %lld ms (median), %lld ms (most)\n", what, (long long)ms[n / 2], (long long)ms[n - 1]);
}

/* --- cases --- */

static void guests_come_up(void)
{
    guest_connect(&left);
    guest_connect(&right);
    guest_connect(&intx);
}

static void ends_are_numbered(void)
{
    CHECK(guest_tell_of(&left, ORDER_START, "link").end == 0, "left does not come first in link");
    CHECK(guest_tell_of(&right, ORDER_START, "link").end == 1, "right does not come second in link");
    CHECK(guest_tell_of(&left, ORDER_START, "plain").end == 1, "left does not come second in plain");
    CHECK(guest_tell_of(&left, ORDER_START, "control-left").end == 0, "a guest is not end 0 towards the host");
    CHECK(crossvm_end_number(left.control) == 1, "the host's end is not 1");
    (void)guest_tell(&left, ORDER_END, 0);
    (void)guest_tell(&right, ORDER_END, 0);
}

static void memory_is_shared_and_rights_hold(void)
{
    struct answer words;

    start_both(&left, &right, "link");
    (void)guest_tell(&right, ORDER_WRITE, 17);
    words = guest_tell(&left, ORDER_READ, 0);
    CHECK(words.number == 17 && words.generation == 17, "left reads %u and %u", words.number, words.generation);
    (void)guest_tell(&left, ORDER_WRITE, 18);
    words = guest_tell(&right, ORDER_READ, 0);
    CHECK(words.number == 18 && words.generation == 17, "right reads %u and %u", words.number, words.generation);
}

/*
 * All events arrive, and no others: after them one more is sent, which arrives alone, and the receiver's sequence has
 * grown by what was sent.
 */
static void check_events(struct guest *from, enum order_kind by, struct guest *to, uint32_t n)
{
    uint32_t before = guest_tell(to, ORDER_COUNT, 0).number;
    uint32_t counted;

    guest_order(to, ORDER_RECEIVE, n);
    (void)guest_tell(from, by, n);
    (void)guest_answer(to);
    (void)guest_tell(from, by, 1);
    (void)guest_tell(to, ORDER_RECEIVE, 1);
    counted = guest_tell(to, ORDER_COUNT, 0).number - before;
    CHECK(counted == n + 1, "%s counts %u events, not %u", to->name, counted, n + 1);
}

static void rounds(struct guest *from, struct guest *to, uint32_t n)
{
    guest_order(to, ORDER_ECHO, n);
    (void)guest_tell(from, ORDER_PING, n);
    (void)guest_answer(to);
}

static void no_event_is_lost(void)
{
    start_both(&left, &right, "link");
    check_events(&left, ORDER_SEND, &right, EVENTS);
    check_events(&right, ORDER_SEND, &left, EVENTS);
}

static void no_process_in_the_path(void)
{
    uint64_t of_left, of_right;

    start_both(&left, &right, "link");
    of_left = user_exits(&left);
    of_right = user_exits(&right);
    rounds(&left, &right, ROUNDS);
    of_left = user_exits(&left) - of_left;
    of_right = user_exits(&right) - of_right;
    (void)printf("  %d round trips between guests: %llu and %llu exits to the VMs' processes\n", ROUNDS,
                 (unsigned long long)of_left, (unsigned long long)of_right);
    if (!end_info(left.control).msi) { /* of an arm64 guest with a GICv2 */
        (void)printf("  guests have no MSI here, so their VMs' processes interrupt them\n");
        return;
    }
    CHECK(of_left < ROUNDS / 100 && of_right < ROUNDS / 100, "%llu and %llu exits to the VMs' processes",
          (unsigned long long)of_left, (unsigned long long)of_right);
}

/* 1 GB, between programs that cut it in ways of their own. */
static void a_long_stream_arrives(void)
{
    uint64_t of_left, of_right;
    int64_t took = now_ms();

    start_both(&left, &right, "wide");
    of_left = user_exits(&left);
    of_right = user_exits(&right);
    guest_order(&right, ORDER_TAKE, STREAM_BLOCKS);
    (void)guest_tell(&left, ORDER_GIVE, STREAM_BLOCKS);
    (void)guest_answer(&right);
    took = now_ms() - took;
    of_left = user_exits(&left) - of_left;
    of_right = user_exits(&right) - of_right;
    (void)printf("  %lld MB in %.1f s; %llu and %llu exits to the VMs' processes\n",
                 (long long)STREAM_BLOCKS * STREAM_BLOCK / 1000000, (double)took / 1e3, (unsigned long long)of_left,
                 (unsigned long long)of_right);
    /* Opening and closing costs some. */
    CHECK(!end_info(left.control).msi || (of_left < 100 && of_right < 100), "%llu and %llu exits to the VMs' processes",
          (unsigned long long)of_left, (unsigned long long)of_right);
}

/* A program that does not count its events: the VM's process does. */
static void plain_stores_are_counted(void)
{
    start_both(&left, &right, "link");
    check_events(&left, ORDER_SEND_PLAIN, &right, 1000);
}

/* The process of a VM interrupts a guest without MSI. */
static void guest_without_msi(void)
{
    start_both(&left, &intx, "plain");
    check_events(&left, ORDER_SEND, &intx, EVENTS);
    check_events(&intx, ORDER_SEND, &left, EVENTS);
    rounds(&left, &intx, 200);
}

static void devices_of_the_base_block(void)
{
    start_both(&left, &right, "base");
    rounds(&left, &right, 200);
    (void)guest_tell(&right, ORDER_WRITE, 5);
    CHECK(guest_tell(&left, ORDER_READ, 0).number == 5, "memory is not shared");
}

/* A program is killed: only this wakes the one that waits at the other end. It then sees the next program as another.
 */
static void killed_programs_are_noticed(void)
{
    int64_t took[KILLS];
    uint32_t generation;

    start_both(&left, &right, "link");
    generation = guest_tell(&left, ORDER_AWAIT, CROSSVM_PEER_READY).generation;
    for (int i = 0; i < KILLS; i++) {
        struct answer seen;
        int64_t begin = now_ms();

        guest_order(&left, ORDER_AWAIT, CROSSVM_PEER_PRESENT);
        guest_order(&right, ORDER_KILL, 0);
        (void)guest_answer(&left);
        took[i] = now_ms() - begin;
        (void)guest_answer(&right);

        (void)guest_tell_of(&right, ORDER_START, "link");
        seen = guest_tell(&left, ORDER_AWAIT, CROSSVM_PEER_READY);
        CHECK(seen.generation > generation, "generation %u after %u", seen.generation, generation);
        generation = seen.generation;
        rounds(&left, &right, 10);
    }
    show_times("a killed program is noticed after", took, KILLS);
}

/* A program on the host learns of programs in the guest, too. */
static void killed_programs_are_noticed_by_the_host(void)
{
    crossvm_end_t *end = end_open("spare");
    uint32_t before = end_wait_for_peer(end, CROSSVM_PEER_PRESENT);

    for (int i = 0; i < KILLS; i++) {
        uint32_t after;

        (void)guest_tell_of(&right, ORDER_START, "spare");
        after = end_wait_for_peer(end, CROSSVM_PEER_READY);
        CHECK(after > before, "generation %u after %u", after, before);
        guest_order(&right, ORDER_KILL, 0);
        CHECK(end_wait_for_peer(end, CROSSVM_PEER_PRESENT) == after, "nobody is seen to go");
        (void)guest_answer(&right);
        before = after;
    }
    crossvm_close(end);
}

/* A VM whose process dies: the other guest misses it, and finds its successor. */
static void killed_vm_is_noticed_and_replaced(void)
{
    struct answer seen;
    uint32_t generation, before = guest_mark(&right);
    int64_t took;
    pid_t vm = find_vm("right");

    CHECK(vm > 0, "there is no process of right");
    start_both(&left, &right, "link");
    generation = guest_tell(&left, ORDER_AWAIT, CROSSVM_PEER_READY).generation;
    took = now_ms();
    guest_order(&left, ORDER_AWAIT, CROSSVM_PEER_ABSENT);
    CHECK(kill(vm, SIGKILL) == 0, "it cannot be killed");
    (void)guest_answer(&left);
    took = now_ms() - took;
    show_times("a killed VM is noticed after", &took, 1);

    guest_await_successor(&right, before);
    CHECK(find_vm("right") != vm, "the process is the same");
    (void)guest_tell_of(&right, ORDER_START, "link");
    seen = guest_tell(&left, ORDER_AWAIT, CROSSVM_PEER_READY);
    CHECK(seen.generation > generation, "generation %u after %u", seen.generation, generation);
    check_events(&left, ORDER_SEND, &right, EVENTS);
    CHECK(output_has("crossvm: VM right was killed by signal 9"), "the runner does not tell");
}

/* Its topology says so: a reboot ends a VM as failed. */
static void a_guest_that_reboots_is_started_again(void)
{
    uint32_t before = guest_mark(&right);
    pid_t vm = find_vm("right");

    guest_order(&right, ORDER_REBOOT, 0);
    guest_await_successor(&right, before);
    CHECK(find_vm("right") != vm, "the process is the same");
    CHECK(output_has("crossvm: VM right asked for a reset (a reboot, or a panic)"), "the runner does not tell");
}

static void consoles_have_their_place(void)
{
    struct stat status;

    CHECK(output_has("left  | guest-agent: ready") && output_has("right | guest-agent: ready"), "lines without names");
    CHECK(!output_has("\r"), "carriage returns");
    CHECK(stat(CONSOLE, &status) == 0 && status.st_size > 0, "nothing in the console's file");
}

static void check_is_gone(struct guest *guest)
{
    CHECK(!find_vm(guest->name), "%s runs on", guest->name);
    crossvm_close(guest->control);
    guest->control = NULL;
}

static void all_end_in_good_order(void)
{
    int status = 0;

    CHECK(kill(runner, SIGINT) == 0 && waitpid(runner, &status, 0) == runner, "the runner is gone already");
    runner = 0;
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT, "it ends with status %#x", (unsigned int)status);
    check_is_gone(&left);
    check_is_gone(&right);
    check_is_gone(&intx);
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

/* --- the runner --- */

static pid_t start_runner(void)
{
    pid_t child = fork();

    if (child == 0) {
        int fd = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execl("./crossvm", "crossvm", "run", "--stats", "topology.yaml", NULL);
        _exit(127);
    }
    return child;
}

static void end_runner(void)
{
    if (runner > 0) {
        (void)kill(runner, SIGTERM);
        (void)waitpid(runner, NULL, 0);
    }
    runner = 0;
}

static void show_output(void)
{
    (void)fflush(stdout);
    (void)system("tail -n 40 " OUTPUT "; tail -n 20 " CONSOLE);
}

static void on_standstill(const struct guest *guest)
{
    (void)guest;
    end_runner();
    show_output();
}

int main(void)
{
    (void)setenv("CROSSVM_DIR", SOCKETS, 1);
    cases_start("peers");
    guest_on_standstill(on_standstill);
    runner = start_runner();
    RUN(guests_come_up);
    if (!cases_failed()) {
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
    end_runner();
    if (cases_failed())
        show_output();
    return cases_end();
}
