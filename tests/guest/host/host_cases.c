/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scenario host: programs on the host at the ends of a guest. `crossvm run` with topology.yaml starts it;
 * everything is in the working directory.
 *
 *   host-cases msi|intx   the kind of interrupt that connections must have
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "../harness/guest.h"

#define DIRECTORY "/tmp/crossvm-test"
#define CONSOLE "/tmp/crossvm-test.console"
#define ROUNDS 3000

static bool msi_expected;
static pid_t runner;
static struct guest guest = {.name = "vm"};

/* --- helpers --- */

/* Runs a command and gives what it prints; its status must be that. */
static const char *shell(const char *command, int status)
{
    static char output[8192];
    FILE *pipe = popen(command, "r");
    size_t n = pipe ? fread(output, 1, sizeof(output) - 1, pipe) : 0;
    int ended = pipe ? pclose(pipe) : -1;

    output[n] = '\0';
    CHECK(WIFEXITED(ended) && WEXITSTATUS(ended) == status, "\"%s\" ended with %d: %s", command, WEXITSTATUS(ended),
          output);
    return output;
}

/* Has the guest answer the events of a connection from now on. Returns where it keeps count. */
static volatile struct served *serve(crossvm_end_t *end)
{
    (void)guest_tell_of(&guest, ORDER_START, crossvm_name(end));
    (void)guest_tell(&guest, ORDER_SERVE, 0);
    return crossvm_dataport(end, 0).address;
}

/* Waits until the guest has answered that many events. */
static void wait_until_served(crossvm_end_t *end, const volatile struct served *served, uint32_t events)
{
    while ((int32_t)(served->events - events) < 0)
        (void)end_take(end);
    CHECK(served->events == events, "%s: the guest saw %u events, not %u", crossvm_name(end), served->events, events);
}

static void echo(const char *name, uint32_t rounds)
{
    crossvm_end_t *end = end_open_fresh(name);
    volatile struct served *served = serve(end);
    uint32_t first = served->events;

    for (uint32_t i = 1; i <= rounds; i++) {
        end_emit(end);
        (void)end_take(end);
        CHECK(served->events == first + i, "the guest counts %u after %u rounds", served->events - first, i);
    }
    crossvm_close(end);
}

/* --- cases --- */

static void the_guest_comes_up(void)
{
    guest_connect(&guest);
}

static void events_before_the_peer_are_kept(void)
{
    crossvm_end_t *end;

    (void)guest_tell_of(&guest, ORDER_START, "early");
    (void)guest_tell(&guest, ORDER_SEND, 3);
    end = end_open("early");
    end_take_exactly(end, 3);
    crossvm_close(end);
}

static void list_shows_all_ends(void)
{
    crossvm_end_info_t *list;
    size_t n;

    CHECK(crossvm_list(&list, &n, sizeof(*list)) == 0 && n == 6, "%zu ends", n);
    CHECK(strcmp(list[0].name, "base") == 0 && list[0].dataports[0].size == 8192, "base");
    CHECK(strcmp(list[1].name, "control-vm") == 0 && list[1].owner == 1, "control-vm is not owned");
    CHECK(list[1].peer_state == CROSSVM_PEER_READY, "the program in the guest is not seen");
    CHECK(strcmp(list[5].name, "rights") == 0 && list[5].num_dataports == 2 && list[5].dataports[1].size == 65536,
          "rights");
    crossvm_list_free(list);
}

static void thousands_of_rounds(void)
{
    echo("echo", ROUNDS);
}

static void rounds_without_the_vms_process(void)
{
    crossvm_end_info_t before = end_info(guest.control);
    crossvm_end_info_t after;
    double user;

    echo("echo", ROUNDS);
    after = end_info(guest.control);
    user = (double)(after.vm_user_exits - before.vm_user_exits) / ROUNDS;
    (void)printf("  exits a round trip: %.2f, to the VM's process: %.4f\n",
                 (double)(after.vm_exits - before.vm_exits) / ROUNDS, user);
    CHECK(after.vm_exits > before.vm_exits + ROUNDS, "exits are not counted");
    CHECK(user < 0.01, "%f exits to the VM's process a round trip", user);
    CHECK(after.msi == msi_expected, "control-vm %s MSI", after.msi ? "uses" : "does not use");
}

