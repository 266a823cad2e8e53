/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands ls and info. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/standard_streams.h"
#include "../top/fleet.h"
#include "../wire/socket_directory.h"
#include "confine.h"
#include "ends.h"
#include "serve.h"

crossvm_end_t *end_open(const char *name)
{
    crossvm_end_t *end;

    if (crossvm_open(&end, name) == 0)
        return end;
    message("%s", crossvm_strerror());
    return NULL;
}

const char *end_via(const crossvm_end_info_t *end)
{
    static const char *const words[] = {
        [CROSSVM_VIA_DRIVER] = "driver",
        [CROSSVM_VIA_BASE_BLOCK] = "base-block",
        [CROSSVM_VIA_PCI_GENERIC] = "uio_pci_generic",
        [CROSSVM_VIA_SOCKET] = "socket",
    };

    return words[end->via];
}

const char *end_peer(const crossvm_end_info_t *end)
{
    switch (end->peer_state) {
    case CROSSVM_PEER_ABSENT:
        return "absent";
    case CROSSVM_PEER_PRESENT:
        return "present";
    case CROSSVM_PEER_READY:
        return "ready";
    default:
        return "unknown";
    }
}

const char *end_rights(uint32_t rights)
{
    switch (rights) {
    case CROSSVM_RIGHT_READ:
        return "ro";
    case CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE:
        return "rw";
    default:
        return "unknown";
    }
}

const char *end_door(const crossvm_end_info_t *end)
{
    static const char *const words[] = {
        [CROSSVM_DOOR_UNKNOWN] = "unknown",       [CROSSVM_DOOR_HOST] = "host",
        [CROSSVM_DOOR_CROSSVM_VM] = "crossvm-vm", [CROSSVM_DOOR_VFIO_USER] = "vfio-user",
        [CROSSVM_DOOR_IVSHMEM] = "ivshmem",
    };

    return words[end->peer_door];
}

static bool peer_is_guest(const crossvm_end_info_t *end)
{
    return end->peer_door > CROSSVM_DOOR_HOST;
}

bool end_has_exits(const crossvm_end_info_t *end)
{
    return end->peer_door == CROSSVM_DOOR_CROSSVM_VM && end->peer_here;
}

bool end_has_interrupt(const crossvm_end_info_t *end)
{
    return end->version || end->msi || (peer_is_guest(end) && end->peer_here);
}

static const char *shown(const char *text)
{
    return text[0] ? text : "-";
}

/* --- command line --- */

enum { OPTION_NO_SANDBOX = 256 };

struct request {
    const char *name;
    bool json;
    bool watch;
    double seconds;
    bool no_sandbox;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    (void)argument;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    request->json = true;
    return 0;
}

static error_t parse_ls(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'w':
        request->watch = true;
        return 0;
    case 'i':
        request->seconds = command_line_seconds(state, "--interval", argument);
        if (request->seconds < 0.1)
            command_line_error(state, "--interval: %s seconds are too short; give at least 0.1", argument);
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case ARGP_KEY_ARG:
        command_line_error(state, "no argument is needed; what is \"%s\" for?", argument);
    default:
        return parse(key, argument, state);
    }
}

static error_t parse_info(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    if (key == 'j')
        return parse(key, argument, state);
    return command_line_take_name(key, argument, state, &request->name);
}

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "print JSON", 0},
    {0},
};

static const struct argp ls_argp = {
    .options =
        (const struct argp_option[]){
            {"json", 'j', NULL, 0, "print JSON", 0},
            {"watch", 'w', NULL, 0, "print it again whenever it is different, until a signal comes", 0},
            {"interval", 'i', "SECONDS", 0,
             "with --watch: how often to look for what no hub tells of: other hubs, and devices of this guest (default "
             "1)",
             0},
            {"no-sandbox", OPTION_NO_SANDBOX, NULL, 0,
             "with --watch: do not confine this program: for debugging, or where the kernel cannot", 0},
            {0},
        },
    .parser = parse_ls,
    .doc = "Lists the connections that this machine has an end of: devices of this guest, then sockets of "
           "hubs that run here (`crossvm run`, `crossvm hub`, `crossvm pair`).\v"
           "NAME is what other commands take. DOOR is how the peer takes its end, on the host. Where a name appears "
           "twice, the second is shown as its path. EVENTS counts "
           "the events that the other end has sent. With --watch, hubs tell who comes and goes. Exit status: 0, or 2 "
           "when something, such as a directory, could not "
           "be looked at.",
};

static const struct argp info_argp = {
    .options = options,
    .parser = parse_info,
    .args_doc = "NAME",
    .doc = "Prints all that is known of one end of a connection.",
};

/* --- ls --- */

enum { NAME, VIA, LOCATION, DOOR, PEER, EVENTS, DATAPORTS, NUM_COLUMNS };

typedef char table_row[NUM_COLUMNS][256];

