# SPDX-License-Identifier: BSD-2-Clause
"""Channels of datagrams."""

from __future__ import annotations

import ctypes
import itertools
import sys
from typing import AsyncIterator, Iterable, Iterator, Optional

from ._channel import DATAGRAM, OUT, Channel
from ._deadline import NOW, deadline
from ._errors import PeerGone
from ._library import lib
from ._memory import Buffer, readable


class Datagram(Channel):
    """A channel of datagrams. Iterating over it, also with `async for`, receives datagrams until the peer is gone."""

    _mode = DATAGRAM

    def recv(self, *, timeout: Optional[float] = None) -> bytes:
        """Receives the next datagram.

        :param timeout: seconds; None: wait without limit, 0: do not wait
        """
        until = deadline(timeout)
        return self._receive(until, self._take, sys.maxsize, until)

    def send_many(self, messages: Iterable[Buffer], *, timeout: Optional[float] = None) -> int:
        """Sends datagrams, and wakes the peer once after the last. Datagrams before an error are sent.

        :param timeout: for all of them: seconds; None: wait without limit, 0: do not wait
        :return: how many datagrams were sent
        """
        until = deadline(timeout)
        left = iter(messages)
        for first in left:
            return self._send(until, self._send_each, itertools.chain((first,), left), until)
        self._take_turns((self._sending,), until, self._send_now, lib.crossvm_channel_flush)
        return 0

    def _send_each(self, pointer: int, messages: Iterable[Buffer], until: int) -> int:
        count = 0
        try:
            for message in messages:
                kept, address, length = readable(message)
                target = ctypes.c_void_p()
                self._call(pointer, lib.crossvm_channel_reserve, ctypes.byref(target), length, until)
                ctypes.memmove(target, address, length)
                self._call(pointer, lib.crossvm_channel_commit_more, length)
                count += 1
        finally:
            lib.crossvm_channel_flush(pointer)
        return count

    async def async_send(self, data: Buffer, *, timeout: Optional[float] = None) -> int:
        """As send(), for a task."""
        kept, address, length = readable(data)
        return await self._async_call(OUT, deadline(timeout), self._send_from, address, length, NOW)

    async def async_recv(self, *, timeout: Optional[float] = None) -> bytes:
        """As recv(), for a task."""
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
