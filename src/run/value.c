/* SPDX-License-Identifier: BSD-2-Clause */
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <crossvm/device.h>

void no_memory(void)
{
    (void)fprintf(stderr, "crossvm: no memory for the topology\n");
    exit(EXIT_FAILURE);
}

char *copy_text(const char *text)
{
    char *made = strdup(text);

    if (!made)
        no_memory();
    return made;
}

int read_word(const struct part *part, const char *const *words)
{
    const char *text = part_text(part);
    const char *meant;
    char known[256];

    if (!text)
        return -1;
    for (int i = 0; words[i]; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
    }
    join_texts(known, sizeof(known), words);
    meant = most_like(text, words);
    if (meant)
        part_error(part, "\"%s\" is none of %s; did you mean \"%s\"?", text, known, meant);
    else
        part_error(part, "\"%s\" is none of %s", text, known);
    return -1;
}

bool parse_size(const char *text, uint64_t *size)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    char *rest;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    /* A 0 at the beginning is no sign of octal. */
    *size = strtoull(text, &rest, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    suffix = *rest ? strchr(suffixes, *rest) : NULL;
    if (suffix) {
        unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

        if (*size > UINT64_MAX >> shift)
            return false;
        *size <<= shift;
        rest++;
    }
    return errno == 0 && *rest == '\0';
}

void read_size(const struct part *part, uint64_t unit, uint64_t least, uint64_t most, uint64_t *size)
{
    const char *text = part_text(part);

    if (!text)
        return;
    if (!parse_size(text, size))
        part_error(part, "\"%s\" is no size; give bytes, or a number with K, M or G, such as 64K", text);
    else if (*size % unit)
        part_error(part, "%s is no multiple of %s", text, unit == MIB ? "1 MiB" : "4 KiB");
    else if (*size < least || *size > most)
        part_error(part, "%s is not from %llu KiB to %llu MiB", text, (unsigned long long)least >> 10,
                   (unsigned long long)(most / MIB));
}

/* As the module checks names, since most of these become names of files. */
static bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(name);

    return length < CROSSVM_FULL_NAME_BYTES && strspn(name, allowed) == length && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

char *read_name(const struct part *mapping)
{
    struct part part;
    const char *name;

    if (!part_require(mapping, "name", &part))
        return NULL;
    name = part_text(&part);
    if (!name)
        return NULL;
    if (!name_is_valid(name)) {
        part_error(&part, "\"%s\" is no name: a name has 1 to %d of the characters A-Z a-z 0-9 . _ -", name,
                   CROSSVM_FULL_NAME_BYTES - 1);
        return NULL;
    }
    return copy_text(name);
}

char *read_path(const char *folder, const struct part *part)
{
    const char *text = part_text(part);
    char *path;

    if (!text)
        return NULL;
    if (text[0] == '/')
        return copy_text(text);
    if (asprintf(&path, "%s/%s", folder, text) < 0)
        no_memory();
    return path;
}

static bool is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

char *read_input(const char *folder, const struct part *part)
{
    char *path = read_path(folder, part);

    if (path && access(path, R_OK))
        part_error(part, "cannot read %s: %s", path, strerror(errno));
    else if (path && is_directory(path))
        part_error(part, "%s is a directory; name a file", path);
    return path;
}
