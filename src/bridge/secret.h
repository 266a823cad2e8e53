/* SPDX-License-Identifier: BSD-2-Clause */
/* Files with what a server wants to see: certificates, passwords and credentials. They are read before the process is
 * confined, since it opens none afterwards. */
#pragma once

#include <stdbool.h>

/** A file of at most 1 MiB, as a string to be freed. NULL after a message; `what` says what for. */
char *secret_read(const char *path, const char *what);

/** The first line of a file, for a password. NULL after a message. */
char *secret_read_line(const char *path, const char *what);

/** A JSON web token and the seed of the key that signs for it, as in a file of credentials of NATS. */
struct credentials {
    char *token;
    char *seed;
};

/** Takes both out of the text of such a file. False if one of them is missing. The text must outlive them: it is cut
 * into pieces. */
bool credentials_parse(char *text, struct credentials *credentials);
