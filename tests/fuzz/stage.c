/* SPDX-License-Identifier: BSD-2-Clause */
#include "stage.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../src/common/shared_event.h"
#include "folder.h"
#include "turn.h"

/* What one turn of the loop sends, the next one receives. One in which nothing was there is the last. */
#define TURNS 3

/* That wait to run at once: the hub lets nobody in while one does */
#define MOST_THREADS 64

/* Of the loop until it has served all, however much a socket takes */
#define MOST_TURNS 1000

static struct sockaddr_un address = {.sun_family = AF_UNIX};

/* --- the peer --- */

static struct stage *stage_of(struct hub_occupant *occupant)
{
    return (struct stage *)occupant;
}

static void peer_changed(struct hub_occupant *occupant)
{
    struct stage *stage = stage_of(occupant);
    uint32_t came = stage->ends[0]->generation - stage->generation;

    REQUIRE(stage->ends[0]->state <= CROSSVM_DRIVER_OPEN);
    REQUIRE(stage->leaps || came <= 1);
    stage->generation = stage->ends[0]->generation;
}

static void woken(struct hub_occupant *occupant)
{
    REQUIRE(stage_of(occupant)->ends[1]->occupant == occupant);
}

static void ask(struct hub_occupant *occupant)
{
    stage_of(occupant)->asked = true;
}

static void peer_come_or_go(struct stage *stage, bool asks)
{
    if (stage->ends[1]->occupant) {
        hub_end_leave(stage->ends[1]);
        return;
    }
    stage->peer.ask = asks ? ask : NULL;
    stage->generation = stage->ends[0]->generation;
    REQUIRE(hub_end_take(stage->ends[1], &stage->peer) == 0);
}

void stage_act(struct stage *stage, struct input *input)
{
    uint8_t what = input_byte(input);
    uint32_t number = (uint32_t)input_number(input, 2);

    switch (what % 6) {
    case 0:
        clock_advance(number);
        break;
    case 1:
        peer_come_or_go(stage, number & 1);
        break;
    case 2:
        if (stage->ends[1]->occupant)
            hub_end_set_state(stage->ends[1], number % (CROSSVM_DRIVER_OPEN + 1));
        break;
    case 3:
        hub_end_emit(stage->ends[1], number);
        break;
    case 4: /* programs may write their count as they like */
        *stage->ends[1]->count = (uint64_t)number << (what & 0x30u);
        (void)shared_event_signal(stage->ends[0]->doorbell.fd, 1);
        break;
    default:
        if (stage->ends[1]->occupant)
            hub_end_report(stage->ends[1], &(struct hub_report){.vm_exits = number});
        break;
    }
}

/* --- the hub --- */

int __real_accept4(int listener, struct sockaddr *from, socklen_t *length, int flags);
int __wrap_accept4(int listener, struct sockaddr *from, socklen_t *length, int flags);

/* A hub's socket is soon full, and still takes any message in one piece. */
int __wrap_accept4(int listener, struct sockaddr *from, socklen_t *length, int flags)
{
    static const int bytes = 8192;
    int fd = __real_accept4(listener, from, length, flags);

    if (fd >= 0)
        REQUIRE(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0);
    return fd;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

static bool is_open;

static struct {
    void *(*run)(void *);
    void *argument;
} threads[MOST_THREADS]; /* of the hub, which have not run yet */

static size_t num_threads;

/* A thread of the hub's runs before the stage is served again: so an input does the same every time. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    if (!is_open)
        return __real_pthread_create(thread, attributes, run, argument);
    REQUIRE(num_threads < MOST_THREADS);
    threads[num_threads].run = run;
    threads[num_threads++].argument = argument;
    return 0;
}

static void run_threads(void)
{
    for (size_t i = 0; i < num_threads; i++)
        (void)threads[i].run(threads[i].argument);
    num_threads = 0;
}

static struct hub_door *open_door(struct stage *stage, enum crossvm_door door)
{
    switch (door) {
    case CROSSVM_DOOR_HOST:
        return hub_door_host_open(stage->loop, stage->ends[0], address.sun_path, "fuzz");
    case CROSSVM_DOOR_CROSSVM_VM:
        return hub_door_vm_open(stage->loop, stage->ends[0], address.sun_path);
    case CROSSVM_DOOR_VFIO_USER:
        return hub_door_vfio_user_open(stage->loop, stage->ends[0], address.sun_path, true);
    case CROSSVM_DOOR_IVSHMEM:
        return hub_door_ivshmem_open(stage->loop, stage->ends[0], address.sun_path);
    default:
        return NULL;
    }
}

/* What a process makes once and keeps */
static void prepare(void)
{
    static bool prepared;

    if (prepared)
        return;
    prepared = true;
    drop_messages();
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path("door.sock"));
    REQUIRE(shared_event_prepare() == 0);
}

