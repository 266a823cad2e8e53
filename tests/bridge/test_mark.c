/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bridge leaves to the next one, after any store of its last. And files of credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../src/bridge/secret.h"

/* The sources of the mark, with a look after each of their stores: there, a bridge may be killed. */
static void look(void);
#define __atomic_store_n(at, value, order) (*(volatile __typeof__(*(at)) *)(at) = (value), look())
#include "../../src/bridge/mark.c" /* NOLINT(bugprone-suspicious-include) */
#undef __atomic_store_n

#define PURPOSE 5u
#define ACK 7u

/* What a look compares: the mark that is being written, which says what it said before, or what it will. Without a
 * state before, it may say nothing. */
static const struct mark *looked_at;
static uint32_t produced;
static const struct mark_state *before, *after;

static bool is(const struct mark_state *said, const struct mark_state *state)
{
    return memcmp(&said->taken, &state->taken, sizeof(said->taken)) == 0 && said->stored == state->stored &&
           said->given == state->given;
}

static void look(void)
{
    struct mark_state said = {0};

    if (!looked_at)
        return;
    if (mark_read(looked_at, PURPOSE, ACK, produced, &said))
        assert_true(is(&said, after) || (before && is(&said, before)));
    else
        assert_null(before);
}

static void begin_to_look(const struct mark *mark, uint32_t index, const struct mark_state *one,
                          const struct mark_state *other)
{
    looked_at = mark;
    produced = index;
    before = one;
    after = other;
}

static void says_what_was_taken_and_given(void **state)
{
    const struct ahead_place place = {.index = 160, .position = 96, .part = 3};
    struct mark mark = {0};
    struct mark_state said = {0};

    (void)state;
    mark_begin(&mark, PURPOSE, MARK_UNKNOWN, 40);
    assert_true(mark_read(&mark, PURPOSE, ACK, 0, &said));
    assert_int_equal(said.stored, MARK_UNKNOWN);
    assert_int_equal(said.given, 40);
    mark_taken(&mark, place, 12);
    for (uint64_t i = 1; i <= 5; i++)
        mark_given(&mark, (uint32_t)(i * 16), 40 + i);
    assert_true(mark_read(&mark, PURPOSE, ACK, 80, &said));
    assert_memory_equal(&said.taken, &place, sizeof(place));
    assert_int_equal(said.stored, 12);
    assert_int_equal(said.given, 45);
    /* It was killed before PRODUCED said so. */
    assert_true(mark_read(&mark, PURPOSE, ACK, 64, &said));
    assert_int_equal(said.given, 44);
    assert_false(mark_read(&mark, PURPOSE, ACK, 48, &said));
}

static void indices_go_round(void **state)
{
    struct mark mark = {0};
    struct mark_state said = {0};
    uint32_t index = 0;

    (void)state;
    mark_begin(&mark, PURPOSE, 0, 0);
    for (uint64_t i = 1; i <= 9; i++) {
        const uint32_t before = index;

        index += 0x40000000u;
        mark_given(&mark, index, i);
        assert_true(mark_read(&mark, PURPOSE, ACK, index, &said));
        assert_int_equal(said.given, i);
        assert_true(mark_read(&mark, PURPOSE, ACK, before, &said));
        assert_int_equal(said.given, i - 1);
    }
}

static void others_are_not_read(void **state)
{
    const char *const one[] = {"a", "bc", NULL}, *const other[] = {"ab", "c", NULL};
    struct mark mark = {0};
    struct mark_state said = {0};

    (void)state;
    assert_false(mark_read(&mark, 0, 0, 0, &said)); /* memory of zeros */
    mark_begin(&mark, PURPOSE, 1, 2);
    assert_false(mark_read(&mark, PURPOSE + 1, ACK, 0, &said));
    assert_false(mark_read(&mark, PURPOSE, 0, 0, &said)); /* no session */
    assert_true(mark_read(&mark, PURPOSE, ACK, 0, &said));
    mark.valid = 0;
    assert_false(mark_read(&mark, PURPOSE, ACK, 0, &said));
    assert_int_not_equal(mark_purpose(one, 3), mark_purpose(other, 3));
    assert_int_equal(mark_purpose(one, 3), mark_purpose(one, 3));
}

/* Each state differs from the one before in all its words. */
static struct mark_state state_of(uint64_t i)
{
    return (struct mark_state){.taken = {.index = (uint32_t)i * 16, .position = (uint32_t)i * 8, .part = (uint32_t)i},
                               .stored = i << 32 | i,
                               .given = i << 33 | i};
}

static void is_whole_after_each_store(void **state)
{
    struct mark_state one = state_of(1), other;
    struct mark mark;

    (void)state;
    memset(&mark, 0xff, sizeof(mark)); /* of a session that is over */
    mark.magic = MAGIC;
    mark.purpose = PURPOSE;
    mark.to_index[0] = 0;
    one.taken = (struct ahead_place){0};
    begin_to_look(&mark, 0, NULL, &one);
    mark_begin(&mark, PURPOSE, one.stored, one.given);
    for (uint64_t i = 2; i < 9; i++) {
        other = one;
        other.taken = state_of(i).taken;
        other.stored = state_of(i).stored;
        begin_to_look(&mark, produced, &one, &other);
        mark_taken(&mark, other.taken, other.stored);
        one = other;
        /* PRODUCED changes afterwards. */
        begin_to_look(&mark, produced, &one, &one);
        mark_given(&mark, (uint32_t)i * 16, state_of(i).given);
        one.given = state_of(i).given;
        produced = (uint32_t)i * 16;
        look();
    }
    looked_at = NULL;
}

/* --- credentials --- */

static bool parses(const char *text, struct credentials *credentials)
{
    static char copy[400];

    assert_in_range(snprintf(copy, sizeof(copy), "%s", text), 0, sizeof(copy) - 1);
    return credentials_parse(copy, credentials);
}

#define TOKEN "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.sig\n------END NATS USER JWT------\n"
#define SEED "-----BEGIN USER NKEY SEED-----\nSUAK\n------END USER NKEY SEED------\n"

static void credentials_are_read(void **state)
{
    struct credentials credentials;

    (void)state;
    assert_true(parses(TOKEN "\n*** IMPORTANT ***\n\n" SEED, &credentials));
    assert_string_equal(credentials.token, "eyJ0.eyJq.sig");
    assert_string_equal(credentials.seed, "SUAK");
    assert_false(parses("", &credentials));
    assert_false(parses(TOKEN, &credentials));
    assert_false(parses(SEED, &credentials));
    assert_false(parses("-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------\n" SEED, &credentials));
    assert_false(parses(TOKEN "-----BEGIN USER NKEY SEED-----\nSUAK", &credentials)); /* cut off */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_was_taken_and_given), cmocka_unit_test(indices_go_round),
        cmocka_unit_test(others_are_not_read),           cmocka_unit_test(is_whole_after_each_store),
        cmocka_unit_test(credentials_are_read),
    };

    return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
