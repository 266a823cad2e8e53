/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command line says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BRIDGE_MOST_SERVERS 16
#define BRIDGE_MOST_WINDOW 65536

/** One direction. */
struct bridge_path {
    const char *subject; /**< NULL: nothing goes this way */
    const char *stream;  /**< of JetStream; NULL: core NATS */
};

struct bridge_config {
    const char *servers[BRIDGE_MOST_SERVERS];
    uint16_t ports[BRIDGE_MOST_SERVERS]; /**< theirs */
    size_t num_servers;
    struct bridge_path send;    /**< from the connection to the server */
    struct bridge_path receive; /**< from the server into the connection */
    const char *consumer;       /**< name of the durable consumer, without its number */
    const char *client;         /**< name of this client, for the server's monitoring */
    bool creates;               /**< streams that are missing ... */
    unsigned int replicas;      /**< ... with so many */
    unsigned int window;        /**< datagrams on their way, in each direction */
    char *authorities;          /**< texts of files: certificates that vouch for the server, */
    char *certificate;          /**< ... of this client, */
    char *key;                  /**< ... and its key; each may be NULL */
    const char *user;           /**< NULL: none */
    const char *password;
    const char *token; /**< of credentials; NULL: none */
    const char *seed;
    bool tls;
    double report_seconds; /**< between reports; 0: none */
    double grace_seconds;  /**< to finish, once it is told to end */
};
