/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that is no hub, behind the socket that a program opens: replies and news of any kind, with any descriptors,
 * before the program asks and between its calls.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <crossvm/crossvm.h>

#include "../../src/wire/wire.h"
#include "clock.h"
#include "enemy.h"
#include "folder.h"

#define CONNECTIONS 4 /* that a program makes with one input */

static struct sockaddr_un address = {.sun_family = AF_UNIX};

static struct {
    struct input input;
    int listener;
    int sockets[CONNECTIONS]; /* the process's side */
    size_t n;
    int doorbell; /* of the program; -1: none */
} enemy;

static void prepare(void)
{
    if (address.sun_path[0])
        return;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_path("x.sock"));
    enemy.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    REQUIRE(enemy.listener >= 0);
    REQUIRE(bind(enemy.listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    REQUIRE(listen(enemy.listener, 8) == 0);
}

/* --- the process --- */

/* A descriptor that a hub would give in this place; the process keeps the program's doorbell. */
static int good_descriptor(size_t i)
{
    static const uint8_t kinds[] = {0 /* an eventfd */, 3, 9 /* 2 MiB, sealed */};
    struct input input = {i < 2 ? kinds : kinds + 1, 2};
    int fd = enemy_descriptor(&input);

    if (i == 0 && enemy.doorbell < 0)
        enemy.doorbell = dup(fd);
    return fd;
}

/* Like a hub's, and then a few bytes changed. */
static void send_reply(int socket, struct input *input)
{
    uint8_t what = input_byte(input), changes = input_choice(input, 4);
    struct crossvm_wire_reply reply = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, what & 1u ? CROSSVM_WIRE_INFO : CROSSVM_WIRE_ATTACH},
        .name = "x",
        .num_dataports = what >> 1 & 3u,
    };
    size_t size = sizeof(reply) - (what & 0x80u ? input_byte(input) : 0u), n = 0;
    int fds[ENEMY_MOST_FDS];

    for (size_t i = 0; i < reply.num_dataports; i++)
        reply.dataports[i] = (struct crossvm_wire_dataport){
            .size = 0x1000u << input_choice(input, 12),
            .rights = CROSSVM_RIGHT_READ | (i & 1u ? 0 : CROSSVM_RIGHT_WRITE),
            .offset = (uint64_t)input_byte(input) << 12,
        };
    for (uint8_t i = 0; i < changes; i++) {
        size_t at = input_number(input, 2) % sizeof(reply);

        ((uint8_t *)&reply)[at] = input_byte(input);
    }
    if (what & 0x40u)
        n = enemy_descriptors(input, fds, ENEMY_MOST_FDS);
    else if (!(what & 1u))
        for (; n < CROSSVM_WIRE_FIXED_FDS + (what >> 1 & 3u); n++)
            fds[n] = what & 0x20u && input_byte(input) & 1u ? enemy_descriptor(input) : good_descriptor(n);
    (void)enemy_send(socket, &reply, size, fds, n);
}

static void send_news(int socket, struct input *input)
{
    struct crossvm_wire_driver news = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER},
        .driver_state = input_byte(input),
        .generation = input_byte(input),
    };
    int fds[ENEMY_MOST_FDS];

    (void)enemy_send(socket, &news, sizeof(news), fds, enemy_descriptors(input, fds, 3));
}

static void send_raw(int socket, struct input *input)
{
    uint8_t bytes[64];
    int fds[ENEMY_MOST_FDS];
    size_t n = input_choice(input, sizeof(bytes));

    input_bytes(input, bytes, n);
    (void)enemy_send(socket, bytes, n, fds, enemy_descriptors(input, fds, ENEMY_MOST_FDS));
}

static void send_something(int socket)
{
    switch (input_choice(&enemy.input, 4)) {
    case 0:
        send_news(socket, &enemy.input);
        break;
    case 1:
        send_raw(socket, &enemy.input);
        break;
    default:
        send_reply(socket, &enemy.input);
        break;
    }
}

int __real_connect(int socket, const struct sockaddr *to, socklen_t length);
int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length);

/* The process accepts, and sends what it has to say for now. */
int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length)
{
    uint8_t what = input_byte(&enemy.input);
    int server;

    if (enemy.n == CONNECTIONS)
        return -1;
    if (__real_connect(socket, to, length))
        return -1;
    server = accept4(enemy.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    REQUIRE(server >= 0);
    for (unsigned int n = what & 0x80u ? 0 : 1 + (what & 3u); n; n--)
        send_something(server);
    if (what & 0x40u)
        (void)shutdown(server, SHUT_WR);
    enemy.sockets[enemy.n++] = server;
    return 0;
}

/* What it does later */
static void act(int server)
{
    static const uint64_t one = 1;

    switch (input_choice(&enemy.input, 8)) {
    case 0:
        (void)shutdown(server, SHUT_WR);
        break;
    case 1:
    case 2:
        if (enemy.doorbell >= 0)
            (void)!write(enemy.doorbell, &one, sizeof(one)); /* it was made non-blocking */
        break;
    default:
        send_something(server);
        break;
    }
}

/* --- the program --- */

/* All that a program was given to read and to write is there, whatever the other process does. */
static void use_memory(crossvm_end_t *end)
{
    for (size_t i = 0; i < crossvm_num_dataports(end); i++) {
        crossvm_dataport_t dataport = crossvm_dataport(end, i);
        volatile uint8_t *byte = dataport.address;

        REQUIRE(dataport.size && dataport.size % CROSSVM_PAGE_SIZE == 0);
        (void)byte[0];
        (void)byte[dataport.size - 1];
        if (dataport.rights & CROSSVM_RIGHT_WRITE)
            byte[dataport.size - 1] = 1;
    }
}

static void check_info(const crossvm_end_info_t *info)
{
    REQUIRE(info->num_dataports <= CROSSVM_MAX_DATAPORTS);
    REQUIRE(info->end <= 1);
    REQUIRE(memchr(info->name, '\0', sizeof(info->name)));
    for (const char *c = info->location; *c; c++)
        REQUIRE(*c >= ' ' && *c <= '~');
}

static void use(crossvm_end_t *end)
{
    const int server = enemy.sockets[enemy.n - 1];
    crossvm_end_info_t info;
    uint32_t generation;

    use_memory(end);
    for (unsigned int n = input_choice(&enemy.input, 32); n; n--) {
        act(server);
        (void)crossvm_emit(end); /* first: the others notice that the process has ended */
        (void)crossvm_wait(end, CROSSVM_NOW);
        REQUIRE(crossvm_peer_state(end, &generation) <= CROSSVM_PEER_READY);
    }
    if (crossvm_info(end, &info, sizeof(info)) == 0)
        check_info(&info);
    use_memory(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    crossvm_end_t *end;
    int descriptors;

    prepare();
    clock_start();
    descriptors = count_descriptors();
    enemy.input = (struct input){data, size};
    enemy.n = 0;
    enemy.doorbell = -1;
    if (crossvm_open(&end, address.sun_path) == 0) {
        use(end);
        crossvm_close(end);
    } else {
        REQUIRE(crossvm_strerror()[0]);
    }
    while (enemy.n)
        close(enemy.sockets[--enemy.n]);
    if (enemy.doorbell >= 0)
        close(enemy.doorbell);
    REQUIRE(count_descriptors() == descriptors);
    return 0;
}
