/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How guest-cases commands guest-vmm, in which it runs: through a connection of its own, "control". The guest writes a
 * command into the dataport and emits. The VMM carries it out within that store, so the answer is there when the store
 * is done.
 */
#pragma once

#include <stdint.h>

#define CONTROL_NAME "control"

enum control_op {
    CONTROL_PING = 1,   /* out[0] = args[0] + 1 */
    CONTROL_EMIT,       /* args[0] events of the peer, by crossvm_consume_event() */
    CONTROL_COUNT,      /* args[0] events without an interrupt */
    CONTROL_PEER_STATE, /* state args[0] */
    CONTROL_INFO,       /* struct control_info in bytes */
    CONTROL_PEEK,       /* args: dataport, offset, length up to CONTROL_BYTES; bytes */
    CONTROL_POKE,       /* the same, the other way */
    CONTROL_INSTALL,    /* installs name with a dataport of args[0] bytes; result as of crossvm_install() */
    CONTROL_REMOVE,     /* removes name */
    CONTROL_PEER,       /* name gets a peer (a thread) that answers each event by enum control_peer args[0] */
    CONTROL_FLOOD,      /* a thread emits args[0] events to name, as fast as it can */
    CONTROL_FLOOD_DONE, /* out[0] = the threads of CONTROL_FLOOD are done */
    CONTROL_LOG,        /* out[0] = lines that the module logged so far */
    CONTROL_RESET,      /* all devices become as they are at power-on */
};

/* How a peer answers an event. */
enum control_peer {
    CONTROL_PEER_NONE,
    CONTROL_PEER_ECHO,  /* one event back */
    CONTROL_PEER_BURST, /* two, the second after a random while: it may hit the guest anywhere in its handling */
};

#define CONTROL_BYTES 256

struct control_info {
    uint64_t emits;
    uint64_t failed_emits;
    uint64_t events;
    uint64_t injections;
    uint64_t bar_address[5];
    uint64_t bar_size[5];
    uint64_t dataport_size[4];
    uint32_t irq;
    uint32_t irq_shared;
    uint32_t msi_enabled;
    uint32_t driver_state;
    uint32_t pci; /* device << 3 | function */
    uint32_t num_dataports;
    uint64_t driver_changes; /* calls of driver_changed, of connections of the full interface */
};

/* The first bytes of the control dataport. */
struct control {
    uint32_t op;
    int32_t result; /* 0, or negative: no such connection, or as the operation has it */
    uint64_t args[4];
    uint64_t out[4];
    char name[64];
    unsigned char bytes[CONTROL_BYTES];
};
