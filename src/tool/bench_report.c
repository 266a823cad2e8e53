/* SPDX-License-Identifier: BSD-2-Clause */
/* What `crossvm bench` prints. */
#include <jansson.h>
#include <stdio.h>

#include "bench.h"

/* Gigabytes, 10^9 bytes, a second. */
static double rate(const struct bench_result *result, double per_s)
{
    return per_s * (double)result->size / 1e9;
}

void bench_print_head(void)
{
    puts("          round trip, us                                      to the other end       from the other end");
    puts("   SIZE      MIN   MEDIAN      90%      99%    99.9%    EXITS  MESSAGES/S    GB/s   MESSAGES/S    GB/s");
}

void bench_print_row(const struct bench_result *r)
{
    char size[SIZE_TEXT_BYTES], exits[32] = "-";

    if (r->exits >= 0)
        snprintf(exits, sizeof(exits), "%.2f", r->exits);
    printf("%7s %8.1f %8.1f %8.1f %8.1f %8.1f %8s %11.0f %7.3f  %11.0f %7.3f\n", size_format(size, r->size), r->min_us,
           r->median_us, r->p90_us, r->p99_us, r->p999_us, exits, r->to_peer_per_s, rate(r, r->to_peer_per_s),
           r->from_peer_per_s, rate(r, r->from_peer_per_s));
}

static json_t *direction_to_json(const struct bench_result *result, double per_s)
{
    return json_pack("{s:f, s:f}", "messages_per_second", per_s, "bytes_per_second", per_s * (double)result->size);
}

static json_t *result_to_json(const struct bench_result *r)
{
    return json_pack("{s:I, s:{s:I, s:f, s:f, s:f, s:f, s:f, s:f}, s:o*, s:o, s:o}", "size", (json_int_t)r->size,
                     "round_trip_us", "count", (json_int_t)r->round_trips, "min", r->min_us, "p50", r->median_us, "p90",
                     r->p90_us, "p99", r->p99_us, "p99.9", r->p999_us, "max", r->max_us, "exits_per_round_trip",
                     r->exits < 0 ? NULL : json_real(r->exits), "to_peer", direction_to_json(r, r->to_peer_per_s),
                     "from_peer", direction_to_json(r, r->from_peer_per_s));
}

int bench_print_json(const char *name, const struct bench_result *results, size_t count)
{
    json_t *array = json_array(), *all;
    bool failed = !array;
    int status = STATUS_OK;

    for (size_t i = 0; i < count && !failed; i++)
        failed = json_array_append_new(array, result_to_json(&results[i])) != 0;
    all = json_pack("{s:s, s:o}", "name", name, "results", array);
    if (failed || !all || json_dumpf(all, stdout, JSON_INDENT(2))) {
        message("no memory for JSON");
        status = STATUS_ERROR;
    }
    putchar('\n');
    json_decref(all);
    return status;
}
