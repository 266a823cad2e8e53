# SPDX-License-Identifier: BSD-2-Clause
"""Orders that are taken out of the code, one at a time, and the story that must fail then.

Each is (what, file, text, text instead, program, story). The text is in its file once.
"""

FAST = "include/crossvm/channel_fast.h"
RECV = "src/channel/recv.c"
SEND = "src/channel/send.c"
SESSION = "src/channel/session.c"
WAIT = "src/channel/wait.c"
EVENT_PAGE_H = "src/vmm/event_page.h"
EVENT_PAGE = "src/vmm/event_page.c"
REGISTERS = "src/lib/registers.h"
GUEST = "src/lib/guest.c"
HOST = "src/lib/host.c"
WAITERS = "src/lib/waiters.c"
WIRING = "src/vm/wiring.c"
CONNECTION = "src/hub/connection.c"
DEVICE = "src/hub/pci_device.c"
LINUX_EVENTS = "linux/events.c"

CHANNEL_FENCE = "    crossvm_private_fence();\n"
SC_FENCE = "    __atomic_thread_fence(__ATOMIC_SEQ_CST);\n"
RELEASE_FENCE = "    __atomic_thread_fence(__ATOMIC_RELEASE);\n"


def without(what, file, text, part, program, story):
    """Without a part of a text."""
    return what, file, text, text.replace(part, "", 1), program, story


def release(what, file, text, story):
    """A store of the channel that is a release no more."""
    instead = text.replace("store_release(", "store(").replace("put_release(", "put(")
    return "the release of " + what, file, text, instead, "channel", story


def acquire(what, file, text, story):
    """A load of the channel that is an acquire no more."""
    return "the acquire of " + what, file, text, text.replace("load_acquire(", "load("), "channel", story


def relaxed(what, file, text, program, story):
    """An access that is relaxed instead of what it is."""
    order = next(order for order in ("SEQ_CST", "ACQUIRE", "RELEASE") if "__ATOMIC_" + order in text)
    return what, file, text, text.replace("__ATOMIC_" + order, "__ATOMIC_RELAXED"), program, story


