/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM over vfio-user or ivshmem, with a guest whose program is in a channel, is killed at random points, again and
 * again, with rings that are full, empty or flow. It is also stopped. The program at the other end hears of it and
 * receives all that was sent before; it and the hub go on with the next VMM, and the neighbour's connection notices
 * nothing. CROSSVM_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/device.h>
#include <crossvm/end_channel.h>

#include "../holdings.h"
#include "../rounds.h"
#include "hub_fixture.h"
#include "ivshmem_vmm.h"
#include "neighbour.h"
#include "vmm.h"

#define FOREVER CROSSVM_FOREVER
#define BAR_64K 1          /* of connection "x" */
#define IVSHMEM_64K 0x7000 /* in the region of connection "s" */
#define PROGRAM 1          /* the other end */

/* What the guest's program does. One that fills sends until its ring is full, since nobody receives. */
enum role { ROLE_SENDS, ROLE_RECEIVES, ROLE_FILLS, ROLE_IGNORES, ROLE_SLEEPS, ROLE_STARTS, NUM_ROLES };

static const char *const roles[] = {"sends", "receives", "fills its ring", "takes nothing", "sleeps", "starts"};

/* Bytes that its calls have sent, in memory that outlives it. */
static uint64_t *sent;

static uint8_t byte_at(uint64_t place)
{
    return (uint8_t)(place * 167 >> 3);
}

/* --- the VMM and its guest: a process of their own --- */

/* Over vfio-user. */
struct guest {
    int vmm;
    int interrupt; /* eventfd: MSI */
};

static int emit(void *cookie)
{
    const struct guest *guest = cookie;

    vmm_store32(guest->vmm, CROSSVM_REG_EMIT, 1);
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    const struct guest *guest = cookie;

    (void)deadline;
    (void)limit_us;
    (void)vmm_await_interrupt(guest->interrupt);
    return 0;
}

static int ivshmem_emit(void *cookie)
{
    ivshmem_signal(cookie, PROGRAM);
    return 0;
}

static int ivshmem_wait(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)deadline;
    (void)limit_us;
    ivshmem_await_signal(cookie);
    return 0;
}

static void use(crossvm_channel_t *channel, enum role role)
{
    uint8_t bytes[512];
    ptrdiff_t length;

    do {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = byte_at(*sent + i);
        if (role == ROLE_SENDS || role == ROLE_FILLS) {
            length = crossvm_channel_send(channel, bytes, sizeof(bytes), FOREVER);
            if (length > 0)
                __atomic_add_fetch(sent, (uint64_t)length, __ATOMIC_RELEASE);
        } else if (role == ROLE_IGNORES) {
            length = pause();
        } else {
            length = crossvm_channel_recv(channel, bytes, sizeof(bytes), FOREVER);
        }
    } while (length > 0);
}

/* As its boot and its driver's begin would. */
static crossvm_channel_config_t boot(void)
{
    static struct guest guest;
    crossvm_channel_config_t config = {
        .end = CROSSVM_CHANNEL_END(0), .emit = emit, .wait = wait_for_event, .cookie = &guest};
    size_t offset;

    guest = (struct guest){.vmm = vmm_start("x"), .interrupt = eventfd(0, EFD_CLOEXEC)};
    vmm_set_command(guest.vmm, VMM_MEMORY | VMM_MASTER);
    vmm_set_irq(guest.vmm, 1, guest.interrupt);
    config.memory = vmm_map(guest.vmm, BAR_64K, &offset, &config.size);
    vmm_store32(guest.vmm, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_BOUND);
    vmm_store32(guest.vmm, CROSSVM_REG_DRIVER, CROSSVM_DRIVER_OPEN);
    return config;
}

static void power_off(const crossvm_channel_config_t *config)
{
    const struct guest *guest = config->cookie;

    (void)munmap(config->memory, config->size);
    close(guest->vmm);
    close(guest->interrupt);
}

