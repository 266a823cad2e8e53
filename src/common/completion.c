/* SPDX-License-Identifier: BSD-2-Clause */
#include "completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void (*completion_offer_value)(const struct completion *completion, const char *placeholder);

void completion_offer(const struct completion *completion, const char *candidate, const char *description)
{
    if (strncmp(candidate, completion->word, strlen(completion->word)) != 0)
        return;
    printf("%s%s%s%s\n", completion->before, candidate, description ? "\t" : "", description ? description : "");
}

void completion_offer_files(void)
{
    puts(":files");
}

/* --- options --- */

static bool is_last(const struct argp_option *option)
{
    return !option->name && !option->key && !option->doc;
}

/* Whether a word of the command line is that option: -o, --option or --option=VALUE. */
static bool is_option(const struct argp_option *option, const char *word)
{
    size_t length = option->name ? strlen(option->name) : 0;

    if (strncmp(word, "--", 2) != 0)
        return word[0] == '-' && (unsigned char)word[1] == option->key && !word[2];
    return length && strncmp(word + 2, option->name, length) == 0 && (!word[2 + length] || word[2 + length] == '=');
}

static const struct argp_option *find_option(const struct argp *argp, const char *word)
{
    const struct argp_option *found = NULL;

    for (const struct argp_option *option = argp->options; option && !is_last(option); option++) {
        if (is_option(option, word))
            return option;
    }
    for (const struct argp_child *child = argp->children; child && child->argp && !found; child++)
        found = find_option(child->argp, word);
    return found;
}

static void offer_options(const struct completion *completion, const struct argp *argp)
{
    char candidate[64];

    for (const struct argp_option *option = argp->options; option && !is_last(option); option++) {
        if (!option->name || option->flags & OPTION_HIDDEN)
            continue;
        (void)snprintf(candidate, sizeof(candidate), "--%s", option->name);
        completion_offer(completion, candidate, option->doc);
    }
    for (const struct argp_child *child = argp->children; child && child->argp; child++)
        offer_options(completion, child->argp);
}

/* --- arguments --- */

/*
 * The placeholder of an argument, counted from 0, as in "NAME [MESSAGE...]": without its brackets, and the last one
 * again and again if dots follow it. False when there are not so many.
 */
static bool find_placeholder(const struct argp *argp, size_t index, char *placeholder, size_t size)
{
    const char *rest = argp->args_doc ? argp->args_doc : "";
    size_t length = 0;

    for (;;) {
        rest += strspn(rest, " []");
        if (!*rest)
            return false;
        length = strcspn(rest, " [].");
        if (index == 0 || strncmp(rest + length, "...", 3) == 0)
            break;
        index--;
        rest += length;
    }
    (void)snprintf(placeholder, size, "%.*s", (int)length, rest);
    return true;
}

/* The command's own arguments: those of the first of the parsers that has any. */
static const struct argp *with_arguments(const struct argp *argp)
{
    for (const struct argp_child *child = argp->children; !argp->args_doc && child && child->argp; child++) {
        if (child->argp->args_doc)
            return child->argp;
    }
    return argp;
}

static void offer_value(const struct completion *completion, const char *placeholder)
{
    if (strcmp(placeholder, "FILE") == 0 || strcmp(placeholder, "SOCKET") == 0)
        completion_offer_files();
    else if (strcmp(placeholder, "DIR") == 0)
        puts(":directories");
    else if (completion_offer_value)
        completion_offer_value(completion, placeholder);
}

/* --- a command line --- */

/*
 * bash takes an equals sign for a word of its own, and what follows it for the next one. So the value of --option may
 * be behind it, in the next word, behind a "=" that is a word, or in the same word.
 */
void completion_print(const struct argp *argp, int num_words, char **words)
{
    const struct argp_option *takes_value = NULL; /* the option whose value comes next */
    bool only_arguments = false;
    size_t num_arguments = 0;
    struct completion completion = {.word = "", .before = ""};
    char placeholder[64], before[80];
    const char *last = num_words ? words[num_words - 1] : "", *equals = strchr(last, '=');

    for (int i = 0; i < num_words - 1; i++) {
        const char *word = words[i];
        const struct argp_option *option = only_arguments ? NULL : find_option(argp, word);

        if (takes_value && strcmp(word, "=") == 0)
            continue;
        if (takes_value) {
            takes_value = NULL;
        } else if (option) {
            takes_value = option->arg && !strchr(word, '=') ? option : NULL;
        } else if (!only_arguments && strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (only_arguments || word[0] != '-') {
            num_arguments++;
        }
    }
    if (!takes_value && !only_arguments && equals && strncmp(last, "--", 2) == 0) {
        takes_value = find_option(argp, last);
        (void)snprintf(before, sizeof(before), "%.*s=", (int)(equals - last), last);
        completion = (struct completion){.word = equals + 1, .before = before};
    } else if (!takes_value || strcmp(last, "=") != 0) {
        completion.word = last;
    }
    if (takes_value)
        offer_value(&completion, takes_value->arg ? takes_value->arg : "");
    else if (last[0] == '-' && !only_arguments)
        offer_options(&completion, argp);
    else if (find_placeholder(with_arguments(argp), num_arguments, placeholder, sizeof(placeholder)))
        offer_value(&completion, placeholder);
}
