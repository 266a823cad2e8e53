/* SPDX-License-Identifier: BSD-2-Clause */
/* The command hub: sockets, who is told of them, and the end. Argument: the tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "topology_file.h"

#define TOPOLOGY                                                                                                       \
    "vms:\n  - {name: web, vmm: external}\n  - {name: db, vmm: external, door: ivshmem}\n"                             \
    "  - {name: old, kernel: kernel}\nconnections:\n"                                                                  \
    "  - {name: a, ends: [web, host], dataports: [{size: 64K}]}\n  - {name: b, ends: [web, db]}\n"                     \
    "  - {name: c, ends: [old, host]}\n"

static pid_t start_hub(void)
{
    pid_t hub;

    file_write("t.yaml", TOPOLOGY);
    hub = tool_start((const char *const[]){"hub", "-d", "sockets", "t.yaml", NULL});
    file_await("out", "sockets/c@old.crossvm-vm\n");
    return hub;
}

/* No VM is started, whatever the file says. */
static void all_sockets_are_there(void **state)
{
    static const char *const sockets[] = {"a.sock",       "a@web.vfio-user", "b@web.vfio-user",
                                          "b@db.ivshmem", "c.sock",          "c@old.crossvm-vm"};
    pid_t hub = start_hub();

    (void)state;
    assert_string_equal(file_read("out"), "sockets/a@web.vfio-user\nsockets/b@web.vfio-user\nsockets/b@db.ivshmem\n"
                                          "sockets/c@old.crossvm-vm\n");
    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
        char path[64];

        (void)snprintf(path, sizeof(path), "sockets/%s", sockets[i]);
        assert_int_equal(access(path, F_OK), 0);
    }
    assert_int_equal(kill(hub, SIGTERM), 0);
    assert_int_equal(tool_finish(hub), 0);
    assert_string_equal(file_read("err"), "");
    assert_int_equal(rmdir("sockets"), 0); /* nothing is left in it */
}

/* A host program that looks sees by which door the peer comes. */
static void doors_are_shown(void **state)
{
    pid_t hub = start_hub();

    (void)state;
    assert_int_equal(shell_run("CROSSVM_DIR=sockets \"$0\" ls >listed"), 0);
    assert_string_equal(file_read("listed"), "NAME  VIA     LOCATION  DOOR                 PEER    EVENTS  DATAPORTS\n"
                                             "a     socket  web       vfio-user (no VMM)   absent  -       64K rw\n"
                                             "c     socket  old       crossvm-vm (no VMM)  absent  -       -\n");
    assert_int_equal(kill(hub, SIGINT), 0);
    (void)tool_finish(hub);
}

static void one_hub_at_a_time(void **state)
{
    pid_t hub = start_hub();

    (void)state;
    assert_int_equal(shell_run("\"$0\" hub -d sockets t.yaml >second 2>&1"), 2);
    assert_non_null(strstr(file_read("second"), "another process"));
    assert_int_equal(access("sockets/a@web.vfio-user", F_OK), 0);
    assert_int_equal(kill(hub, SIGTERM), 0);
    (void)tool_finish(hub);
}

static void systemd_is_told(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "notify"};
    int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[64], path[80];
    pid_t hub;

    (void)state;
    assert_int_equal(bind(socket_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_non_null(getcwd(text, sizeof(text)));
    (void)snprintf(path, sizeof(path), "%s/notify", text);
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    hub = start_hub();
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    assert_int_equal(recv(socket_fd, text, sizeof(text), 0), 7);
    assert_memory_equal(text, "READY=1", 7);
    assert_int_equal(kill(hub, SIGTERM), 0);
    assert_int_equal(tool_finish(hub), 0);
    close(socket_fd);

    assert_int_equal(shell_run("NOTIFY_SOCKET=nowhere exec \"$0\" hub -d s t.yaml"), 2);
    assert_non_null(strstr(file_read("err"), "NOTIFY_SOCKET is \"nowhere\", which is no path of a socket"));
}

/* Memory counts for all connections together. */
static void more_memory_than_there_is(void **state)
{
    (void)state;
    file_write("t.yaml", "vms:\n  - {name: web, vmm: external}\nconnections:\n"
                         "  - {name: a, ends: [web, host], dataports: [{size: 4K}]}\n"
                         "  - {name: b, ends: [web, host], dataports: [{size: 1024G}]}\n");
    /* One that promises it ends, too, and says something else. */
    assert_int_equal(shell_run("NOTIFY_SOCKET=nowhere exec \"$0\" hub -d sockets t.yaml"), 2);
    assert_non_null(strstr(file_read("err"), "connection \"b\": the dataports up to its own take 1073741828K, and this "
                                             "machine has "));
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN("hub"), 2);
    assert_non_null(strstr(file_read("err"), "the FILE with a topology is missing"));
    assert_int_equal(RUN("hub", "a", "b"), 2);
    assert_non_null(strstr(file_read("err"), "one FILE is enough; what is \"b\" for?"));
    assert_int_equal(RUN("hub", "nowhere.yaml"), 2);
    assert_non_null(strstr(file_read("err"), "nowhere.yaml: cannot read it"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(all_sockets_are_there), FOLDER_TEST(doors_are_shown),           FOLDER_TEST(one_hub_at_a_time),
        FOLDER_TEST(systemd_is_told),       FOLDER_TEST(more_memory_than_there_is), FOLDER_TEST(wrong_usage),
    };

    if (argc < 2)
        return 1;
    tool = argv[1];
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
