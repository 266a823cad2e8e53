/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends as JSON: exact numbers, and null for what is not known or does not apply. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ends.h"

static json_t *version_to_json(uint32_t version)
{
    return version ? json_sprintf("%u.%u", version >> 16, version & 0xffff) : json_null();
}

static json_t *number_if(bool known, uint64_t number)
{
    return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_if(bool known, const char *text)
{
    return known ? json_string(text) : json_null();
}

static json_t *dataports_to_json(const crossvm_end_info_t *end)
{
    json_t *array = end->error ? json_null() : json_array();

    for (size_t i = 0; i < end->num_dataports; i++) {
        json_t *dataport = json_pack("{s:I, s:s}", "size", (json_int_t)end->dataports[i].size, "rights",
                                     end_rights(end->dataports[i].rights));

        if (json_array_append_new(array, dataport)) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* The end as an object, or NULL without memory. */
static json_t *end_to_json(const crossvm_end_info_t *end)
{
    bool is_numbered = !end->error && (end->via == CROSSVM_VIA_SOCKET || end->version);
    bool has_exits = end_has_exits(end);
    json_t *o = json_object();
    int failed = 0;

    failed |= json_object_set_new(o, "name", json_string(end->name));
    failed |= json_object_set_new(o, "via", json_string(end_via(end)));
    failed |= json_object_set_new(o, "path", json_string(end->path));
    failed |= json_object_set_new(o, "location", text_if(end->location[0], end->location));
    failed |= json_object_set_new(o, "error", text_if(end->error, strerror(-end->error)));
    failed |= json_object_set_new(o, "version", version_to_json(end->version));
    failed |= json_object_set_new(o, "end", number_if(is_numbered, end->end));
    failed |= json_object_set_new(o, "peer", json_string(end_peer(end)));
    failed |= json_object_set_new(o, "peer_generation", number_if(is_numbered, end->peer_generation));
    failed |= json_object_set_new(o, "events", number_if(end->version, end->events));
    failed |= json_object_set_new(o, "msi", end_has_interrupt(end) ? json_boolean(end->msi) : json_null());
    failed |= json_object_set_new(o, "owned", end->owner < 0 ? json_null() : json_boolean(end->owner));
    failed |= json_object_set_new(o, "dataports", dataports_to_json(end));
    failed |= json_object_set_new(o, "door", text_if(end->peer_door, end_door(end)));
    failed |= json_object_set_new(o, "peer_here", end->peer_door ? json_boolean(end->peer_here) : json_null());
    failed |= json_object_set_new(o, "vm_exits", number_if(has_exits, end->vm_exits));
    failed |= json_object_set_new(o, "vm_user_exits", number_if(has_exits, end->vm_user_exits));
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Prints and frees a value, which may be NULL. */
static int print(FILE *stream, json_t *value, size_t flags)
{
    int status = STATUS_OK;

    if (!value || json_dumpf(value, stream, flags)) {
        message("no memory for JSON");
        status = STATUS_ERROR;
    }
    fputc('\n', stream);
    json_decref(value);
    return status;
}

int end_print_json(const crossvm_end_info_t *end)
{
    return print(stdout, end_to_json(end), JSON_INDENT(2));
}

int ends_print_json(FILE *stream, const crossvm_end_info_t *ends, size_t count, bool in_a_line)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(array, end_to_json(&ends[i]))) {
            json_decref(array);
            array = NULL;
            break;
        }
    }
    return print(stream, array, in_a_line ? JSON_COMPACT : JSON_INDENT(2));
}
