/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIT(type) ((uint8_t)(1u << (type)))

/* --- life --- */

bool protocol_init(struct protocol *protocol, uint32_t limit, uint32_t early)
{
    *protocol = (struct protocol){
        .flows = calloc((size_t)limit * 2, sizeof(struct flow)),
        .free_numbers = calloc(limit, sizeof(uint32_t)),
        .limit = limit,
        .early = early,
        .reason = "",
    };
    if (protocol->flows && protocol->free_numbers)
        return true;
    protocol_free(protocol);
    return false;
}

void protocol_free(struct protocol *protocol)
{
    free(protocol->flows);
    free(protocol->free_numbers);
    *protocol = (struct protocol){.reason = ""};
}

void protocol_start(struct protocol *protocol)
{
    memset(protocol->flows, 0, (size_t)protocol->limit * 2 * sizeof(struct flow));
    protocol->first = protocol->last = NULL;
    protocol->peer_limit = protocol->peer_early = protocol->num_free = protocol->num_ours = 0;
    protocol->greeted = protocol->ready = false;
    protocol->reason = "";
}

static void prepare(struct flow *flow, uint32_t number, bool ours, uint8_t kind, enum flow_state state)
{
    *flow = (struct flow){.number = number, .ours = ours, .kind = kind, .state = (uint8_t)state};
}

/* A flow is free when both ends have said the last of it, so nothing of it can be on its way. */
static void release_if_over(struct protocol *protocol, struct flow *flow)
{
    if (!flow->closing || !flow->closed || flow->due)
        return;
    flow->state = FLOW_FREE;
    if (flow->ours) {
        protocol->free_numbers[protocol->num_free++] = flow->number;
        protocol->num_ours--;
    }
}

/* --- what is due --- */

static void make_due(struct protocol *protocol, struct flow *flow, enum frame_type type)
{
    flow->due |= BIT(type);
    if (flow->queued)
        return;
    flow->queued = true;
    flow->next = NULL;
    if (protocol->last)
        protocol->last->next = flow;
    else
        protocol->first = flow;
    protocol->last = flow;
}

static struct flow *next_due(struct protocol *protocol)
{
    struct flow *flow = protocol->first;

    protocol->first = flow->next;
    if (!protocol->first)
        protocol->last = NULL;
    flow->queued = false;
    return flow;
}

bool protocol_is_due(const struct protocol *protocol)
{
    return !protocol->greeted || (protocol->ready && protocol->first);
}

/* The first of a flow's frames that are due, in the order in which the peer has to see them. */
static enum frame_type first_type(const struct flow *flow)
{
    return (enum frame_type)__builtin_ctz(flow->due);
}

size_t protocol_write(struct protocol *protocol, void *bytes)
{
    struct frame frame = {.type = FRAME_HELLO};
    struct flow *flow;

    if (!protocol->greeted) {
        protocol->greeted = true;
        frame.major = FRAME_VERSION_MAJOR;
        frame.minor = FRAME_VERSION_MINOR;
        frame.value = protocol->limit;
        frame.early = protocol->early;
        return frame_write(bytes, &frame);
    }
    flow = next_due(protocol);
    frame.type = (uint8_t)first_type(flow);
    frame.yours = !flow->ours;
    frame.number = flow->number;
    flow->due &= (uint8_t)~BIT(frame.type);
    if (frame.type == FRAME_OPEN) {
        frame.kind = flow->kind;
        frame.value = flow->window;
        strncpy(frame.target, flow->target, sizeof(frame.target) - 1);
    } else if (frame.type == FRAME_ACCEPT) {
        frame.value = flow->window;
    } else if (frame.type == FRAME_CREDIT) {
        frame.value = flow->taken;
        flow->promised += flow->taken;
        flow->taken = 0;
    } else if (frame.type == FRAME_CLOSE) {
        frame.value = flow->reason;
        release_if_over(protocol, flow);
    }
    if (flow->due)
        make_due(protocol, flow, first_type(flow));
    return frame_write(bytes, &frame);
}

/* --- what the owner does --- */

/* Packets wait until they are accepted: how long they may be depends on the window. */
static uint32_t early_of(enum frame_kind kind, uint32_t early)
{
    return kind == FRAME_STREAM ? early : 0;
}

bool protocol_can_open(const struct protocol *protocol)
{
    const uint32_t most = protocol->limit < protocol->peer_limit ? protocol->limit : protocol->peer_limit;

    return protocol->ready && protocol->num_ours < most;
}

