/* SPDX-License-Identifier: BSD-2-Clause */
/* Prometheus' text format 0.0.4: all samples of a metric together, behind what it means. */
#include "report.h"

#include <inttypes.h>

/* --- samples --- */

static void print_label(FILE *stream, const char *name, const char *value)
{
    fprintf(stream, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            fputc('\\', stream);
        fputc(*value, stream);
    }
    fputc('"', stream);
}

static void print_head(FILE *stream, const char *name, const char *type, const char *help)
{
    fprintf(stream, "# HELP crossvm_%s %s\n# TYPE crossvm_%s %s\n", name, help, name, type);
}

/* The name and the labels that all have: two hubs may have a connection of one name, but not one socket. */
static void begin_sample(FILE *stream, const char *name, const struct rate_row *row)
{
    fprintf(stream, "crossvm_%s{", name);
    print_label(stream, "connection", row->name);
    fputc(',', stream);
    print_label(stream, "path", row->path);
}

static const char *name_of_end(const struct rate_row *row, unsigned int end)
{
    return row->device ? report_side(&row->ends[end]) : end ? "1" : "0";
}

static void end_sample(FILE *stream, double value)
{
    fprintf(stream, "} %.17g\n", value);
}

/* --- ends --- */

struct end_metric {
    const char *name, *type, *help;
    bool (*applies)(const struct rate_row *row, const struct rate_end *end);
    double (*value)(const struct rate_end *end);
};

static bool of_any(const struct rate_row *row, const struct rate_end *end)
{
    (void)row;
    (void)end;
    return true;
}

static bool of_hub(const struct rate_row *row, const struct rate_end *end)
{
    (void)end;
    return !row->device;
}

static bool has_exits(const struct rate_row *row, const struct rate_end *end)
{
    (void)row;
    return end->has_exits;
}

static bool has_accesses(const struct rate_row *row, const struct rate_end *end)
{
    (void)row;
    return end->has_accesses;
}

static double here(const struct rate_end *end)
{
    return end->here;
}

static double ready(const struct rate_end *end)
{
    return end->peer_state == CROSSVM_PEER_READY;
}

static double events(const struct rate_end *end)
{
    return (double)end->events;
}

static double exits(const struct rate_end *end)
{
    return (double)end->exits;
}

static double accesses(const struct rate_end *end)
{
    return (double)end->accesses;
}

static const struct end_metric end_metrics[] = {
    {"end_taken", "gauge", "1 while a program or VMM has the end.", of_hub, here},
    {"end_ready", "gauge", "1 while a program uses the end.", of_any, ready},
    {"emits_total", "counter", "Events that the end has sent.", of_any, events},
    {"vm_exits_total", "counter", "Exits of the VM at the end to the kernel, since it started.", has_exits, exits},
    {"vmm_accesses_total", "counter", "Loads and stores that the VMM at the end asked the hub for, since it came.",
     has_accesses, accesses},
};

static void print_end_metric(FILE *stream, const struct rates *rates, const struct end_metric *metric)
{
    print_head(stream, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < rates->count; i++) {
        const struct rate_row *row = &rates->rows[i];

        for (unsigned int k = 0; k < 2; k++) {
            if (!row->ends[k].known || !metric->applies(row, &row->ends[k]))
                continue;
            begin_sample(stream, metric->name, row);
            fprintf(stream, ",end=\"%s\"", name_of_end(row, k));
            if (!row->device) {
                fputc(',', stream);
                print_label(stream, "door", report_door(&row->ends[k]));
                fputc(',', stream);
                print_label(stream, "vm", row->ends[k].vm);
            }
            end_sample(stream, metric->value(&row->ends[k]));
        }
    }
}

/* --- channels --- */

struct flow_metric {
    const char *name, *type, *help;
    bool only_running; /* a counter that begins with this process */
    bool only_datagrams;
    double (*value)(const struct rate_flow *flow);
};

static double bytes(const struct rate_flow *flow)
{
    return (double)flow->total->bytes;
}