CHANNEL = [
    # Data
    release("PRODUCED", FAST, "crossvm_private_store_release(send->produced,", "wake"),
    acquire("PRODUCED", RECV, "crossvm_private_load_acquire(recv->peer_produced)", "wake"),
    release("CONSUMED", RECV, "crossvm_private_store_release(recv->consumed, index)", "space, few switches"),
    acquire("CONSUMED", SEND, "crossvm_private_load_acquire(send->peer_consumed)", "space, few switches"),
    # A receiver sleeps
    without("the sender's fence", SEND, CHANNEL_FENCE + "        wake = ", CHANNEL_FENCE, "channel", "wake"),
    (
        "the sender's second look", SEND, CHANNEL_FENCE + "        wake = crossvm_private_load(send->peer_wake);\n",
        CHANNEL_FENCE, "channel", "wake",
    ),
    without(
        "the receiver's fence", RECV, "crossvm_private_wake_receiver(). */\n" + CHANNEL_FENCE, CHANNEL_FENCE,
        "channel", "wake",
    ),
    (
        "the receiver's second look", RECV, "if (crossvm_private_load(recv->peer_produced) == recv->produced) {",
        "if (true) {", "channel", "wake",
    ),
    without(
        "the second look of arm()", WAIT, "    found = ready(channel, events);\n    if (found)\n        crossvm",
        "    found = ready(channel, events);\n", "channel", "wake, events",
    ),
    ("the nap", RECV, "settling ? CHANNEL_SETTLE_US : 0", "0", "channel", "wake, relaxed"),
    ("the nap of wait()", RECV, "settling ? CHANNEL_SETTLE_US : 0", "0", "channel", "wake, relaxed, events"),
    # A sender sleeps
    without(
        "the receiver's fence, space", RECV, "     */\n" + CHANNEL_FENCE, CHANNEL_FENCE, "channel",
        "space, few switches",
    ),
    without(
        "the sender's fence, space", SEND, "cvm_channel_give_space(). */\n" + CHANNEL_FENCE, CHANNEL_FENCE, "channel",
        "space, few switches",
    ),
    (
        "the sender's second look, space", SEND,
        "if (crossvm_private_load(send->peer_consumed) == send->consumed) {", "if (true) {", "channel",
        "space, few switches",
    ),
    (
        "space before a sleep", RECV,
        "    if (recv_withheld(recv) > 0)\n        cvm_channel_give_space(channel);\n    recv->epoch",
        "    recv->epoch",
        "channel", "drain, and no more comes",
    ),
    ("space at a look", RECV, "        give_wanted_space(channel);\n", "", "channel", "drain, by a look"),
    (
        "space at the end of file", RECV,
        "    if (recv_withheld(recv) > 0)\n        cvm_channel_give_space(channel);\n    return",
        "    return",
        "channel", "drain, at the end",
    ),
    (
        "space when closed", SESSION,
        "    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_CONNECTED)\n        cvm_channel_give_space(channel);",
        "", "channel", "drain",
    ),
    # Leaving
    release(
        "FIN", SESSION, "(). */\n    crossvm_private_store_release(channel->send.fin, channel->generation)",
        "last words, shut down, relaxed",
    ),
    acquire("FIN", RECV, "crossvm_private_load_acquire(recv->peer_fin)", "last words"),
    (
        "the look at PRODUCED after FIN", RECV,
        "    if (look_at_produced(channel) < 0)\n        return recv->error = -CHANNEL_EPROTO;\n"
        "    if (recv_there(recv) > 0)\n        return 0;\n    if (left)",
        "    if (left)", "channel", "last words",
    ),
    acquire("STOP", SEND, "crossvm_private_load_acquire(channel->send.peer_stop)", "drain"),
    (
        "the look at CONSUMED after STOP", SEND,
        "look_at_consumed(channel) == 0 && send->consumed == send_index(send) ? 0 : end_of_sending(channel)",
        "end_of_sending(channel)", "channel", "drain",
    ),
    release(
        "ACK = 0", SESSION, "put_release(channel, CROSSVM_CHANNEL_ACK_AT, 0)", "last words, then anew, relaxed",
    ),
    # Sessions
    release("GENERATION", SESSION, "put_release(channel, CROSSVM_CHANNEL_GENERATION_AT,", "killed, few switches"),
    acquire(
        "GENERATION", SESSION, "load_acquire(channel->peer + WORD(CROSSVM_CHANNEL_GENERATION_AT))",
        "killed, few switches",
    ),
    release("ACK", SESSION, "put_release(channel, CROSSVM_CHANNEL_ACK_AT, generation)", "killed, few switches"),
    acquire("ACK", SESSION, "load_acquire(channel->peer + WORD(CROSSVM_CHANNEL_ACK_AT))", "killed, few switches"),
    without(
        "the condition on the peer's ACK", SESSION, "generation != 0 && (ack == 0 || ack == channel->generation)",
        " && (ack == 0 || ack == channel->generation)", "channel", "killed, few switches",
    ),
]

