/* SPDX-License-Identifier: BSD-2-Clause */
/* Text within other languages. All print to a stream. */
#pragma once

#include <stdio.h>

/** One word of a shell's command line: in single quotes if need be. */
void quote_for_shell(FILE *out, const char *text);

/** The value of an attribute in XML, with its single quotes. The text has no characters that XML cannot have. */
void quote_for_xml(FILE *out, const char *text);
