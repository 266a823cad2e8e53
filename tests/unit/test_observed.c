/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an observer believes of the process at the socket of a view. The linker puts this file's connect() in the place
 * of the C library's (--wrap): that process is there by then, and has said what it has to say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../../src/top/observed.h"
#include "../../src/wire/descriptors.h"

#define MEMORY_BYTES 0x4000

static char folder[] = "/tmp/crossvm-observed-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener, memfd;

/* The process: its side of the socket, its reply, and a message that it sends after that. */
static int hub = -1;
static struct crossvm_wire_observed reply, told;

static struct observed observed;

static void tell(void)
{
    assert_int_equal(send(hub, &told, sizeof(told), MSG_NOSIGNAL), sizeof(told));
}

int __real_connect(int socket, const struct sockaddr *to, socklen_t length);
int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length);

int __wrap_connect(int socket, const struct sockaddr *to, socklen_t length)
{
    int fds[DESCRIPTORS_MAX];

    if (__real_connect(socket, to, length))
        return -1;
    hub = accept(listener, NULL, NULL);
    assert_true(hub >= 0);
    for (size_t i = 0; i < DESCRIPTORS_MAX; i++)
        fds[i] = memfd;
    assert_int_equal(
        cvm_descriptors_send(hub, &reply, sizeof(reply), fds, CROSSVM_WIRE_OBSERVED_FIXED_FDS + reply.num_dataports),
        0);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    reply = (struct crossvm_wire_observed){
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_OBSERVE},
        .name = "x",
        .num_dataports = 1,
        .dataports = {{.size = 0x1000, .offset = 0x1000, .rights = CROSSVM_RIGHT_READ}},
    };
    told = reply;
    told.header.type = CROSSVM_WIRE_INFO;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    observed_close(&observed);
    if (hub >= 0)
        close(hub);
    hub = -1;
    return 0;
}

static int observe(void)
{
    return observed_open(&observed, address.sun_path);
}

static bool has_more(void)
{
    struct pollfd socket = {.fd = observed.socket, .events = POLLIN};

    return poll(&socket, 1, 0) == 1;
}

/* What was mapped at first is what is unmapped at the end. */
static void a_later_message_leaves_sizes_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(observe(), 0);
    told.dataports[0].size = 0x3000;
    told.ends[1].here = 1;
    tell();
    assert_true(observed_hear(&observed));
    assert_int_equal(observed.told.ends[1].here, 1);
    assert_int_equal(observed.told.dataports[0].size, 0x1000);
}

/* Who tells without end does not keep the call. */
static void messages_that_do_not_end(void **state)
{
    (void)state;
    assert_int_equal(observe(), 0);
    for (int i = 0; i < 40; i++)
        tell();
    assert_true(observed_hear(&observed));
    assert_true(has_more());
    for (int i = 0; i < 40; i++)
        assert_true(observed_hear(&observed));
    assert_false(has_more());
}

static void memory_is_for_reading(void **state)
{
    char path[64], line[256], rights[5] = "";
    FILE *maps = fopen("/proc/self/maps", "re");

    (void)state;
    assert_non_null(maps);
    assert_int_equal(observe(), 0);
    (void)snprintf(path, sizeof(path), "%lx-", (unsigned long)observed.dataports[0]);
    while (!rights[0] && fgets(line, sizeof(line), maps)) {
        if (strncmp(line, path, strlen(path)) == 0)
            assert_int_equal(sscanf(line, "%*s %4s", rights), 1);
    }
    fclose(maps);
    assert_string_equal(rights, "r--s");
}

static void assert_refused(const char *fault)
{
    assert_int_equal(observe(), -EPROTO);
    if (!strstr(crossvm_strerror(), fault))
        fail_msg("\"%s\" does not say \"%s\"", crossvm_strerror(), fault);
    (void)tear_down(NULL);
    (void)set_up(NULL);
}

static void a_reply_that_cannot_be(void **state)
{
    (void)state;
    reply.num_dataports = CROSSVM_MAX_DATAPORTS + 1;
    assert_refused("too many dataports");
    reply.dataports[0].offset = 1;
    assert_refused("a dataport with an impossible");
    reply.dataports[0].size = 2UL * MEMORY_BYTES;
    assert_refused("gave memory that");
    reply.ends[0].page_offset = UINT64_MAX & ~0xfffULL;
    assert_refused("a page with an impossible offset");
    reply.ends[1].door = CROSSVM_DOOR_IVSHMEM + 1;
    assert_refused("a door that is not known");
    reply.ends[1].driver_state = CROSSVM_DRIVER_OPEN + 1;
    assert_refused("a state of an end");
    reply.header.type = CROSSVM_WIRE_INFO;
    assert_refused("a reply to another request");
    memset(reply.name, '/', sizeof(reply.name));
    assert_refused("no name");
    reply.status = 0x10000;
    assert_refused("an impossible status");
}

/* It is forgotten then. */
static void a_message_that_cannot_be(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(observe(), 0);
        told.status = i == 0 ? EACCES : 0;
        told.num_dataports = i == 1 ? 2 : 1;
        told.dataports[1] = told.dataports[0];
        told.header.type = i == 2 ? CROSSVM_WIRE_OBSERVE : CROSSVM_WIRE_INFO;
        told.name[0] = i == 3 ? '.' : 'x';
        tell();
        assert_false(observed_hear(&observed));
        (void)tear_down(NULL);
    }
    assert_int_equal(observe(), 0);
    close(hub);
    hub = -1;
    assert_false(observed_hear(&observed)); /* nobody is there */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_later_message_leaves_sizes_as_they_are),
        TEST(messages_that_do_not_end),
        TEST(memory_is_for_reading),
        TEST(a_reply_that_cannot_be),
        TEST(a_message_that_cannot_be),
    };
    int failed;

    if (!mkdtemp(folder))
        return 1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/x.view", folder);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    memfd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8) ||
        ftruncate(memfd, MEMORY_BYTES) || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
        return 1;
    failed = cmocka_run_group_tests_name("observed", tests, NULL, NULL);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
    return failed;
}
