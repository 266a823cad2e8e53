/* SPDX-License-Identifier: BSD-2-Clause */
#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/name.h"
#include "../common/size.h"
#include "words.h"

void no_memory(void)
{
    message("no memory for the topology");
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
        part_error(part, "\"%s\" is not one of %s; did you mean \"%s\"?", text, known, meant);
    else
        part_error(part, "\"%s\" is not one of %s", text, known);
    return -1;
}

void read_size(const struct part *part, uint64_t unit, uint64_t least, uint64_t most, uint64_t *size)
{
    const char *text = part_text(part);
    char from[SIZE_TEXT_BYTES], to[SIZE_TEXT_BYTES];

    if (!text)
        return;
    if (!size_parse(text, NULL, size))
        part_error(part, "\"%s\" is no size; give bytes, or a number with K, M or G, such as 64K", text);
    else if (*size % unit)
        part_error(part, "%s is no multiple of %s", text, unit == MIB ? "1 MiB" : "4 KiB");
    else if (*size < least || *size > most)
        part_error(part, "%s is not from %s to %s", text, size_format(from, least), size_format(to, most));
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
        part_error(&part, "\"%s\" is no name: a name has " NAME_RULE, name);
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

char *read_input(const char *folder, const struct part *part)
{
    char *path = read_path(folder, part);
    struct stat status;

    if (!path)
        return NULL;
    if (stat(path, &status) || access(path, R_OK))
        part_error(part, "cannot read %s: %s", path, error_reason(errno));
    else if (!S_ISREG(status.st_mode))
        part_error(part, "%s is %s; name a regular file", path,
                   S_ISDIR(status.st_mode) ? "a directory" : "a device, FIFO or socket");
    return path;
}
