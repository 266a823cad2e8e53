/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hub hands over, what it tells later, and who takes an end after another. Whoever comes is the test, as is the
 * loop of the hub: so the order in which the hub sees things is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/hub/connection.h"
#include "../../src/hub/door.h"
#include "../../src/wire/descriptors.h"
#include "../../src/wire/vfio_user.h"
#include "../../src/wire/wire.h"

#define VM 0
#define PROGRAM 1
#define READ_WRITE (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const struct hub_connection_config mixed = {
    .name = "link",
    .ends = {[VM] = {.door = CROSSVM_DOOR_CROSSVM_VM, .vm = "alpha"}, [PROGRAM] = {.door = CROSSVM_DOOR_HOST}},
    .dataports = {{.size = 0x1000, .writer = VM},
                  {.size = 0x2000, .writer = PROGRAM},
                  {.size = 0x3000, .writer = WRITER_BOTH}},
    .num_dataports = 3,
};

/* VMMs that others have made */
static const struct hub_connection_config stock = {
    .name = "link",
    .ends = {{.door = CROSSVM_DOOR_VFIO_USER}, {.door = CROSSVM_DOOR_IVSHMEM}},
    .dataports = {{.size = 0x3000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = WRITER_BOTH}},
    .num_dataports = 2,
};

static struct {
    char folder[32];
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct hub_door *doors[2];
    int stop; /* polls readable: the loop ends when it has served what was there before */
} hub;

static const char *path_of(int end)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%d", hub.folder, end);
    return path;
}

static struct hub_door *open_door(enum crossvm_door door, int end)
{
    struct hub_end *opened = hub_connection_end(hub.connection, (unsigned int)end);

    switch (door) {
    case CROSSVM_DOOR_HOST:
        return hub_door_host_open(hub.loop, opened, path_of(end), "link.1");
    case CROSSVM_DOOR_CROSSVM_VM:
        return hub_door_vm_open(hub.loop, opened, path_of(end));
    case CROSSVM_DOOR_VFIO_USER:
        return hub_door_vfio_user_open(hub.loop, opened, path_of(end), false);
    default:
        return hub_door_ivshmem_open(hub.loop, opened, path_of(end));
    }
}

static void serve_connection(const struct hub_connection_config *config)
{
    strcpy(hub.folder, "/tmp/crossvm-ends-XXXXXX");
    assert_non_null(mkdtemp(hub.folder));
    hub.stop = eventfd(1, EFD_CLOEXEC);
    hub.loop = hub_loop_create();
    hub.connection = hub_connection_create(hub.loop, config);
    assert_non_null(hub.connection);
    for (int end = 0; end < 2; end++) {
        hub.doors[end] = open_door(config->ends[end].door, end);
        assert_non_null(hub.doors[end]);
    }
}

static int set_up(void **state)
{
    (void)state;
    serve_connection(&mixed);
    return 0;
}

static int set_up_stock(void **state)
{
    (void)state;
    serve_connection(&stock);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hub_door_close(hub.doors[0]);
    hub_door_close(hub.doors[1]);
    hub_connection_destroy(hub.connection);
    hub_loop_destroy(hub.loop);
    close(hub.stop);
    assert_int_equal(rmdir(hub.folder), 0);
    return 0;
}

#define ENDS_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* What one turn sends, the next one receives. */
static void serve(void)
{
    for (int i = 0; i < 8; i++)
        assert_int_equal(hub_loop_run(hub.loop, hub.stop), 0);
}

/* --- a client --- */

/* Waits in the queue of the socket until the hub is served. */
static int come_by(int type, int end)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of(end));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int come(int end)
{
    return come_by(SOCK_SEQPACKET, end);
}

