/* SPDX-License-Identifier: BSD-2-Clause */
#include "quote.h"

#include <string.h>

void quote_for_shell(FILE *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";

    if (text[0] && text[strspn(text, plain)] == '\0') {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out); /* ends the quotes, has one, and begins others */
        else
            fputc(*text, out);
    }
    fputc('\'', out);
}

void quote_for_xml(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (strchr("&<>'\t\n\r", *text)) /* a parser would take white space for blanks */
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
    }
    fputc('\'', out);
}
