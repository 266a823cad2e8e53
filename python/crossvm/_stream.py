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

    def sendall(self, data: Buffer, *, timeout: Optional[float] = None) -> None:
        """Sends all bytes. After an error, some of them may have been sent.

        :param timeout: for all of them: seconds; None: wait without limit, 0: do not wait
        """
        kept, address, length = readable(data)
        until = deadline(timeout)
        sent = 0
        while sent < length:
            sent += self._send_from(address + sent, length - sent, until)

    def recv(self, limit: int = 65536, *, timeout: Optional[float] = None) -> bytes:
        """Receives what there is, at least one byte; b"" at the end of file.

        :param limit: receive at most so many bytes
        :param timeout: seconds; None: wait without limit, 0: do not wait
        """
        until = deadline(timeout)
        return self._receive(until, self._take, size_of(limit, "the limit"), until)

    async def async_send(self, data: Buffer, *, timeout: Optional[float] = None) -> int:
        """As sendall(), for a task. Returns how many bytes were sent: all."""
        kept, address, length = readable(data)
        until = deadline(timeout)
        sent = 0
        while sent < length:
            sent += await self._async_call(OUT, until, self._send_from, address + sent, length - sent, NOW)
        return sent

    async def async_recv(self, limit: int = 65536, *, timeout: Optional[float] = None) -> bytes:
        """As recv(), for a task."""
        return await self._async_take(size_of(limit, "the limit"), timeout)

    def __enter__(self) -> Stream:
        return self