static void ask(int fd, uint16_t type)
{
    struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, type};

    assert_int_equal(send(fd, &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
}

/* The type of the next message, of up to size bytes; 0: there is none, and the socket is open. -1: it is closed. */
static int receive(int fd, void *message, size_t size)
{
    ssize_t length = recv(fd, message, size, MSG_DONTWAIT);

    if (length < 0 && errno == EAGAIN)
        return 0;
    return length > 0 ? ((struct crossvm_wire_header *)message)->type : -1;
}

/* A program that has the end. */
static int attach(struct crossvm_wire_reply *reply)
{
    int fd = come(PROGRAM);

    serve();
    ask(fd, CROSSVM_WIRE_ATTACH);
    serve();
    assert_int_equal(receive(fd, reply, sizeof(*reply)), CROSSVM_WIRE_ATTACH);
    return fd;
}

/* The process of a VM that has been handed the other. */
static int join(struct crossvm_wire_join *message)
{
    int fd = come(VM);

    serve();
    assert_int_equal(receive(fd, message, sizeof(*message)), CROSSVM_WIRE_JOIN);
    return fd;
}

static void report(int vm, uint32_t driver_state, uint32_t generation)
{
    struct crossvm_wire_report message = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_REPORT},
        .driver_state = driver_state,
        .generation = generation,
        .vm_exits = 7,
    };

    assert_int_equal(send(vm, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
}

/* The latest news that a socket has; how many there were. */
static int take_news(int fd, struct crossvm_wire_driver *last)
{
    struct crossvm_wire_driver news;
    int n = 0;

    while (receive(fd, &news, sizeof(news)) == CROSSVM_WIRE_DRIVER) {
        *last = news;
        n++;
    }
    return n;
}

/* --- what is handed over --- */

static bool is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void rights_are_those_of_the_end(void **state)
{
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int program = attach(&reply), vm = join(&joined);

    (void)state;
    assert_int_equal(reply.num_dataports, 3);
    assert_int_equal(reply.peer_end, VM);
    assert_string_equal(reply.vm, "alpha");
    assert_int_equal(joined.num_dataports, 3);
    assert_int_equal(joined.end, VM);
    assert_int_equal(joined.peer_is_host, true);
    assert_int_equal(reply.dataports[0].rights, CROSSVM_RIGHT_READ);
    assert_int_equal(joined.dataports[0].rights, READ_WRITE);
    assert_int_equal(reply.dataports[1].rights, READ_WRITE);
    assert_int_equal(joined.dataports[1].rights, CROSSVM_RIGHT_READ);
    assert_int_equal(reply.dataports[2].rights, READ_WRITE);
    assert_int_equal(joined.dataports[2].rights, READ_WRITE);
    close(program);
    close(vm);
}

/* A program that keeps them after it has left could else stop the next one, or the hub: by a seal against the next
 * mapping for writing, by less memory than is mapped, or by an event that waits for room. */
static void what_is_shared_harms_nobody_who_comes_later(void **state)
{
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS], first = CROSSVM_WIRE_FIXED_FDS;
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int program = come(PROGRAM), vm = come(VM);
    struct stat peer_page, own_page;
    size_t n;

    (void)state;
    serve();
    ask(program, CROSSVM_WIRE_ATTACH);
    serve();
    assert_int_equal(cvm_descriptors_receive(program, &reply, sizeof(reply), fds, CROSSVM_WIRE_MAX_FDS, &n),
                     sizeof(reply));
    assert_int_equal(n, CROSSVM_WIRE_FIXED_FDS + 3);
    assert_true(is_nonblocking(fds[0]) && is_nonblocking(fds[1]));
    for (size_t i = 2; i < n; i++)
        assert_int_equal(fcntl(fds[i], F_GET_SEALS), SEALS);
    assert_int_equal(fcntl(fds[first], F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fds[first + 1], F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(fcntl(fds[first + 2], F_GETFL) & O_ACCMODE, O_RDWR);
    assert_int_equal(fstat(fds[2], &peer_page), 0);
    /* Signals go from one end to the other, and none comes back. */
    assert_int_equal(eventfd_write(fds[1], 3), 0);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);

    assert_int_equal(cvm_descriptors_receive(vm, &joined, sizeof(joined), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &n),
                     sizeof(joined));
    assert_int_equal(n, CROSSVM_WIRE_JOIN_FIXED_FDS + 3);
    assert_true(is_nonblocking(fds[0]) && is_nonblocking(fds[1]));
    for (size_t i = 2; i < n; i++)
        assert_int_equal(fcntl(fds[i], F_GET_SEALS), SEALS);
    assert_int_equal(eventfd_read(fds[1], &(eventfd_t){0}), 0);
    assert_int_equal(eventfd_read(fds[0], &(eventfd_t){0}), -1);
    assert_int_equal(fstat(fds[3], &own_page), 0);
    assert_int_equal(own_page.st_ino, peer_page.st_ino); /* the program counts where the VM looks */
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    close(program);
    close(vm);
}

/* --- news --- */

static void each_hears_of_the_other(void **state)
{
    struct crossvm_wire_driver news = {.generation = 77};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);

    (void)state;
    assert_true(take_news(vm, &news) > 0);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, 1);
    report(vm, CROSSVM_DRIVER_BOUND, 1);
    serve();
    assert_int_equal(take_news(program, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_BOUND);
    report(vm, CROSSVM_DRIVER_BOUND, 1); /* the same again is none */
    report(vm, CROSSVM_DRIVER_OPEN + 1, 5);
    serve();
    assert_int_equal(take_news(program, &news), 0);
    close(program);
    serve();
    assert_int_equal(take_news(vm, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    close(vm);
}

/* A program that does not read misses what was in between, and not the last. */
static void a_program_hears_late_news_when_it_reads(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);
    enum { MANY = 2000 }; /* which no socket holds */
    int told;

    (void)state;
    for (uint32_t i = 1; i <= MANY; i++) {
        report(vm, CROSSVM_DRIVER_BOUND, i);
        if (i % 4 == 0)
            serve();
    }
    report(vm, CROSSVM_DRIVER_OPEN, MANY + 1);
    serve();
    told = take_news(program, &news);
    assert_in_range(told, 1, MANY - 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_BOUND);
    serve();
    assert_int_equal(take_news(program, &news), 1); /* once */
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, MANY + 1);
    serve();
    assert_int_equal(take_news(program, &news), 0);
    close(program);
    close(vm);
}

