/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMM's side of ivshmem, in the test's own words, and a program or another VMM at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../src/hub/hub.h"
#include "hub_fixture.h"
#include "neighbour.h"

#define PATIENCE crossvm_deadline_after_ms(600000) /* only bounds a hang */
#define PATIENCE_MS 600000

#define REGION_BYTES 0x400000 /* 2 MiB from 2 MiB on */
#define HUB 2

/* docs/device.md, section 8.2 and 8.3, in the test's own words */
#define DRIVER_PAGE(end) ((end) ? 0x6000 : 0x1000)
#define EVENT_PAGE(end) ((end) ? 0x5000 : 0x2000)
#define COUNT(end) ((end) ? 0x4000 : 0x3000)

struct vmm {
    int socket;
    int64_t end;
    uint8_t *region;
    size_t size;
    int doorbells[3]; /* of the ends and of the hub */
};

/* --- the VMM --- */

static int vmm_connect(const char *file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", hub_path(file));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A number and the descriptor that came with it, or -1. False when the hub has closed the socket. */
static bool receive(int vmm, int64_t *number, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {number, sizeof(*number)};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct pollfd waiting = {.fd = vmm, .events = POLLIN};
    const struct cmsghdr *sent;
    ssize_t length;

    *number = 0;
    *fd = -1;
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    length = recvmsg(vmm, &packet, MSG_CMSG_CLOEXEC);
    if (length <= 0)
        return false;
    assert_int_equal(length, sizeof(*number));
    sent = CMSG_FIRSTHDR(&packet);
    if (sent && sent->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(sent), sizeof(*fd));
    return true;
}

static void await_close(int socket)
{
    int64_t number;
    int fd;

    while (receive(socket, &number, &fd)) {
        if (fd >= 0)
            close(fd);
    }
    close(socket);
}

static struct vmm vmm_start(const char *file)
{
    struct vmm vmm = {.socket = vmm_connect(file)};
    struct stat status;
    int64_t number;
    int fd;

    assert_true(receive(vmm.socket, &number, &fd));
    assert_int_equal(number, 0); /* version */
    assert_int_equal(fd, -1);
    assert_true(receive(vmm.socket, &vmm.end, &fd));
    assert_true(vmm.end == 0 || vmm.end == 1);
    assert_int_equal(fd, -1);
    assert_true(receive(vmm.socket, &number, &fd));
    assert_int_equal(number, -1);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
    vmm.size = (size_t)status.st_size;
    vmm.region = mmap(NULL, vmm.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(vmm.region != MAP_FAILED);
    close(fd);
    /* Others first, then its own: one vector each. */
    for (size_t i = 0; i < 3; i++) {
        int64_t expected = i == 0 ? 1 - vmm.end : i == 1 ? HUB : vmm.end;

        assert_true(receive(vmm.socket, &number, &fd));
        assert_int_equal(number, expected);
        assert_true(fd >= 0);
        vmm.doorbells[number] = fd;
    }
    return vmm;
}

/* The VMM ends. */
static void vmm_end(struct vmm *vmm)
{
    close(vmm->socket);
    munmap(vmm->region, vmm->size);
    for (size_t i = 0; i < 3; i++)
        close(vmm->doorbells[i]);
}

static uint32_t load32(const struct vmm *vmm, size_t offset)
{
    return __atomic_load_n((uint32_t *)(vmm->region + offset), __ATOMIC_SEQ_CST);
}

static uint64_t load64(const struct vmm *vmm, size_t offset)
{
    return __atomic_load_n((uint64_t *)(vmm->region + offset), __ATOMIC_SEQ_CST);
}

static uint32_t peer_state(const struct vmm *vmm)
{
    return load32(vmm, EVENT_PAGE(vmm->end) + 0x48);
}

static uint32_t peer_generation(const struct vmm *vmm)
{
    return load32(vmm, EVENT_PAGE(vmm->end) + 0x4c);
}

/* The guest stores a word of its driver's. */
static void store_driver(const struct vmm *vmm, uint32_t word)
{
    __atomic_store_n((uint32_t *)(vmm->region + DRIVER_PAGE(vmm->end)), word, __ATOMIC_SEQ_CST);
}

static void vmm_signal(const struct vmm *vmm, int64_t whom)
{
    assert_int_equal(eventfd_write(vmm->doorbells[whom], 1), 0);
}

static void tell_driver(const struct vmm *vmm, uint32_t word)
{
    store_driver(vmm, word);
    vmm_signal(vmm, HUB);
}

/* Waits for a signal and takes it. */
static void await_signal(const struct vmm *vmm)
{
    struct pollfd waiting = {.fd = vmm->doorbells[vmm->end], .events = POLLIN};
    uint64_t count;

    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(eventfd_read(waiting.fd, &count), 0);
}

static bool is_signalled(const struct vmm *vmm)
{
    struct pollfd waiting = {.fd = vmm->doorbells[vmm->end], .events = POLLIN};

    return poll(&waiting, 1, 0) == 1;
}

/* --- the program --- */

static void await_peer(crossvm_end_t *end, uint32_t state, uint32_t generation)
{
    const time_t until = time(NULL) + 2 * PATIENCE_MS / 1000;
    uint32_t seen;

    while (crossvm_peer_state(end, &seen) != state || seen != generation) {
        assert_true(crossvm_wait(end, PATIENCE) >= 0);
        assert_true(time(NULL) < until);
    }
}

/* --- what there is --- */

static void region(void **state)
{
    static const uint64_t sizes[] = {0x10000, 0x200000}, offsets[] = {0x7000, 0x200000};
    struct vmm vmm = vmm_start("s.0.ivshmem");
    const uint8_t *page = vmm.region + EVENT_PAGE(0);

    (void)state;
    assert_int_equal(vmm.end, 0);
    assert_int_equal(vmm.size, REGION_BYTES);
    assert_memory_equal(vmm.region, "CXivshme", 8);
    assert_int_equal(load32(&vmm, 8), 0x00010000);
    assert_memory_equal(page + 0x38, "CXVM", 4);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x3c), 0x00010002);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x50), 1);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x5c), 3);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x60), 2);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x64), 0);
    assert_string_equal((const char *)page + 0x08, "s");
    assert_string_equal((const char *)page + 0x80, "s");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(load64(&vmm, EVENT_PAGE(0) + 0xc0 + 16 * i), sizes[i]);
        assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0xc8 + 16 * i), 3);
        assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0xcc + 16 * i), 2);
        assert_int_equal(load64(&vmm, EVENT_PAGE(0) + 0x100 + 8 * i), offsets[i]);
    }
    assert_int_equal(peer_state(&vmm), 1);
    assert_int_equal(peer_generation(&vmm), 0);
    assert_int_equal(load32(&vmm, DRIVER_PAGE(0)), 0);
    vmm_end(&vmm);
}

