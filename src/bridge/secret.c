/* SPDX-License-Identifier: BSD-2-Clause */
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/message.h"

#define MOST_BYTES ((size_t)1 << 20)

char *secret_read(const char *path, const char *what)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(MOST_BYTES + 1) : NULL;
    size_t length = text ? fread(text, 1, MOST_BYTES + 1, file) : 0;
    int error = errno;

    if (file && text && !ferror(file) && length <= MOST_BYTES) {
        (void)fclose(file);
        text[length] = '\0';
        return text;
    }
    if (text && length > MOST_BYTES)
        message("%s: %s has more than 1 MiB: is it another file?", what, path);
    else
        message("%s: cannot read %s: %s", what, path, error_reason(error));
    free(text);
    if (file)
        (void)fclose(file);
    return NULL;
}

char *secret_read_line(const char *path, const char *what)
{
    char *text = secret_read(path, what);

    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    return text;
}

/* What lies between the line "-----BEGIN <name>-----" and the next that begins with dashes, without white space. */
static char *section(char *text, const char *name)
{
    char *at = strstr(text, name), *end;

    at = at ? strchr(at, '\n') : NULL;
    if (!at)
        return NULL;
    at += strspn(at, " \t\r\n");
    end = at + strcspn(at, " \t\r\n");
    if (end == at || *at == '-' || *end == '\0')
        return NULL;
    *end = '\0';
    return at;
}

bool credentials_parse(char *text, struct credentials *credentials)
{
    /* The seed is behind the token, so it comes first: the first cut ends the text. */
    credentials->seed = section(text, "-----BEGIN USER NKEY SEED-----");
    credentials->token = section(text, "-----BEGIN NATS USER JWT-----");
    return credentials->seed && credentials->token;
}
