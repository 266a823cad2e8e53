/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of host ends: programs on the host against a guest in crossvm-vm.
 *
 *   host-cases msi|intx COMMAND...   the kind of interrupt that connections must have; the command that starts the VM
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "shared.h"

#define DIRECTORY "/tmp/crossvm-test"
#define CONSOLE "/tmp/crossvm-test.console"
#define PATIENCE_MS 20000
#define ROUNDS 3000

static jmp_buf end_of_case;
static char reason[512];
static int failed;
static bool msi_expected;
static pid_t vm;
static crossvm_end_t *control;

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
        (void)printf("case host/%s: ok\n", name);
    } else {
        (void)printf("case host/%s: FAILED: %s\n", name, reason);
        failed++;
    }
    (void)fflush(stdout);
}
#define RUN(function) run_case(#function, function)

/* --- helpers --- */

static crossvm_end_t *open_end(const char *name)
{
    crossvm_end_t *end = NULL;

    CHECK(crossvm_open(&end, name) == 0, "%s", crossvm_strerror());
    return end;
}

static void wait_for_event(crossvm_end_t *end)
{
    time_t deadline = time(NULL) + PATIENCE_MS / 1000;
    int events;

    do /* a change of the guest's driver ends a wait with 0 */
        events = crossvm_wait(end, crossvm_deadline_after_ms(PATIENCE_MS));
    while ((events == 0 || events == -EINTR) && time(NULL) < deadline);
    CHECK(events > 0, "%s: no event: %d", crossvm_name(end), events);
}

static void tell_guest(char letter)
{
    *(volatile char *)crossvm_dataport(control, 0).address = letter;
    CHECK(crossvm_emit(control) == 0, "%s", crossvm_strerror());
}

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

/* --- cases --- */

static void the_guest_comes_up(void)
{
    for (int tries = 0; crossvm_open(&control, "control"); tries++) {
        CHECK(tries < 200 && waitpid(vm, NULL, WNOHANG) == 0, "the VM does not start: %s", crossvm_strerror());
        usleep(50000);
    }
    wait_for_event(control);
}

static void events_before_the_peer_are_kept(void)
{
    crossvm_end_t *early = open_end("early");
    int events = crossvm_wait(early, crossvm_deadline_after_ms(PATIENCE_MS));

    CHECK(events == 3, "%d events, not 3", events);
    crossvm_close(early);
}

static void list_shows_all_ends(void)
{
    crossvm_end_info_t *list;
    size_t n;

    CHECK(crossvm_list(&list, &n, sizeof(*list)) == 0 && n == 6, "%zu ends", n);
    CHECK(strcmp(list[0].name, "base") == 0 && list[0].dataports[0].size == 8192, "base");
    CHECK(strcmp(list[5].name, "rights") == 0 && list[5].num_dataports == 2 && list[5].dataports[1].size == 65536,
          "rights");
    CHECK(strcmp(list[1].name, "control") == 0 && list[1].owner == 1, "control is not owned");
    CHECK(list[1].peer_state == CROSSVM_PEER_READY, "the program in the guest is not seen");
    crossvm_list_free(list);
}

static void echo(const char *name, uint32_t rounds)
{
    crossvm_end_t *end = open_end(name);
    volatile struct shared *shared = crossvm_dataport(end, 0).address;
    uint32_t first;

    while (crossvm_wait(end, crossvm_deadline_after_ms(100)) > 0) /* answers that an earlier owner did not wait for */
        ;
    first = shared->number;
    for (uint32_t i = 1; i <= rounds; i++) {
        CHECK(crossvm_emit(end) == 0, "%s", crossvm_strerror());
        wait_for_event(end);
        CHECK(shared->number == first + i, "the guest counts %u after %u rounds", shared->number - first, i);
    }
    crossvm_close(end);
}

static void thousands_of_rounds(void)
{
    echo("echo", ROUNDS);
}

