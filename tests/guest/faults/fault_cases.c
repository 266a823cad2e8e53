/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A case of the scenario boot: each system call that crossvm-vm makes until its guest runs fails once, with each of the
 * errors that it may have.
 *
 *   fault-cases COUNT SEED   COUNT of all these faults, chosen by chance; 0: each of them
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/kvm.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "tiny_guest.h"
#include "tracee.h"

#define FOLDER "/tmp/faults"
#define SOCKETS FOLDER "/sockets"
#define NOT_STARTED 72
#define CRASHED 70
#define KEPT 0x7470656b /* a word in a dataport */

#define JOIN(name) "--join=" SOCKETS "/" name ".crossvm-vm"
static char *const one[] = {"./crossvm-vm",      "--name=one", "--kernel=tiny-guest", "--memory=4M", JOIN("first@one"),
                            JOIN("between@one"), NULL};
static char *const other[] = {"./crossvm-vm",
                              "--name=other",
                              "--kernel=tiny-guest",
                              "--memory=4M",
                              JOIN("echo@other"),
                              JOIN("between@other"),
                              NULL};

static pid_t hub, neighbour;
static crossvm_end_t *first, *echo;
static size_t hub_descriptors, hub_mappings;
static unsigned long count; /* of faults; 0: all */
static struct tracee tracee;

/* --- what processes and folders hold --- */

static size_t entries_of(const char *format, pid_t process)
{
    char path[64];
    size_t n = 0;
    DIR *folder;

    (void)snprintf(path, sizeof(path), format, (int)process);
    folder = opendir(path);
    CHECK(folder, "%s: %s", path, strerror(errno));
    while (readdir(folder))
        n++;
    (void)closedir(folder);
    return n;
}

static size_t mappings_of(pid_t process)
{
    char path[64], line[4200];
    size_t n = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)process);
    file = fopen(path, "re");
    CHECK(file, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file))
        n += strstr(line, "/memfd:") != NULL;
    (void)fclose(file);
    return n;
}

/* Waits until the hub sleeps: it has been woken by whatever a VM did before it ended, and sleeps when it has seen to
 * all of it. */
static void settle(void)
{
    int64_t deadline = now_ms() + HANG_MS;
    char path[64], text[512] = "";

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)hub);
    for (const char *name = NULL; !name || name[2] != 'S';) {
        FILE *file = fopen(path, "re");

        CHECK(file && fgets(text, sizeof(text), file), "the hub has ended");
        (void)fclose(file);
        name = strrchr(text, ')');
        CHECK(now_ms() < deadline, "the hub does not come to sleep: %s", text);
        (void)sched_yield();
    }
}

/* --- what runs beside it --- */

static pid_t start(char *const *argv, int output)
{
    pid_t child = fork();

    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (output >= 0)
            (void)dup2(output, STDOUT_FILENO);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    CHECK(child > 0, "cannot start %s: %s", argv[0], strerror(errno));
    return child;
}

static void start_hub(void)
{
    static char *const argv[] = {"./crossvm", "hub", "faults.yaml", NULL};
    int output[2];
    char line[256];
    FILE *file;

    (void)setenv("CROSSVM_DIR", SOCKETS, 1);
    CHECK(pipe2(output, O_CLOEXEC) == 0, "cannot make a pipe");
    hub = start(argv, output[1]);
    close(output[1]);
    file = fdopen(output[0], "r");
    for (int ends = 0; ends < 4; ends++)
        CHECK(file && fgets(line, sizeof(line), file), "the hub does not start");
    (void)fclose(file);
}

/* It stands still while nobody asks it, since it would keep the machine busy. */
static void ask_neighbour(void)
{
    CHECK(crossvm_peer_state(echo, NULL) == CROSSVM_PEER_PRESENT, "the VM beside it has ended");
    (void)kill(neighbour, SIGCONT);
    end_emit(echo);
    end_take_exactly(echo, 1);
    (void)kill(neighbour, SIGSTOP);
}

static volatile unsigned int *kept_word(void)
{
    return (volatile unsigned int *)crossvm_dataport(first, 0).address + 100;
}

