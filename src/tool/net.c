/* SPDX-License-Identifier: BSD-2-Clause */
/* Command net: a network interface at each end of a connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/standard_streams.h"
#include "../net/confinement.h"
#include "../net/traffic.h"
#include "../sandbox/lock_down.h"
#include "channel_command.h"

#define LEAST_MTU 68u   /* of IPv4 (RFC 791) */
#define MOST_MTU 65521u /* of Linux for such an interface: 65535 with Ethernet's header */

enum { OPTION_TUN = 256, OPTION_MTU, OPTION_NO_SANDBOX };

static volatile int signaled;

struct request {
    struct channel_choice choice;
    struct interface_config interface;
    size_t num_addresses;
    bool no_sandbox;
};

static void add_address(struct argp_state *state, struct request *request, const char *address)
{
    if (request->num_addresses == INTERFACE_MAX_ADDRESSES - 1)
        command_line_error(state, "--address: at most %d", INTERFACE_MAX_ADDRESSES - 1);
    if (!interface_is_address(address))
        command_line_error(state, "--address: \"%s\" is no address: write 10.0.0.1/24, or fd00::1/64", address);
    request->interface.addresses[request->num_addresses++] = address;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'a':
        add_address(state, request, argument);
        return 0;
    case 'i':
        if (strlen(argument) == 0 || strlen(argument) >= IFNAMSIZ || strchr(argument, '/') || strchr(argument, '%'))
            command_line_error(state,
                               "--interface: \"%s\" is no name of a network interface: it has 1 to %d characters",
                               argument, IFNAMSIZ - 1);
        request->interface.name = argument;
        return 0;
    case OPTION_MTU:
        request->interface.mtu = (unsigned int)command_line_number(state, "--mtu", argument, LEAST_MTU, MOST_MTU);
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case OPTION_TUN:
        request->interface.layer = NET_IP;
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"address", 'a', "ADDRESS/PREFIX", 0,
             "give the interface this address and start it; IPv4 or IPv6, and may be given again", 0},
            {"interface", 'i', "INTERFACE", 0, "its name (default: crossvm0, or the next number that is free)", 0},
            {"mtu", OPTION_MTU, "BYTES", 0, "the longest packet (default 1500); the same at both ends", 0},
            {"tun", OPTION_TUN, NULL, 0, "carry packets of IP (TUN), not frames of Ethernet (TAP), at both ends", 0},
            COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Makes a network interface and joins it to that of `crossvm net` at the other end, until Ctrl-C.\v"
           "Prints the interface's name. Without --address it stays as it is: down, if it is new. It needs the right "
           "CAP_NET_ADMIN, or an interface that `ip tuntap add` made for this user. docs/net.md says more. "
           "Exit status: 0 after a signal, 1 when the timeout passed first, 2 for an error.",
    .children = (const struct argp_child[]){{&channel_sleep_argp, 0, NULL, 0}, {0}},
};

/* What the peer is told to be, if it is no peer. */
static const char *complaint(const struct traffic *traffic)
{
    static char sentence[256];

    if (!traffic->complaint)
        return crossvm_strerror();
    (void)snprintf(sentence, sizeof(sentence), "the other end of connection \"%s\" %s", channel_name(traffic->channel),
                   traffic->complaint);
    return sentence;
}

/* One session after the other. Returns an exit status. */
static int carry(crossvm_channel_t *channel, const struct interface *interface, double seconds)
{
    crossvm_deadline_t deadline = deadline_after(seconds);
    struct traffic traffic;

    if (traffic_prepare(&traffic, channel, interface, &signaled))
        return STATUS_ERROR;
    for (;;) {
        int error = traffic_carry(&traffic, deadline);

        if (signaled)
            return STATUS_OK;
        if (error == -EINTR)
            continue;
        if (error == -EIO && !channel_is_gone(channel)) /* the interface's */
            return STATUS_ERROR;
        if (error == -ETIMEDOUT || !channel_serve_next(channel, error, complaint(&traffic)))
            return channel_error(error);
        deadline = CROSSVM_FOREVER;
    }
}

static int run(crossvm_channel_t *channel, const struct interface *interface, const struct request *request)
{
    if (!request->no_sandbox && lock_down_is_possible() && net_confine())
        return STATUS_ERROR;
    printf("%s\n", interface->name);
    if (!standard_output_flush())
        return STATUS_ERROR;
    return carry(channel, interface, request->choice.seconds);
}

/* Of this machine, this connection and this end: other machines may have a connection of the same name. */
static void make_seed(char *seed, size_t size, const crossvm_channel_t *channel)
{
    FILE *file = fopen("/etc/machine-id", "re");
    char machine[64] = "";

    if (file) {
        (void)!fgets(machine, sizeof(machine), file);
        (void)fclose(file);
    }
    (void)snprintf(seed, size, "%s/%s/%u", machine, channel_name(channel),
                   crossvm_end_number(crossvm_channel_get_end(channel)));
}

int cmd_net(int argc, char **argv)
{
    struct request request = {.choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM), .interface.layer = NET_ETHERNET};
    struct interface interface;
    char seed[64 + CROSSVM_FULL_NAME_BYTES + 16];
    crossvm_channel_t *channel;
    int status = STATUS_ERROR;

    command_line_parse(&argp, 0, argc, argv, &request);
    catch_signals(&signaled);
    channel = channel_open(&request.choice);
    if (!channel)
        return STATUS_ERROR;
    make_seed(seed, sizeof(seed), channel);
    request.interface.seed = seed;
    if (interface_open(&interface, &request.interface) == 0) {
        status = run(channel, &interface, &request);
        interface_close(&interface);
    }
    channel_close(channel);
    return status;
}