static crossvm_channel_config_t ivshmem_boot(void)
{
    static struct ivshmem_vmm vmm;
    crossvm_channel_config_t config = {
        .end = CROSSVM_CHANNEL_END(0), .emit = ivshmem_emit, .wait = ivshmem_wait, .cookie = &vmm};

    vmm = ivshmem_start("s.0.ivshmem");
    config.memory = vmm.region + IVSHMEM_64K;
    config.size = 0x10000;
    ivshmem_tell_driver(&vmm, CROSSVM_REGION_DRIVER_CAME | CROSSVM_DRIVER_BOUND);
    ivshmem_tell_driver(&vmm, 2 * CROSSVM_REGION_DRIVER_CAME | CROSSVM_DRIVER_OPEN);
    return config;
}

static void ivshmem_power_off(const crossvm_channel_config_t *config)
{
    ivshmem_end(config->cookie);
}

struct door {
    const char *name;
    const char *connection;
    crossvm_channel_config_t (*boot)(void);
    void (*power_off)(const crossvm_channel_config_t *config);
};

static const struct door doors[] = {
    {"vfio-user", "x", boot, power_off},
    {"ivshmem", "s", ivshmem_boot, ivshmem_power_off},
};

#define NUM_DOORS (sizeof(doors) / sizeof(doors[0]))

__attribute__((noreturn)) static void boot_again_and_again(const struct door *door, crossvm_channel_config_t config)
{
    for (;;) {
        door->power_off(&config);
        config = door->boot();
    }
}

static void be_vmm(const struct door *door, enum role role)
{
    static crossvm_channel_t channel;
    crossvm_channel_config_t config = door->boot();

    if (role == ROLE_STARTS)
        boot_again_and_again(door, config);
    if (crossvm_channel_init(&channel, &config) == 0) {
        crossvm_channel_open(&channel);
        (void)crossvm_channel_connect(&channel, FOREVER);
        use(&channel, role);
    }
}

static pid_t start_vmm(const struct door *door, enum role role)
{
    pid_t vmm;

    __atomic_store_n(sent, 0, __ATOMIC_RELAXED);
    vmm = fork();
    assert_true(vmm >= 0);
    if (vmm == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_vmm(door, role);
        _exit(0);
    }
    return vmm;
}

/* --- the program at the other end --- */

struct killer {
    pid_t vmm;
    pid_t survivor; /* its thread */
    enum role role;
    unsigned int delay_us;
};