static void rounds_with_a_device_of_the_base_block(void)
{
    echo("base", 300);
}

static void an_end_has_one_owner(void)
{
    crossvm_end_t *first = end_open("echo");
    crossvm_end_t *second;

    CHECK(crossvm_open(&second, "echo") == -EBUSY, "a second owner");
    CHECK(strstr(crossvm_strerror(), "echo"), "\"%s\" does not name it", crossvm_strerror());
    crossvm_close(first);
    crossvm_close(end_open("echo"));
}

/* A program that emits once and is killed some microseconds later. */
static void die_at_an_end(const char *name, useconds_t age)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        crossvm_end_t *owned;

        if (crossvm_open(&owned, name) == 0 && crossvm_emit(owned) == 0) {
            usleep(age);
            (void)raise(SIGKILL);
        }
        _exit(1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the peer did not open");
}

/* A peer that is killed, again and again: the next one works at once, and the guest sees that it is new. */
static void killed_peers_are_replaced(void)
{
    crossvm_end_t *end = end_open_fresh("echo");
    const volatile struct served *served = serve(end);
    uint32_t events = served->events;
    uint32_t generation = 0;

    crossvm_close(end);
    for (useconds_t i = 0; i < 20; i++) {
        die_at_an_end("echo", 1000 * (i % 5));
        end = end_open("echo");
        served = crossvm_dataport(end, 0).address;
        end_emit(end);
        events += 2;
        wait_until_served(end, served, events);
        CHECK(served->peer_generation > generation, "the guest sees generation %u after %u", served->peer_generation,
              generation);
        generation = served->peer_generation;
        crossvm_close(end);
    }
}

static void rights_hold_on_both_sides(void)
{
    crossvm_end_t *end = end_open("rights");
    crossvm_dataport_t from_host = crossvm_dataport(end, 0);
    crossvm_dataport_t from_guest = crossvm_dataport(end, 1);
    volatile uint32_t *number = from_host.address;

    CHECK(from_host.rights == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE), "rights to the first");
    CHECK(from_guest.rights == CROSSVM_RIGHT_READ, "rights to the second");
    CHECK(mprotect(from_guest.address, from_guest.size, PROT_READ | PROT_WRITE) != 0, "it can be made writable");
    *number = 41;
    (void)guest_tell_of(&guest, ORDER_START, "rights");
    (void)guest_tell(&guest, ORDER_WRITE, 42);
    CHECK(*(volatile uint32_t *)from_guest.address == 42, "the guest writes %u",
          *(volatile uint32_t *)from_guest.address);
    CHECK(*number == 41, "the guest wrote where it may not");
    crossvm_close(end);
}

static void a_driver_that_leaves_is_seen(void)
{
    crossvm_end_t *idle = end_open("idle");

    CHECK(crossvm_peer_state(idle, NULL) == CROSSVM_PEER_PRESENT, "the driver is not there");
    (void)guest_tell_of(&guest, ORDER_UNBIND, "idle");
    (void)end_wait_for_peer(idle, CROSSVM_PEER_ABSENT);
    (void)guest_tell(&guest, ORDER_BIND, 0);
    (void)end_wait_for_peer(idle, CROSSVM_PEER_PRESENT);
    crossvm_close(idle);
}

/* A peer that makes the descriptors that it shares with the VM's process wait, and empties them itself. */
static void a_peer_cannot_stall_the_vm(void)
{
    crossvm_end_t *idle = end_open("idle");

    end_emit(idle);
    for (int fd = 3; fd < 64; fd++) {
        char path[32];
        char link[64] = "";
        uint64_t count;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, link, sizeof(link) - 1) <= 0 || strcmp(link, "anon_inode:[eventfd]") != 0)
            continue;
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)!read(fd, &count, sizeof(count));
        (void)fcntl(fd, F_SETFL, 0);
    }
    /* The VM's process takes the descriptors over while there is no driver, and then gives them back. */
    (void)guest_tell_of(&guest, ORDER_UNBIND, "idle");
    (void)guest_tell(&guest, ORDER_BIND, 0);
    crossvm_close(idle);
    echo("echo", 10);
}

