/* SPDX-License-Identifier: BSD-2-Clause */
/* Topology files: what is wrong with them is said with file, line and path; and what is right becomes devices.
 * Arguments: the tool, and crossvm-vm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topology_file.h"

#define FILE_NAME "t.yaml"
#define ONE_VM "vms:\n  - {name: a, kernel: kernel}\n"
#define TWO_VMS ONE_VM "  - {name: bee, kernel: kernel}\nconnections:\n"

/* A file, and all that is said of it. */
struct fault {
    const char *text;
    const char *said;
};

static void assert_said(const char *text, const char *said)
{
    file_write(FILE_NAME, text);
    assert_int_equal(RUN("run", "--check", FILE_NAME), 2);
    if (strcmp(file_read("err"), said) != 0)
        fail_msg("of\n%sit says\n%snot\n%s", text, file_read("err"), said);
    assert_string_equal(file_read("out"), "");
}

static void assert_all_said(const struct fault *faults, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_said(faults[i].text, faults[i].said);
}

static void no_topology(void **state)
{
    static const struct fault faults[] = {
        {"", "t.yaml: there is nothing in it\n"},
        {"vms: [a\n",
         "t.yaml:2: did not find expected ',' or ']', while parsing a flow sequence that began at line 1; is "
         "the indentation right?\n"},
        {"vms:\n\t- a\n",
         "t.yaml:2: found character that cannot start any token, while scanning for the next token that "
         "began at line 2; is the indentation right?\n"},
        {"\x80\n", "t.yaml: invalid leading UTF-8 octet at byte 0; YAML is text in UTF-8\n"},
        {ONE_VM "---\nx: y\n", "t.yaml:4: a second document begins here; a topology is one\n"},
        {"- a\n", "t.yaml:1: this must be a mapping, with the keys vms, connections\n"},
        {"vms: *a\n", "t.yaml:1: found undefined alias\n"},
        {"connections: []\n", "t.yaml:1: the key \"vms\" is missing\n"},
        {ONE_VM "vms: []\n", "t.yaml:3: the key \"vms\" is there twice; leave one\n"},
        {ONE_VM "conections: []\n", "t.yaml:3: there is no key \"conections\"; did you mean \"connections\"?\n"},
        {ONE_VM "network: []\n", "t.yaml:3: there is no key \"network\"; there are vms, connections\n"},
        {ONE_VM "[x]: y\n", "t.yaml:3: a key must be a word\n"},
        {ONE_VM "\"vms\\0\": y\n", "t.yaml:3: a key must be a word\n"},
        {ONE_VM "\"\\e[2J\": y\n", "t.yaml:3: there is no key \"?[2J\"; there are vms, connections\n"},
        {"vms:\n  - &a {name: a, kernel: kernel}\n  - {<<: *a, name: b}\n",
         "t.yaml:3: vms[1]: merge keys (<<) are not supported; write the keys out\n"
         "t.yaml:3: vms[1]: the key \"kernel\" is missing\n"},
    };

    (void)state;
    assert_all_said(faults, sizeof(faults) / sizeof(faults[0]));
    assert_int_equal(RUN("run", "--check", "nowhere.yaml"), 2);
    assert_string_equal(file_read("err"), "nowhere.yaml: cannot read it: No such file or directory\n");
    assert_int_equal(RUN("run", "--check", "."), 2);
    assert_string_equal(file_read("err"), ".: this is a directory; name a file\n");
}

/* --- limits --- */

