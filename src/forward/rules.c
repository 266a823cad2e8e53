/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/name.h"

#define ADDRESS_RULE                                                                                                   \
    "an address is PORT, HOST:PORT with the number of a host or localhost, a path that begins with /, "                \
    "seqpacket:PATH or vsock:CID:PORT"

/* --- command line --- */

static bool wrong(char reason[RULES_REASON_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(char reason[RULES_REASON_BYTES], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, RULES_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

bool rules_parse_target(const char *text, char target[FRAME_TARGET_BYTES], char reason[RULES_REASON_BYTES])
{
    struct address address;

    if (address_parse(text, NULL, &address))
        (void)address_format(target, &address);
    else if (name_is_valid(text))
        (void)snprintf(target, FRAME_TARGET_BYTES, "%s", text);
    else
        return wrong(reason, "has no target at its end: that is a name that the other end allows, or an address; %s",
                     ADDRESS_RULE);
    return true;
}

bool rules_add_listen(struct rules *rules, const char *text, char reason[RULES_REASON_BYTES])
{
    struct rule_listen *listen = &rules->listens[rules->num_listens];
    const char *rest;

    if (rules->num_listens == RULES_MOST)
        return wrong(reason, "is one too many: at most %d", RULES_MOST);
    if (!address_parse(text, &rest, &listen->address))
        return wrong(reason, "does not begin with an address; %s", ADDRESS_RULE);
    if (*rest != ':')
        return wrong(reason, "names no target: put a colon behind the address, and the target behind that");
    if (!rules_parse_target(rest + 1, listen->target, reason))
        return false;
    listen->fd = -1;
    rules->num_listens++;
    return true;
}

bool rules_add_allowed(struct rules *rules, const char *text, char reason[RULES_REASON_BYTES])
{
    struct rule_allow *allow = &rules->allowed[rules->num_allowed];
    const size_t length = strcspn(text, "=");
    char name[CROSSVM_FULL_NAME_BYTES] = "";
    const char *address = text;

    if (rules->num_allowed == RULES_MOST)
        return wrong(reason, "is one too many: at most %d", RULES_MOST);
    if (text[length] && length < sizeof(name)) {
        memcpy(name, text, length);
        if (name_is_valid(name))
            address = text + length + 1;
    }
    if (!address_parse(address, NULL, &allow->address))
        return wrong(reason, "has no address at its end; %s", ADDRESS_RULE);
    if (address == text)
        (void)address_format(allow->name, &allow->address);
    else if (address_parse(name, NULL, &(struct address){0}))
        return wrong(reason, "has the address %s in place of a name", name);
    else
        (void)snprintf(allow->name, sizeof(allow->name), "%s", name);
    if (rules_find(rules, allow->name))
        return wrong(reason, "allows \"%s\" a second time", allow->name);
    rules->num_allowed++;
    return true;
}

const struct address *rules_find(const struct rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->num_allowed; i++) {
        if (strcmp(rules->allowed[i].name, name) == 0)
            return &rules->allowed[i].address;
    }
    return NULL;
}

/* --- sockets --- */

bool rules_listen(struct rules *rules)
{
    for (size_t i = 0; i < rules->num_listens; i++) {
        struct rule_listen *listen = &rules->listens[i];
        char text[ADDRESS_TEXT_BYTES];

        listen->fd = address_listen(&listen->address);
        if (listen->fd >= 0)
            continue;
        message("cannot listen at %s: %s", address_format(text, &listen->address), error_reason(errno));
        rules_close(rules);
        return false;
    }
    return true;
}

void rules_close(struct rules *rules)
{
    for (size_t i = 0; i < rules->num_listens; i++) {
        struct rule_listen *listen = &rules->listens[i];

        if (listen->fd < 0)
            continue;
        if (listen->address.socket.any.sa_family == AF_UNIX)
            (void)unlink(listen->address.socket.un.sun_path);
        close(listen->fd);
        listen->fd = -1;
    }
}
