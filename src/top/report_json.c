/* SPDX-License-Identifier: BSD-2-Clause */
/* Exact numbers, and null for what is not known or does not apply. */
#include "report.h"

#include <jansson.h>

static json_t *real_if(bool known, double number)
{
    return known ? json_real(number) : json_null();
}

static json_t *number_if(bool known, uint64_t number)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

/* The object, or NULL without memory: then one of the calls that filled it has failed. */
static json_t *whole(json_t *object, int failed)
{
    if (!failed)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *end_to_json(const struct rate_row *row, unsigned int number)
{
    const struct rate_end *end = &row->ends[number];
    json_t *o = json_object();
    int failed = 0;

    failed |= json_object_set_new(o, "end", number_if(!row->device || row->device->version, number));
    failed |= json_object_set_new(o, "door", row->device ? json_null() : json_string(report_door(end)));
    failed |= json_object_set_new(o, "vm", end->vm[0] ? json_string(end->vm) : json_null());
    failed |= json_object_set_new(o, "here", row->device ? json_null() : json_boolean(end->here));
    failed |= json_object_set_new(o, "state", json_string(report_state(end)));
    failed |= json_object_set_new(o, "emits", number_if(true, end->events));
    failed |= json_object_set_new(o, "emits_per_second", real_if(true, end->events_rate));
    failed |= json_object_set_new(o, "vm_exits", number_if(end->has_exits, end->exits));
    failed |= json_object_set_new(o, "vm_exits_per_second", real_if(end->has_exits, end->exits_rate));
    failed |= json_object_set_new(o, "accesses", number_if(end->has_accesses, end->accesses));
    failed |= json_object_set_new(o, "accesses_per_second", real_if(end->has_accesses, end->accesses_rate));
    return whole(o, failed);
}

static json_t *flow_to_json(const struct rate_flow *flow, unsigned int from)
{
    const struct channel_flow *total = flow->total;
    bool known = total->knows_messages;
    json_t *o = json_object();
    int failed = 0;

    failed |= json_object_set_new(o, "from", json_integer(from));
    failed |= json_object_set_new(o, "bytes", number_if(true, total->bytes));
    failed |= json_object_set_new(o, "bytes_per_second", real_if(true, flow->bytes));
    failed |= json_object_set_new(o, "bytes_exact", json_boolean(flow->exact_bytes));
    failed |= json_object_set_new(o, "messages",
                                  number_if(known, total->messages_counted + (uint64_t)total->messages_estimated));
    failed |= json_object_set_new(o, "messages_per_second", real_if(known, flow->messages));
    failed |= json_object_set_new(o, "messages_exact", known ? json_boolean(flow->exact_messages) : json_null());
    failed |= json_object_set_new(o, "waits_for_data", number_if(true, total->waits_for_data));
    failed |= json_object_set_new(o, "waits_for_data_per_second", real_if(true, flow->waits_for_data));
    failed |= json_object_set_new(o, "waits_for_space", number_if(true, total->waits_for_space));
    failed |= json_object_set_new(o, "waits_for_space_per_second", real_if(true, flow->waits_for_space));
    failed |= json_object_set_new(o, "fill_bytes", number_if(true, total->fill));
    return whole(o, failed);
}

static json_t *channel_to_json(const struct rate_channel *channel)
{
    json_t *o = json_object(), *flows = json_array();
    int failed = 0;

    for (unsigned int i = 0; i < 2; i++)
        failed |= json_array_append_new(flows, flow_to_json(&channel->flows[i], i));
    failed |= json_object_set_new(o, "dataport", json_integer(channel->dataport));
    failed |= json_object_set_new(o, "mode", json_string(report_mode(channel->watch)));
    failed |= json_object_set_new(o, "session", json_boolean(channel->watch->state == CHANNEL_WATCH_SESSION));
    failed |= json_object_set_new(o, "ring_bytes", json_integer(channel->watch->ring_bytes));
    failed |= json_object_set_new(o, "directions", flows);
    return whole(o, failed);
}

static json_t *row_to_json(const struct rate_row *row)
{
    json_t *o = json_object(), *ends = json_array(), *channels = json_array();
    int failed = 0;

    for (unsigned int i = 0; i < 2; i++) {
        if (row->ends[i].known)
            failed |= json_array_append_new(ends, end_to_json(row, i));
    }
    for (size_t i = 0; i < row->num_channels; i++)
        failed |= json_array_append_new(channels, channel_to_json(&row->channels[i]));
    failed |= json_object_set_new(o, "name", json_string(row->name));
    failed |= json_object_set_new(o, "path", json_string(row->path));
    failed |= json_object_set_new(o, "ends", ends);
    if (!row->sees_channels) {
        json_decref(channels);
        channels = json_null();
    }
    failed |= json_object_set_new(o, "channels", channels);
    return whole(o, failed);
}

int report_json(FILE *stream, const struct rates *rates)
{
    json_t *o = json_object(), *rows = json_array();
    int failed = 0;

    for (size_t i = 0; i < rates->count; i++)
        failed |= json_array_append_new(rows, row_to_json(&rates->rows[i]));
    failed |= json_object_set_new(o, "seconds", json_real(rates->seconds));
    failed |= json_object_set_new(o, "connections", rows);
    o = whole(o, failed);
    failed = !o || json_dumpf(o, stream, JSON_COMPACT);
    fputc('\n', stream);
    json_decref(o);
    return failed ? -1 : 0;
}
