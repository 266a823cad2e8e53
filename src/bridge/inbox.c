/* SPDX-License-Identifier: BSD-2-Clause */
#include "inbox.h"

#include <stdlib.h>
#include <unistd.h>

bool inbox_init(struct inbox *inbox, size_t size, int wake)
{
    *inbox = (struct inbox){.messages = calloc(size, sizeof(natsMsg *)), .size = size, .wake = wake};
    pthread_mutex_init(&inbox->lock, NULL);
    return inbox->messages != NULL;
}

/* The place of the message with that number. */
static size_t place(const struct inbox *inbox, size_t number)
{
    const size_t at = inbox->first + number;

    return at < inbox->size ? at : at - inbox->size;
}

static natsMsg *take(struct inbox *inbox)
{
    natsMsg *message;

    if (inbox->count == 0)
        return NULL;
    message = inbox->messages[inbox->first];
    inbox->first = place(inbox, 1);
    inbox->count--;
    return message;
}

void inbox_put(struct inbox *inbox, natsMsg *message)
{
    const uint64_t one = 1;
    natsMsg *goes = NULL;
    bool was_empty;

    pthread_mutex_lock(&inbox->lock);
    was_empty = inbox->count == 0;
    if (inbox->closed) {
        goes = message;
    } else {
        if (inbox->count == inbox->size) {
            goes = take(inbox);
            inbox->dropped++;
        }
        inbox->messages[place(inbox, inbox->count++)] = message;
    }
    pthread_mutex_unlock(&inbox->lock);
    natsMsg_Destroy(goes);
    if (was_empty)
        (void)!write(inbox->wake, &one, sizeof(one));
}

natsMsg *inbox_take(struct inbox *inbox)
{
    natsMsg *message;

    pthread_mutex_lock(&inbox->lock);
    message = take(inbox);
    pthread_mutex_unlock(&inbox->lock);
    return message;
}

uint64_t inbox_dropped(struct inbox *inbox)
{
    uint64_t dropped;

    pthread_mutex_lock(&inbox->lock);
    dropped = inbox->dropped;
    inbox->dropped = 0;
    pthread_mutex_unlock(&inbox->lock);
    return dropped;
}

void inbox_clear(struct inbox *inbox)
{
    natsMsg *message;

    while ((message = inbox_take(inbox)))
        natsMsg_Destroy(message);
}

void inbox_close(struct inbox *inbox)
{
    if (!inbox->messages)
        return;
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    pthread_mutex_unlock(&inbox->lock);
    inbox_clear(inbox);
}

void inbox_free(struct inbox *inbox)
{
    if (!inbox->messages)
        return;
    pthread_mutex_destroy(&inbox->lock);
    free(inbox->messages);
    inbox->messages = NULL;
}
