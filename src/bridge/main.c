/* SPDX-License-Identifier: BSD-2-Clause */
/* The program crossvm-bridge, which `crossvm bridge` starts: the NATS library is there as a shared one only, and the
 * tool is static. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <crossvm/end_channel.h>

#include "../common/clock.h"
#include "../common/command_line.h"
#include "../common/completion.h"
#include "../common/end_signals.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "../common/size.h"
#include "../common/standard_streams.h"
#include "../sandbox/lock_down.h"
#include "bridge.h"
#include "confinement.h"
#include "secret.h"

#define DEFAULT_SERVER "nats://localhost:4222"
#define DEFAULT_PORT 4222
#define DEFAULT_WINDOW 1024
#define DEFAULT_GRACE 5
#define DEFAULT_REPLICAS 1
#define PASSWORD_VARIABLE "CROSSVM_BRIDGE_PASSWORD"
#define NAME_BYTES (CROSSVM_FULL_NAME_BYTES + HOST_NAME_MAX + 32)

enum {
    OPTION_SEND = 0x100,
    OPTION_SEND_STREAM,
    OPTION_RECEIVE,
    OPTION_RECEIVE_STREAM,
    OPTION_CONSUMER,
    OPTION_CREATE,
    OPTION_REPLICAS,
    OPTION_WINDOW,
    OPTION_TLS_CA,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_CREDENTIALS,
    OPTION_USER,
    OPTION_PASSWORD_FILE,
    OPTION_CLIENT,
    OPTION_REPORT,
    OPTION_GRACE,
    OPTION_NO_SANDBOX,
};

struct request {
    struct bridge_config config;
    crossvm_channel_options_t channel;
    const char *name;
    double timeout; /* negative: none */
    const char *authorities, *certificate, *key, *credentials, *password_file;
    bool no_sandbox;
};

/* --- command line --- */

/* The port in a URL, or the usual one. False if it is no URL of a server. */
static bool find_port(const char *url, uint16_t *port)
{
    const char *host = strstr(url, "://"), *colon;
    uint64_t number = DEFAULT_PORT;

    if (!host || (strncmp(url, "nats://", 7) != 0 && strncmp(url, "tls://", 6) != 0) || host[3] == '\0' ||
        strpbrk(host + 3, "/ \t\r\n,"))
        return false;
    colon = strrchr(host + 3, ':');
    if (colon && !strchr(colon, ']') && (!number_parse(colon + 1, NULL, &number) || number < 1 || number > UINT16_MAX))
        return false;
    *port = (uint16_t)number;
    return true;
}

static void add_server(struct argp_state *state, struct bridge_config *config, const char *url)
{
    if (config->num_servers == BRIDGE_MOST_SERVERS)
        command_line_error(state, "--server: at most %d; a server tells of the others of its cluster",
                           BRIDGE_MOST_SERVERS);
    if (strchr(url, '@'))
        command_line_error(state,
                           "--server: \"%s\" has a user in it, which others on this machine would see; give "
                           "--user and --password-file, or --creds",
                           url);
    if (!find_port(url, &config->ports[config->num_servers]))
        command_line_error(state, "--server: \"%s\" is no URL of a server: write nats://HOST:PORT or tls://HOST:PORT",
                           url);
    if (strncmp(url, "tls://", 6) == 0)
        config->tls = true;
    config->servers[config->num_servers++] = url;
}

/* A subject without wildcards for what is published; with them, where several are received. */
static const char *check_subject(struct argp_state *state, const char *option, const char *subject, bool wild)
{
    const size_t length = strlen(subject);

    if (length == 0 || length > 255 || strpbrk(subject, " \t\r\n") || subject[0] == '.' || subject[length - 1] == '.' ||
        strstr(subject, "..") || (!wild && strpbrk(subject, "*>")))
        command_line_error(state,
                           "%s: \"%s\" is no subject%s: write words with dots between them, such as sensors.room1",
                           option, subject, wild ? "" : " to publish to");
    return subject;
}