static void memory_is_shared(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    uint8_t *small = crossvm_dataport(end, 0).address, *large = crossvm_dataport(end, 1).address;

    (void)state;
    small[0] = 1;
    vmm.region[0x7000 + 0xffff] = 2;
    large[0x1fffff] = 3;
    assert_int_equal(vmm.region[0x7000], 1);
    assert_int_equal(small[0xffff], 2);
    assert_int_equal(vmm.region[REGION_BYTES - 1], 3);
    crossvm_close(end);
    vmm_end(&vmm);
}

/* What one end alone may write, nobody could keep from the other. */
static void writers_are_refused(void **state)
{
    struct hub_connection_config config = {
        .name = "w",
        .ends = {{.door = CROSSVM_DOOR_HOST}, {.door = CROSSVM_DOOR_IVSHMEM}},
        .dataports = {{.size = 0x1000, .writer = WRITER_BOTH}, {.size = 0x1000, .writer = 0}},
        .num_dataports = 2,
    };
    struct hub *hub = hub_create(hub_path("."), false);

    (void)state;
    assert_non_null(hub);
    hub_silence();
    assert_int_equal(hub_add(hub, &config), -1);
    hub_destroy(hub);
}

/* --- events --- */

static void events_both_ways(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    int events = 0;

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(crossvm_emit(end), 0);
        await_signal(&vmm);
        assert_int_equal(load64(&vmm, COUNT(1)), i);
    }
    for (int i = 0; i < 3; i++)
        vmm_signal(&vmm, 1);
    while (events < 3)
        events += crossvm_wait(end, PATIENCE);
    assert_int_equal(events, 3);
    crossvm_close(end);
    vmm_end(&vmm);
}

