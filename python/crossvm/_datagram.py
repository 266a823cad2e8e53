# SPDX-License-Identifier: BSD-2-Clause
"""Channels of datagrams."""

from __future__ import annotations

import ctypes
import sys
from typing import AsyncIterator, Iterable, Iterator, Optional

from ._channel import DATAGRAM, OUT, Channel
from ._deadline import NOW, deadline
from ._errors import PeerGone
from ._library import lib
from ._memory import Buffer, readable


class Datagram(Channel):
    """A channel of datagrams. It can be iterated over, until the other end is gone."""

    _mode = DATAGRAM

    def recv(self, timeout: Optional[float] = None) -> bytes:
        """Receives the next datagram."""
        until = deadline(timeout)
        return self._receive(until, self._take, sys.maxsize, until)

    def send_many(self, messages: Iterable[Buffer], timeout: Optional[float] = None) -> int:
        """Sends datagrams and tells the other end once, at the end: how many."""
        until = deadline(timeout)
        return self._take_turns((self._sending,), until, self._send_now, self._send_each, messages, until)

    def _send_each(self, pointer: int, messages: Iterable[Buffer], until: int) -> int:
        count = 0
        try:
            for message in messages:
                kept, address, length = readable(message)
                place = ctypes.c_void_p()
                self._meet(until)
                self._call(pointer, lib.crossvm_channel_reserve, ctypes.byref(place), length, until)
                ctypes.memmove(place, address, length)
                self._call(pointer, lib.crossvm_channel_commit_more, length)
                count += 1
        finally:
            lib.crossvm_channel_flush(pointer)
        return count

    async def async_send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """As send()."""
        kept, address, length = readable(data)
        return await self._async_call(OUT, deadline(timeout), self._send_from, address, length, NOW)

    async def async_recv(self, timeout: Optional[float] = None) -> bytes:
        """As recv()."""
        return await self._async_take(sys.maxsize, timeout)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.recv()
            except PeerGone:
                return

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                yield await self.async_recv()
            except PeerGone:
                return

    def __enter__(self) -> Datagram:
        return self