static void start_all(void)
{
    (void)mkdir(FOLDER, 0755);
    start_hub();
    first = end_open("first");
    echo = end_open("echo");
    neighbour = start(other, -1);
    (void)end_wait_for_peer(echo, CROSSVM_PEER_PRESENT);
    ask_neighbour();
    *kept_word() = KEPT;
    settle();
    hub_descriptors = entries_of("/proc/%d/fd", hub);
    hub_mappings = mappings_of(hub);
}

static void stop(pid_t process)
{
    int status;

    (void)kill(process, SIGCONT);
    (void)kill(process, SIGTERM);
    CHECK(waitpid(process, &status, 0) == process, "cannot wait: %s", strerror(errno));
}

/* --- what must hold --- */

struct fault {
    struct tracee_call call;
    int error;
};

/* Whether a message has to say what to do: the system was short of something. */
static bool is_shortage(int error)
{
    return error == ENOMEM || error == EMFILE || error == ENFILE || error == ENOSPC || error == EAGAIN;
}

/* What is wrong with the messages of a VM that did not start because of an error, or NULL. */
static const char *fault_of_messages(int error)
{
    static const char *const remedies[] = {"; free some",
                                           "; raise the limit",
                                           "; raise the sysctl",
                                           "no memory",
                                           "--no-sandbox does without",
                                           "is CONFIG_AIO off, or fs.aio-max-nr used up?",
                                           "the memory that the hub sent",
                                           "bytes of shared memory",
                                           "cannot be read without waiting"};

    if (!strstr(tracee.errors, "crossvm-vm: "))
        return "it says nothing";
    if (strstr(tracee.errors, "Success"))
        return "its reason is that nothing is wrong";
    if (!is_shortage(error))
        return strstr(tracee.errors, strerror(error)) || strstr(tracee.errors, "this kernel is older than Linux")
                   ? NULL
                   : "it does not say why";
    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (strstr(tracee.errors, remedies[i]))
            return NULL;
    }
    return "it does not say what to do";
}

/* The same of all that it did; events: that came from it. */
static const char *fault_of_outcome(const struct fault *fault, int events)
{
    int status = WEXITSTATUS(tracee.status);
    bool ran = fault && fault->call.call == SYS_ioctl && fault->call.request == KVM_RUN;

    if (!WIFEXITED(tracee.status))
        return "it was ended by a signal";
    if (status == TINY_STATUS && events == 1 && strcmp(tracee.output, TINY_SAYS) == 0)
        return NULL;
    if (status == TINY_STATUS)
        return events == 1 ? "its console is mute" : "its event did not come";
    if (!fault)
        return "it does not work";
    if (status != (ran ? CRASHED : NOT_STARTED))
        return "its status is of another kind";
    return fault_of_messages(fault->error);
}

static int take_events(void)
{
    int events = 0, n;

    while ((n = crossvm_wait(first, CROSSVM_NOW)) != 0 || crossvm_peer_state(first, NULL) != CROSSVM_PEER_ABSENT) {
        CHECK(n >= 0, "%s", crossvm_strerror());
        events += n;
    }
    return events;
}

/* What the VM leaves behind, once it has ended. */
static void check_surroundings(size_t files, size_t sockets)
{
    CHECK(entries_of("/proc/%d/fd", hub) == hub_descriptors, "the hub holds %zu descriptors, not %zu",
          entries_of("/proc/%d/fd", hub), hub_descriptors);
    CHECK(mappings_of(hub) == hub_mappings, "the hub holds %zu mappings, not %zu", mappings_of(hub), hub_mappings);
    CHECK(entries_of(FOLDER, 0) == files && entries_of(SOCKETS, 0) == sockets, "it left a file");
    CHECK(*kept_word() == KEPT, "the memory is not what it was");
    ask_neighbour();
}

/* --- faults --- */

static struct fault *faults;
static size_t num_faults;

static void add_fault(const struct tracee_call *call, int error)
{
    faults = reallocarray(faults, num_faults + 1, sizeof(*faults));
    CHECK(faults, "no memory");
    faults[num_faults++] = (struct fault){*call, error};
}

