# SPDX-License-Identifier: BSD-2-Clause
"""Ends of crossvm connections, in a guest and beside it, and channels through them::

    with crossvm.End("sensor") as end, end.datagram() as channel:
        channel.send(b"how warm is it?", timeout=5)
        print(channel.recv(timeout=5))

The module calls libcrossvm, and the names are those of crossvm/crossvm.h and crossvm/end_channel.h. Timeouts are in
seconds, and always passed by name. Errors of the library are crossvm.Error."""

from ._channel import IN, OUT, Channel, ChannelCounts, ChannelState
from ._datagram import Datagram
from ._end import Dataport, DataportInfo, Door, End, EndInfo, PeerState, Via, ends
from ._errors import Busy, Denied, Error, NotFound, PeerGone, ProtocolError, Timeout, TooLarge, WouldBlock
from ._span import Span
from ._stream import Stream
from ._version import __version__

__all__ = [
    "IN",
    "OUT",
    "Busy",
    "Channel",
    "ChannelCounts",
    "ChannelState",
    "Datagram",
    "Dataport",
    "DataportInfo",
    "Denied",
    "Door",
    "End",
    "EndInfo",
    "Error",
    "NotFound",
    "PeerGone",
    "PeerState",
    "ProtocolError",
    "Span",
    "Stream",
    "Timeout",
    "TooLarge",
    "Via",
    "WouldBlock",
    "__version__",
    "ends",
]
