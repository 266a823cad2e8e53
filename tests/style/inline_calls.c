/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls whose code is in headers, to be compiled into programs of every standard of C and C++. */
#include <crossvm/end_channel.h>

#ifdef __cplusplus
extern "C"
#endif
    ptrdiff_t
    call_all(crossvm_channel_t *channel);

ptrdiff_t call_all(crossvm_channel_t *channel)
{
    uint32_t lengths[4];
    char buffer[64] = "";
    const void *shown;
    ptrdiff_t sum = 0;
    void *room;

    sum += crossvm_channel_send(channel, buffer, sizeof(buffer), CROSSVM_NOW);
    sum += crossvm_channel_send_many(channel, buffer, 8, 8, CROSSVM_FOREVER);
    sum += crossvm_channel_recv(channel, buffer, sizeof(buffer), CROSSVM_DEADLINE(1));
    sum += crossvm_channel_recv_many(channel, buffer, 16, lengths, 4, crossvm_deadline_after_ms(1));
    sum += crossvm_channel_recv_many(channel, buffer, 8, NULL, 8, CROSSVM_NOW);
    sum += crossvm_channel_reserve(channel, &room, 8, CROSSVM_NOW);
    sum += crossvm_channel_commit_more(channel, 8);
    sum += crossvm_channel_commit(channel, 8);
    crossvm_channel_flush(channel);
    sum += crossvm_channel_peek(channel, &shown, CROSSVM_NOW);
    sum += crossvm_channel_release(channel, 8);
    return sum + crossvm_deadline_is_now(CROSSVM_NOW) + crossvm_deadline_is_forever(CROSSVM_FOREVER);
}
