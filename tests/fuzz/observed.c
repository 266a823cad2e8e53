/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that is no hub, behind the socket of a view: messages of any kind, with any descriptors, and memory in
 * which anything may be, and another thing at each load.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <crossvm/channel_layout.h>
#include <crossvm/crossvm.h>

#include "../../src/common/clock.h"
#include "../../src/top/observed.h"
#include "changing.h"
#include "clock.h"
#include "enemy.h"
#include "folder.h"

#define MEMORY_BYTES 0x2000

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static struct {
    struct input input;
    int listener;
    int socket;              /* the process's side; -1: nobody has come */
    uint32_t *memory;        /* a channel, whose words change while somebody looks; NULL: none was given */
    unsigned int loads_left; /* until a word changes */
} enemy;

static void prepare(void)
{
    if (address.sun_path[0])
        return;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path("x.view"));
    enemy.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    REQUIRE(enemy.listener >= 0);
    REQUIRE(bind(enemy.listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    REQUIRE(listen(enemy.listener, 8) == 0);
}

/* --- the process --- */

static void put(unsigned int end, unsigned int at, uint32_t value)
{
    enemy.memory[(CROSSVM_CHANNEL_BLOCK_AT(end) + at) / 4] = value;
}

/* Both ends of a channel, in a session. */
static void open_channel(void)
{
    for (unsigned int end = 0; end < 2; end++) {
        put(end, CROSSVM_CHANNEL_MAGIC_AT, CROSSVM_CHANNEL_MAGIC);
        put(end, CROSSVM_CHANNEL_VERSION_AT, CROSSVM_CHANNEL_VERSION);
        put(end, CROSSVM_CHANNEL_MODE_AT, CROSSVM_CHANNEL_DATAGRAM);
        put(end, CROSSVM_CHANNEL_RING_BYTES_AT, (MEMORY_BYTES - CROSSVM_CHANNEL_RINGS_AT) / 2 / 64 * 64);
        put(end, CROSSVM_CHANNEL_GENERATION_AT, end + 1);
        put(end, CROSSVM_CHANNEL_ACK_AT, 2 - end);
    }
}

/* A channel is in the first dataport of the first message that has descriptors. */
static int make_memory(size_t i)
{
    int fd = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    REQUIRE(fd >= 0 && ftruncate(fd, MEMORY_BYTES) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    if (i != CROSSVM_WIRE_OBSERVED_FIXED_FDS || enemy.memory)
        return fd;
    enemy.memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(enemy.memory != MAP_FAILED);
    open_channel();
    return fd;
}

/* Like a hub's, and then a few bytes changed. */
static void send_message(struct input *input)
{
    uint8_t what = input_byte(input), changes = input_choice(input, 4);
    struct crossvm_wire_observed told = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, what & 1u ? CROSSVM_WIRE_INFO : CROSSVM_WIRE_OBSERVE},
        .name = "x",
        .num_dataports = 2,
        .dataports = {{.size = MEMORY_BYTES, .rights = CROSSVM_RIGHT_READ},
                      {.size = CROSSVM_PAGE_SIZE, .rights = CROSSVM_RIGHT_READ, .offset = CROSSVM_PAGE_SIZE}},
    };
    size_t size = sizeof(told) - (what & 0x80u ? input_byte(input) : 0u), n = 0;
    int fds[ENEMY_MOST_FDS];

    for (uint8_t i = 0; i < changes; i++) {
        size_t at = input_number(input, 2) % sizeof(told);

        ((uint8_t *)&told)[at] = input_byte(input);
    }
    if (what & 0x40u)
        n = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    else if (!(what & 1u))
        for (; n < CROSSVM_WIRE_OBSERVED_FIXED_FDS + 2; n++)
            fds[n] = what & 0x20u && input_byte(input) & 1u ? enemy_descriptor(input) : make_memory(n);
    (void)enemy_send(enemy.socket, &told, size, fds, n);
}

int __real_connect(int socket, const struct sockaddr *to, socklen_t length);
int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length);

/* The process accepts, and sends what it has to say for now. */
int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length)
{
    uint8_t what = input_byte(&enemy.input);

    if (__real_connect(socket, to, length))
        return -1;
    enemy.socket = accept4(enemy.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    REQUIRE(enemy.socket >= 0);
    for (unsigned int n = what & 0x80u ? 0 : 1 + (what & 3u); n; n--)
        send_message(&enemy.input);
    if (what & 0x40u)
        (void)shutdown(enemy.socket, SHUT_WR);
    return 0;
}

/* It may tell more later, or end. */
static void act(struct input *input)
{
    switch (input_choice(input, 8)) {
    case 0:
        (void)shutdown(enemy.socket, SHUT_WR);
        break;
    case 1:
    case 2:
        send_message(input);
        break;
    default:
        break;
    }
}

/* Stores to a word of a block, or to one of the first of the rings. */
static void change_word(struct input *input)
{
    uint8_t where = input_byte(input);
    size_t at = where & 0x80u ? CROSSVM_CHANNEL_RINGS_AT / 4 + (where & 0x7fu) : where % 0xc0u;

    enemy.memory[at] = (uint32_t)input_number(input, where & 1u ? 4 : 2);
}

static void change_memory(struct input *input)
{
    for (unsigned int n = input_choice(input, 8); enemy.memory && n; n--)
        change_word(input);
}

/* Before any load of the channel, after so many as the end of the input says. */
void memory_changes(const volatile void *at, size_t size)
{
    (void)at;
    (void)size;
    if (!enemy.input.left || enemy.loads_left-- > 0)
        return;
    enemy.loads_left = input_last_byte(&enemy.input);
    if (enemy.memory)
        change_word(&enemy.input);
}

/* --- the observer --- */

static void check(const struct observed *observed)
{
    REQUIRE(memchr(observed->told.name, '\0', sizeof(observed->told.name)));
    for (unsigned int end = 0; end < 2; end++) {
        REQUIRE(observed->told.ends[end].door <= CROSSVM_DOOR_IVSHMEM);
        for (const char *c = observed->told.ends[end].vm; *c; c++)
            REQUIRE(*c >= ' ' && *c <= '~');
        (void)observed_events(observed, end);
    }
    for (size_t i = 0; i < observed->told.num_dataports; i++) {
        for (unsigned int end = 0; end < 2; end++)
            REQUIRE(observed->channels[i].flows[end].fill <= observed->channels[i].ring_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct observed observed;
    int descriptors;

    prepare();
    clock_start();
    descriptors = count_descriptors();
    enemy.input = (struct input){data, size};
    enemy.socket = -1;
    enemy.memory = NULL;
    enemy.loads_left = input_last_byte(&enemy.input);
    if (observed_open(&observed, address.sun_path) == 0) {
        while (enemy.input.left) {
            change_memory(&enemy.input);
            act(&enemy.input);
            observed_look(&observed, now_ns());
            observed_ask(&observed);
            (void)observed_hear(&observed);
            check(&observed);
            clock_advance(100);
        }
        observed_close(&observed);
    } else {
        REQUIRE(crossvm_strerror()[0]);
    }
    if (enemy.memory)
        munmap(enemy.memory, MEMORY_BYTES);
    if (enemy.socket >= 0)
        close(enemy.socket);
    REQUIRE(count_descriptors() == descriptors);
    return 0;
}