static void a_vm_hears_late_news_and_questions_when_it_reads(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    struct crossvm_wire_header question;
    int vm = join(&joined), program = -1, other;
    enum { MANY = 1000 };
    int told;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        program = attach(&reply);
        if (i < MANY - 1)
            close(program);
    }
    other = come(PROGRAM);
    serve();
    ask(other, CROSSVM_WIRE_INFO);
    serve();
    told = take_news(vm, &news);
    assert_in_range(told, 1, 2 * MANY - 1);
    serve();
    assert_int_equal(receive(vm, &news, sizeof(news)), CROSSVM_WIRE_DRIVER); /* what is true now */
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_INFO);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_OPEN);
    assert_int_equal(news.generation, MANY);
    assert_int_equal(receive(other, &reply, sizeof(reply)), 0); /* the VM has not answered yet */
    report(vm, CROSSVM_DRIVER_BOUND, 1);
    serve();
    assert_int_equal(receive(other, &reply, sizeof(reply)), CROSSVM_WIRE_INFO);
    assert_int_equal(reply.vm_exits, 7);
    assert_int_equal(reply.owned, true);
    serve();
    assert_int_equal(receive(vm, &question, sizeof(question)), 0);
    close(other);
    close(program);
    close(vm);
}

/* Who asks is answered also if the VM ends instead. */
static void a_question_is_answered_when_the_vm_ends(void **state)
{
    struct crossvm_wire_driver question;
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), asker = come(PROGRAM);

    (void)state;
    serve();
    report(vm, CROSSVM_DRIVER_OPEN, 1);
    serve();
    ask(asker, CROSSVM_WIRE_INFO);
    serve();
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_DRIVER); /* of before */
    assert_int_equal(receive(vm, &question, sizeof(question)), CROSSVM_WIRE_INFO);
    assert_int_equal(receive(asker, &reply, sizeof(reply)), 0);
    close(vm);
    serve();
    assert_int_equal(receive(asker, &reply, sizeof(reply)), CROSSVM_WIRE_INFO);
    assert_int_equal(reply.driver_state, CROSSVM_DRIVER_NONE);
    assert_int_equal(reply.peer_here, false);
    assert_int_equal(reply.vm_exits, 0);
    assert_int_equal(reply.owned, false);
    close(asker);
}