EVENTS = [
    # The module
    relaxed("EVENT_SEQ", EVENT_PAGE_H, "(memory + offset), value, __ATOMIC_RELEASE", "events", "module, look"),
    relaxed(
        "COUNT", EVENT_PAGE_H, "(memory + CROSSVM_REG_COUNT), events, __ATOMIC_RELEASE", "events",
        "module, base block, look",
    ),
    without(
        "the fence before the interrupt", EVENT_PAGE_H, "in its interrupt handler. */\n" + SC_FENCE, SC_FENCE,
        "events", "module",
    ),
    without(
        "the fence before the state page", EVENT_PAGE_H, "in its interrupt handler. */\n" + SC_FENCE, SC_FENCE,
        "events", "host to hub to guest, look",
    ),
    without(
        "the fence before the peer's interrupt", EVENT_PAGE, "in its interrupt handler. */\n" + SC_FENCE, SC_FENCE,
        "events", "module, peer",
    ),
    without("the fence before MAGIC", EVENT_PAGE, RELEASE_FENCE, RELEASE_FENCE, "events", "module, installed"),
    # The library
    relaxed("MAGIC", REGISTERS, "(page->base + offset), __ATOMIC_ACQUIRE", "events", "module, installed"),
    relaxed("STATUS", REGISTERS, "(page->base + offset), __ATOMIC_ACQUIRE", "events", "module, counts again"),
    relaxed(
        "COUNT, loaded", REGISTERS, "(page->base + offset), __ATOMIC_ACQUIRE", "events", "module, base block, look"
    ),
    relaxed("sequences", REGISTERS, "__atomic_load_n(sequence, __ATOMIC_ACQUIRE)", "events", "module, look"),
    relaxed("OWN_SEQ", REGISTERS, "(page->own_seq, 1, __ATOMIC_SEQ_CST)", "events", "guest to guest, look"),
    without("the fence before the doorbell", GUEST, SC_FENCE, SC_FENCE, "events", "guest to guest"),
    ("the full fence before AWAKE", GUEST, SC_FENCE, RELEASE_FENCE, "events", "guest to hub to host"),
    relaxed("a host program's count", HOST, "(host->peer_page, 1, __ATOMIC_RELEASE)", "events", "host to guest, look"),
    # crossvm-vm
    relaxed(
        "the count that is relayed", WIRING, "(wiring->peer_seq, __ATOMIC_ACQUIRE)", "events",
        "host to VM to guest, look",
    ),
    relaxed("the count for a guest", WIRING, "(wiring->own_seq, 1, __ATOMIC_RELEASE)", "events", "VM to guest, look"),
    # The hub
    relaxed(
        "the count for the peer", CONNECTION, "(end->count, events, __ATOMIC_RELEASE)", "events",
        "guest to hub to host, look",
    ),
    relaxed(
        "the guest's count", DEVICE, "__atomic_load_n(own_seq(device), __ATOMIC_ACQUIRE)", "events",
        "guest to hub to host, look",
    ),
    without("the fence after AWAKE = 0", DEVICE, SC_FENCE, SC_FENCE, "events", "guest to hub to host"),
    without(
        "the last look at OWN_SEQ", DEVICE, "        if (!tell_peer(device, false))\n            return false;",
        "if (!tell_peer(device, false))", "events", "guest to hub to host",
    ),
]

LED = "(&waiters->led, 1, __ATOMIC_ACQUIRE)"
LEFT = "(&waiters->led, 0, __ATOMIC_RELEASE)"
FIRST = "    (void)__atomic_add_fetch(&waiters->wake_ups, 1, __ATOMIC_SEQ_CST);\n"
SECOND = "*known = __atomic_add_fetch(&waiters->wake_ups, 1, __ATOMIC_SEQ_CST);\n"
LONGER = "two wait, one of them longer"

THREADS = [
    relaxed("who leads, taken", WAITERS, LED, "waiters", "two wait"),
    relaxed("who leads, given up", WAITERS, LEFT, "waiters", "two wait"),
    relaxed("the first wake-up", WAITERS, FIRST, "waiters", "two wait"),
    without("the first wake-up at all", WAITERS, FIRST, FIRST, "waiters", "two wait"),
    relaxed("the second wake-up", WAITERS, SECOND, "waiters", LONGER),
    (
        "the second wake-up at all", WAITERS, SECOND,
        "*known = __atomic_load_n(&waiters->wake_ups, __ATOMIC_RELAXED);\n", "waiters", LONGER,
    ),
    relaxed("the look for followers", WAITERS, "(&waiters->followers, __ATOMIC_SEQ_CST)", "waiters", "two wait"),
    relaxed("a follower", WAITERS, "(&waiters->followers, 1, __ATOMIC_SEQ_CST)", "waiters", "two wait"),
    relaxed("wake-ups so far", WAITERS, "(&waiters->wake_ups, __ATOMIC_ACQUIRE)", "waiters", "two wait"),
    (
        "the leader's second look", WAITERS, "if (__atomic_load_n(&waiters->wake_ups, __ATOMIC_RELAXED) == now)",
        "if (true)", "waiters", "two wait",
    ),
]

DRIVER = [
    without(
        "the barrier before UIO's count", LINUX_EVENTS, "\tsmp_wmb();\n", "\tsmp_wmb();\n", "driver",
        "base block, open",
    ),
]

WEAKENINGS = CHANNEL + EVENTS + THREADS + DRIVER
