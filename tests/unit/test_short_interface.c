/* SPDX-License-Identifier: BSD-2-Clause */
/* sel4vmmplatsupport/drivers/cross_vm_connection.h: both generations of its structures, and its rules. */
#include "fixture.h"

#include <limits.h>
#include <string.h>

#include <sel4vmmplatsupport/drivers/cross_vm_connection.h>

static int emits_a;
static int emits_b;

static void emit_a(void)
{
    emits_a++;
}

static void emit_b(void)
{
    emits_b++;
}

static int init(struct fixture *f, crossvm_handle_t *connections, int n)
{
    return cross_vm_connections_init_common(&f->vm, BASE, connections, n, f->pci, irq_alloc);
}

static void refused(struct fixture *f, crossvm_handle_t *connections, int n, const char *reason)
{
    struct state before;

    log_take();
    state_take(f, &before);
    assert_int_equal(init(f, connections, n), -1);
    state_assert_unchanged(f, &before);
    assert_int_equal(log_take(), 1);
    if (!strstr(log_last, reason))
        fail_msg("\"%s\" does not say \"%s\"", log_last, reason);
}

/* The first generation of the interface: sizes in bytes, no names. */
static void first_generation(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_handle_t small = {.size = 0x3000, .num_frames = 3, .frames = frames_make(3, 12)};
    crossvm_dataport_handle_t large = {.size = 4 << 20, .num_frames = 2, .frames = frames_make(2, 21)};
    crossvm_handle_t connections[] = {{.dataport = &small, .emit_fn = emit_a, .consume_id = 1},
                                      {.dataport = &large, .emit_fn = emit_b, .consume_id = 2}};
    crossvm_connection_t *a;
    crossvm_connection_t *b;

    emits_a = emits_b = 0;
    assert_int_equal(init(f, connections, 2), 0);
    assert_null(connections[0].connection_name);
    a = crossvm_find(&f->vm, "connector");
    b = crossvm_find(&f->vm, "connector-2");
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(page_word(a, 0xc0), 0x3000);
    assert_int_equal(page_word(b, 0xc0), 4 << 20);
    guest_store(f, bar(a, 0), 4, 0);
    guest_store(f, bar(b, 0), 4, 0);
    guest_store(f, bar(b, 0), 4, 0);
    assert_int_equal(emits_a, 1);
    assert_int_equal(emits_b, 2);
}

/* The second generation: log2 of the frame size, and names. */
static void second_generation(void **state)
{
    struct fixture *f = *state;
    crossvm_dataport_handle_t small = {.frame_size_bits = 12, .num_frames = 3, .frames = frames_make(3, 12)};
    crossvm_dataport_handle_t large = {.frame_size_bits = 21, .num_frames = 2, .frames = frames_make(2, 21)};
    crossvm_handle_t connections[] = {{.dataport = &small, .consume_id = 1, .connection_name = "small"},
                                      {.dataport = &large, .consume_id = 2, .connection_name = "large"}};

    assert_int_equal(init(f, connections, 2), 0);
    assert_int_equal(page_word(crossvm_find(&f->vm, "small"), 0xc0), 0x3000);
    assert_int_equal(page_word(crossvm_find(&f->vm, "large"), 0xc0), 4 << 20);
}

/* Regression: a NULL dataport was dereferenced. */
static void events_only(void **state)
{
    struct fixture *f = *state;
    crossvm_handle_t connection = {.emit_fn = emit_a, .consume_id = 1, .connection_name = "events"};
    crossvm_connection_t *c;

    emits_a = 0;
    assert_int_equal(init(f, &connection, 1), 0);
    c = crossvm_find(&f->vm, "events");
    assert_int_equal(page_word(c, CROSSVM_REG_NUM_DATAPORTS), 0);
    assert_int_equal(guest_config_read(f, c, 0x14, 4), 0);
    guest_store(f, bar(c, 0), 4, 0);
    assert_int_equal(emits_a, 1);
}