void stage_open(struct stage *stage, enum crossvm_door door, struct input *input)
{
    static bool spare; /* a listener makes one descriptor that the process keeps */
    struct hub_connection_config config = {
        .name = "fuzz",
        .ends = {{.door = door, .vm = "vm"}, {.door = CROSSVM_DOOR_HOST}},
        .dataports = {{.size = 0x10000, .writer = WRITER_BOTH},
                      {.size = 0x3000, .writer = door == CROSSVM_DOOR_IVSHMEM ? WRITER_BOTH : 1},
                      {.size = 0x200000, .writer = WRITER_BOTH}},
        .num_dataports = STAGE_DATAPORTS,
    };

    prepare();
    clock_start();
    is_open = true;
    *stage = (struct stage){.peer = {.peer_changed = peer_changed, .woken = woken, .ask = ask},
                            .address = &address,
                            .hub_goes_first = input_last_byte(input) & 1u,
                            .leaps = door == CROSSVM_DOOR_CROSSVM_VM || door == CROSSVM_DOOR_IVSHMEM};
    stage->descriptors = count_descriptors();
    stage->loop = hub_loop_create();
    REQUIRE(stage->loop);
    stage->connection = hub_connection_create(stage->loop, &config);
    REQUIRE(stage->connection);
    stage->ends[0] = hub_connection_end(stage->connection, 0);
    stage->ends[1] = hub_connection_end(stage->connection, 1);
    stage->door = open_door(stage, door);
    REQUIRE(stage->door);
    REQUIRE(hub_end_take(stage->ends[1], &stage->peer) == 0);
    stage->idle_descriptors = count_descriptors();
    if (!spare)
        stage->descriptors++;
    spare = true;
}

int stage_connect(struct stage *stage, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    REQUIRE(fd >= 0);
    if (connect(fd, (struct sockaddr *)stage->address, sizeof(*stage->address)) == 0) {
        stage->waiting++;
        return fd;
    }
    close(fd); /* many wait already */
    return -1;
}

void stage_serve(struct stage *stage)
{
    run_threads();
    for (int i = 0; i < TURNS && turn_run(stage->loop); i++)
        ;
    stage->waiting -= TURNS; /* each turn accepts one */
    if (stage->waiting < 0)
        stage->waiting = 0;
}

/* All that was sent is served, one message a turn; what is left then is kept for ever. */
static void serve_all(struct stage *stage)
{
    for (int i = 0; stage->waiting > 0 || count_descriptors() > stage->idle_descriptors; i++) {
        REQUIRE(i < MOST_TURNS);
        stage_serve(stage);
    }
    REQUIRE(!stage->ends[0]->occupant);
    REQUIRE(stage->ends[0]->state == CROSSVM_DRIVER_NONE);
}

void stage_close(struct stage *stage, void (*leave_all)(void *who), void *who)
{
    if (!stage->hub_goes_first) {
        leave_all(who);
        serve_all(stage);
    }
    hub_door_close(stage->door);
    if (stage->ends[1]->occupant)
        hub_end_leave(stage->ends[1]);
    hub_connection_destroy(stage->connection);
    hub_loop_destroy(stage->loop);
    if (stage->hub_goes_first)
        leave_all(who);
    run_threads(); /* they may be the last to need what the hub gave them */
    REQUIRE(count_descriptors() == stage->descriptors);
    is_open = false;
}
