/* SPDX-License-Identifier: BSD-2-Clause */
#include "document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- reading --- */

static int parse_error(const char *file, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line + 1;

    if (parser->error == YAML_READER_ERROR)
        (void)fprintf(stderr, "%s: %s at byte %zu; YAML is text in UTF-8\n", file, parser->problem,
                      parser->problem_offset);
    else if (parser->error == YAML_MEMORY_ERROR)
        (void)fprintf(stderr, "%s: no memory to read it\n", file);
    else if (parser->context)
        (void)fprintf(stderr, "%s:%zu: %s, %s that began at line %zu; is the indentation right?\n", file, line,
                      parser->problem, parser->context, parser->context_mark.line + 1);
    else
        (void)fprintf(stderr, "%s:%zu: %s\n", file, line, parser->problem);
    return -1;
}

static int read_error(const char *file)
{
    (void)fprintf(stderr, "%s: cannot read it: %s\n", file, strerror(errno));
    return -1;
}

/* One can be opened like a file. */
static bool is_directory(FILE *stream)
{
    struct stat status;

    return fstat(fileno(stream), &status) == 0 && S_ISDIR(status.st_mode);
}

/* Whether nothing follows the document. */
static int check_end(const char *file, yaml_parser_t *parser)
{
    yaml_document_t next;
    yaml_node_t *root;
    size_t line;

    if (!yaml_parser_load(parser, &next))
        return parse_error(file, parser);
    root = yaml_document_get_root_node(&next);
    line = root ? root->start_mark.line + 1 : 0;
    yaml_document_delete(&next);
    if (!line)
        return 0;
    (void)fprintf(stderr, "%s:%zu: a second document begins here; a topology is one\n", file, line);
    return -1;
}

static int load(struct document *document, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, &document->yaml))
        return parse_error(document->file, parser);
    if (!yaml_document_get_root_node(&document->yaml)) {
        (void)fprintf(stderr, "%s: there is nothing in it\n", document->file);
        yaml_document_delete(&document->yaml);
        return -1;
    }
    if (check_end(document->file, parser) == 0)
        return 0;
    yaml_document_delete(&document->yaml);
    return -1;
}

int document_load(struct document *document, const char *file)
{
    yaml_parser_t parser;
    FILE *stream = fopen(file, "re");
    int error;

    *document = (struct document){.file = file};
    if (!stream)
        return read_error(file);
    if (is_directory(stream)) {
        (void)fprintf(stderr, "%s: this is a directory; name a file\n", file);
        (void)fclose(stream);
        return -1;
    }
    if (!yaml_parser_initialize(&parser)) {
        (void)fprintf(stderr, "%s: no memory to read it\n", file);
        (void)fclose(stream);
        return -1;
    }
    yaml_parser_set_input_file(&parser, stream);
    error = load(document, &parser);
    yaml_parser_delete(&parser);
    (void)fclose(stream);
    return error;
}

void document_free(struct document *document)
{
    yaml_document_delete(&document->yaml);
}

/* --- parts --- */

struct part document_root(struct document *document)
{
    return (struct part){.document = document, .node = yaml_document_get_root_node(&document->yaml)};
}

void part_error(const struct part *part, const char *format, ...)
{
    va_list arguments;

    part->document->errors++;
    (void)fprintf(stderr, "%s:%zu: ", part->document->file, part->node->start_mark.line + 1);
    if (part->path[0])
        (void)fprintf(stderr, "%s: ", part->path);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
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

/* The key of a pair as a text; NULL when it is none. */
static const char *key_of(const struct part *mapping, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = node_of(mapping, pair->key);

    return key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
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

static void check_key(const struct part *mapping, const yaml_node_pair_t *pair, const char *const *keys)
{
    const char *key = key_of(mapping, pair);
    struct part place = *mapping; /* errors are at the key's line */
    const char *meant;
    char known[160];

    place.node = node_of(mapping, pair->key);
    if (!key) {
        part_error(&place, "a key must be a word");
        return;
    }
    if (!is_one_of(key, keys)) {
        meant = most_like(key, keys);
        join_texts(known, sizeof(known), keys);
        if (meant)
            part_error(&place, "there is no key \"%s\"; did you mean \"%s\"?", key, meant);
        else
            part_error(&place, "there is no key \"%s\"; there are %s", key, known);
        return;
    }
    for (const yaml_node_pair_t *other = mapping->node->data.mapping.pairs.start; other < pair; other++) {
        const char *before = key_of(mapping, other);

        if (before && strcmp(key, before) == 0)
            part_error(&place, "the key \"%s\" is there twice; leave one", key);
    }
}

bool part_check_mapping(const struct part *part, const char *const *keys)
{
    char known[160];

    if (part->node->type != YAML_MAPPING_NODE) {
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

/* --- words --- */

void join_texts(char *to, size_t size, const char *const *texts)
{
    size_t used = 0;

    to[0] = '\0';
    for (; *texts && used < size; texts++)
        used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "", *texts);
}

#define MAX_WORD 31

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: letters to insert, delete or replace. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MAX_WORD + 1];
    size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

const char *most_like(const char *text, const char *const *candidates)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;

    for (; *candidates; candidates++) {
        size_t d;

        if (strlen(*candidates) > MAX_WORD)
            continue;
        d = distance(text, *candidates);
        if (d < best_distance) {
            best_distance = d;
            best = *candidates;
        }
    }
    /* More than a third changed is another word. */
    return best && 3 * best_distance <= strlen(best) + 1 ? best : NULL;
}
