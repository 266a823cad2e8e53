/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocols by which host programs and crossvm-vm take ends from a hub. Each end has a Unix socket of type
 * SOCK_SEQPACKET.
 *
 * Host programs, at DIR/NAME.sock: the client sends a request and gets one reply. The reply to ATTACH carries file
 * descriptors, and the client owns the end until it closes the socket. Meanwhile the hub sends a driver message
 * whenever the driver or a program at the peer's end comes or goes. A client that does not own the end is dropped when
 * it has asked nothing for some seconds, or when a new client needs its room.
 *
 * Observers, at DIR/NAME.view with the name of the connection: the reply to OBSERVE carries file descriptors for
 * reading only, that to INFO none. Both are crossvm_wire_observed. The hub sends another one whenever somebody comes to
 * or leaves either end, and when a VM that it had to ask has told of its exits. An observer takes no end, and nobody
 * notices it.
 *
 * crossvm-vm, at a socket of the end's own: the hub sends one JOIN message with descriptors, and then driver messages
 * like those to a host program. crossvm-vm sends a REPORT when the guest's driver comes or goes, and when the hub asks
 * for one with INFO. When its process ends, the hub tells the peer. So a VM can be started again, and finds what it
 * shared.
 *
 * All integers are in host byte order, since both ends of a socket are on one machine. Receivers ignore messages that
 * are too short or have another magic or version.
 */
#pragma once

#include <stdint.h>

#include <crossvm/device.h>

/* The default of DIR (src/wire/socket_directory.h). */
#define CROSSVM_DEFAULT_DIRECTORY "/run/crossvm"

/* Exit statuses of crossvm-vm. 0 is a guest that powered off; its --help tells of the others. */
#define CROSSVM_EXIT_CRASHED 70
#define CROSSVM_EXIT_RESET 71
#define CROSSVM_EXIT_NOT_STARTED 72

#define CROSSVM_WIRE_MAGIC 0x57565843u /* "CXVW" */
#define CROSSVM_WIRE_VERSION 3

enum crossvm_wire_type {
    CROSSVM_WIRE_ATTACH = 1, /* request: take the end. Reply: crossvm_wire_reply with descriptors, or a status */
    CROSSVM_WIRE_INFO =
        2, /* request: look only. Reply: crossvm_wire_reply without descriptors; of crossvm-vm: REPORT */
    CROSSVM_WIRE_DRIVER = 3,  /* crossvm_wire_driver, without a request */
    CROSSVM_WIRE_JOIN = 4,    /* to crossvm-vm: crossvm_wire_join with descriptors */
    CROSSVM_WIRE_REPORT = 5,  /* of crossvm-vm: crossvm_wire_report */
    CROSSVM_WIRE_OBSERVE = 6, /* request of an observer. Reply: crossvm_wire_observed with descriptors */
};

struct crossvm_wire_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum crossvm_wire_type; a reply repeats that of its request */
};

/*
 * Descriptors of the reply to ATTACH, in this order: an eventfd that the peer signals, an eventfd that signals the
 * peer, the memfd of the peer page (one page), and a memfd for each dataport, opened with the client's rights. Several
 * may be of one memfd: the reply says where in it each begins.
 */
#define CROSSVM_WIRE_FIXED_FDS 3
#define CROSSVM_WIRE_MAX_FDS (CROSSVM_WIRE_FIXED_FDS + CROSSVM_MAX_DATAPORTS)

struct crossvm_wire_dataport {
    uint64_t size;   /* bytes */
    uint64_t offset; /* in its memfd, in bytes: a multiple of the page size */
    uint32_t rights; /* CROSSVM_RIGHT_* of the end that the receiver has or asks for */
    uint32_t reserved;
};

struct crossvm_wire_reply {
    struct crossvm_wire_header header;
    uint32_t status; /* 0, or an errno value: EBUSY if the end has an owner, EACCES for a user who may not have it */
    uint32_t driver_state; /* who is at the peer's end, as in crossvm_wire_driver */
    uint32_t generation;
    uint32_t owned; /* bool: the end has an owner */
    char name[CROSSVM_FULL_NAME_BYTES];
    char vm[64]; /* name of the VM at the peer's end; "" when there is none, or its name is not known */
    uint32_t num_dataports;
    uint32_t msi;       /* bool: the guest at the peer's end uses MSI */
    uint32_t peer_door; /* enum crossvm_door */
    uint32_t peer_here; /* bool: a program or VMM has the peer's end */
    struct crossvm_wire_dataport dataports[CROSSVM_MAX_DATAPORTS];
    uint64_t vm_exits;         /* exits of the VM at the peer's end to the kernel since it started */
    uint64_t vm_user_exits;    /* of these, on to the VMM */
    uint64_t peer_page_offset; /* in its memfd, in bytes */
    uint32_t peer_end;         /* number of the peer's end: 0 or 1 */
    uint32_t reserved;
};