static double messages(const struct rate_flow *flow)
{
    return (double)(flow->total->messages_counted + (uint64_t)flow->total->messages_estimated);
}

static double data_waits(const struct rate_flow *flow)
{
    return (double)flow->total->waits_for_data;
}

static double space_waits(const struct rate_flow *flow)
{
    return (double)flow->total->waits_for_space;
}

static double fill_bytes(const struct rate_flow *flow)
{
    return flow->total->fill;
}

static double bytes_rate(const struct rate_flow *flow)
{
    return flow->bytes;
}

static double messages_rate(const struct rate_flow *flow)
{
    return flow->messages;
}

static const struct flow_metric flow_metrics[] = {
    {"channel_bytes_total", "counter", "Bytes through the ring since crossvm top began.", true, false, bytes},
    {"channel_messages_total", "counter", "Datagrams since crossvm top began, counted or estimated.", true, true,
     messages},
    {"channel_waits_for_data_total", "counter", "Sleeps of the receiver since crossvm top began.", true, false,
     data_waits},
    {"channel_waits_for_space_total", "counter", "Sleeps of the sender since crossvm top began.", true, false,
     space_waits},
    {"channel_bytes_per_second", "gauge", "Bytes a second through the ring, of late.", false, false, bytes_rate},
    {"channel_messages_per_second", "gauge", "Datagrams a second, of late, counted or estimated.", false, true,
     messages_rate},
    {"channel_fill_bytes", "gauge", "Bytes in the ring that were not taken out.", false, false, fill_bytes},
};

static void begin_channel_sample(FILE *stream, const char *name, const struct rate_row *row,
                                 const struct rate_channel *channel)
{
    begin_sample(stream, name, row);
    fprintf(stream, ",dataport=\"%u\",mode=\"%s\"", channel->dataport, report_mode(channel->watch));
}

static void print_flow_metric(FILE *stream, const struct rates *rates, const struct flow_metric *metric)
{
    print_head(stream, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < rates->count; i++) {
        for (size_t k = 0; k < rates->rows[i].num_channels; k++) {
            const struct rate_channel *channel = &rates->rows[i].channels[k];

            for (unsigned int from = 0; from < 2; from++) {
                if (metric->only_datagrams && !channel->flows[from].total->knows_messages)
                    continue;
                begin_channel_sample(stream, metric->name, &rates->rows[i], channel);
                fprintf(stream, ",from=\"%s\"", name_of_end(&rates->rows[i], from));
                end_sample(stream, metric->value(&channel->flows[from]));
            }
        }
    }
}

static void print_channels(FILE *stream, const struct rates *rates)
{
    print_head(stream, "channel_session", "gauge", "1 while both ends of the channel know each other.");
    for (size_t i = 0; i < rates->count; i++) {
        for (size_t k = 0; k < rates->rows[i].num_channels; k++) {
            const struct rate_channel *channel = &rates->rows[i].channels[k];

            begin_channel_sample(stream, "channel_session", &rates->rows[i], channel);
            end_sample(stream, channel->watch->state == CHANNEL_WATCH_SESSION);
        }
    }
    print_head(stream, "channel_ring_bytes", "gauge", "Size of the ring of each direction.");
    for (size_t i = 0; i < rates->count; i++) {
        for (size_t k = 0; k < rates->rows[i].num_channels; k++) {
            const struct rate_channel *channel = &rates->rows[i].channels[k];

            begin_channel_sample(stream, "channel_ring_bytes", &rates->rows[i], channel);
            end_sample(stream, channel->watch->ring_bytes);
        }
    }
}

int report_prometheus(FILE *stream, const struct rates *rates, bool running)
{
    for (size_t i = 0; i < sizeof(end_metrics) / sizeof(end_metrics[0]); i++)
        print_end_metric(stream, rates, &end_metrics[i]);
    print_channels(stream, rates);
    for (size_t i = 0; i < sizeof(flow_metrics) / sizeof(flow_metrics[0]); i++) {
        if (running || !flow_metrics[i].only_running)
            print_flow_metric(stream, rates, &flow_metrics[i]);
    }
    return 0;
}
