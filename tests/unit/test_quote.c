/* SPDX-License-Identifier: BSD-2-Clause */
/* Words as a shell and as a parser of XML take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "../../src/tool/quote.h"

struct word {
    const char *text, *quoted;
};

static void check(void (*quote)(FILE *out, const char *text), const struct word *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *quoted;
        size_t length;
        FILE *out = open_memstream(&quoted, &length);

        assert_non_null(out);
        quote(out, words[i].text);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(quoted, words[i].quoted);
        free(quoted);
    }
}

static void for_a_shell(void **state)
{
    static const struct word words[] = {
        {"/run/a-b_c.0@d,e=%+:", "/run/a-b_c.0@d,e=%+:"},
        {"", "''"}, /* an empty word is one */
        {"two words", "'two words'"},
        {"it's", "'it'\\''s'"},
        {"$HOME", "'$HOME'"},
        {"a\\b\"\n", "'a\\b\"\n'"},
    };

    (void)state;
    check(quote_for_shell, words, sizeof(words) / sizeof(words[0]));
}

static void for_xml(void **state)
{
    static const struct word words[] = {
        {"", "''"},
        {"two words", "'two words'"},
        {"it's", "'it&#39;s'"},
        {"<a>&\"", "'&#60;a&#62;&#38;\"'"},
        {"\t\n\r", "'&#9;&#10;&#13;'"},
    };

    (void)state;
    check(quote_for_xml, words, sizeof(words) / sizeof(words[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_a_shell),
        cmocka_unit_test(for_xml),
    };

    return cmocka_run_group_tests_name("quotes", tests, NULL, NULL);
}