static void rounds_without_the_vms_process(void)
{
    crossvm_end_info_t before;
    crossvm_end_info_t after;
    double user;

    CHECK(crossvm_info(control, &before, sizeof(before)) == 0, "%s", crossvm_strerror());
    echo("echo", ROUNDS);
    CHECK(crossvm_info(control, &after, sizeof(after)) == 0, "%s", crossvm_strerror());
    user = (double)(after.vm_user_exits - before.vm_user_exits) / ROUNDS;
    (void)printf("  exits a round trip: %.2f, to the VM's process: %.4f\n",
                 (double)(after.vm_exits - before.vm_exits) / ROUNDS, user);
    CHECK(after.vm_exits > before.vm_exits + ROUNDS, "exits are not counted");
    CHECK(user < 0.01, "%f exits to the VM's process a round trip", user);
    CHECK(after.msi == msi_expected, "control %s MSI", after.msi ? "uses" : "does not use");
}

static void rounds_with_a_device_of_the_base_block(void)
{
    echo("base", 300);
}

static void an_end_has_one_owner(void)
{
    crossvm_end_t *first = open_end("echo");
    crossvm_end_t *second = NULL;

    CHECK(crossvm_open(&second, "echo") == -EBUSY, "a second owner");
    CHECK(strstr(crossvm_strerror(), "echo"), "\"%s\" does not name it", crossvm_strerror());
    crossvm_close(first);
    CHECK(crossvm_open(&second, "echo") == 0, "%s", crossvm_strerror());
    crossvm_close(second);
}

/* A peer that dies without a word, again and again: the next one works at once, and the guest sees that it is new. */
static void killed_peers_are_replaced(void)
{
    uint32_t generation = 0;

    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        crossvm_end_t *end;
        volatile struct shared *shared;

        if (child == 0) {
            crossvm_end_t *owned;

            if (crossvm_open(&owned, "echo") == 0) {
                (void)crossvm_emit(owned);
                usleep(1000 * (useconds_t)(i % 5));
                (void)raise(SIGKILL);
            }
            _exit(1);
        }
        {
            int status = 0;

            CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the peer did not open");
        }
        end = open_end("echo");
        shared = crossvm_dataport(end, 0).address;
        CHECK(crossvm_emit(end) == 0, "%s", crossvm_strerror());
        wait_for_event(end);
        for (int tries = 0; shared->peer_generation <= generation && tries < 200; tries++)
            usleep(10000);
        CHECK(shared->peer_generation > generation, "the guest sees generation %u after %u", shared->peer_generation,
              generation);
        generation = shared->peer_generation;
        crossvm_close(end);
    }
}

static void rights_hold_on_both_sides(void)
{
    crossvm_end_t *end = open_end("rights");
    crossvm_dataport_t from_host = crossvm_dataport(end, 0);
    crossvm_dataport_t from_guest = crossvm_dataport(end, 1);
    volatile uint32_t *number = from_host.address;

    CHECK(from_host.rights == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE), "rights to the first");
    CHECK(from_guest.rights == CROSSVM_RIGHT_READ, "rights to the second");
    {
        char path[64];
        void *again = MAP_FAILED;
        int fd;

        /* Linux lets us open the memory behind a mapping anew, for writing too. */
        (void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)from_guest.address,
                       (unsigned long)from_guest.address + from_guest.size);
        fd = open(path, O_RDWR);
        if (fd >= 0)
            again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(fd >= 0 && again == MAP_FAILED, "the memory can be mapped for writing by another way");
        CHECK(write(fd, "x", 1) < 0, "the memory can be written by another way");
        close(fd);
    }
    CHECK(mprotect(from_guest.address, from_guest.size, PROT_READ | PROT_WRITE) != 0, "it can be made writable");
    *number = 41;
    tell_guest('r');
    wait_for_event(end);
    CHECK(*(volatile uint32_t *)from_guest.address == 42, "the guest writes %u",
          *(volatile uint32_t *)from_guest.address);
    CHECK(*number == 41, "the guest wrote where it may not");
    crossvm_close(end);
}

