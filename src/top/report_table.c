/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include <crossvm/channel_layout.h>

/* --- words --- */

const char *report_door(const struct rate_end *end)
{
    static const char *const words[] = {
        [CROSSVM_DOOR_UNKNOWN] = "unknown",       [CROSSVM_DOOR_HOST] = "host",
        [CROSSVM_DOOR_CROSSVM_VM] = "crossvm-vm", [CROSSVM_DOOR_VFIO_USER] = "vfio-user",
        [CROSSVM_DOOR_IVSHMEM] = "ivshmem",
    };

    return words[end->door];
}

const char *report_state(const struct rate_end *end)
{
    static const char *const words[] = {
        [CROSSVM_PEER_ABSENT] = "absent", [CROSSVM_PEER_PRESENT] = "present", [CROSSVM_PEER_READY] = "ready"};

    return end->peer_state <= CROSSVM_PEER_READY ? words[end->peer_state] : "unknown";
}

const char *report_side(const struct rate_end *end)
{
    return end->known ? "peer" : "guest";
}

const char *report_mode(const struct channel_watch *watch)
{
    return watch->mode == CROSSVM_CHANNEL_STREAM ? "stream" : "datagram";
}

/* --- lines --- */

enum { CONNECTION, CHANNEL, FROM, STATE, MESSAGES, BYTES, FILL, WAITS, EMITS, EXITS, NUM_COLUMNS };

/* Names are cut to what is left of the width; numbers have what they need. */
static const int widths[NUM_COLUMNS] = {[CHANNEL] = 2, [FROM] = 1,  [STATE] = 7, [MESSAGES] = 6, [BYTES] = 6,
                                        [FILL] = 4,    [WAITS] = 7, [EMITS] = 7, [EXITS] = 7};
static const char *const heads[NUM_COLUMNS] = {"CONNECTION", "CH",   "FROM",    "STATE",   "MSG/S",
                                               "BYTES/S",    "FILL", "WAITS/S", "EMITS/S", "EXITS/S"};

#define CELL_BYTES 96

typedef char line_t[NUM_COLUMNS][CELL_BYTES];

struct lines {
    line_t *lines;
    size_t count;
};

/* Three digits, and a unit of thousands. */
static void put_number(char cell[CELL_BYTES], double number, const char *mark)
{
    static const char units[] = " kMGTP";
    size_t unit = 0;

    while (number >= 999.5 && unit + 2 < sizeof(units)) {
        number /= 1000;
        unit++;
    }
    (void)snprintf(cell, CELL_BYTES, "%s%.*f%.*s", mark,
                   number <= 0 || number >= 99.95 ? 0
                   : number < 9.995               ? 2
                                                  : 1,
                   number, unit ? 1 : 0, &units[unit]);
}

static void put_end(line_t line, const struct rate_row *row, unsigned int number)
{
    const struct rate_end *end = &row->ends[number];

    (void)snprintf(line[CONNECTION], CELL_BYTES, "%s", row->name);
    if (row->device)
        (void)snprintf(line[FROM], CELL_BYTES, "%s", report_side(end));
    else
        (void)snprintf(line[FROM], CELL_BYTES, "%u %s", number, end->vm[0] ? end->vm : report_door(end));
    if (!end->known)
        return;
    (void)snprintf(line[STATE], CELL_BYTES, "%s", report_state(end));
    put_number(line[EMITS], end->events_rate, "");
    if (end->has_exits || end->has_accesses)
        put_number(line[EXITS], end->has_exits ? end->exits_rate : end->accesses_rate, "");
}

static void put_flow(line_t line, const struct rate_channel *channel, unsigned int end)
{
    const struct rate_flow *flow = &channel->flows[end];

    (void)snprintf(line[CHANNEL], CELL_BYTES, "%u%c", channel->dataport, report_mode(channel->watch)[0]);
    if (channel->watch->state != CHANNEL_WATCH_SESSION)
        return;
    if (flow->total->knows_messages)
        put_number(line[MESSAGES], flow->messages, flow->exact_messages ? "" : "~");
    put_number(line[BYTES], flow->bytes, flow->exact_bytes ? "" : ">");
    (void)snprintf(line[FILL], CELL_BYTES, "%.0f%%", 100 * flow->fill);
    put_number(line[WAITS], flow->waits_for_data + flow->waits_for_space, "");
}