static const char *check_token(struct argp_state *state, const char *option, const char *name)
{
    if (strlen(name) == 0 || strlen(name) > 100 || strpbrk(name, " \t\r\n.*>/\\"))
        command_line_error(state, "%s: \"%s\" is no name: it has 1 to 100 characters, without spaces and . * > / \\",
                           option, name);
    return name;
}

static void check(struct argp_state *state, struct request *request)
{
    struct bridge_config *config = &request->config;

    if (!config->send.subject && !config->receive.subject)
        command_line_error(state, "there is nothing to carry: give --send, --receive or both");
    if (config->send.stream && !config->send.subject)
        command_line_error(state, "--send-stream needs --send");
    if (config->receive.stream && !config->receive.subject)
        command_line_error(state, "--receive-stream needs --receive");
    if (config->replicas && !config->creates)
        command_line_error(state, "--replicas needs --create");
    config->replicas = config->replicas ?: DEFAULT_REPLICAS;
    if (!request->certificate != !request->key)
        command_line_error(state, "--tls-cert and --tls-key belong together: give both");
    if (config->user && request->credentials)
        command_line_error(state, "--user and --creds are two ways to say who this is: give one");
    if (config->num_servers == 0)
        add_server(state, config, DEFAULT_SERVER);
    config->tls = config->tls || request->authorities || request->certificate;
}