static void describe_dataports(char *text, size_t size, const crossvm_end_info_t *end)
{
    size_t used = 0;
    char bytes[SIZE_TEXT_BYTES];

    snprintf(text, size, "-");
    for (size_t i = 0; i < end->num_dataports && used < size; i++) {
        const char *rights = end_rights(end->dataports[i].rights);

        used += (size_t)snprintf(text + used, size - used, "%s%s %s", i ? ", " : "",
                                 size_format(bytes, end->dataports[i].size), rights);
    }
}

static void make_row(table_row row, const crossvm_end_info_t *end, bool is_hidden)
{
    snprintf(row[NAME], sizeof(row[NAME]), "%s", is_hidden ? end->path : end->name);
    snprintf(row[VIA], sizeof(row[VIA]), "%s", end_via(end));
    snprintf(row[LOCATION], sizeof(row[LOCATION]), "%s", shown(end->location));
    snprintf(row[DOOR], sizeof(row[DOOR]), "%s%s", end->peer_door ? end_door(end) : "-",
             peer_is_guest(end) && !end->peer_here ? " (no VMM)" : "");
    snprintf(row[PEER], sizeof(row[PEER]), "%s", end_peer(end));
    snprintf(row[EVENTS], sizeof(row[EVENTS]), "-");
    if (end->version)
        snprintf(row[EVENTS], sizeof(row[EVENTS]), "%" PRIu64, end->events);
    if (end->error)
        snprintf(row[DATAPORTS], sizeof(row[DATAPORTS]), "? (%s)", strerror(-end->error));
    else
        describe_dataports(row[DATAPORTS], sizeof(row[DATAPORTS]), end);
}

static void print_rows(FILE *stream, table_row *rows, size_t count)
{
    int widths[NUM_COLUMNS] = {0};

    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < NUM_COLUMNS; c++) {
            int width = (int)strlen(rows[i][c]);

            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (int c = 0; c < NUM_COLUMNS - 1; c++)
            fprintf(stream, "%-*s  ", widths[c], rows[i][c]);
        fprintf(stream, "%s\n", rows[i][NUM_COLUMNS - 1]);
    }
}

static int print_table(FILE *stream, const crossvm_end_info_t *ends, size_t count)
{
    static const table_row heads = {"NAME", "VIA", "LOCATION", "DOOR", "PEER", "EVENTS", "DATAPORTS"};
    table_row *rows = malloc((count + 1) * sizeof(*rows));

    if (!rows) {
        message("no memory for a table");
        return STATUS_ERROR;
    }
    memcpy(rows[0], heads, sizeof(heads));
    for (size_t i = 0; i < count; i++)
        make_row(rows[i + 1], &ends[i], i > 0 && strcmp(ends[i].name, ends[i - 1].name) == 0);
    print_rows(stream, rows, count + 1);
    free(rows);
    return STATUS_OK;
}

/* Nothing to list is no error, but silence would look like one. */
static void say_none(void)
{
    char first[SOCKET_DIRECTORY_BYTES], second[SOCKET_DIRECTORY_BYTES];
    bool two = cvm_socket_directory(1, second);

    (void)cvm_socket_directory(0, first);
    message("there are no connections: no device of this machine has a driver for them, and nothing serves a socket in "
            "%s%s%s; `crossvm pair NAME` makes a connection without a VM",
            first, two ? " or " : "", two ? second : "");
}

/* Prints what there is. With quiet, what cannot be looked at was said before. */
static int print_list(FILE *stream, const struct request *request, bool quiet)
{
    crossvm_end_info_t *ends;
    int status = STATUS_OK;
    size_t count;
    int error = crossvm_list(&ends, &count, sizeof(*ends));

    if (error && !quiet)
        message("%s", crossvm_strerror());
    if (request->json)
        status = ends_print_json(stream, ends, count, request->watch);
    else if (count)
        status = print_table(stream, ends, count);
    else if (!error && !quiet)
        say_none();
    crossvm_list_free(ends);
    return error ? STATUS_ERROR : status;
}

/* Prints a list if it is another than before, which is replaced then. */
static int print_changed(const struct request *request, char **before, bool is_first)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    int status;

    if (!stream) {
        message("no memory for a list");
        return STATUS_ERROR;
    }
    status = print_list(stream, request, !is_first);
    if (fclose(stream)) {
        message("no memory for a list");
        status = STATUS_ERROR;
    }
    if (text && (!*before || strcmp(*before, text) != 0)) {
        /* In place on a terminal; else behind an empty line. */
        if (!request->json)
            fputs(isatty(STDOUT_FILENO) == 1 ? "\033[H\033[2J" : *before && **before ? "\n" : "", stdout);
        fputs(text, stdout);
        free(*before);
        *before = text;
        return standard_output_flush() ? status : STATUS_ERROR;
    }
    free(text);
    return status;
}

/* A hub that ends closes one socket after the other: its list is looked at again for a second. */
#define SETTLING_LOOKS 10
#define SETTLING_MS 100

struct settling {
    size_t hubs;
    int looks;
};

static int patience_ms(const struct request *request, const struct fleet *fleet, struct settling *settling)
{
    const double ms = request->seconds * 1e3;
    const int interval = ms < INT_MAX ? (int)ms : INT_MAX;

    if (fleet->num_connections < settling->hubs)
        settling->looks = SETTLING_LOOKS;
    settling->hubs = fleet->num_connections;
    if (settling->looks == 0)
        return interval;
    settling->looks--;
    return interval < SETTLING_MS ? interval : SETTLING_MS;
}