static void wrong_calls(void **state)
{
    struct fixture *f = *state;
    seL4_CPtr *frames = frames_make(3, 12);
    crossvm_dataport_handle_t d = {.size = 0x3000, .num_frames = 3, .frames = frames};
    crossvm_handle_t c[] = {{.dataport = &d, .consume_id = 1, .connection_name = "x"}, {.connection_name = "x"}};
    struct state before;

    state_take(f, &before);
    assert_int_equal(cross_vm_connections_init_common(NULL, BASE, c, 1, f->pci, irq_alloc), -1);
    assert_int_equal(cross_vm_connections_init_common(&f->vm, BASE, c, 1, NULL, irq_alloc), -1);
    assert_int_equal(cross_vm_connections_init_common(&f->vm, BASE, c, 1, f->pci, NULL), -1);
    assert_int_equal(log_take(), 3);
    state_assert_unchanged(f, &before);
    refused(f, NULL, 1, "no connections");
    refused(f, c, 0, "0 connections");
    refused(f, c, -1, "-1 connections");
    refused(f, c, INT_MIN, "connections");
    refused(f, c, 2, "twice");
    d.num_frames = 0;
    refused(f, c, 1, "0 frames");
    d.num_frames = -3;
    refused(f, c, 1, "-3 frames");
    d.num_frames = 2;
    refused(f, c, 1, "not 2 frames");
    d.num_frames = 3;
    d.size = 0x2ffd; /* three frames whose size is no power of two */
    refused(f, c, 1, "not 3 frames");
    d.size = 0x3001; /* and one byte behind them */
    refused(f, c, 1, "not 3 frames");
    d.size = SIZE_MAX;
    refused(f, c, 1, "not 3 frames");
    d.size = (size_t)3 << 62; /* 3 frames of 2^62 bytes */
    refused(f, c, 1, "1 GiB");
    d.frame_size_bits = 1;
    refused(f, c, 1, "not of 4 KiB");
    d.frame_size_bits = 63;
    refused(f, c, 1, "not of 4 KiB");
    d.size = 0x3000;
    d.frames = NULL;
    refused(f, c, 1, "no frames");
    c[0].connection_name = "a name with spaces";
    d.frames = frames;
    refused(f, c, 1, "a name with spaces");
}

static void consuming(void **state)
{
    struct fixture *f = *state;
    crossvm_handle_t connections[] = {{.consume_id = 1, .connection_name = "one"},
                                      {.consume_id = 2, .connection_name = "two"},
                                      {.consume_id = 3, .connection_name = "three"},
                                      {.consume_id = 0x10, .connection_name = "sixteen"},
                                      {.consume_id = (seL4_Word)-1, .connection_name = "silent"}};
    crossvm_connection_t *c[5];

    assert_int_equal(init(f, connections, 5), 0);
    for (int i = 0; i < 5; i++) {
        c[i] = crossvm_find(&f->vm, connections[i].connection_name);
        guest_enable(f, c[i]);
    }
    log_take(); /* the installation says once that it has no MSI */
    consume_connection_event(&f->vm, 1, true);
    assert_true(kvm_test_irq_pending(&f->vm, FIRST_IRQ));
    consume_connection_event(&f->vm, 2, false);
    assert_false(kvm_test_irq_pending(&f->vm, FIRST_IRQ + 1));
    consume_connection_event(&f->vm, 3, true);    /* an id, not bits 1 and 2 */
    consume_connection_event(&f->vm, 0x13, true); /* regression: merged badges 1, 2 and 0x10 matched nobody */
    consume_connection_event(&f->vm, 0x40, true);
    consume_connection_event(&f->vm, 0, true);
    assert_int_equal(page_word(c[0], CROSSVM_REG_COUNT), 2);
    assert_int_equal(page_word(c[1], CROSSVM_REG_COUNT), 2);
    assert_int_equal(page_word(c[2], CROSSVM_REG_COUNT), 1);
    assert_int_equal(page_word(c[3], CROSSVM_REG_COUNT), 1);
    consume_connection_event(&f->vm, (seL4_Word)-1, true); /* all bits, but no connection's id */
    assert_int_equal(page_word(c[4], CROSSVM_REG_COUNT), 0);
    assert_int_equal(log_take(), 0);
}