static void a_driver_that_leaves_is_seen(void)
{
    crossvm_end_t *idle = open_end("idle");

    CHECK(crossvm_peer_state(idle, NULL) == CROSSVM_PEER_PRESENT, "the driver is not there");
    tell_guest('b');
    wait_for_event(control);
    for (int i = 0; i < 100 && crossvm_peer_state(idle, NULL) != CROSSVM_PEER_ABSENT; i++)
        (void)crossvm_wait(idle, crossvm_deadline_after_ms(100));
    CHECK(crossvm_peer_state(idle, NULL) == CROSSVM_PEER_ABSENT, "nobody told that it left");
    CHECK(crossvm_emit(control) == 0, "%s", crossvm_strerror());
    wait_for_event(control);
    for (int i = 0; i < 100 && crossvm_peer_state(idle, NULL) != CROSSVM_PEER_PRESENT; i++)
        (void)crossvm_wait(idle, crossvm_deadline_after_ms(100));
    CHECK(crossvm_peer_state(idle, NULL) == CROSSVM_PEER_PRESENT, "nobody told that it came back");
    crossvm_close(idle);
}

/* A peer that makes the descriptors that it shares with the VM's process wait, and empties them itself. */
static void a_peer_cannot_stall_the_vm(void)
{
    crossvm_end_t *idle = open_end("idle");

    CHECK(crossvm_emit(idle) == 0, "%s", crossvm_strerror());
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
    tell_guest('b'); /* the guest's driver leaves and comes: the VM's process takes the descriptors over, and gives them
                        back */
    wait_for_event(control);
    CHECK(crossvm_emit(control) == 0, "%s", crossvm_strerror());
    wait_for_event(control);
    crossvm_close(idle);
    echo("echo", 10);
}

static void a_name_is_served_once(void)
{
    const char *said = shell("./crossvm-vm --kernel vmlinux --connection echo 2>&1", 72);

    CHECK(strstr(said, "echo") && strstr(said, "another process"), "it says: %s", said);
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
    CHECK(strstr(shell("./crossvm emit control 2>&1", 2), "control"), "the error does not name the connection");
    CHECK(strstr(shell("./crossvm info nothing 2>&1", 2), "nothing"), "the error does not name the connection");
}

static void the_end_of_the_vm_is_noticed(void)
{
    crossvm_end_t *idle = open_end("idle");
    int events;
    int status = 0;

    tell_guest('q');
    do
        events = crossvm_wait(idle, crossvm_deadline_after_ms(PATIENCE_MS));
    while (events >= 0 || events == -EINTR);
    CHECK(events == -EPIPE, "the wait gives %d", events);
    CHECK(waitpid(vm, &status, 0) == vm && WIFEXITED(status) && WEXITSTATUS(status) == 0, "crossvm-vm ends with %d",
          status);
    CHECK(crossvm_emit(idle) == -EIO || crossvm_wait(idle, CROSSVM_NOW) == -EPIPE, "the end can still be used");
    crossvm_close(idle);
    CHECK(access(DIRECTORY "/idle.sock", F_OK) != 0, "a socket is left behind");
}

/* --- the VM --- */

/* The guest's console goes into a file: what it says would come amid the lines of the tests. */
static pid_t start_vm(char **command)
{
    pid_t child = fork();

    if (child == 0) {
        if (freopen(CONSOLE, "w", stdout))
            (void)execv(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    return child;
}

static void show_console(void)
{
    FILE *console = fopen(CONSOLE, "r");
    char line[256];

    if (!console)
        return;
    while (fgets(line, sizeof(line), console))
        (void)fputs(line, stdout);
    (void)fclose(console);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return EXIT_FAILURE;
    msi_expected = strcmp(argv[1], "msi") == 0;
    (void)setenv("CROSSVM_DIR", DIRECTORY, 1);
    (void)mkdir(DIRECTORY, S_IRWXU);
    vm = start_vm(argv + 2);
    RUN(the_guest_comes_up);
    if (!failed) {
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
    if (waitpid(vm, NULL, WNOHANG) == 0)
        (void)kill(vm, SIGKILL);
    show_console();
    (void)printf("scenario host: %d failed\n", failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
