/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol between a VM's process and who takes the other end of a connection.
 *
 * Host programs: a Unix socket of type SOCK_SEQPACKET a connection, DIR/NAME.sock. The client sends one request and
 * gets one reply; with ATTACH the reply carries file descriptors, and the client owns the end until it closes the
 * socket. While it does, the server sends a driver message whenever the guest's driver or a program there comes or
 * goes.
 *
 * Other VMs: the process that starts both VMs makes what they share, and gives each of their processes a socket of that
 * type. It sends one JOIN message with descriptors, and then passes on the driver messages of either to the other; when
 * a VM's process ends, it tells the other so in its place. So each can be started again, and finds what it shared.
 *
 * All integers are in host byte order, since both ends run on one machine. Receivers ignore messages that are too
 * short, have another magic, or another version.
 */
#pragma once

#include <stdint.h>

#include <crossvm/device.h>

/* Where the sockets are if nobody says: DIR. */
#define CROSSVM_DEFAULT_DIRECTORY "/run/crossvm"

/* Guest physical addresses that a VM has for the BARs of all its connections. */
#define CROSSVM_BAR_BYTES 0x30000000

/* How the process of a VM ends, besides 0 for a guest that powered off; its --help tells of the others. */
#define CROSSVM_EXIT_CRASHED 70
#define CROSSVM_EXIT_RESET 71
#define CROSSVM_EXIT_NOT_STARTED 72

#define CROSSVM_WIRE_MAGIC 0x57565843u /* "CXVW" */
#define CROSSVM_WIRE_VERSION 2

enum crossvm_wire_type {
    CROSSVM_WIRE_ATTACH = 1, /* request: take the end. Reply: crossvm_wire_reply with descriptors, or a status */
    CROSSVM_WIRE_INFO = 2,   /* request: look only. Reply: crossvm_wire_reply without descriptors */
    CROSSVM_WIRE_DRIVER = 3, /* server to client, unasked; between VMs both ways: crossvm_wire_driver */
    CROSSVM_WIRE_JOIN = 4,   /* to the process of a VM whose peer is another VM: crossvm_wire_join with descriptors */
};

struct crossvm_wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum crossvm_wire_type; a reply repeats that of its request */
};

/*
 * The reply to ATTACH passes, in this order: an eventfd that the guest's events signal, an eventfd that signals the
 * guest, the memfd of the peer page (one page), and a memfd for each dataport, opened with the rights that the host
 * has.
 */
#define CROSSVM_WIRE_FIXED_FDS 3
#define CROSSVM_WIRE_MAX_FDS (CROSSVM_WIRE_FIXED_FDS + CROSSVM_MAX_DATAPORTS)

struct crossvm_wire_dataport {
    uint64_t size;         /* bytes */
    uint32_t host_rights;  /* CROSSVM_RIGHT_* */
    uint32_t guest_rights; /* CROSSVM_RIGHT_* */
};

struct crossvm_wire_reply {
    struct crossvm_wire_header header;
    uint32_t status;       /* 0, or an errno value: EBUSY when the end is owned; the rest holds for INFO even then */
    uint32_t driver_state; /* CROSSVM_DRIVER_* */
    uint32_t generation;   /* of the end's owner: counts owners */
    uint32_t owned;        /* the end has an owner */
    char name[CROSSVM_FULL_NAME_BYTES];
    char vm[64]; /* name of the VM; "" when none is behind the connection */
    uint32_t num_dataports;
    uint32_t msi;         /* the guest uses MSI */
    uint32_t peer_counts; /* the VM's process is out of the path of peer events */
    int32_t irq;
    struct crossvm_wire_dataport dataports[CROSSVM_MAX_DATAPORTS];
    uint64_t vm_exits;          /* exits of the VM to the kernel since it started */
    uint64_t vm_user_exits;     /* of these, on to the VM's process */
    uint32_t driver_generation; /* as in crossvm_wire_driver */
    uint32_t other_end;         /* number of the end that is not the client's: a guest's is 0 */
};

/* What holds now; messages on the way to it may be left out. */
struct crossvm_wire_driver {
    struct crossvm_wire_header header;
    uint32_t driver_state; /* CROSSVM_DRIVER_* */
    uint32_t generation;   /* counts the times that a driver or program came */
};

/*
 * JOIN passes, in this order: an eventfd that the guest's events signal, an eventfd that the other guest's events
 * signal, the memfd of the guest's own page, that of its peer page (the other's own page), and a memfd for each
 * dataport. All memfds are sealed against shrinking.
 */
#define CROSSVM_WIRE_JOIN_FIXED_FDS 4
#define CROSSVM_WIRE_JOIN_MAX_FDS (CROSSVM_WIRE_JOIN_FIXED_FDS + CROSSVM_MAX_DATAPORTS)

struct crossvm_wire_join {
    struct crossvm_wire_header header;
    char name[CROSSVM_FULL_NAME_BYTES];
    uint32_t end;             /* of this guest: 0 or 1 */
    uint32_t base_block_only; /* offer registers 0x00 to 0x37 only */
    uint32_t num_dataports;
    uint32_t reserved;
    struct {
        uint64_t size;         /* bytes */
        uint32_t guest_rights; /* CROSSVM_RIGHT_* */
        uint32_t reserved;
    } dataports[CROSSVM_MAX_DATAPORTS];
};