struct flow *protocol_open(struct protocol *protocol, enum frame_kind kind, const char *target, uint32_t window)
{
    const uint32_t number = protocol->free_numbers[--protocol->num_free];
    struct flow *flow = &protocol->flows[number];

    prepare(flow, number, true, (uint8_t)kind, FLOW_OPENING);
    flow->target = target;
    flow->window = flow->promised = window;
    flow->credit = flow->peer_window = early_of(kind, protocol->peer_early);
    protocol->num_ours++;
    make_due(protocol, flow, FRAME_OPEN);
    return flow;
}

void protocol_accept(struct protocol *protocol, struct flow *flow, uint32_t window)
{
    flow->state = FLOW_OPEN;
    flow->promised += window - flow->window;
    flow->window = window;
    make_due(protocol, flow, FRAME_ACCEPT);
}

static uint32_t cost_of(const struct flow *flow, size_t length)
{
    return (uint32_t)length + (flow->kind == FRAME_SEQPACKET ? FLOW_PACKET_COST : 0);
}

void protocol_write_data(struct flow *flow, void *header, size_t length)
{
    const struct frame frame = {.type = FRAME_DATA, .yours = !flow->ours, .number = flow->number};

    flow->credit -= cost_of(flow, length);
    (void)frame_write(header, &frame);
}

void protocol_take(struct protocol *protocol, struct flow *flow, size_t length)
{
    flow->taken += cost_of(flow, length);
    if (flow->taken >= flow->window / 2 && !flow->ended && !flow->closing)
        make_due(protocol, flow, FRAME_CREDIT);
}

void protocol_end(struct protocol *protocol, struct flow *flow)
{
    flow->ending = true;
    make_due(protocol, flow, FRAME_END);
}

void protocol_close(struct protocol *protocol, struct flow *flow, uint32_t reason)
{
    const bool never_opened = flow->due & BIT(FRAME_OPEN);

    flow->closing = true;
    flow->owner = NULL;
    flow->reason = reason;
    flow->due &= reason ? 0 : BIT(FRAME_ACCEPT) | BIT(FRAME_END);
    make_due(protocol, flow, never_opened ? FRAME_OPEN : FRAME_CLOSE);
    if (never_opened)
        flow->due |= BIT(FRAME_CLOSE);
}

/* --- what the peer does --- */

static int broken(struct protocol *protocol, const char *reason)
{
    protocol->reason = reason;
    return -EPROTO;
}

static int receive_hello(struct protocol *protocol, const struct frame *frame, struct protocol_event *event)
{
    if (protocol->ready)
        return broken(protocol, "the other end said HELLO twice");
    protocol->ready = true;
    protocol->peer_limit = frame->value;
    protocol->peer_early = frame->early;
    for (uint32_t i = protocol->limit < frame->value ? protocol->limit : frame->value; i > 0; i--)
        protocol->free_numbers[protocol->num_free++] = i - 1;
    event->type = PROTOCOL_READY;
    return 0;
}

static int receive_open(struct protocol *protocol, struct flow *flow, const struct frame *frame,
                        struct protocol_event *event)
{
    if (flow->state != FLOW_FREE)
        return broken(protocol, "the other end opened a socket twice");
    if (frame->value > FRAME_MAX_WINDOW)
        return broken(protocol, "the other end granted a window that is too large");
    prepare(flow, frame->number, false, (uint8_t)frame->kind, FLOW_ASKED);
    flow->credit = flow->peer_window = frame->value;
    flow->window = flow->promised = early_of(frame->kind, protocol->early);
    event->type = PROTOCOL_OPENED;
    event->target = frame->target;
    return 0;
}

static int receive_accept(struct protocol *protocol, struct flow *flow, const struct frame *frame,
                          struct protocol_event *event)
{
    if (flow->state != FLOW_OPENING || flow->due & BIT(FRAME_OPEN))
        return broken(protocol, "the other end accepted a socket that was not to be opened");
    if (frame->value > FRAME_MAX_WINDOW)
        return broken(protocol, "the other end granted a window that is too large");
    if (frame->value < flow->peer_window)
        return broken(protocol, "the other end accepted a socket with less of a window than it takes early");
    flow->state = FLOW_OPEN;
    flow->credit += frame->value - flow->peer_window;
    flow->peer_window = frame->value;
    event->type = PROTOCOL_ACCEPTED;
    return 0;
}