static void both_hear_of_the_end_of_the_hub(void **state)
{
    struct crossvm_wire_driver news = {0};
    struct crossvm_wire_reply reply;
    struct crossvm_wire_join joined;
    int vm = join(&joined), program = attach(&reply);

    (void)state;
    report(vm, CROSSVM_DRIVER_OPEN, 1);
    serve();
    (void)take_news(vm, &news);
    (void)take_news(program, &news);
    hub_connection_hang_up(hub.connection);
    assert_int_equal(take_news(vm, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    assert_int_equal(take_news(program, &news), 1);
    assert_int_equal(news.driver_state, CROSSVM_DRIVER_NONE);
    close(vm);
    close(program);
}

/* --- who is gone --- */

/* The next one asks before the hub has come to the socket that was closed. */
static void an_end_whose_program_is_gone_is_free(void **state)
{
    struct crossvm_wire_reply reply;
    int owner = attach(&reply), next = come(PROGRAM);

    (void)state;
    serve();
    ask(next, CROSSVM_WIRE_ATTACH);
    close(owner);
    serve();
    assert_int_equal(receive(next, &reply, sizeof(reply)), CROSSVM_WIRE_ATTACH);
    assert_int_equal(reply.status, 0);
    assert_int_equal(reply.num_dataports, 3);
    close(next);
}

static void a_vm_that_is_gone_makes_room_for_the_next(void **state)
{
    struct crossvm_wire_join joined;
    int first = join(&joined), second = come(VM), third;

    (void)state;
    close(first);
    serve();
    assert_int_equal(receive(second, &joined, sizeof(joined)), CROSSVM_WIRE_JOIN);
    third = come(VM); /* which finds it taken */
    serve();
    assert_int_equal(receive(third, &joined, sizeof(joined)), -1);
    close(third);
    close(second);
}

static bool is_closed(int fd)
{
    char bytes[256];
    ssize_t length;

    do
        length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    while (length > 0);
    return length == 0;
}

static void a_stock_vmm_that_is_gone_makes_room_for_the_next(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        int first = come_by(SOCK_STREAM, end), second, third;

        serve();
        assert_false(is_closed(first));
        second = come_by(SOCK_STREAM, end);
        close(first);
        serve();
        assert_false(is_closed(second));
        third = come_by(SOCK_STREAM, end);
        serve();
        assert_true(is_closed(third));
        assert_false(is_closed(second));
        close(third);
        close(second);
    }
}

/* --- a VMM that speaks vfio-user --- */

/* Sends a command with a body of up to 32 bytes, which begins with words, and a descriptor unless it is -1. */
static void command(int vmm, uint16_t number, size_t body, const uint32_t words[5], int fd)
{
    uint32_t message[VFIO_USER_HEADER_BYTES / 4 + 8] = {(uint32_t)number << 16};

    message[1] = (uint32_t)(VFIO_USER_HEADER_BYTES + body);
    memcpy(message + VFIO_USER_HEADER_BYTES / 4, words, body < 20 ? body : 20);
    assert_int_equal(cvm_descriptors_send(vmm, message, VFIO_USER_HEADER_BYTES + body, &fd, fd >= 0), 0);
}

/* A VMM that has told its version, and has taken the answer. */
static int greet(void)
{
    int vmm = come_by(SOCK_STREAM, 0);

    command(vmm, VFIO_USER_VERSION, 4, (const uint32_t[5]){0}, -1);
    serve();
    assert_false(is_closed(vmm));
    return vmm;
}

static void a_vmm_that_breaks_the_order_is_put_out(void **state)
{
    const uint32_t trigger_by_eventfd[5] = {20, 0x24, VFIO_USER_MSI, 0, 1}, nothing[5] = {0};
    int vmm = come_by(SOCK_STREAM, 0), memory = memfd_create("no eventfd", MFD_CLOEXEC);
    int doorbell = eventfd(0, EFD_CLOEXEC);

    (void)state;
    command(vmm, VFIO_USER_RESET, 0, nothing, -1); /* before its version */
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    vmm = greet();
    command(vmm, VFIO_USER_VERSION, 4, nothing, -1);
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    vmm = greet();
    command(vmm, VFIO_USER_SET_IRQS, 20, trigger_by_eventfd, doorbell);
    serve();
    assert_false(is_closed(vmm));
    command(vmm, VFIO_USER_SET_IRQS, 20, trigger_by_eventfd, memory);
    serve();
    assert_true(is_closed(vmm));
    close(vmm);
    close(memory);
    close(doorbell);
}

/* Loads bytes of a BAR, as a guest does for which its VMM asks. */
static void load(int vmm, uint32_t bar, uint32_t offset, void *bytes, uint32_t n)
{
    const uint32_t access[5] = {offset, 0, bar, n};
    uint8_t reply[VFIO_USER_HEADER_BYTES + 16 + 64];

    command(vmm, VFIO_USER_REGION_READ, 16, access, -1);
    serve();
    assert_int_equal(recv(vmm, reply, sizeof(reply), MSG_DONTWAIT), VFIO_USER_HEADER_BYTES + 16 + n);
    memcpy(bytes, reply + VFIO_USER_HEADER_BYTES + 16, n);
}

static uint32_t load_events(int vmm)
{
    uint32_t events; /* the low word */

    load(vmm, CROSSVM_BAR_EVENT, CROSSVM_REG_EVENT_SEQ, &events, sizeof(events));
    return events;
}

/* The hub's own memory follows the registers, and the next dataport follows one that does not fill its BAR. */
static void accesses_across_an_end_reach_nothing(void **state)
{
    const struct hub_memory next = hub_end_dataport(hub_connection_end(hub.connection, 0), 1);
    const uint32_t store[5] = {0x2ff8, 0, CROSSVM_BAR_DATAPORT, 16};
    uint8_t bytes[16];
    int vmm = greet();

    (void)state;
    load(vmm, CROSSVM_BAR_EVENT, CROSSVM_PAGE_SIZE - 8, bytes, sizeof(bytes));
    assert_memory_equal(bytes + 8, (const uint8_t[8]){0}, 8);
    memset(bytes, 0xee, sizeof(bytes));
    assert_int_equal(pwrite(next.memfd, bytes, 8, (off_t)next.offset), 8);
    load(vmm, CROSSVM_BAR_DATAPORT, 0x2ff8, bytes, sizeof(bytes));
    assert_memory_equal(bytes, (const uint8_t[16]){0}, 16);
    command(vmm, VFIO_USER_REGION_WRITE, 16 + 16, store, -1);
    serve();
    assert_int_equal(pread(next.memfd, bytes, 8, (off_t)next.offset), 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(bytes[i], 0xee);
    close(vmm);
}

/* Who counts in a page of its own may write anything there. That tells as one event, not as so many. */
static void a_count_that_is_a_lie_is_one_event(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0), *peer = own->peer;
    int vmm = greet();

    (void)state;
    *peer->count += 3;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 3);
    *peer->count += 0x100000005;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 4);
    *peer->count -= 1;
    assert_int_equal(eventfd_write(own->doorbell.fd, 1), 0);
    serve();
    assert_int_equal(load_events(vmm), 5);
    close(vmm);
}