static void await_sent(void)
{
    while (__atomic_load_n(sent, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
}

static void *kill_later(void *argument)
{
    const struct killer *killer = argument;

    if (killer->role == ROLE_FILLS) {
        await_sent();
        holdings_await_state(killer->vmm, 'S');
    } else if (killer->role == ROLE_IGNORES) {
        holdings_await_state(killer->survivor, 'S');
    }
    usleep(killer->delay_us);
    assert_int_equal(kill(killer->vmm, SIGKILL), 0);
    return NULL;
}

static void take_all(crossvm_channel_t *channel)
{
    uint64_t taken = 0;
    uint8_t bytes[4096];
    ptrdiff_t length;

    while ((length = crossvm_channel_recv(channel, bytes, sizeof(bytes), FOREVER)) > 0) {
        for (ptrdiff_t i = 0; i < length; i++, taken++)
            assert_int_equal(bytes[i], byte_at(taken));
    }
    assert_int_equal(length, -EPIPE);
    assert_true(taken >= __atomic_load_n(sent, __ATOMIC_ACQUIRE));
}

static void give(crossvm_channel_t *channel)
{
    static const uint8_t bytes[3000];
    ptrdiff_t length;

    do
        length = crossvm_channel_send(channel, bytes, sizeof(bytes), FOREVER);
    while (length > 0);
    assert_int_equal(length, -EPIPE);
}

/* One that starts is killed whenever it happens to be, the others in a session. */
static void play_round(const struct door *door, crossvm_channel_t *channel, enum role role, unsigned int delay_us)
{
    struct killer killer = {.vmm = start_vmm(door, role), .survivor = gettid(), .role = role, .delay_us = delay_us};
    pthread_t thread;

    if (role != ROLE_STARTS)
        assert_int_equal(crossvm_channel_connect(channel, FOREVER), 0);
    assert_int_equal(pthread_create(&thread, NULL, kill_later, &killer), 0);
    if (role == ROLE_FILLS)
        assert_int_equal(pthread_join(thread, NULL), 0);
    if (role == ROLE_RECEIVES || role == ROLE_IGNORES)
        give(channel);
    else if (role != ROLE_STARTS)
        take_all(channel);
    if (role != ROLE_FILLS)
        assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(waitpid(killer.vmm, NULL, 0), killer.vmm);
    crossvm_channel_open(channel);
}

static crossvm_channel_t *make_channel(crossvm_end_t *end)
{
    crossvm_channel_t *channel;

    assert_int_equal(crossvm_channel_create(&channel, end, NULL), 0);
    return channel;
}

static void share_count(void)
{
    sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(sent, MAP_FAILED);
}

static void kill_at_random(const struct door *door, unsigned int rounds)
{
    crossvm_end_t *end = hub_open(door->connection);
    crossvm_channel_t *channel = make_channel(end);
    unsigned int times[NUM_ROLES] = {0};
    struct holdings before = holdings_of(getpid());

    for (unsigned int i = 0; i < rounds; i++) {
        enum role role = (enum role)(i % NUM_ROLES);

        play_round(door, channel, role, (unsigned int)rand() % 4000);
        neighbour_check();
        times[role]++;
    }
    holdings_await(getpid(), &before);
    for (size_t i = 0; i < NUM_ROLES; i++)
        printf("%u VMMs over %s killed whose guest %s\n", times[i], door->name, roles[i]);
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

static void vmm_killed_at_random(void **state)
{
    (void)state;
    rounds_seed();
    share_count();
    neighbour_start();
    for (size_t i = 0; i < NUM_DOORS; i++)
        kill_at_random(&doors[i], rounds_choose(12, 180));
    neighbour_end();
    (void)munmap(sent, sizeof(*sent));
}

/* --- one that is stopped --- */

/* A VMM that is stopped holds up nobody but its peer, which waits; when it goes on, all is there. */
static void stop_again_and_again(const struct door *door)
{
    crossvm_end_t *end = hub_open(door->connection);
    crossvm_channel_t *channel = make_channel(end);
    uint64_t taken = 0;
    uint8_t bytes[512];
    pid_t vmm;

    vmm = start_vmm(door, ROLE_SENDS);
    for (int i = 0; i < 5; i++) {
        ptrdiff_t length;

        assert_int_equal(crossvm_channel_connect(channel, FOREVER), 0);
        await_sent();
        assert_int_equal(kill(vmm, SIGSTOP), 0);
        holdings_await_state(vmm, 'T');
        neighbour_check();
        assert_int_equal(crossvm_emit(end), 0);
        /* What it sent before is there, and then there is nothing, which is no end. */
        while ((length = crossvm_channel_recv(channel, bytes, sizeof(bytes), CROSSVM_NOW)) > 0) {
            for (ptrdiff_t j = 0; j < length; j++, taken++)
                assert_int_equal(bytes[j], byte_at(taken));
        }
        assert_int_equal(length, -EAGAIN);
        assert_int_equal(crossvm_channel_state(channel), CROSSVM_CHANNEL_CONNECTED);
        assert_int_equal(kill(vmm, SIGCONT), 0);
        length = crossvm_channel_recv(channel, bytes, sizeof(bytes), FOREVER);
        assert_true(length > 0);
        for (ptrdiff_t j = 0; j < length; j++, taken++)
            assert_int_equal(bytes[j], byte_at(taken));
    }
    assert_int_equal(kill(vmm, SIGKILL), 0);
    assert_int_equal(waitpid(vmm, NULL, 0), vmm);
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

static void stopped_vmm_loses_nothing(void **state)
{
    (void)state;
    share_count();
    neighbour_start();
    for (size_t i = 0; i < NUM_DOORS; i++)
        stop_again_and_again(&doors[i]);
    neighbour_end();
    (void)munmap(sent, sizeof(*sent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(vmm_killed_at_random),
        HUB_TEST(stopped_vmm_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
