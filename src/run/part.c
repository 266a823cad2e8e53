/* SPDX-License-Identifier: BSD-2-Clause */
#include "part.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "words.h"

#define MAX_SENTENCE 512
#define DELETE 0x7f

struct part document_root(struct document *document)
{
    return (struct part){.document = document, .node = yaml_document_get_root_node(&document->yaml)};
}

/* A value from the file may hold bytes that a terminal obeys. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == DELETE)
            *text = '?';
    }
}

void part_error(const struct part *part, const char *format, ...)
{
    char sentence[MAX_SENTENCE];
    va_list arguments;
    int length;

    if (part->document->errors++ >= DOCUMENT_MAX_ERRORS)
        return;
    va_start(arguments, format);
    length = vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    make_printable(sentence);
    (void)fprintf(stderr, "%s:%zu: %s%s%s%s\n", part->document->file, part->node->start_mark.line + 1, part->path,
                  part->path[0] ? ": " : "", sentence, length >= MAX_SENTENCE ? "..." : "");
}

static yaml_node_t *node_of(const struct part *part, int index)
{
    return yaml_document_get_node(&part->document->yaml, index);
}

/* A part of a part, with its path. */
__attribute__((format(printf, 3, 4))) static struct part inner_part(const struct part *outer, int index,
                                                                    const char *path, ...)
{
    struct part inner = {.document = outer->document, .node = node_of(outer, index)};
    va_list arguments;

    va_start(arguments, path);
    (void)vsnprintf(inner.path, sizeof(inner.path), path, arguments);
    va_end(arguments);
    return inner;
}

/* The key of a pair as a text; NULL when it is another kind of value, or has a NUL byte in it. */
static const char *key_of(const struct part *mapping, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = node_of(mapping, pair->key);
    const char *text = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;

    return text && strlen(text) == key->data.scalar.length ? text : NULL;
}

static struct part value_of(const struct part *mapping, const yaml_node_pair_t *pair, const char *key)
{
    return inner_part(mapping, pair->value, "%s%s%s", mapping->path, mapping->path[0] ? "." : "", key);
}

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

static void say_unknown(const struct part *key, const char *text, const char *const *keys)
{
    const char *meant = most_like(text, keys);
    char known[160];

    join_texts(known, sizeof(known), keys);
    if (strcmp(text, "<<") == 0)
        part_error(key, "merge keys (<<) are not supported; write the keys out");
    else if (meant)
        part_error(key, "there is no key \"%s\"; did you mean \"%s\"?", text, meant);
    else
        part_error(key, "there is no key \"%s\"; there are %s", text, known);
}

static void check_key(const struct part *mapping, const yaml_node_pair_t *pair, const char *const *keys)
{
    const char *text = key_of(mapping, pair);
    struct part key = *mapping; /* with the path of the mapping, but its own line */

    key.node = node_of(mapping, pair->key);
    if (!text) {
        part_error(&key, "a key must be a word");
        return;
    }
    if (!is_one_of(text, keys)) {
        say_unknown(&key, text, keys);
        return;
    }
    for (const yaml_node_pair_t *other = mapping->node->data.mapping.pairs.start; other < pair; other++) {
        const char *before = key_of(mapping, other);

        if (before && strcmp(text, before) == 0) {
            part_error(&key, "the key \"%s\" is there twice; leave one", text);
            return;
        }
    }
}

bool part_check_mapping(const struct part *part, const char *const *keys)
{
    char known[160];

    if (!part_is_mapping(part)) {
        join_texts(known, sizeof(known), keys);
        part_error(part, "this must be a mapping, with the keys %s", known);
        return false;
    }
    for (const yaml_node_pair_t *pair = part->node->data.mapping.pairs.start; pair < part->node->data.mapping.pairs.top;
         pair++)
        check_key(part, pair, keys);
    return true;
}

bool part_find(const struct part *mapping, const char *key, struct part *value)
{
    for (const yaml_node_pair_t *pair = mapping->node->data.mapping.pairs.start;
         pair < mapping->node->data.mapping.pairs.top; pair++) {
        const char *found = key_of(mapping, pair);

        if (found && strcmp(found, key) == 0) {
            *value = value_of(mapping, pair, key);
            return true;
        }
    }
    return false;
}

bool part_require(const struct part *mapping, const char *key, struct part *value)
{
    if (part_find(mapping, key, value))
        return true;
    part_error(mapping, "the key \"%s\" is missing", key);
    return false;
}

bool part_check_list(const struct part *part)
{
    if (part->node->type == YAML_SEQUENCE_NODE)
        return true;
    part_error(part, "this must be a list");
    return false;
}

size_t part_count(const struct part *list)
{
    return (size_t)(list->node->data.sequence.items.top - list->node->data.sequence.items.start);
}

struct part part_item(const struct part *list, size_t i)
{
    return inner_part(list, list->node->data.sequence.items.start[i], "%s[%zu]", list->path, i);
}

bool part_is_text(const struct part *part)
{
    return part->node->type == YAML_SCALAR_NODE;
}

bool part_is_mapping(const struct part *part)
{
    return part->node->type == YAML_MAPPING_NODE;
}

const char *part_text_or_none(const struct part *part)
{
    const char *text;

    if (!part_is_text(part)) {
        part_error(part, "this must be a single value");
        return NULL;
    }
    text = (const char *)part->node->data.scalar.value;
    if (strlen(text) == part->node->data.scalar.length)
        return text;
    part_error(part, "the value has a NUL byte in it");
    return NULL;
}

const char *part_text(const struct part *part)
{
    const char *text = part_text_or_none(part);

    if (!text || text[0])
        return text;
    part_error(part, "the value is empty");
    return NULL;
}