/*
 * Descriptors of the reply to OBSERVE, all for reading only, in this order: the memfd of the page in which end 0 counts
 * its events, the same of end 1, and a memfd for each dataport. Several may be of one memfd.
 */
#define CROSSVM_WIRE_OBSERVED_FIXED_FDS 2
#define CROSSVM_WIRE_OBSERVED_MAX_FDS (CROSSVM_WIRE_OBSERVED_FIXED_FDS + CROSSVM_MAX_DATAPORTS)

struct crossvm_wire_observed_end {
    char vm[64];            /* name of the VM that takes the end; "" when there is none, or its name is not known */
    uint32_t door;          /* enum crossvm_door */
    uint32_t here;          /* bool: a program or VMM has the end */
    uint32_t driver_state;  /* CROSSVM_DRIVER_* */
    uint32_t generation;    /* counts the times that a driver or program came */
    uint32_t asked;         /* bool: its VM was asked for its exits, and another message with them follows */
    uint32_t reserved;      /* 0 */
    uint64_t vm_exits;      /* exits of its VM to the kernel since it started; 0 where nobody counts */
    uint64_t vm_user_exits; /* of these, on to the VMM */
    uint64_t accesses;      /* loads and stores of registers for which its VMM asked the hub since it came */
    uint64_t page_offset;   /* of the page in which it counts its events, in its memfd */
};

/* A connection now. A later message makes an earlier one obsolete, so some may be left out. */
struct crossvm_wire_observed {
    struct crossvm_wire_header header; /* type: of the request; INFO without one */
    uint32_t status;                   /* 0, or an errno value: EACCES for a user who may not have the ends */
    uint32_t num_dataports;
    char name[CROSSVM_FULL_NAME_BYTES]; /* of the connection */
    struct crossvm_wire_dataport dataports[CROSSVM_MAX_DATAPORTS];
    struct crossvm_wire_observed_end ends[2];
};

/* Who is at the peer's end now. A later message makes an earlier one obsolete, so some may be left out. */
struct crossvm_wire_driver {
    struct crossvm_wire_header header;
    uint32_t driver_state; /* CROSSVM_DRIVER_* */
    uint32_t generation;   /* counts the times that a driver or program came */
};

/*
 * Descriptors of JOIN, in this order: an eventfd that this guest signals, an eventfd that the peer signals, the memfd
 * of the page in which this guest counts its events, the memfd of the page in which the peer counts, and a memfd for
 * each dataport. Several may be of one memfd. All memfds are sealed against shrinking.
 */
#define CROSSVM_WIRE_JOIN_FIXED_FDS 4
#define CROSSVM_WIRE_JOIN_MAX_FDS (CROSSVM_WIRE_JOIN_FIXED_FDS + CROSSVM_MAX_DATAPORTS)

struct crossvm_wire_join {
    struct crossvm_wire_header header;
    char name[CROSSVM_FULL_NAME_BYTES];
    uint32_t end;             /* of this guest: 0 or 1 */
    uint32_t base_block_only; /* bool: offer registers 0x00 to 0x37 only */
    uint32_t num_dataports;
    uint32_t peer_is_host;    /* bool: the peer is a host program, which counts signals: this guest need not count */
    uint64_t own_page_offset; /* in its memfd, in bytes: a multiple of the page size, as the others are */
    uint64_t peer_page_offset;
    struct crossvm_wire_dataport dataports[CROSSVM_MAX_DATAPORTS];
};

/* The state as it is now, like crossvm_wire_driver. */
struct crossvm_wire_report {
    struct crossvm_wire_header header;
    uint32_t driver_state;  /* CROSSVM_DRIVER_* */
    uint32_t generation;    /* counts the times that a driver or program came to this process's guest */
    uint32_t msi;           /* bool: the guest uses MSI */
    uint32_t reserved;      /* 0 */
    uint64_t vm_exits;      /* exits of the VM to the kernel since it started */
    uint64_t vm_user_exits; /* of these, on to crossvm-vm */
};
