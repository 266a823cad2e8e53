/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver: names, maps, interrupts, binding. */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "device.h"
#include "system.h"
#include "uio.h"
#include "vmm.h"

static const char *uio_text(const char *name, const char *file)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/class/uio/uio%d/%s", uio_number(name), file);
    return read_text(path);
}

/* Regression: names of x86 devices were empty, and 50 bytes of a 48-byte name were copied. */
static void names_are_the_devices(void)
{
    for (size_t i = 0; i < num_devices; i++) {
        const char *name = uio_text(devices[i].name, "name");
        size_t length = strlen(devices[i].name);

        CHECK(strncmp(name, devices[i].name, length) == 0 && name[length] == '\n', "%s is called %s", devices[i].name,
              name);
    }
}

static void links_by_name(void)
{
    char target[64] = "";
    char want[32];

    CHECK(system("mdev -s") == 0, "mdev fails");
    CHECK(readlink("/dev/crossvm/shared-a", target, sizeof(target) - 1) > 0, "no /dev/crossvm/shared-a");
    (void)snprintf(want, sizeof(want), "uio%d", uio_number("shared-a"));
    CHECK(strcmp(strrchr(target, '/') ? strrchr(target, '/') + 1 : target, want) == 0, "it leads to %s, not %s", target,
          want);
}

static void maps_have_exact_sizes(void)
{
    static const unsigned long sizes[] = {4 << 10, 4 << 10, 12 << 10, 64 << 10, 2 << 20};

    for (int map = 0; map < 5; map++) {
        char file[32];

        (void)snprintf(file, sizeof(file), "maps/map%d/size", map);
        CHECK(strtoul(uio_text("size-four", file), NULL, 16) == sizes[map], "map %d has %s", map,
              uio_text("size-four", file));
    }
    CHECK(strtoul(uio_text("size-12k", "maps/map1/size"), NULL, 16) == 12 << 10, "12K is %s",
          uio_text("size-12k", "maps/map1/size"));
    CHECK(strtoul(uio_text("size-64m", "maps/map1/size"), NULL, 16) == 64 << 20, "64M is %s",
          uio_text("size-64m", "maps/map1/size"));
}

static void msi_where_there_is_one(void)
{
    CHECK(info("msi-echo").msi_enabled == has_msi, "msi-echo uses MSI: %u", info("msi-echo").msi_enabled);
    CHECK(!info("shared-a").msi_enabled, "shared-a uses MSI");
    CHECK(info("shared-a").irq_shared && info("shared-a").irq == info("shared-b").irq, "no shared line");
    CHECK(info("msi-echo").driver_state == CROSSVM_DRIVER_BOUND, "the VMM knows of no driver");
}

static void dataport_through_the_driver(void)
{
    struct uio uio = uio_open("size-64m");
    size_t size = 64 << 20;
    uint64_t seen;
    volatile uint64_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, getpagesize());

    CHECK(memory != MAP_FAILED, "cannot map 64 MiB");
    memory[size / 8 - 1] = 0xfeedface;
    peek("size-64m", 0, size - 8, &seen, sizeof(seen));
    CHECK(seen == 0xfeedface, "the VMM sees %llx", (unsigned long long)seen);
    munmap((void *)memory, size);
    memory = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, getpagesize());
    CHECK(memory == MAP_FAILED, "can map more than there is");
    uio_close(&uio);
}

/* Regression: slots were never freed, so that the 33rd probe failed. */
static void bind_and_unbind_1000_times(void)
{
    for (int i = 0; i < 1000; i++) {
        unbind_driver("crossvm", "rebind");
        bind_driver("crossvm", "rebind");
    }
    CHECK(uio_number("rebind") >= 0, "it is not bound at the end");
    do_command(CONTROL_EMIT, "rebind", 1, 0);
    {
        struct uio uio = uio_open("rebind");

        CHECK(uio_wait(&uio), "no interrupt at the end");
        uio_close(&uio);
    }
}

/* Opens a device whenever it is there, and closes it again, until it is killed. */
static pid_t start_opener(int number)
{
    char path[32];
    pid_t child = fork();

    CHECK(child >= 0, "no child");
    if (child > 0)
        return child;
    (void)snprintf(path, sizeof(path), "/dev/uio%d", number);
    for (;;) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd >= 0)
            close(fd);
    }
}

/* A program may open the device before UIO has completed it, while there is an event to wake it for. */
static void programs_open_while_it_is_bound(void)
{
    pid_t opener = start_opener(uio_number("rebind"));

    do_command(CONTROL_EMIT, "rebind", 1, 0);
    for (int i = 0; i < 300; i++) {
        unbind_driver("crossvm", "rebind");
        bind_driver("crossvm", "rebind");
    }
    CHECK(kill(opener, SIGKILL) == 0 && waitpid(opener, NULL, 0) == opener, "the program that opens it has ended");
    CHECK(kernel_log_count("BUG: ") == 0 && kernel_log_count("Oops") == 0, "the kernel has a fault");
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "DRIVER is %u without a program",
          info("rebind").driver_state);
}