/* What cannot be looked at is no reason to end: it may be mended. */
static int watch(const struct request *request)
{
    struct fleet fleet = {.complained = true}; /* what it cannot observe is looked at, all the same */
    int stop = serve_catch_signals(), status = STATUS_ERROR;
    struct settling settling = {0};
    bool is_first = true, goes_on = true;
    char *before = NULL;

    if (stop < 0)
        return STATUS_ERROR;
    if (request->no_sandbox || confine_observer(NULL) == 0)
        status = STATUS_OK;
    while (status == STATUS_OK && goes_on) {
        /* First: what changes after the list is told then. */
        if (fleet_scan(&fleet) || (print_changed(request, &before, is_first) && !standard_output_flush()))
            status = STATUS_ERROR;
        else
            goes_on = fleet_wait(&fleet, stop, patience_ms(request, &fleet, &settling));
        is_first = false;
    }
    fleet_free(&fleet);
    free(before);
    close(stop);
    return status;
}

int cmd_ls(int argc, char **argv)
{
    struct request request = {.seconds = 1};

    command_line_parse(&ls_argp, 0, argc, argv, &request);
    return request.watch ? watch(&request) : print_list(stdout, &request, false);
}

/* --- info --- */

static void print_end(const crossvm_end_info_t *end)
{
    bool is_socket = end->via == CROSSVM_VIA_SOCKET;
    char bytes[SIZE_TEXT_BYTES];

    printf("name        %s\n", end->name);
    printf("via         %s\n", end_via(end));
    printf("path        %s\n", end->path);
    if (end->location[0])
        printf("%s  %s\n", is_socket ? "VM        " : "PCI device", end->location);
    if (end->peer_door)
        printf("door        %s%s\n", end_door(end),
               !peer_is_guest(end) ? ""
               : end->peer_here    ? ", a VMM is there"
                                   : ", no VMM is there");
    if (end->version)
        printf("device      version %u.%u\n", end->version >> 16, end->version & 0xffff);
    if (end->version || is_socket)
        printf("end         %u\n", end->end);
    printf("peer        %s", end_peer(end));
    if (end->peer_generation)
        printf(", generation %u", end->peer_generation);
    putchar('\n');
    if (end->owner >= 0)
        printf("owner       %s\n", end->owner ? "a program" : "none");
    if (end->version)
        printf("events      %" PRIu64 "\n", end->events);
    if (end_has_interrupt(end))
        printf("interrupt   %s\n", end->msi ? "MSI" : "INTx");
    for (size_t i = 0; i < end->num_dataports; i++)
        printf("dataport %zu  %s %s, %" PRIu64 " bytes\n", i, size_format(bytes, end->dataports[i].size),
               end_rights(end->dataports[i].rights), end->dataports[i].size);
    if (end_has_exits(end))
        printf("VM exits    %" PRIu64 ", of these %" PRIu64 " to its process\n", end->vm_exits, end->vm_user_exits);
}

/* Whether two paths lead to one file: a device may have links. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;

    if (stat(a, &left) || stat(b, &right))
        return false;
    if (S_ISCHR(left.st_mode) && S_ISCHR(right.st_mode))
        return left.st_rdev == right.st_rdev;
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* The end of a list that a name or path means, or NULL. */
static const crossvm_end_info_t *find_end(const crossvm_end_info_t *ends, size_t count, const char *name)
{
    bool is_path = strchr(name, '/') != NULL;

    for (size_t i = 0; i < count; i++) {
        if (is_path ? is_same_file(ends[i].path, name) : strcmp(ends[i].name, name) == 0)
            return &ends[i];
    }
    return NULL;
}

/*
 * Looks an end up in the list of all, since that takes it from nobody. What is not in the list, such as a socket
 * elsewhere, and what the list could not look at, is opened.
 */
static int look_up(const char *name, crossvm_end_info_t *info)
{
    const crossvm_end_info_t *found;
    crossvm_end_info_t *ends;
    crossvm_end_t *end;
    size_t count;
    int error;

    (void)crossvm_list(&ends, &count, sizeof(*ends)); /* what it could not look at, it leaves out */
    found = find_end(ends, count, name);
    if (found && !found->error)
        *info = *found;
    else
        found = NULL;
    crossvm_list_free(ends);
    if (found)
        return 0;

    error = crossvm_open(&end, name);
    if (error)
        return error;
    error = crossvm_info(end, info, sizeof(*info));
    crossvm_close(end);
    return error;
}

int cmd_info(int argc, char **argv)
{
    struct request request = {0};
    crossvm_end_info_t info;

    command_line_parse(&info_argp, 0, argc, argv, &request);
    if (look_up(request.name, &info)) {
        message("%s", crossvm_strerror());
        return STATUS_ERROR;
    }
    if (request.json)
        return end_print_json(&info);
    print_end(&info);
    return STATUS_OK;
}