/* As where one notification stands for several connections. */
static void a_number_of_two_connections(void **state)
{
    struct fixture *f = *state;
    crossvm_handle_t connections[] = {{.consume_id = 1, .connection_name = "one"},
                                      {.consume_id = 1, .connection_name = "another"}};

    assert_int_equal(init(f, connections, 2), 0);
    consume_connection_event(&f->vm, 1, true);
    assert_int_equal(page_word(crossvm_find(&f->vm, "one"), CROSSVM_REG_COUNT), 1);
    assert_int_equal(page_word(crossvm_find(&f->vm, "another"), CROSSVM_REG_COUNT), 1);
}

static void consuming_for_a_vm_without_connections(void **state)
{
    struct fixture *f = *state;

    consume_connection_event(&f->vm, 1, true);
    consume_connection_event(NULL, 1, true);
    assert_int_equal(log_take(), 0);
}

/* Regression: the second call overwrote the first, and the 33rd connection was silently missing. */
static void many_calls(void **state)
{
    struct fixture *f = *state;
    static crossvm_handle_t connections[20];

    memset(connections, 0, sizeof(connections));
    for (int i = 0; i < 20; i++)
        connections[i].consume_id = (seL4_Word)i + 1;
    assert_int_equal(init(f, connections, 20), 0);
    for (int i = 0; i < 20; i++)
        connections[i].consume_id = (seL4_Word)i + 101;
    assert_int_equal(init(f, connections, 20), 0);
    consume_connection_event(&f->vm, 1, true);
    consume_connection_event(&f->vm, 120, true);
    assert_int_equal(page_word(crossvm_find(&f->vm, "connector"), CROSSVM_REG_COUNT), 1);
    assert_int_equal(page_word(crossvm_find(&f->vm, "connector-40"), CROSSVM_REG_COUNT), 1);
    assert_null(crossvm_find(&f->vm, "connector-41"));
}

/* A connection without a name leaves it to one that is given it, also to a later one. */
static void the_default_name_can_be_given(void **state)
{
    struct fixture *f = *state;
    crossvm_handle_t connections[] = {{.consume_id = 1}, {.consume_id = 2, .connection_name = "connector"}};

    assert_int_equal(init(f, connections, 2), 0);
    consume_connection_event(&f->vm, 2, true);
    assert_int_equal(page_word(crossvm_find(&f->vm, "connector"), CROSSVM_REG_COUNT), 1);
    assert_int_equal(page_word(crossvm_find(&f->vm, "connector-2"), CROSSVM_REG_COUNT), 0);
}

static void names_of_48_bytes_and_more(void **state)
{
    struct fixture *f = *state;
    crossvm_handle_t connection = {.connection_name = "0123456789012345678901234567890123456789abcdefghij"};
    crossvm_connection_t *c;

    assert_int_equal(init(f, &connection, 1), 0);
    c = crossvm_find(&f->vm, connection.connection_name);
    assert_int_equal(page_word(c, CROSSVM_REG_NAME + 44) & 0xff000000, 0); /* ends with NUL */
    assert_int_equal(page_word(c, CROSSVM_REG_MAGIC), CROSSVM_MAGIC);      /* and in its place */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(first_generation),
        FIXTURE_TEST(second_generation),
        FIXTURE_TEST(events_only),
        FIXTURE_TEST(wrong_calls),
        FIXTURE_TEST(consuming),
        FIXTURE_TEST(a_number_of_two_connections),
        FIXTURE_TEST(consuming_for_a_vm_without_connections),
        FIXTURE_TEST(many_calls),
        FIXTURE_TEST(the_default_name_can_be_given),
        FIXTURE_TEST(names_of_48_bytes_and_more),
    };

    return cmocka_run_group_tests_name("short_interface", tests, NULL, NULL);
}