static void events_while_unbound_are_seen(void)
{
    struct uio uio;
    uint64_t injections;

    unbind_driver("crossvm", "rebind");
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_NONE, "the VMM still knows of a driver");
    injections = info("rebind").injections;
    do_command(CONTROL_EMIT, "rebind", 5, 0);
    CHECK(info("rebind").injections == injections, "an unbound device interrupts");
    bind_driver("crossvm", "rebind");
    uio = uio_open("rebind");
    CHECK(uio_wait(&uio), "no wake-up for them");
    uio_close(&uio);
}

/* Waits for an event in a process of its own, which exits with 0 if that ends with EIO. */
static pid_t start_reader(const struct uio *uio)
{
    uint32_t interrupts;
    pid_t child = fork();

    CHECK(child >= 0, "no child");
    if (child == 0) {
        (void)alarm(HANG_MS / 1000);
        _exit(read(uio->fd, &interrupts, sizeof(interrupts)) < 0 && errno == EIO ? 0 : 1);
    }
    return child;
}

/* Regression: remove left the mapping of the registers behind. */
static void unbind_while_open(void)
{
    struct uio uio = uio_open("rebind");
    uint32_t interrupts;
    pid_t reader;
    int status;

    if (uio_is_readable(&uio)) /* events of earlier cases */
        CHECK(uio_wait(&uio), "a read() waits though poll() said that it would not");
    reader = start_reader(&uio);
    unbind_driver("crossvm", "rebind");
    CHECK(waitpid(reader, &status, 0) == reader && status == 0, "a read() that waits ends with %#x", status);
    CHECK(uio_is_readable(&uio), "a poll() of a removed device waits");
    CHECK(read(uio.fd, &interrupts, sizeof(interrupts)) < 0, "a removed device can be read");
    uio_close(&uio);
    bind_driver("crossvm", "rebind");
    uio = uio_open("rebind");
    uio_close(&uio);
}

/* Overwritten by the next call. */
static const char *sysfs_file(const char *name, const char *file)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "/sys/class/uio/uio%d/device/crossvm/%s", uio_number(name), file);
    return path;
}

static unsigned long attribute(const char *name, const char *file)
{
    const char *path = sysfs_file(name, file), *text = read_text(path);

    CHECK(text[0], "there is no %s", path);
    return strtoul(text, NULL, 0);
}

/* The peer sees a program as long as one has the device open, however it ends. A program that only looks is not seen.
 */
static void programs_come_and_go(void)
{
    struct uio first = uio_open("rebind"), second = uio_open("rebind");
    crossvm_end_info_t *list;
    size_t n;
    pid_t child;

    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_OPEN, "an open device is not seen");
    uio_close(&first);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_OPEN, "the second program is not seen");
    uio_close(&second);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "the end of the last program is not seen");

    child = fork();
    if (child == 0) {
        (void)uio_open("rebind");
        (void)raise(SIGKILL);
    }
    CHECK(waitpid(child, NULL, 0) == child, "no child");
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "a program is there after its death");

    first = uio_open("rebind");
    unbind_driver("crossvm", "rebind");
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_NONE, "an open device without driver has one");
    uio_close(&first);
    bind_driver("crossvm", "rebind");
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "programs of the time before are counted");

    CHECK(crossvm_list(&list, &n, sizeof(*list)) == 0 && n > 1, "%s", crossvm_strerror());
    crossvm_list_free(list);
    CHECK(info("rebind").driver_state == CROSSVM_DRIVER_BOUND, "a program that only looks is seen");
}

/* How many attributes a device has: as many as sysfs-driver-crossvm documents. */
static size_t num_attributes(const char *name)
{
    struct dirent *entry;
    char path[128];
    DIR *directory;
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "/sys/class/uio/uio%d/device/crossvm", uio_number(name));
    directory = opendir(path);
    while (directory && (entry = readdir(directory)))
        n += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return n;
}

static void attributes_are_registers(void)
{
    crossvm_end_info_t *list;
    bool found = false;
    size_t n;

    do_command(CONTROL_PEER_STATE, "rebind", CROSSVM_PEER_READY, 0);
    do_command(CONTROL_EMIT, "rebind", 1, 0);
    CHECK(attribute("rebind", "peer_state") == CROSSVM_PEER_READY, "peer_state");
    CHECK(attribute("rebind", "peer_generation") == reg32(device("rebind"), CROSSVM_REG_PEER_GENERATION),
          "peer_generation");
    CHECK(attribute("rebind", "events") == info("rebind").events, "events");
    CHECK(attribute("rebind", "end") == 0, "end");
    CHECK(attribute("rebind", "dataport0_rights") == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE), "dataport0_rights");
    CHECK(num_attributes("rebind") == 6, "%zu attributes", num_attributes("rebind"));
    CHECK(attribute("size-four", "dataport2_rights") == CROSSVM_RIGHT_READ, "dataport2_rights");
    CHECK(attribute("size-four", "dataport3_rights") == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE), "dataport3_rights");
    CHECK(num_attributes("size-four") == 12, "%zu attributes of four dataports", num_attributes("size-four"));
    CHECK(num_attributes("event-only") == 4, "%zu attributes without dataports", num_attributes("event-only"));
    CHECK(num_attributes("base") == 0, "attributes of a device of the base block");
    CHECK(crossvm_list(&list, &n, sizeof(*list)) == 0, "%s", crossvm_strerror());
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, "rebind") != 0)
            continue;
        found = true;
        CHECK(list[i].peer_state == CROSSVM_PEER_READY && list[i].events == info("rebind").events,
              "the library differs");
        CHECK(list[i].num_dataports == 1 && list[i].dataports[0].rights == 3, "the library knows no rights");
        CHECK(list[i].version == CROSSVM_DEVICE_VERSION, "version %#x", list[i].version);
    }
    crossvm_list_free(list);
    CHECK(found, "it is not in the list");
    do_command(CONTROL_PEER_STATE, "rebind", CROSSVM_PEER_ABSENT, 0);
}