static int receive_data(struct protocol *protocol, struct flow *flow, const struct frame *frame,
                        struct protocol_event *event)
{
    if (flow->ended)
        return broken(protocol, "the other end sent data after the end");
    if (flow->kind == FRAME_STREAM && frame->length == 0)
        return broken(protocol, "the other end sent data without bytes");
    if (frame->length > FRAME_MAX_WINDOW || cost_of(flow, frame->length) > flow->promised)
        return broken(protocol, "the other end sent more than it may");
    flow->promised -= cost_of(flow, frame->length);
    event->type = PROTOCOL_DATA;
    event->bytes = frame->bytes;
    event->length = frame->length;
    return 0;
}

static int receive_credit(struct protocol *protocol, struct flow *flow, const struct frame *frame,
                          struct protocol_event *event)
{
    if (frame->value == 0 || frame->value > flow->peer_window - flow->credit)
        return broken(protocol, "the other end took more than was sent");
    flow->credit += frame->value;
    event->type = PROTOCOL_CREDIT;
    return 0;
}

static int receive_end(struct protocol *protocol, struct flow *flow, struct protocol_event *event)
{
    if (flow->ended)
        return broken(protocol, "the other end ended a direction twice");
    flow->ended = true;
    event->type = PROTOCOL_ENDED;
    return 0;
}

static int receive_close(struct protocol *protocol, struct flow *flow, const struct frame *frame,
                         struct protocol_event *event)
{
    if (frame->value > FRAME_MAX_REASON)
        return broken(protocol, "the other end closed a socket for a reason that does not exist");
    if (frame->value == 0 && (!flow->ended || !flow->ending || flow->due & BIT(FRAME_END)))
        return broken(protocol, "the other end closed a socket as if both directions had ended");
    flow->closed = true;
    event->type = PROTOCOL_CLOSED;
    event->reason = frame->value;
    return 0;
}

/* The flow that a frame is about. NULL when its number is none of that end's. */
static struct flow *flow_of(struct protocol *protocol, const struct frame *frame)
{
    if (frame->number >= protocol->limit)
        return NULL;
    return &protocol->flows[frame->number + (frame->yours ? 0 : protocol->limit)];
}

/* Whether the peer may send something of a socket: of one that it has opened, before it knows whether it is accepted.
 */
static bool may_be_sent(const struct flow *flow)
{
    return flow->state == FLOW_OPEN || flow->state == FLOW_ASKED;
}

/* Whether a socket is open at both ends, as the peer knows. */
static bool is_accepted(const struct flow *flow)
{
    return flow->state == FLOW_OPEN && !(flow->due & BIT(FRAME_ACCEPT));
}

int protocol_receive(struct protocol *protocol, const void *bytes, size_t length, struct protocol_event *event)
{
    struct frame *frame = &event->frame;
    const char *wrong = frame_read(bytes, length, frame);
    struct flow *flow;
    int error = 0;

    event->type = PROTOCOL_NOTHING;
    if (wrong)
        return broken(protocol, wrong);
    if (frame->type == FRAME_HELLO)
        return receive_hello(protocol, frame, event);
    if (!protocol->ready)
        return broken(protocol, "the other end did not say HELLO");
    flow = flow_of(protocol, frame);
    if (!flow || (frame->type == FRAME_OPEN && frame->yours))
        return broken(protocol, "the other end used a number that no socket may have");
    event->flow = flow;
    if (frame->type == FRAME_OPEN)
        return receive_open(protocol, flow, frame, event);
    if (flow->state == FLOW_FREE || flow->closed)
        return broken(protocol, "the other end used the number of a socket that is not open");
    if (frame->type == FRAME_CLOSE)
        error = receive_close(protocol, flow, frame, event);
    else if (frame->type == FRAME_ACCEPT)
        error = receive_accept(protocol, flow, frame, event);
    else if (frame->type == FRAME_CREDIT ? !is_accepted(flow) : !may_be_sent(flow))
        return broken(protocol, "the other end used a socket before it was accepted");
    else if (frame->type == FRAME_DATA)
        error = receive_data(protocol, flow, frame, event);
    else if (frame->type == FRAME_CREDIT)
        error = receive_credit(protocol, flow, frame, event);
    else
        error = receive_end(protocol, flow, event);
    if (flow->closing) { /* the owner has forgotten it, and hears nothing more */
        event->type = PROTOCOL_NOTHING;
        release_if_over(protocol, flow);
    }
    return error;
}