static line_t *add(struct lines *lines)
{
    line_t *line = &lines->lines[lines->count++];

    for (int c = 0; c < NUM_COLUMNS; c++)
        (void)snprintf((*line)[c], CELL_BYTES, "-");
    return line;
}

/* What an end does besides sending is said once, in the line of its first channel. */
static void add_row(struct lines *lines, const struct rate_row *row)
{
    for (unsigned int end = 0; end < 2; end++) {
        size_t n = row->num_channels || !row->ends[end].known ? row->num_channels : 1;

        for (size_t i = 0; i < n; i++) {
            line_t *line = add(lines);

            put_end(*line, row, end);
            if (i > 0)
                (*line)[EMITS][0] = (*line)[EXITS][0] = '\0';
            if (row->num_channels)
                put_flow(*line, &row->channels[i], end);
        }
    }
}

/* --- the table --- */

static bool is_name(int column)
{
    return column == CONNECTION || column == FROM;
}

/* Gives names the width that they need, or, where that is too much, what numbers leave, in halves. */
static void choose_widths(int chosen[NUM_COLUMNS], const struct lines *lines, int columns)
{
    int rest = columns;

    for (int c = 0; c < NUM_COLUMNS; c++) {
        chosen[c] = (int)strlen(heads[c]) > widths[c] ? (int)strlen(heads[c]) : widths[c];
        for (size_t i = 0; is_name(c) && i < lines->count; i++) {
            int length = (int)strlen(lines->lines[i][c]);

            chosen[c] = length > chosen[c] ? length : chosen[c];
        }
        rest -= (is_name(c) ? 0 : chosen[c]) + (c > 0);
    }
    if (chosen[CONNECTION] + chosen[FROM] <= rest)
        return;
    if (chosen[CONNECTION] > rest / 2 && chosen[FROM] > rest / 2)
        chosen[CONNECTION] = chosen[FROM] = rest / 2;
    else if (chosen[CONNECTION] > rest / 2)
        chosen[CONNECTION] = rest - chosen[FROM];
    else
        chosen[FROM] = rest - chosen[CONNECTION];
}

static void print_line(FILE *stream, const int chosen[NUM_COLUMNS], const char *const cells[NUM_COLUMNS],
                       const char *end)
{
    for (int c = 0; c < NUM_COLUMNS; c++) {
        bool left = is_name(c) || c == CHANNEL || c == STATE;

        fprintf(stream, "%s%*.*s", c > 0 ? " " : "", left ? -chosen[c] : chosen[c], chosen[c], cells[c]);
    }
    fprintf(stream, "%s\n", end);
}

static void print_lines(FILE *stream, const struct lines *lines, const struct report_space *space)
{
    const char *end = space->in_place ? "\033[K" : "";
    int chosen[NUM_COLUMNS];

    choose_widths(chosen, lines, space->columns);
    if (space->in_place)
        fputs("\033[H", stream);
    print_line(stream, chosen, heads, end);
    for (size_t i = 0; i < lines->count && (space->lines == 0 || (int)i + 2 < space->lines); i++) {
        const char *cells[NUM_COLUMNS];

        for (int c = 0; c < NUM_COLUMNS; c++)
            cells[c] = lines->lines[i][c];
        print_line(stream, chosen, cells, end);
    }
    if (space->in_place)
        fputs("\033[J", stream);
}

int report_table(FILE *stream, const struct rates *rates, const struct report_space *space)
{
    struct lines lines = {.lines = calloc(rates->count * 2 * CROSSVM_MAX_DATAPORTS + 1, sizeof(line_t))};

    if (!lines.lines)
        return -1;
    for (size_t i = 0; i < rates->count; i++)
        add_row(&lines, &rates->rows[i]);
    print_lines(stream, &lines, space);
    free(lines.lines);
    return 0;
}