static void *map_to_look(const char *file, size_t size, int flags, off_t offset)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    void *memory = mmap(NULL, size, PROT_READ, flags, fd, offset);

    CHECK(fd >= 0, "cannot open %s", file);
    close(fd);
    return memory;
}

/* Root may look into a dataport, and at nothing beside it. */
static void dataports_to_look_at(void)
{
    const char *file = sysfs_file("size-12k", "dataport0");
    const size_t size = 12 << 10, page = (size_t)getpagesize();
    const volatile uint64_t *memory = map_to_look(file, size, MAP_SHARED, 0);
    struct uio uio = uio_open("size-12k");
    volatile uint64_t *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, uio.fd, getpagesize());

    CHECK(memory != MAP_FAILED && own != MAP_FAILED, "cannot map 12 KiB");
    own[size / 8 - 1] = 0xfeedface;
    CHECK(memory[size / 8 - 1] == 0xfeedface, "it is not the dataport");
    munmap((void *)own, size);
    uio_close(&uio);
    CHECK(mprotect((void *)memory, size, PROT_READ | PROT_WRITE) < 0 && errno == EACCES, "it can be made writable");
    munmap((void *)memory, size);
    CHECK(open(file, O_RDWR) < 0, "it opens for writing");
    CHECK(map_to_look(file, size + 1, MAP_SHARED, 0) == MAP_FAILED, "more than there is can be mapped");
    CHECK(map_to_look(file, page, MAP_SHARED, size) == MAP_FAILED, "what is behind it can be mapped");
    CHECK(map_to_look(file, page, MAP_PRIVATE, 0) == MAP_FAILED, "it can be mapped to get copies");
    memory = map_to_look(file, page, MAP_SHARED, size - page);
    CHECK(memory != MAP_FAILED && memory[page / 8 - 1] == 0xfeedface, "its last page cannot be mapped");
    munmap((void *)memory, page);
    CHECK(info("size-12k").driver_state == CROSSVM_DRIVER_BOUND, "a program that only looks is seen");
}

/* A page that traps stores, with memory of the program behind it; the driver's mappings take unaligned stores. */
static volatile uint8_t *map_before_memory(const struct uio *uio, int map)
{
    size_t page = (size_t)getpagesize();
    uint8_t *both = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(both != MAP_FAILED, "no memory");
    CHECK(mmap(both, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, uio->fd, (off_t)((size_t)map * page)) !=
              MAP_FAILED,
          "cannot map %d", map);
    both[page] = 0; /* there, so that a store faults at its first page only */
    return both;
}

static void stores_across_the_end_of_a_page_harm_nobody(void)
{
    struct uio uio = uio_open("size-four");
    uint64_t emits = info("size-four").emits;
    uint64_t lines = log_lines();

    for (int map = 0; map < 2; map++) { /* the registers, and a dataport that the guest may only read */
        volatile uint8_t *page = map_before_memory(&uio, map);
        uint8_t last = page[CROSSVM_PAGE_SIZE - 1];

        for (size_t width = 2; width <= 8; width *= 2) {
            for (size_t before = 1; before < width; before++)
                store(page, CROSSVM_PAGE_SIZE - before, width, ~0ULL);
        }
        CHECK(page[CROSSVM_PAGE_SIZE - 1] == last, "page %d changed", map);
        munmap((void *)page, 2 * CROSSVM_PAGE_SIZE);
    }
    CHECK(info("size-four").emits == emits, "they were taken for events");
    CHECK(log_lines() == lines, "the module logged them");
    uio_close(&uio);
}

void driver_cases(void)
{
    RUN(names_are_the_devices);
    RUN(links_by_name);
    RUN(maps_have_exact_sizes);
    RUN(msi_where_there_is_one);
    RUN(dataport_through_the_driver);
    RUN(bind_and_unbind_1000_times);
    RUN(programs_open_while_it_is_bound);
    RUN(events_while_unbound_are_seen);
    RUN(unbind_while_open);
    RUN(programs_come_and_go);
    RUN(attributes_are_registers);
    RUN(dataports_to_look_at);
    RUN(stores_across_the_end_of_a_page_harm_nobody);
}
