/* SPDX-License-Identifier: BSD-2-Clause */
#include "document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"

#define STANDARD_INPUT "-"

/* --- reading --- */

static int no_memory_for(const char *file)
{
    (void)fprintf(stderr, "%s: no memory to read it\n", file);
    return -1;
}

/* Reads all that a descriptor gives. 0, or -1 after a message. */
static int read_all(struct document *document, int fd)
{
    ssize_t length;

    document->text = malloc(DOCUMENT_MAX_BYTES + 1);
    if (!document->text)
        return no_memory_for(document->file);
    do {
        length = read(fd, document->text + document->length, DOCUMENT_MAX_BYTES + 1 - document->length);
        if (length > 0)
            document->length += (size_t)length;
    } while (length > 0 || (length < 0 && errno == EINTR));
    if (length < 0) {
        (void)fprintf(stderr, "%s: cannot read it: %s\n", document->file, error_reason(errno));
        return -1;
    }
    if (document->length <= DOCUMENT_MAX_BYTES)
        return 0;
    (void)fprintf(stderr, "%s: it is longer than the %d KiB that a topology may have\n", document->file,
                  DOCUMENT_MAX_BYTES / 1024);
    return -1;
}

static int read_file(struct document *document)
{
    struct stat status;
    int error = -1;
    int fd = open(document->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        (void)fprintf(stderr, "%s: cannot read it: %s\n", document->file, error_reason(errno));
    else if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        (void)fprintf(stderr, "%s: this is a directory; name a file\n", document->file);
    else
        error = read_all(document, fd);
    if (fd >= 0)
        close(fd);
    return error;
}

/* --- parsing --- */

static int parse_error(const char *file, const yaml_parser_t *parser)
{
    size_t line = parser->problem_mark.line + 1;

    if (parser->error == YAML_READER_ERROR)
        (void)fprintf(stderr, "%s: %s at byte %zu; YAML is text in UTF-8\n", file, parser->problem,
                      parser->problem_offset);
    else if (parser->error == YAML_MEMORY_ERROR || !parser->problem) /* libyaml does not always say so */
        return no_memory_for(file);
    else if (parser->context)
        (void)fprintf(stderr, "%s:%zu: %s, %s that began at line %zu; is the indentation right?\n", file, line,
                      parser->problem, parser->context, parser->context_mark.line + 1);
    else
        (void)fprintf(stderr, "%s:%zu: %s\n", file, line, parser->problem);
    return -1;
}

/* Makes a parser of the text. 0, or -1 after a message. */
static int begin(const struct document *document, yaml_parser_t *parser)
{
    if (!yaml_parser_initialize(parser))
        return no_memory_for(document->file);
    yaml_parser_set_input_string(parser, (const unsigned char *)document->text, document->length);
    return 0;
}

/* How much deeper a document is after an event. */
static int step_of(yaml_event_type_t type)
{
    switch (type) {
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return 1;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return -1;
    default:
        return 0;
    }
}

/* Goes through the text without building anything of it. 0, or -1 after a message. */
static int check_events(const struct document *document, yaml_parser_t *parser)
{
    yaml_event_type_t type = YAML_NO_EVENT;
    int depth = 0, values = 0;

    while (type != YAML_STREAM_END_EVENT) {
        yaml_event_t event;
        size_t line;

        if (!yaml_parser_parse(parser, &event))
            return parse_error(document->file, parser);
        type = event.type;
        line = event.start_mark.line + 1;
        yaml_event_delete(&event);
        depth += step_of(type);
        values++;
        if (depth > DOCUMENT_MAX_DEPTH) {
            (void)fprintf(stderr, "%s:%zu: this is more than %d lists and mappings deep; a topology is not\n",
                          document->file, line, DOCUMENT_MAX_DEPTH);
            return -1;
        }
        if (values > DOCUMENT_MAX_VALUES) {
            (void)fprintf(stderr, "%s:%zu: here are more than the %d values that a topology may have\n", document->file,
                          line, DOCUMENT_MAX_VALUES);
            return -1;
        }
    }
    return 0;
}

/* Checks that nothing follows the document. 0, or -1 after a message. */
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

/* --- all together --- */

static int parse(struct document *document)
{
    yaml_parser_t parser;
    int error = begin(document, &parser);

    if (error)
        return error;
    error = check_events(document, &parser);
    yaml_parser_delete(&parser);
    if (error || begin(document, &parser))
        return -1;
    error = load(document, &parser);
    yaml_parser_delete(&parser);
    return error;
}

const char *document_name(const char *file)
{
    return strcmp(file, STANDARD_INPUT) == 0 ? "standard input" : file;
}

int document_load(struct document *document, const char *file)
{
    int error;

    *document = (struct document){.file = document_name(file)};
    error = strcmp(file, STANDARD_INPUT) == 0 ? read_all(document, STDIN_FILENO) : read_file(document);
    if (!error)
        error = parse(document);
    if (error)
        free(document->text);
    return error;
}

void document_end_errors(const struct document *document)
{
    if (document->errors > DOCUMENT_MAX_ERRORS)
        (void)fprintf(stderr, "%s: and %u more\n", document->file, document->errors - DOCUMENT_MAX_ERRORS);
}

void document_free(struct document *document)
{
    yaml_document_delete(&document->yaml);
    free(document->text);
}
