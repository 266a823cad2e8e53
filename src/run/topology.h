/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A topology: VMs and the connections between them and to the host, as a file describes them (docs/howto.md).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/crossvm.h>

#include "../common/dataport_spec.h"

#define TOPOLOGY_MAX_VMS 32
#define TOPOLOGY_MAX_CONNECTIONS 256

/** Instead of the index of a VM: the end is on the host. */
#define TOPOLOGY_HOST (-1)

enum console_kind {
    CONSOLE_STDIO,  /**< to standard output, with the VM's name before each line */
    CONSOLE_FILE,   /**< to a file */
    CONSOLE_SOCKET, /**< at a Unix socket, both ways */
};

enum restart_policy {
    RESTART_NEVER,
    RESTART_ON_FAILURE,
    RESTART_ALWAYS,
};

/** The program that runs a VM. */
enum vmm {
    VMM_CROSSVM_VM,
    VMM_QEMU,
    VMM_EXTERNAL, /**< whatever somebody else starts */
};

/** A VM. Paths are as to be opened from here. */
struct topology_vm {
    char *name;
    enum vmm vmm;
    enum crossvm_door door; /**< by which it takes its ends */
    char *program;          /**< of QEMU; NULL: the one for this machine's architecture */
    char **arguments;       /**< further ones for QEMU */
    size_t num_arguments;
    char *kernel;       /**< NULL: none, but crossvm-vm needs one */
    char *initramfs;    /**< NULL: none */
    char *command_line; /**< NULL: none */
    char *user;         /**< whom root's VM goes on as; NULL: a user of its own */
    uint64_t memory;    /**< bytes, a multiple of 1 MiB */
    unsigned int vcpus;
    enum console_kind console;
    char *console_path;        /**< of the file or socket */
    uint64_t console_max_size; /**< bytes: a file that would exceed it is replaced */
    enum restart_policy restart;
};

struct topology_connection {
    char *name;
    int ends[2]; /**< index of a VM, or TOPOLOGY_HOST; of a connection to the host, the VM comes first */
    struct dataport_spec dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    bool base_block_only; /**< registers 0x00 to 0x37 only */
};

struct topology {
    struct topology_vm vms[TOPOLOGY_MAX_VMS];
    size_t num_vms;
    struct topology_connection *connections;
    size_t num_connections;
};

/** How messages call a topology's file. */
const char *topology_file_name(const char *file);

/**
 * Reads a topology and checks all of it.
 *
 * @param file       its path; "-" is standard input
 * @param socket_dir where connections to the host get their sockets
 * @return 0, or -1 after an error line on standard error for each fault
 */
int topology_load(struct topology *topology, const char *file, const char *socket_dir);

void topology_free(struct topology *topology);

/** Whether a connection joins two VMs. */
bool connection_is_between_vms(const struct topology_connection *connection);

/** Which end (0 or 1) of a connection a VM has, or -1. */
int connection_end_of(const struct topology_connection *connection, size_t vm);