/* Stores a word to BAR0. */
static void store(int vmm, uint32_t offset, uint32_t value)
{
    const uint32_t access[5] = {offset, 0, CROSSVM_BAR_EVENT, sizeof(value), value};

    command(vmm, VFIO_USER_REGION_WRITE, 16 + sizeof(value), access, -1);
    serve();
}

/* A guest may have counted events of which no doorbell has told when its VMM ends. */
static void the_last_events_of_a_guest_are_told(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0);
    int vmm = greet();

    (void)state;
    store(vmm, CROSSVM_REG_OWN_SEQ, 2);
    assert_int_equal(*own->count, 0);
    close(vmm);
    serve();
    assert_int_equal(*own->count, 2);
    assert_int_equal(eventfd_read(own->peer->doorbell.fd, &(eventfd_t){0}), 0);
}

static void a_device_that_is_reset_has_no_driver(void **state)
{
    const struct hub_end *own = hub_connection_end(hub.connection, 0);
    int vmm = greet();

    (void)state;
    store(vmm, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    assert_int_equal(own->state, CROSSVM_DRIVER_OPEN);
    command(vmm, VFIO_USER_RESET, 0, (const uint32_t[5]){0}, -1);
    serve();
    assert_int_equal(own->state, CROSSVM_DRIVER_NONE);
    close(vmm);
}

/* It reads when it likes, and misses nothing. */
static void a_vmm_gets_late_replies_when_it_reads(void **state)
{
    const uint32_t question[5] = {16};
    int vmm = greet();
    enum { MANY = 1000, AT_ONCE = 100, REPLY_BYTES = VFIO_USER_HEADER_BYTES + 16 }; /* more than a socket holds */
    size_t received = 0, sent = 0;
    char bytes[4096];

    (void)state;
    while (received < MANY * (size_t)REPLY_BYTES) {
        ssize_t length;

        for (; sent < MANY && sent - received / REPLY_BYTES < AT_ONCE; sent++)
            command(vmm, VFIO_USER_GET_INFO, 16, question, -1);
        for (int i = 0; i < AT_ONCE / 8; i++)
            serve();
        length = recv(vmm, bytes, sizeof(bytes), MSG_DONTWAIT);
        assert_true(length > 0);
        received += (size_t)length;
    }
    assert_int_equal(sent, MANY);
    close(vmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDS_TEST(rights_are_those_of_the_end),
        ENDS_TEST(what_is_shared_harms_nobody_who_comes_later),
        ENDS_TEST(each_hears_of_the_other),
        ENDS_TEST(a_program_hears_late_news_when_it_reads),
        ENDS_TEST(a_vm_hears_late_news_and_questions_when_it_reads),
        ENDS_TEST(a_question_is_answered_when_the_vm_ends),
        ENDS_TEST(both_hear_of_the_end_of_the_hub),
        ENDS_TEST(an_end_whose_program_is_gone_is_free),
        ENDS_TEST(a_vm_that_is_gone_makes_room_for_the_next),
        cmocka_unit_test_setup_teardown(a_stock_vmm_that_is_gone_makes_room_for_the_next, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(a_vmm_that_breaks_the_order_is_put_out, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(accesses_across_an_end_reach_nothing, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(a_count_that_is_a_lie_is_one_event, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(the_last_events_of_a_guest_are_told, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(a_device_that_is_reset_has_no_driver, set_up_stock, tear_down),
        cmocka_unit_test_setup_teardown(a_vmm_gets_late_replies_when_it_reads, set_up_stock, tear_down),
    };

    return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
