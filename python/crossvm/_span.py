# SPDX-License-Identifier: BSD-2-Clause
"""Memory of a channel's rings, for messages that are written or read in place."""

from __future__ import annotations

from types import TracebackType
from typing import Callable, Optional, Type

from ._memory import Memory
from ._numbers import number_of


class Span:
    """A piece of a channel's ring, for one `with` block: what Channel.reserve() and Channel.peek() return.

    At the end of the block, `length` bytes are sent (reserve) or given back to the peer (peek). Nothing is if the block
    ends in an exception; or if a memoryview that was made of `memory` outlives the block, which is a BufferError."""

    def __init__(self, memory: Memory, size: int, done: Callable[[int], None]) -> None:
        self._memory = memory
        self._size = self._length = size
        self._done: Optional[Callable[[int], None]] = done

    @property
    def memory(self) -> memoryview:
        """The memory itself. Once the block has ended or the channel is closed, it raises ValueError."""
        return self._memory.view

    @property
    def length(self) -> int:
        """How many bytes the end of the block sends or gives back: all, unless it is set to less."""
        return self._length

    @length.setter
    def length(self, value: int) -> None:
        self._length = number_of(value, "the length of a span", self._size)

    def __enter__(self) -> Span:
        if self._done is None:
            raise ValueError("the block of this span has ended: get another one")
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        done, self._done = self._done, None
        try:
            self._memory.release()  # from now on the peer may use it
        except BufferError:
            if kind is None:  # otherwise the exception of the block matters more
                raise
        if kind is None and done:
            done(self._length)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        rights = "writable" if self._memory.writable else "read-only"
        return f"<crossvm.Span of {self._length} bytes, {rights}{'' if self._done else ', ended'}>"