/* A VMM finds the events that came since the one before it left; what that one wrote elsewhere is gone. */
static void next_vmm(void **state)
{
    crossvm_end_t *end = hub_open("s");
    struct vmm vmm;

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(crossvm_emit(end), 0);
    vmm = vmm_start("s.0.ivshmem");
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x54), 0);
    assert_int_equal(load64(&vmm, COUNT(1)), 3);
    tell_driver(&vmm, 0x102);
    await_peer(end, CROSSVM_PEER_READY, 1);
    vmm.region[0x7000] = 77;
    memset(vmm.region, 0xff, 0x3000); /* header, driver page, event page */
    memset(vmm.region + 0x5000, 0xff, 0x2000);
    vmm_end(&vmm);
    await_peer(end, CROSSVM_PEER_ABSENT, 1);
    assert_int_equal(crossvm_emit(end), 0);
    vmm = vmm_start("s.0.ivshmem");
    assert_memory_equal(vmm.region, "CXivshme", 8);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x54), 3);
    assert_int_equal(load64(&vmm, COUNT(1)), 4);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x60), 2);
    assert_int_equal(load32(&vmm, EVENT_PAGE(0) + 0x200), 0);
    assert_int_equal(load32(&vmm, DRIVER_PAGE(0)), 0);
    assert_int_equal(peer_state(&vmm), 3);
    assert_int_equal(vmm.region[0x7000], 77);
    vmm_end(&vmm);
    crossvm_close(end);
}

/* --- who is there --- */

static void driver(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");
    uint32_t generation;

    (void)state;
    tell_driver(&vmm, 0x101);
    await_peer(end, CROSSVM_PEER_PRESENT, 1);
    tell_driver(&vmm, 0x202);
    await_peer(end, CROSSVM_PEER_READY, 2);
    tell_driver(&vmm, 0x201);
    await_peer(end, CROSSVM_PEER_PRESENT, 2);
    tell_driver(&vmm, 0x302);
    await_peer(end, CROSSVM_PEER_READY, 3);
    /* That one went, and two others came one after the other before the hub looked. */
    tell_driver(&vmm, 0x502);
    await_peer(end, CROSSVM_PEER_READY, 5);
    /* What is no state, and what is no news, tells nothing. */
    tell_driver(&vmm, 0x603);
    hub_await_rest();
    tell_driver(&vmm, 0x6ff);
    hub_await_rest();
    tell_driver(&vmm, 0x502);
    hub_await_rest();
    assert_int_equal(crossvm_peer_state(end, &generation), CROSSVM_PEER_READY);
    assert_int_equal(generation, 5);
    /* The guest was reset, which nobody told: a new driver. */
    tell_driver(&vmm, 0x601);
    await_peer(end, CROSSVM_PEER_PRESENT, 6);
    /* The word is no news before the hub is signalled. */
    store_driver(&vmm, 0x600);
    hub_await_rest();
    assert_int_equal(crossvm_peer_state(end, NULL), CROSSVM_PEER_PRESENT);
    vmm_signal(&vmm, HUB);
    await_peer(end, CROSSVM_PEER_ABSENT, 6);
    /* The count goes round. */
    tell_driver(&vmm, 0xffffff01);
    await_peer(end, CROSSVM_PEER_PRESENT, 0xffffff);
    tell_driver(&vmm, 0x00000102);
    await_peer(end, CROSSVM_PEER_READY, 0x1000001);
    crossvm_close(end);
    vmm_end(&vmm);
}

