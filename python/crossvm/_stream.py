# SPDX-License-Identifier: BSD-2-Clause
"""Channels of bytes."""

from __future__ import annotations

from typing import Optional

from ._channel import OUT, STREAM, Channel
from ._deadline import NOW, deadline
from ._memory import Buffer, readable
from ._numbers import size_of


class Stream(Channel):
    """A channel of bytes."""

    _mode = STREAM

    def sendall(self, data: Buffer, timeout: Optional[float] = None) -> None:
        """Sends all, or raises Timeout or what else comes in between."""
        kept, address, length = readable(data)
        until = deadline(timeout)
        sent = 0
        while sent < length:
            sent += self._send_from(address + sent, length - sent, until)

    def recv(self, limit: int = 65536, timeout: Optional[float] = None) -> bytes:
        """Receives what there is, up to a limit: at least one byte, or none at end of file."""
        until = deadline(timeout)
        return self._receive(until, self._take, size_of(limit, "the limit"), until)

    async def async_send(self, data: Buffer, timeout: Optional[float] = None) -> int:
        """As sendall(): how many bytes went."""
        kept, address, length = readable(data)
        until = deadline(timeout)
        sent = 0
        while sent < length:
            sent += await self._async_call(OUT, until, self._send_from, address + sent, length - sent, NOW)
        return sent

    async def async_recv(self, limit: int = 65536, timeout: Optional[float] = None) -> bytes:
        """As recv()."""
        return await self._async_take(size_of(limit, "the limit"), timeout)

    def __enter__(self) -> Stream:
        return self