static error_t parse_server(int key, char *argument, struct argp_state *state, struct request *request)
{
    struct bridge_config *config = &request->config;

    switch (key) {
    case 's':
        add_server(state, config, argument);
        return 0;
    case OPTION_TLS_CA:
        request->authorities = argument;
        return 0;
    case OPTION_TLS_CERT:
        request->certificate = argument;
        return 0;
    case OPTION_TLS_KEY:
        request->key = argument;
        return 0;
    case OPTION_CREDENTIALS:
        request->credentials = argument;
        return 0;
    case OPTION_USER:
        config->user = argument;
        return 0;
    case OPTION_PASSWORD_FILE:
        request->password_file = argument;
        return 0;
    case OPTION_CLIENT:
        config->client = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    struct bridge_config *config = &request->config;

    switch (key) {
    case OPTION_SEND:
        config->send.subject = check_subject(state, "--send", argument, false);
        return 0;
    case OPTION_SEND_STREAM:
        config->send.stream = check_token(state, "--send-stream", argument);
        return 0;
    case OPTION_RECEIVE:
        config->receive.subject = check_subject(state, "--receive", argument, true);
        return 0;
    case OPTION_RECEIVE_STREAM:
        config->receive.stream = check_token(state, "--receive-stream", argument);
        return 0;
    case OPTION_CONSUMER:
        config->consumer = check_token(state, "--consumer", argument);
        return 0;
    case OPTION_CREATE:
        config->creates = true;
        return 0;
    case OPTION_REPLICAS:
        config->replicas = (unsigned int)command_line_number(state, "--replicas", argument, 1, 5);
        return 0;
    case OPTION_WINDOW:
        config->window = (unsigned int)command_line_number(state, "--window", argument, 1, BRIDGE_MOST_WINDOW);
        return 0;
    case OPTION_REPORT:
        config->report_seconds = command_line_seconds(state, "--report", argument);
        return 0;
    case OPTION_GRACE:
        config->grace_seconds = command_line_seconds(state, "--grace", argument);
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case 'd':
        request->channel.dataport =
            CROSSVM_CHANNEL_DATAPORT((unsigned int)command_line_number(state, "--dataport", argument, 0, INT_MAX));
        return 0;
    case 't':
        request->timeout = command_line_seconds(state, "--timeout", argument);
        return 0;
    case ARGP_KEY_SUCCESS:
        check(state, request);
        return 0;
    default:
        if (parse_server(key, argument, state, request) == 0)
            return 0;
        return command_line_take_name(key, argument, state, &request->name);
    }
}

static const struct argp_option options[] = {
    {"send", OPTION_SEND, "SUBJECT", 0, "publish the connection's datagrams to this subject", 0},
    {"send-stream", OPTION_SEND_STREAM, "STREAM", 0,
     "the stream of JetStream that has it: nothing is lost (default: core NATS, where the newest counts)", 0},
    {"receive", OPTION_RECEIVE, "SUBJECT", 0, "send the messages of this subject into the connection", 0},
    {"receive-stream", OPTION_RECEIVE_STREAM, "STREAM", 0, "the stream that has it, as for --send-stream", 0},
    {"server", 's', "URL", 0,
     "nats://HOST[:PORT] or tls://HOST[:PORT]; others of a cluster may be given, too (default " DEFAULT_SERVER ")", 1},
    {"tls-ca", OPTION_TLS_CA, "FILE", 0, "certificates that vouch for the server (default: the system's)", 1},
    {"tls-cert", OPTION_TLS_CERT, "FILE", 0, "certificate of this client", 1},
    {"tls-key", OPTION_TLS_KEY, "FILE", 0, "... and its key", 1},
    {"creds", OPTION_CREDENTIALS, "FILE", 0, "credentials: a token and a seed, as `nsc` writes them", 1},
    {"user", OPTION_USER, "USER", 0, "user, with the password of --password-file or $" PASSWORD_VARIABLE, 1},
    {"password-file", OPTION_PASSWORD_FILE, "FILE", 0, "file whose first line is the password", 1},
    {"client", OPTION_CLIENT, "NAME", 0,
     "how the server's monitoring calls this client (default: crossvm bridge CONNECTION.END@HOST)", 1},
    {"consumer", OPTION_CONSUMER, "NAME", 0,
     "durable consumer of the stream, which a number follows (default: crossvm-CONNECTION-END)", 2},
    {"create", OPTION_CREATE, NULL, 0, "make streams that are missing: in files, without a limit", 2},
    {"replicas", OPTION_REPLICAS, "COUNT", 0,
     "with --create: on how many servers each message is kept, 1 to 5 (default 1)", 2},
    {"window", OPTION_WINDOW, "COUNT", 0, "datagrams on their way in each direction, at most (default 1024)", 2},
    {"grace", OPTION_GRACE, "SECONDS", 0, "when told to end, finish what is on its way within this time (default 5)",
     3},
    {"report", OPTION_REPORT, "SECONDS", 0, "print the counts again and again; SIGUSR1 asks for them, too", 3},
    COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 3),
    {"dataport", 'd', "INDEX", 0,
     "which dataport, counted from 0 (default: the first that is large enough and writable)", 10},
    {"timeout", 't', "SECONDS", 0, "wait no longer than this for the other end", 10},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME",
    .doc =
        "Joins an end of a connection to subjects of a NATS server: the other end's datagrams are published, and "
        "messages "
        "become datagrams.\v"
        "docs/bridge.md says what is lost when. Ends on SIGINT, SIGTERM or SIGHUP.\n\n"
        "Exit status: 0 when it was told to end and all on its way had arrived, 1 when not all had, or nobody came in "
        "time, 2 for an error.",
};

/* Names of connections, which the tool offers for its other commands. */
static void offer_value(const struct completion *completion, const char *placeholder)
{
    crossvm_end_info_t *ends;
    size_t count;

    if (strcmp(placeholder, "NAME") != 0)
        return;
    (void)crossvm_list(&ends, &count, sizeof(*ends));
    for (size_t i = 0; i < count; i++)
        completion_offer(completion, ends[i].name, NULL);
    crossvm_list_free(ends);
}

/* --- what the command line names --- */

static bool read_file(const char *path, const char *option, char **text)
{
    *text = path ? secret_read(path, option) : NULL;
    return !path || *text;
}