static void peer_is_told(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");

    (void)state;
    /* A guest without a driver is not interrupted, but can see. */
    hub_await_rest();
    assert_int_equal(peer_state(&vmm), 3);
    assert_int_equal(peer_generation(&vmm), 1);
    assert_false(is_signalled(&vmm));
    tell_driver(&vmm, 0x101);
    await_peer(end, CROSSVM_PEER_PRESENT, 1);
    crossvm_close(end);
    await_signal(&vmm);
    assert_int_equal(peer_state(&vmm), 1);
    end = hub_open("s");
    await_signal(&vmm);
    assert_int_equal(peer_state(&vmm), 3);
    assert_int_equal(peer_generation(&vmm), 2);
    crossvm_close(end);
    vmm_end(&vmm);
}

/* Two guests have each other's doorbell, and nobody is between them. */
static void two_vmms(void **state)
{
    struct vmm vmms[2] = {vmm_start("t.0.ivshmem"), vmm_start("t.1.ivshmem")};

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vmms[i].end, i);
        assert_int_equal(load32(&vmms[i], EVENT_PAGE(i) + 0x64), i);
    }
    hub_stop();
    for (int i = 0; i < 2; i++) {
        vmm_signal(&vmms[i], 1 - i);
        await_signal(&vmms[1 - i]);
        assert_false(is_signalled(&vmms[i]));
        vmms[i].region[COUNT(i)]++;
        assert_int_equal(load64(&vmms[1 - i], COUNT(i)), 1);
    }
    vmm_end(&vmms[0]);
    vmm_end(&vmms[1]);
}

static void guests_come_and_go(void **state)
{
    struct vmm vmms[2] = {vmm_start("t.0.ivshmem"), vmm_start("t.1.ivshmem")};

    (void)state;
    tell_driver(&vmms[1], 0x101);
    hub_await_rest();
    tell_driver(&vmms[0], 0x101);
    await_signal(&vmms[1]);
    assert_int_equal(peer_state(&vmms[1]), 2);
    assert_int_equal(peer_state(&vmms[0]), 2);
    tell_driver(&vmms[0], 0x202);
    await_signal(&vmms[1]);
    assert_int_equal(peer_state(&vmms[1]), 3);
    vmm_end(&vmms[0]);
    await_signal(&vmms[1]);
    assert_int_equal(peer_state(&vmms[1]), 1);
    assert_int_equal(peer_generation(&vmms[1]), 2);
    vmm_end(&vmms[1]);
}

/* The guests can go on without a hub. Both hear that it tells nothing any more. */
static void hub_ends(void **state)
{
    struct vmm vmms[2] = {vmm_start("t.0.ivshmem"), vmm_start("t.1.ivshmem")};

    (void)state;
    tell_driver(&vmms[0], 0x101);
    hub_await_rest();
    tell_driver(&vmms[1], 0x102);
    await_signal(&vmms[0]);
    assert_int_equal(peer_state(&vmms[0]), 3);
    hub_await_rest();
    assert_false(is_signalled(&vmms[0]));
    hub_end();
    for (int i = 0; i < 2; i++) {
        await_signal(&vmms[i]);
        assert_int_equal(peer_state(&vmms[i]), 1);
    }
    for (int i = 0; i < 2; i++) {
        vmm_signal(&vmms[i], 1 - i);
        await_signal(&vmms[1 - i]);
    }
    vmm_end(&vmms[0]);
    vmm_end(&vmms[1]);
}

/* --- VMMs that do not keep to it --- */

