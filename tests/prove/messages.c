/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages by which an end is handed over: what a library and crossvm-vm take of them has as many descriptors as they
 * count on, names that end, and ranges that can be mapped.
 *
 * Assumed: nothing, of length and number of descriptors neither. No bounds.
 */
#include "prove.h"
#include "text.h"

#define connect_to join_connect_to /* each file has its own */
#define find_fault join_find_fault
#include "../../src/vm/join.c"
#undef connect_to
#undef find_fault

#include "../../src/lib/wire_client.c"

int cvm_fail(int error, const char *format, ...)
{
    (void)format;
    return -error;
}

static void prove_mapped(const struct crossvm_wire_dataport *dataport)
{
    prove(dataport->size > 0 && dataport->offset + dataport->size >= dataport->size &&
              dataport->offset + dataport->size <= (uint64_t)INT64_MAX,
          "a dataport that can be mapped");
    prove(dataport->rights & CROSSVM_RIGHT_READ, "and read");
}

void prove_reply(void)
{
    struct wire_answer answer;
    enum crossvm_wire_type type = nondet_bool() ? CROSSVM_WIRE_ATTACH : CROSSVM_WIRE_INFO;
    size_t num_fds = nondet_size();
    struct crossvm_wire_reply *reply = &answer.reply;

    if (find_fault(reply, (ssize_t)nondet_size(), type) || check_status("", &answer, type, num_fds))
        return;
    prove(reply->num_dataports <= CROSSVM_MAX_DATAPORTS && reply->peer_end <= 1, "no more than there can be");
    prove(strnlen(reply->name, sizeof(reply->name)) < sizeof(reply->name) &&
              strnlen(reply->vm, sizeof(reply->vm)) < sizeof(reply->vm),
          "names that end");
    prove(type != CROSSVM_WIRE_ATTACH || num_fds == CROSSVM_WIRE_FIXED_FDS + reply->num_dataports,
          "a descriptor for each dataport");
    prove(num_fds <= CROSSVM_WIRE_MAX_FDS, "room for the descriptors");
    for (size_t i = 0; i < reply->num_dataports; i++)
        prove_mapped(&reply->dataports[i]);
    reached();
}

void prove_join(void)
{
    struct crossvm_wire_join join;
    size_t num_fds = nondet_size();

    if (join_find_fault(&join, (ssize_t)nondet_size(), num_fds))
        return;
    prove(join.num_dataports <= CROSSVM_MAX_DATAPORTS && join.end <= 1, "no more than there can be");
    prove(strnlen(join.name, sizeof(join.name)) < sizeof(join.name), "a name that ends");
    prove(num_fds == CROSSVM_WIRE_JOIN_FIXED_FDS + join.num_dataports && num_fds <= CROSSVM_WIRE_JOIN_MAX_FDS,
          "a descriptor for each page and dataport");
    for (size_t i = 0; i < join.num_dataports; i++)
        prove_mapped(&join.dataports[i]);
    reached();
}