static void a_name_is_served_once(void)
{
    const char *said = shell("./crossvm run topology.yaml 2>&1", 2);

    CHECK(strstr(said, "echo") && strstr(said, "another process"), "it says: %s", said);
    said = shell("./crossvm-vm --kernel vmlinux --join " DIRECTORY "/echo@vm.crossvm-vm 2>&1", 72);
    CHECK(strstr(said, "another VM has it"), "it says: %s", said);
    echo("echo", 10);
}

static void the_tool(void)
{
    CHECK(strstr(shell("./crossvm ls", 0), "rights"), "ls does not show rights");
    CHECK(strstr(shell("./crossvm ls --json", 0), "\"name\""), "ls --json");
    CHECK(strstr(shell("./crossvm info rights", 0), "64K"), "info does not show a size");
    (void)shell("./crossvm write idle 'written by the tool'", 0);
    CHECK(strncmp(shell("./crossvm read idle -l 19", 0), "written by the tool", 19) == 0, "read gives something else");
    (void)shell("./crossvm wait idle -t 0.1", 1);
    (void)shell("./crossvm emit idle -n 2", 0);
    CHECK(strstr(shell("./crossvm emit control-vm 2>&1", 2), "control-vm"), "the error does not name the connection");
    CHECK(strstr(shell("./crossvm info nothing 2>&1", 2), "nothing"), "the error does not name the connection");
}

static void the_end_of_the_vm_is_noticed(void)
{
    crossvm_end_t *idle = end_open("idle");
    crossvm_deadline_t deadline = crossvm_deadline_after_ms(HANG_MS);
    int status = 0;
    int result;

    guest_order(&guest, ORDER_POWEROFF, 0);
    do
        result = crossvm_wait(idle, deadline);
    while (result >= 0 && now_ms() < deadline.ns / 1000000);
    CHECK(result == -EPIPE, "the wait gives %d", result);
    CHECK(waitpid(runner, &status, 0) == runner && WIFEXITED(status) && WEXITSTATUS(status) == 0,
          "crossvm run ends with %d", status);
    CHECK(crossvm_emit(idle) == -EIO || crossvm_wait(idle, CROSSVM_NOW) == -EPIPE, "the end can still be used");
    crossvm_close(idle);
    CHECK(access(DIRECTORY "/idle.sock", F_OK) != 0, "a socket is left behind");
}

/* --- the VM --- */

/* The guest's console goes into a file, so that its lines do not mix with verdicts. */
static pid_t start_vm(void)
{
    pid_t child = fork();

    if (child == 0) {
        if (freopen(CONSOLE, "w", stdout))
            (void)execl("./crossvm", "crossvm", "run", "--stats", "topology.yaml", NULL);
        perror("crossvm");
        _exit(127);
    }
    return child;
}

static void end_vm(void)
{
    FILE *console = fopen(CONSOLE, "r");
    char line[256];

    if (runner > 0 && waitpid(runner, NULL, WNOHANG) == 0) {
        (void)kill(runner, SIGTERM);
        (void)waitpid(runner, NULL, 0);
    }
    while (console && fgets(line, sizeof(line), console))
        (void)fputs(line, stdout);
    if (console)
        (void)fclose(console);
}

static void on_standstill(const struct guest *which)
{
    (void)which;
    end_vm();
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return EXIT_FAILURE;
    msi_expected = strcmp(argv[1], "msi") == 0;
    (void)setenv("CROSSVM_DIR", DIRECTORY, 1);
    (void)mkdir(DIRECTORY, S_IRWXU);
    cases_start("host");
    guest_on_standstill(on_standstill);
    runner = start_vm();
    RUN(the_guest_comes_up);
    if (!cases_failed()) {
        RUN(events_before_the_peer_are_kept);
        RUN(list_shows_all_ends);
        RUN(thousands_of_rounds);
        RUN(rounds_without_the_vms_process);
        RUN(rounds_with_a_device_of_the_base_block);
        RUN(an_end_has_one_owner);
        RUN(killed_peers_are_replaced);
        RUN(rights_hold_on_both_sides);
        RUN(a_driver_that_leaves_is_seen);
        RUN(a_peer_cannot_stall_the_vm);
        RUN(a_name_is_served_once);
        RUN(the_tool);
        RUN(the_end_of_the_vm_is_noticed);
    }
    end_vm();
    return cases_end();
}