static void second_vmm_is_turned_away(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem"), next;

    (void)state;
    hub_silence();
    await_close(vmm_connect("s.0.ivshmem"));
    vmm_signal(&vmm, HUB); /* the first one is still served */
    tell_driver(&vmm, 0x101);
    hub_await_rest();
    vmm_end(&vmm);
    next = vmm_start("s.0.ivshmem");
    vmm_end(&next);
}

static void nothing_may_be_sent(void **state)
{
    crossvm_end_t *end = hub_open("s");

    (void)state;
    hub_silence();
    for (uint32_t i = 1; i <= 20; i++) {
        struct vmm vmm = vmm_start("s.0.ivshmem");

        tell_driver(&vmm, 0x101);
        await_peer(end, CROSSVM_PEER_PRESENT, i);
        assert_int_equal(send(vmm.socket, "\0\0\0\0\0\0\0", i % 8 + 1, MSG_NOSIGNAL), i % 8 + 1);
        await_peer(end, CROSSVM_PEER_ABSENT, i);
        await_close(dup(vmm.socket));
        vmm_end(&vmm);
    }
    crossvm_close(end);
}

/* A VMM and its guest do all that they can; the connection beside it works on, and so does this one for the next. */
static void enemy(void **state)
{
    struct vmm vmm = vmm_start("s.0.ivshmem");
    crossvm_end_t *end = hub_open("s");

    (void)state;
    neighbour_start();
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        switch (random() % 6) {
        case 0: /* any word of any page, the driver's more often */
            *(volatile uint32_t *)(vmm.region + random() % 0x7000 / 4 * 4) = (uint32_t)random();
            break;
        case 1:
            tell_driver(&vmm, (uint32_t)random());
            break;
        case 2:
            tell_driver(&vmm, (uint32_t)random() % 0x400);
            break;
        case 3: { /* a full doorbell, which waits for its reader */
            int doorbell = vmm.doorbells[random() % 3];

            (void)fcntl(doorbell, F_SETFL, O_NONBLOCK);
            (void)eventfd_write(doorbell, UINT64_MAX - 1);
            (void)fcntl(doorbell, F_SETFL, 0);
            break;
        }
        case 4: { /* an empty one, which waits for its writer */
            int doorbell = vmm.doorbells[random() % 3];
            eventfd_t count;

            (void)fcntl(doorbell, F_SETFL, O_NONBLOCK);
            (void)eventfd_read(doorbell, &count);
            (void)fcntl(doorbell, F_SETFL, 0);
            break;
        }
        default:
            if (random() % 16 == 0) {
                crossvm_close(end);
                end = hub_open("s");
            }
            break;
        }
        if (i % 1000 == 0)
            neighbour_check();
    }
    for (int i = 0; i < 3; i++)
        (void)fcntl(vmm.doorbells[i], F_SETFL, O_NONBLOCK);
    vmm_end(&vmm);
    vmm = vmm_start("s.0.ivshmem");
    crossvm_close(end);
    end = hub_open("s");
    assert_memory_equal(vmm.region + EVENT_PAGE(0) + 0x38, "CXVM", 4);
    while (is_signalled(&vmm))
        await_signal(&vmm);
    assert_int_equal(crossvm_emit(end), 0);
    await_signal(&vmm);
    neighbour_end();
    crossvm_close(end);
    vmm_end(&vmm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(region),
        HUB_TEST(memory_is_shared),
        HUB_TEST(writers_are_refused),
        HUB_TEST(events_both_ways),
        HUB_TEST(next_vmm),
        HUB_TEST(driver),
        HUB_TEST(peer_is_told),
        HUB_TEST(two_vmms),
        HUB_TEST(guests_come_and_go),
        HUB_TEST(hub_ends),
        HUB_TEST(second_vmm_is_turned_away),
        HUB_TEST(nothing_may_be_sent),
        HUB_TEST(enemy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
