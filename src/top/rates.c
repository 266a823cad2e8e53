/* SPDX-License-Identifier: BSD-2-Clause */
#include "rates.h"

#include <stdlib.h>
#include <string.h>

#include "../common/message.h"
#include "../common/peer_state.h"

const char *const rate_order_words[] = {"bytes", "messages", "waits", "emits", "exits", "name", NULL};

/* A counter that is lower than before belongs to somebody else who has come since. */
static double rate_of(uint64_t before, uint64_t now, double seconds)
{
    return seconds > 0 && now >= before ? (double)(now - before) / seconds : 0;
}

static struct rate_flow flow_of(const struct channel_flow *before, const struct channel_flow *now, uint32_t ring_bytes,
                                double seconds)
{
    double counted = rate_of(before->messages_counted, now->messages_counted, seconds);
    double estimated = seconds > 0 ? (now->messages_estimated - before->messages_estimated) / seconds : 0;

    return (struct rate_flow){
        .total = now,
        .bytes = rate_of(before->bytes, now->bytes, seconds),
        .messages = counted + estimated,
        .waits_for_data = rate_of(before->waits_for_data, now->waits_for_data, seconds),
        .waits_for_space = rate_of(before->waits_for_space, now->waits_for_space, seconds),
        .fill = ring_bytes ? (double)now->fill / ring_bytes : 0,
        .exact_messages = estimated <= 0 && now->unknown_bytes <= 0,
        .exact_bytes = !now->missed_bytes,
    };
}

static double seconds_of(const struct fleet_counts *before, const struct fleet_counts *now)
{
    return before->ns ? (double)(now->ns - before->ns) / 1e9 : 0;
}

static void add_channels(struct rate_row *row, const struct channel_watch *watches, size_t num_dataports,
                         const struct fleet_counts *before, const struct fleet_counts *now)
{
    double seconds = seconds_of(before, now);

    for (unsigned int dataport = 0; dataport < num_dataports; dataport++) {
        const struct channel_watch *watch = &watches[dataport];
        struct rate_channel *channel = &row->channels[row->num_channels];

        if (watch->state == CHANNEL_WATCH_NONE)
            continue;
        *channel = (struct rate_channel){.dataport = dataport, .watch = watch};
        for (unsigned int i = 0; i < 2; i++)
            channel->flows[i] =
                flow_of(&before->flows[dataport][i], &now->flows[dataport][i], watch->ring_bytes, seconds);
        row->num_channels++;
    }
}

static struct rate_end end_of(const struct fleet_connection *connection, unsigned int i)
{
    const struct crossvm_wire_observed_end *end = &connection->observed.told.ends[i];
    const struct fleet_counts *before = &connection->before, *now = &connection->now;
    double seconds = seconds_of(before, now);

    return (struct rate_end){
        .known = true,
        .vm = end->vm,
        .door = end->door,
        .here = end->here != 0,
        .peer_state = peer_state_of(end->driver_state),
        .has_exits = end->door == CROSSVM_DOOR_CROSSVM_VM && end->here,
        .has_accesses = end->door == CROSSVM_DOOR_VFIO_USER && end->here,
        .events = now->events[i],
        .exits = now->exits[i],
        .accesses = now->accesses[i],
        .events_rate = rate_of(before->events[i], now->events[i], seconds),
        .exits_rate = rate_of(before->exits[i], now->exits[i], seconds),
        .accesses_rate = rate_of(before->accesses[i], now->accesses[i], seconds),
    };
}

static void make_row(struct rate_row *row, const struct fleet_connection *connection)
{
    const struct observed *observed = &connection->observed;

    *row = (struct rate_row){.name = observed->told.name, .path = observed->path, .sees_channels = true};
    for (unsigned int i = 0; i < 2; i++)
        row->ends[i] = end_of(connection, i);
    add_channels(row, observed->channels, observed->told.num_dataports, &connection->before, &connection->now);
}

static void make_device_row(struct rate_row *row, const struct fleet_device *device)
{
    const crossvm_end_info_t *info = &device->info;
    unsigned int peer = 1 - info->end;

    *row = (struct rate_row){
        .name = info->name, .path = info->path, .device = info, .sees_channels = device->channels.count > 0};
    row->ends[info->end].vm = "";
    row->ends[peer] = (struct rate_end){
        .known = true,
        .vm = "",
        .peer_state = info->peer_state,
        .events = info->events,
        .events_rate = rate_of(device->before.events[peer], info->events, seconds_of(&device->before, &device->now)),
    };
    add_channels(row, device->channels.channels, device->channels.count, &device->before, &device->now);
}

static double busyness(const struct rate_row *row, enum rate_order order)
{
    double sum = 0;

    for (size_t i = 0; i < 2; i++) {
        if (order == ORDER_EMITS)
            sum += row->ends[i].events_rate;
        if (order == ORDER_EXITS)
            sum += row->ends[i].exits_rate + row->ends[i].accesses_rate;
    }
    for (size_t i = 0; i < row->num_channels; i++) {
        for (size_t k = 0; k < 2; k++) {
            const struct rate_flow *flow = &row->channels[i].flows[k];

            if (order == ORDER_BYTES)
                sum += flow->bytes;
            if (order == ORDER_MESSAGES)
                sum += flow->messages;
            if (order == ORDER_WAITS)
                sum += flow->waits_for_data + flow->waits_for_space;
        }
    }
    return sum;
}

static int compare(const void *a, const void *b)
{
    const struct rate_row *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    if (left->busy != right->busy)
        return left->busy > right->busy ? -1 : 1;
    return order ? order : strcmp(left->path, right->path);
}

int rates_make(struct rates *rates, const struct fleet *fleet, enum rate_order order)
{
    *rates = (struct rates){.count = fleet->num_connections + fleet->num_devices};
    rates->rows = calloc(rates->count ? rates->count : 1, sizeof(*rates->rows));
    if (!rates->rows) {
        message("no memory for a report");
        return -1;
    }
    for (size_t i = 0; i < fleet->num_connections; i++) {
        make_row(&rates->rows[i], fleet->connections[i]);
        rates->seconds = seconds_of(&fleet->connections[i]->before, &fleet->connections[i]->now);
    }
    for (size_t i = 0; i < fleet->num_devices; i++) {
        make_device_row(&rates->rows[fleet->num_connections + i], &fleet->devices[i]);
        rates->seconds = seconds_of(&fleet->devices[i].before, &fleet->devices[i].now);
    }
    for (size_t i = 0; i < rates->count; i++)
        rates->rows[i].busy = busyness(&rates->rows[i], order);
    qsort(rates->rows, rates->count, sizeof(*rates->rows), compare);
    return 0;
}

void rates_free(struct rates *rates)
{
    free(rates->rows);
    *rates = (struct rates){0};
}
