# SPDX-License-Identifier: BSD-2-Clause
"""Ends of cross-VM connections, in a guest and beside it: see crossvm/crossvm.h and crossvm/end_channel.h."""

from ._channel import Channel, ChannelState, Counts
from ._datagram import Datagram
from ._end import Dataport, End, EndInfo, PeerState, Via, ends
from ._errors import Busy, Denied, Error, NotFound, PeerGone, ProtocolError, Timeout, TooLarge, WouldBlock
from ._region import Region
from ._stream import Stream

__all__ = [
    "Busy",
    "Channel",
    "ChannelState",
    "Counts",
    "Datagram",
    "Dataport",
    "Denied",
    "End",
    "EndInfo",
    "Error",
    "NotFound",
    "PeerGone",
    "PeerState",
    "ProtocolError",
    "Region",
    "Stream",
    "Timeout",
    "TooLarge",
    "Via",
    "WouldBlock",
    "ends",
]
