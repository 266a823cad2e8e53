/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A starter with a topology of the test's own: VM 0 has its console in a file, VM 1 has it on standard output, and VM 2
 * is somebody else's to start. Their program is a script of the test.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/run/starter.h"

enum { VM_WITH_FILE, VM_WITH_STDIO, VM_OF_OTHERS, NUM_VMS };

static struct console_vms {
    char folder[32];
    char program[48];
    char console[48];
    struct topology topology;
    struct vm_command_options options;
    struct starter starter;
} vms;

static inline int console_vms_set_up(void **state)
{
    static char name[] = "vm";

    (void)state;
    memset(&vms, 0, sizeof(vms));
    strcpy(vms.folder, "/tmp/crossvm-vms-XXXXXX");
    assert_non_null(mkdtemp(vms.folder));
    (void)snprintf(vms.program, sizeof(vms.program), "%s/program", vms.folder);
    (void)snprintf(vms.console, sizeof(vms.console), "%s/console", vms.folder);
    vms.options.socket_dir = vms.folder;
    vms.topology.num_vms = NUM_VMS;
    for (int i = 0; i < NUM_VMS; i++)
        vms.topology.vms[i] = (struct topology_vm){.name = name, .vmm = VMM_QEMU, .program = vms.program, .vcpus = 1};
    vms.topology.vms[VM_WITH_FILE].console = CONSOLE_FILE;
    vms.topology.vms[VM_WITH_FILE].console_path = vms.console;
    vms.topology.vms[VM_OF_OTHERS].vmm = VMM_EXTERNAL;
    return starter_create(&vms.starter, &vms.topology, &vms.options);
}

static inline int console_vms_tear_down(void **state)
{
    static const char *const files[] = {"program", "console", "console.1"};
    char path[64];

    (void)state;
    starter_end(&vms.starter);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", vms.folder, files[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(vms.folder), 0);
    return 0;
}

#define CONSOLE_VMS_TEST(function) cmocka_unit_test_setup_teardown(function, console_vms_set_up, console_vms_tear_down)

/** How many descriptors a process has. */
static inline int count_descriptors(pid_t process)
{
    char path[64];
    int n = 0;

    for (int fd = 0; fd < 1024; fd++) {
        struct stat status;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)process, fd);
        n += lstat(path, &status) == 0;
    }
    return n;
}