/* A text that repeats another one. Good until the next call. */
static const char *repeat(const char *before, const char *text, size_t n, const char *after)
{
    static char made[1 << 19];
    char *next = stpcpy(made, before);

    assert_true(strlen(before) + n * strlen(text) + strlen(after) < sizeof(made));
    while (n--)
        next = stpcpy(next, text);
    stpcpy(next, after);
    return made;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Some are printed, the rest are counted; neither is any line long. */
static void many_errors(void **state)
{
    const char *last;

    (void)state;
    file_write(FILE_NAME, repeat("vms: []\n", "vms: []\n", 1999, ""));
    assert_int_equal(RUN("run", "--check", FILE_NAME), 2);
    assert_int_equal(count_lines(file_read("err")), 21);
    last = strstr(file_read("err"), "t.yaml: and ");
    assert_non_null(last);
    assert_string_equal(last, "t.yaml: and 1980 more\n"); /* 1999 of keys, and that there is no VM */

    file_write(FILE_NAME, repeat("vms: [{name: ", "x", 100000, ", kernel: kernel}]\n"));
    assert_int_equal(RUN("run", "--check", FILE_NAME), 2);
    assert_int_equal(count_lines(file_read("err")), 1);
    assert_true(strlen(file_read("err")) < 1000);
    assert_non_null(strstr(file_read("err"), "xxx...\n"));
}

/* What would take libyaml minutes is refused before that. */
static void large_documents(void **state)
{
    (void)state;
    assert_said(repeat("", "[", 200000, ""),
                "t.yaml:1: this is more than 16 lists and mappings deep; a topology is not\n");
    assert_said(repeat("\n", "- ", 100000, ""),
                "t.yaml:2: this is more than 16 lists and mappings deep; a topology is not\n");
    assert_said(repeat("[", "x,", 30000, "]"),
                "t.yaml:1: here are more than the 20000 values that a topology may have\n");
    assert_said(repeat("", "#", 262145, ""), "t.yaml: it is longer than the 256 KiB that a topology may have\n");
    assert_said(repeat("vms: [{name: a, kernel: kernel, command_line: ", "x", 2025, "}]\n"),
                "t.yaml:1: vms[0].command_line: this has 2025 bytes, and at most 2024 fit\n");
    file_write(FILE_NAME, repeat(ONE_VM "#", "#", 260000, "\n"));
    assert_int_equal(RUN("run", "--check", FILE_NAME), 0);
}

static void standard_input(void **state)
{
    (void)state;
    file_write("in", ONE_VM);
    assert_int_equal(shell_run("exec \"$0\" run --check - <in"), 0);
    assert_string_equal(file_read("out"), "standard input: VMs: 1, connections: 0; nothing is wrong\n");
    assert_int_equal(shell_run("exec \"$0\" run --check - </dev/null"), 2);
    assert_string_equal(file_read("err"), "standard input: there is nothing in it\n");
}

/* --- what is in it --- */

static void wrong_vms(void **state)
{
    static const struct fault faults[] = {
        {"vms: a\n", "t.yaml:1: vms: this must be a list\n"},
        {"vms: []\n", "t.yaml:1: vms: there is no VM; give at least one\n"},
        {"vms:\n  - a\n",
         "t.yaml:2: vms[0]: this must be a mapping, with the keys name, vmm, kernel, initramfs, command_line, "
         "user, memory, vcpus, console, restart\n"},
        {"vms:\n  - name: a\n", "t.yaml:2: vms[0]: the key \"kernel\" is missing\n"},
        {"vms:\n  - kernel: kernel\n", "t.yaml:2: vms[0]: the key \"name\" is missing\n"},
        {"vms:\n  - {name: a, kernel: kernel,\n     initrd: x}\n",
         "t.yaml:3: vms[0]: there is no key \"initrd\"; there are name, vmm, kernel, initramfs, command_line, user, "
         "memory, vcpus, console, restart\n"},
        {"vms:\n  - {name: a, kernl: kernel, kernel: kernel}\n",
         "t.yaml:2: vms[0]: there is no key \"kernl\"; did you mean \"kernel\"?\n"},
        {"vms:\n  - {name: a/b, kernel: kernel}\n", "t.yaml:2: vms[0].name: \"a/b\" is no name: a name has 1 to 63 of "
                                                    "the characters A-Z a-z 0-9 . _ - and is not . or ..\n"},
        {"vms:\n  - {name: '', kernel: kernel}\n", "t.yaml:2: vms[0].name: the value is empty\n"},
        {"vms:\n  - {name: \"a\\0b\", kernel: kernel}\n", "t.yaml:2: vms[0].name: the value has a NUL byte in it\n"},
        {"vms:\n  - {name: [a], kernel: kernel}\n", "t.yaml:2: vms[0].name: this must be a single value\n"},
        {"vms:\n  - {name: host, kernel: kernel}\n",
         "t.yaml:2: vms[0]: no VM can have the name \"host\", which means the host\n"},
        {"vms:\n  - {name: both, kernel: kernel}\n",
         "t.yaml:2: vms[0]: no VM can have the name \"both\", which means both ends\n"},
        {ONE_VM "  - {name: a, kernel: kernel}\n",
         "t.yaml:3: vms[1]: the name \"a\" is another VM's; choose one for each\n"},
        {"vms:\n  - name: a\n    kernel: nowhere\n",
         "t.yaml:3: vms[0].kernel: cannot read ./nowhere: No such file or directory\n"},
        {"vms:\n  - name: a\n    kernel: kernel\n    initramfs: /no/where\n",
         "t.yaml:4: vms[0].initramfs: cannot read /no/where: No such file or directory\n"},
        {"vms:\n  - {name: a, kernel: /}\n", "t.yaml:2: vms[0].kernel: / is a directory; name a regular file\n"},
        {"vms:\n  - {name: a, kernel: /dev/null}\n",
         "t.yaml:2: vms[0].kernel: /dev/null is a device, FIFO or socket; name a regular file\n"},
        {"vms:\n  - {name: a, kernel: kernel, memory: 08x}\n",
         "t.yaml:2: vms[0].memory: \"08x\" is no size; give bytes, or a number with K, M or G, such as 64K\n"},
        {"vms:\n  - {name: a, kernel: kernel, command_line: [x]}\n",
         "t.yaml:2: vms[0].command_line: this must be a single value\n"},
        {"vms:\n  - {name: a, kernel: kernel, memory: much}\n",
         "t.yaml:2: vms[0].memory: \"much\" is no size; give bytes, or a number with K, M or G, such as 64K\n"},
        {"vms:\n  - {name: a, kernel: kernel, memory: 100K}\n",
         "t.yaml:2: vms[0].memory: 100K is no multiple of 1 MiB\n"},
        {"vms:\n  - {name: a, kernel: kernel, memory: 8M}\n", "t.yaml:2: vms[0].memory: 8M is not from 16M to 2G\n"},
        {"vms:\n  - {name: a, kernel: kernel, memory: 99999999999G}\n",
         "t.yaml:2: vms[0].memory: \"99999999999G\" is no size; give bytes, or a number with K, M or G, such as 64K\n"},
        {"vms:\n  - {name: a, kernel: kernel, vcpus: 9}\n",
         "t.yaml:2: vms[0].vcpus: \"9\" is not a number from 1 to 8\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: stdin}\n",
         "t.yaml:2: vms[0].console: \"stdin\" is not stdio, nor has it one of the keys file and socket\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {}}\n",
         "t.yaml:2: vms[0].console: this must be stdio, or have one of the keys file and socket\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {file: x, socket: y}}\n",
         "t.yaml:2: vms[0].console: this must be stdio, or have one of the keys file and socket\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {pipe: x}}\n",
         "t.yaml:2: vms[0].console: there is no key \"pipe\"; there are file, max_size, socket\n"
         "t.yaml:2: vms[0].console: this must be stdio, or have one of the keys file and socket\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {file: x, max_size: 4K}}\n",
         "t.yaml:2: vms[0].console.max_size: 4K is not from 64K to 1024G\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {socket: x, max_size: 1M}}\n",
         "t.yaml:2: vms[0].console.max_size: a console at a socket has no size; leave it out\n"},
        {"vms:\n  - {name: a, kernel: kernel, console: {socket: "
         "/a23456789/b23456789/c23456789/d23456789/e23456789/f23456789/g23456789/h23456789/i23456789/j23456789/"
         "k23456789"
         "}}\n",
         "t.yaml:2: vms[0].console.socket: "
         "/a23456789/b23456789/c23456789/d23456789/e23456789/f23456789/g23456789/h23456789/i23456789/j23456789/"
         "k23456789 "
         "is too long for a socket; choose a shorter path\n"},
        {"vms:\n  - {name: a, vmm: qemu, command_line: quiet, initramfs: kernel}\n",
         "t.yaml:2: vms[0].initramfs: there is no kernel for it; give `kernel`, too, or leave this out\n"
         "t.yaml:2: vms[0].command_line: there is no kernel for it; give `kernel`, too, or leave this out\n"},
        {"vms:\n  - {name: a, kernel: kernel, restart: allways}\n",
         "t.yaml:2: vms[0].restart: \"allways\" is not one of never, on-failure, always; did you mean \"always\"?\n"},
    };

    (void)state;
    assert_all_said(faults, sizeof(faults) / sizeof(faults[0]));
}

static void wrong_connections(void **state)
{
    static const struct fault faults[] = {
        {TWO_VMS "  x\n", "t.yaml:5: connections: this must be a list\n"},
        {TWO_VMS "  - {ends: [a, bee]}\n", "t.yaml:5: connections[0]: the key \"name\" is missing\n"},
        {TWO_VMS "  - {name: x}\n", "t.yaml:5: connections[0]: the key \"ends\" is missing\n"},
        {TWO_VMS "  - {name: .., ends: [a, bee]}\n", "t.yaml:5: connections[0].name: \"..\" is no name: a name has 1 "
                                                     "to 63 of the characters A-Z a-z 0-9 . _ - and is not . or ..\n"},
        {TWO_VMS "  - {name: x, ends: a}\n", "t.yaml:5: connections[0].ends: this must be a list\n"},
        {TWO_VMS "  - {name: x, ends: [a]}\n", "t.yaml:5: connections[0].ends: a connection has two ends, not 1\n"},
        {TWO_VMS "  - name: x\n    ends:\n      - a\n      - be\n",
         "t.yaml:8: connections[0].ends[1]: there is no VM \"be\"; did you mean \"bee\"?\n"},
        {TWO_VMS "  - {name: x, ends: [a, nobody]}\n",
         "t.yaml:5: connections[0].ends[1]: there is no VM \"nobody\"; an end is the name of a VM, or \"host\"\n"},
        {TWO_VMS "  - {name: x, ends: [a, a]}\n", "t.yaml:5: connections[0].ends: both ends are the same VM's; a "
                                                  "connection joins two VMs, or a VM and the host\n"},
        {TWO_VMS "  - {name: x, ends: [host, host]}\n", "t.yaml:5: connections[0].ends: both ends are on the host; a "
                                                        "connection joins two VMs, or a VM and the host\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee]}\n  - {name: x, ends: [bee, host]}\n",
         "t.yaml:6: connections[1]: bee has a connection \"x\" already; choose another name\n"},
        {TWO_VMS "  - {name: x, ends: [a, host]}\n  - {name: x, ends: [host, bee]}\n",
         "t.yaml:6: connections[1]: the host has a connection \"x\" already; choose another name\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: 64K}\n",
         "t.yaml:5: connections[0].dataports: this must be a list\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [{}, {}, {}, {}, {}]}\n",
         "t.yaml:5: connections[0].dataports: 5 dataports are more than the 4 that a device can have\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [64K]}\n",
         "t.yaml:5: connections[0].dataports[0]: this must be a mapping, with the keys size, writer\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [{writer: a}]}\n",
         "t.yaml:5: connections[0].dataports[0]: the key \"size\" is missing\n"},
        {TWO_VMS "  - name: x\n    ends: [a, bee]\n    dataports:\n      - size: 4K\n      - size: 1000\n",
         "t.yaml:9: connections[0].dataports[1].size: 1000 is no multiple of 4 KiB\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [{size: 0}]}\n",
         "t.yaml:5: connections[0].dataports[0].size: 0 is not from 4K to 512M\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [{size: 513M}]}\n",
         "t.yaml:5: connections[0].dataports[0].size: 513M is not from 4K to 512M\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], dataports: [{size: 4K, writer: host}]}\n",
         "t.yaml:5: connections[0].dataports[0].writer: \"host\" is not one of a, bee, both\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], base_block_only: yes}\n",
         "t.yaml:5: connections[0].base_block_only: \"yes\" is not one of false, true\n"},
        {TWO_VMS "  - {name: x, ends: [a, bee], base_block_only: true, dataports: [{size: 4K}, {size: 4K}]}\n",
         "t.yaml:5: connections[0].base_block_only: a device of the base block only has one dataport, not 2\n"},
    };

    (void)state;
    assert_all_said(faults, sizeof(faults) / sizeof(faults[0]));
}

/* As many BARs as a VM has room for, and a page more. */
static void room_for_bars(void **state)
{
    (void)state;
    /* 512 + 128 + 64 + 32 + 16 + 8 MiB, and 16 KiB of registers */
    file_write(FILE_NAME, ONE_VM "connections:\n"
                                 "  - {name: x, ends: [a, host], dataports: [{size: 512M}, {size: 65M}, {size: 64M}]}\n"
                                 "  - {name: y, ends: [a, host], dataports: [{size: 32M}, {size: 16M}, {size: 8M}]}\n");
    assert_int_equal(RUN("run", "--check", FILE_NAME), 0);
    assert_int_equal(RUN("run", "--dump", FILE_NAME), 0);
    assert_said(
        ONE_VM "connections:\n"
               "  - {name: x, ends: [a, host], dataports: [{size: 512M}, {size: 65M}, {size: 64M}]}\n"
               "  - {name: y, ends: [a, host], dataports: [{size: 32M}, {size: 16M}, {size: 16M}]}\n",
        "t.yaml:4: connections: the connections of VM a take 786448 KiB, and there are 768 MiB; a dataport takes "
        "the next power of two\n");
}

#define TEN "/a23456789"
#define LONG_FOLDER TEN TEN TEN TEN TEN TEN TEN TEN TEN /* 90 bytes */

static void sockets_with_long_paths(void **state)
{
    (void)state;
    file_write(FILE_NAME, ONE_VM "connections:\n  - {name: x, ends: [a, host]}\n  - {name: xxxx, ends: [host, a]}\n");
    assert_int_equal(RUN("run", "--check", "-d", LONG_FOLDER, FILE_NAME), 2);
    assert_string_equal(file_read("err"),
                        "t.yaml:5: connections[1]: the path " LONG_FOLDER
                        "/xxxx@a.crossvm-vm is too long for a socket; choose shorter names, or another "
                        "--socket-dir\n");
    assert_int_equal(setenv("CROSSVM_DIR", LONG_FOLDER, 1), 0);
    assert_int_equal(RUN("run", "--check", FILE_NAME), 2);
    assert_int_equal(setenv("CROSSVM_DIR", "", 1), 0);
    assert_int_equal(RUN("run", "--check", FILE_NAME), 0);
    assert_int_equal(unsetenv("CROSSVM_DIR"), 0);
}

static void sockets_with_paths_that_are_no_text(void **state)
{
    (void)state;
    file_write(FILE_NAME, "vms:\n  - {name: a, vmm: qemu}\n  - {name: b, vmm: qemu, door: ivshmem}\n"
                          "connections:\n  - {name: x, ends: [b, a]}\n");
    assert_int_equal(RUN("run", "--check", "-d", "/\xff", FILE_NAME), 2);
    assert_string_equal(file_read("err"),
                        "t.yaml:5: connections[0]: the path /\xff/x@a.vfio-user is not UTF-8, as QEMU "
                        "wants it; choose another --socket-dir\n");
}

static void many_vms_and_connections(void **state)
{
    static char text[65536];
    size_t used = 0;

    (void)state;
    used = (size_t)snprintf(text, sizeof(text), "vms:\n");
    for (int i = 0; i < 33; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "  - {name: v%d, kernel: kernel}\n", i);
    assert_said(text, "t.yaml:2: vms: 33 VMs are more than 32\n");
    used = (size_t)snprintf(text, sizeof(text), ONE_VM "connections:\n");
    for (int i = 0; i < 257; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "  - {name: c%d, ends: [a, host]}\n", i);
    assert_said(text, "t.yaml:4: connections: 257 connections are more than 256\n");
}

#define LONG "a23456789b23456789c23456789d23456789e23456789f23456789g2345678" /* one less than the most */

static void long_names(void **state)
{
    (void)state;
    assert_said("vms:\n  - {name: " LONG "1, kernel: kernel}\n  - {name: " LONG "2, kernel: kernel}\n"
                "connections:\n"
                "  - {name: c, ends: [" LONG "1, " LONG "2], dataports: [{size: 4K, writer: y}]}\n",
                "t.yaml:5: connections[0].dataports[0].writer: \"y\" is not one of " LONG "1, " LONG "2, both\n");
}

static void other_vmms(void **state)
{
    static const struct fault faults[] = {
        {"vms:\n  - {name: a, vmm: quemu}\n",
         "t.yaml:2: vms[0].vmm: \"quemu\" is not one of crossvm-vm, qemu, external; did you mean \"qemu\"?\n"
         "t.yaml:2: vms[0]: the key \"kernel\" is missing\n"},
        {"vms:\n  - {name: a, vmm: external, kernel: kernel}\n",
         "t.yaml:2: vms[0]: there is no key \"kernel\"; there are name, vmm, door\n"},
        {"vms:\n  - {name: a, kernel: kernel, door: ivshmem}\n",
         "t.yaml:2: vms[0]: there is no key \"door\"; there are name, vmm, kernel, initramfs, command_line, user, "
         "memory, vcpus, console, restart\n"},
        {"vms:\n  - {name: a, vmm: qemu, door: crossvm-vm}\n",
         "t.yaml:2: vms[0].door: QEMU has no such door; choose vfio-user or ivshmem\n"},
        {"vms:\n  - {name: a, vmm: external, door: ivshmem}\nconnections:\n"
         "  - {name: x, ends: [a, host], dataports: [{size: 4K}, {size: 4K, writer: host}]}\n",
         "t.yaml:4: connections[0].dataports[1].writer: over ivshmem both ends can write all memory; leave this out, "
         "or "
         "choose another door\n"},
        {"vms:\n  - {name: a, vmm: qemu}\nconnections:\n"
         "  - {name: x, ends: [a, host], base_block_only: true}\n",
         "t.yaml:4: connections[0].base_block_only: only crossvm-vm has devices of the base block only\n"},
    };

    (void)state;
    assert_all_said(faults, sizeof(faults) / sizeof(faults[0]));
    /* What crossvm-vm cannot have, others can. */
    file_write(FILE_NAME, "vms:\n  - {name: a, vmm: qemu, memory: 8G, vcpus: 16}\nconnections:\n"
                          "  - {name: x, ends: [a, host], dataports: [{size: 2G}]}\n");
    assert_int_equal(RUN("run", "--check", FILE_NAME), 0);
    assert_int_equal(RUN("run", "--dump", FILE_NAME), 0);
    assert_string_equal(file_read("out"), "");
    assert_int_equal(RUN("run", "--dump", "--json", FILE_NAME), 0);
    assert_string_equal(file_read("out"), "[]\n");
}

/* One run tells of all faults. */
static void all_faults_at_once(void **state)
{
    (void)state;
    assert_said("vms:\n  - {name: a, kernel: x}\n  - {name: b, kernel: y}\nconnections:\n  - {name: z, ends: [a, c]}\n",
                "t.yaml:2: vms[0].kernel: cannot read ./x: No such file or directory\n"
                "t.yaml:3: vms[1].kernel: cannot read ./y: No such file or directory\n"
                "t.yaml:5: connections[0].ends[1]: there is no VM \"c\"; an end is the name of a VM, or \"host\"\n");
}

#define GOOD                                                                                                           \
    "vms:\n"                                                                                                           \
    "  - &vm\n"                                                                                                        \
    "    name: left\n"                                                                                                 \
    "    kernel: kernel\n"                                                                                             \
    "    memory: 32MiB\n"                                                                                              \
    "    vcpus: 2\n"                                                                                                   \
    "  - name: right\n"                                                                                                \
    "    kernel: kernel\n"                                                                                             \
    "    initramfs: initramfs\n"                                                                                       \
    "    command_line: quiet\n"                                                                                        \
    "    console: {socket: right.sock}\n"                                                                              \
    "    restart: always\n"                                                                                            \
    "connections:\n"                                                                                                   \
    "  - name: link\n"                                                                                                 \
    "    ends: [right, left]\n"                                                                                        \
    "    dataports:\n"                                                                                                 \
    "      - size: 64K\n"                                                                                              \
    "      - {size: 12K, writer: left}\n"                                                                              \
    "  - name: sensor\n"                                                                                               \
    "    ends: [host, left]\n"                                                                                         \
    "    dataports: [{size: 2M, writer: host}, {size: 4K, writer: both}]\n"                                            \
    "  - {name: old, ends: [right, host], base_block_only: true, dataports: [{size: 8K}]}\n"

static void a_good_file(void **state)
{
    (void)state;
    file_write(FILE_NAME, GOOD);
    assert_int_equal(RUN("run", "--check", FILE_NAME), 0);
    assert_string_equal(file_read("out"), "t.yaml: VMs: 2, connections: 3; nothing is wrong\n");
    assert_string_equal(file_read("err"), "");
}

/* The part of the dump that is about one device: what follows its first line is indented. */
static const char *device_of(const char *dump, const char *vm, const char *connection)
{
    static char part[4096];
    const char *begin;
    const char *end;

    (void)snprintf(part, sizeof(part), "%s: connection %s\n", vm, connection);
    begin = strstr(dump, part);
    if (!begin)
        fail_msg("there is no \"%s\" in %s", part, dump);
    end = begin;
    while (end && (end = strchr(end, '\n')) != NULL && end[1] == ' ')
        end++;
    (void)snprintf(part, sizeof(part), "%.*s", end ? (int)(end + 1 - begin) : 0, begin);
    return part;
}

static void assert_device(const char *vm, const char *connection, const char *const *lines)
{
    static char dump[1 << 16];

    (void)snprintf(dump, sizeof(dump), "%s", file_read("out"));
    for (; *lines; lines++) {
        const char *device = device_of(dump, vm, connection);

        if (!strstr(device, *lines))
            fail_msg("there is no \"%s\" in %s", *lines, device);
    }
}
#define ASSERT_DEVICE(vm, connection, ...) assert_device(vm, connection, (const char *const[]){__VA_ARGS__, NULL})

/* The dump comes from the same code that gives the guest its devices. */
static void the_devices_of_a_good_file(void **state)
{
    (void)state;
    file_write(FILE_NAME, GOOD);
    assert_int_equal(RUN("run", "--dump", FILE_NAME), 0);
    assert_string_equal(file_read("err"), "");
    ASSERT_DEVICE("left", "link", "peer        another VM", "1af4:a111, class 050000", "END         1\n",
                  "0x4000 bytes: registers, peer page, own page", "FEATURES    0x3", "VERSION     1.2", "DATAPORTS   2",
                  "0x10000 bytes: dataport 0, 0x10000 bytes, read and write",
                  "0x4000 bytes: dataport 1, 0x3000 bytes, read and write");
    ASSERT_DEVICE("right", "link", "peer        another VM", "END         0\n",
                  "0x4000 bytes: dataport 1, 0x3000 bytes, read only");
    ASSERT_DEVICE("left", "sensor", "peer        a host program", "END         0\n", "FEATURES    0x1",
                  "0x2000 bytes: registers, peer page", "dataport 0, 0x200000 bytes, read only",
                  "dataport 1, 0x1000 bytes, read and write");
    ASSERT_DEVICE("right", "old", "NAME        old", "no extended block", "0x1000 bytes: registers\n",
                  "dataport 0, read and write");
    assert_null(strstr(file_read("out"), "right: connection sensor"));
}

/* What does not fit shows without a VM: a bus has fewer functions than a topology has connections. */
static void a_dump_that_fails(void **state)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof(text), ONE_VM "connections:\n");

    (void)state;
    for (int i = 0; i < 256; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "  - {name: c%d, ends: [a, host]}\n", i);
    file_write(FILE_NAME, text);
    assert_int_equal(RUN("run", "--dump", FILE_NAME), 2);
    assert_non_null(strstr(file_read("err"), "the PCI bus is full"));
}