/* The errors of a system that is short of something. An ioctl of KVM can say more. */
static void list_faults(const struct tracee_call *calls, size_t n)
{
    static const int shortages[] = {ENOSPC, EMFILE, ENFILE, ENOMEM}, others[] = {EINVAL, EBUSY, ENXIO, EPERM};

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof(shortages) / sizeof(shortages[0]); k++)
            add_fault(&calls[i], shortages[k]);
        if (calls[i].call == SYS_clone || calls[i].call == SYS_clone3)
            add_fault(&calls[i], EAGAIN);
        if (calls[i].call == SYS_openat)
            add_fault(&calls[i], EACCES);
        for (size_t k = 0; k < sizeof(others) / sizeof(others[0]) && calls[i].call == SYS_ioctl; k++)
            add_fault(&calls[i], others[k]);
        /* A signal does that, also SIGSTOP. */
        if (calls[i].call == SYS_ioctl && (calls[i].request == KVM_CREATE_VM || calls[i].request == KVM_RUN))
            add_fault(&calls[i], EINTR);
    }
}

static void choose(void)
{
    for (size_t i = 0; i < count && i < num_faults; i++) {
        size_t other_one = i + (size_t)rand() % (num_faults - i);
        struct fault swapped = faults[i];

        faults[i] = faults[other_one];
        faults[other_one] = swapped;
    }
    if (count && count < num_faults)
        num_faults = count;
}

static void each_call_of_its_start_fails(void)
{
    size_t files, sockets, made = 0, wrong = 0;
    const char *what;

    start_all();
    files = entries_of(FOLDER, 0);
    sockets = entries_of(SOCKETS, 0);
    tracee_run(&tracee, one, NULL, 0);
    settle();
    what = fault_of_outcome(NULL, take_events());
    CHECK(!what, "without a fault: %s; status 0x%x; it says: %s%s", what, tracee.status, tracee.output, tracee.errors);
    check_surroundings(files, sockets);
    list_faults(tracee.calls, tracee.num_calls);
    (void)printf("faults: %zu calls, %zu faults\n", tracee.num_calls, num_faults);
    choose();

    for (size_t i = 0; i < num_faults; i++) {
        const struct fault *fault = &faults[i];

        tracee_run(&tracee, one, &fault->call, fault->error);
        settle();
        what = fault_of_outcome(fault, take_events());
        made += tracee.made;
        if (what) {
            wrong++;
            (void)printf("fault: thread %u, call %u (%ld, 0x%lx) fails with %s: %s; status 0x%x; it says: %s%s",
                         fault->call.thread, fault->call.number, fault->call.call, fault->call.request,
                         strerrorname_np(fault->error), what, tracee.status, tracee.output, tracee.errors);
        }
        check_surroundings(files, sockets);
        if ((i + 1) * 10 / num_faults > i * 10 / num_faults)
            (void)printf("faults: %zu of %zu\n", i + 1, num_faults);
        (void)fflush(stdout);
    }
    stop(neighbour);
    stop(hub);
    CHECK(entries_of(SOCKETS, 0) == 2, "the hub left a socket");
    CHECK(wrong == 0, "%zu of %zu faults", wrong, num_faults);
    /* Another thread may have been there first, which is seldom. */
    (void)printf("faults: %zu of %zu calls failed\n", made, num_faults);
    CHECK(made * 2 > num_faults, "only %zu of %zu calls failed", made, num_faults);
}

int main(int argc, char **argv)
{
    unsigned int seed;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: fault-cases COUNT SEED\n");
        return EXIT_FAILURE;
    }
    count = strtoul(argv[1], NULL, 10);
    seed = (unsigned int)strtoul(argv[2], NULL, 10);
    srand(seed);
    (void)printf("chance: CROSSVM_SEED=%u\n", seed);
    cases_start("boot");
    RUN(each_call_of_its_start_fails);
    return cases_failed() ? EXIT_FAILURE : EXIT_SUCCESS;
}
