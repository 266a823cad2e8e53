/* SPDX-License-Identifier: BSD-2-Clause */
/* What VMs print, on a pipe that is read slowly and that others write to. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/run/output.h"

#define LONGEST 100u /* bytes of a line, with its end */

/* Between two writes anybody may print, so each write has to end where a line does. */
static void writes_end_where_lines_do(void **state)
{
    static struct output output;
    struct lines lines = {.output = &output, .prefix = "vm | "};
    char written[8192];
    size_t total = 0, put = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    output.fd = ends[1];
    for (unsigned int i = 0; output_room(&output) >= LONGEST; i++) {
        char line[LONGEST];
        size_t length = i * 37 % LONGEST;

        memset(line, 'a' + (char)(i % 26), length);
        line[length] = '\n';
        lines_put(&lines, line, length + 1);
    }
    put = output.used;
    assert_true(put > 2 * sizeof(written));
    while (output.used) {
        ssize_t n;

        output_write(&output);
        n = read(ends[0], written, sizeof(written));
        assert_true(n > 0);
        assert_int_equal(written[n - 1], '\n');
        total += (size_t)n;
    }
    assert_int_equal(total, put);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_end_where_lines_do),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
