/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs share and a person or a peer says: numbers, sizes, dataports, names, states; and descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/common/dataport_spec.h"
#include "../../src/common/descriptor.h"
#include "../../src/common/name.h"
#include "../../src/common/peer_state.h"
#include "../../src/common/size.h"

static void numbers_are_decimal_and_fit_64_bits(void **state)
{
    static const char *const wrong[] = {"", "-1", "+1", " 1", "0x10", "1 ", "1-", "18446744073709551616"};
    const char *rest;
    uint64_t number;

    (void)state;
    assert_true(number_parse("18446744073709551615", NULL, &number));
    assert_true(number == UINT64_MAX);
    assert_true(number_parse("010", NULL, &number));
    assert_int_equal(number, 10);
    assert_true(number_parse("12:x", &rest, &number));
    assert_int_equal(number, 12);
    assert_string_equal(rest, ":x");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(number_parse(wrong[i], NULL, &number));
}

static void sizes_have_binary_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},         {"4096", 4096},       {"64K", 0x10000},
                {"64k", 0x10000}, {"64KiB", 0x10000},   {"64kib", 0x10000},
                {"2M", 2u << 20}, {"3GiB", 3ull << 30}, {"17179869183G", UINT64_MAX >> 30 << 30}};
    static const char *const wrong[] = {"", "K", "64KB", "64KiBs", "64T", "17179869184G", "-1K", "0x1K", "1.5M"};
    uint64_t bytes;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(size_parse(good[i].text, NULL, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(size_parse(wrong[i], NULL, &bytes));
}

static void sizes_are_shown_exactly(void **state)
{
    char text[SIZE_TEXT_BYTES];

    (void)state;
    assert_string_equal(size_format(text, 0), "0");
    assert_string_equal(size_format(text, 1023), "1023");
    assert_string_equal(size_format(text, 0x10000), "64K");
    assert_string_equal(size_format(text, 3u << 20), "3M");
    assert_string_equal(size_format(text, (1u << 20) + 1024), "1025K");
    assert_string_equal(size_format(text, 1ull << 40), "1024G");
    assert_string_equal(size_format(text, UINT64_MAX), "18446744073709551615");
}

static void dataports_have_a_size_and_a_writer(void **state)
{
    static const char *const ends[] = {"guest", "host"};
    static const char *const wrong[][2] = {
        {"64K:", "names no writer"}, {"64K:nobody", "names no writer"}, {"0", "no multiple"},
        {"4097", "no multiple"},     {"0:host", "no multiple"},         {"64Khost", "is not SIZE"},
        {"x", "is not SIZE"},        {"17179869184G", "is not SIZE"},
    };
    struct dataport_spec spec;
    char reason[128];

    (void)state;
    assert_true(dataport_spec_parse("64K", ends, &spec, reason));
    assert_int_equal(spec.size, 0x10000);
    assert_int_equal(spec.writer, WRITER_BOTH);
    assert_true(dataport_spec_parse("64K:both", ends, &spec, reason));
    assert_int_equal(spec.writer, WRITER_BOTH);
    for (int end = 0; end < 2; end++) {
        assert_true(dataport_spec_parse(end ? "4K:host" : "4K:guest", ends, &spec, reason));
        assert_int_equal(spec.writer, end);
        assert_int_equal(dataport_rights(&spec, (unsigned int)end), CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
        assert_int_equal(dataport_rights(&spec, (unsigned int)(1 - end)), CROSSVM_RIGHT_READ);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(dataport_spec_parse(wrong[i][0], ends, &spec, reason));
        assert_non_null(strstr(reason, wrong[i][1]));
    }
    assert_int_equal(bar_bytes(1), CROSSVM_PAGE_SIZE);
    assert_int_equal(bar_bytes(0x3000), 0x4000);
    assert_int_equal(bar_bytes(0x4000), 0x4000);
}

static void names_can_name_a_file(void **state)
{
    static const char *const wrong[] = {"", ".", "..", "a/b", "a b", "a\n", "\xc3\xa4"};
    char name[CROSSVM_FULL_NAME_BYTES + 1] = "";

    (void)state;
    assert_true(name_is_valid("sensor.0_A-z"));
    assert_true(name_is_valid("..."));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(name_is_valid(wrong[i]));
    memset(name, 'n', CROSSVM_FULL_NAME_BYTES - 1);
    assert_true(name_is_valid(name));
    name[CROSSVM_FULL_NAME_BYTES - 1] = 'n';
    assert_false(name_is_valid(name));
}

/* Whatever a later version means by it, somebody is there. */
static void states_that_are_not_known_are_somebody(void **state)
{
    (void)state;
    assert_int_equal(peer_state_of(CROSSVM_DRIVER_NONE), CROSSVM_PEER_ABSENT);
    assert_int_equal(peer_state_of(CROSSVM_DRIVER_BOUND), CROSSVM_PEER_PRESENT);
    assert_int_equal(peer_state_of(CROSSVM_DRIVER_OPEN), CROSSVM_PEER_READY);
    assert_int_equal(peer_state_of(CROSSVM_DRIVER_OPEN + 1), CROSSVM_PEER_READY);
    assert_int_equal(peer_state_told(CROSSVM_PEER_ABSENT), CROSSVM_PEER_ABSENT);
    assert_int_equal(peer_state_told(CROSSVM_PEER_READY + 1), CROSSVM_PEER_READY);
}

/* The program was started with standard error closed: whatever it prints must not go to a hub. */
static void no_descriptor_is_a_standard_stream(void **state)
{
    int error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100), fd, closed, taken;
    DIR *directory;

    (void)state;
    assert_true(error >= 100);
    close(STDERR_FILENO);
    fd = descriptor_open("/dev/null", O_RDONLY);
    directory = descriptor_open_directory("/");
    closed = fcntl(STDERR_FILENO, F_GETFD);
    dup2(error, STDERR_FILENO);
    close(error);
    assert_int_equal(closed, -1);
    assert_true(fd > STDERR_FILENO);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_non_null(directory);
    assert_true(dirfd(directory) > STDERR_FILENO);
    closedir(directory);
    taken = descriptor_open("/dev/null", O_RDONLY); /* which has a number that need not be moved */
    assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
    close(taken);
    taken = fd;
    assert_int_equal(descriptor_take(&fd), taken);
    assert_int_equal(fd, -1);
    close(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_decimal_and_fit_64_bits),
        cmocka_unit_test(sizes_have_binary_suffixes),
        cmocka_unit_test(sizes_are_shown_exactly),
        cmocka_unit_test(dataports_have_a_size_and_a_writer),
        cmocka_unit_test(names_can_name_a_file),
        cmocka_unit_test(states_that_are_not_known_are_somebody),
        cmocka_unit_test(no_descriptor_is_a_standard_stream),
    };

    return cmocka_run_group_tests_name("common", tests, NULL, NULL);
}