/* One array for all VMs, made by the real crossvm-vm. */
static void a_dump_for_programs(void **state)
{
    json_t *vms, *device;
    json_error_t error;

    (void)state;
    file_write(FILE_NAME, GOOD);
    assert_int_equal(RUN("run", "--dump", "--json", FILE_NAME), 0);
    vms = json_loads(file_read("out"), 0, &error);
    if (!vms)
        fail_msg("line %d: %s: %s", error.line, error.text, file_read("out"));
    assert_int_equal(json_array_size(vms), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(vms, 0), "vm")), "left");
    assert_string_equal(json_string_value(json_object_get(json_array_get(vms, 1), "vm")), "right");

    device = json_array_get(json_object_get(json_array_get(vms, 0), "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "name")), "link");
    assert_string_equal(json_string_value(json_object_get(device, "peer")), "vm");
    assert_string_equal(json_string_value(json_object_get(device, "version")), "1.2");
    assert_int_equal(json_integer_value(json_object_get(device, "end")), 1);
    assert_int_equal(json_array_size(json_object_get(device, "bars")), 3);
    device = json_array_get(json_object_get(device, "dataports"), 1);
    assert_int_equal(json_integer_value(json_object_get(device, "size")), 12 << 10);
    assert_string_equal(json_string_value(json_object_get(device, "rights")), "rw");

    device = json_array_get(json_object_get(json_array_get(vms, 1), "devices"), 1);
    assert_string_equal(json_string_value(json_object_get(device, "name")), "old");
    assert_string_equal(json_string_value(json_object_get(device, "peer")), "host");
    assert_true(json_is_null(json_object_get(device, "version")));
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(device, "dataports"), 0), "size")));
    json_decref(vms);
    assert_int_equal(RUN("run", "--json", FILE_NAME), 2);
    assert_non_null(strstr(file_read("err"), "--json is for --dump"));
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_int_equal(RUN("run"), 2);
    assert_non_null(strstr(file_read("err"), "the FILE with a topology is missing"));
    assert_int_equal(RUN("run", "a", "b"), 2);
    assert_non_null(strstr(file_read("err"), "what is \"b\" for?"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(no_topology),
        FOLDER_TEST(wrong_vms),
        FOLDER_TEST(wrong_connections),
        FOLDER_TEST(many_vms_and_connections),
        FOLDER_TEST(long_names),
        FOLDER_TEST(all_faults_at_once),
        FOLDER_TEST(a_good_file),
        FOLDER_TEST(the_devices_of_a_good_file),
        FOLDER_TEST(a_dump_that_fails),
        FOLDER_TEST(wrong_usage),
        FOLDER_TEST(room_for_bars),
        FOLDER_TEST(sockets_with_long_paths),
        FOLDER_TEST(sockets_with_paths_that_are_no_text),
        FOLDER_TEST(many_errors),
        FOLDER_TEST(large_documents),
        FOLDER_TEST(standard_input),
        FOLDER_TEST(a_dump_for_programs),
        FOLDER_TEST(other_vmms),
    };

    char path[4096];

    if (argc != 3)
        return 1;
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", dirname(argv[2]));
    (void)setenv("PATH", path, 1);
    tool = argv[1];
    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