static bool read_credentials(struct request *request)
{
    static struct credentials credentials;
    char *text;

    if (!request->credentials)
        return true;
    text = secret_read(request->credentials, "--creds");
    if (!text)
        return false;
    if (!credentials_parse(text, &credentials)) {
        message("--creds: %s has no token and seed: give a file as `nsc generate creds` writes it",
                request->credentials);
        free(text);
        return false;
    }
    request->config.token = credentials.token;
    request->config.seed = credentials.seed;
    return true;
}

static bool read_password(struct request *request)
{
    if (request->password_file)
        request->config.password = secret_read_line(request->password_file, "--password-file");
    else
        request->config.password = getenv(PASSWORD_VARIABLE);
    if (!request->config.user || request->config.password)
        return !request->password_file || request->config.password;
    message("there is no password for --user: give --password-file, or $" PASSWORD_VARIABLE);
    return false;
}

static bool read_files(struct request *request)
{
    struct bridge_config *config = &request->config;

    return read_file(request->authorities, "--tls-ca", &config->authorities) &&
           read_file(request->certificate, "--tls-cert", &config->certificate) &&
           read_file(request->key, "--tls-key", &config->key) && read_credentials(request) && read_password(request);
}

static void choose_names(struct bridge_config *config, const crossvm_end_t *end)
{
    static char client[NAME_BYTES], consumer[NAME_BYTES];
    char host[HOST_NAME_MAX + 1] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(client, sizeof(client), "crossvm bridge %s.%u@%s", crossvm_name(end), crossvm_end_number(end), host);
    (void)snprintf(consumer, sizeof(consumer), "crossvm-%s-%u", crossvm_name(end), crossvm_end_number(end));
    for (char *at = consumer; *at; at++)
        *at = *at == '.' ? '_' : *at; /* which NATS does not allow */
    config->client = config->client ? config->client : client;
    config->consumer = config->consumer ? config->consumer : consumer;
}

static int catch_signals(void)
{
    sigset_t signals;
    int fd;

    end_signals(&signals);
    sigaddset(&signals, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) || (fd = signalfd(-1, &signals, SFD_CLOEXEC)) < 0) {
        message("cannot wait for signals: %s", error_reason(errno));
        return -1;
    }
    return fd;
}

static int run(struct request *request, crossvm_end_t *end, int stop)
{
    const crossvm_deadline_t deadline =
        request->timeout < 0 ? CROSSVM_FOREVER : CROSSVM_DEADLINE(now_ns() + (int64_t)(request->timeout * 1e9));
    struct bridge *bridge;
    int status = STATUS_ERROR;

    choose_names(&request->config, end);
    bridge = bridge_create(&request->config, end, &request->channel, stop, deadline);
    if (bridge && (request->no_sandbox || !lock_down_is_possible() || bridge_confine(&request->config) == 0))
        status = bridge_run(bridge);
    bridge_destroy(bridge);
    return status;
}

int main(int argc, char **argv)
{
    static struct request request = {
        .config = {.window = DEFAULT_WINDOW, .grace_seconds = DEFAULT_GRACE},
        .channel = {.mode = CROSSVM_CHANNEL_DATAGRAM},
        .timeout = -1,
    };
    static char name[] = "crossvm bridge";
    crossvm_end_t *end;
    int status, stop;

    standard_streams_set_up(STATUS_ERROR);
    argp_err_exit_status = STATUS_ERROR;
    completion_offer_value = offer_value;
    argv[0] = name; /* how its usage and its usage errors call it */
    command_line_parse(&argp, 0, argc, argv, &request);
    (void)signal(SIGPIPE, SIG_IGN); /* a write fails with EPIPE instead */
    stop = read_files(&request) ? catch_signals() : -1;
    if (stop < 0)
        return STATUS_ERROR;
    if (crossvm_open(&end, request.name)) {
        message("%s", crossvm_strerror());
        return STATUS_ERROR;
    }
    status = run(&request, end, stop);
    crossvm_close(end);
    close(stop);
    return status;
}
