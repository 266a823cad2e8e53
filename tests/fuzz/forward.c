/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peer of a forwarder: frames of any content come in between what this end does. None of them makes the protocol
 * touch other memory, tell of a flow that is over, take more than it granted, or forget what it has to say.
 */
#include "fuzz.h"

#include <errno.h>

#include "../../src/forward/protocol.h"

#define LIMIT 4
#define WINDOW 500
#define EARLY 100

static struct protocol protocol;
static uint64_t received[2 * LIMIT]; /* bytes that a flow was sent and this end did not take */
static bool closed_by_us[2 * LIMIT], open_for_us[2 * LIMIT];
static unsigned int closes_due; /* flows that were closed and whose CLOSE was not written */

static size_t index_of(const struct flow *flow)
{
    REQUIRE(flow >= protocol.flows && flow < protocol.flows + 2 * (size_t)LIMIT);
    return (size_t)(flow - protocol.flows);
}

static void begin_flow(const struct flow *flow)
{
    const size_t i = index_of(flow);

    REQUIRE(!open_for_us[i] && !flow->owner);
    open_for_us[i] = true;
    closed_by_us[i] = false;
    received[i] = 0;
}

static void close_flow(struct flow *flow, uint32_t reason)
{
    const size_t i = index_of(flow);

    REQUIRE(open_for_us[i] && !closed_by_us[i]);
    closed_by_us[i] = true;
    open_for_us[i] = false;
    closes_due++;
    protocol_close(&protocol, flow, reason);
}

static bool is_ours(const struct flow *flow)
{
    return open_for_us[index_of(flow)];
}

/* What the peer says with a frame. */
static void understand(struct protocol_event *event)
{
    struct flow *flow = event->flow;

    if (event->type == PROTOCOL_NOTHING || event->type == PROTOCOL_READY)
        return;
    if (event->type == PROTOCOL_OPENED) {
        begin_flow(flow);
        REQUIRE(!flow->ours && strlen(event->target) > 0 && strlen(event->target) < FRAME_TARGET_BYTES);
        return;
    }
    REQUIRE(is_ours(flow)); /* nothing is told of a flow that is over */
    if (event->type == PROTOCOL_DATA) {
        received[index_of(flow)] += event->length + (flow->kind == FRAME_SEQPACKET ? FLOW_PACKET_COST : 0);
        REQUIRE(received[index_of(flow)] <= flow->window);
    } else if (event->type == PROTOCOL_CLOSED && event->reason) {
        close_flow(flow, event->reason);
    }
    REQUIRE(flow->closing || flow->credit <= flow->peer_window);
}

static bool receive(struct input *input)
{
    struct protocol_event event;
    size_t length = input_byte(input);
    uint8_t *frame;
    int error;

    if (length == 0)
        length = 8 + WINDOW;
    frame = malloc(length); /* as long as the frame, so that the sanitizer knows where it ends */
    REQUIRE(frame);
    input_bytes(input, frame, length);
    error = protocol_receive(&protocol, frame, length, &event);
    REQUIRE((error == 0) == (protocol.reason[0] == '\0'));
    if (!error)
        understand(&event);
    free(frame);
    return error == 0;
}

/* A frame of this end is one that a peer understands. */
static void send_one(void)
{
    uint64_t bytes[(FRAME_CONTROL_BYTES + 7) / 8];
    struct frame frame;
    size_t length;

    if (!protocol_is_due(&protocol))
        return;
    length = protocol_write(&protocol, bytes);
    REQUIRE(length <= sizeof(bytes) && frame_read(bytes, length, &frame) == NULL);
    if (frame.type == FRAME_CLOSE)
        REQUIRE(closes_due-- > 0);
}

static void act(struct input *input)
{
    struct flow *flow = &protocol.flows[input_choice(input, 2 * LIMIT)];
    uint64_t header;

    switch (input_choice(input, 6)) {
    case 0:
        if (protocol_can_open(&protocol))
            begin_flow(protocol_open(&protocol, input_byte(input) & 1 ? FRAME_STREAM : FRAME_SEQPACKET, "t", WINDOW));
        return;
    case 1:
        if (is_ours(flow) && flow->state == FLOW_ASKED)
            protocol_accept(&protocol, flow, WINDOW);
        return;
    case 2:
        if (is_ours(flow) && (flow->state == FLOW_OPEN || flow->state == FLOW_OPENING) && !flow->ending)
            protocol_end(&protocol, flow);
        else if (is_ours(flow) && flow->ending && flow->ended)
            close_flow(flow, 0);
        return;
    case 3:
        if (is_ours(flow))
            close_flow(flow, EIO);
        return;
    case 4: /* all that was sent is taken: of packets each by itself, here as empty ones */
        while (is_ours(flow) && flow->state == FLOW_OPEN && received[index_of(flow)] > 0) {
            uint64_t some = flow->kind == FRAME_SEQPACKET ? FLOW_PACKET_COST : received[index_of(flow)];

            if (some > received[index_of(flow)])
                break;
            received[index_of(flow)] -= some;
            protocol_take(&protocol, flow, flow->kind == FRAME_SEQPACKET ? 0 : (size_t)some);
        }
        return;
    default:
        if (is_ours(flow) && flow_room(flow) > 0 && !protocol_is_due(&protocol))
            protocol_write_data(flow, &header, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    bool well = true;

    REQUIRE(protocol_init(&protocol, LIMIT, EARLY));
    protocol_start(&protocol);
    memset(open_for_us, 0, sizeof(open_for_us));
    closes_due = 0;
    while (input.left > 0 && well) {
        switch (input_choice(&input, 4)) {
        case 0:
            act(&input);
            break;
        case 1:
            send_one();
            break;
        default:
            well = receive(&input);
        }
    }
    while (well && protocol_is_due(&protocol))
        send_one();
    REQUIRE(!well || closes_due == 0 || !protocol.ready);
    protocol_free(&protocol);
    return 0;
}
