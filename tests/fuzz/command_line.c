/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, sizes, dataports and names, as people write them, against what their descriptions say in other words. */
#include "fuzz.h"

#include <ctype.h>
#include <stdbool.h>

#include "../../src/common/dataport_spec.h"
#include "../../src/common/name.h"
#include "../../src/common/size.h"

/* Digits; then perhaps K, M or G, and then perhaps iB. Whether it has no more than 64 bits, and how long it is. */
static bool read_size(const char *text, bool suffixes, unsigned __int128 *size, size_t *length)
{
    const unsigned __int128 most = UINT64_MAX;
    size_t n = 0;
    char unit;

    for (*size = 0; text[n] >= '0' && text[n] <= '9'; n++) {
        if (*size <= most)
            *size = *size * 10 + (unsigned int)(text[n] - '0');
    }
    *length = n;
    if (n == 0 || *size > most || !suffixes)
        return n && *size <= most;
    unit = (char)toupper(text[n]);
    if (unit != 'K' && unit != 'M' && unit != 'G')
        return true;
    *size <<= unit == 'K' ? 10 : unit == 'M' ? 20 : 30;
    n++;
    if (toupper(text[n]) == 'I' && toupper(text[n + 1]) == 'B')
        n += 2;
    *length = n;
    return *size <= most;
}

static void check_size(const char *text, bool suffixes, bool (*parse)(const char *, const char **, uint64_t *))
{
    unsigned __int128 expected;
    uint64_t size, again;
    size_t length;
    const char *rest;
    char buffer[SIZE_TEXT_BYTES];
    bool valid = read_size(text, suffixes, &expected, &length);

    REQUIRE(parse(text, &rest, &size) == valid);
    REQUIRE(parse(text, NULL, &again) == (valid && text[length] == '\0'));
    if (!valid)
        return;
    REQUIRE(size == expected && rest == text + length);
    REQUIRE(size_parse(size_format(buffer, size), NULL, &again) && again == size);
}

static void check_dataport(const char *text)
{
    static const char *const ends[2] = {"0", "1"};
    static const char *const writers[] = {"", ":both", ":0", ":1"};
    unsigned __int128 size;
    size_t length;
    struct dataport_spec dataport;
    char reason[128] = "";
    int writer = -2;

    if (read_size(text, true, &size, &length) && size && size % CROSSVM_PAGE_SIZE == 0) {
        for (int i = 0; i < 4; i++) {
            if (strcmp(text + length, writers[i]) == 0)
                writer = i < 2 ? WRITER_BOTH : i - 2;
        }
    }
    REQUIRE(dataport_spec_parse(text, ends, &dataport, reason) == (writer >= WRITER_BOTH));
    if (writer < WRITER_BOTH) {
        REQUIRE(reason[0]);
        return;
    }
    REQUIRE(dataport.size == size && dataport.writer == writer);
    REQUIRE(dataport_rights(&dataport, 0) & CROSSVM_RIGHT_READ);
    REQUIRE(!(dataport_rights(&dataport, 0) & CROSSVM_RIGHT_WRITE) == (writer == 1));
}

static void check_name(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || text[n] == '.' || text[n] == '_' || text[n] == '-')
        n++;
    REQUIRE(name_is_valid(text) ==
            (n >= 1 && n <= 63 && text[n] == '\0' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);

    REQUIRE(text);
    check_size(text, false, number_parse);
    check_size(text, true, size_parse);
    check_dataport(text);
    check_name(text);
    free(text);
    return 0;
}
